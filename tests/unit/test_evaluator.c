/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evaluator processes: what they answer against our own engine, many points over several of them,
 * and that the checks find what is wrong with one. */
#include "evaluators.h"
#include "thalweg/problem_check.h"

enum { INPUTS = 5, SAMPLES = 40, DIM = INPUTS + 1 };

/* ---- the engine --------------------------------------------------------------------------------
 */

/* The example's regression as a network of ours; its data by the example's formulas. */
static struct tw_problem *engine(struct tw_dataset *data)
{
    const struct tw_problem_options po = {
        .exec = { .threads = 1, .real64 = true, .gradient = true, .tangents = 2 },
        .loss = &(struct tw_loss_spec){ .kind = TW_LOSS_BCE },
    };
    const size_t xdims[2] = { SAMPLES, INPUTS }, ydims[2] = { SAMPLES, 1 };
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net("mlp(5,1)", &err);
    struct tw_problem *p;

    assert_non_null(net);
    assert_int_equal(tw_array_make(&data->x, TW_F64, 2, xdims, &err), TW_OK);
    assert_int_equal(tw_array_make(&data->y, TW_F64, 2, ydims, &err), TW_OK);
    for (size_t i = 0; i < SAMPLES; i++) {
        for (size_t j = 0; j < INPUTS; j++)
            tw_array_set_real(&data->x, i * INPUTS + j,
                              sin(1.0 + 7.1 * (double)i + 3.3 * (double)j));
        tw_array_set_real(&data->y, i, sin(2.7 * (double)i) > 0.3 ? 1.0 : 0.0);
    }
    p = tw_problem_new(net, data, &po, &err);
    if (!p)
        fail_msg("%s", err.msg);
    tw_net_free(net);
    return p;
}

struct all {
    struct tw_values values;
    double loss[SAMPLES], weight[SAMPLES], correct[SAMPLES], gradient[DIM], slopes[2], h[2][DIM];
};

