/* analyze/render/report: what it says, as text and as JSON, of logs that are known:
 * the tree of processes, marks, pauses, sampling, and the lines of trust. */
#include "analyze/options.h"
#include "analyze/render/report.h"
#include "analyze/render/text.h"

#include "tests/unit/log_writer.h"

#include <jansson.h>
#include <math.h>

static struct log_bytes bytes;
static char text[1 << 16];

static void add_process(uint32_t pid, const char *call_graph, uint32_t max_depth, uint64_t thread_bytes)
{
    chunk_begin(pid, 0, 0, 100 * pid);
    at = encode_process_start(&encoder, at, 100 * pid, &(struct encode_process){
        .exe = { "/x", 2 }, .call_graph = { call_graph, strlen(call_graph) }, .allocator = { "/libc", 5 },
        .max_depth = max_depth, .thread_bytes = thread_bytes });
}

/* One allocation for each of them, and another one by SAME or AGAIN. */
static void add_allocations(const unsigned *flags, size_t count)
{
    static const uint32_t id = 1;
    unsigned before = 0;

    for (size_t i = 0; i < count; i++) {
        const struct encode_stack stack = { .pops = i ? 1 : 0, .pushes = 1, .ids = &id, .flags = flags[i],
                                            .flags_changed = flags[i] != before };
        const struct encode_stack again = { .again = i % 2, .number = encoder.stacks };
        at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 0x1000 + 32 * i, 8, encoder.ticks + 1, 0, 0, &stack);
        at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 0x1010 + 32 * i, 8, encoder.ticks + 1, 0, 0, &again);
        before = flags[i];
    }
}

static size_t no_name(void *data, uint32_t location, const struct symbols_frame **ret_frames)
{
    (void)data;
    (void)location;
    (void)ret_frames;
    return 0;
}

static const uint32_t *selected; /* pids; NULL: all */
static size_t selected_count;
static int verdict;

/* What is printed from now on goes to the file. */
static int capture(FILE *to)
{
    fflush(stdout);
    int kept = dup(1);
    dup2(fileno(to), 1);
    return kept;
}

static void end_capture(FILE *captured, int kept)
{
    fflush(stdout);
    dup2(kept, 1);
    close(kept);
    rewind(captured);
}

/* The report of the log, as text[] and as JSON, and the exit code. */
static json_t *make_report(void)
{
    const struct report_view view = { .log_name = "log", .threshold = 100, .top = 3 };
    const struct namer namer = { NULL, no_name };
    struct failure failure;
    struct sites sites;
    struct log *log = NULL;

    log_bytes_write(&bytes);
    if (!CHECK(log_open(log_path, &log, &failure) == 0))
        exit(check_summary());
    if (selected)
        log_select(log, selected, selected_count);
    struct facts *facts = facts_collect(log, NULL);
    sites_collect(facts, NULL, &sites);

    FILE *captured = tmpfile();
    int kept = capture(captured);
    report_print_json(log, facts, &sites, &namer, &view);
    end_capture(captured, kept);
    json_t *json = json_loadf(captured, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json != NULL);
    fclose(captured);

    captured = tmpfile();
    kept = capture(captured);
    report_print(log, facts, &sites, &namer, &view);
    end_capture(captured, kept);
    text[fread(text, 1, sizeof text - 1, captured)] = 0;
    fclose(captured);
    int kept_errors = dup(2);
    CHECK(freopen("/dev/null", "w", stderr) != NULL);
    verdict = log_verdict(log, facts->bad_chunks, facts->bad_offset);
    fflush(stderr);
    dup2(kept_errors, 2);
    close(kept_errors);

    sites_release(&sites);
    facts_free(facts);
    log_free(log);
    return json;
}

static void wraps(const char *words, const char *wanted)
{
    size_t length;
    char *got = NULL;
    FILE *to = open_memstream(&got, &length);

    text_write_wrapped(to, words, "  ");
    fclose(to);
    if (!CHECK(strcmp(got, wanted) == 0))
        printf("    %s\n", got);
    free(got);
}

