/* print_verdict NAME OPTIONS...  writes a verdict that was made by hand (made_verdict.h) as `check`
 * would with these options, for tests that read it as others do. */
#include "analyze/check/outputs.h"

#include "tests/unit/made_verdict.h"

int main(int argc, char **argv)
{
    static const struct option options[] = { CHECK_OUTPUTS_OPTIONS, { 0 } };
    static const char *const none[] = { NULL };
    struct check_outputs o = { 0 };
    struct failure failure;
    struct verdict v;

    if (argc < 2 || !made_verdict(argv[1], &v))
        return 64;
    for (int option; (option = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1;)
        if (!check_outputs_option(&o, option, optarg))
            return 64;
    int code = v.exit_code;
    if (check_outputs_ready(&o, none, &failure) || check_outputs_write(&o, &v, &failure)) {
        fprintf(stderr, "%s\n", failure.text);
        code = 64;
    }
    verdict_release(&v);
    return code;
}
