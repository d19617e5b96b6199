/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `thalweg train` trains on: samples in two parts, or windows of a text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/store_data.h"
#include "train.h"

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

void train_data_release(struct train_data *d)
{
    tw_dataset_release(&d->train);
    tw_dataset_release(&d->validation);
    free(d->text);
    free(d->text_file);
    *d = (struct train_data){ 0 };
}

enum tw_status train_seed(const char *text, uint64_t standard, const char *option, uint64_t *seed,
                          struct tw_err *err)
{
    char *end = NULL;

    *seed = standard;
    if (!text)
        return TW_OK;
    *seed = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end)
        return tw_err_set(err, TW_EINVAL, "--%s: '%s' is not a whole number of 64 bits", option,
                          text);
    return TW_OK;
}

/* ---- which part is for validation ------------------------------------------------------------ */

enum part { OF_FILE, NONE, STRATIFIED, FIRST };
struct parts {
    enum part how;
    bool given;
    double share;
};

static enum tw_status read_parts(const char *text, struct parts *p, struct tw_err *err)
{
    const bool first = text && !strncmp(text, "first:", 6);

    *p = (struct parts){ OF_FILE, text != NULL, 0.1 };
    if (!text || !strcmp(text, "split"))
        return TW_OK;
    if (!strcmp(text, "none")) {
        p->how = NONE;
        return TW_OK;
    }
    p->how = first ? FIRST : STRATIFIED;
    if (!tw_str_to_real(first ? text + 6 : text, &p->share) || !(p->share > 0.0 && p->share < 1.0))
        return tw_err_set(err, TW_EINVAL,
                          "--validation: '%s' is none of split, none, a share as 0.2 (of every "
                          "class), first:SHARE",
                          text);
    return TW_OK;
}

/* Some rows of an array. */
static enum tw_status take_rows(const struct tw_array *from, const size_t *row, size_t n,
                                struct tw_array *to, struct tw_err *err)
{
    size_t dims[TW_MAX_RANK], size;
    enum tw_status rc;

    if (from->dtype == TW_NONE)
        return TW_OK;
    memcpy(dims, from->dims, sizeof dims);
    dims[0] = n;
    rc = tw_array_make(to, from->dtype, from->rank, dims, err);
    if (rc != TW_OK)
        return rc;
    size = from->n / from->dims[0] * tw_dtype_size(from->dtype);
    for (size_t i = 0; i < n; i++)
        memcpy((char *)to->data + i * size, (const char *)from->data + row[i] * size, size);
    return TW_OK;
}

/* 64-bit keys in which samples of one class lie together, in random order. */
struct key {
    int64_t class;
    uint64_t random;
    size_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->random != y->random)
        return x->random < y->random ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* mine[i]: row i is for validation. Of each class, in random order, the samples at which the
 * running count of the share passes a whole number: so each class, and the whole, has its share to
 * within one sample. */
static enum tw_status choose_share(const struct tw_dataset *all, const struct parts *p,
                                   uint64_t seed, bool *mine, struct tw_err *err)
{
    const size_t n = all->x.dims[0];
    const bool classes =
        all->y.dtype != TW_NONE && !tw_dtype_is_real(all->y.dtype) && all->y.n == n;
    struct key *key = tw_alloc(n, sizeof *key);

    if (!key)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        struct tw_rng rng = tw_rng_stream(seed, TW_RNG_SPLIT, i);

        key[i].row = i;
        if (p->how == STRATIFIED) {
            key[i].class = classes ? tw_array_int(&all->y, i) : 0;
            key[i].random = tw_rng_u64(&rng);
        }
    }
    qsort(key, n, sizeof *key, by_key);
    for (size_t i = 0; i < n; i++)
        mine[key[i].row] = p->how == FIRST ? (double)i < floor(p->share * (double)n + 0.5)
                                           : floor(p->share * (double)(i + 1) + 0.5) >
                                                 floor(p->share * (double)i + 0.5);
    free(key);
    return TW_OK;
}

static enum tw_status divide(struct tw_dataset *all, const struct parts *p, uint64_t seed,
                             struct train_data *d, struct tw_err *err)
{
    const size_t n = all->x.dims[0];
    bool *mine = tw_alloc(n, sizeof *mine);
    size_t *row = tw_alloc(n, sizeof *row), k = 0, rest = n;
    enum tw_status rc = mine && row ? choose_share(all, p, seed, mine, err) : no_memory(err);

