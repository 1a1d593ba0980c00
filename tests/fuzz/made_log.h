/* Logs from few bytes: sound ones, of what no process may do. */
#ifndef MALLOSCOPE_TESTS_FUZZ_MADE_LOG_H
#define MALLOSCOPE_TESTS_FUZZ_MADE_LOG_H

#include <stddef.h>
#include <stdint.h>

struct made_log {
    size_t count;
    uint8_t bytes[64 << 10]; /* the file's header and the checksums are left to the caller */
};

/* Each two bytes are an event: which stream and what; which address, how much later, how large. */
void made_log(struct made_log *to, const uint8_t *data, size_t size);

#endif
