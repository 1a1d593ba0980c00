#include "analyze/render/advice.h"

#include "analyze/render/text.h"
#include "analyze/render/top_sites.h"

#include <string.h>

static const char *const kinds[] = {
    [ADVICE_GROWTH] = "growth", [ADVICE_REALLOC] = "realloc", [ADVICE_TEMPORARY] = "temporary", [ADVICE_ROUNDING] = "rounding",
};

/* To be freed. */
static char *growth_words(const struct facts *f, const struct advice *a)
{
    const char *about = text_about(f->settings.sample_bytes);
    double seconds = (double)a->time_us / 1e6;
    _cleanup_free_ char *time = a->processes == 1 ? format_text("the process's %.1f s", seconds)
                                                  : format_text("the time of %s (up to %.1f s)",
                                                                text_counted(a->processes, "process"), seconds);
    _cleanup_free_ char *kept = format_text("keeps %s, %s%s, that came at an even pace over all of %s, %s%s a second",
                                            text_counted(a->blocks, f->settings.sample_bytes ? "recorded block" : "block"), about,
                                            text_bytes(a->bytes), time, about, text_bytes(a->rate_bytes));

    if (!a->others)
        return format_text("%s: a leak, or something that only ever grows", kept);
    return format_text("%s; %s of the same process%s do so too, with %s%s more: something is built up, as compilers do, and kept to "
                       "the end", kept, text_counted(a->others, "other site"), a->processes == 1 ? "" : ", at most,", about,
                       text_bytes(a->others_bytes));
}

/* What many blocks came to is told of all together, and of each on average. To be freed. */
static char *realloc_words(const struct advice *a)
{
    if (a->chains == 1)
        return format_text("grows a block to %s by %s, which may copy up to %s: double the size each time, or reserve it",
                           text_bytes(a->final_bytes), text_counted(a->blocks, "realloc"), text_bytes(a->bytes));
    return format_text("grows %s to %s each by %s each, on average: all together that may copy up to %s, for %s in the end; double "
                       "the size each time, or reserve it", text_counted(a->chains, "block"), text_bytes(a->final_bytes / a->chains),
                       text_counted(a->blocks / a->chains, "realloc"), text_bytes(a->bytes), text_bytes(a->final_bytes));
}

/* To be freed. */
static char *temporary_words(const struct facts *f, const struct advice *a)
{
    _cleanup_free_ char *soon = a->within == 1 ? format_text("before their thread allocates again")
                                               : format_text("within %s", text_counted(a->within, "allocation"));

    return format_text("allocates %s %s times (%s %% of all allocations) and frees %s %% of them %s: keep one block and use it "
                       "again%s", text_counted(a->bytes, "byte"), text_count(a->blocks), text_share(a->blocks, f->allocations),
                       text_share((uint64_t)(a->share * (double)a->blocks + 0.5), a->blocks), soon,
                       a->bytes <= 4096 ? ", or take it from the stack" : "");
}

/* To be freed. */
static char *rounding_words(const struct facts *f, const struct site *site, const struct advice *a, uint64_t rounding_bytes)
{
    const char *about = text_about(f->settings.sample_bytes);
    double asked = (double)site->sum.bytes / (double)site->sum.allocations;
    double lost = (double)site->sum.rounding / (double)site->sum.allocations;

    return format_text("has %s%s at the peak, of %.1f bytes on average, with room for %.1f: malloc's rounding loses %s%s, %.0f %% "
                       "of that room (at all sites %s%s); allocate many at once, or from a pool", about,
                       text_counted(a->blocks, "block"), asked, asked + lost, about, text_bytes(a->bytes), 100 * a->share, about,
                       text_bytes(rounding_bytes));
}

