/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of `thalweg train`: made anew, or gone on with. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "thalweg/store_data.h"
#include "train.h"

bool train_goes_on(const struct tw_call *call)
{
    return !call->common.force && access(call->common.output, F_OK) == 0;
}

enum tw_status train_options_read(const char *path, char **record, struct tw_err *err)
{
    struct tw_result *r = tw_result_open(path, "train", err);
    enum tw_status rc = r ? tw_result_get_text(r, "/provenance/options", record, err) : err->code;

    tw_result_done(r);
    return rc;
}

/* Is there a line of n bytes? */
static bool has_line(const char *text, const char *line, size_t n)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strcspn(text, "\n") == n && !strncmp(text, line, n))
            return true;
    return false;
}

/* Every option of a is one of b, or what it is where nobody gives it: so files stay good when there
 * are new options. */
static bool within(const char *a, const char *b, const char *standard)
{
    for (const char *p = a; *p;) {
        const size_t n = strcspn(p, "\n");

        if (!has_line(b, p, n) && !has_line(standard, p, n))
            return false;
        p += n + (p[n] == '\n');
    }
    return true;
}

static enum tw_status same_options(const struct train_work *w, const char *path, const char *record)
{
    const struct tw_cmd *cmd = w->call->cmd;
    struct tw_err *err = &w->call->err;
    struct tw_common fresh = { 0 };
    struct tw_str standard = { 0 };
    enum tw_status rc = TW_OK;

    tw_str_add(&standard, "");
    tw_opt_record(cmd->opts, cmd->uses, &fresh, cmd->defaults, &standard);
    if (standard.failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (!within(record, w->prov.options.s, standard.s) ||
             !within(w->prov.options.s, record, standard.s))
        rc = tw_err_set(err, TW_EIO,
                        "%s exists, and was made with other options ('thalweg info -v' shows "
                        "them); use --force to replace it",
                        path);
    tw_str_release(&standard);
    return rc;
}

/* Is it the file of the checkpoint "FILE", "FILE:STEP" ...? */
static bool is_file_of(const char *path, const char *checkpoint)
{
    const size_t n = strlen(path);

    return checkpoint && !strncmp(path, checkpoint, n) &&
           (checkpoint[n] == '\0' || checkpoint[n] == ':');
}

/* What a run was made from, as its file has it. */
struct inputs {
    size_t n;
    char **path, **digest; /* (n) */
};

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

static enum tw_status read_inputs(const char *path, struct inputs *in, struct tw_err *err)
{
    struct tw_result *r = tw_result_open(path, "train", err);
    enum tw_status rc = r ? TW_OK : err->code;
    size_t n = 0;

    *in = (struct inputs){ 0 };
    if (rc == TW_OK)
        rc = tw_result_get_texts(r, "/provenance/input_paths", &in->n, &in->path, err);
    if (rc == TW_OK)
        rc = tw_result_get_texts(r, "/provenance/input_digests", &n, &in->digest, err);
    if (rc == TW_OK && n != in->n)
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: /provenance has %zu paths of inputs and %zu digests, so that nothing "
                        "tells whether they are the same; use --force to replace it",
                        path, in->n, n);
    tw_result_done(r);
    if (rc != TW_OK) {
        free_texts(in->path, in->n);
        free_texts(in->digest, n);
        *in = (struct inputs){ 0 };
    }
    return rc;
}

static void inputs_release(struct inputs *in)
{
    free_texts(in->path, in->n);
    free_texts(in->digest, in->n);
}

static enum tw_status changed(const char *path, const char *input, struct tw_err *err)
{
    return tw_err_set(err, TW_EIO,
                      "%s exists, and was made when %s held something else; use --force to "
                      "replace it",
                      path, input);
}

/* What the run was made from must be the same still. The weights that it began with are in its
 * state: who goes on by the file alone, wants these. */
