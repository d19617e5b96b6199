/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Node lists: building, attributes, sorting. */
#include "num.h"
#include "thalweg/tensor.h"

#include <stdio.h>

static struct tw_net *new_net(void)
{
    struct tw_net *net = tw_net_new("test", NULL);

    assert_non_null(net);
    return net;
}

static int value(struct tw_net *net, const char *name)
{
    const int v = tw_net_value(net, name, NULL);

    assert_true(v >= 0);
    return v;
}

static int input(struct tw_net *net, const char *name)
{
    const int64_t dims[] = { TW_DIM_UNKNOWN, 4 };
    const int v = tw_net_input(net, name, TW_F32, 2, dims, NULL);

    assert_true(v >= 0);
    return v;
}

static void names_lead_to_values(void **state)
{
    struct tw_net *net = new_net();
    int a, b, c;

    (void)state;
    assert_int_equal(tw_net_find(net, "a"), -1);
    a = value(net, "a");
    b = value(net, "value.1"); /* a fresh name must not be this one */
    c = value(net, NULL);
    assert_true(a != b && b != c && a != c);
    assert_int_equal(value(net, "a"), a);
    assert_int_equal(tw_net_find(net, net->value[c].name), c);
    assert_int_not_equal(value(net, ""), c);
    tw_net_free(net);
}

static void inputs_and_initializers_keep_what_they_are_given(void **state)
{
    static const int64_t axes[] = { 3, -1 };
    struct tw_net *net = new_net();
    struct tw_err err = { 0 };
    const int x = input(net, "x"), k = tw_net_ints(net, "axes", 2, axes, NULL);
    const int half = tw_net_real(net, "half", 0.5, NULL);
    const int64_t two = 2;

    (void)state;
    assert_int_equal(net->ninput, 1);
    assert_int_equal(net->input[0], x);
    assert_int_equal(net->value[x].dims[0], TW_DIM_UNKNOWN);
    assert_int_equal(net->value[x].dims[1], 4);
    assert_true(net->value[k].is_init && net->value[k].init.dtype == TW_I64);
    assert_int_equal(tw_array_int(&net->value[k].init, 1), -1);
    assert_int_equal(net->value[half].init.rank, 0);
    check_close(tw_array_real(&net->value[half].init, 0), 0.5, 0.0, 0.0);
    /* declared as an input too, as old files do: no input of the network */
    assert_int_equal(tw_net_input(net, "axes", TW_I64, 1, &two, NULL), k);
    assert_int_equal(net->ninput, 1);
    assert_int_equal(tw_net_input(net, "x", TW_F32, 1, &two, &err), -1);
    assert_int_equal(err.code, TW_EFORMAT);
    err.code = TW_OK;
    assert_int_equal(tw_net_real(net, "half", 1.0, &err), -1);
    assert_int_equal(err.code, TW_EFORMAT);
    err.code = TW_OK;
    assert_int_equal(tw_net_input(net, "deep", TW_F32, TW_MAX_RANK + 1, &two, &err), -1);
    assert_int_equal(err.code, TW_EFORMAT);
    assert_int_equal(tw_net_output(net, x, NULL), TW_OK);
    assert_int_equal(tw_net_output(net, x, NULL), TW_EFORMAT);
    assert_int_equal(tw_net_output(net, 99, NULL), TW_EINVAL);
    tw_net_free(net);
}

static void attributes_are_found_by_name_and_kind(void **state)
{
    static const int64_t pads[] = { 1, 2, 3 };
    static const double reals[] = { 0.5, 0.25 };
    struct tw_net *net = new_net();
    struct tw_array a;
    const struct tw_node *node;
    char name[16];
    const int x = input(net, "x");

    (void)state;
    assert_int_equal(tw_net_attr_int(net, "axis", 1, NULL), TW_EINVAL); /* no node yet */
    assert_true(tw_net_op(net, "Anything", "y", 1, &x, NULL) >= 0);
    assert_int_equal(tw_array_make(&a, TW_F32, 0, NULL, NULL), TW_OK);
    assert_int_equal(tw_net_attr_int(net, "axis", -2, NULL), TW_OK);
    assert_int_equal(tw_net_attr_real(net, "alpha", 0.125, NULL), TW_OK);
    assert_int_equal(tw_net_attr_text(net, "mode", "edge", NULL), TW_OK);
    assert_int_equal(tw_net_attr_ints(net, "pads", 3, pads, NULL), TW_OK);
    assert_int_equal(tw_net_attr_ints(net, "none", 0, NULL, NULL), TW_OK);
    assert_int_equal(tw_net_attr_reals(net, "reals", 2, reals, NULL), TW_OK);
    assert_int_equal(tw_net_attr_array(net, "value", &a, NULL), TW_OK);
    assert_null(a.data);
    assert_int_equal(tw_net_attr_int(net, "axis", 1, NULL), TW_EFORMAT);
    node = &net->node[0];
    assert_int_equal(tw_node_int(node, "axis", 7), -2);
    assert_int_equal(tw_node_int(node, "absent", 7), 7);
    assert_int_equal(tw_node_int(node, "mode", 7), 7);
    check_close(tw_node_real(node, "alpha", 1.0), 0.125, 0.0, 0.0);
    check_close(tw_node_real(node, "axis", 1.0), -2.0, 0.0, 0.0);
    assert_string_equal(tw_node_text(node, "mode", "constant"), "edge");
    assert_string_equal(tw_node_text(node, "absent", "constant"), "constant");
    assert_int_equal(tw_node_attr(node, "pads")->ints[2], 3);
    assert_int_equal(tw_node_attr(node, "none")->n, 0);
    check_close(tw_node_attr(node, "reals")->reals[1], 0.25, 0.0, 0.0);
    assert_int_equal(tw_node_attr(node, "value")->array.n, 1);
    for (int i = 0; i < 100; i++) {
        const enum tw_status want = node->nattr < 64 ? TW_OK : TW_EFORMAT;

        (void)snprintf(name, sizeof name, "more%d", i);
        assert_int_equal(tw_net_attr_int(net, name, i, NULL), want);
    }
    tw_net_free(net);
}

