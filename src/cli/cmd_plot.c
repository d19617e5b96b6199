/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg plot: draw a result file, or the curves of loss logs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "comparefile.h"
#include "fitreport.h"
#include "forecast.h"
#include "ghost.h"
#include "provenance.h"
#include "read.h"
#include "scanfile.h"

struct plot_opts {
    struct tw_figure_cli figure;
    struct tw_fit_figure_opts look;
    struct tw_read_opts read;
    bool profiles;
};

static const char OTHER_SCAN[] = "scan-other"; /* no kind that files have */

#define AT(field) TW_OPT_FIELD(struct plot_opts, field)
static const struct tw_opt opts[] = {
    { TW_OPT_STR, 'o', "output", AT(figure.plot), "FIGURE",
      "the figure (.pdf .png .svg .tex .eps) [the input's name with .pdf]", 0, 0, NULL },
    TW_FIGURE_LOOK_ROWS(struct plot_opts, figure),
    { TW_OPT_FLAG, 0, "profiles", AT(profiles), NULL, "draw a fit's profiles instead of its curves",
      0, 0, NULL },
    TW_FIT_LOOK_ROWS_OF(struct plot_opts, look,
                        "what to draw of a law of runs [its first of iso-loss, reducible, "
                        "agreement], or of a plane: map, surface [map], or of steps: zeros, layers",
                        TW_FIT_FIGURES "|map|surface|" GHOST_ZEROS "|" GHOST_LAYERS),
    { TW_OPT_HEAD, 0, "Reading logs", 0, NULL, NULL, 0, 0, NULL },
    TW_READ_OPTS(struct plot_opts, read),
    { .type = TW_OPT_END },
};

/* A line or a plane; `other`: of another program. */
static enum tw_status draw_scan(struct tw_call *call, bool other, const char *path,
                                const struct tw_figure_opts *fo)
{
    const struct plot_opts *o = call->opts;
    const char *look = o->look.figure;
    struct tw_scan s = { 0 };
    enum tw_status rc;

    if (o->profiles || (look && strcmp(look, "map") != 0 && strcmp(look, "surface") != 0))
        return tw_err_set(&call->err, TW_EINVAL,
                          "%s is a scan, and --figure of one is map or surface", call->argv[0]);
    rc = other ? tw_scan_read_other(call->argv[0], &s, &other, &call->err)
               : tw_scan_read(call->argv[0], &s, &call->err);
    if (rc == TW_OK)
        rc = tw_scan_draw(
            &s, look && !strcmp(look, "surface") ? TW_SCAN_FIGURE_SURFACE : TW_SCAN_FIGURE_AUTO,
            path, fo, &call->err);
    tw_scan_release(&s);
    return rc;
}

static enum tw_status draw_ghost(struct tw_call *call, const char *path,
                                 const struct tw_figure_opts *fo)
{
    const struct plot_opts *o = call->opts;
    const char *look = o->look.figure;
    struct ghost g = { .call = call };
    enum tw_status rc;

    if (o->profiles || (look && strcmp(look, GHOST_ZEROS) != 0 && strcmp(look, GHOST_LAYERS) != 0))
        return tw_err_set(&call->err, TW_EINVAL,
                          "%s has radii of steps, and --figure of those is " GHOST_ZEROS
                          " or " GHOST_LAYERS,
                          call->argv[0]);
    rc = tw_ghost_read(&g, call->argv[0]);
    if (look)
        g.figure = !strcmp(look, GHOST_ZEROS) ? GHOST_ZEROS : GHOST_LAYERS;
    if (rc == TW_OK)
        rc = tw_ghost_draw(&g, path, fo);
    tw_ghost_release(&g);
    return rc;
}

