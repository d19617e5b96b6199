/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "h5_arrays.h"

#include <stdlib.h>
#include <string.h>

enum tw_status tw_h5_array(const struct tw_h5_item *it, struct tw_array *a, struct tw_err *err)
{
    static const enum tw_dtype types[] = {
        [TW_H5_REALS] = TW_F64, [TW_H5_INTS] = TW_I64,   [TW_H5_UINTS] = TW_U64,
        [TW_H5_BYTES] = TW_U8,  [TW_H5_FLOATS] = TW_F32, [TW_H5_TEXTS] = TW_NONE
    };
    const enum tw_dtype type = types[it->values];
    size_t dims[TW_MAX_RANK] = { 0 };
    enum tw_status rc;

    *a = (struct tw_array){ 0 };
    if (*it->note)
        return tw_err_set(err, TW_EFORMAT, "%s: not read: %s", it->path, it->note);
    if (type == TW_NONE)
        return tw_err_set(err, TW_EFORMAT, "%s: expected numbers, found %s", it->path,
                          it->empty ? "nothing" : it->type);
    if (it->rank > TW_MAX_RANK)
        return tw_err_set(err, TW_EFORMAT, "%s: %d dimensions, where %d are the most", it->path,
                          it->rank, (int)TW_MAX_RANK);
    for (int i = 0; i < it->rank; i++)
        dims[i] = (size_t)it->dims[i];
    rc = tw_array_make(a, type, it->rank, dims, err);
    if (rc == TW_OK && it->bytes > 0)
        memcpy(a->data, it->data, it->bytes);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", it->path);
}

/* A remark about what is not among the arrays. */
static void left_out(const struct tw_h5_item *it, struct tw_str *remarks)
{
    if (!remarks)
        return;
    if (it->kind == TW_H5_LINK)
        tw_str_addf(remarks, "%s is a link, and links are not followed: left out.\n", it->path);
    else
        tw_str_addf(remarks, "%s holds no numbers (%s): left out.\n", it->path,
                    it->empty ? "it is empty" : it->type);
}

enum tw_status tw_h5_arrays(struct tw_h5_items *items, struct tw_named_list *list,
                            struct tw_str *remarks, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < items->n && rc == TW_OK; i++) {
        struct tw_h5_item *it = &items->v[i];
        bool numbers = it->class != TW_H5_NONE && it->class != TW_H5_TEXTS && !it->empty;
        struct tw_array a = { 0 };

        if (it->kind == TW_H5_LINK || (it->kind == TW_H5_SET && !numbers && !*it->note))
            left_out(it, remarks);
        else if (it->kind == TW_H5_SET)
            rc = tw_h5_array(it, &a, err);
        if (rc == TW_OK && a.dtype != TW_NONE) {
            char *name = it->path + 1;

            for (char *p = name; (p = strchr(p, '/')) != NULL;)
                *p = '.';
            rc = tw_named_add(list, name, &a, err);
        }
        tw_array_release(&a);
        free(it->data);
        it->data = NULL;
    }
    return rc;
}
