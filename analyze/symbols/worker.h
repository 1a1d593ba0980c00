/* Reads modules' names in child processes, several at a time. Not for speed alone: what
 * these files hold is for libelf, libdw, liblzma and libiberty to digest, and a file that
 * is damaged, made to do harm, or cut while it is read may crash them, let them run for
 * ever or eat all memory. In a child that costs the module's lines and nothing more; and
 * what it took to read them is given back. */
#ifndef MALLOSCOPE_SYMBOLS_WORKER_H
#define MALLOSCOPE_SYMBOLS_WORKER_H

#include "analyze/symbols/module_names.h"

enum worker_outcome {
    WORKER_GOOD = NAMES_GOOD,
    WORKER_LACKING = NAMES_LACKING,
    WORKER_DAMAGED = NAMES_DAMAGED,
    WORKER_DIED,    /* reading it crashed, or had no end; all names are from the tables of symbols */
    WORKER_NOTHING, /* reading these died as well */
    WORKER_STOPPED, /* it was not read, or not to its end: goes_on has said no */
};

struct worker_task {
    struct module_names names;
    uint64_t bytes; /* of the files: how long it may take */
    void *data;     /* for take() */
    enum worker_outcome ret_outcome;
    char ret_lacks[NAMES_LACKS_BYTES]; /* of WORKER_LACKING: what, and why */
};

/* take() gets the names of the tasks, in payloads of format/names.h that do not say what
 * module they are of, in any order. They come from a child and are not to be believed.
 * goes_on, which may be NULL, is asked several times a second. */
void workers_run(struct worker_task *tasks, size_t count, unsigned jobs,
                 void (*take)(void *data, const void *payload, size_t bytes),
                 bool (*goes_on)(void *data, double progress), void *goes_on_data);

#endif