static void test_wrapping(void)
{
    setenv("COLUMNS", "40", 1);
    wraps("short\n", "short\n");
    wraps("", "");
    wraps("a line of just forty characters: it fits\nand more\n", "a line of just forty characters: it fits\nand more\n");
    wraps("a line of just forty one characters, a no\n", "a line of just forty one characters,\n  a no\n");
    wraps("one clause, another; and one that is too long to fit, whatever one does about it\n",
          "one clause, another;\n  and one that is too long to fit,\n  whatever one does about it\n");
    wraps("no clause in this line that is longer than forty columns", "no clause in this line that is longer\n  than forty columns");
    wraps("one-word-that-is-longer-than-forty-columns-and-cannot-be-broken\n", "one-word-that-is-longer-than-forty-columns-and-cannot-be-broken\n");
    wraps("\xe2\x89\x88\xe2\x89\x88 are two characters, and it all fits\n", "\xe2\x89\x88\xe2\x89\x88 are two characters, and it all fits\n");
    setenv("COLUMNS", "1000", 1);
}

static bool says(const char *words)
{
    bool found = strstr(text, words) != NULL;
    if (!found)
        printf("%s\n    does not say: %s\n", text, words);
    return found;
}

static json_int_t trust(const json_t *report, const char *name)
{
    const json_t *number = json_object_get(json_object_get(report, "trust"), name);
    return CHECK(json_is_integer(number)) ? json_integer_value(number) : -1;
}

