/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `thalweg barrier` says of one line. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "host.h"

static const char *plus_minus(void)
{
    return tw_host_utf8() ? "\302\261" : "+-";
}

/* ---- text ---------------------------------------------------------------------------------------
 */

static void print_heights(const struct barrier_result *r)
{
    static const char *const head[] = { "",     "value", "se",     "low", "high",
                                        "at t", "t low", "t high", "bias" };
    static const char *const name[TW_LINE_NCURVES][TW_NBARRIERS] = {
        { "loss barrier (Entezari)", "loss barrier (Frankle)", "largest rise of loss" },
        { "error barrier, % (Entezari)", "error barrier, % (Frankle)", "largest rise of error, %" }
    };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 9);
    for (int c = 0; c < (r->has_error ? 2 : 1); c++)
        for (int k = 0; k < TW_NBARRIERS; k++) {
            const struct tw_barrier *b = &r->barrier[c][k];
            const double by = c ? 100.0 : 1.0;

            if ((k == TW_BARRIER_RISE) != r->mli)
                continue;
            tw_table_text(&t, name[c][k]);
            tw_table_real(&t, "%.4g", by * b->value);
            tw_table_real(&t, "%.2g", by * b->se);
            tw_table_real(&t, "%.4g", by * b->lo);
            tw_table_real(&t, "%.4g", by * b->hi);
            tw_table_real(&t, "%.3f", b->t);
            tw_table_real(&t, "%.3f", k == TW_BARRIER_RISE ? b->from : b->t_lo);
            tw_table_real(&t, "%.3f", k == TW_BARRIER_RISE ? (double)NAN : b->t_hi);
            tw_table_real(&t, "%.1g", fabs(b->bias) < 1e-3 * b->se ? 0.0 : by * b->bias);
        }
    tw_table_print(&t);
}

static void print_verdict(const struct barrier_result *r)
{
    const struct tw_barrier *e = &r->barrier[TW_LINE_ERROR][TW_BARRIER_FRANKLE];
    const struct tw_barrier *l = &r->barrier[TW_LINE_LOSS][TW_BARRIER_FRANKLE];
    const double *th = r->threshold;

    if (isnan(th[0]) && isnan(th[1])) {
        printf("verdict: none (there is no error rate; give --threshold-loss)\n");
        return;
    }
    printf("verdict: %s (", tw_verdict_name(r->verdict));
    if (!isnan(th[1]))
        printf("error barrier %s %.3g %%",
               tw_barrier_verdict(e, th[1]) == TW_CONNECTED   ? "below"
               : tw_barrier_verdict(e, th[1]) == TW_SEPARATED ? "above"
                                                              : "not clearly on either side of",
               100.0 * th[1]);
    if (!isnan(th[0]))
        printf("%sloss barrier %s %.3g", isnan(th[1]) ? "" : ", ",
               tw_barrier_verdict(l, th[0]) == TW_CONNECTED   ? "below"
               : tw_barrier_verdict(l, th[0]) == TW_SEPARATED ? "above"
                                                              : "not clearly on either side of",
               th[0]);
    printf(")\n");
    if (r->has_error && (e->t == 0.0 || e->t == 1.0) && e->value > 0.0)
        printf("note: the error rate is highest at an end; Frankle's barrier is then half of the "
               "difference of the ends\n");
    if (isfinite(r->needed))
        printf("about %.2g samples would decide; these are %zu\n", r->needed, r->n);
}

static void print_mli(const struct barrier_result *r)
{
    const struct tw_barrier *b = &r->barrier[TW_LINE_LOSS][TW_BARRIER_RISE];

    if (isnan(b->value))
        return;
    printf(b->lo > 0.0 ? "not monotone: the loss rises by %.4g from t = %.3f to %.3f\n"
           : b->value > 0.0
               ? "no clear rise: %.4g from t = %.3f to %.3f, within its interval of 0\n"
               : "monotone: the loss falls all the way\n",
           b->value, b->from, b->t);
}

static int by_size(const void *a, const void *b)
{
    const double x = fabs(**(const double *const *)a), y = fabs(**(const double *const *)b);

    return (x < y) - (x > y);
}