static enum tw_status same_input(struct train_work *w, const char *path, const char *input,
                                 const char *digest)
{
    const char *now = tw_cmd_provenance_digest(&w->prov, input);

    if (!now || !strcmp(now, digest))
        return TW_OK;
    if (!w->resumed || !is_file_of(input, w->o->weights))
        return changed(path, input, &w->call->err);
    tw_cmd_warn(w->call, "%s holds other weights than %s began with; it goes on with its own",
                input, path);
    return TW_OK;
}

static enum tw_status same_inputs(struct train_work *w, const char *path)
{
    struct inputs in;
    enum tw_status rc = read_inputs(path, &in, &w->call->err);

    for (size_t i = 0; i < in.n && rc == TW_OK; i++)
        rc = same_input(w, path, in.path[i], in.digest[i]);
    inputs_release(&in);
    return rc;
}

/* Does this call read it as well? What a folder is made of lies below its name. */
static bool reads(const struct train_work *w, const char *input)
{
    const struct train_opts *o = w->o;
    const char *const names[] = { o->net.data, o->net.labels, o->validation, o->net.model };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = names[i] ? tw_store_data_path(names[i]) : NULL;
        const size_t n = name ? strlen(name) : 0;

        if (n && !strncmp(input, name, n) && (!input[n] || input[n] == '/' || name[n - 1] == '/'))
            return true;
    }
    return !w->resumed && is_file_of(input, o->weights);
}

enum tw_status train_blame_inputs(struct train_work *w, enum tw_status why)
{
    const char *path = w->call->common.output;
    struct tw_err err = { 0 }, ignored = { 0 };
    struct inputs in;
    char now[TW_DIGEST_HEX];

    if (!train_goes_on(w->call) || read_inputs(path, &in, &ignored) != TW_OK)
        return why;
    for (size_t i = 0; i < in.n && err.code == TW_OK; i++)
        if (reads(w, in.path[i]) && tw_digest_file(in.path[i], now, NULL) == TW_OK &&
            strcmp(now, in.digest[i]) != 0)
            (void)changed(path, in.path[i], &err);
    inputs_release(&in);
    if (err.code != TW_OK)
        w->call->err = err;
    return w->call->err.code;
}

/* An output that is there: the same work, to be gone on with? */
static enum tw_status check_same(struct train_work *w, const char *path)
{
    struct tw_err *err = &w->call->err;
    char *record = NULL;
    enum tw_status rc = train_options_read(path, &record, err);

    if (rc == TW_OK && record)
        rc = same_options(w, path, record);
    if (rc == TW_OK)
        rc = same_inputs(w, path);
    free(record);
    return rc;
}

static enum tw_status load_states(struct train_work *w, const char *path, size_t *slot)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < w->plan.n && rc == TW_OK; i++) {
        struct train_job *j = &w->job[i];
        struct tw_run_state s;

        rc = tw_run_state_read(path, j->run->name, &s, &w->call->err);
        slot[i] = s.slot;
        if (rc == TW_OK && s.x && (s.n != j->nstate || s.step > j->run->schedule.n))
            rc = tw_err_set(&w->call->err, TW_EFORMAT, "%s: the state of run '%s' does not fit it",
                            path, j->run->name);
        if (rc == TW_OK && !s.x && j->unloaded)
            rc = tw_err_set(&w->call->err, TW_EFORMAT,
                            "%s: run '%s' has no state yet, and %s, which it begins with, is gone",
                            path, j->run->name, j->run->o.weights);
        if (rc == TW_OK && s.x)
            train_job_load(j, s.step, s.x);
        free(s.x);
    }
    return rc;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

enum { MOST_ATTRS = 24 };

static void put_text(struct tw_run_plan *p, struct tw_run_attr *attr, const char *name,
                     const char *text)
{
    if (text)
        attr[p->nattr++] = (struct tw_run_attr){ name, text, 0 };
}

static void put_number(struct tw_run_plan *p, struct tw_run_attr *attr, const char *name,
                       uint64_t x)
{
    attr[p->nattr++] = (struct tw_run_attr){ name, NULL, (int64_t)x };
}