/* To be freed. */
static char *words(const struct facts *f, const struct site *site, const struct advice *a, uint64_t rounding_bytes)
{
    switch (a->kind) {
    case ADVICE_GROWTH:
        return growth_words(f, a);
    case ADVICE_REALLOC:
        return realloc_words(a);
    case ADVICE_TEMPORARY:
        return temporary_words(f, a);
    default:
        return rounding_words(f, site, a, rounding_bytes);
    }
}

/* In lines of at most so many columns, each after a margin; no number is parted from its %. */
static void print_wrapped(const char *text, int margin, int columns)
{
    int at = margin;

    printf("%*s", margin, "");
    while (*text) {
        size_t length = strcspn(text, " ");
        if (strncmp(text + length, " %", 2) == 0)
            length += 2;
        if (at > margin && at + 1 + (int)length > columns) {
            printf("\n%*s", margin, "");
            at = margin;
        } else if (at > margin) {
            putchar(' ');
            at++;
        }
        fwrite(text, 1, length, stdout);
        at += (int)length;
        text += length + (text[length] == ' ');
    }
    putchar('\n');
}

void advice_print(struct facts *facts, const struct sites *sites, const struct namer *namer)
{
    struct overloads overloads = { 0 };
    struct advices advices;
    int columns = text_columns();

    advices_find(facts, sites, &advices);
    if (advices.count)
        overloads_add_sites(&overloads, sites, &facts->told.code, namer);
    if (advices.count)
        printf("\nAdvice (by which rules: docs/howto-report.md; --no-advice leaves it out)\n");
    for (size_t i = 0; i < advices.count; i++) {
        const struct site *site = &sites->sites[advices.of[i].site];
        _cleanup_free_ char *text = words(facts, site, &advices.of[i], advices.rounding_bytes);
        printf("  %zu  ", i + 1);
        top_sites_print_name(facts, site, namer, &overloads, columns - 5);
        putchar('\n');
        print_wrapped(text, 5, columns);
    }
    overloads_release(&overloads);
}

static void set(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, text_json_number(value));
}

static json_t *evidence(const struct advice *a)
{
    json_t *object = json_object();

    switch (a->kind) {
    case ADVICE_GROWTH:
        set(object, "blocks", a->blocks);
        set(object, "bytes", a->bytes);
        json_object_set_new(object, "seconds", json_real((double)a->time_us / 1e6));
        set(object, "bytes_per_second", a->rate_bytes);
        set(object, "processes", a->processes);
        set(object, "other_sites", a->others);
        set(object, "other_bytes", a->others_bytes);
        break;
    case ADVICE_REALLOC:
        set(object, "reallocs", a->blocks);
        set(object, "copied_bytes", a->bytes);
        set(object, "blocks", a->chains);
        set(object, "final_bytes", a->final_bytes);
        break;
    case ADVICE_TEMPORARY:
        set(object, "allocations", a->blocks);
        set(object, "size", a->bytes);
        json_object_set_new(object, "freed_at_once", json_real(a->share));
        set(object, "within_allocations", a->within);
        break;
    case ADVICE_ROUNDING:
        set(object, "peak_blocks", a->blocks);
        set(object, "lost_bytes", a->bytes);
        json_object_set_new(object, "lost_share", json_real(a->share));
        break;
    }
    return object;
}

json_t *advice_json(struct facts *facts, const struct sites *sites, const struct namer *namer)
{
    json_t *list = json_array();
    struct advices advices;

    advices_find(facts, sites, &advices);
    for (size_t i = 0; i < advices.count; i++) {
        const struct advice *a = &advices.of[i];
        const struct site *site = &sites->sites[a->site];
        _cleanup_free_ char *text = words(facts, site, a, advices.rounding_bytes);
        json_t *object = json_object();
        json_object_set_new(object, "kind", json_string(kinds[a->kind]));
        top_sites_name_json(facts, site, namer, object);
        json_object_set_new(object, "text", text_json(text));
        json_object_set_new(object, "evidence", evidence(a));
        json_array_append_new(list, object);
    }
    return list;
}