static enum tw_status draw_result(struct tw_call *call, const char *kind, const char *path,
                                  const struct tw_figure_opts *fo)
{
    const struct plot_opts *o = call->opts;
    struct tw_forecast_set set = { 0 };
    struct tw_fit_file f = { 0 };
    enum tw_status rc;

    if (!strncmp(kind, "scan-", 5)) {
        rc = draw_scan(call, !strcmp(kind, OTHER_SCAN), path, fo);
    } else if (!strncmp(kind, "barrier", 7)) {
        rc = barrier_plot(call->argv[0], kind, path, fo, &call->err);
    } else if (!strcmp(kind, "ghost")) {
        rc = draw_ghost(call, path, fo);
    } else if (!strcmp(kind, "compare")) {
        rc = o->profiles ? tw_err_set(&call->err, TW_EINVAL,
                                      "--profiles draws a fit, and %s is none", call->argv[0])
                         : tw_compare_figure(call->argv[0], path, fo, &call->err);
    } else if (!strcmp(kind, "forecast") || !strcmp(kind, "schedule")) {
        rc = tw_forecast_read(call->argv[0], &f, &set, &call->err);
        if (rc == TW_OK && o->profiles)
            rc = tw_fit_profile_figure(&f, path, fo, &call->err);
        else if (rc == TW_OK && !strcmp(kind, "schedule"))
            rc = tw_schedule_figure(&f, &set, path, &o->look, fo, &call->err);
        else if (rc == TW_OK)
            rc = tw_forecast_figure(&f, &set, path, &o->look, fo, &call->err);
    } else {
        rc = tw_fit_file_read(call->argv[0], &f, &call->err);
        if (rc == TW_OK)
            rc = o->profiles ? tw_fit_profile_figure(&f, path, fo, &call->err)
                             : tw_fit_figure(&f, path, &o->look, fo, &call->err);
    }
    tw_forecast_set_release(&set);
    tw_fit_file_release(&f);
    return rc;
}

static const char *x_label(enum tw_x_unit unit)
{
    static const char *const label[] = {
        [TW_X_UNKNOWN] = "x",      [TW_X_STEP] = "training step", [TW_X_TOKEN] = "tokens",
        [TW_X_SAMPLE] = "samples", [TW_X_EPOCH] = "epoch",        [TW_X_SECOND] = "seconds",
        [TW_X_FLOP] = "FLOP",
    };

    return label[unit];
}

static enum tw_status draw_logs(struct tw_call *call, const struct tw_curves *curves,
                                const char *path, const struct tw_figure_opts *fo)
{
    const struct plot_opts *o = call->opts;
    struct tw_figure_curve *v = tw_alloc(curves->n, sizeof *v);
    bool rates = false;
    enum tw_status rc;

    if (!v || !curves->n) { /* whatever was read has a curve */
        free(v);
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < curves->n; i++) {
        const struct tw_curve *c = &curves->v[i];

        v[i] = (struct tw_figure_curve){ .name = c->name,
                                         .role = "fitted",
                                         .n = c->n,
                                         .x = c->x,
                                         .y = c->y,
                                         .k = c->nlr,
                                         .lr_x = c->lr_x,
                                         .lr = c->lr,
                                         .fitted_to = NAN };
        rates = rates || c->nlr > 1;
    }
    rc = tw_figure_curves(path,
                          &(struct tw_figure_curves){
                              .x_label = x_label(curves->v[0].x_unit),
                              .y_label = curves->v[0].y_name,
                              .n = curves->n,
                              .curves = v,
                              .show_lr = rates,
                              .log_x = o->look.log_x,
                              .log_y = o->look.log_y,
                          },
                          fo, &call->err);
    free(v);
    return rc;
}

