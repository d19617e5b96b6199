/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "h5_arrays.h"
#include "kind.h"
#include "npy.h"

/* ---- names --------------------------------------------------------------------------------- */

enum { NAMES = 4, NAME = 64 };

/* What an array may be called, the first that is there. */
struct names {
    char name[NAMES][NAME];
    const char *given; /* by the user: then that alone */
    size_t n;
};

static struct names names_of(char letter, const char *given, const char *split)
{
    struct names s = { .given = given };
    char capital = letter == 'x' ? 'X' : 'Y';

    (void)snprintf(s.name[s.n++], NAME, "%c", letter);
    (void)snprintf(s.name[s.n++], NAME, "%c", capital);
    if (split) {
        (void)snprintf(s.name[s.n++], NAME, "%c_%.20s", letter, split);
        (void)snprintf(s.name[s.n++], NAME, "%c_%.20s", capital, split);
    }
    return s;
}

static bool is_one(const struct names *s, const char *name)
{
    if (s->given)
        return !strcmp(s->given, name);
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->name[i], name))
            return true;
    return false;
}

static struct tw_array *find(const struct names *s, const struct tw_named_list *list, size_t *which)
{
    struct tw_array *a = NULL;

    *which = 0;
    if (s->given)
        return tw_named_find(list, s->given);
    for (size_t i = 0; i < s->n && !a; i++) {
        *which = i;
        a = tw_named_find(list, s->name[i]);
    }
    return a;
}

/* ---- files ----------------------------------------------------------------------------------- */

struct content {
    struct tw_named_list list;
    char *name, *normalisation; /* attributes */
    struct names x, y;
    bool labels;         /* a file of labels: its only array is y */
    bool stream, chosen; /* x is a sequence of tokens; the split is chosen already */
    struct tw_str files;
};

static void content_release(struct content *c)
{
    tw_named_release(&c->list);
    free(c->name);
    free(c->normalisation);
    tw_str_release(&c->files);
}

static enum tw_status attribute(const struct tw_h5_items *items, const char *path, char **s,
                                struct tw_err *err)
{
    const struct tw_h5_item *it = tw_h5_items_find(items, path, true);

    if (!it || it->values != TW_H5_TEXTS || it->n != 1)
        return TW_OK;
    *s = tw_strdup(it->data);
    return *s ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* /split as words. */
static enum tw_status split_words(const struct tw_h5_items *items, struct content *c,
                                  struct tw_err *err)
{
    const struct tw_h5_item *it = tw_h5_items_find(items, "/split", false);
    struct tw_array a = { 0 };
    const char *p = it ? it->data : NULL;
    enum tw_status rc = TW_OK;

    if (!it || it->values != TW_H5_TEXTS)
        return TW_OK;
    rc = tw_array_make(&a, TW_U8, 1, (const size_t[]){ (size_t)it->n }, err);
    for (size_t i = 0; i < a.n && rc == TW_OK; i++, p += strlen(p) + 1) {
        int k = data_split_number(p);

        if (k < 0)
            rc = tw_err_set(err, TW_EFORMAT,
                            "split: row %zu is '%.20s', expected train, test or validation", i, p);
        else
            ((uint8_t *)a.data)[i] = (uint8_t)k;
    }
    if (rc == TW_OK)
        rc = tw_named_add(&c->list, "split", &a, err);
    tw_array_release(&a);
    return rc;
}

static enum tw_status read_hdf5(const char *path, struct content *c, struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    enum tw_status rc = tw_h5_items_read(path, NULL, 0, TW_H5_ARRAYS, &items, err);

    if (rc == TW_OK && tw_h5_items_find(&items, "/@model_config", true))
        rc = tw_err_set(err, TW_EFORMAT, "this is a model of Keras, not a data set");
    if (rc == TW_OK)
        rc = attribute(&items, "/@name", &c->name, err);
    if (rc == TW_OK)
        rc = attribute(&items, "/@normalisation", &c->normalisation, err);
    if (rc == TW_OK)
        rc = split_words(&items, c, err);
    if (rc == TW_OK)
        rc = tw_h5_arrays(&items, &c->list, NULL, err);
    tw_h5_items_release(&items);
    return rc;
}

static bool wanted(const void *ctx, const char *name)
{
    const struct content *c = ctx;

    return is_one(&c->x, name) || is_one(&c->y, name) || !strcmp(name, "split");
}

static enum tw_status read_npz(const char *path, struct content *c, struct tw_err *err)
{
    enum tw_status rc = npz_read(path, NULL, wanted, c, &c->list, err);

