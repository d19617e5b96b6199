/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The greeting of an evaluator: what its network is, and what it can do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "twep.h"

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* ---- tensors -------------------------------------------------------------------------------- */

static enum tw_status role(struct tw_param *p, const struct tw_twep_value *kind, struct tw_err *err)
{
    static const struct {
        const char *kind;
        enum tw_role role;
    } kinds[] = {
        { "weight", TW_ROLE_WEIGHT },   { "bias", TW_ROLE_BIAS },
        { "norm", TW_ROLE_NORM_SCALE }, { "embedding", TW_ROLE_EMBEDDING },
        { "buffer", TW_ROLE_BUFFER },
    };

    if (!kind) {
        p->role = p->rank >= 2 ? TW_ROLE_WEIGHT : TW_ROLE_BIAS;
        return TW_OK;
    }
    for (size_t i = 0; kind->type == TW_TWEP_TEXT && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind->text, kinds[i].kind)) {
            p->role = kinds[i].role;
            if (p->role == TW_ROLE_NORM_SCALE &&
                (tw_str_ends(p->name, "bias") || tw_str_ends(p->name, "beta") ||
                 tw_str_ends(p->name, "shift")))
                p->role = TW_ROLE_NORM_SHIFT;
            return TW_OK;
        }
    return tw_err_set(err, TW_EFORMAT,
                      "the kind of tensor %.80s is none of weight, bias, norm, embedding, buffer",
                      p->name);
}

static enum tw_status shape(const struct tw_twep_line *l, const struct tw_twep_value *v,
                            struct tw_param *p, struct tw_err *err)
{
    if (!v || v->type != TW_TWEP_ARRAY)
        return tw_err_set(err, TW_EFORMAT, "tensor %.80s has no shape", p->name);
    p->n = 1;
    for (size_t i = (size_t)(v - l->v) + 1; i < v->next; i = l->v[i].next) {
        size_t d;

        if (p->rank == TW_MAX_RANK)
            return tw_err_set(err, TW_EFORMAT, "tensor %.80s has more than %d axes", p->name,
                              TW_MAX_RANK);
        if (!tw_twep_is_size(&l->v[i], &d) || d == 0)
            return tw_err_set(err, TW_EFORMAT,
                              "the shape of tensor %.80s holds what is no whole number above 0",
                              p->name);
        if (p->n > ((size_t)1 << 48) / d)
            return tw_err_set(err, TW_EFORMAT, "tensor %.80s is too large", p->name);
        p->dims[p->rank++] = d;
        p->n *= d;
    }
    return TW_OK;
}

/* The axis of a weight that counts neurons: the first unless said. */
static enum tw_status filter(const struct tw_twep_value *v, struct tw_param *p, struct tw_err *err)
{
    const bool counts = (p->role == TW_ROLE_WEIGHT && p->rank >= 2) || p->role == TW_ROLE_EMBEDDING;

    p->filter_axis = counts ? 0 : -1;
    if (!v)
        return TW_OK;
    if (v->type != TW_TWEP_NUMBER || !(v->number >= -1.0 && v->number < (double)p->rank) ||
        v->number != floor(v->number))
        return tw_err_set(err, TW_EFORMAT, "the filter axis of tensor %.80s is none of its axes",
                          p->name);
    p->filter_axis = (int)v->number;
    return TW_OK;
}

static enum tw_status layer(const struct tw_twep_value *v, struct tw_param *p, struct tw_err *err)
{
    const char *dot = strrchr(p->name, '.'), *slash = strrchr(p->name, '/');

    dot = !dot || (slash && slash > dot) ? slash : dot;
    if (v && v->type == TW_TWEP_TEXT)
        p->layer = tw_strdup(v->text);
    else
        p->layer = dot ? tw_strndup(p->name, (size_t)(dot - p->name)) : tw_strdup(p->name);
    return p->layer ? TW_OK : no_memory(err);
}

static enum tw_status tensor(const struct tw_twep_line *l, size_t at, struct tw_param *p,
                             struct tw_err *err)
{
    const struct tw_twep_value *name = tw_twep_find(l, at, "name");
    enum tw_status rc;

    if (!name || name->type != TW_TWEP_TEXT || !*name->text)
        return tw_err_set(err, TW_EFORMAT, "a tensor has no name");
    p->name = tw_strdup(name->text);
    if (!p->name)
        return no_memory(err);
    rc = shape(l, tw_twep_find(l, at, "shape"), p, err);
    if (rc == TW_OK)
        rc = role(p, tw_twep_find(l, at, "kind"), err);
    if (rc == TW_OK)
        rc = filter(tw_twep_find(l, at, "filter"), p, err);
    return rc == TW_OK ? layer(tw_twep_find(l, at, "layer"), p, err) : rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum tw_status check_names(const struct tw_layout *l, struct tw_err *err)
{
    const size_t n = l->nparam + l->nbuffer;
    const char **names = tw_alloc(n, sizeof *names);
    enum tw_status rc = TW_OK;

    if (!names)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        names[i] = l->param[i].name;
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 1; i < n && rc == TW_OK; i++)
        if (!strcmp(names[i - 1], names[i]))
            rc = tw_err_set(err, TW_EFORMAT, "two tensors are called %.80s", names[i]);
    free(names);
    return rc;
}