    for (size_t i = 0; i < n && rc == TW_OK; i++)
        if (mine[i])
            row[--rest] = i;
        else
            row[k++] = i;
    if (rc == TW_OK && (k == 0 || rest == n))
        rc = tw_err_set(err, TW_EINVAL, "--validation: %g of %zu samples leaves nothing to %s",
                        p->share, n, k ? "validate on" : "train on");
    if (rc == TW_OK)
        rc = take_rows(&all->x, row, k, &d->train.x, err);
    if (rc == TW_OK)
        rc = take_rows(&all->y, row, k, &d->train.y, err);
    if (rc == TW_OK)
        rc = take_rows(&all->x, row + rest, n - rest, &d->validation.x, err);
    if (rc == TW_OK)
        rc = take_rows(&all->y, row + rest, n - rest, &d->validation.y, err);
    free(mine);
    free(row);
    return rc;
}

/* The part of a file that its split names; false if it has none such. */
static bool read_part(struct tw_call *call, const struct train_opts *o, const char *split,
                      struct tw_dataset *to)
{
    const bool quiet = call->common.quiet;
    struct tw_net_opts net = o->net;
    bool good;

    net.split = split;
    call->common.quiet = quiet || strcmp(split, "train") != 0; /* said once */
    good = tw_load_data(call, &net, to, NULL) == TW_OK;
    call->common.quiet = quiet;
    if (!good)
        call->err = (struct tw_err){ 0 };
    return good;
}

static enum tw_status load_samples(struct tw_call *call, const struct train_opts *o,
                                   const struct parts *p, uint64_t seed, struct train_data *d)
{
    struct tw_dataset all = { 0 };
    enum tw_status rc;

    if (p->how == OF_FILE && read_part(call, o, "train", &d->train)) {
        if (read_part(call, o, "validation", &d->validation) ||
            read_part(call, o, "test", &d->validation))
            return TW_OK;
        return tw_err_set(&call->err, TW_EFORMAT,
                          "%s: its split has samples for training, but none for validation or test",
                          o->net.data);
    }
    if (p->how == OF_FILE && p->given)
        return tw_err_set(&call->err, TW_EFORMAT,
                          "--validation=split: %s does not say which samples are for training",
                          o->net.data);
    rc = tw_load_data(call, &o->net, p->how == NONE ? &d->train : &all, NULL);
    if (rc == TW_OK && (all.stream || d->train.stream))
        rc = tw_err_set(&call->err, TW_EFORMAT,
                        "%s: tokens are evaluated on, but not trained on; the bytes of a text are "
                        "(text:FILE)",
                        o->net.data);
    if (rc == TW_OK && p->how != NONE) {
        const struct parts standard = { STRATIFIED, false, p->share };

        rc = divide(&all, p->how == OF_FILE ? &standard : p, seed, d, &call->err);
    }
    tw_dataset_release(&all);
    return rc;
}

/* ---- wrong labels ---------------------------------------------------------------------------- */

/* Each label becomes, with probability p, one of the other classes, all equally likely (symmetric
 * noise: van Rooyen, Menon, Williamson 2015, arXiv:1505.07634, section 2). */
static enum tw_status add_noise(struct tw_array *y, double p, uint64_t seed, struct tw_err *err)
{
    int64_t classes = 0;

    if (y->dtype == TW_NONE || tw_dtype_is_real(y->dtype))
        return tw_err_set(err, TW_EINVAL, "--label-noise: the targets are no classes");
    for (size_t i = 0; i < y->n; i++)
        classes = tw_array_int(y, i) >= classes ? tw_array_int(y, i) + 1 : classes;
    for (size_t i = 0; i < y->n && classes > 1; i++) {
        struct tw_rng rng = tw_rng_stream(seed, TW_RNG_LABEL, i);
        const int64_t old = tw_array_int(y, i);

        if (old >= 0 && tw_rng_real(&rng) < p) {
            const int64_t other = (int64_t)tw_rng_below(&rng, (uint64_t)classes - 1);

            tw_array_set_int(y, i, other + (other >= old ? 1 : 0));
        }
    }
    return TW_OK;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* n windows of ctx bytes, each `step` after the one before, and what follows each byte. */
static enum tw_status make_windows(struct tw_dataset *d, size_t n, size_t ctx, struct tw_err *err)
{
    const size_t dims[2] = { n, ctx };
    const enum tw_status rc = tw_array_make(&d->x, TW_U8, 2, dims, err);

