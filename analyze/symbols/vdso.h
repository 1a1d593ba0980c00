/* The code that the kernel maps into every process, in no file. Its names are known if
 * this kernel has the same. */
#ifndef MALLOSCOPE_SYMBOLS_VDSO_H
#define MALLOSCOPE_SYMBOLS_VDSO_H

#include "analyze/symbols/elf_file.h"

bool vdso_is(const char *path); /* what loaders call it */
int vdso_open(struct elf_file *f);

#endif
