/* The parts of format/ without records: checksums against `xxhsum -H1`, address
 * folding, the headers' checks, and the log's name. */
#include "format/checksum.h"
#include "format/chunk.h"
#include "format/output_name.h"
#include "format/record.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <stdlib.h>
#include <string.h>

/* Of the first 0 to 100 bytes of 131 * i + 7. */
static const uint64_t published[] = {
    0xef46db3751d8e999, 0xa96c7f0ce858bbb7, 0xc22c6a70ad56bba6, 0xbed43740ee6332bb,
    0xfa212ae44b3bb23d, 0xd339dcc9ac8e6776, 0x71cabdc85da7ffa0, 0x2744460dd675d2c0,
    0x994b676b71ce94dd, 0x572b84c18b983af8, 0x08283fd40ee4f8c9, 0x97f078da7a1a590c,
    0xb92f588ce720786e, 0xdadc8a6255b4829b, 0x574269377227d80a, 0x09e6451ed2ff8b1d,
    0x94ad0095e72b24d5, 0x1464f2eff23b5fe1, 0x712c39f6d1ed935e, 0x83ef9c758393e89d,
    0x67822fa80e0c8933, 0xfa6de19e99ff8d43, 0xa8d0ae04d79885f2, 0xcf65b69586b05fab,
    0x0a3b0194f3afe0b8, 0xe0fd072fff811c86, 0xc4f7372a7fb8f247, 0xfee26cac05aeecf0,
    0x01a6f3d224fa7d3b, 0x161a3bc98afcf092, 0x3f8796d7bfaaaa08, 0x6711d55e306b5d8f,
    0x07f7b8e3bc5d6e25, 0x09f85eeb4e1cbe9f, 0x35284e7f91dd1ae5, 0x25cc31e4544bc8c9,
    0xe7ac625222f2b655, 0x1d8c3a2215085739, 0x1fb3064ed36c675f, 0xb13c137a0fb701c3,
    0xd25150177ba46490, 0x3ad8bb2779d9285e, 0xfe4ddab6e3d75ddc, 0x9d340603aa03cc62,
    0xd02b2028c27a5329, 0xff59426b0066066b, 0x713a114207f600e2, 0x79bd9d6dd8c15570,
    0x2947de5e3a6afece, 0x43f1e784039912d3, 0x072fa9968401e9c7, 0xc3c4ff0d8f66e206,
    0x0efbc3939fa05814, 0x42be842d0902d7a7, 0x8a78b907c424dc46, 0x8f8dc5b07f6d48ed,
    0xa2acf5b431db2e52, 0x403200f5d0354116, 0xc326a3d65678339b, 0xa53b8e5bc9ff65a4,
    0x4cce586d8aca19e5, 0xbd3bd33486af6dc6, 0x4149dd403b20a2dc, 0xb7c9968c066cb6a5,
    0x50d4159a0411632e, 0xd277176bff863efc, 0x578ba93daaaa4333, 0x5c44ab49f377e73f,
    0x0074fd38e968c15b, 0xdd2aa690f53212c8, 0xa4b1256e6fd1d806, 0x363a593dc9d738d1,
    0xcd82801d226eb2a5, 0x5d19a4c3f67b2bea, 0xbb7db43ea46e9a29, 0xd608a44e07fe8624,
    0x869e11664e92c3b4, 0x162ce6431a7eda2a, 0xf3cb7538a89612bb, 0xc3f3dc0bf60fd094,
    0x16538439a19ab93e, 0x71bf4a997e4bc698, 0x81f5f158a1769c15, 0x01f5909a472fea86,
    0x6187bf0bf8dfa176, 0x411b4022bb181b45, 0x8eb62f30a8fa66a5, 0xf4b43a97d47f5f98,
    0x91b6179102c221c2, 0xe1a6e5a7b8596fdd, 0xbda467ab983b5874, 0x81082eee7357b6b0,
    0xf8f1612fd1c10a43, 0x44b5dc960d90d5bd, 0x64904fdd7296cc2e, 0x928c35b989d3c594,
    0x18c8f362eb735341, 0x7683defa1456dab5, 0xa4d9f00e9f94203c, 0x285a4a54a4a84ab4,
    0x9ddada11d3dc2d8f,
};

static void test_checksum(void)
{
    static uint8_t data[1000000 + 7];
    bool right = true;

    for (size_t i = 0; i < 1000000; i++)
        data[i] = (uint8_t)(131 * i + 7);
    for (size_t bytes = 0; bytes <= 100; bytes++)
        CHECK(checksum(data, bytes) == published[bytes]);
    CHECK(checksum(data, 1000000) == 0x91545ac39840a1cc);
    for (size_t shift = 1; shift < 8; shift++) { /* where it lies makes no difference */
        memmove(data + shift, data + shift - 1, 100);
        for (size_t bytes = 0; bytes <= 100; bytes++)
            right &= checksum(data + shift, bytes) == published[bytes];
    }
    CHECK(right);
    CHECK(checksum("a", 1) == 0xd24ec4f1a98c6e5b && checksum("abc", 3) == 0x44bc2cf5ad770999);
}

