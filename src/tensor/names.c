/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An open hash table with linear probing, at most half full. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a (Fowler, Noll, Vo), its high bits folded into the low ones that choose the slot. */
static size_t hash(const char *s)
{
    uint64_t h = 14695981039346656037U;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211U;
    return (size_t)(h ^ (h >> 32));
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t place(const struct tw_names_slot *slot, size_t nslot, const char *name)
{
    size_t i = hash(name) & (nslot - 1);

    while (slot[i].name && strcmp(slot[i].name, name) != 0)
        i = (i + 1) & (nslot - 1);
    return i;
}

bool tw_names_find(const struct tw_names *t, const char *name, size_t *index)
{
    size_t i;

    if (!t || t->nslot == 0)
        return false;
    i = place(t->slot, t->nslot, name);
    if (!t->slot[i].name)
        return false;
    *index = t->slot[i].index;
    return true;
}

bool tw_names_reserve(struct tw_names *t)
{
    struct tw_names_slot *slot;
    size_t nslot;

    if (t->n < t->nslot / 2)
        return true;
    if (t->nslot > SIZE_MAX / 2)
        return false;
    nslot = t->nslot ? 2 * t->nslot : 32;
    slot = tw_alloc(nslot, sizeof *slot);
    if (!slot)
        return false;
    for (size_t i = 0; i < t->nslot; i++)
        if (t->slot[i].name)
            slot[place(slot, nslot, t->slot[i].name)] = t->slot[i];
    free(t->slot);
    t->slot = slot;
    t->nslot = nslot;
    return true;
}

bool tw_names_add(struct tw_names *t, const char *name, size_t index)
{
    struct tw_names_slot *s;

    if (!tw_names_reserve(t))
        return false;
    s = &t->slot[place(t->slot, t->nslot, name)];
    s->name = name;
    s->index = index;
    t->n++;
    return true;
}

void tw_names_free(struct tw_names *t)
{
    if (!t)
        return;
    free(t->slot);
    free(t);
}
