/* Numbers and bars for people. The functions that return text give it in one of
 * a few rotating static buffers: good for the next printf only. */
#ifndef MALLOSCOPE_RENDER_TEXT_H
#define MALLOSCOPE_RENDER_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

const char *text_count(uint64_t count);  /* 1,234,567 */
const char *text_bytes(uint64_t bytes);  /* 1,023 B, 12.3 KiB, 4.5 MiB */
const char *text_share(uint64_t part, uint64_t whole); /* per cent with one digit: 63.4; "-" of nothing */
const char *text_base_name(const char *path);
const char *text_duration(uint64_t us); /* 12 us, 3.4 ms, 5.678 s */
/* Why logging ended, from an errno value or REC_STOP_LIMIT; "" for 0. */
const char *text_stop_reason(uint32_t reason);
/* "N events could not be logged: REASON". */
const char *text_lost_events(uint64_t count, uint32_t reason);
/* "N programs were executed that could not be recorded". */
const char *text_lost_programs(uint64_t count);

/* A bar of at most `columns`, for a value of 0 to 1; any positive value shows. */
const char *text_bar(double value, int columns);

/* Whether the terminal, or whoever reads, takes UTF-8. */
bool text_is_utf8(void);
const char *text_about(bool is_estimate); /* what comes before an estimate: ≈ */
/* What comes after an estimate with this standard error: " ± 1,200", or " ± 1.2 MiB"; "" where it is 0. */
const char *text_error(uint64_t error, bool is_bytes);

/* Columns of the terminal that stdout is; 80 where it is none. COLUMNS wins. */
int text_columns(void);
/* Characters, as a terminal counts them where each takes one column. */
size_t text_characters(const char *text, size_t bytes);
int text_width(const char *text);

/* "1 block", "2 blocks", "2 processes", "2 libraries": every number of things is told by this. */
const char *text_counted(uint64_t count, const char *word);
/* The noun alone, where something stands between it and its number. */
const char *text_noun(uint64_t count, const char *word);

/* The text, which may have several lines, with lines of no more columns than the terminal's where
 * words allow that: broken after a comma or semicolon, else between words, but not before a %; what comes then begins
 * with the indent. Bytes that are no text of ours are to be safe already. */
void text_write_wrapped(FILE *to, const char *text, const char *indent);
/* The same, behind something that has taken so many columns of the first line. */
void text_write_wrapped_from(FILE *to, int used, const char *text, const char *indent);
/* The same of a format, to stdout. */
void text_print_wrapped(const char *indent, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string: names come from files and processes; of one that is not UTF-8 all
 * that is not ASCII becomes '?'. */
json_t *text_json(const char *text);
/* A JSON number that is never negative, whatever a log says: one that has no room in a json_int_t becomes a real. */
json_t *text_json_number(uint64_t number);
/* How JSON is written: a number of seconds as it was meant, 0.1, and not as a double has it. */
#define TEXT_JSON_REALS JSON_REAL_PRECISION(15)
#define TEXT_JSON_INDENTED (JSON_INDENT(2) | TEXT_JSON_REALS)

/* Text that came from outside may move a terminal's cursor, or look like a line of ours. With
 * control characters, and what turns the direction of writing, as \x1b: */
void text_print_safe(const char *text, size_t bytes);
void text_write_safe(FILE *to, const char *text);
/* The same in place, with a '?' for each such byte. Returns text. */
char *text_make_safe(char *text);
bool text_is_safe(const char *text);
/* For a file that is UTF-8 whatever the terminal takes: a copy with such bytes as \x1b, and no
 * more than `most` characters, of which the last is then … */
char *text_safe_utf8(const char *text, size_t most);

#endif
