/* analyze/symbols/symbols.h: the batch itself, and files that are damaged: whatever their
 * debug information says, resolving ends, and says that it is damaged or gives names. The
 * file is tests/programs/inlined, which is small. What the names are is compared with others' answers in
 * tests/cli/test_symbols.py. */
#include "analyze/symbols/symbols.h"

#include "analyze/symbols/elf_file.h"
#include "analyze/util.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct symbols_options plain = { .no_cache = true, .jobs = 1 };

/* The file's code. */
static void find_text(const char *path, uint64_t *ret_start, uint64_t *ret_end)
{
    _cleanup_elf_file_ struct elf_file file = ELF_FILE_CLOSED;
    GElf_Shdr header = { 0 };

    CHECK(elf_file_open(&file, path, false) == 0 && elf_section(file.elf, ".text", &header));
    *ret_start = header.sh_addr;
    *ret_end = header.sh_addr + header.sh_size;
}

static uint64_t text_start, text_end;

/* Where in the file damage does most; the first is the whole file. */
struct part {
    size_t start, bytes;
};
#define PARTS_MAX 12

static size_t find_parts(const char *path, size_t file_bytes, struct part ret_parts[PARTS_MAX])
{
    static const char *const names[] = { ".debug_info", ".debug_abbrev", ".debug_line", ".debug_line_str", ".debug_rnglists",
                                         ".debug_ranges", ".debug_str", ".symtab", ".note.gnu.build-id" };
    _cleanup_elf_file_ struct elf_file file = ELF_FILE_CLOSED;
    size_t count = 0;
    GElf_Ehdr header;
    GElf_Shdr section;

    ret_parts[count++] = (struct part){ 0, file_bytes };
    if (!CHECK(elf_file_open(&file, path, false) == 0 && gelf_getehdr(file.elf, &header)))
        return count;
    ret_parts[count++] = (struct part){ header.e_shoff, (size_t)header.e_shnum * header.e_shentsize };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (elf_section(file.elf, names[i], &section) && section.sh_size)
            ret_parts[count++] = (struct part){ section.sh_offset, section.sh_size };
    return count;
}

static size_t count_names(struct symbols *s, const uint32_t *places, size_t count)
{
    size_t named = 0;

    for (size_t i = 0; i < count; i++) {
        const struct symbols_frame *frames;
        size_t frame_count = symbols_frames(s, places[i], &frames);
        for (size_t k = 0; k < frame_count; k++) {
            named += frames[k].function != NULL;
            CHECK((frames[k].signature != NULL) == (frames[k].function != NULL));
            CHECK(!frames[k].file || strlen(frames[k].file) < 10000);
        }
    }
    return named;
}

/* All of the text's addresses, in a file; how many names there are, and whether something was wrong. */
static size_t resolve(const char *path, const char **ret_problem)
{
    struct symbols *s = symbols_new(&plain);
    uint32_t module = symbols_module(s, path, NULL, 0, 0);
    _cleanup_free_ uint32_t *places = alloc_zeroed(text_end - text_start, sizeof *places);
    size_t count = 0;

    for (uint64_t address = text_start; address < text_end; address++)
        places[count++] = symbols_want(s, module, address);
    symbols_resolve(s);
    size_t names = count_names(s, places, count);
    if (ret_problem)
        *ret_problem = symbols_problem(s, module);
    symbols_free(s);
    return names;
}

static void test_damage(const char *original)
{
    char path[64];
    struct stat st;
    int from = open(original, O_RDONLY | O_CLOEXEC), fd = memfd_create("damaged", MFD_CLOEXEC);
    const char *rounds = getenv("DAMAGE_ROUNDS");
    size_t worst_ms = 0, problems = 0;
    struct part parts[PARTS_MAX];

    if (!CHECK(from >= 0 && fd >= 0 && fstat(from, &st) == 0))
        return;
    size_t bytes = (size_t)st.st_size;
    _cleanup_free_ uint8_t *whole = alloc_zeroed(bytes, 1), *damaged = alloc_zeroed(bytes, 1);
    CHECK(read(from, whole, bytes) == (ssize_t)bytes);
    close(from);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    size_t part_count = find_parts(original, bytes, parts);
    CHECK(part_count > 6);
    for (int round = 0; round < (rounds ? atoi(rounds) : 300); round++) {
        memcpy(damaged, whole, bytes);
        unsigned changes = 1u << random_below(8);
        struct part part = parts[random_below(part_count)];
        for (unsigned i = 0; i < changes; i++)
            damaged[part.start + random_below(part.bytes)] = random_below(2) ? (uint8_t)random_below(256) : random_below(2) ? 0xff : 0;
        size_t kept = random_below(20) ? bytes : random_below(bytes);
        struct timespec before, after;
        const char *problem;
        CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, damaged, kept, 0) == (ssize_t)kept);
        clock_gettime(CLOCK_MONOTONIC, &before);
        resolve(path, &problem);
        clock_gettime(CLOCK_MONOTONIC, &after);
        problems += problem != NULL;
        size_t ms = (size_t)((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000);
        if (ms > worst_ms)
            worst_ms = ms;
        if (problem && rounds)
            printf("round %d: %s %zu ms\n", round, problem, ms);
    }
    printf("damaged files: %zu with a problem that was seen, the slowest took %zu ms\n", problems, worst_ms);
    close(fd);
}

int main(int argc, char **argv)
{
    _cleanup_free_ char *path = argc > 1 ? copy_text(argv[1], strlen(argv[1]))
                                         : format_text("%s/tests/programs/inlined", BUILD_DIR);
    find_text(path, &text_start, &text_end);
    const char *problem;
    size_t names = resolve(path, &problem);
    CHECK(names > 100 && !problem);
    test_damage(path);
    return check_summary();
}
