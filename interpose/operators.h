/* C++'s operators new and delete. The C++ library's call malloc and free, so there is
 * nothing to be done; but jemalloc, tcmalloc, mimalloc and their like define operators
 * of their own, right in front of their insides, and those calls would not be seen. */
#ifndef MALLOSCOPE_OPERATORS_H
#define MALLOSCOPE_OPERATORS_H

/* Stands in for the operators of the module that has the real malloc, if it has any.
 * Outside only; once. Calls nothing of the program's: it may be in the middle of an
 * allocator's own start. */
void operators_begin(void);

#endif
