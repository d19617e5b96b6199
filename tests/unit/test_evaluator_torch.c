/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PyTorch behind the Python adapter against our engine: the same networks at the same parameters on
 * the same data. The environment's TW_TORCH_EVALUATOR is the command of tests/oracle/evaluator.py,
 * to which the network's name is added; without it there is nothing to test. */
#include "evaluators.h"
#include "thalweg/problem_check.h"

static struct tw_dataset make_data(size_t n, size_t size, size_t classes)
{
    const size_t xdims[2] = { n, size };
    struct tw_dataset data = { 0 };

    assert_int_equal(tw_array_make(&data.x, TW_F32, 2, xdims, NULL), TW_OK);
    assert_int_equal(tw_array_make(&data.y, TW_I64, 1, xdims, NULL), TW_OK);
    for (size_t i = 0; i < n * size; i++)
        tw_array_set_real(&data.x, i, sin(0.37 * (double)i));
    for (size_t i = 0; i < n; i++)
        tw_array_set_real(&data.y, i, (double)(i * 7 % classes));
    return data;
}

/* From one layout's order to the other's, by name. */
static void reorder(const struct tw_layout *from, const double *x, const struct tw_layout *to,
                    double *y)
{
    for (size_t k = 0; k < to->nparam; k++) {
        const struct tw_param *t = &to->param[k], *f = tw_layout_find(from, t->name);

        if (!f || f->n != t->n)
            fail_msg("%s is not among PyTorch's parameters", t->name);
        memcpy(y + t->offset, x + f->offset, t->n * sizeof *y);
    }
}

static void reorder_buffers(const struct tw_layout *from, const float *x,
                            const struct tw_layout *to, float *y)
{
    for (size_t k = to->nparam; k < to->nparam + to->nbuffer; k++) {
        const struct tw_param *t = &to->param[k], *f = tw_layout_find(from, t->name);

        if (!f || f->n != t->n)
            fail_msg("%s is not among PyTorch's buffers", t->name);
        memcpy(y + t->offset, x + f->offset, t->n * sizeof *y);
    }
}

struct answers {
    struct tw_values values;
    double *loss, *gradient, *h, *logits, *logit_slopes, slope;
};

static struct answers ask(struct tw_problem *p, const double *at, const float *buffers,
                          const double *along)
{
    struct answers a = { .loss = tw_alloc(p->n, sizeof(double)),
                         .gradient = tw_alloc(p->dim, sizeof(double)),
                         .h = tw_alloc(p->dim, sizeof(double)),
                         .logits = tw_alloc(p->n * p->width, sizeof(double)),
                         .logit_slopes = tw_alloc(p->n * p->width, sizeof(double)) };
    const struct tw_vector direction = { .d = along };
    const struct tw_request r = { .at = { .d = at },
                                  .buffers = buffers,
                                  .values = &a.values,
                                  .loss = a.loss,
                                  .gradient = a.gradient,
                                  .slopes = &a.slope,
                                  .hvp = &a.h,
                                  .logits = a.logits,
                                  .logit_slopes = a.logit_slopes,
                                  .directions = &direction,
                                  .ndirections = 1 };
    struct tw_err err = { 0 };

    if (tw_problem_eval(p, &r, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return a;
}

static void release(struct answers *a)
{
    free(a->loss);
    free(a->gradient);
    free(a->h);
    free(a->logits);
    free(a->logit_slopes);
}

static double largest_difference(const double *a, const double *b, size_t n)
{
    double most = 0.0, off = 0.0;

    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(b[i]));
        off = fmax(off, fabs(a[i] - b[i]));
    }
    return off / most;
}

static bool is_good(void *ctx, const struct tw_check *c)
{
    if (c->verdict != TW_CHECK_GOOD)
        print_error("%s %s: off by %g, allowed %g\n", c->name, c->part ? c->part : "", c->value,
                    c->allowed);
    *(bool *)ctx = *(bool *)ctx && c->verdict == TW_CHECK_GOOD;
    return true;
}

static void check(struct tw_problem *p, const double *at, const float *buffers)
{
    const struct tw_check_options o = { .at = { .d = at },
                                        .buffers = buffers,
                                        .samples = true,
                                        .gradient = true,
                                        .hvp = true,
                                        .logits = true,
                                        .tensors = true };
    bool good = true;

    assert_int_equal(tw_problem_check(p, &o, is_good, &good, NULL), TW_OK);
    assert_true(good);
}

