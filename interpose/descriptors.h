/* Looks up the functions behind those of descriptors.c; at the start, so that no
 * call in a forked child has to wait for the loader's lock. */
#ifndef MALLOSCOPE_DESCRIPTORS_H
#define MALLOSCOPE_DESCRIPTORS_H

void descriptors_resolve(void);

#endif
