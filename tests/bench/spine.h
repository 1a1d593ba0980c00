/* The outer frames: up to 64 functions, with frames of different sizes, each with its
 * own call of the next one. */
#ifndef BENCH_SPINE_H
#define BENCH_SPINE_H
#define SPINE_MAX 64

typedef void spine_bottom(void *);

/* Calls bottom(context) with depth frames, 1 to SPINE_MAX, between its caller and bottom. */
void spine_descend(long depth, spine_bottom *bottom, void *context);
#endif