/* Parameters first, then buffers, each in the order of the list. */
static enum tw_status tensors(const struct tw_twep_line *l, struct tw_layout *to,
                              struct tw_err *err)
{
    const struct tw_twep_value *list = tw_twep_find(l, 0, "tensors");
    size_t count = 0, first, k;

    if (!list || list->type != TW_TWEP_ARRAY)
        return tw_err_set(err, TW_EFORMAT, "it lists no tensors");
    first = (size_t)(list - l->v) + 1;
    for (size_t i = first; i < list->next; i = l->v[i].next)
        count++;
    to->param = tw_alloc(count, sizeof *to->param);
    if (!to->param)
        return no_memory(err);
    k = 0;
    for (int buffers = 0; buffers < 2; buffers++)
        for (size_t i = first; i < list->next; i = l->v[i].next) {
            const struct tw_twep_value *kind = tw_twep_find(l, i, "kind");
            const bool is = kind && kind->type == TW_TWEP_TEXT && !strcmp(kind->text, "buffer");
            size_t *total = buffers ? &to->nb : &to->n;
            struct tw_param *p = &to->param[k];
            enum tw_status rc;

            if (is != (buffers == 1))
                continue;
            *(buffers ? &to->nbuffer : &to->nparam) += 1; /* counted before it is freed */
            k++;
            rc = tensor(l, i, p, err);
            if (rc != TW_OK)
                return rc;
            p->offset = *total;
            *total += p->n;
            if (*total > (size_t)1 << 48)
                return tw_err_set(err, TW_EFORMAT, "the tensors are too large");
        }
    if (to->n == 0)
        return tw_err_set(err, TW_EFORMAT, "its network has no parameters");
    return check_names(to, err);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static enum tw_status abilities(const struct tw_twep_line *l, struct tw_twep_greeting *g,
                                struct tw_err *err)
{
    static const struct {
        const char *name;
        unsigned bit;
    } words[] = {
        { "loss", TW_TWEP_LOSS },       { "grad", TW_TWEP_GRAD },
        { "jvp", TW_TWEP_JVP },         { "hvp", TW_TWEP_HVP },
        { "samples", TW_TWEP_SAMPLES }, { "error_rate", TW_TWEP_ERROR },
        { "weights", TW_TWEP_WEIGHTS }, { "correct", TW_TWEP_CORRECT },
        { "logits", TW_TWEP_LOGITS },   { "logit_jvp", TW_TWEP_LOGIT_JVP },
        { "labels", TW_TWEP_LABELS },
    };
    const struct tw_twep_value *can = tw_twep_find(l, 0, "can");

    if (can && can->type == TW_TWEP_ARRAY)
        for (size_t i = (size_t)(can - l->v) + 1; i < can->next; i = l->v[i].next)
            for (size_t k = 0; k < sizeof words / sizeof *words; k++)
                if (l->v[i].type == TW_TWEP_TEXT && !strcmp(l->v[i].text, words[k].name))
                    g->can |= words[k].bit;
    if (!(g->can & TW_TWEP_LOSS))
        return tw_err_set(err, TW_EFORMAT, "it cannot give a loss (\"can\" lacks \"loss\")");
    if (g->n == 0 && (g->can & (TW_TWEP_SAMPLES | TW_TWEP_LOGITS)))
        return tw_err_set(err, TW_EFORMAT,
                          "it offers values of each sample, but does not say how many (\"n\")");
    if (!(g->can & TW_TWEP_SAMPLES))
        g->can &= ~(unsigned)(TW_TWEP_WEIGHTS | TW_TWEP_CORRECT);
    if (g->can & TW_TWEP_CORRECT)
        g->can |= TW_TWEP_ERROR;
    if ((g->can & TW_TWEP_LOGITS) && g->width == 0)
        return tw_err_set(err, TW_EFORMAT,
                          "it offers logits, but does not say how many (\"width\")");
    if (!(g->can & TW_TWEP_LOGITS))
        g->can &= ~(unsigned)(TW_TWEP_LOGIT_JVP | TW_TWEP_LABELS);
    if (g->classes == 0)
        g->classes = g->width;
    if (g->width && g->width % g->classes)
        return tw_err_set(err, TW_EFORMAT,
                          "its %zu logits of a sample (\"width\") are no whole number of softmaxes "
                          "of %zu \"classes\"",
                          g->width, g->classes);
    return TW_OK;
}

/* A number, or a list of names. */
static enum tw_status checkpoints(const struct tw_twep_line *l, struct tw_twep_greeting *g,
                                  struct tw_err *err)
{
    enum { MOST = 100000 };
    const struct tw_twep_value *v = tw_twep_find(l, 0, "checkpoints");
    size_t n = 0, i = 0;

