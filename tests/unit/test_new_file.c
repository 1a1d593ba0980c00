/* A file that a command makes is there when it is whole, or what was there before is. */
#include "analyze/new_file.h"

#include "tests/unit/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/test_new_file-XXXXXX", path[64];

static bool has(const char *wanted)
{
    char text[16] = "";
    FILE *file = fopen(path, "r");

    if (!file)
        return false;
    bool is_read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return is_read && strcmp(text, wanted) == 0;
}

static unsigned files(void)
{
    DIR *listing = opendir(directory);
    unsigned count = 0;

    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2; /* . and .. */
}

static void begin(struct new_file *file, const char *text)
{
    struct failure failure;

    CHECK(new_file_open(file, path, &failure) == 0);
    fputs(text, file->file);
}

int main(void)
{
    struct new_file file;
    struct failure failure;

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof path, "%s/file", directory);
    begin(&file, "old");
    CHECK(files() == 1 && !has("old"));
    CHECK(new_file_close(&file, &failure) == 0);
    CHECK(files() == 1 && has("old"));
    new_file_abandon(); /* it is whole: what is abandoned is what is being written */
    CHECK(files() == 1 && has("old"));
    begin(&file, "dropped");
    CHECK(files() == 2);
    new_file_drop(&file);
    CHECK(files() == 1 && has("old"));
    begin(&file, "abandoned");
    CHECK(files() == 2);
    new_file_abandon();
    CHECK(files() == 1 && has("old"));
    new_file_drop(&file);
    CHECK(files() == 1 && has("old"));
    unlink(path);
    CHECK(rmdir(directory) == 0);
    return check_summary();
}
