/* RLIMIT_FSIZE: what would be larger is told by EFBIG, as a full disk is by ENOSPC, and does not end us
 * with half of it written. Programs that we execute have SIGXFSZ as who started us meant it. */
#ifndef MALLOSCOPE_ANALYZE_FILE_SIZE_LIMIT_H
#define MALLOSCOPE_ANALYZE_FILE_SIZE_LIMIT_H

/* To be called early, once. */
void file_size_limit_survive(void);

/* As it was before; async-signal-safe, for a child that executes a program. */
void file_size_limit_give_back(void);

#endif
