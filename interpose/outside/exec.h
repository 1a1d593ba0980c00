/* The functions by which a program becomes another one. */
#ifndef MALLOSCOPE_OUTSIDE_EXEC_H
#define MALLOSCOPE_OUTSIDE_EXEC_H

/* Looks up the real functions. Once, at the start. */
void exec_prepare(void);

#endif