    if (v && v->type == TW_TWEP_ARRAY) {
        i = (size_t)(v - l->v) + 1;
        for (size_t j = i; j < v->next; j = l->v[j].next)
            n++;
    } else if (v && !tw_twep_is_size(v, &n)) {
        return tw_err_set(err, TW_EFORMAT, "\"checkpoints\" is neither a number nor a list");
    }
    if (n > MOST)
        return tw_err_set(err, TW_EFORMAT, "it has more than %d checkpoints", MOST);
    g->checkpoint = tw_alloc(n, sizeof *g->checkpoint);
    if (!g->checkpoint)
        return no_memory(err);
    for (; g->ncheckpoint < n; g->ncheckpoint++) {
        struct tw_str name = { 0 };

        if (i && l->v[i].type == TW_TWEP_TEXT)
            tw_str_add(&name, l->v[i].text);
        else
            tw_str_addf(&name, "checkpoint %zu", g->ncheckpoint);
        i = i ? l->v[i].next : 0;
        if (name.failed)
            return no_memory(err);
        g->checkpoint[g->ncheckpoint] = name.s;
    }
    return TW_OK;
}

enum tw_status tw_twep_greet(const struct tw_twep_line *l, struct tw_twep_greeting *g,
                             struct tw_err *err)
{
    const char *name = NULL, *data = NULL, *dtype = "f32";
    double version = 0.0;
    enum tw_status rc;

    *g = (struct tw_twep_greeting){ 0 };
    if (!tw_twep_real(l, "twep", &version))
        return tw_err_set(err, TW_EFORMAT, "its first line is no greeting (no \"twep\": 1 in it)");
    if (version != 1.0)
        return tw_err_set(err, TW_EFORMAT, "it speaks version %g of the protocol; this is for 1",
                          version);
    (void)tw_twep_text(l, "dtype", &dtype);
    if (strcmp(dtype, "f32") != 0 && strcmp(dtype, "f64") != 0)
        return tw_err_set(err, TW_EFORMAT, "its dtype is '%.20s', not f32 or f64", dtype);
    g->real64 = !strcmp(dtype, "f64");
    (void)tw_twep_size(l, "n", &g->n);
    (void)tw_twep_size(l, "all", &g->all);
    (void)tw_twep_size(l, "width", &g->width);
    (void)tw_twep_size(l, "classes", &g->classes);
    if (g->n > (size_t)1 << 40 || g->width > (size_t)1 << 32)
        return tw_err_set(err, TW_EFORMAT, "it has too many samples");
    g->all = g->all < g->n ? g->n : g->all;
    (void)tw_twep_text(l, "name", &name);
    (void)tw_twep_text(l, "data", &data);
    g->name = tw_strdup(name);
    g->data = tw_strdup(data);
    if ((name && !g->name) || (data && !g->data))
        return no_memory(err);
    rc = abilities(l, g, err);
    if (rc == TW_OK)
        rc = checkpoints(l, g, err);
    return rc == TW_OK ? tensors(l, &g->layout, err) : rc;
}

void tw_twep_greeting_release(struct tw_twep_greeting *g)
{
    struct tw_layout *l = &g->layout;

    for (size_t i = 0; i < l->nparam + l->nbuffer; i++) {
        free(l->param[i].name);
        free(l->param[i].layer);
    }
    free(l->param);
    for (size_t i = 0; i < g->ncheckpoint; i++)
        free(g->checkpoint[i]);
    free(g->checkpoint);
    free(g->name);
    free(g->data);
    *g = (struct tw_twep_greeting){ 0 };
}

bool tw_twep_same(const struct tw_twep_greeting *a, const struct tw_twep_greeting *b)
{
    const struct tw_layout *x = &a->layout, *y = &b->layout;

    if (a->can != b->can || a->real64 != b->real64 || a->n != b->n || a->width != b->width ||
        a->classes != b->classes || a->ncheckpoint != b->ncheckpoint || x->nparam != y->nparam ||
        x->nbuffer != y->nbuffer)
        return false;
    for (size_t i = 0; i < x->nparam + x->nbuffer; i++)
        if (strcmp(x->param[i].name, y->param[i].name) != 0 || x->param[i].n != y->param[i].n)
            return false;
    return true;
}
