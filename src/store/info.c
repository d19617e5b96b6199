/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any HDF5 file, row by row. */
#include <inttypes.h>
#include <string.h>

#include "h5_items.h"
#include "thalweg/store_result.h"

static const char *add_text(struct tw_str *out, const char *s)
{
    enum { MOST = 200 };
    size_t n = strlen(s);

    tw_str_addn(out, s, n < MOST ? n : MOST);
    if (n > MOST)
        tw_str_add(out, "...");
    return s + n + 1;
}

static void show_values(const struct tw_h5_item *it, struct tw_str *out)
{
    const char *p = it->data;

    for (uint64_t i = 0; i < it->n; i++) {
        double x;
        uint64_t u;

        tw_str_add(out, i ? " " : "");
        if (it->values == TW_H5_TEXTS) {
            p = add_text(out, p);
        } else if (it->values == TW_H5_BYTES) {
            tw_str_addf(out, "%u", (unsigned)(unsigned char)*p++);
        } else {
            memcpy(&x, p, sizeof x);
            memcpy(&u, p, sizeof u);
            p += sizeof x;
            if (it->values == TW_H5_REALS)
                tw_str_addf(out, "%.10g", x);
            else if (it->values == TW_H5_INTS)
                tw_str_addf(out, "%" PRId64, (int64_t)u);
            else
                tw_str_addf(out, "%" PRIu64, u);
        }
    }
}

static bool show(const struct tw_h5_item *it, tw_info_row_fn *row, void *ctx)
{
    bool has_shape = it->kind == TW_H5_SET || it->kind == TW_H5_ATTR, good;
    struct tw_str shape = { 0 }, value = { 0 };

    tw_str_add(&shape, has_shape && it->empty ? "none" : "");
    tw_str_add(&value, "");
    for (int i = 0; i < it->rank; i++)
        tw_str_addf(&shape, "%s%" PRIu64, i ? " x " : "", it->dims[i]);
    if (it->kind == TW_H5_LINK)
        (void)add_text(&value, it->note);
    else if (*it->note)
        tw_str_addf(&value, "not read: %s", it->note);
    else if (it->values != TW_H5_NONE)
        show_values(it, &value);
    good = !shape.failed && !value.failed;
    if (good)
        row(ctx, it->path, it->type, shape.s, value.s);
    tw_str_release(&shape);
    tw_str_release(&value);
    return good;
}

enum tw_status tw_info_hdf5(const char *path, tw_info_row_fn *row, void *ctx, struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    struct tw_err own = { 0 };
    enum tw_status rc;

    err = err ? err : &own;
    rc = tw_h5_items_read(path, NULL, 0, TW_H5_HEADERS, &items, err);
    for (size_t i = 0; i < items.n && rc == TW_OK; i++)
        if (!show(&items.v[i], row, ctx))
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    tw_h5_items_release(&items);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}
