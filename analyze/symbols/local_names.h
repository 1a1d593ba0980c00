/* Classes, enumerations and so on of one name in one function: C++ has them in blocks of their own. Linkers tell them apart
 * by a number that demanglers leave out. */
#ifndef MALLOSCOPE_SYMBOLS_LOCAL_NAMES_H
#define MALLOSCOPE_SYMBOLS_LOCAL_NAMES_H

/* A mangled name in which that number is a part of their names, from the second on, so that a demangler tells it:
 * f()::L::q, f()::L#2::q. NULL: there is none in it. To be freed. options: cplus_demangle()'s. */
char *local_names_number(const char *mangled, int options);
/* Of such a name, demangled, in place: constructors are called as debug information calls them, L#2::L. NULL is none. */
void local_names_bare_constructors(char *name);

#endif
