/* Pausing, going on and marks, by the program's own calls (malloscope.h) or by a
 * signal. Outside. */
#ifndef MALLOSCOPE_OUTSIDE_CONTROL_H
#define MALLOSCOPE_OUTSIDE_CONTROL_H

/* Installs the handler of a signal that pauses and goes on; 0: none. */
void control_prepare(int toggle_signal);

#endif
