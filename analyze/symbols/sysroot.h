/* Paths of a machine whose files are in a directory here: an image, a container. */
#ifndef MALLOSCOPE_SYMBOLS_SYSROOT_H
#define MALLOSCOPE_SYMBOLS_SYSROOT_H

/* Where the file is here. Symbolic links are followed as that machine would: an absolute one begins at
 * root, and nothing leads out of it. root NULL: the path itself. What is not there ends in a path that is not
 * there. To be freed. */
char *sysroot_path(const char *root, const char *path);

#endif
