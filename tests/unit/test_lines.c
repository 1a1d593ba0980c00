/* analyze/symbols/line_program: where addresses are by programs that are made here, operation by operation, as the DWARF
 * standard has them. That real ones give what they should is tests/cli/test_symbols.py's to see. */
#include "analyze/symbols/line_program.h"
#include "tests/unit/check.h"

#include <string.h>

#define BYTES 256
#define SPECIAL(address, line) (uint8_t)(13 + 14 * (address) + (line) + 5) /* line_base is -5, line_range 14 */

static uint8_t section[BYTES];
static size_t used;

static void put(const void *data, size_t bytes)
{
    memcpy(section + used, data, bytes);
    used += bytes;
}

static void put_number(uint64_t number, size_t bytes)
{
    put(&number, bytes);
}

/* Of version 4, without files; instructions of so many bytes, of which so many are done at once. */
static void begin(uint8_t instruction_bytes, uint8_t operations)
{
    static const uint8_t operands[] = { 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1 };

    used = 0;
    put_number(0, 4); /* end() puts it */
    put_number(4, 2);
    put_number(20, 4);
    put((const uint8_t[]){ instruction_bytes, operations, 1, (uint8_t)-5, 14, 13 }, 6);
    put(operands, sizeof operands);
    put_number(0, 2);
}

static void set_address(uint64_t address)
{
    put("\0\t\2", 3);
    put_number(address, 8);
}

static void end_sequence(uint8_t further)
{
    put((const uint8_t[]){ 2, further, 0, 1, 1 }, 5);
}

static void end(void)
{
    uint32_t length = (uint32_t)used - 4;
    memcpy(section, &length, sizeof length);
}

/* What is at 0 was discarded. */
static bool find(struct line_place *places, size_t count)
{
    struct code_starts *starts = code_starts_make(NULL, NULL);
    bool good = line_program_find(section, used, 0, starts, places, count);

    code_starts_free(starts);
    return good;
}

/* The line; 0: none. -1: the program is damaged. */
static int line_of(uint64_t address)
{
    struct line_place place = { .address = address };
    return !find(&place, 1) ? -1 : place.found ? (int)place.line : 0;
}

static void test_rows(void)
{
    begin(1, 1);
    set_address(0x1000);
    put((const uint8_t[]){ SPECIAL(0, 2), 4, 3, 5, 7, SPECIAL(4, 1), 3, 0x7e, 8, 1 }, 10); /* 3; file 3, column 7, 4; -2, +17, 2 */
    end_sequence(3);
    set_address(0x800);
    put((const uint8_t[]){ 1, 9, 0x10, 0x20, SPECIAL(0, 8) }, 5);
    end_sequence(1);
    end();
    struct line_place places[] = { { 0x7ff }, { 0x800 }, { 0xfff }, { 0x1000 }, { 0x1003 }, { 0x1004 }, { 0x1014 }, { 0x1015 },
                                   { 0x1017 }, { 0x1018 }, { 0x280f }, { 0x2810 }, { 0x2811 } };
    static const uint32_t lines[] = { 0, 1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 9, 0 };
    CHECK(find(places, 13));
    for (size_t i = 0; i < 13; i++)
        CHECK(places[i].found == (lines[i] != 0));
    CHECK(places[3].line == 3 && places[3].file == 1 && places[3].column == 0 && places[4].line == 3);
    CHECK(places[5].line == 4 && places[5].file == 3 && places[5].column == 7 && places[6].line == 4);
    CHECK(places[7].line == 2 && places[8].line == 2); /* the nearer row: the other sequence goes on here */
    CHECK(places[1].line == 1 && places[2].line == 1 && places[9].line == 1 && places[10].line == 1 && places[11].line == 9);
}

static void test_discarded(void)
{
    begin(1, 1);
    set_address(0);
    put((const uint8_t[]){ SPECIAL(0, 6), 9, 8, 0x10, SPECIAL(0, 7) }, 5); /* rows to 0x1008 */
    end_sequence(16);
    set_address(0x1000);
    put((const uint8_t[]){ SPECIAL(0, 4) }, 1);
    end_sequence(64);
    end();
    CHECK(line_of(8) == 0 && line_of(0x1004) == 5 && line_of(0x100a) == 5 && line_of(0x103f) == 5 && line_of(0x1040) == 0);
}

/* Three operations in an instruction of 16 bytes. */
static void test_operations(void)
{
    begin(16, 3);
    set_address(0x1000);
    put((const uint8_t[]){ SPECIAL(0, 0), SPECIAL(2, 1), SPECIAL(1, 1), SPECIAL(4, 1) }, 4);
    end_sequence(2);
    end();
    CHECK(line_of(0x1000) == 2 && line_of(0x1010) == 3 && line_of(0x101f) == 3 && line_of(0x1020) == 4 && line_of(0x1030) == 0);
}

static void expect_damage(const uint8_t *program, size_t bytes)
{
    begin(1, 1);
    set_address(0x1000);
    put(program, bytes);
    end_sequence(8);
    end();
    CHECK(line_of(0x1000) == -1);
}

static void test_damage(void)
{
    begin(1, 1);
    set_address(0x1000);
    put((const uint8_t[]){ SPECIAL(0, 2), SPECIAL(4, 2) }, 2);
    end();
    CHECK(line_of(0x1000) == -1); /* without an end */
    expect_damage((const uint8_t[]){ 3, 0x70, 1 }, 3); /* a line before the first */
    expect_damage((const uint8_t[]){ 5, 0xff, 0xff, 4, 1 }, 5); /* a column */
    expect_damage((const uint8_t[]){ 0, 0x7f, 2 }, 3);
    expect_damage((const uint8_t[]){ 0, 0, 1 }, 3);
    expect_damage((const uint8_t[]){ 0, 3, 2, 0, 0 }, 5); /* an address of two bytes */
    begin(1, 1);
    set_address(0x1000);
    put((const uint8_t[]){ SPECIAL(0, 2) }, 1);
    end_sequence(4);
    end();
    CHECK(line_of(0x1000) == 3);
    static const struct { size_t at; uint8_t value; } wrong[] = { { 3, 1 }, { 4, 1 }, { 4, 6 }, { 7, 1 }, { 11, 0 }, { 14, 0 }, { 15, 0 }, { 17, 0 } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t before = section[wrong[i].at];
        section[wrong[i].at] = wrong[i].value;
        CHECK(line_of(0x1000) == -1);
        section[wrong[i].at] = before;
    }
    for (size_t bytes = used; bytes--;) {
        struct line_place place = { .address = 0x1000 };
        CHECK(!line_program_find(section, bytes, 0, NULL, &place, 1) && !place.found);
    }
}

static void test_hidden(void)
{
    uint8_t before[BYTES];
    uint32_t length;

    memcpy(before, section, BYTES);
    CHECK(line_program_hide(section, used, 0, &length) && line_of(0x1000) == 0);
    CHECK(memcmp(section + 4, before + 4, BYTES - 4) == 0);
    memcpy(section, &length, sizeof length);
    CHECK(memcmp(section, before, BYTES) == 0 && line_of(0x1000) == 3);
    CHECK(!line_program_hide(section, used, used - 2, &length) && !line_program_hide(section, used, used + 9, &length));
}

int main(void)
{
    test_rows();
    test_discarded();
    test_operations();
    test_damage();
    test_hidden();
    return check_summary();
}
