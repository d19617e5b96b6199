/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of scans. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scanfile.h"

static void note_paths(const struct tw_scan *s, struct tw_str *t)
{
    struct tw_scan_path_range most = { .off = NAN };
    size_t which = 0;

    for (size_t k = 0; k < s->paths.npath; k++) {
        const struct tw_scan_path_range r = tw_scan_path_range_of(&s->paths, k);

        if (r.off > most.off || isnan(most.off)) {
            most = r;
            which = k;
        }
    }
    if (isfinite(most.off))
        tw_str_addf(t, "; runs projected, up to %.3g off the plane (%s, step %.0f)", most.off,
                    s->paths.name[which], most.off_step);
}

/* What the figure rests on, in words for its foot. */
static void note(const struct tw_scan *s, struct tw_str *t)
{
    const struct tw_scan_range r = tw_scan_range_of(s);
    const size_t points = s->nx * s->ny;

    if (s->ny > 1)
        tw_str_addf(t, "%zu × %zu points", s->nx, s->ny);
    else
        tw_str_addf(t, "%zu points", s->nx);
    if (r.interpolated)
        tw_str_addf(t, ", %zu computed, the others within %.2g %% of the range", r.computed,
                    100.0 * s->stated_error);
    if (r.computed + r.interpolated < points)
        tw_str_addf(t, ", unfinished (%zu missing)", points - r.computed - r.interpolated);
    if (r.failed)
        tw_str_addf(t, ", %zu not finite (grey)", r.failed);
    if (s->n)
        tw_str_addf(t, "; n = %zu%s", s->n, s->n < s->n_data ? " (a subset)" : "");
    if (r.largest_se > 0.0)
        tw_str_addf(t, ", standard error up to %.2g", r.largest_se);
    if (*s->normalise)
        tw_str_addf(t, "; %s%s directions",
                    strcmp(s->normalise, "none") != 0 ? s->normalise : "raw",
                    strcmp(s->normalise, "none") != 0 ? "-normalised" : " Gaussian");
    if (*s->biases)
        tw_str_addf(t, ", biases %s",
                    !strcmp(s->biases, "ignore")    ? "fixed"
                    : !strcmp(s->biases, "weights") ? "scaled"
                                                    : "random");
    if (*s->bn)
        tw_str_addf(t, "; batch statistics %s",
                    !strcmp(s->bn, "keep")          ? "kept"
                    : !strcmp(s->bn, "interpolate") ? "interpolated"
                                                    : "recalibrated");
    if (s->off_plane) {
        double off = 0.0, far = 0.0;

        for (size_t k = 0; k < s->nmark; k++) {
            off = fmax(off, s->off_plane[k]);
            far = fmax(far, s->distance[k]);
        }
        if (off < 1e-5 * far)
            tw_str_add(t, "; the path lies in the plane");
        else
            tw_str_addf(t, "; the path is up to %.3g off the plane, its start %.3g away", off, far);
        tw_str_addf(t, "; %.1f + %.1f %% of its variance", 100.0 * s->explained[0],
                    100.0 * s->explained[1]);
    }
    note_paths(s, t);
}

/* How much of all names is one file or run: "pair.h5:" of "pair.h5:a:100" and "pair.h5:b:200". */
static size_t common(char *const *name, size_t n)
{
    size_t same = n > 1 ? strlen(name[0]) : 0;

    for (size_t k = 1; k < n; k++)
        for (size_t i = 0; i < same; i++)
            if (name[k][i] != name[0][i])
                same = i;
    while (same && name[0][same - 1] != ':')
        same--;
    return same;
}

/* "runs/a.h5" -> "a": short enough for a mark. */
static char *short_name(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    const char *dot = strrchr(base, '.');

    return tw_strndup(base,
                      dot && dot > base && !strchr(dot, ':') ? (size_t)(dot - base) : strlen(base));
}

/* Paths as a figure takes them. */
struct ways {
    struct tw_figure_path *v;
    char **name;
    double chord[4];
    bool has_chord;
};

static void ways_release(struct ways *w, size_t n)
{
    for (size_t k = 0; w->name && k < n; k++)
        free(w->name[k]);
    free(w->name);
    free(w->v);
}

/* Two paths: between their ends; else between the second and the third checkpoint of a plane. */
static void find_chord(const struct tw_scan *s, struct ways *w)
{
    w->has_chord =
        s->paths.npath == 2 || (s->paths.npath && s->nmark == 3 && !strcmp(s->chart, "triangle"));
    for (size_t k = 0; w->has_chord && k < 2; k++) {
        const bool two = s->paths.npath == 2;

        w->chord[2 * k] = two ? w->v[k].x[w->v[k].n - 1] : s->mark_x[k + 1];
        w->chord[2 * k + 1] = two ? w->v[k].y[w->v[k].n - 1] : s->mark_y[k + 1];
    }
}

static bool ways_make(const struct tw_scan *s, struct ways *w)
{
    const struct tw_scan_paths *p = &s->paths;
    const size_t same = common(p->name, p->npath);

    w->v = tw_alloc(p->npath, sizeof *w->v);
    w->name = tw_alloc(p->npath, sizeof *w->name);
    for (size_t k = 0; w->v && w->name && k < p->npath; k++) {
        const struct tw_scan_path_range r = tw_scan_path_range_of(p, k);

        w->name[k] = short_name(p->name[k] + same);
        if (!w->name[k])
            return false;
        w->v[k] = (struct tw_figure_path){ .name = w->name[k],
                                           .n = r.n,
                                           .x = p->field[SCAN_PATH_X] + r.first,
                                           .y = p->field[SCAN_PATH_Y] + r.first };
    }
    if (w->v)
        find_chord(s, w);
    return w->v && w->name;
}

