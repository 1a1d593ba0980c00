/* The distribution of allocation sizes as a picture, which gnuplot draws from
 * scripts/plot-sizes-*.gp. Runs a child process, and no signal of a terminal or SIGTERM ends it
 * while it waits for that; not to be called from two threads at once. 0, or -errno
 * and why: then the output file is as it was. */
#ifndef MALLOSCOPE_RENDER_PLOT_SIZES_H
#define MALLOSCOPE_RENDER_PLOT_SIZES_H

#include "analyze/model/sizes.h"

#define PLOT_LINEAR_BYTES 4096 /* the largest threshold of a linear plot: it has a bar for each byte */

struct plot_sizes {
    const char *title;    /* the program's or the log's name: any bytes */
    uint64_t threshold;   /* bytes; a line parts the smaller from the others */
    bool linear;          /* a bar for each size up to the threshold (or 100), not for each power of two */
    const char *output;   /* a path that ends in .png, .svg or .pdf */
    const char *keep_dir; /* where sizes.gp and its data stay, made if need be; NULL: nowhere */
    const char *note;     /* a line at the foot: what was not recorded; NULL or "": nothing */
    bool is_estimate;     /* of sampled allocations */
};

int plot_sizes_draw(const struct size_table *table, const struct plot_sizes *options, struct failure *ret_failure);

#endif
