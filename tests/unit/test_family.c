/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Built-in networks: specs read, refused and written out; names, shapes and numbers of
 * parameters against PyTorch's (tests/oracle/families.py); initial values. */
#include <omp.h>
#include <stdlib.h>

#include "graph/family.h"
#include "num.h"
#include "oracle_families.h"
#include "thalweg/graph.h"

static struct tw_net *made(const char *spec)
{
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net(spec, &err);

    if (!net)
        fail_msg("%s: %s", spec, err.msg);
    return net;
}

static void a_spec_is_written_out_with_every_argument(void **state)
{
    static const char *const rows[][2] = {
        { "mlp(64,128,10)", "mlp(64,128,10,act=relu,norm=none,bias=yes,dropout=0)" },
        { " mlp( 64 , 10 , act = gelu_tanh,norm=layer ) ",
          "mlp(64,10,act=gelu_tanh,norm=layer,bias=yes,dropout=0)" },
        { "lenet", "lenet(classes=10,in=1x28x28,act=relu,pool=max,pad=2,norm=none)" },
        { "lenet()", "lenet(classes=10,in=1x28x28,act=relu,pool=max,pad=2,norm=none)" },
        { "resnet56(100,shortcut=B,seed=18446744073709551615)",
          "resnet56(classes=100,norm=batch,shortcut=B,in=3x32x32,width=16,"
          "seed=18446744073709551615)" },
        { "vgg(16,norm=batch)",
          "vgg(depth=16,classes=1000,norm=batch,in=3x224x224,hidden=4096,act=relu,dropout=0.5)" },
        { "gpt(2,8,2,6,11,tied=no)",
          "gpt(layers=2,d=8,heads=2,ctx=6,vocab=11,tied=no,act=gelu_tanh,bias=yes,dropout=0)" },
        { "mlp(6,3,2,dropout=0.1)", "mlp(6,3,2,act=relu,norm=none,bias=yes,dropout=0.1)" },
        { "conv1d(4,6,in=2x19)",
          "conv1d(4,6,classes=10,in=2x19,kernel=3,stride=1,act=relu,norm=none)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tw_err err = { 0 };
        char *full = tw_family_spec(rows[i][0], &err), *again;

        if (!full)
            fail_msg("%s: %s", rows[i][0], err.msg);
        assert_string_equal(full, rows[i][1]);
        again = tw_family_spec(full, &err);
        assert_string_equal(again, full);
        free(again);
        free(full);
    }
}

static void what_is_wrong_with_a_spec_is_said(void **state)
{
    static const char *const rows[][2] = {
        { "", "no network ''" },
        { "resnet21", "no network 'resnet21'; did you mean 'resnet20'?" },
        { "spam(3)", "thalweg-networks(7)" },
        { "mlp(64,10", "')' is missing" },
        { "mlp(64,10)x", "')' is missing" },
        { "mlp", "at least 2 widths" },
        { "mlp(64)", "at least 2 widths" },
        { "mlp(64,,10)", "network mlp, character 8: an argument is empty" },
        { "mlp(64,10,)", "character 11: an argument is empty" },
        { "mlp(64,1o)", "network mlp, character 8: widths: '1o' is not a whole number from 1" },
        { "mlp(64,0)", "'0' is not a whole number from 1 to 16777216" },
        { "mlp(64,-1)", "'-1' is not a whole number" },
        { "mlp(64,99999999999999999999999)", "is not a whole number" },
        { "mlp(64,10,act=rellu)", "act: 'rellu' is none of relu|tanh" },
        { "mlp(64,10,actt=relu)", "unknown argument 'actt'; did you mean 'act'?" },
        { "mlp(64,10,widths=3)",
          "unknown argument 'widths'; there are act, norm, bias, dropout, seed" },
        { "mlp(64,10,act=relu,act=tanh)", "act is given twice" },
        { "lenet(10,classes=10)", "classes is given twice" },
        { "lenet(classes=10,10)", "'10': classes is given already" },
        { "lenet(10,1x28x28,relu,max,2,none,3)", "one value without a name too many" },
        { "lenet(in=28x28)", "'28x28' is not of the form 3x32x32" },
        { "lenet(in=1x28x28x1)", "is not of the form 3x32x32" },
        { "lenet(in=1x28x)", "in: '' is not a whole number from 1 to 4096" },
        { "lenet(in=1x11x28)", "nothing is left of the picture" },
        { "lenet(pad=3)", "pad: '3' is not a whole number from 0 to 2" },
        { "lenet(seed=-1)", "seed: '-1'" },
        { "resnet18(stem=4)", "stem=4 is not 3, 5 or 7" },
        { "mlp(6,3,dropout=1)", "dropout: '1' is not a number from 0 to below 1" },
        { "mlp(6,3,dropout=-0.1)", "dropout: '-0.1'" },
        { "gpt(dropout=nan)", "dropout: 'nan'" },
        { "vgg", "depth is missing" },
        { "vgg(12)", "depth: '12' is none of 11|13|16|19" },
        { "vgg(11,in=3x31x32)", "below 32 x 32" },
        { "gpt(2,10,3)", "d=10 is not a multiple of heads=3" },
        { "vit(in=3x30x32)", "multiples of patch=16" },
        { "conv1d(4)", "in is missing" },
        { "conv1d(4,in=2x9,kernel=4)", "kernel=4 is even" },
        { "conv1d(4,in=2x9x9)", "'2x9x9' is not of the form 1x128" },
        { "mlp(16777216,16777216)", "more than 2^31 parameters" },
        { "gpt(layers=1000,d=65536,heads=1)", "more than 2^31 parameters" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tw_err err = { 0 };
        struct tw_net *net = tw_family_net(rows[i][0], &err);

        if (net || err.code != TW_EINVAL || !strstr(err.msg, rows[i][1]))
            fail_msg("%s: %s, expected: %s", rows[i][0], net ? "accepted" : err.msg, rows[i][1]);
    }
}

/* Without the values: these networks are large. */
static size_t parameters(const char *text)
{
    struct tw_err err = { 0 };
    struct family_build f = { .b = { .err = &err, .owner = &f } };
    struct family_spec s;
    size_t n;

    if (family_parse(text, &s, &err) != TW_OK)
        fail_msg("%s", err.msg);
    f.b.net = tw_net_new(text, &err);
    s.family->def->build(&f.b, &s);
    if (f.b.failed)
        fail_msg("%s", err.msg);
    n = f.total;
    for (size_t i = 0; i < f.b.net->nvalue; i++)
        if (strstr(f.b.net->value[i].name, "running_"))
            n -= (size_t)f.b.net->value[i].dims[0];
    tw_net_free(f.b.net);
    return n;
}

static void every_choice_of_every_family_is_built(void **state)
{
    (void)state;
    for (const struct tw_family *f = tw_families; f->name; f++)
        for (size_t a = 0; a < f->def->nargs; a++) {
            const struct family_arg *arg = &f->def->args[a];
            const char *required = !strcmp(f->name, "vgg")      ? "11,in=3x32x32,hidden=0"
                                   : !strcmp(f->name, "mlp")    ? "3,4,5"
                                   : !strcmp(f->name, "conv1d") ? "3,4,in=1x9"
                                   : !strcmp(f->name, "gpt")    ? "1,4,2,3,5"
                                   : !strcmp(f->name, "vit")    ? "1,4,2"
                                                                : "classes=3";
            const char *c = arg->choices;

            while (c && *c && strcmp(arg->name, "depth") != 0) {
                size_t n = strcspn(c, "|");
                char spec[200];

                (void)snprintf(spec, sizeof spec, "%s(%s,%s=%.*s)", f->name, required, arg->name,
                               (int)n, c);
                assert_true(parameters(spec) > 0);
                c += n + (c[n] == '|');
            }
        }
}

static void published_networks_have_their_numbers_of_parameters(void **state)
{
    static const struct {
        const char *spec;
        size_t n;
    } rows[] = {
        { "mlp(784,512,512,512,10)", 932362 },
        { "lenet", 61706 },
        { "lenet(pad=0,in=1x32x32)", 61706 },
        { "resnet20", 269722 },
        { "resnet20(shortcut=B)", 272474 },
        { "resnet56", 853018 },
        { "resnet110", 1727962 },
        { "resnet18", 11689512 },
        { "vgg(16)", 138357544 },
        { "vgg(16,norm=batch)", 138365992 },
        { "gpt", 124439808 },
        { "vit", 86567656 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (parameters(rows[i].spec) != rows[i].n)
            fail_msg("%s: %zu, expected %zu", rows[i].spec, parameters(rows[i].spec), rows[i].n);
}

static void names_and_shapes_are_those_of_the_same_pytorch_modules(void **state)
{
    (void)state;
    for (size_t i = 0; oracle_names[i]; i++) {
        struct oracle o = oracle_open(oracle_names[i]);
        struct tw_net *net = made(o.spec);
        size_t found = 0;

        for (size_t v = 0; v < net->nvalue; v++) {
            const struct tw_array *a = &net->value[v].init;
            size_t dims[TW_RESULT_MAX_RANK];

            if (!net->value[v].is_init)
                continue;
            found++;
            free(oracle_get(&o, "/weights", net->value[v].name, a->rank, dims));
            for (int k = 0; k < a->rank; k++)
                assert_int_equal(dims[k], a->dims[k]);
        }
        assert_int_equal(found, o.nweights);
        tw_net_free(net);
        oracle_close(&o);
    }
}

/* ---- initial values -------------------------------------------------------------------------- */

/* Puts the values where the node list would store them. */
static const struct tw_array *weights(struct tw_net *net, const char *name)
{
    struct tw_err err = { 0 };
    const int v = tw_net_find(net, name);
    struct tw_array drawn;
    struct tw_value *x;

    assert_true(v >= 0);
    x = &net->value[v];
    assert_int_equal(tw_value_initial(x, &drawn, &err), TW_OK);
    tw_array_release(&x->init);
    x->init = drawn;
    return &x->init;
}

static void check_moments(const struct tw_array *a, double want_sd, double want_largest)
{
    const float *x = a->data;
    double s = 0.0, ss = 0.0, largest = 0.0;

    for (size_t i = 0; i < a->n; i++) {
        s += (double)x[i];
        ss += (double)x[i] * (double)x[i];
        largest = fmax(largest, fabs((double)x[i]));
    }
    /* Four standard errors; the kurtosis of neither law exceeds 3. */
    check_close(s / (double)a->n, 0.0, 0.0, 4.0 * want_sd / sqrt((double)a->n));
    check_close(sqrt(ss / (double)a->n), want_sd, 4.0 / sqrt(2.0 * (double)a->n), 0.0);
    assert_true(largest <= want_largest);
}

static void initial_values_follow_their_laws(void **state)
{
    struct tw_net *net = made("mlp(300,400,10,norm=batch,seed=3)");

    (void)state;
    /* Uniform in +-1/sqrt(300): standard deviation 1/sqrt(900). */
    check_moments(weights(net, "fc1.weight"), 1.0 / 30.0, 1.0 / sqrt(300.0));
    check_moments(weights(net, "fc1.bias"), 1.0 / 30.0, 1.0 / sqrt(300.0));
    for (size_t i = 0; i < 400; i++) {
        check_ulp(tw_array_real(weights(net, "norm1.weight"), i), 1.0, 0);
        check_ulp(tw_array_real(weights(net, "norm1.bias"), i), 0.0, 0);
        check_ulp(tw_array_real(weights(net, "norm1.running_mean"), i), 0.0, 0);
        check_ulp(tw_array_real(weights(net, "norm1.running_var"), i), 1.0, 0);
    }
    tw_net_free(net);
    net = made("lenet");
    check_moments(weights(net, "conv2.weight"), 1.0 / sqrt(3.0 * 150.0), 1.0 / sqrt(150.0));
    tw_net_free(net);
    net = made("gpt(8,64,2,16,1000)");
    check_moments(weights(net, "transformer.wte.weight"), 0.02, 0.12);
    check_moments(weights(net, "transformer.h.7.mlp.c_proj.weight"), 0.005, 0.03);
    tw_net_free(net);
}

static void initial_values_depend_on_the_seed_alone(void **state)
{
    const int threads = omp_get_max_threads();
    struct tw_net *one, *two, *other;
    const struct tw_array *a;

    (void)state;
    omp_set_num_threads(1);
    one = made("mlp(900,300,10,seed=5)");
    (void)weights(one, "fc1.weight");
    omp_set_num_threads(3);
    two = made("mlp(900,300,10,seed=5)");
    (void)weights(two, "fc1.weight");
    other = made("mlp(900,300,10,seed=6)");
    omp_set_num_threads(threads);
    a = weights(one, "fc1.weight");
    assert_memory_equal(a->data, weights(two, "fc1.weight")->data, a->n * sizeof(float));
    assert_memory_not_equal(a->data, weights(other, "fc1.weight")->data, a->n * sizeof(float));
    assert_string_equal(two->source,
                        "mlp(900,300,10,act=relu,norm=none,bias=yes,dropout=0,seed=5)");
    tw_net_free(one);
    tw_net_free(two);
    tw_net_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_is_written_out_with_every_argument),
        cmocka_unit_test(what_is_wrong_with_a_spec_is_said),
        cmocka_unit_test(every_choice_of_every_family_is_built),
        cmocka_unit_test(published_networks_have_their_numbers_of_parameters),
        cmocka_unit_test(names_and_shapes_are_those_of_the_same_pytorch_modules),
        cmocka_unit_test(initial_values_follow_their_laws),
        cmocka_unit_test(initial_values_depend_on_the_seed_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
