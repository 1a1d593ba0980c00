/* The first records of a chunk that was cut short count only at the end of its file (log/scan.c): what is appended behind it
 * would hide them. So they are appended first, as a chunk of their own, flag torn. */
#ifndef MALLOSCOPE_LOG_TORN_H
#define MALLOSCOPE_LOG_TORN_H

/* Before chunks of events are appended to the log, or the spool is moved: of what ends in a torn chunk that is nowhere whole.
 * 0, also where there is none, or -errno. */
int torn_keep(const char *log_path);

#endif
