/* Numbers and bars for people. The functions that return text give it in one of
 * a few rotating static buffers: good for the next printf only. */
#ifndef MALLOSCOPE_RENDER_TEXT_H
#define MALLOSCOPE_RENDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

const char *text_count(uint64_t count);  /* 1,234,567 */
const char *text_bytes(uint64_t bytes);  /* 1,023 B, 12.3 KiB, 4.5 MiB */
const char *text_share(uint64_t part, uint64_t whole); /* per cent with one digit: 63.4; "-" of nothing */
const char *text_base_name(const char *path);
/* Why logging ended, from an errno value or REC_STOP_LIMIT; "" for 0. */
const char *text_stop_reason(uint32_t reason);
/* "N events could not be logged: REASON". */
const char *text_lost_events(uint64_t count, uint32_t reason);

/* A bar of at most `columns`, for a value of 0 to 1; any positive value shows. */
const char *text_bar(double value, int columns);

/* Columns of the terminal that stdout is; 80 where it is none. COLUMNS wins. */
int text_columns(void);

/* Prints text that came from outside, with control characters made visible. */
void text_print_safe(const char *text, size_t bytes);

#endif
