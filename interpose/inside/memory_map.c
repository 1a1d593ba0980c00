/* Asks by ioctl where the kernel has that (6.11 and later), else reads the text.
 * The walker asks only about frames without unwind tables. */
#include "interpose/inside/memory_map.h"

#include "interpose/inside/hints.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#include <sys/ioctl.h>

/* As in linux/fs.h since 6.11. */
struct map_query {
    uint64_t size, flags, address;
    uint64_t start, end, permissions, page_bytes, offset, inode;
    uint32_t device_major, device_minor, name_bytes, build_id_bytes;
    uint64_t name, build_id;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)
#define MAP_QUERY_READABLE 1
#define MAP_QUERY_EXECUTABLE 4

/* 0, or -errno: -ENOENT where nothing is mapped. */
static NOINLINE long query(int fd, uint64_t address, struct memory_range *ret)
{
    struct map_query q = { .size = sizeof q, .address = address };
    long error = sys_ioctl(fd, MAP_QUERY, &q);

    *ret = (struct memory_range){ q.start, q.end, q.permissions & MAP_QUERY_READABLE,
                                  q.permissions & MAP_QUERY_EXECUTABLE };
    return error;
}

/* The text's lines: "start-end rwxp ..." in hexadecimal. Read a byte at a time out
 * of a buffer; between lines nothing is kept. */
static NOINLINE bool search(int fd, struct memory_text *text, uint64_t address, struct memory_range *ret)
{
    enum { START, END, PERMISSIONS, REST } field = START;
    uint64_t number[2] = { 0, 0 };
    uint64_t offset = 0;
    unsigned permission = 0;
    long got;

    *ret = (struct memory_range){ 0 };
    while ((got = sys_pread(fd, text->bytes, sizeof text->bytes, offset)) > 0) {
        offset += (uint64_t)got;
        for (long i = 0; i < got; i++) {
            char c = text->bytes[i];
            if (c == '\n') {
                if (address >= number[0] && address < number[1]) {
                    ret->start = number[0];
                    ret->end = number[1];
                    return true;
                }
                *ret = (struct memory_range){ 0 };
                number[0] = number[1] = permission = 0;
                field = START;
            } else if (field == PERMISSIONS) {
                ret->readable |= permission == 0 && c == 'r';
                ret->executable |= permission == 2 && c == 'x';
                if (++permission == 3)
                    field = REST;
            } else if (field == REST) {
                continue;
            } else if (c == '-' || c == ' ') {
                field++;
            } else {
                number[field] = number[field] << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    }
    return false;
}

bool memory_find(struct memory_text *text, uint64_t address, struct memory_range *ret_range)
{
    struct kept_use use;

    if (kept_file_begin(&session.maps, &use) != 0)
        return false;
    long error = query(use.fd, address, ret_range);
    bool found = error == 0 || (error != -ENOENT && search(use.fd, text, address, ret_range));
    kept_file_end(&use);
    return found;
}

bool memory_can_read(struct memory_text *text, uint64_t address)
{
    struct memory_range range;

    if (!sys_careful)
        return sys_can_read(address);
    return memory_find(text, address, &range) && range.readable && range.end - address >= 8;
}

bool memory_is_code(struct memory_text *text, uint64_t address, uint64_t bytes)
{
    struct memory_range range;

    return memory_find(text, address, &range) && range.readable && range.executable && range.end - address >= bytes;
}
