/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network with data at one point. */
#include "anchors.h"
#include "network.h"

#include <math.h>
#include <stdlib.h>

static enum tw_status set_point(struct network *s, const struct tw_request *r, struct tw_err *err)
{
    const size_t nb = s->base.layout->nb;
    double *buffers = NULL;

    if (r->at.f) {
        tw_exec_set(s->exec, r->at.f, r->buffers);
        return TW_OK;
    }
    if (r->buffers) {
        buffers = tw_alloc(nb, sizeof *buffers);
        if (!buffers)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        for (size_t i = 0; i < nb; i++)
            buffers[i] = (double)r->buffers[i];
    }
    tw_exec_set_real(s->exec, r->at.d, buffers);
    free(buffers);
    return TW_OK;
}

/* Values at the first point between new anchors: what can be kept of them is. */
static enum tw_status keep_anchors(struct network *s, const struct tw_request *r,
                                   const struct tw_exec_run *run, struct tw_err *err)
{
    enum tw_status rc = TW_OK;
    uint64_t number;
    size_t n;

    if (!r->weights || r->rows || r->slopes || r->logit_slopes || r->gradient || r->hvp)
        return TW_OK;
    n = tw_anchors_count(s->base.anchors, &number);
    if (number == s->kept)
        return TW_OK;
    s->kept = 0;
    for (size_t k = 0; k < n && rc == TW_OK && (k == 0 || tw_exec_kept(s->exec)); k++) {
        const struct tw_vector v = tw_anchors_at(s->base.anchors, k);

        if (v.f)
            tw_exec_set(s->exec, v.f, NULL);
        else
            tw_exec_set_real(s->exec, v.d, NULL);
        rc = tw_exec_keep(s->exec, k, n, run, err);
    }
    s->kept = rc == TW_OK ? number : 0;
    return rc;
}

/* All directions as floats, or all as doubles: mixtures are converted. */
static enum tw_status set_directions(struct network *s, const struct tw_request *r,
                                     struct tw_err *err)
{
    const size_t n = r->ndirections, dim = s->base.dim;
    const float **f = tw_alloc(n, sizeof *f);
    const double **d = tw_alloc(n, sizeof *d);
    double *copy = NULL;
    size_t floats = 0;
    bool failed = !f || !d;

    for (size_t t = 0; !failed && t < n; t++) {
        f[t] = r->directions[t].f;
        d[t] = r->directions[t].d;
        floats += f[t] != NULL;
    }
    if (!failed && floats && floats < n && dim <= SIZE_MAX / n) {
        copy = tw_alloc(dim * n, sizeof *copy);
        failed = !copy;
        for (size_t t = 0; !failed && t < n; t++) {
            for (size_t i = 0; f[t] && i < dim; i++)
                copy[t * dim + i] = (double)f[t][i];
            d[t] = f[t] ? copy + t * dim : d[t];
        }
    }
    if (!failed && floats == n)
        tw_exec_direct(s->exec, n, f);
    else if (!failed)
        tw_exec_direct_real(s->exec, n, d);
    free(f);
    free(d);
    free(copy);
    return failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

/* One loss's sums over samples. */
static void report_part(const struct network *s, const struct part *part, size_t n,
                        const struct tw_sample_results *to, struct tw_values *values)
{
    const double each = part->ports.weight_each;
    const double *const loss = part->sample[0];
    double *const correct = part->sample[2];
    const double *const weight = part->ports.weight >= 0 ? part->sample[1] : NULL;

    for (size_t i = 0; i < n; i++) {
        if (to->loss)
            to->loss[i] = loss[i];
        if (to->weight)
            to->weight[i] = weight ? weight[i] : each;
        if (to->correct)
            to->correct[i] = correct[i];
    }
    if (!values)
        return;
    *values = (struct tw_values){ tw_estimate_ratio(n, loss, weight, each, s->base.all),
                                  { NAN, NAN, NAN },
                                  n,
                                  weight ? tw_sum(weight, n) : each * (double)n,
                                  0 };
    for (size_t i = 0; i < n; i++) {
        values->nonfinite += isfinite(loss[i]) ? 0u : 1u;
        correct[i] = (weight ? weight[i] : each) - correct[i];
    }
    if (part->ports.correct >= 0)
        values->error = tw_estimate_ratio(n, correct, weight, each, s->base.all);
}

static void report(struct network *s, const struct tw_request *r)
{
    static const struct tw_sample_results none;
    const struct tw_sample_results first = { r->loss, r->weight, r->correct };
    const size_t n = r->rows ? r->nrows : s->base.n;
    const double total = s->part->ports.weight >= 0 ? tw_sum(s->part->sample[1], n)
                                                    : s->part->ports.weight_each * (double)n;

    for (size_t t = 0; t < r->ndirections && r->slopes; t++)
        r->slopes[t] = tw_sum(s->tangent + t * n, n) / total;
    report_part(s, s->part, n, &first, r->values);
    for (size_t k = 1; k < s->npart; k++)
        report_part(s, &s->part[k], n, r->extra ? &r->extra[k - 1] : &none,
                    r->extra_values ? &r->extra_values[k - 1] : NULL);
}

static enum tw_status check(const struct network *s, const struct tw_request *r, struct tw_err *err)
{
    bool fit = !r->rows || (r->nrows && r->nrows <= s->base.n);