static void test_nothing_to_say(void)
{
    static const unsigned none[8] = { 0 };

    log_bytes_begin(&bytes);
    add_process(1, "auto", 1024, 0);
    add_allocations(none, 8);
    chunk_end(&bytes);
    json_t *report = make_report();
    CHECK(says(", 0 partial and 0 cut stacks, 0 bytes damaged, the end of 1 process missing;\n       1 process ended unseen: what it had counts to its last event.\n"));
    CHECK(!strstr(text, "guessed") && !strstr(text, "libunwind") && !strstr(text, "recorder"));
    static const char *const names[] = { "partial_stacks", "cut_stacks", "guessed_stacks", "fallback_stacks",
                                         "differing_stacks", "recorder_thread_bytes" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(trust(report, names[i]) == 0);
    json_decref(report);
}

static void test_each_flag(void)
{
    static const unsigned flags[] = {
        REC_STACK_PARTIAL, 0, REC_STACK_CUT, REC_STACK_CUT, REC_STACK_GUESSED, REC_STACK_GUESSED | REC_STACK_PARTIAL,
        REC_STACK_GUESSED, 0, REC_STACK_FALLBACK, REC_STACK_FALLBACK | REC_STACK_GUESSED, REC_STACK_FALLBACK,
        REC_STACK_FALLBACK, REC_STACK_DIFFERS | REC_STACK_FALLBACK, 0, 0, 0,
    };

    log_bytes_begin(&bytes);
    add_process(1, "auto", 64, 200000);
    add_allocations(flags, 16);
    chunk_end(&bytes);
    add_process(2, "auto", 32, 300000);
    chunk_end(&bytes);
    add_process(3, "none", 0, 0);
    chunk_end(&bytes);
    json_t *report = make_report();
    CHECK(trust(report, "partial_stacks") == 4 && trust(report, "cut_stacks") == 4);
    CHECK(trust(report, "guessed_stacks") == 8 && trust(report, "fallback_stacks") == 10);
    CHECK(trust(report, "differing_stacks") == 2 && trust(report, "recorder_thread_bytes") == 300000);
    CHECK(says(", 4 partial (12.5 % of the allocations) and 4 cut stacks (of more than 64 frames), 0 bytes damaged, the end of 3 processes missing;\n"));
    CHECK(says(";\n       8 stacks guessed in part, 10 stacks taken by libunwind, 2 stacks differ from libunwind's;\n"));
    CHECK(says(";\n       recorder: 293.0 KiB a thread and 64.0 KiB of live buffer.\n"));
    json_decref(report);
}

static void test_checked(void)
{
    static const unsigned none[2] = { 0 };

    log_bytes_begin(&bytes);
    add_process(1, "auto", 0, 0);
    add_allocations(none, 2);
    chunk_end(&bytes);
    add_process(2, "auto, checked", 0, 1 << 20);
    chunk_end(&bytes);
    json_decref(make_report());
    CHECK(says(";\n       0 stacks differ from libunwind's;\n       recorder: 1.0 MiB a thread and 64.0 KiB of live buffer.\n"));
}

/* --- sessions ----------------------------------------------------------------- */

static struct encode_text text_of(const char *words)
{
    return (struct encode_text){ words, strlen(words) };
}

/* A program of a process: its chunk is begun, and its process-start is there. The
 * arguments are separated by spaces. */
static void begin_program(uint32_t pid, uint64_t image, unsigned start, uint32_t ppid, const char *command,
                          const struct encode_process *more)
{
    char words[256], exe[256];
    struct encode_process p = more ? *more : (struct encode_process){ 0 };

    snprintf(exe, sizeof exe, "%.*s", (int)strcspn(command, " "), command);
    snprintf(words, sizeof words, "%s", command);
    size_t length = strlen(words) + 1;
    for (size_t i = 0; i < length; i++)
        words[i] = words[i] == ' ' ? 0 : words[i];
    chunk_begin(pid, 0, 0, image);
    made.header.image = image;
    p.start = start;
    p.ppid = ppid;
    p.exe = text_of(exe);
    p.arguments = (struct encode_text){ words, length };
    p.call_graph = text_of("auto");
    if (!p.allocator.bytes)
        p.allocator = text_of("/lib/libc.so.6");
    at = encode_process_start(&encoder, at, image, &p);
}

static void end_program(uint64_t size)
{
    if (size)
        add_malloc(encoder.ticks + 1, 0x1000, size);
    chunk_end(&bytes);
}

static void add_session_chunk(uint32_t pid, uint64_t image, uint32_t sequence, uint32_t stream)
{
    chunk_begin(pid, stream, sequence, 100000);
    made.header.type = REC_CHUNK_SESSION;
    made.header.image = image;
    if (sequence == REC_SESSION_END)
        at = encode_process_end(&encoder, at, 100000, pid, true, 9);
    chunk_end(&bytes);
}

static json_int_t parent_of(const json_t *report, size_t process)
{
    const json_t *parent = json_object_get(json_array_get(json_object_get(report, "processes"), process), "parent");
    return json_is_integer(parent) ? json_integer_value(parent) : json_is_null(parent) ? -1 : -2;
}

static json_int_t member(const json_t *report, const char *object, const char *name)
{
    const json_t *number = json_object_get(object ? json_object_get(report, object) : report, name);
    return json_is_integer(number) ? json_integer_value(number) : json_is_null(number) ? -1 : -2;
}

static void add_untraced(uint32_t pid, enum rec_untraced reason, const char *path)
{
    at = encode_untraced(&encoder, at, encoder.ticks + 1, pid, reason, text_of(path));
}

static void write_family(void)
{
    log_bytes_begin(&bytes);
    begin_program(10, 1000, REC_START_IMAGE, 1, "/usr/bin/make -j2", NULL);
    end_program(1000);
    begin_program(11, 1100, REC_START_FORK, 10, "/usr/bin/make -j2", NULL);
    end_program(50);
    begin_program(11, 1200, REC_START_EXEC, 10, "/bin/sh -c true", NULL);
    add_untraced(14, REC_UNTRACED_STATIC, "/bin/busybox");
    add_untraced(15, REC_UNTRACED_STATIC, "/bin/busybox");
    add_untraced(11, REC_UNTRACED_MACHINE, "/bin/mips");
    add_untraced(11, REC_UNTRACED_WITHDRAWN, "");
    add_untraced(16, REC_UNTRACED_PRIVILEGED, "/bin/su");
    end_program(60);
    /* A copy of make, which begins to record when its parent is sh already. */
    begin_program(13, 1300, REC_START_FORK, 11, "/usr/bin/make -j2", NULL);
    end_program(70);
    begin_program(12, 1400, REC_START_IMAGE, 11, "/usr/bin/cc -c x.c", &(struct encode_process){
        .allocator = text_of("/lib/libjemalloc.so.2") });
    end_program(80);
    begin_program(20, 1500, REC_START_IMAGE, 99, "/bin/daemon", NULL);
    end_program(90);
    begin_program(17, 1600, REC_START_IMAGE, 13, "/bin/x", NULL);
    end_program(0);
    add_session_chunk(12, 1400, REC_SESSION_END, 0);
}

static void test_tree(void)
{
    static const json_int_t parents[] = { -1, 0, 1, 1, 2, -1, 3 };

    write_family();
    json_t *report = make_report();
    for (size_t i = 0; i < 7; i++)
        CHECK(parent_of(report, i) == parents[i]);
    CHECK(says("Processes\n"
               "       pid   allocations       bytes     not freed  program\n"
               "        10             1     1,000 B       1,000 B  make -j2; ended unseen\n"
               "        11             1        50 B          50 B  `- fork: make -j2; executed another program\n"
               "        11             1        60 B          60 B     |- exec: sh -c true; ended unseen\n"
               "        14             -           -             -     |  |- not recorded, nor what it starts: /bin/busybox (statically linked), 2 times\n"
               "        16             -           -             -     |  |- not recorded, nor what it starts: /bin/su (set-user-ID, set-group-ID, with capabilities, or under another user's rights)\n"
               "        12             1        80 B          80 B     |  `- cc -c x.c; killed by signal 9 (Killed)\n"
               "        13             1        70 B          70 B     `- fork: make -j2; ended unseen\n"
               "        17             0         0 B           0 B        `- x; ended unseen\n"
               "        20             1        90 B          90 B  daemon; ended unseen\n"));
    CHECK(says("allocator libc.so.6, libjemalloc.so.2"));
    CHECK(says("3 programs were executed that could not be recorded"));
    CHECK(trust(report, "untraced_programs") == 3);
    const json_t *untraced = json_object_get(report, "untraced_programs");
    CHECK(json_array_size(untraced) == 2 && member(json_array_get(untraced, 0), NULL, "count") == 2 &&
          member(json_array_get(untraced, 1), NULL, "parent") == 2);
    CHECK(member(report, "counts", "allocations") == 6);
    json_decref(report);
}

/* Equal pids of other namespaces, and a pid that was given to another process. */
static void test_namespaces(void)
{
    static const json_int_t parents[] = { -1, 0, 1, -1, 3, 2, 0, -1, 1 };
    struct encode_process outer = { .pid_namespace = 7, .began = 50 }, one = { .pid_namespace = 8, .began = 60 },
                          other = { .pid_namespace = 9, .began = 60 }, later = { .pid_namespace = 7, .began = 70 },
                          forked = { .pid_namespace = 8, .began = 61, .parent_image = 1100 };

    log_bytes_begin(&bytes);
    begin_program(10, 1000, REC_START_IMAGE, 4, "/bin/unshare", &outer);
    end_program(1);
    begin_program(1, 1100, REC_START_IMAGE, 10, "/bin/sh", &one);
    end_program(2);
    begin_program(1, 1200, REC_START_EXEC, 10, "/bin/make", &one);
    end_program(3);
    begin_program(1, 1300, REC_START_IMAGE, 0, "/bin/sh", &other); /* its parent cannot be seen from there */
    end_program(4);
    begin_program(2, 1400, REC_START_IMAGE, 1, "/bin/cc", &other);
    end_program(5);
    begin_program(2, 1500, REC_START_IMAGE, 1, "/bin/cc", &one);
    end_program(6);
    begin_program(11, 1600, REC_START_IMAGE, 10, "/bin/ls", &later);
    end_program(7);
    begin_program(10, 1700, REC_START_EXEC, 4, "/bin/x", &later); /* of an earlier program that is not in the log */
    end_program(8);
    begin_program(3, 1800, REC_START_FORK, 1, "/bin/sh", &forked);
    end_program(9);
    json_t *report = make_report();
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++)
        CHECK(parent_of(report, i) == parents[i]);
    json_decref(report);
}

