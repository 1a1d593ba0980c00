#include "analyze/command.h"
#include "analyze/commands/embedding.h"
#include "analyze/commands/naming.h"
#include "analyze/log/piped.h"
#include "analyze/options.h"
#include "analyze/render/text.h"

#include <string.h>

const char symbolize_help[] =
    "malloscope symbolize [options] LOG\n\n"
    "Looks up the functions and source lines of all code that LOG has stacks of, and\n"
    "writes them into LOG: it can then be read on another machine, or when the\n"
    "programs and libraries have been replaced. What LOG has already is not looked up\n"
    "again. `record --embed-symbols` does the same when the program has ended.\n\n"
    "  --again              look up all; what is found now counts from here on\n"
    NAMING_HELP
    "  -h, --help\n\n"
    "Exit codes: 0; 1 LOG is damaged (names of what is whole are written), or cannot\n"
    "be written, or is none; 2 usage.\n";

int cmd_symbolize(int argc, char **argv)
{
    enum { AGAIN = 256 };
    static const struct option options[] = {
        { "again", no_argument, NULL, AGAIN }, NAMING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct symbols_options symbols = { 0 };
    struct embedding done;
    bool again = false;

    for (int option; (option = next_option(argc, argv, ":h", options, symbolize_help)) != -1;) {
        again |= option == AGAIN;
        naming_option(&symbols, option, optarg);
    }
    const char *path = only_log(argc, argv, "symbolize");
    if (!path)
        return EXIT_USAGE;
    if (piped_is_meant(path))
        return usage_error("symbolize", "symbolize: names are written into the log itself, which %s is none to write into; name a file", piped_name(path));
    struct log *log = open_log(path);
    if (!log)
        return EXIT_DAMAGED;
    int error = embed_names(log, &symbols, again, &done), code = log_verdict(log, done.bad_chunks, done.bad_offset);
    if (error) {
        complain("%s: names cannot be written into it: %s; it is as it was", path, strerror(-error));
        code = EXIT_DAMAGED;
    } else {
        text_write_safe(stdout, path);
        printf(again ? ": names of %s of %s were found, in %s, and the others stay as they were; " : ": %s of %s have names, in %s; ",
               text_count(done.named), text_counted(done.locations, "code location"), text_counted(done.files, "file"));
        printf(done.bytes ? "%s were added\n" : "nothing was added\n", text_bytes(done.bytes));
    }
    if (done.interrupted) {
        complain("%s: interrupted: not all names were looked up; what was found is in it", path);
        code = EXIT_DAMAGED;
    }
    log_free(log);
    return output_failed() ? EXIT_DAMAGED : code;
}