    for (size_t i = 0; fit && r->rows && i < r->nrows; i++)
        fit = r->rows[i] < s->base.all;
    if (!fit)
        return tw_err_set(err, TW_EINVAL,
                          "rows that the data set has not, or more than %zu of them", s->base.n);
    if (r->ndirections > s->max_directions || (r->correct && !s->base.has_error) ||
        (s->npart == 1 && (r->extra || r->extra_values)) ||
        ((r->logits || r->logit_slopes || r->gauss_newton) && s->part->ports.logits < 0))
        return tw_err_set(err, TW_EINVAL, "asked for what the problem was not made for");
    return TW_OK;
}

/* Where each output and tangent goes: `outputs` has an entry for each output of the graph,
 * `tangents` one for each output and direction. */
static void direct_results(const struct network *s, const struct tw_request *r,
                           struct tw_exec_run *run, double **outputs, double **tangents)
{
    const struct tw_loss_ports *ports = &s->part->ports;
    const size_t nd = r->ndirections;

    for (size_t k = 0; k < s->npart; k++) {
        const struct tw_loss_ports *q = &s->part[k].ports;
        const int port[3] = { q->loss, q->weight, q->correct };

        for (int i = 0; i < 3; i++)
            if (port[i] >= 0)
                outputs[port[i]] = s->part[k].sample[i];
    }
    if (r->logits)
        outputs[ports->logits] = r->logits;
    for (size_t t = 0; r->slopes && t < nd; t++)
        tangents[(size_t)ports->loss * nd + t] = s->tangent + t * run->n;
    for (size_t t = 0; r->logit_slopes && t < nd; t++)
        tangents[(size_t)ports->logits * nd + t] = r->logit_slopes + t * run->n * s->base.width;
    run->outputs = outputs;
    run->tangents = r->slopes || r->logit_slopes ? tangents : NULL;
    run->seed_output = (size_t)ports->loss;
    run->gradient = r->gradient;
    run->hvp = r->hvp;
    run->total = s->part->sample[1];
    for (size_t i = 0; ports->weight < 0 && i < run->n; i++)
        s->part->sample[1][i] = ports->weight_each;
    run->weights = s->kept && !r->rows ? r->weights : NULL;
    run->batch = r->batch;
    run->statistics = r->statistics;
    run->dropout_seed = r->dropout_seed;
    run->gauss_newton = r->gauss_newton;
    run->network_output = r->gauss_newton ? (size_t)ports->logits : 0;
}

enum tw_status tw_network_eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct network *s = (struct network *)p;
    const struct tw_array *inputs[2] = { &s->x, &s->y };
    const size_t nout = tw_graph_noutput(s->graph), nd = r->ndirections;
    double **outputs = tw_alloc(nout, sizeof *outputs);
    double **tangents = nd <= SIZE_MAX / nout ? tw_alloc(nout * nd, sizeof *tangents) : NULL;
    struct tw_exec_run run = { .n = r->rows ? r->nrows : s->base.n,
                               .inputs = inputs,
                               .rows = r->rows ? r->rows : s->rows };
    enum tw_status rc = TW_OK;

    if (!outputs || !tangents)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = check(s, r, err);
    if (rc == TW_OK)
        rc = keep_anchors(s, r, &run, err);
    if (rc == TW_OK)
        rc = set_point(s, r, err);
    if (rc == TW_OK && nd)
        rc = set_directions(s, r, err);
    if (rc == TW_OK) {
        direct_results(s, r, &run, outputs, tangents);
        rc = tw_exec_run(s->exec, &run, err);
    }
    if (rc == TW_OK)
        report(s, r);
    free(outputs);
    free(tangents);
    return rc;
}
