/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From operands to a chart: which kind, which checkpoints, which coordinates. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"
#include "thalweg/store_run.h"

size_t scan_checkpoints(const struct scan *s)
{
    return s->o->evaluator.command ? s->own.n : s->list.n;
}

const char *scan_checkpoint(const struct scan *s, size_t k)
{
    if (s->o->evaluator.command)
        return s->own.name[k];
    return k < s->list.n ? s->list.v[k].name : NULL;
}

static enum tw_status no_memory(struct scan *s)
{
    return tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
}

/* ---- the plan -------------------------------------------------------------------------------- */

static enum tw_status list_checkpoints(struct scan *s)
{
    enum tw_status rc = TW_OK;

    for (int i = 0; rc == TW_OK && i < s->call->argc; i++) {
        const char *text = s->call->argv[i];
        struct tw_str all = { 0 };

        /* The file of a run alone means the whole run. */
        if (s->o->trajectory && !tw_names_checkpoint(text) && tw_is_run_file(text))
            tw_str_addf(&all, "%s:*", text);
        rc =
            all.failed ? no_memory(s) : tw_checkpoints_add(s->call, all.s ? all.s : text, &s->list);
        tw_str_release(&all);
    }
    return rc;
}

/* Network, checkpoints and data in one. */
static enum tw_status open_evaluator(struct scan *s)
{
    if (s->call->argc || s->o->net.data || s->o->net.model)
        return tw_err_set(&s->call->err, TW_EINVAL,
                          "--evaluator brings its own network, checkpoints and data: name none "
                          "beside it");
    if (s->o->target_error > 0.0 || s->o->also.n || (s->o->bn && !strcmp(s->o->bn, "recalibrate")))
        return tw_err_set(&s->call->err, TW_EINVAL,
                          "--target-error, --also and --bn=recalibrate do not go with --evaluator");
    s->problem = tw_evaluator_open(s->call, &s->o->evaluator);
    return s->problem ? tw_evaluator_own(s->call, s->problem, &s->own) : s->call->err.code;
}

/* "51", "51x41" */
static bool read_mesh(const char *text, size_t *nx, size_t *ny)
{
    const size_t n = strcspn(text, "xX");
    double a, b = 1.0;

    if (!tw_strn_to_real(text, n, &a) || (text[n] && !tw_str_to_real(text + n + 1, &b)) ||
        !(a >= 2.0 && a <= 1e6) || !(b >= (text[n] ? 2.0 : 1.0) && b <= 1e6) || a != floor(a) ||
        b != floor(b) || a * b > 1e8)
        return false;
    *nx = (size_t)a;
    *ny = (size_t)b;
    return true;
}

static enum tw_status plan_mesh(struct scan *s)
{
    static const char *const usual[] = { "51x51", "51", "41x41", "41x41" };
    static const char *const what[] = { "", "two checkpoints make a line", "three make a plane",
                                        "a trajectory makes a plane" };
    const char *mesh = s->o->mesh ? s->o->mesh : usual[s->kind];
    struct tw_err *err = &s->call->err;

    if (!read_mesh(mesh, &s->nx, &s->ny))
        return tw_err_set(err, TW_EINVAL, "--mesh: '%s' is not like 51 or 51x51", mesh);
    if (s->kind != SCAN_RANDOM && (s->kind == SCAN_LINE) != (s->ny == 1))
        return tw_err_set(err, TW_EINVAL, "--mesh=%s: %s, so the mesh is like %s", mesh,
                          what[s->kind], usual[s->kind]);
    if (s->o->tol > 0.0 && (s->nx < 9 || (s->ny > 1 && s->ny < 9)))
        return tw_err_set(err, TW_EINVAL, "--tol needs a mesh of 9 or 9x9 points at least");
    return TW_OK;
}

enum tw_status scan_plan(struct scan *s)
{
    struct tw_err *err = &s->call->err;
    enum tw_status rc = s->o->evaluator.command ? open_evaluator(s) : list_checkpoints(s);
    const size_t n = rc == TW_OK ? scan_checkpoints(s) : 0;

