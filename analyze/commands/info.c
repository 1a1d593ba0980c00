#include "analyze/command.h"
#include "analyze/commands/progress.h"
#include "analyze/options.h"
#include "analyze/render/contents.h"
#include "analyze/render/text.h"

const char info_help[] =
    "malloscope info [options] LOG\n\n"
    "What is in a log: who recorded what, when and where, for how long; whether it is\n"
    "whole; its clock; its bytes, packed and unpacked; how many records of each kind;\n"
    "the modules with their build-ids; the marks that the program set; whether names\n"
    "are in it.\n\n"
    "  --json               as JSON, schema malloscope-info/1 (docs/info.schema.json)\n"
    "  -h, --help\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none; 2 usage.\n";

int cmd_info(int argc, char **argv)
{
    enum { JSON = 256 };
    static const struct option options[] = {
        { "json", no_argument, NULL, JSON }, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct contents contents;
    struct progress progress;
    bool json = false;

    for (int option; (option = next_option(argc, argv, ":h", options, info_help)) != -1;)
        json |= option == JSON;
    const char *name = only_log(argc, argv, "info");
    if (!name)
        return EXIT_USAGE;
    struct log *log = open_log(name);
    if (!log)
        return EXIT_DAMAGED;
    progress_begin(&progress, PROGRESS_READS, "reading the log:");
    contents_read(log, progress_goes_on, &progress, &contents);
    progress_end(&progress);
    contents.interrupted |= log->is_beginning;
    if (json) {
        json_t *root = contents_json(log, &contents);
        json_dumpf(root, stdout, TEXT_JSON_INDENTED);
        putchar('\n');
        json_decref(root);
    } else {
        contents_print(log, &contents);
    }
    int code = log_verdict(log, contents.bad_chunks, contents.bad_offset);
    if (contents.interrupted)
        complain_of_interrupt(log);
    if (output_failed() || contents.interrupted)
        code = EXIT_DAMAGED;
    contents_release(&contents);
    log_free(log);
    return code;
}
