/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg evaluator: check a user's evaluator, or print the Python file that makes one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapter.h"
#include "evaluator.h"
#include "thalweg/problem_check.h"

struct evaluator_opts {
    struct tw_evaluator_opts pool;
    size_t checkpoint;
    bool quick;
};

static const struct tw_opt opts[] = {
    { TW_OPT_SIZE, 0, "checkpoint", TW_OPT_FIELD(struct evaluator_opts, checkpoint), "K",
      "check at checkpoint K of the evaluator, from 0 [0]", 0, 1e6, NULL },
    { TW_OPT_FLAG, 0, "quick", TW_OPT_FIELD(struct evaluator_opts, quick), NULL,
      "do not check the gradient of each tensor, four losses each", 0, 0, NULL },
    TW_EVALUATOR_POOL(struct evaluator_opts, pool),
    { .type = TW_OPT_END },
};

/* ---- checking ----------------------------------------------------------------------------------
 */

struct checks {
    struct tw_call *call;
    struct tw_table table;
    struct tw_str sentences; /* what is wrong, a line each */
    struct tw_progress progress;
    size_t n, wrong;
};

static bool heard(void *ctx, const struct tw_check *k)
{
    static const char *const verdicts[] = { "good", "WRONG", "unclear" };
    struct checks *c = ctx;
    struct tw_json *j = &c->call->json;
    struct tw_str name = { 0 };

    tw_str_addf(&name, "%s%s%s", k->name, k->part ? ", " : "", k->part ? k->part : "");
    tw_table_text(&c->table, name.failed ? k->name : name.s);
    tw_table_text(&c->table, verdicts[k->verdict]);
    tw_table_real(&c->table, "%.2g", k->value);
    tw_table_real(&c->table, "%.2g", k->allowed);
    tw_json_open(j, NULL, '{');
    tw_json_text(j, "name", k->name);
    tw_json_text(j, "part", k->part);
    tw_json_text(j, "verdict", verdicts[k->verdict]);
    tw_json_real(j, "value", k->value);
    tw_json_real(j, "allowed", k->allowed);
    tw_json_text(j, "sentence", k->sentence);
    tw_json_close(j, '}');
    if (k->verdict == TW_CHECK_WRONG) {
        c->wrong++;
        tw_str_addf(&c->sentences, "%s: %s (off by %.2g, allowed %.2g)\n",
                    name.failed ? k->name : name.s, k->sentence, k->value, k->allowed);
    }
    tw_str_release(&name);
    tw_progress_step(&c->progress, ++c->n, k->part);
    return !tw_stop_requested();
}

