/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Models of Keras: what is in their node lists, and what is wrong with others. Their losses are
 * held against definitions by tests/cli/keras.sh. */
#include <math.h>

#include "folder.h"
#include "nets.h"
#include "thalweg/graph_match.h"
#include "thalweg/problem.h"
#include "thalweg/store_data.h"
#include "thalweg/store_net.h"
#include "thalweg/store_weights.h"

static struct tw_net *reads(const char *path)
{
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;

    if (tw_store_net_read(path, &net, NULL, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return net;
}

static const char *keras_sample(const char *name)
{
    char path[100];

    (void)snprintf(path, sizeof path, "../keras/%s", name);
    return sample(path);
}

/* ---- parameters ------------------------------------------------------------------------------ */

static void check_axis(const struct tw_graph *g, const char *name, enum tw_role role, int axis)
{
    const struct tw_param *p = tw_layout_find(tw_graph_layout(g), name);

    if (!p)
        fail_msg("no tensor %s", name);
    assert_int_equal(p->role, role);
    if (p->filter_axis != axis)
        fail_msg("%s: filter axis %d, expected %d", name, p->filter_axis, axis);
}

static void filters_are_counted_by_the_last_axis(void **state)
{
    struct tw_graph *g;
    struct tw_net *net = reads(keras_sample("cnn.keras"));

    (void)state;
    g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, NULL);
    assert_non_null(g);
    check_axis(g, "c1/kernel", TW_ROLE_WEIGHT, 3);
    check_axis(g, "c2/bias", TW_ROLE_BIAS, -1);
    check_axis(g, "sc/pointwise_kernel", TW_ROLE_WEIGHT, 3);
    check_axis(g, "dw/depthwise_kernel", TW_ROLE_WEIGHT, 2); /* a group of filters for each input */
    check_axis(g, "sc/depthwise_kernel", TW_ROLE_WEIGHT, 2);
    check_axis(g, "logits/kernel", TW_ROLE_WEIGHT, 1);
    check_axis(g, "bn1/gamma", TW_ROLE_NORM_SCALE, -1);
    check_axis(g, "bn1/beta", TW_ROLE_NORM_SHIFT, -1);
    check_axis(g, "bn1/moving_variance", TW_ROLE_BUFFER, -1);
    tw_graph_free(g);
    tw_net_free(net);
    net = reads(keras_sample("gpt.h5"));
    g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, NULL);
    assert_non_null(g);
    check_axis(g, "embedding/embeddings", TW_ROLE_EMBEDDING, 0);
    check_axis(g, "mha/query/kernel", TW_ROLE_WEIGHT, 1); /* (in, heads, size): by heads */
    check_axis(g, "mha/attention_output/kernel", TW_ROLE_WEIGHT, 2);
    check_axis(g, "fc/kernel", TW_ROLE_WEIGHT, 1);
    tw_graph_free(g);
    tw_net_free(net);
    net = reads(keras_sample("ae.keras"));
    g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, NULL);
    assert_non_null(g);
    check_axis(g, "dec/kernel", TW_ROLE_WEIGHT, 2); /* (taps, taps, out, in) */
    tw_graph_free(g);
    tw_net_free(net);
}

static size_t count(const struct tw_net *net, const char *op)
{
    size_t n = 0;

    for (size_t i = 0; i < net->nnode; i++)
        n += !strcmp(net->node[i].op, op);
    return n;
}

/* 15 kernels are turned, and the pictures once. */
static void activations_stay_channels_first(void **state)
{
    struct tw_net *net = reads(keras_sample("resnet.h5"));

    (void)state;
    assert_int_equal(count(net, "Conv"), 15);
    assert_int_equal(count(net, "Transpose"), 16);
    tw_net_free(net);
}

/* ---- models made here ------------------------------------------------------------------------ */

static void put_text(hid_t at, const char *name, size_t n, const char *const *s)
{
    const hsize_t count = n;
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, NULL), attr;

    assert_true(H5Tset_size(type, H5T_VARIABLE) >= 0);
    attr = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attr >= 0 && H5Awrite(attr, type, s) >= 0);
    (void)H5Aclose(attr);
    (void)H5Sclose(space);
    (void)H5Tclose(type);
}

/* A layer with a kernel of ones (rank extents), and a bias of ones too if there is one. */
struct weights {
    const char *layer, *kernel, *bias;
    int rank;
    hsize_t dims[4];
};

