/* A comparison of two logs with tens of thousands of stacks is hundreds of MB of JSON, and several times as much as jansson's values. */
#include "analyze/render/long_json.h"

#include "analyze/render/text.h"
#include "analyze/util.h"

#include <stdlib.h>
#include <string.h>

void long_json_begin(json_t *members)
{
    _cleanup_free_ char *text = json_dumps(members, TEXT_JSON_INDENTED);

    if (!text)
        abort(); /* there is no memory */
    fwrite(text, 1, strlen(text) - strlen("\n}"), stdout);
    json_decref(members);
}

void long_json_list(const struct long_list *list)
{
    printf("\"%s\": [", list->name);
    for (size_t i = 0; i < list->count && !ferror(stdout); i++) {
        json_t *row = list->row(list->data, i);
        if (!row)
            abort(); /* there is no memory */
        fputs(i ? ",\n    " : "\n    ", stdout);
        json_dumpf(row, stdout, JSON_COMPACT | TEXT_JSON_REALS);
        json_decref(row);
    }
    printf("%s]", list->count ? "\n  " : "");
}

void long_json_print(json_t *members, const struct long_list *list)
{
    long_json_begin(members);
    printf(",\n  ");
    long_json_list(list);
    printf("\n}\n");
}
