/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg export: a scan in the formats of other programs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scanfile.h"
#include "thalweg/store_surface.h"

struct export_opts {
    const char *loss_landscape, *vtp, *csv;
    double zmax;
    bool log, force;
};

#define AT(field) TW_OPT_FIELD(struct export_opts, field)
static const struct tw_opt opts[] = {
    { TW_OPT_STR, 0, "loss-landscape", AT(loss_landscape), "FILE",
      "write HDF5 that loss-landscape's plotting scripts read", 0, 0, NULL },
    { TW_OPT_STR, 0, "vtp", AT(vtp), "FILE", "write VTK's PolyData, for ParaView", 0, 0, NULL },
    { TW_OPT_STR, 0, "csv", AT(csv), "FILE", "write a table, a row a point", 0, 0, NULL },
    { TW_OPT_REAL, 0, "zmax", AT(zmax), "X", "in --vtp, no height above this [all]", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "log", AT(log), NULL, "in --vtp, heights are ln(loss + 0.1)", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "force", TW_OPT_FIELD(struct export_opts, force), NULL,
      "overwrite these files", 0, 0, NULL },
    { .type = TW_OPT_END },
};

static struct tw_surface_table table_of(const struct tw_scan *s)
{
    return (struct tw_surface_table){
        .nx = s->nx, .ny = s->ny, .x = s->x, .y = s->ny > 1 ? s->y : NULL
    };
}

static enum tw_status add(struct tw_surface_table *t, const char *name, double *value,
                          struct tw_err *err)
{
    if (!value)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    t->name[t->n] = name;
    t->value[t->n++] = value;
    return TW_OK;
}

static enum tw_status write_loss_landscape(struct tw_call *call, const struct tw_scan *s)
{
    const struct export_opts *o = call->opts;
    struct tw_surface_table t = table_of(s);
    const size_t n = s->nx * s->ny;
    double *acc = s->field[SCAN_ERROR] ? tw_alloc(n, sizeof *acc) : NULL;
    enum tw_status rc = add(&t, "train_loss", s->field[SCAN_LOSS], &call->err);

    for (size_t i = 0; acc && i < n; i++)
        acc[i] = 100.0 * (1.0 - s->field[SCAN_ERROR][i]);
    if (rc == TW_OK && s->field[SCAN_ERROR])
        rc = add(&t, "train_acc", acc, &call->err);
    if (rc == TW_OK)
        rc = tw_surface_write_hdf5(o->loss_landscape, o->force, &t, call->argv[0], &call->err);
    free(acc);
    return rc;
}

static enum tw_status write_vtp(struct tw_call *call, const struct tw_scan *s)
{
    const struct export_opts *o = call->opts;
    struct tw_surface_table t = table_of(s);
    const size_t n = s->nx * s->ny;
    double *z = tw_alloc(n, sizeof *z);
    enum tw_status rc = add(&t, "loss", z, &call->err);

    for (size_t i = 0; rc == TW_OK && i < n; i++) {
        z[i] = s->field[SCAN_LOSS][i];
        z[i] = z[i] > o->zmax ? o->zmax : z[i]; /* NaN in zmax: never */
        z[i] = o->log ? log(z[i] + 0.1) : z[i];
    }
    if (rc == TW_OK)
        rc = tw_surface_write_vtp(o->vtp, o->force, &t, &call->err);
    free(z);
    return rc;
}

static enum tw_status write_csv(struct tw_call *call, const struct tw_scan *s)
{
    static const char *const names[SCAN_FIELDS] = { "loss", "loss_se", "error", "error_se" };
    const struct export_opts *o = call->opts;
    struct tw_surface_table t = table_of(s);
    const size_t n = s->nx * s->ny;
    double *status = tw_alloc(n, sizeof *status);
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < SCAN_FIELDS; k++)
        if (s->field[k])
            rc = add(&t, names[k], s->field[k], &call->err);
    for (size_t k = 0; rc == TW_OK && k < s->nextra && t.n + 2 < TW_SURFACE_COLUMNS; k++)
        rc = add(&t, s->extra_name[k], s->extra + k * n, &call->err);
    for (size_t i = 0; status && i < n; i++)
        status[i] = (double)s->status[i];
    if (rc == TW_OK)
        rc = add(&t, "status", status, &call->err);
    if (rc == TW_OK)
        rc = tw_surface_write_csv(o->csv, o->force, &t, &call->err);
    free(status);
    return rc;
}

static int run(struct tw_call *call)
{
    const struct export_opts *o = call->opts;
    static enum tw_status (*const write[])(
        struct tw_call *, const struct tw_scan *) = { write_loss_landscape, write_vtp, write_csv };
    const char *const path[] = { o->loss_landscape, o->vtp, o->csv };
    static const char *const key[] = { "loss_landscape", "vtp", "csv" };
    struct tw_scan s = { 0 };
    bool other = false;
    enum tw_status rc;

    if (call->argc != 1)
        return tw_cmd_usage(call, "give one scan");
    if (!path[0] && !path[1] && !path[2])
        return tw_cmd_usage(call, "nothing to write: give --loss-landscape, --vtp or --csv");
    rc = tw_scan_read_other(call->argv[0], &s, &other, &call->err);
    if (rc == TW_OK && !other)
        rc = tw_scan_read(call->argv[0], &s, &call->err);
    for (size_t k = 0; rc == TW_OK && k < 3; k++)
        if (path[k]) {
            rc = write[k](call, &s);
            if (rc == TW_OK)
                tw_json_text(&call->json, key[k], path[k]);
            if (rc == TW_OK)
                tw_cmd_note(call, "wrote %s", path[k]);
        }
    tw_scan_release(&s);
    return rc == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
}

static const struct export_opts defaults = { .zmax = (double)NAN };
const struct tw_cmd tw_cmd_export = {
    "export",        "Results",    "write a scan for other programs",
    "SCAN.h5",       TW_USES_JSON, opts,
    sizeof defaults, &defaults,    run,
};
