/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints in parts: an index in JSON, {"weight_map": {"tensor": "file", ...}, ...}, as
 * model.safetensors.index.json and pytorch_model.bin.index.json are, and files beside it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jscan.h"
#include "kind.h"
#include "weights_file.h"

enum { MAX_INDEX = 1 << 26 };

/* ---- the files, open ------------------------------------------------------------------------- */

struct parts {
    struct tw_weights_io io;
    struct tw_weights_file **file;
    size_t nfile, cap_file;
    struct {
        size_t file, i; /* tensor i of that file */
    } * v;              /* by id */
    size_t n, cap;
};

static enum tw_status parts_read(struct tw_weights_io *io, size_t id, size_t from, size_t n,
                                 void *to, struct tw_err *err)
{
    const struct parts *p = (const struct parts *)io;

    return tw_weights_read(p->file[p->v[id].file], p->v[id].i, from, n, to, err);
}

static void parts_close(struct tw_weights_io *io)
{
    struct parts *p = (struct parts *)io;

    for (size_t i = 0; i < p->nfile; i++)
        tw_weights_close(p->file[i]);
    free(p->file);
    free(p->v);
    free(p);
}

/* ---- the index ---------------------------------------------------------------------------------
 */

struct entry {
    char *tensor, *file;
};
struct index {
    struct entry *v;
    size_t n, cap;
};

static int by_file(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    int c = strcmp(a->file, b->file);

    return c ? c : strcmp(a->tensor, b->tensor);
}

static enum tw_status read_map(struct jscan *j, struct index *x)
{
    enum tw_status rc = jscan_want(j, '{');

    for (bool first = true; rc == TW_OK && !jscan_take(j, '}'); first = false) {
        struct entry e = { 0 };

        if (!first)
            rc = jscan_want(j, ',');
        if (rc == TW_OK)
            rc = jscan_string(j);
        if (rc != TW_OK)
            return rc;
        if (!tw_grow(&x->v, x->n, &x->cap, sizeof *x->v) || !(e.tensor = tw_strdup(j->text.s)))
            return tw_err_set(j->err, TW_ENOMEM, "out of memory");
        x->v[x->n++] = e;
        rc = jscan_want(j, ':');
        if (rc == TW_OK)
            rc = jscan_string(j);
        if (rc == TW_OK && !(x->v[x->n - 1].file = tw_strdup(j->text.s)))
            rc = tw_err_set(j->err, TW_ENOMEM, "out of memory");
    }
    return rc;
}

static enum tw_status read_index(struct jscan *j, struct index *x)
{
    enum tw_status rc = jscan_want(j, '{');
    bool found = false;

    for (bool first = true; rc == TW_OK && !jscan_take(j, '}'); first = false) {
        bool map;

        if (!first)
            rc = jscan_want(j, ',');
        if (rc == TW_OK)
            rc = jscan_string(j);
        if (rc != TW_OK)
            return rc;
        map = !found && !strcmp(j->text.s, "weight_map");
        found = found || map;
        rc = jscan_want(j, ':');
        if (rc == TW_OK)
            rc = map ? read_map(j, x) : jscan_skip(j);
    }
    if (rc == TW_OK && !found)
        rc = tw_err_set(j->err, TW_EFORMAT,
                        "JSON text without 'weight_map': no index of a checkpoint in parts");
    return rc;
}

/* ---- the parts ---------------------------------------------------------------------------------
 */

/* One part, opened; NULL on failure. */
static struct tw_weights_file *open_part(const struct tw_weights_file *f, const char *file,
                                         struct tw_str *remarks, struct tw_err *err)
{
    const char *slash = strrchr(f->path, '/');
    struct tw_weights_file *part = NULL;
    struct tw_str path = { 0 };
    enum tw_kind kind = TW_KIND_OTHER;

    if (!*file || strchr(file, '/') || !strcmp(file, "..") || !strcmp(file, ".")) {
        (void)tw_err_set(err, TW_EFORMAT,
                         "the index names the file '%.100s'; files beside it alone are read", file);
        return NULL;
    }
    tw_str_addn(&path, f->path, slash ? (size_t)(slash - f->path) + 1 : 0);
    tw_str_add(&path, file);
    if (path.failed)
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (tw_kind_read(path.s, &kind, err) != TW_OK)
        (void)tw_err_ctx(err, err->code, "'%.100s'", file);
    else if (kind != TW_KIND_SAFETENSORS && kind != TW_KIND_ZIP && kind != TW_KIND_TORCH)
        (void)tw_err_set(err, TW_EFORMAT, "the part '%.100s' is %s", file, tw_kind_name(kind));
    else
        part = tw_weights_open(path.s, NULL, remarks, err);
    tw_str_release(&path);
    return part;
}