static void put_ones(hid_t group, const char *name, int rank, const hsize_t *dims)
{
    hid_t space = H5Screate_simple(rank, dims, NULL), links = H5Pcreate(H5P_LINK_CREATE), set;
    float ones[64];

    for (size_t i = 0; i < 64; i++)
        ones[i] = 1.0F;
    (void)H5Pset_create_intermediate_group(links, 1);
    set = H5Dcreate2(group, name, H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0 &&
                H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, ones) >= 0);
    (void)H5Dclose(set);
    (void)H5Pclose(links);
    (void)H5Sclose(space);
}

static const char *model(const char *config, const char *training, size_t n,
                         const struct weights *w)
{
    const char *path = in_folder("model.h5"), *layers[8];
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), root;

    put_text(file, "model_config", 1, &config);
    if (training)
        put_text(file, "training_config", 1, &training);
    root = H5Gcreate2(file, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    for (size_t i = 0; i < n; i++) {
        hid_t group = H5Gcreate2(root, w[i].layer, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        const char *names[2] = { w[i].kernel, w[i].bias };

        layers[i] = w[i].layer;
        put_text(group, "weight_names", w[i].bias ? 2 : 1, names);
        put_ones(group, w[i].kernel, w[i].rank, w[i].dims);
        if (w[i].bias)
            put_ones(group, w[i].bias, 1, &w[i].dims[w[i].rank - 1]);
        (void)H5Gclose(group);
    }
    if (n)
        put_text(root, "layer_names", n, layers);
    (void)H5Gclose(root);
    (void)H5Fclose(file);
    return path;
}

#define INPUT(name, shape)                                                                         \
    "{\"class_name\": \"InputLayer\", \"name\": \"" name "\", \"inbound_nodes\": [], \"config\": " \
    "{\"name\": \"" name "\", \"batch_input_shape\": " shape ", \"dtype\": \"float32\"}}"
#define DENSE(name, rest)                                                                          \
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"" name "\", \"units\": 2, "              \
    "\"use_bias\": true, \"activation\": \"linear\"}" rest "}"
#define SEQUENTIAL(layers)                                                                         \
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", \"layers\": [" layers "]}}"

static const struct weights one[] = { { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } } };

/* The loss of one sample (1, 2) whose targets are these. */
static double loss_of(struct tw_net *net, size_t ny, const double *y, enum tw_dtype type)
{
    struct tw_dataset d = { 0 };
    struct tw_loss_spec loss;
    struct tw_err err = { 0 };
    struct tw_problem *p;
    struct tw_values v;
    double *params;
    float *stored, *buffers;

    assert_int_equal(tw_array_make(&d.x, TW_F32, 2, (const size_t[]){ 1, 2 }, NULL), TW_OK);
    tw_array_set_real(&d.x, 0, 1.0);
    tw_array_set_real(&d.x, 1, 2.0);
    assert_int_equal(tw_array_make(&d.y, type, 2, (const size_t[]){ 1, ny }, NULL), TW_OK);
    for (size_t i = 0; i < ny; i++)
        tw_array_set_real(&d.y, i, y[i]);
    assert_int_equal(tw_loss_parse(net->loss, &loss, NULL), TW_OK);
    p = tw_problem_new(
        net, &d, &(struct tw_problem_options){ .loss = &loss, .exec = { .real64 = true } }, &err);
    if (!p)
        fail_msg("%s", err.msg);
    params = calloc(p->dim, sizeof *params);
    stored = calloc(p->dim, sizeof *stored);
    buffers = calloc(p->layout->nb + 1, sizeof *buffers);
    tw_graph_initial(tw_problem_graph(p), stored, buffers);
    for (size_t i = 0; i < p->dim; i++)
        params[i] = (double)stored[i];
    assert_int_equal(
        tw_problem_eval(
            p, &(struct tw_request){ .at = { .d = params }, .buffers = buffers, .values = &v },
            &err),
        TW_OK);
    free(params);
    free(stored);
    free(buffers);
    tw_problem_free(p);
    tw_dataset_release(&d);
    return v.loss.value;
}

/* A Sequential model within a Functional one, called twice: its second call gives x W + b of the
 * first, with W and b of ones: (1, 2) to (4, 4) to (9, 9), and (4, 4) + (9, 9) is the output. */
