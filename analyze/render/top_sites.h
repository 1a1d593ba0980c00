/* The call sites that cost most, by each kind of cost. */
#ifndef MALLOSCOPE_RENDER_TOP_SITES_H
#define MALLOSCOPE_RENDER_TOP_SITES_H

#include "analyze/render/overloads.h"
#include "analyze/render/report.h"

#include <jansson.h>

/* A list for each cost, or the one that view->sort names. A site is shown with its stack the
 * first time; a list that names what one before it has named, in the same order, is told in a line. */
void top_sites_print(struct facts *facts, const struct sites *sites, const struct namer *namer,
                     const struct report_view *view);
/* All lists: the object's members, a row at a time (render/long_json.h). */
void top_sites_print_json(struct facts *facts, const struct sites *sites, const struct namer *namer,
                          const struct report_view *view);

/* On one line of so many columns, the site's own frame. */
void top_sites_print_name(struct facts *facts, const struct site *site, const struct namer *namer, const struct overloads *overloads, int columns);
/* Its members "module", "offset", "function", "signature", "file", "line". */
void top_sites_name_json(struct facts *facts, const struct site *site, const struct namer *namer, json_t *object);

#endif