    if (rc != TW_OK)
        return rc;
    s->kind = s->o->trajectory ? SCAN_TRAJECTORY
              : n <= 1         ? SCAN_RANDOM
              : n == 2         ? SCAN_LINE
                               : SCAN_TRIANGLE;
    if (s->o->trajectory && n < 3)
        return tw_err_set(err, TW_EINVAL, "--trajectory needs at least 3 checkpoints, not %zu", n);
    if (!s->o->trajectory && n > 3)
        return tw_err_set(err, TW_EINVAL,
                          "%zu checkpoints: one has random directions, two make a line, three a "
                          "plane, more a --trajectory",
                          n);
    if ((s->o->direction_file || s->o->save_directions) && s->kind != SCAN_RANDOM)
        return tw_err_set(err, TW_EINVAL,
                          "--direction-file and --save-directions are about directions from one "
                          "checkpoint, not about lines and planes between several");
    if (s->o->range && s->kind != SCAN_LINE && s->kind != SCAN_RANDOM)
        return tw_err_set(err, TW_EINVAL,
                          "--range is of lines; a plane through checkpoints has a "
                          "--margin");
    if (s->o->bn && !strcmp(s->o->bn, "keep") && s->kind != SCAN_RANDOM)
        return tw_err_set(err, TW_EINVAL,
                          "--bn=keep: between checkpoints the statistics of neither are right; "
                          "interpolate or recalibrate them");
    rc = plan_mesh(s);
    return rc == TW_OK ? scan_paths_plan(s) : rc;
}

/* ---- anchors ------------------------------------------------------------------------------ */

static enum tw_status new_anchors(struct scan *s, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        s->anchor[k] = tw_alloc(s->problem->dim, sizeof *s->anchor[k]);
        s->buffers[k] = tw_alloc(s->problem->layout->nb, sizeof *s->buffers[k]);
        if (!s->anchor[k] || !s->buffers[k])
            return no_memory(s);
    }
    return TW_OK;
}

static enum tw_status load(struct scan *s, size_t k, float *params, float *buffers)
{
    if (s->o->evaluator.command) {
        const double one = 1.0;

        tw_mix(1, &s->own.at[k], &one, s->problem->dim, params, NULL);
        memcpy(buffers, s->own.buffers[k], s->problem->layout->nb * sizeof *buffers);
        return TW_OK;
    }
    return tw_load_weights(s->call, &s->o->net, scan_checkpoint(s, k), tw_problem_graph(s->problem),
                           s->net, params, buffers, &s->prov);
}

/* ---- coordinates ----------------------------------------------------------------------------- */

/* n points from lo to hi: both ends exact, and the middle of an even range 0 where it should be. */
static void fill_axis(double *x, size_t n, double lo, double hi)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ((double)(n - 1 - i) * lo + (double)i * hi) / (double)(n - 1);
}

/* What marks and paths span, and a margin on all sides. Planes in units of distance show equal
 * scales, so a thin one is widened. */
static void span(const struct scan *s, const double *v, const double *path, double *lo, double *hi)
{
    *lo = *hi = v[0];
    for (size_t i = 1; i < s->out.nmark; i++) {
        *lo = fmin(*lo, v[i]);
        *hi = fmax(*hi, v[i]);
    }
    for (size_t i = 0; i < s->out.paths.n; i++)
        if (isfinite(path[i])) {
            *lo = fmin(*lo, path[i]);
            *hi = fmax(*hi, path[i]);
        }
    *lo -= s->o->margin * (*hi - *lo);
    *hi += s->o->margin / (1.0 + s->o->margin) * (*hi - *lo);
}

static void span_marks(struct scan *s)
{
    double lo[2], hi[2], size;

    span(s, s->out.mark_x, s->out.paths.field[SCAN_PATH_X], &lo[0], &hi[0]);
    span(s, s->out.mark_y, s->out.paths.field[SCAN_PATH_Y], &lo[1], &hi[1]);
    size = fmax(hi[0] - lo[0], hi[1] - lo[1]);
    for (int a = 0; a < 2; a++)
        if (hi[a] - lo[a] < 0.5 * size) {
            const double more = 0.5 * (0.5 * size - (hi[a] - lo[a]));

            lo[a] -= more;
            hi[a] += more;
        }
    fill_axis(s->out.x, s->nx, lo[0], hi[0]);
    fill_axis(s->out.y, s->ny, lo[1], hi[1]);
}

/* "-0.5:1.5" */
static enum tw_status read_range(struct scan *s, double *lo, double *hi)
{
    const char *text = s->o->range;
    const size_t n = text ? strcspn(text, ":") : 0;

