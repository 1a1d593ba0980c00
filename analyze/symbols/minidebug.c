#include "analyze/symbols/minidebug.h"

#include "analyze/symbols/elf_file.h"
#include "analyze/util.h"

#include <errno.h>
#include <lzma.h>

#define UNPACKED_BYTES_MAX (256u << 20) /* more is no table of symbols */
#define DECODER_BYTES_MAX (128u << 20)

static uint8_t *unpack(const uint8_t *packed, size_t packed_bytes, size_t *ret_bytes)
{
    uint64_t memory = DECODER_BYTES_MAX;

    for (size_t room = packed_bytes * 4 + 65536; room <= UNPACKED_BYTES_MAX; room *= 2) {
        uint8_t *unpacked = alloc_zeroed(1, room);
        size_t at = 0;
        *ret_bytes = 0;
        lzma_ret got = lzma_stream_buffer_decode(&memory, 0, NULL, packed, &at, packed_bytes, unpacked, ret_bytes, room);
        if (got == LZMA_OK)
            return unpacked;
        free(unpacked);
        if (got != LZMA_BUF_ERROR)
            break;
    }
    return NULL;
}

int minidebug_open(Elf *binary, Elf **ret_elf, uint8_t **ret_bytes)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_section(binary, ".gnu_debugdata", &header);
    size_t bytes;

    *ret_elf = NULL;
    *ret_bytes = NULL;
    if (!section || header.sh_type == SHT_NOBITS)
        return -ENOENT;
    Elf_Data *data = elf_rawdata(section, NULL);
    if (!data || !data->d_buf || data->d_size > UNPACKED_BYTES_MAX / 4)
        return -EBADMSG;
    *ret_bytes = unpack(data->d_buf, data->d_size, &bytes);
    *ret_elf = *ret_bytes ? elf_memory((char *)*ret_bytes, bytes) : NULL;
    if (*ret_elf && elf_kind(*ret_elf) == ELF_K_ELF && elf_has_symtab(*ret_elf))
        return 0;
    elf_end(*ret_elf);
    *ret_elf = NULL;
    free(*ret_bytes);
    *ret_bytes = NULL;
    return -EBADMSG;
}
