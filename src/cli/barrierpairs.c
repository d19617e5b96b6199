/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairs of a matrix side by side, for those who evaluate several points at once: as many lines as
 * they are, each with its next points in every round. */
#include <stdlib.h>

#include "barriermatrix.h"

struct slot {
    size_t i, j; /* the pair */
    struct tw_line line;
    bool used;
};

struct pairs {
    struct barrier *b;
    struct barrier_matrix *m;
    size_t i, j; /* the pair that was given out last */
    size_t n;
    struct slot *slot;       /* (n) */
    struct tw_line_job *job; /* (n) */
    double *unit;            /* (models, models): all of one, nothing of the others */
    struct tw_progress *progress;
    size_t done;
};

static void exchange(struct tw_line *a, struct tw_line *b)
{
    const struct tw_line was = *a;

    *a = *b;
    *b = was;
}

/* All models: a pair's points have weights of two, and the others' count for nothing. */
static enum tw_status anchor(const struct pairs *p)
{
    struct barrier *b = p->b;
    struct tw_vector *at = tw_alloc(p->m->n, sizeof *at);
    enum tw_status rc;

    if (!at)
        return tw_err_set(&b->call->err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < p->m->n; k++)
        at[k].f = b->params[k];
    rc =
        tw_problem_anchor(b->problem, p->m->n, at, (const float *const *)b->buffers, &b->call->err);
    free(at);
    return rc;
}

/* The next pair that is to do; false: none is left. */
static bool advance(struct pairs *p)
{
    const struct barrier_matrix *m = p->m;

    do {
        if (++p->j >= m->n) {
            p->i++;
            p->j = p->i + 1;
        }
    } while (p->j < m->n && m->rows.status[matrix_row(m, p->i, p->j)]);
    return p->j < m->n;
}

static enum tw_status begin(struct pairs *p, struct slot *s)
{
    enum tw_status rc;

    s->i = p->i;
    s->j = p->j;
    exchange(&p->b->line, &s->line);
    rc = barrier_new_line(p->b);
    exchange(&p->b->line, &s->line);
    s->used = rc == TW_OK;
    return rc;
}

static enum tw_status finish(struct pairs *p, struct slot *s)
{
    struct barrier_result r = { 0 };
    enum tw_status rc;

    s->used = false;
    exchange(&p->b->line, &s->line);
    rc = barrier_heights(p->b, s->i, s->j, &r);
    if (rc == TW_OK)
        rc = matrix_pair(p->b, p->m, s->i, s->j, &r);
    barrier_result_release(&r);
    tw_progress_step(p->progress, ++p->done, NULL);
    return rc == TW_OK && p->b->o->predict ? anchor(p) : rc; /* the guess has moved them */
}

static enum tw_status told(void *ctx, const struct tw_line *l, size_t point, struct tw_err *err)
{
    (void)ctx;
    (void)l;
    (void)point;
    (void)err;
    return tw_stop_requested() ? TW_ESTOP : TW_OK;
}

static enum tw_status round_of(struct pairs *p, bool *over)
{
    const size_t models = p->m->n;
    size_t n = 0;
    double t;
    enum tw_status rc = TW_OK;

    for (size_t k = 0; k < p->n && rc == TW_OK; k++) {
        struct slot *s = &p->slot[k];

        if (!s->used && p->j < models && advance(p))
            rc = begin(p, s);
        if (s->used)
            p->job[n++] = (struct tw_line_job){
                &s->line, { models, p->unit + s->i * models, p->unit + s->j * models, NULL }
            };
    }
    *over = n == 0;
    if (rc == TW_OK && n > 0)
        rc = tw_lines_round(n, p->job, p->b->problem, told, NULL, NULL, &p->b->call->err);
    /* Whatever became of the others, a whole line is a pair that is kept. */
    for (size_t k = 0; k < p->n; k++)
        if (p->slot[k].used && tw_line_next(&p->slot[k].line, 1, &t) == 0) {
            const enum tw_status st = finish(p, &p->slot[k]);

            rc = rc == TW_OK ? st : rc;
        }
    return rc;
}

enum tw_status matrix_pairs(struct barrier *b, struct barrier_matrix *m,
                            struct tw_progress *progress)
{
    const size_t most = b->problem->parallel;
    struct pairs p = { .b = b,
                       .m = m,
                       .n = most < m->pairs ? most : m->pairs,
                       .progress = progress,
                       .done = progress->base };
    bool over = false;
    enum tw_status rc;

    p.slot = tw_alloc(p.n, sizeof *p.slot);
    p.job = tw_alloc(p.n, sizeof *p.job);
    p.unit = tw_alloc(m->n, m->n * sizeof *p.unit);
    rc = p.slot && p.job && p.unit ? anchor(&p)
                                   : tw_err_set(&b->call->err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; rc == TW_OK && k < m->n; k++)
        p.unit[k * m->n + k] = 1.0;
    while (rc == TW_OK && !over)
        rc = round_of(&p, &over);
    for (size_t k = 0; p.slot && k < p.n; k++) {
        barrier_drop_line(b);
        b->line = p.slot[k].line;
    }
    free(p.slot);
    free(p.job);
    free(p.unit);
    return rc;
}
