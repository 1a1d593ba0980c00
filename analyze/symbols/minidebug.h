/* The symbols that a stripped binary carries in .gnu_debugdata: an ELF file, packed by xz. */
#ifndef MALLOSCOPE_SYMBOLS_MINIDEBUG_H
#define MALLOSCOPE_SYMBOLS_MINIDEBUG_H

#include <libelf.h>
#include <stdint.h>

/* 0: *ret_elf is to be ended by elf_end(), then *ret_bytes freed. -ENOENT: there are none. -EBADMSG: they cannot be unpacked. */
int minidebug_open(Elf *binary, Elf **ret_elf, uint8_t **ret_bytes);

#endif
