/* Which code a pc number stands for: module and offset. Numbers and modules are
 * a process's own; the same place in the same file is one code location in all
 * processes of the session. */
#ifndef MALLOSCOPE_MODEL_CODE_H
#define MALLOSCOPE_MODEL_CODE_H

#include "analyze/hash_table.h"
#include "analyze/log/log.h"
#include "analyze/model/numbered.h"
#include "analyze/util.h"
#include "format/decode.h"

struct code_file {
    char *path; /* as the process saw it; "" for code that is in no file */
    uint8_t build_id[64];
    size_t build_id_bytes;
};

/* One place in the code. Location 0 is the unknown one: its record was lost. */
struct code_location {
    uint32_t file;    /* index; 0: in no known module */
    uint64_t address; /* in the file, or in memory where file is 0 */
    uint32_t process; /* index, where file is 0; else 0 */
    bool exact;       /* of an instruction that a signal interrupted; else a return address */
};

struct code {
    struct code_file *files;
    size_t file_count, file_capacity;
    struct hash_table file_table;
    struct code_location *locations;
    size_t location_count, location_capacity;
    struct hash_table location_table;
    struct numbered modules, pcs; /* of each process, by their numbers there */
};

void code_init(struct code *c);
void code_release(struct code *c);

/* All such records of the log. For who needs no other events. goes_on may be NULL; false: it has said no, and not
 * all are in. */
bool code_read(struct code *c, const struct log *log, bool (*goes_on)(void *data, double progress), void *data);

/* Take in REC_MODULE_LOAD and REC_PC records; others are ignored. */
void code_take(struct code *c, uint32_t process, const struct event *event);

/* Where its symbol is: a return address may lie behind the end of the function
 * that called. */
static inline uint64_t code_symbol_address(const struct code_location *location)
{
    return location->exact ? location->address : location->address - 1;
}

bool code_is_announced(const struct code *c, uint32_t process, uint32_t pc);

/* The location of a pc number; 0 where it was never announced. To be asked when
 * all records are in: one thread's numbers may be announced by another. */
uint32_t code_location(struct code *c, uint32_t process, uint32_t pc);

/* Gives all pc numbers of all processes their locations. Where none were asked for before, these are numbered by
 * file and address: so what is ordered by location is in one order, whatever the order of the log's records. */
void code_locate_all(struct code *c);

/* By path, then by build-id: <0, 0, >0. */
int code_compare_files(const struct code *c, uint32_t left, uint32_t right);

#endif