static int by_name(const void *pa, const void *pb)
{
    return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

/* All tensors that the index has in this part are there. */
static enum tw_status check_part(const struct entry *want, size_t n,
                                 const struct tw_weights_file *part, struct tw_err *err)
{
    const char **names = tw_alloc(part->n, sizeof *names);
    enum tw_status rc = TW_OK;

    if (!names)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < part->n; i++)
        names[i] = part->v[i].name;
    if (part->n)
        qsort(names, part->n, sizeof *names, by_name);
    for (size_t i = 0; i < n && rc == TW_OK; i++)
        if (!bsearch(&want[i].tensor, names, part->n, sizeof *names, by_name))
            rc = tw_err_set(err, TW_EFORMAT, "'%.100s' is not in '%.100s', where the index has it",
                            want[i].tensor, want[i].file);
    free(names);
    return rc;
}

static enum tw_status add_part(struct tw_weights_file *f, struct parts *p,
                               struct tw_weights_file *part, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    if (!tw_grow(&p->file, p->nfile, &p->cap_file, sizeof *p->file)) {
        tw_weights_close(part);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    p->file[p->nfile++] = part;
    f->bytes += part->bytes;
    for (size_t i = 0; i < part->n && rc == TW_OK; i++) {
        const struct tw_weight *w = &part->v[i];
        uint64_t dims[TW_MAX_RANK];

        for (int d = 0; d < w->rank; d++)
            dims[d] = w->dims[d];
        if (!tw_grow(&p->v, p->n, &p->cap, sizeof *p->v))
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        p->v[p->n].file = p->nfile - 1;
        p->v[p->n++].i = i;
        rc = weights_add(f, w->name, w->dtype, w->rank, dims, err);
    }
    for (size_t i = 0; i < part->nnote && p->nfile == 1 && rc == TW_OK;
         i++) /* others repeat them */
        rc = weights_note(f, part->note[i].key, part->note[i].value, err);
    return rc;
}

static enum tw_status read_parts(struct tw_weights_file *f, struct index *x, struct tw_str *remarks,
                                 struct tw_err *err)
{
    struct parts *p = tw_alloc(1, sizeof *p);
    enum tw_status rc = TW_OK;

    if (!p)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    p->io = (struct tw_weights_io){ parts_read, parts_close };
    f->io = &p->io;
    if (x->n)
        qsort(x->v, x->n, sizeof *x->v, by_file);
    for (size_t i = 0, k; i < x->n && rc == TW_OK; i = k) {
        struct tw_weights_file *part = open_part(f, x->v[i].file, remarks, err);

        if (!part)
            return err->code;
        for (k = i + 1; k < x->n && !strcmp(x->v[k].file, x->v[i].file); k++)
            ;
        rc = check_part(x->v + i, k - i, part, err);
        if (rc == TW_OK)
            rc = add_part(f, p, part, err);
        else
            tw_weights_close(part);
    }
    return rc;
}

enum tw_status weights_parts(struct tw_weights_file *f, struct tw_str *remarks, struct tw_err *err)
{
    struct jscan j = { .err = err };
    struct tw_bytes b = { 0 };
    struct index x = { 0 };
    uint64_t size = 0;
    int fd = tw_file_open(f->path, &size, err);
    enum tw_status rc = TW_OK;

    f->format = "in parts";
    if (fd < 0)
        return TW_EIO;
    (void)close(fd);
    if (size > MAX_INDEX)
        return tw_err_set(err, TW_EFORMAT,
                          "JSON text of %llu MB, which is no index of a checkpoint",
                          (unsigned long long)(size >> 20));
    rc = tw_file_bytes(f->path, &b, err);
    if (rc == TW_OK) {
        j.start = j.p = (const char *)b.p;
        j.end = j.start + b.n;
        rc = read_index(&j, &x);
    }
    free(b.p);
    tw_str_release(&j.text);
    if (rc == TW_OK)
        rc = read_parts(f, &x, remarks, err);
    for (size_t i = 0; i < x.n; i++) {
        free(x.v[i].tensor);
        free(x.v[i].file);
    }
    free(x.v);
    return rc;
}
