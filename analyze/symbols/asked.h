/* Names -> what modules have of them: the way back from names, for several at a time, of all modules that a program had loaded. Files are
 * read each time, in a process of its own (worker.h says why); what that finds until it dies of one, or takes too long, is told. */
#ifndef MALLOSCOPE_SYMBOLS_ASKED_H
#define MALLOSCOPE_SYMBOLS_ASKED_H

#include "analyze/symbols/symbols.h"

enum {
    SYMBOLS_HAVE = 1,      /* a function of this name is among the symbols, or defined or inlined in the debug information; a module: it was loaded */
    SYMBOLS_TAIL_CALL = 2, /* by its debug information it ends in a call that leaves no frame of it, itself or by what is inlined into it */
    SYMBOLS_TAIL_ASK = 4,  /* ... of what passes on, and itself. A module: one of its functions that others may call does */
};

struct symbols_asked {
    char *name;     /* of a function, as symbols_frame.function; or of a module, as is_module() takes it */
    bool is_module;
    uint8_t found;  /* is added to */
};

/* All of modules' files by their names, without directories. */
struct symbols_asking {
    bool (*passes_on)(const char *function, const char *source); /* what a function asks for is its caller's; source may be NULL */
    bool (*asks)(const char *function, const char *source);      /* of those: it asks for memory, not only for something else */
    bool (*is_module)(const void *data, const char *file_name, const char *name);
    bool (*is_left_out)(const char *file_name); /* its debug information is not read */
    const void *data;
};

void symbols_ask(const struct symbols *s, const struct symbols_asking *how, struct symbols_asked *asked, size_t count);

#endif