static void print_split(const struct barrier_result *r)
{
    const double **order = tw_alloc(r->ngroup, sizeof *order);
    double sum = 0.0;

    if (!order)
        return;
    for (size_t i = 0; i < r->ngroup; i++) {
        order[i] = &r->part[i];
        sum += r->part[i];
    }
    qsort(order, r->ngroup, sizeof *order, by_size);
    printf("by layer at t = %.3f, nats: ", r->split_t);
    for (size_t i = 0; i < r->ngroup; i++)
        printf("%s%s %.3g", i ? ", " : "", r->group[order[i] - r->part], *order[i]);
    if (r->buffers_move)
        printf("; running statistics %.3g (what is left of %.4g: not checked by a residual; parts "
               "within %.1g)\n",
               r->split_buffers, r->split_whole, r->split_doubt);
    else if (r->recalibrated)
        printf(" (sum %.4g; not exact, since statistics follow the weights: residual %.2g)\n", sum,
               r->split_residual);
    else
        printf(" (sum %.4g, residual %.1g, parts within %.1g)\n", sum, r->split_residual,
               r->split_doubt);
    free(order);
}

static void print_swaps(const struct barrier_result *r)
{
    static const char *const head[] = { "layer",     "part", "alone in A", "alone in B",
                                        "published", "",     "first k",    "last k" };
    struct tw_table t = { 0 };

    if (!r->swap || !r->pile)
        return;
    tw_table_head(&t, head, 8);
    for (size_t i = 0; i < r->ngroup; i++) {
        const struct tw_swap *s = &r->swap[i * BARRIER_SWAP_BASES];
        const struct tw_swap *p = &r->pile[i * BARRIER_PILES];

        tw_table_text(&t, r->group[i]);
        tw_table_real(&t, "%.4g", r->part ? r->part[i] : (double)NAN);
        tw_table_real(&t, "%.4g", s[0].barrier);
        tw_table_real(&t, "%.4g", s[1].barrier);
        tw_table_real(&t, "%.4g", s[0].published);
        tw_table_real(&t, "%.4g", s[1].published);
        tw_table_real(&t, "%.4g", p[0].barrier);
        tw_table_real(&t, "%.4g", p[1].barrier);
    }
    tw_table_print(&t);
    printf("alone: the barrier where this layer alone moves, the others at A's or B's values, over "
           "that path's own chord; published: at its middle over the mean of A and B (Adilova et "
           "al. 2023); first, last k: layers up to, or from the last to, this one move together in "
           "A\n");
}

static void print_guess(const struct barrier_result *r)
{
    const struct tw_curvature_guess *g = &r->guess;

    printf(
        "excess at t = 1/2: %.4g; from slopes at the ends %.4g, from curvature at the ends %.4g, "
        "in the middle %.4g, at all three %.4g\n",
        r->middle, g->by_slopes, g->by_ends, g->by_middle, g->by_three);
}

