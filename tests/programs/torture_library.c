/* For torture.cpp; built twice, with different frames at the same addresses. */
__attribute__((visibility("default"))) void call_through(void (*function)(int), int argument);

static __attribute__((noinline)) void inner(void (*function)(int), int argument)
{
    volatile char room[ROOM];
    room[0] = 1;
    function(argument);
    room[ROOM - 1] = room[0];
}

void call_through(void (*function)(int), int argument)
{
    inner(function, argument);
    __asm__ volatile("");
}
