/* Each frame is an <svg> of its own within the picture: that clips its text, and as places
 * are in per cent, the picture is as wide as its window, and zooming changes nothing but
 * these numbers. Frames are in the order of the tree (a node, then all that is below it)
 * and tell how many are below them, so that the script knows who is whose caller. */
#include "analyze/render/call_walk.h"
#include "analyze/render/flame.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ROW 17         /* pixels */
#define HEAD 66        /* above the frames */
#define FOOT 30        /* and below them */

static const char style[] =
    "svg{font-family:Verdana,\"DejaVu Sans\",sans-serif;font-size:12px}"
    ".f{cursor:pointer}.f:hover rect{stroke:#000;stroke-width:1}.above{opacity:.45}.match rect{fill:#e54cff}"
    "input{width:100%;box-sizing:border-box;font-size:12px}";

static const char script[] =
    "(function () {\n"
    "  'use strict';\n"
    "  var root = document.documentElement, info = document.getElementById('info');\n"
    "  var words = document.getElementById('search'), resting = info.textContent, home = resting;\n"
    "  var frames = Array.prototype.slice.call(document.querySelectorAll('.f'));\n"
    "  var all = frames.map(function (f) {\n"
    "    return { x: parseFloat(f.getAttribute('x')), width: parseFloat(f.getAttribute('width')),\n"
    "             below: +f.getAttribute('data-below'), title: f.querySelector('title').textContent };\n"
    "  });\n"
    "  function zoom(to) {\n"
    "    var by = all[to];\n"
    "    frames.forEach(function (f, i) {\n"
    "      var above = i < to && i + all[i].below >= to, below = i >= to && i <= to + by.below;\n"
    "      f.setAttribute('display', above || below ? 'inline' : 'none');\n"
    "      f.classList.toggle('above', above);\n"
    "      f.setAttribute('x', above ? '0%' : (all[i].x - by.x) / by.width * 100 + '%');\n"
    "      f.setAttribute('width', above ? '100%' : all[i].width / by.width * 100 + '%');\n"
    "    });\n"
    "  }\n"
    "  function search(text) {\n"
    "    var pattern, count = 0, share = 0, covered = -1;\n"
    "    try { pattern = new RegExp(text, 'im'); }\n"
    "    catch (error) { pattern = new RegExp(text.replace(/[^A-Za-z0-9_]/g, '\\\\$&'), 'i'); }\n"
    "    frames.forEach(function (f, i) {\n"
    "      var names = all[i].title.split('\\n').slice(0, -1).join('\\n');\n"
    "      var found = text !== '' && i > 0 && pattern.test(names);\n"
    "      f.classList.toggle('match', found);\n"
    "      count += found;\n"
    "      if (found && i > covered) {\n"
    "        share += all[i].width;\n"
    "        covered = i + all[i].below;\n"
    "      }\n"
    "    });\n"
    "    resting = text === '' ? home : count + (count === 1 ? ' frame matches, ' : ' frames match, ') +\n"
    "        share.toFixed(1) + ' % of all';\n"
    "    info.textContent = resting;\n"
    "  }\n"
    "  function frameOf(event) {\n"
    "    return frames.indexOf(event.target.closest ? event.target.closest('.f') : null);\n"
    "  }\n"
    "  root.setAttribute('width', '100%');\n"
    "  root.addEventListener('click', function (event) {\n"
    "    var i = frameOf(event);\n"
    "    if (i >= 0)\n"
    "      zoom(i);\n"
    "  });\n"
    "  root.addEventListener('mouseover', function (event) {\n"
    "    var i = frameOf(event);\n"
    "    info.textContent = i < 0 ? resting : all[i].title.split('\\n').join('   ');\n"
    "  });\n"
    "  words.addEventListener('input', function () { search(words.value); });\n"
    "  root.addEventListener('keydown', function (event) {\n"
    "    if (event.key === 'Escape') {\n"
    "      words.value = '';\n"
    "      search('');\n"
    "      zoom(0);\n"
    "    }\n"
    "  });\n"
    "})();\n";

struct drawer {
    FILE *to;
    const struct call_tree *tree;
    const struct tree_view *view;
    uint64_t least, all;
    uint32_t *below; /* by node: frames drawn below it */
    size_t levels;
    struct flame_pruned pruned;
};

static uint64_t total_of(const struct drawer *d, uint32_t node)
{
    return call_node_total(d->tree, node, d->view->cost);
}