    if (text && (!text[n] || !tw_strn_to_real(text, n, lo) || !tw_str_to_real(text + n + 1, hi) ||
                 !(*lo < *hi) || !isfinite(*lo) || !isfinite(*hi)))
        return tw_err_set(&s->call->err, TW_EINVAL, "--range: '%s' is not like -0.5:1.5", text);
    return TW_OK;
}

static enum tw_status mark_all(struct scan *s)
{
    const size_t n = scan_checkpoints(s) ? scan_checkpoints(s) : 1;

    s->out.mark = tw_alloc(n, sizeof *s->out.mark);
    s->out.mark_x = tw_alloc(n, sizeof *s->out.mark_x);
    s->out.mark_y = tw_alloc(n, sizeof *s->out.mark_y);
    if (!s->out.mark || !s->out.mark_x || !s->out.mark_y)
        return no_memory(s);
    s->out.nmark = n;
    for (size_t k = 0; k < n; k++) {
        const char *name = scan_checkpoint(s, k);

        s->out.mark[k] = tw_strdup(name ? name : s->o->net.model);
        if (!s->out.mark[k])
            return no_memory(s);
    }
    return TW_OK;
}

/* ---- the kinds ------------------------------------------------------------------------------- */

/* Where a word is among n; 0: nowhere, which the option table rules out. */
static size_t place_of(const char *word, const char *const *list, size_t n)
{
    size_t i = n - 1;

    while (i && strcmp(list[i], word) != 0)
        i--;
    return i;
}

static enum tw_status place_random(struct scan *s)
{
    static const char *const how[] = { "none", "layer", "filter", "weight" };
    static const char *const rule[] = { "ignore", "weights", "random" };
    struct tw_direction_options o = { .seed = s->call->common.seed };
    const int dim = s->ny > 1 ? 2 : 1;
    double lo = -s->o->radius, hi = s->o->radius;
    enum tw_status rc = new_anchors(s, (size_t)dim + 1);
    struct tw_pair pair;

    if (rc == TW_OK)
        rc = load(s, 0, s->anchor[0], s->buffers[0]);
    if (rc == TW_OK)
        rc = read_range(s, &lo, &hi);
    if (rc != TW_OK)
        return rc;
    o.normalise = (enum tw_normalise)place_of(s->o->normalise, how, 4);
    o.biases = (enum tw_bias_rule)place_of(s->o->biases, rule, 3);
    if (s->o->direction_file)
        rc = scan_read_directions(s, (size_t)dim);
    if (rc != TW_OK)
        return rc;
    for (o.index = 0; !s->o->direction_file && o.index < (size_t)dim; o.index++)
        tw_direction_make(s->problem->layout, s->anchor[0], &o, s->anchor[o.index + 1]);
    s->chart = tw_chart_centre(dim);
    fill_axis(s->out.x, s->nx, lo, hi);
    if (dim == 2)
        fill_axis(s->out.y, s->ny, lo, hi);
    pair = tw_pair_of(s->problem->dim, s->anchor[1], s->anchor[dim]);
    s->out.axis_length[0] = pair.length[0];
    if (dim == 2) {
        s->out.axis_length[1] = pair.length[1];
        tw_cmd_debug(s->call, "the directions have lengths %.4g and %.4g, and a cosine of %.2g",
                     pair.length[0], pair.length[1], pair.cosine);
    }
    return TW_OK;
}

static enum tw_status place_line(struct scan *s)
{
    double lo = 0.0, hi = 1.0;
    enum tw_status rc = new_anchors(s, 2);

    for (size_t k = 0; rc == TW_OK && k < 2; k++)
        rc = load(s, k, s->anchor[k], s->buffers[k]);
    if (rc == TW_OK)
        rc = read_range(s, &lo, &hi);
    if (rc != TW_OK)
        return rc;
    s->chart = tw_chart_line();
    fill_axis(s->out.x, s->nx, lo, hi);
    s->out.mark_x[1] = 1.0;
    return TW_OK;
}

static enum tw_status place_triangle(struct scan *s)
{
    enum tw_status rc = new_anchors(s, 3);

    for (size_t k = 0; rc == TW_OK && k < 3; k++)
        rc = load(s, k, s->anchor[k], s->buffers[k]);
    if (rc == TW_OK)
        rc = tw_chart_triangle(s->problem->dim, (const float *const *)s->anchor, &s->chart,
                               s->out.mark_x, s->out.mark_y, &s->call->err);
    if (rc != TW_OK)
        return rc;
    s->out.axis_length[0] = s->out.axis_length[1] = 1.0;
    return TW_OK;
}

