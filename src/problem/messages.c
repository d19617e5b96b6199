/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an evaluator is asked for a request, and what becomes of its answers. A request takes one
 * message for the loss (and gradient) and one for each direction and kind of product. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "anchors.h"
#include "evaluator.h"
#include "thalweg/problem_evaluator.h"

enum { PAGE = 4096, SPELLED = 160 };

/* ---- set-up ----------------------------------------------------------------------------------
 */

static size_t place(size_t *end, size_t n, size_t size)
{
    const size_t at = *end;

    *end +=
        (n * size + PAGE - 1) / PAGE * PAGE; /* 2^48 and 2^40 reals at most, says the greeting */
    return at;
}

void tw_pool_adopt(struct tw_pool *e)
{
    const struct tw_twep_greeting *g = &e->greeting;
    const size_t real = g->real64 ? sizeof(double) : sizeof(float), d = sizeof(double);
    const bool samples = g->can & TW_TWEP_SAMPLES;
    const size_t n = samples ? g->n : 0;
    const bool logits = samples && (g->can & TW_TWEP_LOGITS) && g->width < ((size_t)1 << 48) / n;
    struct tw_places *p = &e->places;

    e->base.layout = &g->layout;
    e->base.dim = g->layout.n;
    e->base.n = samples ? g->n : 1;
    e->base.all = samples ? g->all : 1;
    e->base.has_error = g->can & TW_TWEP_ERROR;
    e->base.width = logits ? g->width : 0;
    e->base.parallel = e->nmember;
    p->at = place(&p->size, g->layout.n, real);
    p->buffers = place(&p->size, g->layout.nb, real);
    p->vec = place(&p->size, g->layout.n, real);
    p->out = place(&p->size, g->layout.n, real);
    p->samples = place(&p->size, n, d);
    p->weights = place(&p->size, n, d);
    p->correct = place(&p->size, n, d);
    p->logits = place(&p->size, n * e->base.width, d);
    p->slopes = place(&p->size, g->can & TW_TWEP_LOGIT_JVP ? n * e->base.width : 0, d);
}

enum tw_status tw_pool_can(const struct tw_pool *e, const struct tw_request *r, struct tw_err *err)
{
    const unsigned can = e->greeting.can;
    const char *lacks = NULL;

    if (r->rows)
        lacks = "rows of the data to be chosen";
    else if (r->statistics)
        lacks = "statistics of batches";
    else if (r->gauss_newton)
        lacks = "Gauss-Newton products";
    else if (r->hvp && !(can & TW_TWEP_HVP))
        lacks = "Hessian-vector products (hvp)";
    else if (r->slopes && !(can & (TW_TWEP_JVP | TW_TWEP_GRAD)))
        lacks = "directional derivatives (jvp or grad)";
    else if (r->gradient && !(can & TW_TWEP_GRAD))
        lacks = "gradients (grad)";
    else if (r->logits && !e->base.width)
        lacks = "logits";
    else if (r->logit_slopes && !(e->base.width && (can & TW_TWEP_LOGIT_JVP)))
        lacks = "directional derivatives of logits (logit_jvp)";
    else if (r->correct && !e->base.has_error)
        lacks = "hits or an error rate";
    return lacks ? tw_err_set(err, TW_EINVAL, "the evaluator does not offer %s", lacks) : TW_OK;
}

/* ---- reals in shared memory ------------------------------------------------------------------ */

static void put(const struct tw_pool *e, unsigned char *to, size_t n, const float *f,
                const double *d)
{
    if (e->greeting.real64 && d) {
        memcpy(to, d, n * sizeof *d);
    } else if (e->greeting.real64) {
        double *x = (double *)(void *)to;

        for (size_t i = 0; i < n; i++)
            x[i] = (double)f[i];
    } else if (f) {
        memcpy(to, f, n * sizeof *f);
    } else {
        float *x = (float *)(void *)to;

        for (size_t i = 0; i < n; i++)
            x[i] = (float)d[i];
    }
}

/* f, d: either may be NULL. */
static void take(const struct tw_pool *e, const unsigned char *from, size_t n, float *f, double *d)
{
    const double *x = (const double *)(const void *)from;
    const float *y = (const float *)(const void *)from;
    const bool real64 = e->greeting.real64;

    for (size_t i = 0; f && i < n; i++)
        f[i] = real64 ? (float)x[i] : y[i];
    for (size_t i = 0; d && i < n; i++)
        d[i] = real64 ? x[i] : (double)y[i];
}