/* What the run is, for the file; texts that are made here are kept in `texts`. */
static enum tw_status describe(const struct train_work *w, size_t i, struct tw_run_plan *p,
                               struct tw_run_series *series, struct tw_run_attr *attr,
                               struct tw_str texts[2])
{
    const struct train_run *r = &w->plan.run[i];
    const struct train_job *j = &w->job[i];

    for (size_t k = 0; k < r->nseries; k++)
        series[k] = train_series[r->series[k]];
    tw_optimizer_print(&r->optimizer, &texts[0]);
    tw_loss_print(tw_problem_loss(j->problem), &texts[1]);
    if (texts[0].failed || texts[1].failed)
        return tw_err_set(&w->call->err, TW_ENOMEM, "out of memory");
    *p = (struct tw_run_plan){ .name = r->name,
                               .nseries = r->nseries,
                               .nrow = r->nrow,
                               .ncheckpoint = r->ncheckpoint,
                               .ntensor = j->problem->layout->nparam + j->problem->layout->nbuffer,
                               .nstate = j->nstate,
                               .attr = attr,
                               .series = series,
                               .checkpoint = r->checkpoint,
                               .tensor = j->tensor };
    put_text(p, attr, "model", r->model);
    put_text(p, attr, "weights", r->o.weights);
    put_text(p, attr, "data", r->o.net.data);
    put_text(p, attr, "data_digest",
             tw_cmd_provenance_digest(&w->prov, tw_store_data_path(r->o.net.data)));
    put_text(p, attr, "optimizer", texts[0].s);
    put_text(p, attr, "schedule", r->schedule.spec);
    put_text(p, attr, "loss", texts[1].s);
    put_text(p, attr, "cell", *r->cell ? r->cell : NULL);
    put_text(p, attr, "spike", r->o.spike);
    put_number(p, attr, "steps", r->schedule.n);
    put_number(p, attr, "batch", r->batch);
    put_number(p, attr, "samples", w->data.tokens.n ? w->data.ntokens : j->problem->n);
    put_number(p, attr, "parameters", j->problem->dim);
    put_number(p, attr, "seed", r->seed);
    put_number(p, attr, "init_seed", r->init_seed);
    put_number(p, attr, "data_seed", r->data_seed);
    if (r->o.spawn != SIZE_MAX) {
        put_number(p, attr, "spawn", r->o.spawn);
        put_number(p, attr, "branch", r->branch);
    }
    return TW_OK;
}

enum tw_status train_file_open(struct train_work *w)
{
    const char *path = w->call->common.output;
    const size_t n = w->plan.n;
    struct tw_run_series(*series)[TRAIN_NSERIES] = tw_alloc(n, sizeof *series);
    struct tw_run_attr(*attr)[MOST_ATTRS] = tw_alloc(n, sizeof *attr);
    struct tw_str(*texts)[2] = tw_alloc(n, sizeof *texts);
    size_t *slot = tw_alloc(n, sizeof *slot);
    enum tw_status rc = TW_OK;

    w->file_plan = tw_alloc(n, sizeof *w->file_plan);
    if (!series || !attr || !texts || !slot || !w->file_plan)
        rc = tw_err_set(&w->call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n && rc == TW_OK; i++)
        rc = describe(w, i, &w->file_plan[i], series[i], attr[i], texts[i]);
    if (rc == TW_OK && train_goes_on(w->call)) {
        rc = check_same(w, path);
        if (rc == TW_OK)
            rc = load_states(w, path, slot);
        if (rc == TW_OK)
            w->file = tw_run_reopen(path, n, w->file_plan, slot, &w->call->err);
    } else if (rc == TW_OK) {
        w->file = tw_run_create(path, w->call->common.force, &w->prov.record, n, w->file_plan,
                                &w->call->err);
    }
    for (size_t i = 0; texts && i < n; i++)
        for (int k = 0; k < 2; k++)
            tw_str_release(&texts[i][k]);
    /* Names of series are asked for as rows are written. */
    w->series = series;
    free(attr);
    free(texts);
    free(slot);
    return w->file ? TW_OK : w->call->err.code;
}
