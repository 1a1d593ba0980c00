/* analyze/model/code and commands/naming: which place and which name a pc number
 * stands for. A return address belongs to the code before it, the address of an
 * interrupted instruction to itself: so one address may be two places. */
#include "analyze/commands/naming.h"
#include "tests/unit/check.h"

#include <link.h>
#include <malloc.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__asm__(".pushsection tc_code, \"ax\", %progbits\n"
        ".globl tc_first\n.type tc_first,%function\ntc_first: .skip 16\n.size tc_first, 16\n"
        ".globl tc_second\n.type tc_second,%function\ntc_second: .skip 16\n.size tc_second, 16\n"
        ".popsection\n");

extern const char tc_first[], tc_second[];

static int take_bias(struct dl_phdr_info *info, size_t bytes, void *data)
{
    (void)bytes;
    *(uint64_t *)data = info->dlpi_addr;
    return 1; /* the program is the first */
}

static void announce_pc(struct code *c, uint32_t process, uint32_t id, uint64_t pc, bool exact)
{
    code_take(c, process, &(struct event){ .type = EVENT_OTHER, .other = REC_PC,
                                           .pc = { .id = id, .module = 1, .pc = pc, .exact = exact } }, 0);
}

static uint32_t location_of(struct code *c, uint32_t process, uint32_t number)
{
    return code_location(c, code_pc(c, process, number));
}

/* What lies before its module is not in it, whatever a log says: no offset is negative. Where a module lies lower
 * than its file says, its bias is. */
static void test_before_module(void)
{
    const uint64_t pcs[] = { 0x401136, 0x9000010, 0x8ffffff, UINT64_MAX };
    struct event load = { .type = EVENT_OTHER, .other = REC_MODULE_LOAD, .module = { .id = 1, .bias = 0x9000000, .path = { "/x", 2 }, .build_id = { "", 0 } } };
    struct code code;

    for (unsigned lower = 0; lower < 2; lower++) {
        code_init(&code);
        load.module.bias = lower ? (uint64_t)-0x1000 : 0x9000000;
        code_take(&code, 0, &load, 0);
        for (uint32_t i = 0; i < 4; i++)
            announce_pc(&code, 0, i + 1, pcs[i], false);
        code_locate_all(&code);
        for (uint32_t i = 0; i < 4; i++) {
            const struct code_location *place = &code.locations[location_of(&code, 0, i + 1)];
            bool is_in = lower ? true : i == 1;
            CHECK(place->file == is_in && place->address == (is_in ? pcs[i] - load.module.bias : pcs[i]));
        }
        code_release(&code);
    }
}

/* By path, build-id and address, in whatever order the records come. */
static void test_order(void)
{
    static const struct { const char *path, *id; } files[] = { { "/b", "1" }, { "/a", "2" }, { "/a", "1" } };
    struct event load = { .type = EVENT_OTHER, .other = REC_MODULE_LOAD };
    struct code code[2];

    for (unsigned order = 0; order < 2; order++) {
        code_init(&code[order]);
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t which = order ? 2 - i : i;
            load.module.id = 1 + which;
            load.module.path = (struct text){ files[which].path, 2 };
            load.module.build_id = (struct text){ files[which].id, 1 };
            code_take(&code[order], 0, &load, 0);
        }
        for (uint32_t i = 0; i < 30; i++) {
            uint32_t which = order ? 29 - i : i;
            code_take(&code[order], 0, &(struct event){ .type = EVENT_OTHER, .other = REC_PC, .pc = { .id = 1 + which, .module = 1 + which % 3, .pc = 1000 - which } }, 0);
        }
        code_locate_all(&code[order]);
        CHECK(code[order].location_count == 31);
        for (uint32_t i = 1; i < 31; i++) {
            const struct code_location *l = &code[order].locations[i], *before = l - 1;
            CHECK(i == 1 || before->file != l->file || before->address < l->address);
            CHECK(i == 1 || code_compare_files(&code[order], before->file, l->file) <= 0);
        }
    }
    for (uint32_t number = 1; number <= 30; number++)
        CHECK(location_of(&code[0], 0, number) == location_of(&code[1], 0, number));
    announce_pc(&code[0], 0, 31, 1, false); /* after that, numbers that were handed out stay */
    uint32_t known = location_of(&code[0], 0, 1);
    code_locate_all(&code[0]);
    CHECK(location_of(&code[0], 0, 31) == 31 && location_of(&code[0], 0, 1) == known);
    code_release(&code[0]);
    code_release(&code[1]);
}

