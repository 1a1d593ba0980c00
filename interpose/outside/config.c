/* MALLOSCOPE_OUTPUT      template of the log's name (format/output_name.h)
 * MALLOSCOPE_CALL_GRAPH  auto, libunwind, fp or none
 * MALLOSCOPE_MAX_DEPTH   the most frames of a stack that are logged, 1 to 1024
 * MALLOSCOPE_CHECK_STACKS  1: each stack is compared with libunwind's, for the tests
 * MALLOSCOPE_CLOCK       monotonic: stamps from clock_gettime; else the best there is
 * MALLOSCOPE_FOLLOW      all, exec, fork or none: what of the program's children is recorded
 * MALLOSCOPE_MAX_LOG     the most bytes of the log, with an optional K, M or G (1024s)
 * MALLOSCOPE_MIN_SIZE    bytes: smaller allocations are not recorded
 * MALLOSCOPE_SAMPLE      bytes: a sample of the allocations is recorded, one in so many
 * MALLOSCOPE_START_PAUSED   1: nothing is recorded until the program or a signal says so
 * MALLOSCOPE_TOGGLE_SIGNAL  a signal that pauses recording and goes on with it: a name or number
 * MALLOSCOPE_SESSION     set by `malloscope record`: session id in hexadecimal,
 *                        a colon, the log's absolute path; before that, where not all
 *                        are followed, the first process's pid and a colon */
#include "interpose/outside/config.h"

#include "format/output_name.h"
#include "format/signal_name.h"
#include "interpose/inside/walk.h"

#include <signal.h>
#include <string.h>

static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_session(const char *value, struct config *config)
{
    for (int i = 0; i < 16; i++) {
        int high = hex_digit(value[2 * i]), low = high < 0 ? -1 : hex_digit(value[2 * i + 1]);
        if (low < 0)
            return false;
        config->session[i] = (uint8_t)(high << 4 | low);
    }
    if (value[32] != ':')
        return false;
    value += 33;
    config->first_pid = 0;
    for (; *value >= '0' && *value <= '9'; value++)
        config->first_pid = config->first_pid * 10 + (uint32_t)(*value - '0');
    if (config->first_pid && *value == ':')
        value++;
    config->output = value;
    return *value == '/';
}

static enum follow parse_follow(const char *value)
{
    if (value && strcmp(value, "none") == 0)
        return FOLLOW_NONE;
    if (value && strcmp(value, "all") == 0)
        return FOLLOW_ALL;
    return value && strcmp(value, "fork") == 0 ? FOLLOW_FORK : FOLLOW_EXEC;
}

/* 0 where it is none. */
static uint64_t parse_count(const char *value)
{
    uint64_t number = 0;

    for (; value && *value >= '0' && *value <= '9' && number < 1ull << 59; value++)
        number = number * 10 + (uint64_t)(*value - '0');
    const unsigned shift = !value ? 0 : *value == 'K' ? 10 : *value == 'M' ? 20 : *value == 'G' ? 30 : 0;
    if (shift && number >> (63 - shift) == 0) {
        number <<= shift;
        value++;
    }
    return value && !*value ? number : 0;
}

static bool is_1(const char *value)
{
    return value && strcmp(value, "1") == 0;
}

static enum call_graph parse_call_graph(const char *value)
{
    if (value && strcmp(value, "none") == 0)
        return CALL_GRAPH_NONE;
    if (value && strcmp(value, "libunwind") == 0)
        return CALL_GRAPH_LIBUNWIND;
    return value && strcmp(value, "fp") == 0 ? CALL_GRAPH_FP : CALL_GRAPH_AUTO;
}

static uint32_t parse_depth(const char *value)
{
    uint32_t depth = 0;

    for (; value && *value >= '0' && *value <= '9' && depth <= WALK_DEPTH_MAX; value++)
        depth = depth * 10 + (uint32_t)(*value - '0');
    return depth >= 1 && depth <= WALK_DEPTH_MAX ? depth : WALK_DEPTH_MAX;
}

/* 0, no limit, for what is no size. */
static uint64_t parse_size(const char *value)
{
    uint64_t size = 0;

    for (; value && *value >= '0' && *value <= '9' && size < 1ull << 50; value++)
        size = size * 10 + (uint64_t)(*value - '0');
    unsigned shift = !value ? 0 : *value == 'K' ? 10 : *value == 'M' ? 20 : *value == 'G' ? 30 : 0;
    return !value || value[shift != 0] || size > UINT64_MAX >> shift ? 0 : size << shift;
}

void config_read(char *const *environment, struct config *ret_config)
{
    const char *joins = value_of(environment, "MALLOSCOPE_SESSION");
    const char *output = value_of(environment, "MALLOSCOPE_OUTPUT");
    const char *clock = value_of(environment, "MALLOSCOPE_CLOCK");
    const char *toggle_signal = value_of(environment, "MALLOSCOPE_TOGGLE_SIGNAL");

    ret_config->call_graph = parse_call_graph(value_of(environment, "MALLOSCOPE_CALL_GRAPH"));
    ret_config->max_depth = parse_depth(value_of(environment, "MALLOSCOPE_MAX_DEPTH"));
    ret_config->max_bytes = parse_size(value_of(environment, "MALLOSCOPE_MAX_LOG"));
    ret_config->check_stacks = is_1(value_of(environment, "MALLOSCOPE_CHECK_STACKS"));
    ret_config->min_size = parse_count(value_of(environment, "MALLOSCOPE_MIN_SIZE"));
    ret_config->sample_bytes = parse_count(value_of(environment, "MALLOSCOPE_SAMPLE"));
    ret_config->start_paused = is_1(value_of(environment, "MALLOSCOPE_START_PAUSED"));
    ret_config->toggle_signal = toggle_signal ? signal_name_number(toggle_signal, SIGRTMIN, SIGRTMAX) : 0;
    ret_config->monotonic = clock && strcmp(clock, "monotonic") == 0;
    ret_config->follow = parse_follow(value_of(environment, "MALLOSCOPE_FOLLOW"));
    ret_config->joins = joins && parse_session(joins, ret_config);
    if (!ret_config->joins)
        ret_config->output = output && *output ? output : OUTPUT_NAME_DEFAULT;
}
