/* Which code a pc number stands for: module and offset. Numbers and modules are
 * a process's own; the session has one number for the same place in the same file,
 * whatever process runs it, so that what is kept by it does not grow with processes.
 *
 * A location is the same once more, when all is read: in an order that does not
 * depend on what came first. */
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
    uint64_t loaded_ns; /* of CLOCK_REALTIME: when it was first seen in a process; 0: unknown */
};

/* One place in the code. Location 0 is the unknown one: its record was lost. */
struct code_location {
    uint32_t file;    /* index; 0: in no known module */
    uint64_t address; /* in the file, or in memory where file is 0 */
    uint32_t process; /* index, where file is 0; else 0 */
    bool exact;       /* of an instruction that a signal interrupted; else a return address */
};

/* What the session has a number for. */
struct code_pc {
    struct code_location place;
    uint32_t process, number; /* whose it was first */
    uint32_t location;
    bool is_known;   /* place is; else it was used before it was announced */
    bool is_located; /* location is */
};

struct code_process; /* its numbers and modules */

struct code {
    bool keeps_numbers; /* for code_number(); to be set before the first */
    struct code_file *files;
    size_t file_count, file_capacity;
    struct hash_table file_table;
    struct code_location *locations;
    size_t location_count, location_capacity;
    struct hash_table location_table;
    struct code_pc *pcs; /* 0 is none */
    size_t pc_count, pc_capacity;
    struct hash_table pc_table; /* of those that are known */
    struct code_process **processes; /* by process; NULL: nothing yet, or it has ended */
    size_t process_capacity;
    uint64_t bad_chunks, bad_offset; /* of code_read(): as reader_bad_chunks() */
    bool names_interrupted; /* set by who looks them up: not all of its names are there */
};

void code_init(struct code *c);
void code_release(struct code *c);

/* All such records of the log. For who needs no other events. goes_on may be NULL; false: it has said no, and not
 * all are in. */
bool code_read(struct code *c, const struct log *log, bool (*goes_on)(void *data, double progress), void *data);

/* Take in REC_MODULE_LOAD and REC_PC records, and of REC_PROCESS_START the time; others are ignored. ns: of CLOCK_MONOTONIC. */
void code_take(struct code *c, uint32_t process, const struct event *event, uint64_t ns);

/* Where its symbol is: a return address may lie behind the end of the function
 * that called. */
static inline uint64_t code_symbol_address(const struct code_location *location)
{
    return location->exact ? location->address : location->address - 1;
}

/* The session's number for a process's. */
uint32_t code_pc(struct code *c, uint32_t process, uint32_t number);

/* And back: a number that the process, which has not ended, has for it; 0: none that it asked for. */
uint32_t code_number(const struct code *c, uint32_t process, uint32_t pc);

/* A process's records are all in, and it asks for no more numbers: what is needed for that is given back. */
void code_end_process(struct code *c, uint32_t process);

/* Of a process that has not ended. */
bool code_is_announced(const struct code *c, uint32_t process, uint32_t number);

/* The location of the session's pc; 0 where it was never announced. To be asked when
 * all records are in: one thread's numbers may be announced by another. */
uint32_t code_location(struct code *c, uint32_t pc);

/* Gives all pcs their locations; those of processes that have not ended get numbers first. Where none were asked for before, these are numbered by
 * file and address: so what is ordered by location is in one order, whatever the order of the log's records. */
void code_locate_all(struct code *c);

/* By path, then by build-id: <0, 0, >0. */
int code_compare_files(const struct code *c, uint32_t left, uint32_t right);

#endif
