/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of named arrays, and data sets. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

enum tw_status tw_named_add(struct tw_named_list *l, const char *name, struct tw_array *a,
                            struct tw_err *err)
{
    char *copy = NULL;
    size_t at;

    if (tw_names_find(l->names, name, &at))
        return tw_err_set(err, TW_EFORMAT, "two arrays have the name '%s'", name);
    if (!l->names)
        l->names = tw_alloc(1, sizeof *l->names);
    if (!l->names || !tw_names_reserve(l->names) ||
        !tw_grow(&l->item, l->n, &l->cap, sizeof *l->item) || !(copy = tw_strdup(name)) ||
        !tw_names_add(l->names, copy, l->n)) {
        free(copy);
        return tw_err_set(err, TW_ENOMEM, "out of memory for the name '%s'", name);
    }
    l->item[l->n].name = copy;
    l->item[l->n].alias = NULL;
    l->item[l->n].array = *a;
    l->n++;
    memset(a, 0, sizeof *a);
    return TW_OK;
}

struct tw_array *tw_named_find(const struct tw_named_list *l, const char *name)
{
    size_t at;

    return tw_names_find(l->names, name, &at) ? &l->item[at].array : NULL;
}

void tw_named_release(struct tw_named_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->item[i].name);
        free(l->item[i].alias);
        tw_array_release(&l->item[i].array);
    }
    free(l->item);
    tw_names_free(l->names);
    memset(l, 0, sizeof *l);
}

void tw_dataset_release(struct tw_dataset *d)
{
    tw_array_release(&d->x);
    tw_array_release(&d->y);
    free(d->name);
    d->name = NULL;
}