/* "dir/fit.h5" -> "fit.pdf", in the folder where the command runs. */
static void default_name(const char *input, bool profiles, struct tw_str *out)
{
    const char *slash = strrchr(input, '/');
    const char *base = slash ? slash + 1 : input;
    const char *dot = strrchr(base, '.');

    if (!strcmp(input, "-"))
        tw_str_add(out, "stdin");
    else
        tw_str_addn(out, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
    tw_str_add(out, profiles ? "-profiles.pdf" : ".pdf");
}

/* Is it a surface of another program? */
static enum tw_status tell_other(struct tw_call *call, const char *path, char **kind)
{
    struct tw_scan s;
    bool is = false;
    enum tw_status rc = tw_scan_read_other(path, &s, &is, &call->err);

    if (rc == TW_OK)
        tw_scan_release(&s);
    if (rc == TW_OK && is) {
        *kind = tw_strdup(OTHER_SCAN);
        rc = *kind ? TW_OK : tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    }
    return rc;
}

/* Is it a result file? Its kind into *kind, NULL for a log; other HDF5 may be a log too, and the
 * file of a training run is one. */
static enum tw_status tell_kind(struct tw_call *call, const char *path, char **kind)
{
    struct tw_err why = { 0 };
    struct tw_result *r;
    bool is_log;

    *kind = NULL;
    if (!tw_is_hdf5(path))
        return TW_OK;
    r = tw_result_open(path, NULL, &why);
    if (!r) /* a log in HDF5 is no result file */
        return tell_other(call, path, kind);
    is_log = !strcmp(tw_result_kind(r), "train");
    *kind = is_log ? NULL : tw_strdup(tw_result_kind(r));
    tw_result_done(r);
    return *kind || is_log ? TW_OK : tw_err_set(&call->err, TW_ENOMEM, "out of memory");
}

/* The operands' kind: NULL for logs. */
static enum tw_status one_kind(struct tw_call *call, char **kind)
{
    enum tw_status rc = tell_kind(call, call->argv[0], kind);

    for (int i = 1; rc == TW_OK && i < call->argc; i++) {
        char *other = NULL;

        rc = tell_kind(call, call->argv[i], &other);
        if (rc == TW_OK && (*kind || other))
            rc = tw_err_set(&call->err, TW_EINVAL,
                            "%s is a result file, and those are drawn one at a time",
                            *kind ? call->argv[0] : call->argv[i]);
        free(other);
    }
    return rc;
}

/* Is the name a word of the text? */
static bool has_name(const char *text, const char *name)
{
    for (const char *p = text; (p = strstr(p, name)); p++)
        if ((p == text || p[-1] == ' ') && strchr(" ,:;", p[strlen(name)]))
            return true;
    return false;
}

/* What is wrong with the numbers of a file is said with its name. */
static enum tw_status name_input(struct tw_call *call, enum tw_status rc)
{
    const bool of_numbers = rc == TW_EINVAL || rc == TW_EFORMAT || rc == TW_EDOMAIN;

    if (!of_numbers || call->argc > 1 || has_name(call->err.msg, call->argv[0]))
        return rc;
    return tw_err_ctx(&call->err, rc, "%s", call->argv[0]);
}

static int run(struct tw_call *call)
{
    const struct plot_opts *o = call->opts;
    struct tw_cmd_provenance prov = { 0 };
    struct tw_curves curves = { 0 };
    struct tw_str name = { 0 }, store = { 0 }, lines = { 0 };
    struct tw_figure_opts fo;
    enum tw_status rc;
    const char *path;
    char *kind = NULL;

    if (call->argc < 1)
        return tw_cmd_usage(call, "nothing to plot: give a result file or loss logs");
    default_name(call->argv[0], o->profiles, &name);
    path = o->figure.plot ? o->figure.plot : tw_figure_cli_path(&o->figure, name.s, &store);
    rc = tw_figure_cli_check(&o->figure, call, path);
    if (rc == TW_OK)
        rc = tw_cmd_provenance_start(&prov, call, &call->err);
    if (rc == TW_OK)
        rc = one_kind(call, &kind);
    if (rc == TW_OK && o->profiles && !kind)
        rc = tw_err_set(&call->err, TW_EINVAL, "--profiles draws a fit, and %s is none",
                        call->argv[0]);
    for (int i = 0; rc == TW_OK && !kind && i < call->argc; i++)
        rc = tw_read_curves(call, call->argv[i], &o->read, &curves, &call->err);
    for (int i = 0; rc == TW_OK && i < call->argc; i++)
        if (strcmp(call->argv[i], "-") != 0)
            rc = tw_cmd_provenance_input(&prov, call->argv[i], NULL, &call->err);
    tw_cmd_provenance_lines(&prov, &lines);
    tw_figure_cli_opts(&o->figure, call, lines.s, &fo);
    if (rc == TW_OK)
        rc = name_input(call, kind ? draw_result(call, kind, path, &fo)
                                   : draw_logs(call, &curves, path, &fo));
    if (rc == TW_OK)
        tw_figure_cli_done(&o->figure, call, "figure", path);
    tw_curves_release(&curves);
    tw_cmd_provenance_release(&prov);
    tw_str_release(&name);
    tw_str_release(&lines);
    tw_str_release(&store);
    free(kind);
    return rc == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
}

static const struct plot_opts defaults = { .read = TW_READ_DEFAULTS };
const struct tw_cmd tw_cmd_plot = {
    "plot",          "Results",    "draw a result file or loss logs",
    "FILE...",       TW_USES_JSON, opts,
    sizeof defaults, &defaults,    run,
};