/* As many files as a log may name: a look at each of them for each would take minutes. */
static void test_many_files(void)
{
    enum { FILES = 200000 };
    struct event load = { .type = EVENT_OTHER, .other = REC_MODULE_LOAD };
    struct code code;
    char path[32];
    clock_t before = clock();

    code_init(&code);
    load.module.id = 1;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < FILES; i++) {
            load.module.path = (struct text){ path, (size_t)snprintf(path, sizeof path, "/lib/%d", i / 2) };
            load.module.build_id = (struct text){ i % 2 ? "a" : "b", 1 };
            code_take(&code, 0, &load, 0);
        }
    CHECK(code.file_count == FILES + 1);
    CHECK(strcmp(code.files[FILES].path, path) == 0 && code.files[FILES].build_id[0] == 'a');
    CHECK(clock() - before < 3 * CLOCKS_PER_SEC);
    code_release(&code);
}

/* The numbers of pcs and modules are the log's: that they are large takes no memory, and loses none of them. Nor do
 * paths that no system has take what they say. */
static void test_large_numbers(void)
{
    enum { PROCESSES = 200 };
    static const uint32_t numbers[] = { 1, 65535, 100000000, UINT32_MAX };
    struct event load = { .type = EVENT_OTHER, .other = REC_MODULE_LOAD, .module = { .path = { "/lib/a", 6 }, .build_id = { "", 0 } } };
    static char long_path[1 << 20];
    struct code code;
    memset(long_path, 'x', sizeof long_path);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;

    code_init(&code);
    for (uint32_t process = 0; process < PROCESSES; process++)
        for (unsigned i = 0; i < 4; i++) {
            load.module.id = numbers[i];
            load.module.bias = 16 * i;
            code_take(&code, process, &load, 0);
            code_take(&code, process, &(struct event){ .type = EVENT_OTHER, .other = REC_PC,
                                                       .pc = { .id = numbers[i], .module = numbers[i], .pc = 4096 } }, 0);
        }
    load.module.id = 7;
    load.module.path = (struct text){ long_path, sizeof long_path };
    for (unsigned i = 0; i < 200; i++) {
        memcpy(long_path, &(char[]){ '/', (char)('0' + i % 10), (char)('0' + i / 10) }, 3);
        code_take(&code, 0, &load, 0);
    }
    CHECK(code.file_count == 2 + 200 && strlen(code.files[201].path) < 10000 && strncmp(code.files[201].path, "/9Cxxx", 6) == 0);
    code_locate_all(&code);
    CHECK(code.location_count == 5);
    for (unsigned i = 0; i < 4; i++) {
        const struct code_location *place = &code.locations[location_of(&code, PROCESSES - 1, numbers[i])];
        CHECK(place->file == 1 && place->address == 4096 - 16 * i);
        CHECK(location_of(&code, PROCESSES - 1, numbers[i] - 1) == 0);
    }
    CHECK(mallinfo2().uordblks + mallinfo2().hblkhd < before + (4 << 20));
    code_release(&code);
}

/* The same place of two processes has one number, whatever they call it, and wherever the file lies in their memory;
 * it is there when they have ended. One that was used before it was announced has the location all the same. */
static void test_two_processes(void)
{
    struct event load = { .type = EVENT_OTHER, .other = REC_MODULE_LOAD, .module = { .id = 1, .path = { "/lib/a", 6 }, .build_id = { "", 0 } } };
    struct code code;

    code_init(&code);
    for (uint32_t process = 0; process < 2; process++) {
        load.module.bias = 0x1000 * (1 + process);
        code_take(&code, process, &load, 0);
        announce_pc(&code, process, 5 - process, load.module.bias + 0x10, false);
        announce_pc(&code, process, 7, load.module.bias + 0x10 * (2 + process), false);
    }
    uint32_t first = code_pc(&code, 1, 4), late = code_pc(&code, 1, 9);
    CHECK(first && code_pc(&code, 0, 5) == first && code_pc(&code, 1, 7) != code_pc(&code, 0, 7));
    CHECK(late != first && code_pc(&code, 1, 9) == late);
    announce_pc(&code, 1, 9, 0x2010, false);
    code_end_process(&code, 1);
    code_end_process(&code, 0);
    CHECK(code_location(&code, first) && code_location(&code, first) == code_location(&code, late));
    code_locate_all(&code);
    CHECK(code.location_count == 1 + 3);
    code_release(&code);
}