static void a_value_has_one_producer(void **state)
{
    struct tw_net *net = new_net();
    struct tw_err err = { 0 };
    const int x = input(net, "x"), y = tw_net_op(net, "Relu", "y", 1, &x, NULL);
    const int z = value(net, "z"), twice[] = { z, z };

    (void)state;
    assert_int_equal(net->value[y].made_by, 0);
    assert_int_equal(tw_net_op(net, "Neg", "y", 1, &x, &err), -1);
    assert_int_equal(err.code, TW_EFORMAT);
    assert_non_null(strstr(err.msg, "'y'"));
    assert_int_equal(tw_net_node(net, "Neg", NULL, 1, &y, 1, &x, NULL), -1);
    assert_int_equal(tw_net_node(net, "Split", NULL, 1, &x, 2, twice, NULL), -1);
    assert_int_equal(net->value[z].made_by, -1);
    assert_int_equal(tw_net_node(net, "Neg", NULL, 1, (const int[]){ 77 }, 1, &z, NULL), -1);
    assert_int_equal(tw_net_node(net, "Neg", NULL, 1, &x, 1, (const int[]){ -2 }, NULL), -1);
    assert_int_equal(net->nnode, 1);
    /* an absent input and an absent output are fine */
    assert_int_equal(
        tw_net_node(net, "Clip", "c", 2, (const int[]){ x, -1 }, 2, (const int[]){ z, -1 }, NULL),
        1);
    tw_net_free(net);
}

static void nodes_are_sorted_and_sorted_ones_stay(void **state)
{
    struct tw_net *net = new_net();
    const int x = input(net, "x"), a = value(net, "a"), b = value(net, "b"), c = value(net, "c");

    (void)state;
    assert_int_equal(tw_net_node(net, "Third", "3", 2, (const int[]){ b, a }, 1, &c, NULL), 0);
    assert_int_equal(tw_net_node(net, "Second", "2", 1, &a, 1, &b, NULL), 1);
    assert_int_equal(tw_net_node(net, "First", "1", 1, &x, 1, &a, NULL), 2);
    assert_int_equal(tw_net_output(net, c, NULL), TW_OK);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(tw_net_sort(net, NULL), TW_OK);
        assert_string_equal(net->node[0].op, "First");
        assert_string_equal(net->node[1].op, "Second");
        assert_string_equal(net->node[2].op, "Third");
        assert_int_equal(net->value[b].made_by, 1);
    }
    /* and the list can still grow */
    assert_true(tw_net_op(net, "Fourth", NULL, 1, &c, NULL) >= 0);
    tw_net_free(net);
}

static void cycles_and_values_from_nowhere_are_named(void **state)
{
    struct tw_net *net = new_net();
    struct tw_err err = { 0 };
    const int a = value(net, "a"), b = value(net, "b");

    (void)state;
    assert_int_equal(tw_net_node(net, "Relu", "one", 1, &a, 1, &b, NULL), 0);
    assert_int_equal(tw_net_sort(net, &err), TW_EFORMAT);
    assert_non_null(strstr(err.msg, "'a'"));
    assert_non_null(strstr(err.msg, "'one' (Relu)"));
    memset(&err, 0, sizeof err);
    assert_int_equal(tw_net_node(net, "Neg", "two", 1, &b, 1, &a, NULL), 1);
    assert_int_equal(tw_net_sort(net, &err), TW_EFORMAT);
    assert_non_null(strstr(err.msg, "cycle"));
    tw_net_free(net);

    memset(&err, 0, sizeof err);
    net = new_net();
    assert_int_equal(tw_net_output(net, value(net, "lost"), NULL), TW_OK);
    assert_int_equal(tw_net_sort(net, &err), TW_EFORMAT);
    assert_non_null(strstr(err.msg, "'lost'"));
    tw_net_free(net);
}

/* A chain of a million nodes, last one first: neither deep recursion nor quadratic time. */
static void a_million_nodes_in_the_wrong_order_are_sorted(void **state)
{
    enum { N = 1000000 };
    struct tw_net *net = new_net();
    char name[16];
    int next = value(net, "end"), end = next;

    (void)state;
    for (int i = N; i-- > 0;) {
        int v;

        (void)snprintf(name, sizeof name, "v%d", i);
        v = i ? value(net, name) : input(net, name);
        assert_true(tw_net_node(net, "Relu", NULL, 1, &v, 1, &next, NULL) >= 0);
        next = v;
    }
    assert_int_equal(tw_net_output(net, end, NULL), TW_OK);
    assert_int_equal(tw_net_sort(net, NULL), TW_OK);
    assert_int_equal(net->node[0].in[0], net->input[0]);
    assert_int_equal(net->value[end].made_by, N - 1);
    tw_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_lead_to_values),
        cmocka_unit_test(inputs_and_initializers_keep_what_they_are_given),
        cmocka_unit_test(attributes_are_found_by_name_and_kind),
        cmocka_unit_test(a_value_has_one_producer),
        cmocka_unit_test(nodes_are_sorted_and_sorted_ones_stay),
        cmocka_unit_test(cycles_and_values_from_nowhere_are_named),
        cmocka_unit_test(a_million_nodes_in_the_wrong_order_are_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