static enum tw_status draw_plane(const struct tw_scan *s, bool relief, const char *path,
                                 const struct tw_figure_opts *o, struct tw_err *err)
{
    const bool checkpoints = !strcmp(s->chart, "triangle") || s->off_plane;
    const size_t same = common(s->mark, s->nmark);
    struct ways ways = { 0 };
    char **names = tw_alloc(s->nmark, sizeof *names);
    struct tw_str t = { 0 };
    struct tw_figure_surface f = { .x_label = "direction 1", .y_label = "direction 2" };
    bool good = names != NULL;
    enum tw_status rc;

    note(s, &t);
    for (size_t k = 0; good && !s->off_plane && checkpoints && k < s->nmark; k++) {
        names[k] = short_name(s->mark[k] + same);
        good = names[k] != NULL;
    }
    good = good && ways_make(s, &ways);
    if (checkpoints) {
        f.x_label = s->off_plane ? "first principal component" : "distance along the first side";
        f.y_label = s->off_plane ? "second principal component" : "distance from it";
    }
    f.z_label = "loss";
    f.nx = s->nx;
    f.ny = s->ny;
    f.x = s->x;
    f.y = s->y;
    f.z = s->field[SCAN_LOSS];
    f.equal = checkpoints;
    f.relief = relief;
    f.path = s->off_plane != NULL;
    f.nmark = checkpoints ? s->nmark : 0;
    f.mark_x = s->mark_x;
    f.mark_y = s->mark_y;
    f.mark = (const char *const *)names;
    f.npath = s->paths.npath;
    f.paths = ways.v;
    f.chord = ways.has_chord ? ways.chord : NULL;
    f.note = t.s;
    rc = good && !t.failed ? tw_figure_surface(path, &f, o, err)
                           : tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; names && k < s->nmark; k++)
        free(names[k]);
    free(names);
    ways_release(&ways, s->paths.npath);
    tw_str_release(&t);
    return rc;
}

/* One panel of a line: a band of 95 %, the curve, and the points of a line with --tol. */
struct line_panel {
    double *y, *lo, *hi, *at;
    struct tw_figure_layer layer[3];
};

static void panel_release(struct line_panel *p)
{
    free(p->y);
    free(p->lo);
    free(p->hi);
    free(p->at);
}

static bool fill_panel(const struct tw_scan *s, size_t field, struct line_panel *p,
                       struct tw_figure_plane *f)
{
    const double by = field == SCAN_ERROR ? 100.0 : 1.0;
    const double *se = s->field[field + 1];
    const int colour = field == SCAN_ERROR;
    size_t n = 0;

    p->y = tw_alloc(s->nx, sizeof *p->y);
    p->lo = tw_alloc(s->nx, sizeof *p->lo);
    p->hi = tw_alloc(s->nx, sizeof *p->hi);
    p->at = tw_alloc(s->nat, sizeof *p->at);
    if (!p->y || !p->lo || !p->hi || !p->at)
        return false;
    for (size_t i = 0; i < s->nx; i++) {
        p->y[i] = by * s->field[field][i];
        p->lo[i] = p->y[i] - (se ? 1.96 * by * se[i] : 0.0);
        p->hi[i] = p->y[i] + (se ? 1.96 * by * se[i] : 0.0);
    }
    while (n < s->nat && s->at_done[n]) {
        p->at[n] = by * s->at_field[field][n];
        n++;
    }
    p->layer[0] = (struct tw_figure_layer){
        .mark = TW_FIGURE_BAND, .n = s->nx, .x = s->x, .y = p->lo, .y2 = p->hi, .colour = colour
    };
    p->layer[1] = (struct tw_figure_layer){
        .mark = TW_FIGURE_LINE, .n = s->nx, .x = s->x, .y = p->y, .colour = colour
    };
    p->layer[2] = (struct tw_figure_layer){
        .mark = TW_FIGURE_POINTS, .n = n, .x = s->at, .y = p->at, .colour = colour
    };
    f->layers = p->layer;
    f->n = n ? 3 : 2;
    return true;
}

static enum tw_status draw_line(const struct tw_scan *s, const char *path,
                                const struct tw_figure_opts *o, struct tw_err *err)
{
    const size_t n = s->field[SCAN_ERROR] ? 2 : 1;
    struct line_panel panel[2] = { { 0 } };
    struct tw_figure_plane f[2] = { { 0 } };
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < n; k++) {
        f[k].title = "A line through weights; bands are 95 % intervals of the mean";
        f[k].x_label = !strcmp(s->chart, "line") ? "from the first checkpoint (0) to the second (1)"
                                                 : "distance along the direction";
        f[k].y_label = k ? "error (%)" : "loss";
        f[k].x_lo = s->x[0];
        f[k].x_hi = s->x[s->nx - 1];
        f[k].y_lo = f[k].y_hi = NAN;
        f[k].weight = k ? 0.6 : 1.0;
        if (!fill_panel(s, k ? SCAN_ERROR : SCAN_LOSS, &panel[k], &f[k]))
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    if (rc == TW_OK)
        rc = tw_figure_stack(path, n, f, o, err);
    panel_release(&panel[0]);
    panel_release(&panel[1]);
    return rc;
}

enum tw_status tw_scan_draw(const struct tw_scan *s, enum tw_scan_figure kind, const char *path,
                            const struct tw_figure_opts *o, struct tw_err *err)
{
    const struct tw_scan_range r = tw_scan_range_of(s);

    if (r.computed + r.interpolated == 0)
        return tw_err_set(
            err, TW_EINVAL,
            "no point has a loss yet; the command that made it goes on where it ended");
    if (s->ny == 1)
        return draw_line(s, path, o, err);
    return draw_plane(s, kind == TW_SCAN_FIGURE_SURFACE, path, o, err);
}