static void ask_all(struct tw_problem *p, const double *at, struct all *a)
{
    static const double v[2][DIM] = { { 0.3, -1.0, 0.7, 2.0, 0.1, -0.4 },
                                      { -0.9, 0.2, 0.0, 1.0, -1.3, 0.8 } };
    const struct tw_vector directions[2] = { { .d = v[0] }, { .d = v[1] } };
    double *const hvp[2] = { a->h[0], a->h[1] };
    const struct tw_request r = {
        .at = { .d = at },
        .ndirections = 2,
        .directions = directions,
        .values = &a->values,
        .loss = a->loss,
        .weight = a->weight,
        .correct = a->correct,
        .gradient = a->gradient,
        .slopes = a->slopes,
        .hvp = hvp,
    };
    struct tw_err err = { 0 };

    if (tw_problem_eval(p, &r, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

static void check_all(const struct all *a, const struct all *b)
{
    check_close(a->values.loss.value, b->values.loss.value, 1e-13, 0.0);
    check_close(a->values.loss.se, b->values.loss.se, 1e-12, 0.0);
    check_close(a->values.error.value, b->values.error.value, 1e-13, 0.0);
    check_close(a->values.error.se, b->values.error.se, 1e-12, 0.0);
    assert_int_equal(a->values.n, b->values.n);
    assert_int_equal(a->values.nonfinite, 0);
    check_close(a->values.weight, b->values.weight, 0.0, 0.0);
    check_vec(a->loss, b->loss, SAMPLES, 1e-13, 1e-15);
    check_vec(a->weight, b->weight, SAMPLES, 0.0, 0.0);
    check_vec(a->correct, b->correct, SAMPLES, 0.0, 0.0);
    check_vec(a->gradient, b->gradient, DIM, 1e-12, 1e-15);
    check_vec(a->slopes, b->slopes, 2, 1e-12, 1e-15);
    check_vec(a->h[0], b->h[0], DIM, 1e-12, 1e-15);
    check_vec(a->h[1], b->h[1], DIM, 1e-12, 1e-15);
}

static const double point[DIM] = { 0.4, -1.2, 0.9, 0.3, -0.7, 0.25 };

static void an_evaluator_gives_what_the_engine_gives(void **state)
{
    struct tw_dataset data = { 0 };
    struct tw_problem *ours = engine(&data);
    const size_t files = open_files();
    struct tw_problem *theirs = open_evaluator(evaluator("evaluator", "5 40"), 1, 20.0);
    struct all a, b;

    (void)state;
    assert_int_equal(theirs->dim, DIM);
    assert_int_equal(theirs->n, SAMPLES);
    assert_true(theirs->has_error);
    assert_string_equal(theirs->layout->param[1].name, "fc1.bias");
    assert_string_equal(tw_evaluator_info(theirs).name, "logistic regression");
    ask_all(ours, point, &a);
    for (int i = 0; i < 2; i++) {
        ask_all(theirs, point, &b);
        check_all(&b, &a);
    }
    tw_problem_free(theirs);
    check_no_children();
    assert_int_equal(open_files(), files);
    tw_problem_free(ours);
    tw_dataset_release(&data);
}

/* A softmax of two classes with logits 0 and z = w.x + b (gain 1). */
static void logits_labels_and_their_slopes(void **state)
{
    static const double v[2][DIM] = { { 0.3, -1.0, 0.7, 2.0, 0.1, -0.4 },
                                      { -0.9, 0.2, 0.0, 1.0, -1.3, 0.8 } };
    const struct tw_vector directions[2] = { { .d = v[0] }, { .d = v[1] } };
    struct tw_problem *p = open_evaluator(evaluator("evaluator", "5 40"), 1, 20.0);
    const struct tw_evaluator_info info = tw_evaluator_info(p);
    double z[SAMPLES][2], a[2][SAMPLES][2], labels[SAMPLES], gradient[DIM], slope[2] = { 0.0, 0.0 };
    const struct tw_request r = { .at = { .d = point },
                                  .ndirections = 2,
                                  .directions = directions,
                                  .logits = z[0],
                                  .logit_slopes = a[0][0],
                                  .gradient = gradient };
    struct tw_err err = { 0 };

    (void)state;
    assert_int_equal(p->width, 2);
    assert_int_equal(info.classes, 2);
    assert_true(info.logit_jvp && info.labels);
    assert_int_equal(tw_evaluator_labels(p, labels, &err), TW_OK);
    if (tw_problem_eval(p, &r, &err) != TW_OK)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < SAMPLES; i++) {
        double want[3] = { point[INPUTS], v[0][INPUTS], v[1][INPUTS] };

        for (size_t j = 0; j < INPUTS; j++) {
            const double x = sin(1.0 + 7.1 * (double)i + 3.3 * (double)j);

            want[0] += point[j] * x;
            want[1] += v[0][j] * x;
            want[2] += v[1][j] * x;
        }
        check_close(z[i][1] - z[i][0], want[0], 1e-13, 1e-14);
        check_close(labels[i], sin(2.7 * (double)i) > 0.3 ? 1.0 : 0.0, 0.0, 0.0);
        for (size_t t = 0; t < 2; t++) {
            check_close(a[t][i][1] - a[t][i][0], want[1 + t], 1e-13, 1e-14);
            slope[t] += (1.0 / (1.0 + exp(-want[0])) - labels[i]) * want[1 + t] / SAMPLES;
        }
    }
    for (size_t t = 0; t < 2; t++) { /* the losses are of these logits and labels */
        double along = 0.0;

        for (size_t j = 0; j < DIM; j++)
            along += gradient[j] * v[t][j];
        check_close(slope[t], along, 1e-12, 1e-14);
    }
    tw_problem_free(p);
    check_no_children();
}

/* ---- points -----------------------------------------------------------------------------------
 */

static double loss_at(struct tw_problem *p, const struct tw_request *how)
{
    struct tw_values values;
    struct tw_request r = *how;
    struct tw_err err = { 0 };

    r.values = &values;
    if (tw_problem_eval(p, &r, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return values.loss.value;
}

static void checkpoints_are_the_evaluators_own(void **state)
{
    struct tw_problem *p = open_evaluator(evaluator("evaluator", "5 40"), 2, 20.0);
    double x[2][DIM], mixed[DIM];
    float f[DIM], b[2][1], half;
    struct tw_err err = { 0 };
    const double w[2] = { 0.25, 0.75 };
    const float *const buffers[2] = { b[0], b[1] };
    const struct tw_vector anchors[2] = { { .d = x[0] }, { .d = x[1] } };

    (void)state;
    assert_int_equal(tw_evaluator_info(p).checkpoints, 2);
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(tw_evaluator_get(p, k, f, x[k], b[k], &err), TW_OK);
        for (size_t j = 0; j < DIM; j++) {
            check_ulp(x[k][j], 0.5 * cos((double)(k + 1) * (double)(j + 1)), 0);
            check_close((double)f[j], x[k][j], 1e-7, 0.0);
        }
        check_ulp((double)b[k][0], 1.0 + 0.25 * (double)k, 0);
    }
    assert_int_equal(tw_evaluator_get(p, 2, f, NULL, NULL, &err), TW_EINVAL);
    assert_string_equal(tw_evaluator_checkpoint(p, 1), "checkpoint 1");
    assert_null(tw_evaluator_checkpoint(p, 2));

    /* Buffers count, and none are the evaluator's own. */
    half = 0.5f;
    check_ulp(loss_at(p, &(struct tw_request){ .at = anchors[0] }),
              loss_at(p, &(struct tw_request){ .at = anchors[0], .buffers = b[0] }), 0);
    assert_true(loss_at(p, &(struct tw_request){ .at = anchors[0], .buffers = &half }) !=
                loss_at(p, &(struct tw_request){ .at = anchors[0] }));

    /* Weights of anchors are the point and the buffers that they mean. */
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_problem_anchor(p, 2, anchors, buffers, &err), TW_OK);
    for (size_t j = 0; j < DIM; j++)
        mixed[j] = w[0] * x[0][j] + w[1] * x[1][j];
    half = 1.1875f;
    check_ulp(loss_at(p, &(struct tw_request){ .weights = w }),
              loss_at(p, &(struct tw_request){ .at = { .d = mixed }, .buffers = &half }), 0);
    tw_problem_free(p);
    check_no_children();
}

/* ---- many -------------------------------------------------------------------------------------
 */

enum { MANY = 60 };
struct many {
    struct tw_request r[MANY];
    struct tw_values values[MANY];
    double at[MANY][DIM];
    unsigned char told[MANY];
    size_t ntold, failed, stop_after;
};

static bool told(void *ctx, size_t i, const struct tw_err *failure)
{
    struct many *m = ctx;

    m->told[i]++;
    m->ntold++;
    m->failed += failure != NULL;
    return m->ntold != m->stop_after;
}

static struct many *make_many(void)
{
    struct many *m = tw_alloc(1, sizeof *m);

    assert_non_null(m);
    for (size_t i = 0; i < MANY; i++) {
        for (size_t j = 0; j < DIM; j++)
            m->at[i][j] = point[j] * (1.0 - 0.03 * (double)i);
        m->r[i] = (struct tw_request){ .at = { .d = m->at[i] }, .values = &m->values[i] };
    }
    return m;
}

static void many_points_are_spread_and_each_is_told_once(void **state)
{
    struct tw_dataset data = { 0 };
    struct tw_problem *ours = engine(&data);
    struct tw_problem *theirs = open_evaluator(evaluator("evaluator", "5 40"), 3, 20.0);
    struct many *a = make_many(), *b = make_many();
    struct tw_err err = { 0 };

    (void)state;
    assert_int_equal(theirs->parallel, 3);
    assert_int_equal(tw_problem_eval_many(ours, MANY, a->r, told, a, &err), TW_OK);
    assert_int_equal(tw_problem_eval_many(theirs, MANY, b->r, told, b, &err), TW_OK);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(a->told[i], 1);
        assert_int_equal(b->told[i], 1);
        check_close(b->values[i].loss.value, a->values[i].loss.value, 1e-13, 0.0);
    }
    assert_int_equal(b->failed, 0);
    /* Whoever says stop hears of what was begun, and no more. */
    a->stop_after = b->stop_after = MANY + 10;
    assert_int_equal(tw_problem_eval_many(ours, MANY, a->r, told, a, &err), TW_ESTOP);
    assert_int_equal(a->ntold, MANY + 10);
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_problem_eval_many(theirs, MANY, b->r, told, b, &err), TW_ESTOP);
    assert_true(b->ntold >= MANY + 10 && b->ntold <= MANY + 12);
    check_close(loss_at(theirs, &b->r[7]), a->values[7].loss.value, 1e-13, 0.0);
    free(a);
    free(b);
    tw_problem_free(theirs);
    tw_problem_free(ours);
    tw_dataset_release(&data);
    check_no_children();
}

