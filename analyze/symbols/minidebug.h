/* The symbols that a stripped binary carries in .gnu_debugdata: an ELF file, packed by xz. */
#ifndef MALLOSCOPE_SYMBOLS_MINIDEBUG_H
#define MALLOSCOPE_SYMBOLS_MINIDEBUG_H

#include <libelf.h>
#include <stdint.h>

/* To be ended by elf_end(), then *ret_bytes freed. NULL: there are none, or none that can be unpacked. */
Elf *minidebug_open(Elf *binary, uint8_t **ret_bytes);

#endif
