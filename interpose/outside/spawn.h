/* posix_spawn and posix_spawnp, and what they need to know of their file actions. */
#ifndef MALLOSCOPE_OUTSIDE_SPAWN_H
#define MALLOSCOPE_OUTSIDE_SPAWN_H

/* Looks up the real functions. Once, at the start. */
void spawn_prepare(void);

#endif
