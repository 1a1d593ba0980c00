/* analyze/render/report: what the trust lines say of the stacks and the recorder,
 * as text and as JSON, of logs whose flags are known. */
#include "analyze/render/report.h"

#include "tests/unit/log_writer.h"

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

static const char *no_name(void *data, uint32_t location)
{
    (void)data;
    (void)location;
    return NULL;
}

/* The report of the log, as text[] and as JSON. */
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
    struct facts *facts = facts_collect(log);
    sites_collect(facts, NULL, NULL, &sites);
    json_t *json = report_json(log, facts, &sites, &namer, &view);

    FILE *captured = tmpfile();
    fflush(stdout);
    int kept = dup(1);
    dup2(fileno(captured), 1);
    report_print(log, facts, &sites, &namer, &view);
    fflush(stdout);
    dup2(kept, 1);
    close(kept);
    rewind(captured);
    text[fread(text, 1, sizeof text - 1, captured)] = 0;
    fclose(captured);

    sites_release(&sites);
    facts_free(facts);
    log_free(log);
    return json;
}

static bool says(const char *words)
{
    bool found = strstr(text, words) != NULL;
    if (!found)
        printf("%s\n    does not say: %s\n", strstr(text, "\nTrust") ? strstr(text, "\nTrust") : text, words);
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
    CHECK(says(", 0 partial and 0 cut stacks, 0 bytes damaged.\n"));
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
    CHECK(says(", 4 partial (12.5 % of the allocations) and 4 cut stacks (of more than 64 frames), 0 bytes damaged;\n"));
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

int main(void)
{
    directory_make();
    test_nothing_to_say();
    test_each_flag();
    test_checked();
    free(bytes.data);
    directory_remove();
    return check_summary();
}
