/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Optimizers against their formulas worked by hand, the order of the data, and a trainer that goes
 * on from its state with the same bits. (tests/cli/oracle_train.sh has PyTorch's updates.) */
#include <stdlib.h>
#include <string.h>

#include "num.h"
#include "thalweg/train.h"

static struct tw_optimizer parsed(const char *text)
{
    struct tw_optimizer o;
    struct tw_err err = { 0 };

    if (tw_optimizer_parse(text, &o, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return o;
}

static void specs(void **state)
{
    static const char *const wrong[][2] = {
        { "adamm", "did you mean 'adam'" },
        { "adam(beta3=1)", "it takes beta1, beta2, eps, wd" },
        { "adam(beta1=1)", "outside 0 to 1 (which it must be below)" },
        { "sgd(mu=0.9)", "takes no argument 'mu'; it takes wd" },
        { "momentum(mu=x)", "not of the form key=number" },
        { "momentum(mu=0.9", "')' is missing" },
        { "nesterov(dampening=0.1)", "takes no argument 'dampening'" },
        { "sgd(wd=nan)", "outside" },
    };
    struct tw_optimizer o = parsed("momentum( wd=0.1,mu=0.5)");
    struct tw_str s = { 0 };

    (void)state;
    tw_optimizer_print(&o, &s);
    assert_string_equal(s.s, "momentum(mu=0.5,dampening=0,wd=0.1)");
    tw_str_release(&s);
    assert_true(parsed("adamw").wd == 0.01 && parsed("adam").wd == 0.0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct tw_err err = { 0 };

        assert_int_equal(tw_optimizer_parse(wrong[i][0], &o, &err), TW_EINVAL);
        if (!strstr(err.msg, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], err.msg);
    }
}

/* x = 2 with gradients 1, then 3: u by hand. Of Adam at t = 2, m = 0.9 0.1 + 0.1 3 and
 * v = 0.999 0.001 + 0.001 9, over 1 - 0.9^2 and 1 - 0.999^2. */
#define ROOT sqrt(0.009999 / 0.001999)

static void proposals(void **state)
{
    const struct {
        const char *spec;
        double first, second; /* u at x = 2, g = 1; then at x = 2, g = 3 */
    } rows[] = {
        { "sgd(wd=0.5)", 2.0, 4.0 },
        { "momentum(mu=0.5,dampening=0.25)", 1.0, 0.5 + 0.75 * 3.0 },
        { "nesterov(mu=0.5)", 1.5, 3.0 + 0.5 * 3.5 },
        { "adam(eps=0)", 1.0, 0.39 / 0.19 / ROOT },
        { "adamw(eps=0,wd=0.1)", 1.2, 0.2 + 0.39 / 0.19 / ROOT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tw_optimizer o = parsed(rows[i].spec);
        const double x = 2.0, g[2] = { 1.0, 3.0 };
        double m[2] = { 0.0, 0.0 }, u;
        double *const moment[2] = { &m[0], &m[1] };

        o.row->propose(&o, 1.0, &x, &g[0], moment, &u, 0, 1);
        check_close(u, rows[i].first, 0.0, 1e-12);
        o.row->propose(&o, 2.0, &x, &g[1], moment, &u, 0, 1);
        check_close(u, rows[i].second, 0.0, 1e-9);
    }
}

/* ---- order ----------------------------------------------------------------------------------- */

static void batches(void **state)
{
    static const size_t rows[7] = { 10, 11, 12, 13, 14, 15, 16 };
    struct tw_order o = { .n = 7, .batch = 3, .rows = rows, .seed = 1, .spawn = 4, .branch = 2 };
    size_t a[7], b[7], seen = 0;

    (void)state;
    /* The last batch is short, or left out. */
    assert_int_equal(tw_order_epoch(&o), 3);
    o.drop_last = true;
    assert_int_equal(tw_order_epoch(&o), 2);
    o.drop_last = false;
    assert_int_equal(tw_order_place(&o, 2).batch, 2);
    assert_int_equal(tw_order_place(&o, 3).epoch, 1);
    /* A new epoch begins where branches part, and they have orders of their own. */
    assert_int_equal(tw_order_place(&o, 3).branch, 0);
    assert_int_equal(tw_order_place(&o, 4).branch, 3);
    assert_int_equal(tw_order_place(&o, 4).epoch, 0);
    assert_int_equal(tw_order_place(&o, 4).batch, 0);
    tw_order_shuffle(&o, tw_order_place(&o, 0), a);
    for (size_t i = 0; i < 7; i++)
        seen |= (size_t)1 << (a[i] - 10);
    assert_int_equal(seen, 127);
    tw_order_shuffle(&o, tw_order_place(&o, 2), b);
    assert_memory_equal(a, b, sizeof a);
    tw_order_shuffle(&o, tw_order_place(&o, 3), b);
    assert_true(memcmp(a, b, sizeof a) != 0);
    tw_order_shuffle(&o, tw_order_place(&o, 4), b);
    assert_true(memcmp(a, b, sizeof a) != 0);
    o.seed = 2;
    tw_order_shuffle(&o, tw_order_place(&o, 0), b);
    assert_true(memcmp(a, b, sizeof a) != 0);
}

/* Every order of 3 rows is as likely as any other: 6000 epochs, 1000 expected of each; chi-squared
 * with 5 degrees of freedom is below 25.7 with probability 0.9999. */
static void every_order_is_as_likely(void **state)
{
    const struct tw_order o = { .n = 3, .batch = 1, .seed = 9, .spawn = SIZE_MAX };
    double count[27] = { 0.0 }, chi = 0.0;

    (void)state;
    for (size_t e = 0; e < 6000; e++) {
        size_t a[3];

        tw_order_shuffle(&o, (struct tw_order_place){ e, 0, 0 }, a);
        count[9 * a[0] + 3 * a[1] + a[2]] += 1.0;
    }
    for (size_t i = 0; i < 27; i++)
        chi += count[i] > 0.0 ? (count[i] - 1000.0) * (count[i] - 1000.0) / 1000.0 : 0.0;
    assert_true(chi < 25.7);
}

/* ---- a trainer ------------------------------------------------------------------------------- */

enum { N = 20, IN = 4, STEPS = 9 };

struct setting {
    struct tw_dataset data;
    struct tw_net *net;
    struct tw_problem *problem;
    float *params, *buffers;
    double lr[STEPS];
};

static struct setting set_up(const char *spec)
{
    struct setting s = { 0 };
    struct tw_err err = { 0 };
    const size_t dims[2] = { N, IN };
    struct tw_problem_options o = { .graph = { .batch_statistics = true, .dropout = true },
                                    .exec = { .gradient = true } };

    assert_int_equal(tw_array_make(&s.data.x, TW_F32, 2, dims, &err), TW_OK);
    assert_int_equal(tw_array_make(&s.data.y, TW_I64, 1, dims, &err), TW_OK);
    for (size_t i = 0; i < N * IN; i++)
        tw_array_set_real(&s.data.x, i, (double)((i * 7919) % 101) / 50.0 - 1.0);
    for (size_t i = 0; i < N; i++)
        tw_array_set_int(&s.data.y, i, (int64_t)(i % 3));
    s.net = tw_family_net(spec, &err);
    s.problem = s.net ? tw_problem_new(s.net, &s.data, &o, &err) : NULL;
    if (!s.problem)
        fail_msg("%s", err.msg);
    s.params = tw_alloc(s.problem->dim, sizeof *s.params);
    s.buffers = tw_alloc(s.problem->layout->nb, sizeof *s.buffers);
    tw_graph_initial(tw_problem_graph(s.problem), s.params, s.buffers);
    for (size_t i = 0; i < STEPS; i++)
        s.lr[i] = 0.01 * (double)(i + 1);
    return s;
}

static void tear_down(struct setting *s)
{
    tw_problem_free(s->problem);
    tw_net_free(s->net);
    tw_dataset_release(&s->data);
    free(s->params);
    free(s->buffers);
}

static struct tw_trainer_options options_for(const struct setting *s, const char *optimizer)
{
    return (struct tw_trainer_options){ .optimizer = parsed(optimizer),
                                        .lr = s->lr,
                                        .steps = STEPS,
                                        .spike_step = SIZE_MAX,
                                        .order = { .n = N, .batch = 6, .spawn = SIZE_MAX } };
}

static struct tw_trainer *trainer(const struct setting *s, const struct tw_trainer_options *o)
{
    struct tw_err err = { 0 };
    struct tw_trainer *t = tw_trainer_new(s->problem, o, s->params, s->buffers, &err);

    if (!t)
        fail_msg("%s", err.msg);
    return t;
}

static struct tw_train_report step(struct tw_trainer *t, size_t n)
{
    struct tw_train_report r = { 0 };
    struct tw_err err = { 0 };

    for (size_t i = 0; i < n; i++)
        if (tw_trainer_step(t, &r, &err) != TW_OK)
            fail_msg("%s", err.msg);
    return r;
}

static void going_on_gives_the_same_bits(void **state)
{
    struct setting s = set_up("mlp(4,8,3,norm=batch,dropout=0.3)");
    const struct tw_trainer_options o = options_for(&s, "adamw");
    struct tw_trainer *whole = trainer(&s, &o), *first = trainer(&s, &o), *rest = trainer(&s, &o);
    double *saved = tw_alloc(tw_trainer_state(first), sizeof *saved);
    struct tw_train_report a, b;
    struct tw_err err = { 0 };

    (void)state;
    a = step(whole, STEPS);
    (void)step(first, 5); /* in the middle of the second epoch */
    tw_trainer_save(first, saved);
    tw_trainer_load(rest, 5, saved);
    b = step(rest, STEPS - 5);
    assert_true(a.loss == b.loss && a.param_norm == b.param_norm && b.step == STEPS);
    assert_memory_equal(tw_trainer_params_real(whole), tw_trainer_params_real(rest),
                        s.problem->dim * sizeof(double));
    assert_memory_equal(tw_trainer_buffers(whole), tw_trainer_buffers(rest),
                        s.problem->layout->nb * sizeof(float));
    assert_int_equal(tw_trainer_step(whole, &a, &err), TW_EINVAL);
    free(saved);
    tw_trainer_free(whole);
    tw_trainer_free(first);
    tw_trainer_free(rest);
    tear_down(&s);
}

/* The controller halves every rate: the same as half the schedule. The first rates are spiked. */
static enum tw_status halve(void *ctx, struct tw_train_step *s, struct tw_err *err)
{
    double *const seen = ctx;

    (void)err;
    assert_true(s->nrows == (s->step % 4 == 3 ? 2 : 6));
    assert_non_null(s->rows);
    seen[s->step] = s->lr;
    s->extra[0] = s->proposal_norm;
    s->lr /= 2.0;
    return TW_OK;
}

static void controllers_and_spikes(void **state)
{
    struct setting s = set_up("mlp(4,8,3)");
    struct tw_trainer_options o = options_for(&s, "momentum(mu=0)");
    double seen[STEPS], half[STEPS];
    struct tw_trainer *controlled, *plain;
    struct tw_train_report a, b;

    (void)state;
    o.control = halve;
    o.control_ctx = seen;
    o.nextra = 1;
    o.spike_step = 1;
    o.spike_factor = 10.0;
    controlled = trainer(&s, &o);
    a = step(controlled, STEPS);
    for (size_t i = 0; i < STEPS; i++) {
        assert_true(seen[i] == (i == 1 ? 10.0 : 1.0) * s.lr[i]);
        half[i] = seen[i] / 2.0;
    }
    o = options_for(&s, "sgd");
    o.lr = half;
    plain = trainer(&s, &o);
    b = step(plain, STEPS);
    assert_memory_equal(tw_trainer_params(plain), tw_trainer_params(controlled),
                        s.problem->dim * sizeof(float));
    assert_true(a.lr == b.lr && a.loss == b.loss);
    check_close(b.update_norm, b.lr * tw_trainer_extra(controlled)[0], 0.0, 1e-15);
    tw_trainer_free(plain);
    o.spike_step = 4;
    o.spike_factor = 3.0;
    o.spike_held = true;
    o.control = halve;
    o.control_ctx = seen;
    o.nextra = 1;
    o.lr = s.lr;
    plain = trainer(&s, &o);
    (void)step(plain, STEPS);
    for (size_t i = 0; i < STEPS; i++)
        assert_true(seen[i] == (i >= 4 ? 3.0 : 1.0) * s.lr[i]);
    tw_trainer_free(plain);
    tw_trainer_free(controlled);
    tear_down(&s);
}

/* The gradient of a full batch without decay, clipped to length 0.01: an update of lr 0.01. */
static void clipping(void **state)
{
    struct setting s = set_up("mlp(4,8,3)");
    struct tw_trainer_options o = options_for(&s, "sgd");
    struct tw_trainer *t;
    struct tw_train_report r;

    (void)state;
    o.clip = 0.01;
    t = trainer(&s, &o);
    r = step(t, 1);
    assert_true(r.grad_norm > 0.1);
    check_close(r.update_norm, 0.01 * 0.01, 0.0, 1e-8);
    tw_trainer_free(t);
    o.order.batch = N + 1;
    assert_null(tw_trainer_new(s.problem, &o, s.params, s.buffers, NULL));
    tear_down(&s);
}

static void a_loss_that_is_not_finite_is_reported(void **state)
{
    struct setting s = set_up("mlp(4,8,3)");
    const struct tw_trainer_options o = options_for(&s, "sgd");
    struct tw_trainer *t;
    struct tw_train_report r;

    (void)state;
    s.params[0] = (float)NAN;
    t = trainer(&s, &o);
    r = step(t, 1);
    assert_false(r.finite);
    assert_true(isnan(r.loss));
    tw_trainer_free(t);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs),
        cmocka_unit_test(proposals),
        cmocka_unit_test(batches),
        cmocka_unit_test(every_order_is_as_likely),
        cmocka_unit_test(going_on_gives_the_same_bits),
        cmocka_unit_test(controllers_and_spikes),
        cmocka_unit_test(clipping),
        cmocka_unit_test(a_loss_that_is_not_finite_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
