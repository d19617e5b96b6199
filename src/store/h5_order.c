/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Items by path: objects, then attributes. */
#include <stdlib.h>
#include <string.h>

#include "h5_items.h"

static int compare(const struct tw_h5_item *it, const char *path, bool attribute)
{
    bool a = it->kind == TW_H5_ATTR;

    return a != attribute ? (a ? 1 : -1) : strcmp(it->path, path);
}

static int by_path(const void *pa, const void *pb)
{
    const struct tw_h5_item *const *a = pa, *const *b = pb;
    int c = compare(*a, (*b)->path, (*b)->kind == TW_H5_ATTR);

    return c ? c : *a < *b ? -1 : 1; /* they are of one array */
}

bool tw_h5_items_sort(struct tw_h5_items *items)
{
    items->sorted = tw_alloc(items->n, sizeof *items->sorted);
    for (size_t i = 0; items->sorted && i < items->n; i++)
        items->sorted[i] = &items->v[i];
    if (!items->sorted)
        return false;
    qsort(items->sorted, items->n, sizeof *items->sorted, by_path);
    return true;
}

static size_t from(const struct tw_h5_items *items, const char *path, bool attribute)
{
    size_t lo = 0, hi = items->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (compare(items->sorted[mid], path, attribute) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t tw_h5_items_from(const struct tw_h5_items *items, const char *path)
{
    return from(items, path, false);
}

const struct tw_h5_item *tw_h5_items_find(const struct tw_h5_items *items, const char *path,
                                          bool attribute)
{
    size_t i = from(items, path, attribute);
    const struct tw_h5_item *it = i < items->n ? items->sorted[i] : NULL;

    return it && compare(it, path, attribute) == 0 ? it : NULL;
}