/* Blocks of a fixed length, then these in order. */
static double dot(const struct tw_pool *e, const unsigned char *from, struct tw_vector v)
{
    enum { BLOCK = 1024 };
    const double *x = (const double *)(const void *)from;
    const float *y = (const float *)(const void *)from;
    const size_t n = e->base.dim;
    double sum = 0.0;

    for (size_t i = 0; i < n; i += BLOCK) {
        double part = 0.0;

        for (size_t j = i; j < n && j < i + BLOCK; j++)
            part += (e->greeting.real64 ? x[j] : (double)y[j]) * (v.f ? (double)v.f[j] : v.d[j]);
        sum += part;
    }
    return sum;
}

/* ---- the messages of a request ----------------------------------------------------------------
 */

/* Slopes from the gradient. */
static bool by_gradient(const struct tw_pool *e, const struct tw_request *r)
{
    return r->slopes && !(e->greeting.can & TW_TWEP_JVP);
}

static bool asks_loss(const struct tw_pool *e, const struct tw_request *r)
{
    return r->values || r->loss || r->weight || r->correct || r->logits || r->gradient ||
           by_gradient(e, r);
}

struct step {
    enum { GET, LABELS, LOSS, GRAD, JVP, HVP, LOGIT_JVP, END } what;
    size_t direction;
};

static struct step step_of(const struct tw_pool *e, const struct tw_job *job, size_t k)
{
    const struct tw_request *r = job->r;
    const bool jvp = r && r->slopes && !by_gradient(e, r);

    if (!r)
        return (struct step){ k > 0 ? END : job->labels ? LABELS : GET, 0 };
    if (asks_loss(e, r)) {
        if (k == 0)
            return (struct step){ r->gradient || by_gradient(e, r) ? GRAD : LOSS, 0 };
        k--;
    }
    if (jvp && k < r->ndirections)
        return (struct step){ JVP, k };
    k -= jvp ? r->ndirections : 0;
    if (r->hvp && k < r->ndirections)
        return (struct step){ HVP, k };
    k -= r->hvp ? r->ndirections : 0;
    if (r->logit_slopes && k < r->ndirections)
        return (struct step){ LOGIT_JVP, k };
    return (struct step){ END, 0 };
}

static bool send_text(struct tw_pool *e, struct tw_member *m)
{
    tw_str_add(&e->text, "}\n");
    return !e->text.failed && tw_worker_send(&m->w, e->text.s, e->text.n);
}

static void begin(struct tw_pool *e, struct tw_member *m, const char *op)
{
    m->id = ++e->id;
    tw_str_clear(&e->text);
    tw_str_addf(&e->text, "{\"id\":%llu,\"op\":\"%s\"", (unsigned long long)m->id, op);
}

enum tw_status tw_member_map(struct tw_pool *e, struct tw_member *m, struct tw_err *err)
{
    begin(e, m, "map");
    tw_str_addf(&e->text, ",\"size\":%zu", e->places.size);
    return send_text(e, m) ? TW_OK : tw_err_set(err, TW_EIO, "ended before it was ready");
}

void tw_member_bye(const struct tw_member *m)
{
    static const char bye[] = "{\"op\":\"bye\"}\n";

    if (!tw_worker_send(&m->w, bye, sizeof bye - 1))
        return; /* gone already */
}

static void where(struct tw_str *t, const char *key, size_t offset)
{
    tw_str_addf(t, ",\"%s\":%zu", key, offset);
}

/* Sums over samples are made here, where they have a fixed order. */
static void ask_samples(struct tw_pool *e, const struct tw_request *r)
{
    const unsigned can = e->greeting.can;

    if ((can & TW_TWEP_SAMPLES) && (r->values || r->loss || r->weight || r->correct)) {
        where(&e->text, "samples", e->places.samples);
        if (can & TW_TWEP_WEIGHTS)
            where(&e->text, "weights", e->places.weights);
        if (can & TW_TWEP_CORRECT)
            where(&e->text, "correct", e->places.correct);
    }
    if (r->logits)
        where(&e->text, "logits", e->places.logits);
}