/* As docs/format.md says it, without shifts of signed numbers. */
static uint64_t fold_by_the_document(uint64_t difference)
{
    uint64_t low = difference % 16, z;

    if (difference < 1ull << 63)
        z = difference / 16 * 2;
    else
        z = ((0 - difference + 15) / 16) * 2 - 1; /* -1 becomes 1 */
    return low << 60 | z;
}

static void test_folding(void)
{
    static const uint64_t edges[] = { 0, 1, 8, 15, 16, 17, 1ull << 31, 1ull << 32, 1ull << 47, 1ull << 59, 1ull << 60,
                                      1ull << 62, 1ull << 63 };
    bool right = true;

    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (int64_t near = -33; near <= 33; near++)
            for (int sign = 0; sign < 2; sign++) {
                uint64_t value = (sign ? 0 - edges[i] : edges[i]) + (uint64_t)near;
                right &= rec_unfold_address(rec_fold_address(value)) == value &&
                         rec_fold_address(rec_unfold_address(value)) == value &&
                         rec_fold_address(value) == fold_by_the_document(value) &&
                         rec_zigzag(rec_unzigzag(value)) == value &&
                         (uint64_t)rec_unzigzag(rec_zigzag((int64_t)value)) == value;
            }
    CHECK(right);
    for (int i = 0; i < 1000000; i++) {
        uint64_t value = random_number();
        right &= rec_unfold_address(rec_fold_address(value)) == value &&
                 rec_fold_address(rec_unfold_address(value)) == value &&
                 rec_fold_address(value) == fold_by_the_document(value);
    }
    CHECK(right);
    CHECK(rec_fold_address(16) == 2 && rec_fold_address(0 - 16ull) == 1 && rec_fold_address(0) == 0);
}

static void seal_file_header(struct rec_file_header *header)
{
    header->checksum = checksum(header, offsetof(struct rec_file_header, checksum));
}

static void test_file_header(void)
{
    static const uint8_t session[16] = "0123456789abcdef";
    struct rec_file_header good, header;

    memset(&good, 0xaa, sizeof good);
    file_header_make(&good, session);
    CHECK(file_header_check(&good) == FILE_HEADER_GOOD);
    CHECK(memcmp(good.session, session, 16) == 0 && good.header_bytes == 64 && good.version == 1 &&
          !good.compatible_flags && !good.incompatible_flags && !good.reserved && !good.reserved2);
    for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
        header = good;
        ((uint8_t *)&header)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(file_header_check(&header) == (bit < 64 ? FILE_HEADER_NOT_A_LOG : FILE_HEADER_DAMAGED));
    }

#define STATE_WITH(assignment) (header = good, (assignment), seal_file_header(&header), file_header_check(&header))
    CHECK(STATE_WITH(header.version = 2) == FILE_HEADER_NEWER);
    CHECK(STATE_WITH(header.version = 0) == FILE_HEADER_NEWER);
    CHECK(STATE_WITH(header.incompatible_flags = REC_FILE_PACKED) == FILE_HEADER_GOOD);
    CHECK(STATE_WITH(header.incompatible_flags = 2) == FILE_HEADER_NEWER);
    CHECK(STATE_WITH(header.incompatible_flags = 1ull << 63) == FILE_HEADER_NEWER);
    CHECK(STATE_WITH(header.compatible_flags = ~0ull) == FILE_HEADER_GOOD);
    CHECK(STATE_WITH(header.reserved = ~0u) == FILE_HEADER_GOOD);
    CHECK(STATE_WITH(header.header_bytes = 63) == FILE_HEADER_DAMAGED);
    CHECK(STATE_WITH(header.header_bytes = 0) == FILE_HEADER_DAMAGED);
    CHECK(STATE_WITH(header.header_bytes = 65535) == FILE_HEADER_GOOD);
}

static void seal_chunk_header(struct rec_chunk_header *header)
{
    header->header_checksum = checksum(header, offsetof(struct rec_chunk_header, header_checksum));
}