static void print(const struct barrier_result *r)
{
    const struct tw_barrier *l = r->barrier[TW_LINE_LOSS], *e = r->barrier[TW_LINE_ERROR];

    if (!r->mli) {
        printf("loss barrier %.4g %s %.2g at t = %.3f (Entezari), %.4g (Frankle)",
               l[TW_BARRIER_ENTEZARI].value, plus_minus(), l[TW_BARRIER_ENTEZARI].se,
               l[TW_BARRIER_ENTEZARI].t, l[TW_BARRIER_FRANKLE].value);
        if (r->has_error)
            printf("; error barrier %.3g %% %s %.2g", 100.0 * e[TW_BARRIER_FRANKLE].value,
                   plus_minus(), 100.0 * e[TW_BARRIER_FRANKLE].se);
        printf("\n");
        print_verdict(r);
    } else {
        print_mli(r);
    }
    if (r->part)
        print_split(r);
    printf("\n");
    print_heights(r);
    printf("n %zu of %zu, %zu points, %zu evaluations", r->n, r->n_data, r->m, r->evaluations);
    if (r->gradients)
        printf(" and %zu gradients", r->gradients);
    printf("; between points the loss is known to about %.1g%s\n", r->stated[0],
           r->converged ? "" : " (more than was asked for: raise --max-points)");
    print_swaps(r);
    if (r->has_guess)
        print_guess(r);
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

static void json_height(struct tw_json *j, const char *key, const struct tw_barrier *b)
{
    tw_json_open(j, key, '{');
    tw_json_real(j, "value", b->value);
    tw_json_real(j, "se", b->se);
    tw_json_real(j, "lo", b->lo);
    tw_json_real(j, "hi", b->hi);
    tw_json_real(j, "t", b->t);
    tw_json_real(j, "t_lo", b->t_lo);
    tw_json_real(j, "t_hi", b->t_hi);
    tw_json_real(j, "from", b->from);
    tw_json_real(j, "bias", b->bias);
    tw_json_real(j, "se_data", b->se_data);
    tw_json_real(j, "lo_data", b->lo_data);
    tw_json_real(j, "hi_data", b->hi_data);
    tw_json_close(j, '}');
}

static void json_swap(struct tw_json *j, const char *key, const struct tw_swap *s)
{
    tw_json_open(j, key, '{');
    tw_json_real(j, "barrier", s->barrier);
    tw_json_real(j, "t", s->t);
    tw_json_real(j, "middle", s->middle);
    tw_json_real(j, "published", s->published);
    tw_json_close(j, '}');
}

static void json_layers(struct tw_json *j, const struct barrier_result *r)
{
    tw_json_open(j, "layers", '[');
    for (size_t i = 0; i < r->ngroup; i++) {
        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", r->group[i]);
        tw_json_real(j, "value", r->part ? r->part[i] : (double)NAN);
        if (r->swap && r->pile) {
            json_swap(j, "alone_in_a", &r->swap[i * BARRIER_SWAP_BASES]);
            json_swap(j, "alone_in_b", &r->swap[i * BARRIER_SWAP_BASES + 1]);
            json_swap(j, "first", &r->pile[i * BARRIER_PILES]);
            json_swap(j, "last", &r->pile[i * BARRIER_PILES + 1]);
        }
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    if (r->part) {
        tw_json_real(j, "split_t", r->split_t);
        tw_json_real(j, "split_residual", r->split_residual);
        tw_json_real(j, "split_buffers", r->split_buffers);
        tw_json_real(j, "split_doubt", r->split_doubt);
    }
}

static void json(struct tw_json *j, const struct barrier_result *r)
{
    static const char *const curve[] = { "loss", "error" };

    tw_json_text(j, "a", r->name[0]);
    tw_json_text(j, "b", r->name[1]);
    tw_json_text(j, "objective", r->objective);
    for (int c = 0; c < (r->has_error ? 2 : 1); c++) {
        tw_json_open(j, curve[c], '{');
        json_height(j, "entezari", &r->barrier[c][TW_BARRIER_ENTEZARI]);
        json_height(j, "frankle", &r->barrier[c][TW_BARRIER_FRANKLE]);
        json_height(j, "rise", &r->barrier[c][TW_BARRIER_RISE]);
        tw_json_real(j, "stated_error", r->stated[c]);
        tw_json_real(j, "threshold", r->threshold[c]);
        tw_json_close(j, '}');
    }
    tw_json_text(j, "verdict", tw_verdict_name(r->verdict));
    tw_json_real(j, "samples_needed", r->needed);
    json_layers(j, r);
    if (r->has_guess) {
        tw_json_open(j, "curvature", '{');
        tw_json_real(j, "measured", r->middle);
        tw_json_real(j, "by_slopes", r->guess.by_slopes);
        tw_json_real(j, "by_ends", r->guess.by_ends);
        tw_json_real(j, "by_middle", r->guess.by_middle);
        tw_json_real(j, "by_three", r->guess.by_three);
        tw_json_close(j, '}');
    }
    tw_json_size(j, "n", r->n);
    tw_json_size(j, "n_data", r->n_data);
    tw_json_size(j, "points", r->m);
    tw_json_size(j, "evaluations", r->evaluations);
    tw_json_size(j, "gradients", r->gradients);
    tw_json_bool(j, "converged", r->converged);
    tw_json_bool(j, "buffers_move", r->buffers_move);
}

void barrier_report(struct tw_call *call, const struct barrier_result *r)
{
    json(&call->json, r);
    if (!call->common.json)
        print(r);
}
