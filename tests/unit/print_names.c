/* print_names FILE [OPTION=VALUE ...] < ADDRESSES  says what analyze/symbols makes of a file's
 * addresses, for tests/cli/test_symbols.py. ADDRESSES are in hexadecimal, one a line. For
 * each: itself, a line for each frame, FUNCTION, SIGNATURE, FILE, LINE and COLUMN with tabs between, and
 * an empty line. Then a line of what is wrong with the file, if anything is. Options: sysroot, debug-paths,
 * build-id (hexadecimal), jobs, cache (1: with it), debuginfod (1: ask), pid (of generated code; FILE does not count),
 * began (nanoseconds). */
#include "analyze/symbols/symbols.h"

#include "analyze/util.h"

#include <inttypes.h>
#include <string.h>

static size_t parse_hex(const char *text, uint8_t ret_bytes[64])
{
    size_t count = 0;

    for (unsigned byte; count < 64 && sscanf(text + 2 * count, "%2x", &byte) == 1; count++)
        ret_bytes[count] = (uint8_t)byte;
    return count;
}

int main(int argc, char **argv)
{
    struct symbols_options options = { .no_cache = true };
    uint8_t build_id[64];
    size_t build_id_bytes = 0, count = 0, capacity = 0;
    uint32_t *places = NULL, pid = 0;
    size_t address_capacity = 0;
    uint64_t *addresses = NULL, began = 0, address;

    for (int i = 2; i < argc; i++) {
        const char *value = strchr(argv[i], '=') + 1;
        if (strncmp(argv[i], "sysroot=", 8) == 0)
            options.sysroot = value;
        else if (strncmp(argv[i], "debug-paths=", 12) == 0)
            options.debug_paths = value;
        else if (strncmp(argv[i], "build-id=", 9) == 0)
            build_id_bytes = parse_hex(value, build_id);
        else if (strncmp(argv[i], "jobs=", 5) == 0)
            options.jobs = (unsigned)atoi(value);
        else if (strncmp(argv[i], "cache=", 6) == 0)
            options.no_cache = false;
        else if (strncmp(argv[i], "debuginfod=", 11) == 0)
            options.debuginfod = true;
        else if (strncmp(argv[i], "pid=", 4) == 0)
            pid = (uint32_t)atoi(value);
        else if (strncmp(argv[i], "began=", 6) == 0)
            began = strtoull(value, NULL, 10);
    }
    struct symbols *s = symbols_new(&options);
    uint32_t module = pid ? symbols_jit(s, pid, began) : symbols_module(s, argv[1], build_id, build_id_bytes, 0);
    while (scanf("%" SCNx64, &address) == 1) {
        places = grow(places, &capacity, count + 1, sizeof *places);
        addresses = grow(addresses, &address_capacity, count + 1, sizeof *addresses);
        addresses[count] = address;
        places[count++] = symbols_want(s, module, address);
    }
    symbols_resolve(s);
    for (size_t i = 0; i < count; i++) {
        const struct symbols_frame *frames;
        size_t frame_count = symbols_frames(s, places[i], &frames);
        printf("0x%" PRIx64 "\n", addresses[i]);
        for (size_t k = 0; k < frame_count; k++)
            printf("%s\t%s\t%s\t%u\t%u\n", frames[k].function ? frames[k].function : "",
                   frames[k].signature ? frames[k].signature : "", frames[k].file ? frames[k].file : "", frames[k].line,
                   frames[k].column);
        putchar('\n');
    }
    const char *problem = symbols_problem(s, module);
    if (problem)
        printf("%s\n", problem);
    symbols_free(s);
    free(places);
    free(addresses);
    return 0;
}