static void what_is_not_offered_is_refused(void **state)
{
    const char *greeting = "printf '{\"twep\":1,\"can\":[\"loss\"],\"tensors\":[{\"name\":\"w\","
                           "\"shape\":[2]}]}\\n{\"id\":1}\\n' >&4; cat <&3 >/dev/null";
    struct tw_problem *p = open_evaluator(greeting, 1, 20.0);
    double x[2] = { 0.0, 1.0 }, *const hvp[1] = { x };
    const struct tw_vector at = { .d = x };
    const struct {
        struct tw_request r;
        const char *part;
    } bad[] = {
        { { .at = at, .gradient = x }, "offer gradients" },
        { { .at = at, .slopes = x, .directions = &at, .ndirections = 1 }, "directional" },
        { { .at = at, .hvp = hvp, .directions = &at, .ndirections = 1 }, "Hessian" },
        { { .at = at, .logits = x }, "offer logits" },
        { { .at = at, .logit_slopes = x, .directions = &at, .ndirections = 1 }, "logit_jvp" },
        { { .at = at, .correct = x }, "hits" },
        { { .at = at, .rows = &(size_t){ 0 }, .nrows = 1 }, "rows" },
        { { .weights = x }, "no anchors" },
        { { .at = at, .slopes = x }, "no direction" },
    };

    (void)state;
    assert_int_equal(p->n, 1);
    assert_int_equal(tw_evaluator_labels(p, x, NULL), TW_EINVAL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tw_err err = { 0 };

        assert_int_equal(tw_problem_eval(p, &bad[i].r, &err), TW_EINVAL);
        if (!strstr(err.msg, bad[i].part))
            fail_msg("'%s' lacks '%s'", err.msg, bad[i].part);
        assert_int_equal(tw_problem_eval_many(p, 1, &bad[i].r, NULL, NULL, NULL), TW_EINVAL);
    }
    tw_problem_free(p);
    check_no_children();
}