    /* A single array may have any name; of several, a message will say what they are called. */
    return rc == TW_OK && c->list.n == 0 ? npz_read(path, NULL, NULL, NULL, &c->list, err) : rc;
}

static enum tw_status read_npy(const char *path, struct content *c, struct tw_err *err)
{
    struct tw_array a = { 0 };
    enum tw_status rc = npy_read_file(path, &a, err);

    if (rc == TW_OK)
        rc = tw_named_add(&c->list, c->labels ? "y" : "x", &a, err);
    tw_array_release(&a);
    return rc;
}

/* ---- files that name no arrays --------------------------------------------------------------- */

static enum tw_status add_part(struct content *c, const char *name, struct tw_array *a,
                               struct tw_err *err)
{
    enum tw_status rc = a->dtype == TW_NONE ? TW_OK : tw_named_add(&c->list, name, a, err);

    tw_array_release(a);
    return rc;
}

/* IDX, CIFAR, tokens, text, tables; else why it is none of them. */
static enum tw_status read_plain(const char *path, const char *head, size_t n, enum data_as as,
                                 struct content *c, const struct tw_data_options *o,
                                 bool labels_apart, struct tw_str *remarks, struct tw_err *err)
{
    const struct data_table table = { o->label, labels_apart, c->labels };
    const bool packed = n >= 2 && !memcmp(head, "\x1f\x8b", 2);
    const unsigned char *bytes = (const unsigned char *)head;
    struct data_parts p = { .whole = c->labels || !(o->split || o->limit || o->scale != 0.0 ||
                                                    o->nmean || o->nstd) };
    bool known = true;
    enum tw_status rc;

    if (as == DATA_ANY && (packed || data_is_idx(bytes, n)))
        rc = data_read_idx(path, &p.x, err);
    else if (as == DATA_ANY && (tw_str_ends(path, ".csv") || tw_str_ends(path, ".tsv")))
        rc = data_read_csv(path, &table, &p, remarks, err);
    else
        rc = data_read_plain(path, as, &known, &p, err);
    if (rc == TW_OK && !known)
        rc = tw_kind_foreign(path,
                             "HDF5, npz, npy, IDX, tables (.csv, .tsv), text (.txt, text:FILE) and "
                             "tokens (.bin, tokens:FILE)",
                             err);
    if (c->labels && p.y.dtype == TW_NONE) { /* the only array */
        tw_array_release(&p.y);
        p.y = p.x;
        p.x = (struct tw_array){ 0 };
    }
    c->stream = p.stream;
    if (rc == TW_OK && !c->labels)
        rc = add_part(c, "x", &p.x, err);
    if (rc == TW_OK && (!labels_apart || c->labels))
        rc = add_part(c, "y", &p.y, err);
    tw_array_release(&p.x);
    tw_array_release(&p.y);
    tw_str_release(&p.files);
    return rc;
}

static enum tw_status read_folder(const char *path, struct content *c,
                                  const struct tw_data_options *o, struct tw_err *err)
{
    struct data_parts p = { 0 };
    enum tw_status rc = data_read_folder(path, o->split, &p, err);

    if (rc == TW_OK)
        rc = add_part(c, "x", &p.x, err);
    if (rc == TW_OK)
        rc = add_part(c, "y", &p.y, err);
    if (rc == TW_OK && !o->split)
        rc = add_part(c, "split", &p.split, err);
    c->chosen = o->split != NULL;
    c->files = p.files;
    tw_array_release(&p.x);
    tw_array_release(&p.y);
    tw_array_release(&p.split);
    return rc;
}

/* "text:FILE" and "tokens:FILE" say what no first byte can. */
const char *tw_store_data_path(const char *name)
{
    static const char *const words[] = { "tokens:", "text:" };

    for (size_t i = 0; i < 2; i++)
        if (!strncmp(name, words[i], strlen(words[i])))
            return name + strlen(words[i]);
    return name;
}

static enum data_as said(const char **path)
{
    const char *name = *path;

    *path = tw_store_data_path(name);
    return *path == name ? DATA_ANY : name[1] == 'e' ? DATA_TEXT : DATA_TOKENS;
}

static enum tw_status read_content(const char *path, struct content *c,
                                   const struct tw_data_options *o, bool labels_apart,
                                   struct tw_str *remarks, struct tw_err *err)
{
    const enum data_as as = said(&path);
    unsigned char head[16] = { 0 };
    enum tw_kind kind = TW_KIND_OTHER;
    struct stat st;
    uint64_t size = 0;
    enum tw_status rc;
    size_t n = 0;
    int fd;

