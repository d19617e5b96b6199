/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names.h - a hashed list of names: which number has this name? Private to the module. */
#ifndef TENSOR_NAMES_H
#define TENSOR_NAMES_H

#include "thalweg/tensor.h"

/* The strings stay the caller's and must outlive the table. */
struct tw_names {
    size_t n, nslot; /* nslot is a power of two, or 0 */
    struct tw_names_slot {
        const char *name; /* NULL: free */
        size_t index;
    } * slot;
};
bool tw_names_find(const struct tw_names *t, const char *name, size_t *index);
/* The name must not be there yet; false when out of memory. */
bool tw_names_add(struct tw_names *t, const char *name, size_t index) TW_CHECKED;
/* Make room for one more name; the next add then cannot fail. */
bool tw_names_reserve(struct tw_names *t) TW_CHECKED;
void tw_names_free(struct tw_names *t); /* NULL is fine */

#endif
