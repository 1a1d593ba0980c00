/* A signal as people write it, the same in the launcher and the shim: USR1, SIGUSR1,
 * RTMIN, SIGRTMIN+3, RTMAX-1, in any case, or a number. Pure; may be called anywhere. */
#ifndef MALLOSCOPE_FORMAT_SIGNAL_NAME_H
#define MALLOSCOPE_FORMAT_SIGNAL_NAME_H

/* real_time_first, real_time_last: SIGRTMIN and SIGRTMAX. 0: there is no such signal, or
 * none that can be handled. */
int signal_name_number(const char *name, int real_time_first, int real_time_last);

#endif
