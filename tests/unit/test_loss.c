/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Losses: names with arguments, and which shapes of outputs and targets go together. */
#include "thalweg/loss.h"

#include "num.h"
#include "thalweg/graph.h"

static void a_loss_is_read_and_written(void **state)
{
    static const char *const rows[][2] = {
        { "cross-entropy", "cross-entropy" },
        { "cross-entropy()", "cross-entropy" },
        { "cross-entropy(label_smoothing=0.25)", "cross-entropy(label_smoothing=0.25)" },
        { "cross-entropy( label_smoothing=0.25, ignore_index=0)",
          "cross-entropy(ignore_index=0,label_smoothing=0.25)" },
        { "nll(ignore_index=-1)", "nll(ignore_index=-1)" },
        { "huber(delta=2.5)", "huber(delta=2.5)" },
        { "mse", "mse" },
        { "l1", "l1" },
        { "bce", "bce" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tw_loss_spec spec;
        struct tw_err err = { 0 };
        struct tw_str s = { 0 };

        if (tw_loss_parse(rows[i][0], &spec, &err) != TW_OK)
            fail_msg("%s: %s", rows[i][0], err.msg);
        tw_loss_print(&spec, &s);
        assert_string_equal(s.s, rows[i][1]);
        tw_str_release(&s);
    }
}

static void what_is_wrong_with_a_loss_is_said(void **state)
{
    static const char *const rows[][2] = {
        { "cross-entorpy", "did you mean 'cross-entropy'?" },
        { "spam", "there are cross-entropy, nll" },
        { "mse(", "')' is missing" },
        { "mse(delta=1)", "loss mse takes no argument 'delta'" },
        { "huber(delta)", "'delta' is not of the form key=number" },
        { "huber(delta=x)", "'delta=x' is not of the form" },
        { "huber(delta=0)", "delta=0 is not positive" },
        { "huber(delta=nan)", "is not positive" },
        { "cross-entropy(label_smoothing=1.5)", "outside 0 to 1" },
        { "cross-entropy(label_smoothing=nan)", "outside 0 to 1" },
        { "cross-entropy(ignore_index=0.5)", "ignore_index=0.5 is not a whole number" },
        { "cross-entropy(smoothing=0.5)", "it takes ignore_index=-100, label_smoothing=0" },
        { "nll(label_smoothing=0.5)", "loss nll takes no argument 'label_smoothing'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tw_loss_spec spec;
        struct tw_err err = { 0 };

        if (tw_loss_parse(rows[i][0], &spec, &err) != TW_EINVAL || !strstr(err.msg, rows[i][1]))
            fail_msg("%s: '%s', expected: %s", rows[i][0], err.msg, rows[i][1]);
    }
}

struct shapes {
    const char *loss;
    struct tw_loss_value out, target;
    int axis;            /* of the classes; -1: none */
    double weight_each;  /* 0: there is an output for it */
    const char *refused; /* NULL: accepted */
};

static void check_shapes(const struct shapes *s)
{
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net("mlp(3,4,2)", &err);
    struct tw_loss_spec spec;
    struct tw_loss_ports p;
    enum tw_status rc;

    assert_non_null(net);
    assert_int_equal(tw_loss_parse(s->loss, &spec, &err), TW_OK);
    rc = tw_loss_attach(net, &spec, &s->out, &s->target, true, &p, &err);
    if (s->refused) {
        if (rc != TW_EFORMAT || !strstr(err.msg, s->refused))
            fail_msg("%s: '%s', expected: %s", s->loss, err.msg, s->refused);
    } else {
        if (rc != TW_OK)
            fail_msg("%s: %s", s->loss, err.msg);
        assert_int_equal(p.axis, s->axis);
        assert_true(p.loss == 0 && p.target == 1 && net->ninput == 2);
        assert_int_equal(p.logits, (int)net->noutput - 1);
        if (s->weight_each > 0.0)
            check_ulp(p.weight_each, s->weight_each, 0);
        else
            assert_int_equal(p.weight, 1);
        assert_int_equal(tw_net_sort(net, &err), TW_OK);
    }
    tw_net_free(net);
}

static void losses_take_the_shapes_that_fit(void **state)
{
    static const struct shapes rows[] = {
        { "cross-entropy", { TW_F32, 2, { 1, 10 } }, { TW_I64, 1, { 50 } }, 1, 0, NULL },
        { "cross-entropy", { TW_F32, 2, { 1, 10 } }, { TW_U8, 2, { 50, 1 } }, 1, 0, NULL },
        { "cross-entropy", { TW_F32, 3, { 1, 6, 11 } }, { TW_I64, 2, { 5, 6 } }, 2, 0, NULL },
        { "cross-entropy", { TW_F32, 3, { 1, 11, 6 } }, { TW_I64, 2, { 5, 6 } }, 1, 0, NULL },
        { "nll", { TW_F32, 4, { 1, 7, 8, 4 } }, { TW_I32, 3, { 5, 7, 8 } }, 3, 0, NULL },
        { "nll", { TW_F32, 4, { 1, 4, 7, 8 } }, { TW_I32, 3, { 5, 7, 8 } }, 1, 0, NULL },
        { "mse", { TW_F32, 2, { 1, 6 } }, { TW_F32, 3, { 5, 2, 3 } }, -1, 6, NULL },
        { "l1", { TW_F32, 2, { 1, 1 } }, { TW_F64, 1, { 5 } }, -1, 1, NULL },
        { "huber", { TW_F32, 1, { 1 } }, { TW_F64, 1, { 5 } }, -1, 1, NULL },
        { "bce", { TW_F32, 2, { 1, 3 } }, { TW_U8, 2, { 5, 3 } }, -1, 3, NULL },
        { "cross-entropy", { TW_F32, 2, { 1, 10 } }, { TW_F32, 1, { 5 } }, 0, 0, "are integers" },
        { "cross-entropy",
          { TW_F32, 2, { 1, 10 } },
          { TW_I64, 2, { 5, 10 } },
          0,
          0,
          "the network gives float32[10] a sample, the targets are int64[10] a sample" },
        { "cross-entropy", { TW_F32, 1, { 1 } }, { TW_I64, 1, { 5 } }, 0, 0, "one float32" },
        { "cross-entropy",
          { TW_F32, 3, { 1, 6, 11 } },
          { TW_I64, 2, { 5, 7 } },
          0,
          0,
          "without its axis of classes" },
        { "mse",
          { TW_F32, 2, { 1, 6 } },
          { TW_F32, 1, { 5 } },
          0,
          0,
          "both should have the same number of elements" },
        { "own", { TW_F32, 2, { 1, 6 } }, { TW_F32, 1, { 5 } }, 0, 0, "not one number a sample" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_shapes(&rows[i]);
}

static void the_loss_goes_by_the_targets_unless_named(void **state)
{
    (void)state;
    assert_int_equal(tw_loss_default(&(struct tw_loss_value){ TW_U8, 1, { 5 } }).kind,
                     TW_LOSS_CROSS_ENTROPY);
    assert_int_equal(tw_loss_default(&(struct tw_loss_value){ TW_F64, 1, { 5 } }).kind,
                     TW_LOSS_MSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loss_is_read_and_written),
        cmocka_unit_test(what_is_wrong_with_a_loss_is_said),
        cmocka_unit_test(losses_take_the_shapes_that_fit),
        cmocka_unit_test(the_loss_goes_by_the_targets_unless_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