    return rc == TW_OK ? tw_array_make(&d->y, TW_U8, 2, dims, err) : rc;
}

static void put_window(struct tw_dataset *d, size_t i, size_t ctx, const unsigned char *text)
{
    memcpy((unsigned char *)d->x.data + i * ctx, text, ctx);
    memcpy((unsigned char *)d->y.data + i * ctx, text + 1, ctx);
}

static enum tw_status load_text(struct tw_call *call, const struct train_opts *o,
                                const struct parts *p, const char *path, struct train_data *d)
{
    const bool first = p->how == FIRST;
    size_t n, nval, windows;
    enum tw_status rc = tw_store_text_read(path, &d->text, &n, &call->err);

    if (rc != TW_OK)
        return rc;
    d->is_text = true;
    nval = p->how == NONE ? 0 : (size_t)floor(p->share * (double)n);
    for (size_t i = 0; i < n; i++)
        d->largest = d->text[i] > d->largest ? d->text[i] : d->largest;
    windows = nval ? (nval - 1) / d->ctx : 0;
    d->ntext = n - nval;
    if (d->ntext <= d->ctx || (nval && !windows))
        return tw_err_set(&call->err, TW_EFORMAT,
                          "%s: %zu bytes are too few for windows of %zu, with %zu for validation",
                          path, n, d->ctx, nval);
    if (windows)
        rc = make_windows(&d->validation, windows, d->ctx, &call->err);
    for (size_t i = 0; i < windows && rc == TW_OK; i++)
        put_window(&d->validation, i, d->ctx, d->text + (first ? 0 : d->ntext) + i * d->ctx);
    if (first)
        memmove(d->text, d->text + nval, d->ntext);
    if (rc == TW_OK && o->label_noise > 0.0)
        rc = tw_err_set(&call->err, TW_EINVAL, "--label-noise: a text has no labels");
    return rc;
}

enum tw_status train_windows_make(struct train_windows *w, const struct train_data *from,
                                  size_t batch, uint64_t seed, struct tw_err *err)
{
    *w = (struct train_windows){ .from = from, .seed = seed };
    return make_windows(&w->batch, batch, from->ctx, err);
}

/* Every window anywhere in the text, by the stream (seed, TW_RNG_BATCH, branch and update). */
enum tw_status train_windows_fill(void *ctx, size_t step, uint64_t branch, struct tw_err *err)
{
    struct train_windows *w = ctx;
    const struct train_data *d = w->from;
    struct tw_rng rng = tw_rng_stream(w->seed, TW_RNG_BATCH, branch << 40 | step);

    (void)err;
    for (size_t i = 0; i < w->batch.x.dims[0]; i++)
        put_window(&w->batch, i, d->ctx, d->text + tw_rng_below(&rng, d->ntext - d->ctx));
    return TW_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* "text:PATH", or a file named .txt; NULL: none. */
static const char *text_path(const char *data)
{
    const size_t n = strlen(data);

    if (!strncmp(data, "text:", 5))
        return data + 5;
    return n > 4 && !strcmp(data + n - 4, ".txt") ? data : NULL;
}

enum tw_status train_data_load(struct tw_call *call, const struct train_opts *o, size_t ctx,
                               struct train_data *d, struct tw_cmd_provenance *prov)
{
    const char *text = text_path(o->net.data), *path = text ? text : o->net.data;
    struct parts p;
    uint64_t split = 0, noise = 0;
    enum tw_status rc = read_parts(o->validation, &p, &call->err);

    if (rc == TW_OK)
        rc = train_seed(o->split_seed, call->common.seed, "split-seed", &split, &call->err);
    if (rc == TW_OK)
        rc = train_seed(o->noise_seed, call->common.seed, "noise-seed", &noise, &call->err);
    if (rc == TW_OK && text && ctx == 0)
        rc = tw_err_set(&call->err, TW_EINVAL,
                        "%s is a text, and the network takes no tokens (gpt does)", path);
    d->ctx = ctx;
    if (rc == TW_OK)
        rc = text ? load_text(call, o, &p, path, d) : load_samples(call, o, &p, split, d);
    if (rc == TW_OK && o->label_noise > 0.0 && !text)
        rc = add_noise(&d->train.y, o->label_noise, noise, &call->err);
    if (rc == TW_OK)
        rc = tw_digest_file(path, d->digest, &call->err);
    if (rc == TW_OK)
        rc = tw_cmd_provenance_input(prov, path, d->digest, &call->err);
    if (rc == TW_OK && o->net.labels)
        rc = tw_cmd_provenance_input(prov, o->net.labels, NULL, &call->err);
    return rc;
}
