/* suppressed: leaks one block each of a size of its own, at places with names that rules of
 * suppression match or do not: templates, methods, names that hold a part of themselves
 * twice, the C++ library's frames, the C library's.
 * Built by tests/cli/test_leaks.py, with LeakSanitizer and without. */
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#define NOINLINE __attribute__((noinline))

static void lose(void *block)
{
    asm volatile("" ::"r"(block) : "memory");
}

namespace space {

template <class T> NOINLINE void keep(T count)
{
    lose(malloc((size_t)count));
}

struct Place {
    NOINLINE void take(int count) const
    {
        lose(calloc(1, (size_t)count));
    }
};

} // namespace space

NOINLINE void foo_foo()
{
    lose(realloc(nullptr, 11));
}

extern "C" NOINLINE void plain_foo()
{
    lose(malloc(13));
}

NOINLINE void alpha(int count)
{
    lose(malloc((size_t)count));
}

NOINLINE void beta()
{
    alpha(17);
    lose(nullptr);
}

NOINLINE void one()
{
    lose(new int);
}

NOINLINE void many()
{
    lose(new char[51]);
}

NOINLINE void perhaps()
{
    lose(new (std::nothrow) char[57]);
}

NOINLINE void text()
{
    lose(new std::string(200, 'x'));
}

NOINLINE void line()
{
    char *text = nullptr;
    size_t bytes = 0;
    FILE *file = fopen("/dev/zero", "r");

    if (getdelim(&text, &bytes, 0, file) == 1)
        lose(text);
    fclose(file);
    text = nullptr;
}

NOINLINE void wipe()
{
    volatile char room[16384];
    for (size_t i = 0; i < sizeof room; i++)
        room[i] = 0;
}

NOINLINE void all()
{
    space::keep<int>(101);
    space::keep<long>(103);
    space::Place().take(107);
    foo_foo();
    plain_foo();
    beta();
    alpha(19);
    one();
    many();
    perhaps();
    text();
    line();
}

int main()
{
    all();
    wipe();
    return 0;
}