static enum tw_status trajectory_point(void *ctx, size_t k, float *params, float *buffers,
                                       struct tw_err *err)
{
    struct scan *s = ctx;

    (void)err; /* the call's own */
    return load(s, k, params, buffers);
}

static enum tw_status place_trajectory(struct scan *s)
{
    const struct tw_trajectory_source source = {
        .n = scan_checkpoints(s),
        .dim = s->problem->dim,
        .nbuffer = s->problem->layout->nb,
        .memory = (size_t)1 << 30,
        .from_last = !strcmp(s->o->centre, "last"),
        .point = trajectory_point,
        .ctx = s,
    };
    struct tw_trajectory t;
    enum tw_status rc = tw_trajectory_plane(&source, &t, &s->call->err);

    if (rc == TW_OK) {
        s->chart = tw_chart_centre(2);
        s->anchor[0] = t.origin;
        s->buffers[0] = t.origin_buffers;
        for (size_t a = 0; a < 2; a++) {
            s->anchor[a + 1] = t.axis[a];
            s->buffers[a + 1] = t.axis_buffers[a];
            t.axis[a] = t.axis_buffers[a] = NULL;
            s->out.axis_length[a] = 1.0;
            s->out.explained[a] = t.explained[a];
        }
        t.origin = t.origin_buffers = NULL;
        memcpy(s->out.mark_x, t.x, t.n * sizeof *t.x);
        memcpy(s->out.mark_y, t.y, t.n * sizeof *t.y);
        s->out.distance = t.distance;
        s->out.off_plane = t.off;
        t.distance = t.off = NULL;
    }
    tw_trajectory_release(&t);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum tw_status describe(struct scan *s)
{
    static const char *const chart[] = { "random", "line", "triangle", "trajectory" };
    const bool centred = s->kind == SCAN_RANDOM, random = centred && !s->o->direction_file;
    struct tw_str loss = { 0 };
    struct tw_scan *out = &s->out;

    if (s->o->evaluator.command) {
        const char *name = tw_evaluator_info(s->problem).name;

        tw_str_add(&loss, name ? name : "evaluator");
    } else {
        tw_loss_print(tw_problem_loss(s->problem), &loss);
    }
    out->objective = loss.failed ? NULL : loss.s;
    out->chart = tw_strdup(centred && !random ? "directions" : chart[s->kind]);
    out->normalise = tw_strdup(random ? s->o->normalise : "");
    out->biases = tw_strdup(random ? s->o->biases : "");
    out->bn = tw_strdup(!s->batch_norm ? ""
                        : s->o->bn     ? s->o->bn
                        : centred      ? "keep"
                                       : "interpolate");
    out->n = s->problem->n;
    out->n_data = s->problem->all;
    return out->objective && out->chart && out->normalise && out->biases && out->bn ? TW_OK
                                                                                    : no_memory(s);
}

enum tw_status scan_place(struct scan *s)
{
    static enum tw_status (*const place[])(struct scan *) = { place_random, place_line,
                                                              place_triangle, place_trajectory };
    struct tw_vector anchors[TW_CHART_ANCHORS] = { { NULL, NULL } };
    enum tw_status rc = tw_scan_make(&s->out, s->nx, s->ny, s->problem->has_error, &s->call->err);

    if (rc == TW_OK)
        rc = tw_scan_extra(&s->out, s->o->also.n, s->o->also.v, &s->call->err);
    if (rc == TW_OK && s->ny == 1 && s->o->tol > 0.0)
        rc = tw_scan_room(&s->out, 4 * s->nx, &s->call->err);
    if (rc == TW_OK)
        rc = mark_all(s);
    if (rc == TW_OK)
        rc = place[s->kind](s);
    if (rc == TW_OK)
        rc = scan_paths_place(s);
    if (rc == TW_OK && s->kind >= SCAN_TRIANGLE)
        span_marks(s);
    if (rc == TW_OK)
        rc = describe(s);
    if (rc != TW_OK)
        return rc;
    for (size_t k = 0; k < s->chart.nanchor; k++)
        anchors[k].f = s->anchor[k];
    return tw_problem_anchor(s->problem, s->chart.nanchor, anchors,
                             (const float *const *)s->buffers, &s->call->err);
}