/* Each forked by the one before: 60 levels, which are not all indented. */
static void test_chain(void)
{
    log_bytes_begin(&bytes);
    for (uint32_t i = 0; i < 60; i++) {
        begin_program(100 + i, 1000 + i, i ? REC_START_FORK : REC_START_IMAGE, 99 + i, "/bin/chain", NULL);
        end_program(10);
    }
    setenv("COLUMNS", "80", 1);
    json_decref(make_report());
    setenv("COLUMNS", "1000", 1);
    CHECK(says("       103             1        10 B          10 B        `- fork: chain;\n"
               "                                                             ended unseen\n"
               "       104             1        10 B          10 B           |- fork: chain;\n"
               "                                                             |  ended unseen\n"
               "       105             1        10 B          10 B           |- +1 fork: chain;\n"
               "                                                             |  ended unseen\n"));
    CHECK(says("                      40       400 B         400 B           `- +16 ... 40 more\n"
               "                                                                processes\n"));
}

/* Only some processes: with all their programs, and nothing of the others. */
static void test_selection(void)
{
    write_family();
    selected = (const uint32_t[]){ 11, 20 };
    selected_count = 2;
    json_t *report = make_report();
    selected = NULL;
    CHECK(json_array_size(json_object_get(report, "processes")) == 3);
    CHECK(parent_of(report, 0) == -1 && parent_of(report, 1) == 0 && parent_of(report, 2) == -1);
    CHECK(member(report, "counts", "allocations") == 3 && member(report, "bytes", "allocated") == 200);
    CHECK(trust(report, "processes") == 3 && trust(report, "streams") == 3 && trust(report, "processes_left_out") == 4);
    CHECK(says("library loaded in 3 processes, 4 more left out (allocator libc.so.6); 3 streams, 3 events;"));
    CHECK(!strstr(text, "jemalloc") && !strstr(text, "cc -c"));
    json_decref(report);
}

