/* What compilers number, as it has no name: lambdas, closures, types. One more of them renumbers those behind it. */
#ifndef MALLOSCOPE_CHECK_NUMBERED_H
#define MALLOSCOPE_CHECK_NUMBERED_H

/* "main::{lambda(int)#2}::operator()" and "main::$_2::operator()" without their numbers. To be freed. */
char *numbered_without(const char *name);
/* The same; NULL: the name has none. */
char *numbered_group(const char *name);

#endif
