/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "checkpoint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "thalweg/store_run.h"

void tw_checkpoints_release(struct tw_checkpoint_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->v[i].name);
        free(list->v[i].file);
        free(list->v[i].run);
    }
    free(list->v);
    *list = (struct tw_checkpoint_list){ 0 };
}

/* ---- a reference in parts ---------------------------------------------------------------- */

/* "FILE", "FILE:STEP", "FILE:RUN:STEP": the parts that are not given are NULL. */
struct parts {
    char *file, *run, *step;
};

static void free_parts(struct parts *p)
{
    free(p->file);
    free(p->run);
    free(p->step);
}

/* The longest part before a colon, of the last two, that is a file. */
static enum tw_status take_apart(const char *text, struct parts *p, struct tw_err *err)
{
    const char *colon[2] = { strrchr(text, ':'), NULL };
    size_t n = strlen(text);
    const char *rest = NULL;

    for (const char *c = colon[0]; c && c > text && !colon[1];)
        if (*--c == ':')
            colon[1] = c;
    if (access(text, F_OK) != 0)
        for (int k = 0; k < 2 && colon[k] && !rest; k++) {
            char *file = tw_strndup(text, (size_t)(colon[k] - text));

            if (file && access(file, F_OK) == 0) {
                n = (size_t)(colon[k] - text);
                rest = colon[k] + 1;
                if (k == 1)
                    p->run = tw_strndup(rest, strcspn(rest, ":"));
                p->step = tw_strdup(k == 1 ? strchr(rest, ':') + 1 : rest);
            }
            free(file);
        }
    p->file = tw_strndup(text, n);
    if (!p->file || (rest && !p->step))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    return TW_OK;
}

bool tw_names_checkpoint(const char *text)
{
    struct parts p = { 0 };
    const bool is = take_apart(text, &p, NULL) == TW_OK && p.step && tw_is_run_file(p.file);

    free_parts(&p);
    return is;
}

bool tw_checkpoint_gone(const char *text)
{
    struct parts p = { 0 };
    const bool gone = take_apart(text, &p, NULL) == TW_OK && access(p.file, F_OK) != 0;

    free_parts(&p);
    return gone;
}

/* ---- what there is ----------------------------------------------------------------------- */

static void say_runs(const struct tw_run_list *list, struct tw_str *s)
{
    enum { SHOWN = 12 };

    for (size_t i = 0; i < list->n && i < SHOWN; i++)
        tw_str_addf(s, "%s%s", i ? ", " : "", list->run[i].name);
    if (list->n > SHOWN)
        tw_str_addf(s, " and %zu more", list->n - SHOWN);
}

static void say_steps(const struct tw_run_info *run, struct tw_str *s)
{
    enum { SHOWN = 12 };
    const size_t n = run->ncheckpoint;

    for (size_t i = 0; i < n; i++)
        if (n <= SHOWN || i < SHOWN - 2 || i == n - 1)
            tw_str_addf(s, "%s%zu", i ? ", " : "", run->checkpoint[i]);
        else if (i == SHOWN - 2)
            tw_str_add(s, ", ...");
    if (n == 0)
        tw_str_add(s, "none yet");
}

/* "text: ... what there is", with the list made by one of the above. */
static enum tw_status refuse(struct tw_err *err, const char *text, const char *why,
                             struct tw_str *list)
{
    enum tw_status rc =
        tw_err_set(err, TW_EFORMAT, "%s: %s%s", text, why, list->failed || !list->s ? "" : list->s);

    tw_str_release(list);
    return rc;
}