/* So many that only the largest are shown, and whoever is above them. */
static void test_many(void)
{
    char command[32];

    log_bytes_begin(&bytes);
    begin_program(1, 1000, REC_START_IMAGE, 0, "/bin/top", NULL);
    end_program(1);
    for (uint32_t i = 2; i <= 40; i++) {
        sprintf(command, "/bin/%s %u", i % 2 ? "odd" : "even", i);
        begin_program(i, 1000 + i, REC_START_IMAGE, i == 40 ? 3 : i == 5 ? 2 : 1, command, NULL);
        end_program(100 * i);
    }
    json_t *report = make_report();
    CHECK(says("        20            20    41.0 KiB      41.0 KiB  even\n"
               "        19            19    39.0 KiB      39.0 KiB  odd\n"
               "         1             1         1 B           1 B  top\n"));
    CHECK(says("  top; ended unseen\n"
               "         3             1       300 B         300 B  |- odd 3; ended unseen\n"
               "        40             1     4,000 B       4,000 B  |  `- even 40; ended unseen\n"
               "        21             1     2,100 B       2,100 B  |- odd 21; ended unseen\n"));
    CHECK(says("        39             1     3,900 B       3,900 B  |- odd 39; ended unseen\n"
               "                      18    20.1 KiB      20.1 KiB  `- ... 18 more processes\n"));
    CHECK(json_array_size(json_object_get(report, "processes")) == 40);
    json_decref(report);
}

static void test_marks_and_pauses(void)
{
    log_bytes_begin(&bytes);
    begin_program(7, 1000000000, REC_START_IMAGE, 1, "/bin/a", &(struct encode_process){ .flags = REC_PROCESS_PAUSED });
    at = encode_recording(&encoder, at, 1500000000, true, REC_SWITCH_CALL);
    add_malloc(1600000000, 0x1000, 123);
    at = encode_mark(&encoder, at, 1700000000, text_of("load\033ed\xc2\x9b\xff"));
    at = encode_recording(&encoder, at, 1800000000, false, REC_SWITCH_SIGNAL);
    at = encode_recording(&encoder, at, 1850000000, false, REC_SWITCH_CALL);
    add_free(1900000000, 0x1000);
    at = encode_mark(&encoder, at, 2000000000, text_of("end"));
    at = encode_deepbind(&encoder, at, 2000000000, text_of("/lib/libx.so"));
    at = encode_deepbind(&encoder, at, 2000000000, text_of("/lib/libx.so"));
    at = encode_deepbind(&encoder, at, 2000000000, text_of("/lib/liby.so"));
    chunk_end(&bytes);
    json_t *report = make_report();
    CHECK(says("Recording was paused for some time: allocations made then are not in the log\n"));
    CHECK(says("  a; ended unseen; paused for 0.700 s of 1.000 s\n"));
    CHECK(says("     0.700           7           123 B  load\\x1bed\\xc2\\x9b\\xff\n     1.000           7             0 B  end\n"));
    CHECK(says("\nWarning: /lib/libx.so was loaded with RTLD_DEEPBIND (or dlmopen): its allocations may not be here\n"
               "Warning: /lib/liby.so was"));
    const json_t *marks = json_object_get(report, "marks"), *p = json_array_get(json_object_get(report, "processes"), 0);
    CHECK(says(";\n       2 libraries were loaded with RTLD_DEEPBIND or dlmopen, whose allocations may not be here"));
    CHECK(json_array_size(marks) == 2 && member(json_array_get(marks, 0), NULL, "live_bytes") == 123);
    CHECK(fabs(json_real_value(json_object_get(p, "paused_seconds")) - 0.7) < 1e-9);
    CHECK(json_array_size(json_object_get(json_object_get(report, "trust"), "deepbind_libraries")) == 2);
    CHECK(json_is_true(json_object_get(report, "was_paused")));
    CHECK(member(report, "counts", "temporary") == 0); /* what came between is not known */
    json_decref(report);
}