/* The point and its buffers into shared memory; false: the buffers are the evaluator's own. */
static bool set_point(const struct tw_pool *e, const struct tw_member *m)
{
    const struct tw_request *r = m->job->r;
    unsigned char *at = m->w.map + e->places.at;
    const float *buffers = r->buffers;

    if (!r->weights)
        put(e, at, e->base.dim, r->at.f, r->at.d);
    else if (e->greeting.real64)
        buffers = tw_anchors_mix(&e->base, r->weights, NULL, (double *)(void *)at);
    else
        buffers = tw_anchors_mix(&e->base, r->weights, (float *)(void *)at, NULL);
    if (!buffers || !e->greeting.layout.nb)
        return false;
    put(e, m->w.map + e->places.buffers, e->greeting.layout.nb, buffers, NULL);
    return true;
}

bool tw_member_ask(struct tw_pool *e, struct tw_member *m)
{
    static const char *const ops[] = { "get", "labels", "loss", "grad", "jvp", "hvp", "logit_jvp" };
    const struct tw_request *r = m->job->r;
    const struct step s = step_of(e, m->job, m->step);
    const struct tw_places *p = &e->places;
    unsigned char *map = m->w.map;

    begin(e, m, ops[s.what]);
    if (s.what == LABELS) {
        where(&e->text, "labels", p->logits);
        return send_text(e, m);
    }
    if (!r) {
        tw_str_addf(&e->text, ",\"index\":%zu", m->job->index);
        where(&e->text, "out", p->out);
        where(&e->text, "buffers", p->buffers);
        return send_text(e, m);
    }
    if (m->step == 0)
        m->with_buffers = set_point(e, m);
    where(&e->text, "at", p->at);
    if (m->with_buffers)
        where(&e->text, "buffers", p->buffers);
    if (s.what == JVP || s.what == HVP || s.what == LOGIT_JVP) {
        const struct tw_vector v = r->directions[s.direction];

        put(e, map + p->vec, e->base.dim, v.f, v.d);
        where(&e->text, "vec", p->vec);
    }
    if (s.what == LOGIT_JVP)
        where(&e->text, "slopes", p->slopes);
    if (s.what == GRAD || s.what == HVP)
        where(&e->text, "out", p->out);
    if (s.what == LOSS || s.what == GRAD)
        ask_samples(e, r);
    return send_text(e, m);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

/* Loss and error of the data set as far as they are known. The hits become misses. */
static void take_values(const struct tw_pool *e, struct tw_values *v, double loss, double error,
                        const double *l, const double *w, double *c)
{
    const struct tw_problem *p = &e->base;
    const size_t n = p->n;

    *v = (struct tw_values){ { loss, NAN, NAN }, { error, NAN, NAN }, n, (double)n, 0 };
    if (!l) {
        v->n = e->greeting.n ? e->greeting.n : 1;
        v->weight = (double)v->n;
        v->nonfinite = isfinite(loss) ? 0 : v->n;
        (void)tw_twep_real(&e->line, "se", &v->loss.se);
        (void)tw_twep_real(&e->line, "error_rate_se", &v->error.se);
        return;
    }
    v->loss = tw_estimate_ratio(n, l, w, 1.0, p->all);
    v->loss.value = loss; /* what the derivatives are of */
    if (w)
        v->weight = tw_sum(w, n);
    for (size_t i = 0; i < n; i++)
        v->nonfinite += isfinite(l[i]) ? 0u : 1u;
    if (!v->nonfinite && !isfinite(loss))
        v->nonfinite = 1; /* one at least */
    for (size_t i = 0; c && i < n; i++)
        c[i] = (w ? w[i] : 1.0) - c[i];
    if (c)
        v->error = tw_estimate_ratio(n, c, w, 1.0, p->all);
}

static enum tw_status take_loss(struct tw_pool *e, const struct tw_member *m, struct tw_err *err)
{
    const struct tw_request *r = m->job->r;
    const struct tw_places *p = &e->places;
    unsigned char *map = m->w.map;
    const unsigned can = e->greeting.can;
    const bool each = can & TW_TWEP_SAMPLES;
    const double *l = each ? (const double *)(const void *)(map + p->samples) : NULL;
    const double *w =
        can & TW_TWEP_WEIGHTS ? (const double *)(const void *)(map + p->weights) : NULL;
    double *c = can & TW_TWEP_CORRECT ? (double *)(void *)(map + p->correct) : NULL;
    double loss, error = NAN;

    if (!tw_twep_real(&e->line, "loss", &loss))
        return tw_err_set(err, TW_EFORMAT, "answers without a number \"loss\"");
    if (e->base.has_error && !tw_twep_real(&e->line, "error_rate", &error) && !c)
        return tw_err_set(err, TW_EFORMAT, "answers without a number \"error_rate\"");
    for (size_t i = 0; i < e->base.n; i++) {
        const double weight = w ? w[i] : 1.0;

        if (r->loss)
            r->loss[i] = l ? l[i] : loss;
        if (r->weight)
            r->weight[i] = weight;
        if (r->correct)
            r->correct[i] = c ? c[i] : weight * (1.0 - error);
    }
    if (r->values)
        take_values(e, r->values, loss, error, l, w, c);
    if (r->logits)
        memcpy(r->logits, map + p->logits, e->base.n * e->base.width * sizeof *r->logits);
    return TW_OK;
}

/* Into the request, or the checkpoint's vectors. */
static enum tw_status take_results(struct tw_pool *e, const struct tw_member *m, struct step s,
                                   struct tw_err *err)
{
    const struct tw_request *r = m->job->r;
    const unsigned char *out = m->w.map + e->places.out;
    const size_t dim = e->base.dim, reals = e->base.n * e->base.width;
    enum tw_status rc;

    switch (s.what) {
    case GET:
        take(e, out, dim, m->job->params, m->job->real_params);
        take(e, m->w.map + e->places.buffers, e->greeting.layout.nb, m->job->buffers, NULL);
        return TW_OK;
    case LABELS:
        memcpy(m->job->labels, m->w.map + e->places.logits,
               reals / e->greeting.classes * sizeof *m->job->labels);
        return TW_OK;
    case LOSS:
    case GRAD:
        rc = take_loss(e, m, err);
        if (rc == TW_OK && s.what == GRAD)
            take(e, out, dim, NULL, r->gradient);
        for (size_t t = 0; rc == TW_OK && by_gradient(e, r) && t < r->ndirections; t++)
            r->slopes[t] = dot(e, out, r->directions[t]);
        return rc;
    case JVP:
        if (!tw_twep_real(&e->line, "slope", &r->slopes[s.direction]))
            return tw_err_set(err, TW_EFORMAT, "answers without a number \"slope\"");
        return TW_OK;
    case HVP:
        take(e, out, dim, NULL, r->hvp[s.direction]);
        return TW_OK;
    case LOGIT_JVP:
        memcpy(r->logit_slopes + s.direction * reals, m->w.map + e->places.slopes,
               reals * sizeof *r->logit_slopes);
        return TW_OK;
    case END:
        break;
    }
    return TW_OK;
}

enum tw_status tw_member_answer(struct tw_batch *b, struct tw_member *m, struct tw_err *err)
{
    struct tw_pool *e = b->e;
    const char *sorry;
    size_t id;
    enum tw_status rc;

    if (!tw_twep_size(&e->line, "id", &id) || id != m->id)
        return tw_err_set(err, TW_EFORMAT,
                          "answers another question than was asked (wrong \"id\")");
    if (tw_twep_text(&e->line, "error", &sorry)) {
        if (m->state == TW_MAPPING)
            return tw_err_set(err, TW_EFORMAT, "cannot map the shared memory: %.*s", SPELLED,
                              sorry);
        m->state = TW_IDLE;
        return tw_err_set(err, TW_EDOMAIN, "the evaluator says: %.*s", SPELLED, sorry);
    }
    if (m->state == TW_MAPPING) {
        m->state = TW_IDLE;
        return TW_OK;
    }
    rc = take_results(e, m, step_of(e, m->job, m->step), err);
    if (rc != TW_OK)
        return rc;
    e->losses = 0;
    m->step++;
    m->until = e->timeout > 0.0 ? tw_worker_now() + e->timeout : (double)INFINITY;
    if (step_of(e, m->job, m->step).what == END) {
        m->state = TW_IDLE;
        tw_batch_done(b, m, NULL);
        return TW_OK;
    }
    return tw_member_ask(e, m) ? TW_OK : tw_err_set(err, TW_EIO, "ended over this point");
}