static enum tw_status add(struct tw_checkpoint_list *list, const struct parts *p, bool several,
                          const struct tw_run_info *run, size_t step, struct tw_err *err)
{
    struct tw_str name = { 0 };
    struct tw_checkpoint c = { .file = tw_strdup(p->file) };

    tw_str_add(&name, p->file);
    if (run) {
        c.run = tw_strdup(run->name);
        c.step = (double)step;
        c.has_step = true;
        if (several)
            tw_str_addf(&name, ":%s", run->name);
        tw_str_addf(&name, ":%zu", step);
    }
    c.name = name.s;
    if (name.failed || !c.file || (run && !c.run) ||
        !tw_grow(&list->v, list->n, &list->cap, sizeof *list->v)) {
        tw_str_release(&name);
        free(c.file);
        free(c.run);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    list->v[list->n++] = c;
    return TW_OK;
}

/* The checkpoints of one run that `step` names. */
static enum tw_status add_of_run(struct tw_checkpoint_list *list, const char *text,
                                 const struct parts *p, const struct tw_run_list *runs,
                                 const struct tw_run_info *run, struct tw_err *err)
{
    const size_t n = run->ncheckpoint;
    const bool all = !strcmp(p->step, "*"), last = !strcmp(p->step, "last");
    enum tw_status rc = TW_OK;
    struct tw_str there = { 0 };
    double want = 0.0;
    bool found = false;

    if (!all && !last && strcmp(p->step, "init") != 0 && !tw_str_to_real(p->step, &want)) {
        if (tw_run_find(runs, p->step))
            return tw_err_set(err, TW_EFORMAT,
                              "%s names a run but no checkpoint of it: try %s:last", text, text);
        say_steps(run, &there);
        return refuse(err, text, "a step is a number, init, last or *; there are ", &there);
    }
    for (size_t i = 0; i < n && rc == TW_OK; i++)
        if (all || (last ? i == n - 1 : (double)run->checkpoint[i] == want)) {
            found = true;
            rc = add(list, p, runs->n > 1, run, run->checkpoint[i], err);
        }
    if (found)
        return rc;
    say_steps(run, &there);
    return refuse(err, text, "no such checkpoint; there are ", &there);
}

/* FILE:STEP and FILE:RUN:STEP. */
static enum tw_status add_steps(struct tw_checkpoint_list *list, const char *text,
                                const struct parts *p, const struct tw_run_list *runs,
                                struct tw_err *err)
{
    const bool all = p->run && !strcmp(p->run, "*");
    struct tw_str there = { 0 };
    enum tw_status rc = TW_OK;

    if (p->run && !all && !tw_run_find(runs, p->run)) {
        say_runs(runs, &there);
        return refuse(err, text, "no such run; there are ", &there);
    }
    if (!p->run && runs->n > 1) {
        if (tw_run_find(runs, p->step))
            return tw_err_set(err, TW_EFORMAT,
                              "%s names a run but no checkpoint of it: try %s:last", text, text);
        say_runs(runs, &there);
        return refuse(err, text, "name the run too, as in FILE:RUN:last, or all by *: ", &there);
    }
    for (size_t i = 0; i < runs->n && rc == TW_OK; i++)
        if (!p->run || all || !strcmp(p->run, runs->run[i].name))
            rc = add_of_run(list, text, p, runs, &runs->run[i], err);
    return rc;
}

enum tw_status tw_checkpoint_one(struct tw_call *call, const char *text,
                                 struct tw_checkpoint_list *list)
{
    const enum tw_status rc = tw_checkpoints_add(call, text, list);

    if (rc == TW_OK && list->n != 1)
        return tw_err_set(&call->err, TW_EINVAL, "%s: %zu checkpoints where one is wanted", text,
                          list->n);
    return rc;
}

enum tw_status tw_checkpoints_add(struct tw_call *call, const char *text,
                                  struct tw_checkpoint_list *list)
{
    struct tw_run_list runs = { 0 };
    struct parts p = { 0 };
    enum tw_status rc = take_apart(text, &p, &call->err);

    if (rc == TW_OK && !tw_is_run_file(p.file)) {
        rc = p.step ? tw_err_set(&call->err, TW_EFORMAT,
                                 "%s: %s is no file of training runs, and has no steps to choose "
                                 "from",
                                 text, p.file)
                    : add(list, &p, false, NULL, 0, &call->err);
    } else if (rc == TW_OK) {
        rc = tw_run_list_read(p.file, &runs, &call->err);
        if (rc == TW_OK && p.step) {
            rc = add_steps(list, text, &p, &runs, &call->err);
        } else if (rc == TW_OK && runs.n == 1 && runs.run[0].ncheckpoint == 1) {
            rc = add(list, &p, false, &runs.run[0], runs.run[0].checkpoint[0], &call->err);
        } else if (rc == TW_OK) {
            struct tw_str there = { 0 };

            tw_str_addf(&there, runs.n > 1 ? "runs " : "checkpoints ");
            if (runs.n > 1)
                say_runs(&runs, &there);
            else
                say_steps(&runs.run[0], &there);
            tw_str_addf(&there, "; name one, as in %s:%slast", text, runs.n > 1 ? "RUN:" : "");
            rc = refuse(&call->err, text, "a file of training runs, with ", &there);
        }
    }
    tw_run_list_release(&runs);
    free_parts(&p);
    return rc;
}

char *tw_checkpoint_attr(struct tw_call *call, const struct tw_checkpoint *c, const char *name)
{
    struct tw_run_list runs = { 0 };
    const struct tw_run_info *run = NULL;
    const char *text;
    char *copy;

    if (c->has_step && tw_run_list_read(c->file, &runs, &call->err) == TW_OK)
        run = tw_run_find(&runs, c->run);
    text = run ? tw_run_attr(run, name) : NULL;
    copy = tw_strdup(text);
    if (text && !copy)
        (void)tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    tw_run_list_release(&runs);
    return copy;
}
