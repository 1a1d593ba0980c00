#include "analyze/render/frame_text.h"

#include "analyze/render/identity.h"
#include "analyze/render/short_names.h"
#include "analyze/render/text.h"

#include <string.h>

#define NAME_LEAST 20 /* columns that a name is not cut below, however long what follows is */

/* So many characters at most, the last of which tell that there were more. Frees text. */
static char *cut(char *text, int columns)
{
    size_t bytes = 0;

    if (text_width(text) <= columns)
        return text;
    for (int left = columns - 3; left >= 0; bytes++)
        left -= (int)text_characters(&text[bytes], 1);
    char *shorter = format_text("%.*s...", (int)bytes - 1, text);
    free(text);
    return shorter;
}

/* "  dir/file.c:12"; shorter where it has to be. The caller frees it. */
static char *place_of(const struct call_tree *t, uint32_t node, uint32_t beside, int name_width, int columns)
{
    const struct call_node *n = &t->nodes[node];
    const struct call_frame *f = &t->frames[n->frame];
    const char *module = f->function ? call_frame_module(t, n->frame) : "";

    bool shows_module = *module && (!f->source || f->has_copy) &&
                        (!beside || strcmp(module, call_frame_module(t, t->nodes[beside].frame)) != 0);
    _cleanup_free_ char *whose = shows_module ? format_text("  %s", module) : copy_text("", 0);
    if (!f->source)
        return copy_text(whose, strlen(whose));
    _cleanup_free_ char *line = n->line ? format_text(":%u", n->line) : format_text("%s", "");
    char *text = format_text("  %s%s%s", identity_file(f->source), line, whose);
    if (name_width + text_width(text) <= columns)
        return text;
    free(text);
    return format_text("  %s%s%s", text_base_name(f->source), line, whose);
}

char *frame_name(const struct call_tree *t, uint32_t node, int columns)
{
    char buffer[CALL_NAME_BYTES];

    return text_make_safe(names_cut(call_frame_name(t, t->nodes[node].frame, buffer), columns > 0 ? (size_t)columns : 0));
}

char *frame_text(const struct call_tree *t, uint32_t node, uint32_t beside, int columns)
{
    char buffer[CALL_NAME_BYTES];
    const char *whole = call_frame_name(t, t->nodes[node].frame, buffer);
    _cleanup_free_ char *place = place_of(t, node, beside, text_width(whole), columns);
    int room = columns - text_width(place);

    char *name = names_cut(whole, (size_t)(room > NAME_LEAST ? room : NAME_LEAST));
    char *text = cut(format_text("%s%s", name, place), columns);
    free(name);
    return text_make_safe(text);
}