    if (as == DATA_ANY && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return read_folder(path, c, o, err);
    rc = as == DATA_ANY ? tw_kind_read(path, &kind, err) : TW_OK;
    fd = rc == TW_OK ? tw_file_open(path, &size, err) : -1;
    if (fd >= 0) {
        n = size < sizeof head ? (size_t)size : sizeof head;
        rc = tw_file_read(fd, 0, head, n, err);
        (void)close(fd);
    } else if (rc == TW_OK) {
        rc = TW_EIO;
    }
    if (rc != TW_OK)
        return rc;
    /* A table or tokens may begin as an ONNX model does. */
    if (kind == TW_KIND_ONNX && (tw_str_ends(path, ".bin") || tw_str_ends(path, ".txt")))
        kind = TW_KIND_OTHER;
    switch (kind) {
    case TW_KIND_HDF5:
        return read_hdf5(path, c, err);
    case TW_KIND_ZIP:
        return read_npz(path, c, err);
    case TW_KIND_NPY:
        return read_npy(path, c, err);
    case TW_KIND_ONNX:
        return tw_err_set(err, TW_EFORMAT, "this is an ONNX model, not a data set");
    default:
        return read_plain(path, (const char *)head, n, as, c, o, labels_apart, remarks, err);
    }
}

/* ---- the arrays ------------------------------------------------------------------------------ */

static enum tw_status not_there(const struct content *c, const struct names *s, struct tw_err *err)
{
    struct tw_str has = { 0 }, wants = { 0 };

    for (size_t i = 0; c->list.item && i < c->list.n && i < 8; i++)
        tw_str_addf(&has, "%s'%.40s'", i ? ", " : "", c->list.item[i].name);
    for (size_t i = 0; i < s->n && !s->given; i++)
        tw_str_addf(&wants, "%s'%s'", i ? ", " : "", s->name[i]);
    (void)tw_err_set(err, TW_EFORMAT, "no array %s%.60s%s; the file has %s%s", s->given ? "'" : "",
                     s->given  ? s->given
                     : wants.s ? wants.s
                               : "",
                     s->given ? "'" : "", has.s ? has.s : "none", c->list.n > 8 ? " and more" : "");
    tw_str_release(&has);
    tw_str_release(&wants);
    return TW_EFORMAT;
}

/* x, or the only array; *which: 2 and above are those of one split. */
static enum tw_status take(struct content *c, const struct names *s, bool must, struct tw_array *to,
                           size_t *which, struct tw_err *err)
{
    struct tw_array *a = find(s, &c->list, which);

    if (!a && !s->given && c->list.n == 1 && must)
        a = &c->list.item[0].array;
    if (!a)
        return must || s->given ? not_there(c, s, err) : TW_OK;
    if (a->rank == 0)
        return tw_err_set(err, TW_EFORMAT, "'%c' is one number, not a row a sample",
                          s == &c->x ? 'x' : 'y');
    *to = *a;
    *a = (struct tw_array){ 0 };
    return TW_OK;
}

struct reading {
    const struct tw_data_options *o;
    struct tw_dataset *out;
    struct tw_data_report *report;
    struct tw_str *remarks;
    struct tw_err *err;
    struct tw_array split;
    struct data_rows rows;
    bool chosen; /* the file has an array for each split */
};

static enum tw_status read_x(struct reading *r, const char *path, bool labels_apart)
{
    struct content c = { .x = names_of('x', r->o->x, r->o->split),
                         .y = names_of('y', r->o->y, r->o->split) };
    enum tw_status rc = read_content(path, &c, r->o, labels_apart, r->remarks, r->err);
    struct tw_array *split;
    size_t which = 0, ignored;

    if (rc == TW_OK)
        rc = take(&c, &c.x, true, &r->out->x, &which, r->err);
    if (rc == TW_OK && !labels_apart)
        rc = take(&c, &c.y, false, &r->out->y, &ignored, r->err);
    r->chosen = which >= 2 || c.chosen;
    r->out->stream = c.stream;
    if (rc == TW_OK && c.files.s) {
        r->report->files = c.files.s;
        c.files = (struct tw_str){ 0 };
    }
    split = tw_named_find(&c.list, "split");
    if (rc == TW_OK && split && !r->chosen) {
        r->split = *split;
        *split = (struct tw_array){ 0 };
    }
    if (rc == TW_OK && r->o->split && !r->chosen && !c.stream && r->split.dtype == TW_NONE)
        rc = tw_err_set(r->err, TW_EFORMAT,
                        "no array 'split' that says which samples are for %.20s (0 train, 1 test, "
                        "2 validation), and no 'x_%.20s'",
                        r->o->split, r->o->split);
    if (rc == TW_OK && c.normalisation && r->remarks && r->o->scale == 0.0 && !r->o->nmean &&
        !r->o->nstd)
        tw_str_addf(r->remarks, "x is taken as it is; the file says: %.100s.\n", c.normalisation);
    r->out->name = c.name;
    c.name = NULL;
    content_release(&c);
    return rc == TW_OK ? rc : tw_err_ctx(r->err, rc, "%s", path);
}

static enum tw_status read_labels(struct reading *r, const char *path)
{
    struct content c = { .x = names_of('y', NULL, NULL),
                         .y = names_of('y', r->o->y, r->o->split),
                         .labels = true };
    enum tw_status rc = read_content(path, &c, r->o, false, r->remarks, r->err);
    size_t which;