/* ---- checks ------------------------------------------------------------------------------------
 */

struct found {
    char wrong[512];
    size_t n;
};

static bool note(void *ctx, const struct tw_check *c)
{
    struct found *f = ctx;
    const size_t n = strlen(f->wrong);

    f->n++;
    assert_true((c->sentence == NULL) == (c->verdict == TW_CHECK_GOOD));
    if (c->verdict == TW_CHECK_WRONG)
        (void)snprintf(f->wrong + n, sizeof f->wrong - n, "[%s%s%s]", c->name, c->part ? " " : "",
                       c->part ? c->part : "");
    return true;
}

static void the_checks_find_each_fault(void **state)
{
    static const struct {
        const char *fault, *found;
    } faults[] = {
        { "none", "" },
        { "gradient", "[gradient fc1.bias]" },
        { "missing", "[gradient along a random direction]" },
        { "slope", "[slope]" },
        { "asymmetric", "[Hessian symmetric]" },
        { "scaled", "[Hessian of the gradient]" },
        { "penalty", "[samples]" },
        { "random", "[repeated]" },
        { "stateful", "[after another point]" },
        { "deaf", "[parameters matter]" },
        { "logits", "[slopes of logits]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct tw_problem *p =
            open_evaluator(evaluator("faulty_evaluator", faults[i].fault), 1, 20.0);
        const struct tw_check_options o = { .at = { .d = point },
                                            .real64 = true,
                                            .samples = true,
                                            .gradient = true,
                                            .slopes = true,
                                            .hvp = true,
                                            .logits = true,
                                            .tensors = true };
        struct found f = { "", 0 };
        struct tw_err err = { 0 };

        if (tw_problem_check(p, &o, note, &f, &err) != TW_OK)
            fail_msg("%s: %s", faults[i].fault, err.msg);
        if (*faults[i].found ? !strstr(f.wrong, faults[i].found) : *f.wrong != '\0')
            fail_msg("%s: found %s, not %s", faults[i].fault, f.wrong, faults[i].found);
        assert_true(f.n >= (*faults[i].found ? 1 : 14));
        tw_problem_free(p);
    }
}

/* Problems of other kinds pass too: one without names, one in single precision. */
static void the_checks_pass_problems_that_are_right(void **state)
{
    const double x[3] = { -0.8, 1.3, 0.6 };
    struct tw_problem *p = tw_problem_rosenbrock(3, NULL);
    const struct tw_check_options o = { .at = { .d = x },
                                        .real64 = true,
                                        .samples = true,
                                        .gradient = true,
                                        .slopes = true,
                                        .hvp = true,
                                        .tensors = true };
    struct found f = { "", 0 };

    (void)state;
    assert_non_null(p);
    assert_int_equal(tw_problem_check(p, &o, note, &f, NULL), TW_OK);
    assert_string_equal(f.wrong, "");
    tw_problem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evaluator_gives_what_the_engine_gives),
        cmocka_unit_test(logits_labels_and_their_slopes),
        cmocka_unit_test(checkpoints_are_the_evaluators_own),
        cmocka_unit_test(many_points_are_spread_and_each_is_told_once),
        cmocka_unit_test(what_is_not_offered_is_refused),
        cmocka_unit_test(the_checks_find_each_fault),
        cmocka_unit_test(the_checks_pass_problems_that_are_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