static bool is_named(const struct namer *namer, uint32_t location, const char *wanted)
{
    const char *name = namer_function(namer, location);
    return wanted ? name && strcmp(name, wanted) == 0 : !name;
}

/* A file's is the earliest of all processes, each by its own clocks; a process whose start is lost tells nothing,
 * but where the start comes later in the log than the module does, it tells as much. */
static void test_loaded(void)
{
    struct event start = { .type = EVENT_OTHER, .other = REC_PROCESS_START };
    struct event load = { .type = EVENT_OTHER, .other = REC_MODULE_LOAD, .module = { .id = 1, .path = { "/x", 2 }, .build_id = { "", 0 } } };
    const uint64_t realtime[] = { 7000, 5000, 6000 }, expected[] = { 0, 7010, 5020, 5020 };
    struct code code;

    code_init(&code);
    for (uint32_t process = 0; process < 4; process++) {
        if (process) {
            start.process.realtime_ns = realtime[process - 1];
            code_take(&code, process, &start, 9000);
        }
        code_take(&code, process, &load, 9000 + 10 * process);
        CHECK(code.files[1].loaded_ns == expected[process]);
    }
    code_take(&code, 4, &load, 9040);
    CHECK(code.files[1].loaded_ns == 5020);
    start.process.realtime_ns = 4000;
    code_take(&code, 4, &start, 9000);
    CHECK(code.files[1].loaded_ns == 4040);
    CHECK(code.file_count == 2);
    code_release(&code);
}

int main(void)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    const uint64_t first = (uintptr_t)tc_first, second = (uintptr_t)tc_second;
    struct event load = { .type = EVENT_OTHER, .other = REC_MODULE_LOAD };
    struct namer namer;
    struct code code;

    if (!CHECK(length > 0))
        return check_summary();
    test_large_numbers();
    test_two_processes();
    test_loaded();
    code_init(&code);
    load.module.id = 1;
    load.module.build_id = (struct text){ "", 0 };
    load.module.path = (struct text){ path, (size_t)length };
    dl_iterate_phdr(take_bias, &load.module.bias);
    for (uint32_t process = 0; process < 2; process++) {
        code_take(&code, process, &load, 0);
        announce_pc(&code, process, 1, second, false);
        announce_pc(&code, process, 2, second, true);
        announce_pc(&code, process, 3, first + 16, true); /* the same place, numbered twice */
        announce_pc(&code, process, 4, first, true);
        announce_pc(&code, process, 5, second + 16, false);
        load.module.bias += 0x1000; /* elsewhere in the other process */
        for (uint32_t id = 0; id < 6; id++)
            CHECK(location_of(&code, 0, id) ? id > 0 : id == 0);
    }
    uint32_t called = location_of(&code, 0, 1), interrupted = location_of(&code, 0, 2);
    CHECK(called != interrupted && interrupted == location_of(&code, 0, 3));
    CHECK(code.locations[called].address == code.locations[interrupted].address);
    CHECK(!code.locations[called].exact && code.locations[interrupted].exact);
    CHECK(location_of(&code, 1, 1) != called && code.locations[location_of(&code, 1, 2)].exact);

    struct naming *naming = naming_open(NULL, &code, NULL, &namer);
    CHECK(is_named(&namer, called, "tc_first") && is_named(&namer, interrupted, "tc_second"));
    CHECK(is_named(&namer, location_of(&code, 0, 4), "tc_first"));
    CHECK(is_named(&namer, location_of(&code, 0, 5), "tc_second"));
    CHECK(is_named(&namer, 0, NULL));
    naming_close(naming);
    code_release(&code);
    test_before_module();
    test_order();
    test_many_files();
    return check_summary();
}
