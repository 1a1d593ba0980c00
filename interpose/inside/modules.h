/* Which library an address belongs to, and the records that tell the reader. A
 * module is announced before the first pc number that lies in it. A library
 * that goes is noticed by the loader's own free() of its link_map, which comes
 * after unmapping and before another library can take the place; a wrapper of
 * dlclose would miss what failed dlopens unload.
 *
 * May run inside a traced malloc, but for modules_begin. Lock-free where the C library
 * has _dl_find_object (glibc 2.35 and later); elsewhere an address in no known module
 * takes the loader's lock, as libunwind does. */
#ifndef MALLOSCOPE_INSIDE_MODULES_H
#define MALLOSCOPE_INSIDE_MODULES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "interpose/inside/cfi.h"

struct context;

/* The place may be another module's while it is read: then id has changed. */
struct module {
    _Atomic uint64_t start, end; /* of its mapping */
    _Atomic uint64_t link_map;
    _Atomic uint64_t header, tables_start, tables_end; /* struct cfi_tables */
    _Atomic uint32_t id; /* 0: being written or gone */
    _Atomic bool taken;  /* the place, not the module */
};

#define MODULES_MAX 4096 /* loaded at one time; addresses in more of them stay without a name */

struct module_table {
    _Atomic uint32_t count; /* places below which all taken ones are */
    _Atomic uint32_t last_id;
    _Atomic uint32_t generation; /* grows when a module goes */
    struct module module[MODULES_MAX];
};

/* Outside only: finds the loader and announces what is loaded now; in a forked
 * child only where it needs no lock, which a thread of the parent may have held. */
void modules_begin(struct context *c, bool in_child);

/* The executable segment that address lies in; empty: there is none. Outside only. */
struct code_range {
    uint64_t start, end;
};
struct code_range modules_code_of(uint64_t address);

/* The module that address lies in; false: there is none. *ret_number: 0 where it
 * could not be announced. Records may be logged. */
bool module_find(struct context *c, uint64_t address, struct cfi_tables *ret_tables, uint32_t *ret_number);

/* Whether the loader now has a module at address, where none was when its rule was
 * made. Then what was known of the module's addresses is forgotten. */
bool module_came(uint64_t address);


/* Whether a caller is the dynamic loader, whose frees are worth a look ... */
bool modules_loader_calls(const void *caller);
/* ... which this takes: does pointer end a module? */
void modules_freed(struct context *c, const void *pointer);

#endif
