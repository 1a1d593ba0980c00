/* MALLOSCOPE_OUTPUT      template of the log's name (format/output_name.h)
 * MALLOSCOPE_CALL_GRAPH  auto, libunwind or none
 * MALLOSCOPE_CLOCK       monotonic: stamps from clock_gettime; else the best there is
 * MALLOSCOPE_SESSION     set by `malloscope record`: session id in hexadecimal,
 *                        a colon, the log's absolute path */
#include "interpose/outside/config.h"

#include "format/output_name.h"

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
    config->output = value + 33;
    return value[32] == ':' && value[33] == '/';
}

void config_read(char *const *environment, struct config *ret_config)
{
    const char *joins = value_of(environment, "MALLOSCOPE_SESSION");
    const char *output = value_of(environment, "MALLOSCOPE_OUTPUT");
    const char *call_graph = value_of(environment, "MALLOSCOPE_CALL_GRAPH");
    const char *clock = value_of(environment, "MALLOSCOPE_CLOCK");

    ret_config->call_graph =
        call_graph && strcmp(call_graph, "none") == 0 ? CALL_GRAPH_NONE : CALL_GRAPH_LIBUNWIND;
    ret_config->monotonic = clock && strcmp(clock, "monotonic") == 0;
    ret_config->joins = joins && parse_session(joins, ret_config);
    if (!ret_config->joins)
        ret_config->output = output && *output ? output : OUTPUT_NAME_DEFAULT;
}
