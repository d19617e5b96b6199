/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The values of a pickle that was read. */
#include <stdlib.h>
#include <string.h>

#include "pickle.h"

bool pickle_is_text(const struct pickle *k, pickle_id id, const char *s)
{
    const struct pickle_value *v = &k->v[id];

    return v->kind == PICKLE_TEXT && v->text.n == strlen(s) && !memcmp(v->text.s, s, v->text.n);
}

bool pickle_is_global(const struct pickle *k, pickle_id id, const char *module, const char *name)
{
    const struct pickle_value *v = &k->v[id];

    return v->kind == PICKLE_GLOBAL && v->global.nmodule == strlen(module) &&
           !memcmp(v->global.module, module, v->global.nmodule) &&
           v->global.nname == strlen(name) && !memcmp(v->global.name, name, v->global.nname);
}

const pickle_id *pickle_items(const struct pickle *k, pickle_id id)
{
    const struct pickle_value *v = &k->v[id];

    return v->kind == PICKLE_OBJECT                           ? v->object.v
           : v->kind == PICKLE_LIST || v->kind == PICKLE_DICT ? v->v
                                                              : NULL;
}

pickle_id pickle_get(const struct pickle *k, pickle_id dict, const char *key)
{
    const struct pickle_value *v = &k->v[dict];
    const pickle_id *item = pickle_items(k, dict);

    if (v->kind != PICKLE_DICT && v->kind != PICKLE_OBJECT)
        return 0;
    for (size_t i = v->n / 2; i-- > 0;) /* the last one counts */
        if (pickle_is_text(k, item[2 * i], key))
            return item[2 * i + 1];
    return 0;
}

pickle_id pickle_item(const struct pickle *k, pickle_id list, size_t i)
{
    const struct pickle_value *v = &k->v[list];

    return v->kind == PICKLE_LIST && i < v->n ? v->v[i] : 0;
}

void pickle_release(struct pickle *k)
{
    for (size_t i = 0; i < k->nv; i++) {
        if (k->v[i].kind == PICKLE_LIST || k->v[i].kind == PICKLE_DICT)
            free(k->v[i].v);
        else if (k->v[i].kind == PICKLE_OBJECT)
            free(k->v[i].object.v);
    }
    free(k->v);
    free(k->stack);
    free(k->memo);
    free(k->mark);
    *k = (struct pickle){ 0 };
}
