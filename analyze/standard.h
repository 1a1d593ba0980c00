/* Descriptors 0, 1 and 2. */
#ifndef MALLOSCOPE_ANALYZE_STANDARD_H
#define MALLOSCOPE_ANALYZE_STANDARD_H

/* To be called first. Where one of them is closed, none of our files takes its place: it stays
 * unreadable and unwritable, and closed for the programs that we execute. */
void standard_occupy(void);

/* Lets go of stdin and stdout, which are another process's now: who is at the other end of a
 * pipe sees when that closes it. */
void standard_let_go(void);

#endif
