/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `thalweg train` trains on: samples in two parts, or windows of a sequence of tokens. */
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
    tw_array_release(&d->tokens);
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

/* ---- tokens and text ------------------------------------------------------------------------- */

/* n windows of ctx tokens, and what follows each token. */
static enum tw_status make_windows(struct tw_dataset *d, enum tw_dtype type, size_t n, size_t ctx,
                                   struct tw_err *err)
{
    const size_t dims[2] = { n, ctx };
    const enum tw_status rc = tw_array_make(&d->x, type, 2, dims, err);

    return rc == TW_OK ? tw_array_make(&d->y, type, 2, dims, err) : rc;
}

static void put_window(struct tw_dataset *d, size_t i, const struct tw_array *tokens, size_t at)
{
    const size_t size = tw_dtype_size(tokens->dtype), n = d->x.dims[1] * size;
    const char *from = (const char *)tokens->data + at * size;

    memcpy((char *)d->x.data + i * n, from, n);
    memcpy((char *)d->y.data + i * n, from + size, n);
}

/* Takes the sequence that was read into `all`. */
static enum tw_status load_tokens(struct tw_call *call, const struct train_opts *o,
                                  const struct parts *p, struct tw_dataset *all,
                                  struct train_data *d)
{
    const size_t n = all->x.n, nval = p->how == NONE ? 0 : (size_t)floor(p->share * (double)n);
    const size_t windows = nval && d->ctx ? (nval - 1) / d->ctx : 0;
    const bool first = p->how == FIRST;
    enum tw_status rc = TW_OK;

    d->tokens = all->x;
    all->x = (struct tw_array){ 0 };
    d->ntokens = n - nval;
    d->begin = first ? nval : 0;
    if (d->ctx == 0)
        return tw_err_set(&call->err, TW_EINVAL,
                          "%s is a sequence of tokens, and the network takes no tokens (gpt does)",
                          o->net.data);
    if (o->label_noise > 0.0)
        return tw_err_set(&call->err, TW_EINVAL, "--label-noise: tokens have no labels");
    if (d->ntokens <= d->ctx || (nval && !windows))
        return tw_err_set(&call->err, TW_EFORMAT,
                          "%s: %zu tokens are too few for windows of %zu, with %zu for validation",
                          o->net.data, n, d->ctx, nval);
    if (windows)
        rc = make_windows(&d->validation, d->tokens.dtype, windows, d->ctx, &call->err);
    for (size_t i = 0; i < windows && rc == TW_OK; i++)
        put_window(&d->validation, i, &d->tokens, (first ? 0 : d->ntokens) + i * d->ctx);
    return rc;
}

enum tw_status train_tokens_check(const struct train_data *d, const char *path, size_t classes,
                                  struct tw_err *err)
{
    int64_t largest = 0;
    size_t bad = SIZE_MAX;

    for (size_t i = 0; i < d->tokens.n; i++) {
        const int64_t token = tw_array_int(&d->tokens, i);

        largest = token > largest ? token : largest;
        if (bad == SIZE_MAX && token >= (int64_t)classes)
            bad = i;
    }
    if (bad == SIZE_MAX)
        return TW_OK;
    return tw_err_set(err, TW_EFORMAT,
                      "%s: token %zu is %lld, but the network has %zu classes, numbered from 0: "
                      "vocab=%lld takes all tokens of the file",
                      path, bad, (long long)tw_array_int(&d->tokens, bad), classes,
                      (long long)(d->tokens.dtype == TW_U8 ? 256 : largest + 1));
}

enum tw_status train_windows_make(struct train_windows *w, const struct train_data *from,
                                  size_t batch, uint64_t seed, struct tw_err *err)
{
    *w = (struct train_windows){ .from = from, .seed = seed };
    return make_windows(&w->batch, from->tokens.dtype, batch, from->ctx, err);
}

/* Windows anywhere in the sequence, by the stream (seed, TW_RNG_BATCH, branch and update). */
enum tw_status train_windows_fill(void *ctx, size_t step, uint64_t branch, struct tw_err *err)
{
    struct train_windows *w = ctx;
    const struct train_data *d = w->from;
    struct tw_rng rng = tw_rng_stream(w->seed, TW_RNG_BATCH, branch << 40 | step);

    (void)err;
    for (size_t i = 0; i < w->batch.x.dims[0]; i++)
        put_window(&w->batch, i, &d->tokens, d->begin + tw_rng_below(&rng, d->ntokens - d->ctx));
    return TW_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The part of a file that its split names; false if it has none such. */
static bool read_part(struct tw_call *call, const struct train_opts *o, const char *split,
                      struct tw_dataset *to, struct tw_cmd_provenance *prov)
{
    const bool quiet = call->common.quiet;
    struct tw_net_opts net = o->net;
    bool good;

    net.split = split;
    call->common.quiet = quiet || strcmp(split, "train") != 0; /* said once */
    good = tw_load_data(call, &net, to, prov) == TW_OK;
    call->common.quiet = quiet;
    if (!good)
        call->err = (struct tw_err){ 0 };
    return good;
}

static enum tw_status load_samples(struct tw_call *call, const struct train_opts *o,
                                   const struct parts *p, uint64_t seed, struct train_data *d,
                                   struct tw_cmd_provenance *prov)
{
    struct tw_dataset all = { 0 };
    enum tw_status rc;

    if (p->how == OF_FILE && read_part(call, o, "train", &d->train, prov)) {
        if (read_part(call, o, "validation", &d->validation, prov) ||
            read_part(call, o, "test", &d->validation, prov))
            return TW_OK;
        return tw_err_set(&call->err, TW_EFORMAT,
                          "%s: its split has samples for training, but none for validation or test",
                          o->net.data);
    }
    if (p->how == OF_FILE && p->given)
        return tw_err_set(&call->err, TW_EFORMAT,
                          "--validation=split: %s does not say which samples are for training",
                          o->net.data);
    rc = tw_load_data(call, &o->net, &all, prov);
    if (rc == TW_OK && all.stream) {
        rc = load_tokens(call, o, p, &all, d);
    } else if (rc == TW_OK && p->how == NONE) {
        d->train = all;
        all = (struct tw_dataset){ 0 };
    } else if (rc == TW_OK) {
        const struct parts standard = { STRATIFIED, false, p->share };

        rc = divide(&all, p->how == OF_FILE ? &standard : p, seed, d, &call->err);
    }
    tw_dataset_release(&all);
    return rc;
}

enum tw_status train_data_load(struct tw_call *call, const struct train_opts *o, size_t ctx,
                               struct train_data *d, struct tw_cmd_provenance *prov)
{
    struct parts p;
    uint64_t split = 0, noise = 0;
    enum tw_status rc = read_parts(o->validation, &p, &call->err);

    if (rc == TW_OK)
        rc = train_seed(o->split_seed, call->common.seed, "split-seed", &split, &call->err);
    if (rc == TW_OK)
        rc = train_seed(o->noise_seed, call->common.seed, "noise-seed", &noise, &call->err);
    d->ctx = ctx;
    if (rc == TW_OK)
        rc = load_samples(call, o, &p, split, d, prov);
    if (rc == TW_OK && o->label_noise > 0.0)
        rc = add_noise(&d->train.y, o->label_noise, noise, &call->err);
    return rc;
}