static void test_chunk_header(void)
{
    struct {
        struct rec_chunk_header header;
        uint8_t payload[1000];
    } good = { .header = { .type = REC_CHUNK_EVENTS, .pid = 1, .ticks = 5 } }, chunk;

    for (size_t i = 0; i < sizeof good.payload; i++)
        good.payload[i] = (uint8_t)random_number();
    CHECK(chunk_seal(&good.header, sizeof good.payload) == sizeof good);
    CHECK(good.header.magic == REC_CHUNK_MAGIC && good.header.header_bytes == 64 && good.header.payload_bytes == 1000);
    CHECK(chunk_header_sound(&good.header) && chunk_payload_intact(&good.header, good.payload));
    for (size_t bit = 0; bit < 8 * sizeof good.header; bit++) {
        chunk = good;
        ((uint8_t *)&chunk)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!chunk_header_sound(&chunk.header));
    }
    for (size_t bit = 0; bit < 8 * sizeof good.payload; bit += 61) {
        chunk = good;
        chunk.payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(chunk_header_sound(&chunk.header) && !chunk_payload_intact(&chunk.header, chunk.payload));
    }

#define SOUND_WITH(assignment) (chunk = good, (assignment), seal_chunk_header(&chunk.header), chunk_header_sound(&chunk.header))
    CHECK(SOUND_WITH(chunk.header.type = 77));
    CHECK(SOUND_WITH(chunk.header.flags = 255));
    CHECK(SOUND_WITH(chunk.header.payload_bytes = REC_CHUNK_PAYLOAD_MAX));
    CHECK(!SOUND_WITH(chunk.header.payload_bytes = REC_CHUNK_PAYLOAD_MAX + 1));
    CHECK(!SOUND_WITH(chunk.header.payload_bytes = UINT32_MAX));
    CHECK(SOUND_WITH(chunk.header.header_bytes = 4096));
    CHECK(!SOUND_WITH(chunk.header.header_bytes = 4097));
    CHECK(!SOUND_WITH(chunk.header.header_bytes = 63));
    CHECK(!SOUND_WITH(chunk.header.header_bytes = 0));
    CHECK(!SOUND_WITH(chunk.header.magic = 0));
    CHECK(chunk_seal(&chunk.header, 0) == 64 && chunk_payload_intact(&chunk.header, ""));
}

/* The name, or NULL; into memory of exactly `bytes`, for the sanitizer's eyes. */
static const char *expand(const char *pattern, size_t bytes)
{
    static const struct output_name values = { "/usr/bin/prog", "host.example", 4294967295u, 10 };
    static char name[256];
    char *exact = malloc(bytes);
    bool good = output_name_expand(pattern, &values, exact, bytes);

    if (good)
        strcpy(name, exact);
    free(exact);
    return good ? name : NULL;
}

static bool gives(const char *pattern, const char *wanted)
{
    const char *name = expand(pattern, 200);
    size_t length = strlen(wanted);

    /* It fits exactly, and not into one byte less. */
    return name && strcmp(name, wanted) == 0 && expand(pattern, length + 1) && !expand(pattern, length);
}

static void test_output_name(void)
{
    CHECK(gives("log", "log"));
    CHECK(gives("%p", "4294967295"));
    CHECK(gives("%e", "prog"));
    CHECK(gives("%h", "host.example"));
    CHECK(gives("%n", "10"));
    CHECK(gives("%%", "%"));
    CHECK(gives("%%p", "%p"));
    CHECK(gives("/a/%e.%p-%n@%h%%.mscope", "/a/prog.4294967295-10@host.example%.mscope"));
    CHECK(gives(OUTPUT_NAME_DEFAULT, "prog.4294967295.mscope"));
    CHECK(!expand("", 10));
    CHECK(!expand("a", 1));
    CHECK(!expand("%", 10) && !expand("log%", 10) && !expand("%%%", 10));
    CHECK(!expand("%x", 10) && !expand("%P", 10) && !expand("% p", 10) && !expand("%5p", 10));

    struct output_name values = { "prog", "h", 0, 0 };
    char name[16];
    CHECK(output_name_expand("%e%p%n", &values, name, sizeof name) && strcmp(name, "prog00") == 0);
    values.program = "directory/";
    CHECK(!output_name_expand("%e", &values, name, sizeof name));

    CHECK(output_name_is_numbered("%n") && output_name_is_numbered("a%e%n") && output_name_is_numbered("%%%n"));
    CHECK(!output_name_is_numbered("") && !output_name_is_numbered("n") && !output_name_is_numbered("%%n") &&
          !output_name_is_numbered("%e") && !output_name_is_numbered("n%"));
}

static void test_names(void)
{
    CHECK(strcmp(rec_function_name(REC_FN_MALLOC), "malloc") == 0);
    CHECK(rec_function_name(REC_FN_COUNT) == NULL && rec_function_name(~0u) == NULL);
    CHECK(strcmp(rec_other_name(REC_PC), "pc") == 0);
    CHECK(rec_other_name(0) == NULL && rec_other_name(8) == NULL && rec_other_name(REC_OTHER_COUNT) == NULL &&
          rec_other_name(~0u) == NULL);
}

int main(void)
{
    test_checksum();
    test_folding();
    test_file_header();
    test_chunk_header();
    test_output_name();
    test_names();
    return check_summary();
}
