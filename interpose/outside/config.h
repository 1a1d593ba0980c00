/* What the environment asks for. Read once, at the first event of a program;
 * forked children keep it. */
#ifndef MALLOSCOPE_OUTSIDE_CONFIG_H
#define MALLOSCOPE_OUTSIDE_CONFIG_H

#include "interpose/inside/process.h"

struct config {
    enum call_graph call_graph;
    uint32_t max_depth;  /* frames */
    bool check_stacks;
    uint64_t min_size;     /* bytes; 0: none */
    uint64_t sample_bytes; /* 0: none */
    bool start_paused;
    int toggle_signal;     /* 0: none */
    bool monotonic;      /* stamps are CLOCK_MONOTONIC even where the CPU's counter would do */
    enum follow follow;
    bool joins;          /* MALLOSCOPE_SESSION: the log is there and is this session's */
    uint32_t first_pid;  /* of the session's first process; 0: unknown */
    uint8_t session[16];
    uint64_t max_bytes;  /* of the log; 0: no limit */
    const char *output;  /* path of the log, or a template for its name */
};

/* environment: as environ. Memory of ret_config belongs to the environment. */
void config_read(char *const *environment, struct config *ret_config);

#endif