    if (rc == TW_OK)
        rc = take(&c, &c.y, true, &r->out->y, &which, r->err);
    content_release(&c);
    return rc == TW_OK ? rc : tw_err_ctx(r->err, rc, "%s", path);
}

/* MNIST's labels lie beside the pictures. */
static enum tw_status find_labels(struct reading *r, const char *path, char **labels)
{
    struct tw_str files = { 0 };

    *labels = data_idx_labels(path);
    if (!*labels)
        return TW_OK;
    tw_str_addf(&files, "%s\n%s\n", path, *labels);
    if (r->remarks)
        tw_str_addf(r->remarks, "the labels are those of %.200s.\n", *labels);
    free(r->report->files);
    r->report->files = files.s;
    return files.failed ? tw_err_set(r->err, TW_ENOMEM, "out of memory") : TW_OK;
}

static enum tw_status finish(struct reading *r)
{
    struct tw_array *x = &r->out->x, *y = &r->out->y;
    enum tw_status rc;

    /* Rows of nothing cost no byte of the file, but memory here. */
    if (x->n == 0 && x->dims[0] > 0)
        return tw_err_set(r->err, TW_EFORMAT, "x holds no numbers");
    r->report->samples = x->dims[0];
    if (r->out->stream)
        return y->dtype == TW_NONE ? TW_OK : data_refuse_stream(r->err);
    if (y->dtype != TW_NONE && y->dims[0] != x->dims[0])
        return tw_err_set(r->err, TW_EFORMAT, "x has %zu rows and y has %zu", x->dims[0],
                          y->dims[0]);
    rc = data_choose(r->o, x->dims[0], &r->split, &r->rows, r->report, r->remarks, r->err);
    if (rc == TW_OK)
        rc = data_keep(x, &r->rows, r->err);
    if (rc == TW_OK && y->dtype != TW_NONE)
        rc = data_keep(y, &r->rows, r->err);
    if (rc == TW_OK && y->dtype != TW_NONE && r->o->classes)
        rc = data_classes(y, &r->rows, &r->report->nclass, r->err);
    if (rc == TW_OK)
        rc = data_scale(x, r->o, r->err);
    if (rc != TW_OK)
        return rc;
    r->report->nonfinite = data_nonfinite(x);
    if (r->report->nonfinite && r->remarks)
        tw_str_addf(r->remarks, "%zu numbers of x are not finite (NaN or infinite).\n",
                    r->report->nonfinite);
    if (r->remarks && r->remarks->failed)
        rc = tw_err_set(r->err, TW_ENOMEM, "out of memory");
    return rc;
}

enum tw_status tw_store_data_read(const char *path, const char *labels_path,
                                  const struct tw_data_options *options, struct tw_dataset *out,
                                  struct tw_data_report *report, struct tw_str *remarks,
                                  struct tw_err *err)
{
    static const struct tw_data_options none;
    struct tw_data_report own_report = { 0 };
    struct reading r = { .o = options ? options : &none,
                         .out = out,
                         .report = report ? report : &own_report,
                         .remarks = remarks,
                         .err = err };
    enum tw_status rc = TW_OK;
    char *beside = NULL;

    *out = (struct tw_dataset){ 0 };
    *r.report = (struct tw_data_report){ 0 };
    if (r.o->split && data_split_number(r.o->split) < 0)
        return tw_err_set(err, TW_EINVAL, "no split '%.20s'; there are train, test and validation",
                          r.o->split);
    rc = read_x(&r, path, labels_path != NULL);
    if (rc == TW_OK && !labels_path && out->y.dtype == TW_NONE)
        rc = find_labels(&r, path, &beside);
    labels_path = beside ? beside : labels_path;
    if (rc == TW_OK && labels_path)
        rc = read_labels(&r, labels_path);
    if (rc == TW_OK) {
        rc = finish(&r);
        if (rc != TW_OK)
            (void)tw_err_ctx(err, rc, "%s", path);
    }
    tw_array_release(&r.split);
    free(r.rows.row);
    free(beside);
    free(own_report.files);
    if (rc != TW_OK)
        tw_dataset_release(out);
    return rc;
}