/* The bytes of a character that XML allows and that is seen where it stands; 0: this is none. */
static size_t character(const char *text)
{
    static const uint32_t first_of[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *at = (const unsigned char *)text;
    size_t bytes = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
    uint32_t code = bytes == 1 ? *at : bytes ? *at & (0x7fu >> bytes) : 0;

    for (size_t i = 1; i < bytes; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool is_direction = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    bool allowed = code >= first_of[bytes] && code >= 32 && (code < 127 || code >= 0xa0) && !is_direction && (code < 0xd800 || code > 0xdfff) &&
                   code != 0xfffe && code != 0xffff && code <= 0x10ffff;
    return allowed ? bytes : 0;
}

/* Text that came from outside, as XML. */
static void print_xml(FILE *to, const char *text)
{
    for (size_t bytes; *text; text += bytes ? bytes : 1) {
        bytes = character(text);
        switch (bytes ? *text : '?') {
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '&': fputs("&amp;", to); break;
        case '"': fputs("&quot;", to); break;
        default:
            if (bytes)
                fwrite(text, 1, bytes, to);
            else
                fputc('?', to);
        }
    }
}

/* Nodes come after their parents in the tree's memory. */
static void count_below(struct drawer *d)
{
    _cleanup_free_ uint32_t *levels = alloc_zeroed(d->tree->node_count, sizeof *levels);

    for (uint32_t node = 1; node < d->tree->node_count; node++) {
        levels[node] = levels[d->tree->nodes[node].parent] + 1;
        if (total_of(d, node) >= d->least && levels[node] > d->levels)
            d->levels = levels[node];
    }
    for (uint32_t node = (uint32_t)d->tree->node_count; node-- > 1;)
        if (total_of(d, node) >= d->least)
            d->below[d->tree->nodes[node].parent] += 1 + d->below[node];
}

/* --- drawing ---------------------------------------------------------------------- */

static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261u;

    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * 16777619u;
    return value ^ value >> 15;
}

/* A module has a hue, and a function of it a shade: the same in all pictures. */
static void print_colour(const struct drawer *d, uint32_t node, const char *name)
{
    const uint32_t frame = d->tree->nodes[node].frame, shade = hash(name);
    double hue = node ? hash(call_frame_module(d->tree, frame)) % 360 : 0, colour[3];
    double saturation = node ? 0.45 + shade % 5 * 0.06 : 0, light = node ? 0.70 + shade / 5 % 7 * 0.02 : 0.85;

    for (int i = 0; i < 3; i++) { /* red, green, blue: HSL's formula */
        double k = fmod((i == 0 ? 0 : i == 1 ? 8 : 4) + hue / 30, 12), most = fmin(fmin(k - 3, 9 - k), 1);
        colour[i] = light - saturation * fmin(light, 1 - light) * fmax(-1, most);
    }
    fprintf(d->to, "#%02x%02x%02x", (unsigned)(colour[0] * 255 + 0.5), (unsigned)(colour[1] * 255 + 0.5), (unsigned)(colour[2] * 255 + 0.5));
}

static void print_cost(const struct drawer *d, uint64_t cost)
{
    fprintf(d->to, "%s %s", cost_is_bytes(d->view->cost) ? text_bytes(cost) : text_count(cost), cost_name(d->view->cost));
}

/* "module, dir/file.c:12, inlined" */
static void print_place(const struct drawer *d, const struct call_node *n)
{
    const struct call_frame *f = &d->tree->frames[n->frame];

    print_xml(d->to, call_frame_module(d->tree, n->frame));
    if (f->source) {
        fputs(", ", d->to);
        print_xml(d->to, f->source);
    }
    if (f->source && n->line)
        fprintf(d->to, ":%u", n->line);
    fputs(f->is_inlined ? ", inlined\n" : "\n", d->to);
}

/* What is shown when the pointer rests on it: name, where it is, cost. */
static void print_title(const struct drawer *d, uint32_t node, const char *name)
{
    const struct call_node *n = &d->tree->nodes[node];
    uint64_t self = call_node_self(d->tree, node, d->view->cost);

    fputs("<title>", d->to);
    print_xml(d->to, name);
    fputc('\n', d->to);
    if (node)
        print_place(d, n);
    print_cost(d, total_of(d, node));
    fputs(", ", d->to);
    print_xml(d->to, text_share(total_of(d, node), d->all)); /* it may be <0.1 */
    fputs(" %", d->to);
    if (self && self != total_of(d, node))
        fprintf(d->to, "; its own: %s", cost_is_bytes(d->view->cost) ? text_bytes(self) : text_count(self));
    fputs("</title>", d->to);
}

static void draw(const struct drawer *d, uint32_t node, uint64_t from, size_t level)
{
    _cleanup_free_ char *name = node ? call_frame_text(d->tree, d->tree->nodes[node].frame) : copy_text("all", 3);
    double all = d->all ? (double)d->all : 1;

    fprintf(d->to, "<svg class=\"f\" x=\"%.6f%%\" y=\"%zu\" width=\"%.6f%%\" height=\"%d\" data-below=\"%" PRIu32 "\">",
            (double)from / all * 100, level * ROW, node ? (double)total_of(d, node) / all * 100 : 100.0, ROW, d->below[node]);
    print_title(d, node, name);
    fputs("<rect width=\"100%\" height=\"16\" stroke=\"#fff\" stroke-width=\".5\" fill=\"", d->to);
    print_colour(d, node, name);
    fputs("\"/><text x=\"3\" y=\"12\">", d->to);
    print_xml(d->to, name);
    fputs("</text></svg>\n", d->to);
}

static void draw_all(const struct drawer *d)
{
    struct call_walk w = { .tree = d->tree, .cost = d->view->cost, .least = d->least, .top = SIZE_MAX, .depth = SIZE_MAX };
    _cleanup_free_ uint64_t *nexts = NULL; /* by level: where the next one begins */
    size_t capacity = 0;

    do {
        nexts = grow(nexts, &capacity, w.level + 2, sizeof *nexts);
        uint64_t from = nexts[w.level];
        nexts[w.level] = from + total_of(d, w.node);
        nexts[w.level + 1] = from;
        draw(d, w.node, from, w.level);
    } while (call_walk_next(&w));
}

static void print_hidden(const struct drawer *d)
{
    const struct flame_pruned *p = &d->pruned;

    if (!p->hidden)
        return;
    fprintf(d->to, "%s with less than %g %% of it, ", text_counted(p->hidden, "frame"), d->view->min_share * 100);
    print_xml(d->to, text_share(p->hidden_cost, d->all));
    fprintf(d->to, " %% together, %s not drawn. ", p->hidden == 1 ? "is" : "are");
}

static void print_foot(const struct drawer *d, const struct flame_picture *picture)
{
    fprintf(d->to, "<text x=\"10\" y=\"%zu\" fill=\"#666\" font-size=\"11\">", HEAD + (d->levels + 1) * ROW + 18);
    print_hidden(d);
    print_xml(d->to, picture->note);
    fputs("</text>\n", d->to);
}

void flame_write_svg(FILE *to, const struct call_tree *tree, const struct tree_view *view, const struct flame_picture *picture,
                     struct flame_pruned *ret_pruned)
{
    struct drawer d = { .to = to, .tree = tree, .view = view, .least = tree_least(tree, view), .all = call_node_total(tree, 0, view->cost) };

    d.below = alloc_zeroed(tree->node_count, sizeof *d.below);
    d.pruned = flame_prune(tree, view);
    count_below(&d);
    size_t height = HEAD + (d.levels + 1) * ROW + FOOT;
    fprintf(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1200\" height=\"%zu\">\n<title>",
            height);
    print_xml(to, picture->title);
    fprintf(to, "</title>\n<style>%s</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"10\" y=\"24\" font-size=\"16\">",
            style);
    print_xml(to, picture->title);
    fputs("</text>\n<text id=\"info\" x=\"10\" y=\"48\" fill=\"#444\">", to);
    print_cost(&d, d.all);
    fprintf(to, ". %s; a click zooms in, one on the first row out again</text>\n"
                "<svg x=\"80%%\" y=\"32\" width=\"20%%\" height=\"28\"><foreignObject x=\"0\" y=\"0\" width=\"95%%\" height=\"28\">"
                "<input xmlns=\"http://www.w3.org/1999/xhtml\" id=\"search\" type=\"search\" placeholder=\"search: a regular expression\"/>"
                "</foreignObject></svg>\n<svg y=\"%d\" width=\"100%%\" height=\"%zu\">\n",
            view->inverted ? "Callers are below whom they call" : "Callers are above whom they call", HEAD, (d.levels + 1) * ROW);
    draw_all(&d);
    fputs("</svg>\n", to);
    print_foot(&d, picture);
    fprintf(to, "<script><![CDATA[\n%s]]></script>\n</svg>\n", script);
    free(d.below);
    *ret_pruned = d.pruned;
}