static void show(const struct checks *c)
{
    const char *p = c->sentences.s;

    while (p && *p) {
        const size_t n = strcspn(p, "\n");

        tw_cmd_warn(c->call, "%.*s", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

/* ---- what a call costs -------------------------------------------------------------------------
 */

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The least of three. */
static enum tw_status cost(struct tw_call *call, struct tw_problem *p, struct tw_request *r,
                           const char *name, struct tw_table *t)
{
    enum tw_status rc = TW_OK;
    double least = INFINITY;

    for (int i = 0; i < 3 && rc == TW_OK; i++) {
        const double from = now();

        rc = tw_problem_eval(p, r, &call->err);
        least = fmin(least, now() - from);
    }
    if (rc == TW_OK) {
        tw_table_text(t, name);
        tw_table_real(t, "%.3g", 1e3 * least);
        tw_json_real(&call->json, name, least);
    }
    return rc;
}

static enum tw_status costs(struct tw_call *call, struct tw_problem *p, struct tw_vector at,
                            const float *buffers)
{
    static const char *const head[] = { "one call", "ms" };
    const struct tw_evaluator_info info = tw_evaluator_info(p);
    struct tw_values values;
    double *g = tw_alloc(p->dim, sizeof *g), *h = tw_alloc(p->dim, sizeof *h);
    struct tw_request loss = { .at = at, .buffers = buffers, .values = &values };
    struct tw_request gradient = { .at = at, .buffers = buffers, .gradient = g };
    struct tw_request hvp = {
        .at = at, .buffers = buffers, .hvp = &h, .directions = &at, .ndirections = 1
    };
    enum tw_status rc = g && h ? TW_OK : tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 2);
    tw_json_open(&call->json, "seconds", '{');
    if (rc == TW_OK)
        rc = cost(call, p, &loss, "loss", &t);
    if (rc == TW_OK && info.grad)
        rc = cost(call, p, &gradient, "gradient", &t);
    if (rc == TW_OK && info.hvp)
        rc = cost(call, p, &hvp, "hvp", &t);
    tw_json_close(&call->json, '}');
    if (rc == TW_OK && !call->common.json)
        printf("\n");
    if (rc == TW_OK)
        tw_table_print(&t);
    tw_str_release(&t.cells);
    free(g);
    free(h);
    return rc;
}

/* ---- the command -------------------------------------------------------------------------------
 */

static void introduce(struct tw_call *call, const struct tw_problem *p)
{
    const struct tw_evaluator_info info = tw_evaluator_info(p);
    struct tw_json *j = &call->json;

    tw_json_text(j, "name", info.name);
    tw_json_text(j, "data", info.data);
    tw_json_size(j, "parameters", p->dim);
    tw_json_size(j, "buffers", p->layout->nb);
    tw_json_size(j, "tensors", p->layout->nparam + p->layout->nbuffer);
    tw_json_text(j, "dtype", info.real64 ? "f64" : "f32");
    tw_json_size(j, "checkpoints", info.checkpoints);
    tw_json_size(j, "n", info.samples ? p->n : 0);
    tw_json_size(j, "classes", info.classes);
    if (call->common.json)
        return;
    printf("%s: %zu parameters in %zu tensors (%s), %zu buffers, %zu checkpoint%s\n",
           info.name ? info.name : "the evaluator", p->dim, p->layout->nparam,
           info.real64 ? "f64" : "f32", p->layout->nb, info.checkpoints,
           tw_plural(info.checkpoints));
    printf("data: %s; offers loss%s%s%s%s%s%s\n\n", info.data ? info.data : "not named",
           info.samples ? ", losses of samples" : "", info.grad ? ", gradient" : "",
           info.jvp ? ", jvp" : "", info.hvp ? ", hvp" : "", info.classes ? ", logits" : "",
           info.logit_jvp ? ", their slopes" : "");
}

static enum tw_status check(struct tw_call *call, struct tw_problem *p, struct checks *c)
{
    static const char *const head[] = { "check", "verdict", "off by", "allowed" };
    const struct evaluator_opts *o = call->opts;
    const struct tw_evaluator_info info = tw_evaluator_info(p);
    float *f = info.real64 ? NULL : tw_alloc(p->dim, sizeof *f);
    double *d = info.real64 ? tw_alloc(p->dim, sizeof *d) : NULL;
    float *b = tw_alloc(p->layout->nb, sizeof *b);
    struct tw_check_options k = { .at = { f, d },
                                  .buffers = b,
                                  .seed = call->common.seed,
                                  .real64 = info.real64,
                                  .samples = info.samples,
                                  .gradient = info.grad,
                                  .slopes = info.jvp,
                                  .hvp = info.hvp,
                                  .logits = info.logit_jvp,
                                  .tensors = !o->quick };
    enum tw_status rc = TW_OK;

    if ((!f && !d) || !b)
        rc = tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = tw_evaluator_get(p, o->checkpoint, f, d, b, &call->err);
    tw_table_head(&c->table, head, 4);
    tw_json_open(&call->json, "checks", '[');
    tw_progress_start(&c->progress, call, "checks", 0);
    if (rc == TW_OK)
        rc = tw_problem_check(p, &k, heard, c, &call->err);
    tw_progress_end(&c->progress);
    tw_json_close(&call->json, ']');
    tw_table_print(&c->table);
    if (rc == TW_OK)
        rc = costs(call, p, k.at, b);
    free(f);
    free(d);
    free(b);
    return rc;
}

static int run_check(struct tw_call *call)
{
    struct evaluator_opts *o = call->opts;
    struct checks c = { .call = call };
    struct tw_problem *p;
    enum tw_status rc;
    int code;

    o->pool.command = call->argv[1];
    p = tw_evaluator_open(call, &o->pool);
    if (!p)
        return tw_cmd_fail(call);
    introduce(call, p);
    rc = check(call, p, &c);
    show(&c);
    if (rc != TW_OK && rc != TW_ESTOP)
        tw_evaluator_show_tail(call, p);
    code = rc != TW_OK ? tw_cmd_fail(call) : c.wrong ? TW_EXIT_NEGATIVE : TW_EXIT_OK;
    tw_str_release(&c.table.cells);
    tw_str_release(&c.sentences);
    tw_problem_free(p);
    return code;
}

static int run(struct tw_call *call)
{
    const char *what = call->argc ? call->argv[0] : "";

    if (!strcmp(what, "adapter") && call->argc == 1) {
        for (size_t i = 0; i < sizeof adapter_lines / sizeof *adapter_lines; i++)
            fputs(adapter_lines[i], stdout);
        return TW_EXIT_OK;
    }
    if (!strcmp(what, "check") && call->argc == 2)
        return run_check(call);
    if (!strcmp(what, "check"))
        return tw_cmd_usage(call, "check takes one command, quoted as one word");
    return tw_cmd_usage(call, "'%s' is neither check nor adapter", what);
}

static const struct evaluator_opts defaults = { .pool = TW_EVALUATOR_DEFAULTS };
const struct tw_cmd tw_cmd_evaluator = {
    "evaluator",
    "Networks",
    "check a program of your own that gives losses, or print the Python file for one",
    "check COMMAND | adapter",
    TW_USES_THREADS | TW_USES_SEED | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
