/* jit LIBRARY: frames of code that no unwind tables describe, and code that comes
 * and goes. Allocations are told apart by their sizes:
 *
 *   1001  from made code that keeps a frame pointer
 *   1002  from made code in which the frame pointer is a small number
 *   1003  through the library (call_through of torture_library.c)
 *   1004  through a copy of its code, at the same addresses, after it was closed
 *   1005  through the library again, opened where the copy was
 *
 * Prints "moved" and nothing is proved of 1004 and 1005 where the library does not
 * come to the same addresses. */
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))

static NOINLINE void take(int size)
{
    void *volatile block = malloc((size_t)size);
    free(block);
}

typedef void caller(void (*function)(int), int argument);

/* Machine code: a frame, a call of the first argument with the second, the end. */
#if defined(__x86_64__)
static const uint8_t with_frame_pointer[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8, 0x89, 0xf7, 0xff, 0xd0,
                                              0x5d, 0xc3 };
static const uint8_t with_a_number[] = { 0x55, 0xbd, 3, 0, 0, 0, 0x48, 0x89, 0xf8, 0x89, 0xf7, 0xff, 0xd0, 0x5d,
                                         0xc3 };
#elif defined(__aarch64__)
static const uint32_t with_frame_pointer[] = { 0xa9bf7bfd, 0x910003fd, 0xaa0003e2, 0x2a0103e0, 0xd63f0040,
                                               0xa8c17bfd, 0xd65f03c0 };
static const uint32_t with_a_number[] = { 0xa9bf7bfd, 0xd280007d, 0xaa0003e2, 0x2a0103e0, 0xd63f0040,
                                          0xa8c17bfd, 0xd65f03c0 };
#endif

static void *make(const void *code, size_t bytes, void *at)
{
    int fixed = at ? MAP_FIXED_NOREPLACE : 0;
    char *made = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);

    if (made == MAP_FAILED || (at && made != at))
        return NULL;
    memcpy(made, code, bytes);
    mprotect(made, bytes, PROT_READ | PROT_EXEC);
    __builtin___clear_cache(made, made + bytes);
    return made;
}

static NOINLINE void run_made(const void *code, size_t bytes, int size)
{
    union { void *data; caller *code; } made = { make(code, bytes, NULL) };

    for (int i = 0; i < 10; i++)
        made.code(take, size);
    munmap(made.data, bytes);
}

struct text {
    const void *within;
    char *start;
    size_t bytes;
};

/* The executable segment around an address. */
static int find_text(struct dl_phdr_info *info, size_t bytes, void *data)
{
    struct text *text = data;

    (void)bytes;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        char *start = (char *)info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || (const char *)text->within < start ||
            (const char *)text->within >= start + header->p_memsz)
            continue;
        text->start = (char *)((uintptr_t)start & ~(uintptr_t)4095);
        text->bytes = (size_t)(start - text->start) + header->p_memsz;
        return 1;
    }
    return 0;
}

static NOINLINE void call_library(caller *call, int size)
{
    for (int i = 0; i < 10; i++)
        call(take, size);
}

int main(int argc, char **argv)
{
    static char copy[65536];

    run_made(with_frame_pointer, sizeof with_frame_pointer, 1001);
    run_made(with_a_number, sizeof with_a_number, 1002);
    if (argc < 2)
        return 0;

    void *library = dlopen(argv[1], RTLD_NOW);
    union { void *data; caller *code; } call = { dlsym(library, "call_through") };
    void *first = call.data;
    struct text text = { .within = first };
    dl_iterate_phdr(find_text, &text);
    if (!text.start || text.bytes > sizeof copy)
        return 2;
    call_library(call.code, 1003);
    memcpy(copy, text.start, text.bytes);
    dlclose(library);

    if (!make(copy, text.bytes, text.start)) {
        puts("moved");
        return 0;
    }
    call_library(call.code, 1004);
    munmap(text.start, text.bytes);

    library = dlopen(argv[1], RTLD_NOW);
    call.data = dlsym(library, "call_through");
    if (call.data != first)
        puts("moved");
    call_library(call.code, 1005);
    return 0;
}
