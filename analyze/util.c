#include "analyze/util.h"

#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

static void *checked(void *memory)
{
    if (!memory) {
        fputs("malloscope: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

void *alloc_zeroed(size_t count, size_t element_bytes)
{
    return checked(calloc(count ? count : 1, element_bytes));
}

void *alloc_unset(size_t bytes)
{
    return checked(malloc(bytes));
}

void *make_room_for(void *memory, size_t *capacity, size_t bytes)
{
    if (memory && bytes <= *capacity)
        return memory;
    free(memory);
    *capacity = bytes;
    return alloc_unset(bytes);
}

/* What is larger grows by less: the kernel moves its pages, and nothing is copied. */
#define DOUBLED_BYTES_MAX ((size_t)1 << 20)

void *grow(void *array, size_t *capacity, size_t count, size_t element_bytes)
{
    if (count <= *capacity && array)
        return array;
    size_t wanted = *capacity ? *capacity : 16;
    while (wanted < count)
        wanted += wanted * element_bytes < DOUBLED_BYTES_MAX ? wanted : wanted / 4;
    array = checked(reallocarray(array, wanted, element_bytes));
    memset((char *)array + *capacity * element_bytes, 0, (wanted - *capacity) * element_bytes);
    *capacity = wanted;
    return array;
}

void *shrink(void *array, size_t *capacity, size_t count, size_t element_bytes)
{
    void *smaller = array && count ? reallocarray(array, count, element_bytes) : NULL;

    if (smaller)
        *capacity = count;
    return smaller ? smaller : array;
}

char *copy_text(const char *text, size_t bytes)
{
    char *copy = checked(malloc(bytes + 1));
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    return copy;
}

char *copy_words(const char *words, size_t bytes)
{
    char *copy = copy_text(words, bytes);

    for (size_t i = 0; i + 1 < bytes; i++)
        if (!copy[i])
            copy[i] = ' ';
    return copy;
}

char *format_text(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return checked(length < 0 ? NULL : text);
}

int fail(struct failure *ret_failure, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(ret_failure->text, sizeof ret_failure->text, format, arguments);
    va_end(arguments);
    return error > 0 ? -error : -1;
}

unsigned usable_cores(unsigned most)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
    cpu_set_t set; /* too small for more than 1024 of them: then all count */

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cores = CPU_COUNT(&set);
#endif
    return cores < 1 ? 1 : cores > (long)most ? most : (unsigned)cores;
}