static void compare(const char *name, const char *spec, size_t size, size_t classes, size_t n,
                    double tol)
{
    const struct tw_problem_options po = {
        .exec = { .threads = 1, .real64 = true, .gradient = true, .tangents = 1 }, .logits = true
    };
    struct tw_dataset data = make_data(n, size, classes);
    struct tw_net *net = tw_family_net(spec, NULL);
    struct tw_problem *ours = tw_problem_new(net, &data, &po, NULL), *theirs;
    char command[1200];
    double *at, *mine, *v, *w, *to, *labels;
    float *b, *mine_b;
    struct answers a, t;

    (void)snprintf(command, sizeof command, "%s %s", getenv("TW_TORCH_EVALUATOR"), name);
    theirs = open_evaluator(command, 1, 120.0);
    assert_non_null(ours);
    assert_int_equal(theirs->dim, ours->dim);
    assert_int_equal(theirs->n, n);
    at = tw_alloc(ours->dim, sizeof *at);
    mine = tw_alloc(ours->dim, sizeof *mine);
    v = tw_alloc(ours->dim, sizeof *v);
    w = tw_alloc(ours->dim, sizeof *w);
    to = tw_alloc(ours->dim, sizeof *to);
    b = tw_alloc(theirs->layout->nb, sizeof *b);
    mine_b = tw_alloc(ours->layout->nb, sizeof *mine_b);
    labels = tw_alloc(n, sizeof *labels);
    assert_true(at && mine && v && w && to && b && mine_b && labels);
    assert_int_equal(theirs->width, classes);
    assert_int_equal(tw_evaluator_labels(theirs, labels, NULL), TW_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal((int)labels[i], i * 7 % classes);
    assert_int_equal(tw_evaluator_get(theirs, 0, NULL, at, b, NULL), TW_OK);
    for (size_t i = 0; i < ours->dim; i++)
        v[i] = 0.1 * cos(1.7 * (double)i);
    reorder(theirs->layout, at, ours->layout, mine);
    reorder(theirs->layout, v, ours->layout, w);
    reorder_buffers(theirs->layout, b, ours->layout, mine_b);
    a = ask(ours, mine, mine_b, w);
    t = ask(theirs, at, b, v);
    print_message("%s: loss %.9g and %.9g, samples %.1e apart, ", name, a.values.loss.value,
                  t.values.loss.value, largest_difference(t.loss, a.loss, n));
    check_close(t.values.loss.value, a.values.loss.value, tol, 0.0);
    check_close(t.values.error.value, a.values.error.value, 1e-12, 0.0);
    assert_true(largest_difference(t.loss, a.loss, n) < tol);
    reorder(theirs->layout, t.gradient, ours->layout, to);
    print_message("gradient %.1e, ", largest_difference(to, a.gradient, ours->dim));
    assert_true(largest_difference(to, a.gradient, ours->dim) < tol);
    print_message("logits %.1e, their slopes %.1e, ",
                  largest_difference(t.logits, a.logits, n * classes),
                  largest_difference(t.logit_slopes, a.logit_slopes, n * classes));
    assert_true(largest_difference(t.logits, a.logits, n * classes) < tol);
    assert_true(largest_difference(t.logit_slopes, a.logit_slopes, n * classes) < tol);
    check_close(t.slope, a.slope, 10.0 * tol, 0.01 * tol);
    reorder(theirs->layout, t.h, ours->layout, to);
    print_message("Hessian product %.1e\n", largest_difference(to, a.h, ours->dim));
    assert_true(largest_difference(to, a.h, ours->dim) < tol);
    if (ours->dim < 1000)
        check(theirs, at, b);
    release(&a);
    release(&t);
    free(at);
    free(mine);
    free(v);
    free(w);
    free(to);
    free(b);
    free(mine_b);
    free(labels);
    tw_problem_free(theirs);
    tw_problem_free(ours);
    tw_net_free(net);
    tw_dataset_release(&data);
    check_no_children();
}

static void torch_behind_the_adapter_gives_what_the_engine_gives(void **state)
{
    (void)state;
    if (!getenv("TW_TORCH_EVALUATOR"))
        skip();
    compare("mlp", "mlp(20,30,5,act=gelu,norm=batch)", 20, 5, 64, 1e-5);
    compare("lenet", "lenet(classes=10)", 784, 10, 12, 1e-5);
    compare("resnet20", "resnet20(classes=10)", 3072, 10, 6,
            1e-10); /* a module in double precision */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torch_behind_the_adapter_gives_what_the_engine_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