static void test_sampled(void)
{
    log_bytes_begin(&bytes);
    begin_program(7, 1000, REC_START_IMAGE, 1, "/bin/a", &(struct encode_process){ .sample_bytes = 524288, .min_size = 64 });
    add_malloc(1100, 0x1000, 1000);
    add_malloc(1200, 0x2000, 1000000);
    add_free(1300, 0x2000);
    chunk_end(&bytes);
    json_t *report = make_report();
    CHECK(says("Sampled: 1 in 524,288 bytes on average; all figures are estimates from 2 recorded allocations\n"
               "Allocations under 64 bytes were not recorded\n"));
    /* Weights 524.27 and 1.1744: the variances are 523.77^2 + 0.45^2, and 523,770^2 + 452,520^2. */
    CHECK(says("  allocations                 ~525 +- 524   ~1.6 MiB +- 675.9 KiB\n"));
    CHECK(says("  temporary                      -   not known: allocations were left out\n"));
    CHECK(says("  still allocated       ~512.0 KiB +- 511.5 KiB   in ~524 blocks +- 524, at exit\n"));
    CHECK(says("; - temporary\n"));
    CHECK(member(report, "sampled", "bytes") == 524288 && member(report, "sampled", "allocations_recorded") == 2);
    CHECK(member(json_object_get(report, "sampled"), "standard_errors", "allocations") == 524);
    CHECK(member(report, "counts", "temporary") == -1 && member(report, "counts", "allocations") == 525);
    CHECK(member(report, NULL, "min_size") == 64);
    json_decref(report);

    begin_program(8, 1000, REC_START_IMAGE, 1, "/bin/b", NULL);
    end_program(10);
    json_decref(make_report());
    CHECK(says("Sampled: not every process, or not all alike: 1 in 524,288 bytes on average;"));
    CHECK(says("Allocations under 64 bytes were not recorded (less, or all were recorded, in some processes)\n"));
}

static void test_min_size(void)
{
    log_bytes_begin(&bytes);
    begin_program(7, 1000, REC_START_IMAGE, 1, "/bin/a", &(struct encode_process){ .min_size = 64 });
    add_malloc(1100, 0x1000, 1000);
    add_free(1200, 0x1000);
    chunk_end(&bytes);
    json_t *report = make_report();
    CHECK(says("Allocations under 64 bytes were not recorded\n") && !strstr(text, "Sampled") && !strstr(text, "~"));
    CHECK(member(report, "counts", "temporary") == -1 && member(report, "counts", "allocations") == 1);
    CHECK(json_is_null(json_object_get(report, "sampled")) && member(report, NULL, "min_size") == 64);
    json_decref(report);
}

/* What is said, and the exit code, where the launcher's end is not there. */
static void test_launcher(void)
{
    for (int cut = 0; cut < 4; cut++) {
        log_bytes_begin(&bytes);
        add_session_chunk(0, 0, 0, 0);
        begin_program(7, 1000, REC_START_IMAGE, 1, "/bin/a", NULL);
        end_program(10);
        if (cut < 3) /* one chunk, or one more than there is */
            add_session_chunk(7, 1000, REC_SESSION_SUM, cut == 2 ? 2 : 1);
        if (cut == 0)
            add_session_chunk(7, 1000, REC_SESSION_END, 0);
        json_t *report = make_report();
        CHECK(verdict == (cut < 2 ? 0 : 1));
        CHECK((strstr(text, "all is there that came onto the disk, but there may have been others") != NULL) == (cut == 1));
        CHECK(json_is_true(json_object_get(json_object_get(report, "trust"), "launcher_died")) == (cut == 1));
        CHECK(member(report, "trust", "cut_processes") == (cut == 3));
        CHECK((strstr(text, "at least 0 lost") && strstr(text, "the end of 1 process missing")) == (cut == 3));
        json_decref(report);
    }
}

