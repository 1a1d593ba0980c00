/* The subcommands. To add one: commands/NAME.c with cmd_NAME and NAME_help, a
 * line in the table of main.c, a line in analyze/meson.build, docs/man, NEWS.md. */
#ifndef MALLOSCOPE_ANALYZE_COMMAND_H
#define MALLOSCOPE_ANALYZE_COMMAND_H

#include "analyze/log/log.h"

enum exit_code {
    EXIT_GOOD = 0,
    EXIT_DAMAGED = 1,    /* something was shown, but data are missing or damaged; or nothing could be read */
    EXIT_USAGE = 2,      /* the command line is wrong */
    EXIT_NOT_TRACED = 125, /* record, doctor: the program cannot be traced, or the log cannot be made */
};

int cmd_record(int argc, char **argv);
int cmd_hist(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_leaks(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_flame(int argc, char **argv);
int cmd_sites(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_symbolize(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

int cmd_timeline(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_trim(int argc, char **argv);
int cmd_check(int argc, char **argv);

extern const char timeline_help[], diff_help[], merge_help[], trim_help[], check_help[];
extern const char record_help[], hist_help[], plot_help[], report_help[], sites_help[], info_help[], dump_help[], symbolize_help[], doctor_help[];
extern const char leaks_help[], tree_help[], flame_help[];

#endif