static void models_within_models_share_their_weights(void **state)
{
    static const char config[] =
        "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": [" INPUT(
            "in", "[null, 2]") ", {\"class_name\": \"Add\", \"name\": \"add\", "
                               "\"config\": {\"name\": \"add\"}, \"inbound_nodes\": "
                               "[[[\"inner\", 0, 0, {}], [\"inner\", 1, 0, {}]]]}, "
                               "{\"class_name\": \"Sequential\", \"name\": \"inner\", \"config\": "
                               "{\"name\": \"inner\", \"layers\": [" DENSE(
                                   "d", "") "]}, "
                                            "\"inbound_nodes\": [[[\"in\", 0, 0, {}]], "
                                            "[[\"inner\", 0, 0, {}]]]}], "
                                            "\"input_layers\": [[\"in\", 0, 0]], "
                                            "\"output_layers\": [[\"add\", 0, 0]]}}";
    const struct weights w[] = { { "inner", "d/kernel:0", "d/bias:0", 2, { 2, 2 } } };
    struct tw_net *net = reads(model(config, "{\"loss\": \"mae\"}", 1, w));

    (void)state;
    assert_true(tw_net_find(net, "inner/d/kernel") >= 0);
    assert_string_equal(net->value[tw_net_find(net, "inner/d/bias")].alias,
                        "layers/sequential/layers/dense/vars/1");
    check_close(loss_of(net, 2, (const double[]){ 0.0, 0.0 }, TW_F32), 13.0, 1e-12, 0.0);
    tw_net_free(net);
}

/* Sigmoids of (4, 4). */
static void the_last_activation_goes_into_the_loss_it_is_meant_for(void **state)
{
    static const char layers[] = INPUT("in", "[null, 2]") ", " DENSE(
        "d", "") ", {\"class_name\": \"Activation\", \"config\": {\"name\": \"a\", \"activation\": "
                 "\"%s\"}}";
    static const struct {
        const char *act, *loss;
        double y[2], want;
    } cases[] = {
        { "sigmoid", "\"binary_crossentropy\"", { 1, 0 }, 2.0 },      /* + log1p(exp(-4)) below */
        { "sigmoid", "\"mse\"", { 1, 0 }, 0.0 },                      /* below */
        { "softmax", "\"categorical_crossentropy\"", { 0, 1 }, 0.0 }, /* log 2 */
        { "sigmoid", "\"categorical_crossentropy\"", { 0, 1 }, 0.0 }, /* log 2 */
        { "softmax",
          "{\"class_name\": \"CategoricalCrossentropy\", \"config\": {\"from_logits\": true}}",
          { 0, 1 },
          0.0 },
        { "softmax", "\"binary_crossentropy\"", { 1, 0 }, 0.0 },
    };
    const double s = 1.0 / (1.0 + exp(-4.0)), less = log1p(exp(-4.0));
    const double want[] = { 2.0 + less, ((1.0 - s) * (1.0 - s) + s * s) / 2.0,
                            log(2.0),   log(2.0),
                            log(2.0),   log(2.0) };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char config[900], filled[700], training[200];
        struct tw_net *net;

        (void)snprintf(filled, sizeof filled, layers, cases[i].act);
        (void)snprintf(config, sizeof config, SEQUENTIAL("%s"), filled);
        (void)snprintf(training, sizeof training, "{\"loss\": %s}", cases[i].loss);
        net = reads(model(config, training, 1, one));
        check_close(loss_of(net, 2, cases[i].y, TW_F32), want[i], 1e-9, 0.0);
        tw_net_free(net);
    }
}