/* A process that others come from is not there, and no launcher says that it has ended. */
static void test_relatives(void)
{
    for (int which = 0; which < 8; which++) {
        bool is_fork = which % 4 == 0, is_exec = which % 4 == 1, is_first = which % 4 == 2, is_part = which % 4 == 3, is_whole = which >= 4;
        log_bytes_begin(&bytes);
        chunk_begin(0, 0, 0, 0);
        made.header.type = REC_CHUNK_SESSION;
        made.header.image = 0;
        at = encode_session_start(&encoder, at, 0, 5, text_of("a"), text_of("h"), text_of("v"), is_first || is_part ? 6 : 0, 0);
        if (is_part)
            at = encode_trimmed(&encoder, at, 0, 0, 0, 1, 0, text_of(""));
        chunk_end(&bytes);
        if (is_whole) {
            begin_program(is_exec ? 7 : 6, 900, REC_START_IMAGE, 1, "/bin/a", NULL);
            end_program(10);
            add_session_chunk(is_exec ? 7 : 6, 900, REC_SESSION_SUM, 1);
        }
        begin_program(7, 1000, is_fork ? REC_START_FORK : is_exec ? REC_START_EXEC : REC_START_IMAGE, 6, "/bin/a",
                      &(struct encode_process){ .parent_image = is_fork ? 900 : 0 });
        end_program(10);
        add_session_chunk(7, 1000, REC_SESSION_SUM, 1);
        json_t *report = make_report(), *trust = json_object_get(report, "trust");
        bool lacks = !is_whole && !is_part;
        CHECK(verdict == lacks && json_is_true(json_object_get(trust, "lacks_processes")) == lacks);
        CHECK(json_is_true(json_object_get(trust, "launcher_died")) == !lacks);
        CHECK((strstr(text, "at least 0 lost") && strstr(text, "processes missing that started others")) == lacks);
        json_decref(report);
    }
}

/* A log with one of everything, for tests/cli/test_reports.py. */
static void write_everything(const char *path)
{
    snprintf(log_path, sizeof log_path, "%s", path);
    log_bytes_begin(&bytes);
    begin_program(7, 1000, REC_START_IMAGE, 1, "/bin/a", &(struct encode_process){ .sample_bytes = 4096, .min_size = 64,
                                                                                   .flags = REC_PROCESS_PAUSED });
    at = encode_recording(&encoder, at, 1050, true, REC_SWITCH_CALL);
    add_malloc(1100, 0x1000, 100);
    at = encode_mark(&encoder, at, 1150, text_of("loaded"));
    add_malloc(1200, 0x2000, 10000);
    add_free(1300, 0x2000);
    add_untraced(8, REC_UNTRACED_LIBC, "/bin/musl");
    add_untraced(9, (enum rec_untraced)77, "/bin/later");
    add_untraced(10, REC_UNTRACED_UNREACHABLE, "/bin/other");
    at = encode_deepbind(&encoder, at, 1400, text_of("/lib/libx.so"));
    chunk_end(&bytes);
    add_session_chunk(7, 1000, REC_SESSION_SUM, 1);
    log_bytes_write(&bytes);
}

int main(int argc, char **argv)
{
    setenv("COLUMNS", "1000", 1); /* whole sentences on a line */
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        write_everything(argv[2]);
        return check_summary();
    }
    directory_make();
    test_nothing_to_say();
    test_each_flag();
    test_checked();
    test_tree();
    test_chain();
    test_namespaces();
    test_selection();
    test_many();
    test_marks_and_pauses();
    test_sampled();
    test_min_size();
    test_launcher();
    test_relatives();
    test_wrapping();
    free(bytes.data);
    directory_remove();
    return check_summary();
}
