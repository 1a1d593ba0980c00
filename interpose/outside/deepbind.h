/* Stands in for dlopen and dlmopen. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_DEEPBIND_H
#define MALLOSCOPE_OUTSIDE_DEEPBIND_H

/* Looks the real ones up. */
void deepbind_prepare(void);

#endif