static void what_is_wrong_is_said(void **state)
{
    static const char lstm[] = SEQUENTIAL(
        INPUT("in", "[null, 3, 2]") ", {\"class_name\": \"LSTM\", \"config\": {\"name\": \"l\"}}");
    static const struct {
        const char *config;
        struct weights w;
        const char *part;
    } cases[] = {
        { lstm, { "d", "k", NULL, 1, { 1 } }, "layer 'l' is of class LSTM, which is not known" },
        { SEQUENTIAL(INPUT(
              "in", "[null, 2]") ", {\"class_name\": \"Densr\", \"config\": {\"name\": \"l\"}}"),
          { "d", "k", NULL, 1, { 1 } },
          "did you mean Dense?" },
        { SEQUENTIAL(INPUT("in", "[null, 2]") ", " DENSE("e", "")),
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "layer 'e' (Dense): the file has no weight 'e/kernel'" },
        { SEQUENTIAL(INPUT("in", "[null, 3]") ", " DENSE("d", "")),
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "layer 'd' (Dense): its kernel is float32[2,2], expected [3,2]" },
        { SEQUENTIAL(INPUT("in", "[null, null]") ", " DENSE("d", "")),
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "input 'in' has no fixed shape" },
        { SEQUENTIAL(DENSE("d", "")),
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "does not say the shape of its input" },
        { "{\"class_name\": \"MyModel\", \"config\": {\"name\": \"x\"}}",
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "a model of the class MyModel" },
        { "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": [" INPUT(
              "in", "[null, 2]") ", " DENSE("d",
                                            ", \"name\": \"d\", \"inbound_nodes\": [[[\"d\", 0, 0, "
                                            "{}]]]") "], \"input_layers\": [[\"in\", 0, 0]], "
                                                     "\"output_layers\": [[\"d\", 0, 0]]}}",
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "output 'd' is never computed" },
        { "{\"class_name\": \"Functional\", \"config\": {\"name\": \"m\", \"layers\": [" INPUT(
              "in", "[null, 2]") ", " DENSE("d",
                                            ", \"name\": \"d\", \"inbound_nodes\": [[[\"x\", 0, 0, "
                                            "{}]]]") "], \"input_layers\": [[\"in\", 0, 0]], "
                                                     "\"output_layers\": [[\"d\", 0, 0]]}}",
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "call 0 of 'x', which there is not" },
        { "[1, 2",
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "model_config is not an object" },
        { SEQUENTIAL(INPUT("in", "[null, 2]") ", {\"class_name\": \"Dense\", \"config\": "
                                              "{\"name\": \"d\", \"units\": \"two\"}}"),
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "'units' is \"two\", expected a whole number" },
        { SEQUENTIAL(INPUT(
              "in",
              "[null, 2, 2]") ", {\"class_name\": \"Conv1D\", \"config\": {\"name\": \"d\", "
                              "\"filters\": 1, \"kernel_size\": [3], \"padding\": \"valid\"}}"),
          { "d", "d/kernel:0", "d/bias:0", 2, { 2, 2 } },
          "a window of 3 is larger than its input of 2" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tw_err err = { 0 };
        struct tw_net *net;

        if (tw_store_net_read(model(cases[i].config, NULL, 1, &cases[i].w), &net, NULL, &err) ==
            TW_OK)
            fail_msg("read, without: %s", cases[i].part);
        assert_null(net);
        assert_int_equal(err.code, TW_EFORMAT);
        check_message(&err, cases[i].part);
        check_message(&err, "model.h5");
    }
}

/* Twenty models, each within the one before. */
static void nesting_has_an_end(void **state)
{
    struct tw_str config = { 0 };
    struct tw_net *net;
    struct tw_err err = { 0 };

    (void)state;
    for (int i = 0; i < 20; i++)
        tw_str_addf(&config,
                    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
                    "\"layers\": [%s",
                    i ? "" : INPUT("in", "[null, 2]") ", ");
    tw_str_add(&config, DENSE("d", ""));
    for (int i = 0; i < 20; i++)
        tw_str_add(&config, "]}}");
    assert_int_equal(tw_store_net_read(model(config.s, NULL, 1, one), &net, NULL, &err),
                     TW_EFORMAT);
    tw_str_release(&config);
    check_message(&err, "models are nested more than 16 deep");
}

/* ---- derivatives ----------------------------------------------------------------------------- */

struct point {
    struct tw_problem *p;
    double *at, *moved, *d, *gradient, *hvp[3];
    float *buffers;
};

static double eval(struct point *q, double t, double *gradient)
{
    struct tw_values v;
    struct tw_err err = { 0 };

    for (size_t i = 0; i < q->p->dim; i++)
        q->moved[i] = q->at[i] + t * q->d[i];
    if (tw_problem_eval(q->p,
                        &(struct tw_request){ .at = { .d = q->moved },
                                              .buffers = q->buffers,
                                              .values = &v,
                                              .gradient = gradient },
                        &err) != TW_OK)
        fail_msg("%s", err.msg);
    return v.loss.value;
}

static double dot(size_t n, const double *x, const double *y)
{
    double s = 0.0;

    for (size_t i = 0; i < n; i++)
        s += x[i] * y[i];
    return s;
}

/* Slope, gradient and Hessian product along a direction against differences of size t. */
static void check_derivatives(const char *model, const char *data)
{
    const double t = 1e-5;
    struct point q = { 0 };
    struct tw_dataset d;
    struct tw_loss_spec loss;
    struct tw_err err = { 0 };
    struct tw_net *net = reads(keras_sample(model));
    struct tw_rng rng = tw_rng_stream(5, TW_RNG_TEST, 0);
    struct tw_vector direction;
    float *stored;
    double slope, difference;
    size_t n;

    assert_int_equal(tw_store_data_read(keras_sample(data), NULL, NULL, &d, NULL, NULL, &err),
                     TW_OK);
    assert_int_equal(tw_loss_parse(net->loss, &loss, &err), TW_OK);
    q.p = tw_problem_new(
        net, &d,
        &(struct tw_problem_options){ .loss = &loss,
                                      .exec = { .real64 = true, .gradient = true, .tangents = 1 } },
        &err);
    if (!q.p)
        fail_msg("%s: %s", model, err.msg);
    n = q.p->dim;
    q.at = calloc(n * 7, sizeof *q.at);
    q.moved = q.at + n;
    q.d = q.at + 2 * n;
    q.gradient = q.at + 3 * n;
    for (size_t k = 0; k < 3; k++)
        q.hvp[k] = q.at + (4 + k) * n;
    stored = calloc(n, sizeof *stored);
    q.buffers = calloc(q.p->layout->nb + 1, sizeof *q.buffers);
    tw_graph_initial(tw_problem_graph(q.p), stored, q.buffers);
    for (size_t i = 0; i < n; i++) {
        q.at[i] = (double)stored[i];
        q.d[i] = tw_rng_normal(&rng);
    }
    direction.f = NULL;
    direction.d = q.d;
    assert_int_equal(tw_problem_eval(q.p,
                                     &(struct tw_request){ .at = { .d = q.at },
                                                           .buffers = q.buffers,
                                                           .ndirections = 1,
                                                           .directions = &direction,
                                                           .slopes = &slope,
                                                           .gradient = q.gradient,
                                                           .hvp = q.hvp },
                                     &err),
                     TW_OK);
    difference = (eval(&q, t, q.hvp[1]) - eval(&q, -t, q.hvp[2])) / (2 * t);
    check_close(slope, difference, 1e-7 * (1.0 + fabs(slope)), 1e-6);
    check_close(dot(n, q.gradient, q.d), slope, 1e-12 * (1.0 + fabs(slope)), 1e-10);
    for (size_t i = 0; i < n; i++)
        check_close(q.hvp[0][i], (q.hvp[1][i] - q.hvp[2][i]) / (2 * t), 1e-5, 1e-4);
    free(q.at);
    free(stored);
    free(q.buffers);
    tw_problem_free(q.p);
    tw_dataset_release(&d);
    tw_net_free(net);
}

static void layers_have_derivatives(void **state)
{
    static const char *const files[][2] = {
        { "cnn.keras", "cnn.npz" },    { "gpt.h5", "gpt.npz" },  { "text.keras", "text.npz" },
        { "conv1d.h5", "conv1d.npz" }, { "ae.keras", "ae.npz" }, { "acts.h5", "acts.npz" },
        { "mlp.h5", "mlp.npz" }
    };

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        check_derivatives(files[i][0], files[i][1]);
}

/* ---- the same layers under other names ------------------------------------------------------- */

static void other_numbers_of_the_same_layers_match(void **state)
{
    struct tw_net *net = reads(keras_sample("mlp.h5"));
    struct tw_graph *g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, NULL);
    const struct tw_layout *l = tw_graph_layout(g);
    const struct tw_param *kernel = tw_layout_find(l, "dense_4/kernel");
    float *params = calloc(l->n, sizeof *params), *buffers = calloc(l->nb, sizeof *buffers);
    struct tw_named_list list;
    struct tw_match match;
    struct tw_err err = { 0 };
    const struct tw_array *a;

    (void)state;
    assert_int_equal(tw_store_weights_read(keras_sample("mlp-later.h5"), NULL, &list, NULL, &err),
                     TW_OK);
    assert_int_equal(tw_match_weights(l, net, &list, params, buffers, &match, &err), TW_OK);
    /* Its dense_5 is our dense_4, although it has a dense_4 of its own. */
    a = tw_named_find(&list, "dense_5/kernel");
    assert_non_null(a);
    for (size_t i = 0; i < a->n; i++)
        check_close((double)params[kernel->offset + i], tw_array_real(a, i), 0.0, 0.0);
    assert_int_equal(match.found, l->nparam + l->nbuffer);
    assert_int_equal(match.list[TW_MATCH_EXTRA].n, 0);
    tw_match_release(&match);
    tw_named_release(&list);
    free(params);
    free(buffers);
    tw_graph_free(g);
    tw_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_counted_by_the_last_axis),
        cmocka_unit_test(activations_stay_channels_first),
        folder_test(models_within_models_share_their_weights),
        folder_test(the_last_activation_goes_into_the_loss_it_is_meant_for),
        folder_test(what_is_wrong_is_said),
        folder_test(nesting_has_an_end),
        cmocka_unit_test(layers_have_derivatives),
        cmocka_unit_test(other_numbers_of_the_same_layers_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
