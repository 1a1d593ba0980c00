/* What every part of the CLI uses: cleanup attributes, growing arrays, and an
 * error that carries its one line. */
#ifndef MALLOSCOPE_ANALYZE_UTIL_H
#define MALLOSCOPE_ANALYZE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

void cleanup_close(int *fd);
void cleanup_fclose(FILE **file);

#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_close)))
#define _cleanup_fclose_ __attribute__((cleanup(cleanup_fclose)))

/* Memory for count elements, or the end of the program with a message: the CLI
 * has nothing better to do without memory. Old elements are kept, new are 0. */
void *grow(void *array, size_t *capacity, size_t count, size_t element_bytes);
/* Gives back what is beyond count elements. */
void *shrink(void *array, size_t *capacity, size_t count, size_t element_bytes);
void *alloc_zeroed(size_t count, size_t element_bytes);
/* Whatever is in it: what of it is never used takes no memory. */
void *alloc_unset(size_t bytes);
/* For so many bytes at least, whatever is in it then. */
void *make_room_for(void *memory, size_t *capacity, size_t bytes);
char *copy_text(const char *text, size_t bytes);
/* "a b c" of words that each end with a 0. */
char *copy_words(const char *words, size_t bytes);
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Of the machine's cores, those that this process may run on, 1 or more and no more than `most`. */
unsigned usable_cores(unsigned most);

/* sum / unit, to the nearest number. */
static inline uint64_t round_units(uint64_t sum, uint64_t unit)
{
    return sum / unit + (sum % unit > (unit - 1) / 2);
}

/* Why something failed, as a line without the program's name. */
struct failure {
    char text[4608];
};

/* Fills *ret_failure and returns -error, so that `return fail(...)` reads well. */
int fail(struct failure *ret_failure, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
