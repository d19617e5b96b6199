/* SPDX-License-Identifier: GPL-3.0-or-later */
/* --paths: the checkpoints of training runs, seen in the plane of a scan. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"
#include "thalweg/store_run.h"

static enum tw_status no_memory(struct scan *s)
{
    return tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
}

/* ---- which --------------------------------------------------------------------------------- */

/* FILE, or FILE:RUN, as a reference to all checkpoints; "" if it is neither. */
static void reference(const char *text, struct tw_str *out)
{
    const char *colon = strrchr(text, ':');
    char *file = colon ? tw_strndup(text, (size_t)(colon - text)) : NULL;

    tw_str_clear(out);
    tw_str_add(out, "");
    if (tw_is_run_file(text))
        tw_str_addf(out, "%s:*:*", text);
    else if (file && tw_is_run_file(file))
        tw_str_addf(out, "%s:*", text);
    free(file);
}

static enum tw_status add_run(struct scan *s, const char *text)
{
    struct tw_str all = { 0 };
    enum tw_status rc;

    reference(text, &all);
    if (all.failed)
        rc = no_memory(s);
    else if (!*all.s)
        rc = tw_err_set(&s->call->err, TW_EFORMAT,
                        "--paths: %s is neither a file of training runs nor FILE:RUN of one "
                        "(thalweg train makes such)",
                        text);
    else
        rc = tw_checkpoints_add(s->call, all.s, &s->path_list);
    tw_str_release(&all);
    return rc;
}

/* A run, or several with commas between them; a name with a comma in it is a name first. */
static enum tw_status add_runs(struct scan *s, const char *text)
{
    struct tw_str whole = { 0 };
    enum tw_status rc = TW_OK;

    reference(text, &whole);
    if (whole.failed || *whole.s || !strchr(text, ','))
        rc = add_run(s, text);
    else
        for (const char *at = text; rc == TW_OK && at;) {
            const size_t n = strcspn(at, ",");
            char *one = tw_strndup(at, n);

            rc = one ? add_run(s, one) : no_memory(s);
            free(one);
            at = at[n] ? at + n + 1 : NULL;
        }
    tw_str_release(&whole);
    return rc;
}

enum tw_status scan_paths_plan(struct scan *s)
{
    const struct tw_opt_list *list = &s->o->paths;
    enum tw_status rc = TW_OK;

    if (!list->n)
        return TW_OK;
    if (s->o->evaluator.command)
        return tw_err_set(&s->call->err, TW_EINVAL,
                          "--paths takes files of thalweg train, which --evaluator has none of");
    if (s->ny == 1)
        return tw_err_set(&s->call->err, TW_EINVAL,
                          "--paths are drawn in planes: name three checkpoints, or a mesh like "
                          "41x41");
    for (size_t i = 0; rc == TW_OK && i < list->n; i++)
        rc = add_runs(s, list->v[i]);
    return rc;
}

/* ---- where --------------------------------------------------------------------------------- */

/* Does checkpoint k begin another path? A run that is named twice is two. */
static bool begins(const struct tw_checkpoint_list *l, size_t k)
{
    return k == 0 || strcmp(l->v[k].file, l->v[k - 1].file) != 0 ||
           strcmp(l->v[k].run, l->v[k - 1].run) != 0 || l->v[k].step <= l->v[k - 1].step;
}

/* "pair.h5:a:100" is of "pair.h5:a", "run.h5:100" of "run.h5". */
static enum tw_status name_paths(struct scan *s)
{
    const struct tw_checkpoint_list *l = &s->path_list;
    struct tw_scan_paths *p = &s->out.paths;
    enum tw_status rc = tw_scan_paths_make(p, l->n, &s->call->err);

    for (size_t k = 0; rc == TW_OK && k < l->n; k++) {
        if (begins(l, k)) {
            const char *name = l->v[k].name;

            p->name[p->npath++] = tw_strndup(name, (size_t)(strrchr(name, ':') - name));
            if (!p->name[p->npath - 1])
                rc = no_memory(s);
        }
        p->field[SCAN_PATH][k] = (double)(p->npath - 1);
        p->field[SCAN_PATH_STEP][k] = l->v[k].step;
    }
    return rc;
}

enum tw_status scan_paths_place(struct scan *s)
{
    const struct tw_checkpoint_list *l = &s->path_list;
    double **field = s->out.paths.field;
    float *params, *buffers;
    enum tw_status rc;

    if (!l->n)
        return TW_OK;
    params = tw_alloc(s->problem->dim, sizeof *params);
    buffers = tw_alloc(s->problem->layout->nb, sizeof *buffers);
    rc = params && buffers ? name_paths(s) : no_memory(s);
    for (size_t k = 0; rc == TW_OK && k < l->n; k++) {
        struct tw_projection at = { 0 };

        rc = tw_load_weights(s->call, &s->o->net, l->v[k].name, tw_problem_graph(s->problem),
                             s->net, params, buffers, &s->prov);
        if (rc == TW_OK)
            rc = tw_chart_project(&s->chart, s->problem->dim, (const float *const *)s->anchor,
                                  params, &at, &s->call->err);
        field[SCAN_PATH_X][k] = at.x;
        field[SCAN_PATH_Y][k] = at.y;
        field[SCAN_PATH_DISTANCE][k] = at.distance;
        field[SCAN_PATH_OFF][k] = at.off;
    }
    free(params);
    free(buffers);
    return rc;
}

/* Which runs of which inputs: names of files do not count, and their digests are there. */
void scan_paths_settings(const struct scan *s, struct tw_str *out)
{
    const struct tw_checkpoint_list *l = &s->path_list;
    size_t n = 0;

    for (size_t k = 0; k < l->n; k++)
        for (size_t i = 0; begins(l, k) && i < s->prov.record.ninputs; i++)
            if (!strcmp(s->prov.paths[i], l->v[k].file))
                tw_str_addf(out, "path %zu=%s of input %zu\n", ++n, l->v[k].run, i + 1);
}

/* ---- what to say ---------------------------------------------------------------------------- */

void scan_paths_text(const struct scan *s, struct tw_str *t)
{
    const struct tw_scan_paths *p = &s->out.paths;

    for (size_t i = 0; i < p->npath; i++) {
        const struct tw_scan_path_range r = tw_scan_path_range_of(p, i);

        tw_str_addf(t, "path %s: %zu checkpoint%s", p->name[i], r.n, r.n == 1 ? "" : "s");
        if (isfinite(r.off))
            tw_str_addf(t, " up to %.4g from the plane's origin and %.4g off the plane (step %.0f)",
                        r.distance, r.off, r.off_step);
        if (r.lost)
            tw_str_addf(t, ", %zu not finite", r.lost);
        tw_str_add(t, "\n");
    }
}

void scan_paths_json(const struct scan *s, struct tw_json *j)
{
    const struct tw_scan_paths *p = &s->out.paths;
    double most = NAN;

    tw_json_open(j, "paths", '[');
    for (size_t i = 0; i < p->npath; i++) {
        const struct tw_scan_path_range r = tw_scan_path_range_of(p, i);

        tw_json_open(j, NULL, '{');
        tw_json_text(j, "run", p->name[i]);
        tw_json_size(j, "checkpoints", r.n);
        tw_json_real(j, "distance", r.distance);
        tw_json_real(j, "off_plane", r.off);
        tw_json_real(j, "off_plane_step", r.off_step);
        tw_json_close(j, '}');
        most = fmax(most, r.off);
    }
    tw_json_close(j, ']');
    tw_json_real(j, "paths_off_plane", most);
}
