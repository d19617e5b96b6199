/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ONNX models made here, right and wrong. */
#include "folder.h"
#include "nets.h"
#include "store/onnx.h"

/* ---- models made here ---------------------------------------------------------------------- */

/* x -> Add(x, w) -> y, to be changed by each test before it is packed. */
struct model {
    Tw__Onnx__Model m;
    Tw__Onnx__Graph g;
    Tw__Onnx__OperatorSet opset, *opsets[1];
    Tw__Onnx__Node node, *nodes[1];
    Tw__Onnx__Tensor w, *inits[2];
    Tw__Onnx__Value x, y, *inputs[2], *outputs[1];
    Tw__Onnx__Type type;
    Tw__Onnx__TensorType tensor;
    Tw__Onnx__Attribute attribute, *attributes[1];
    char *in[2], *out[1];
    int64_t dims[3];
    float numbers[8];
    struct tw_bytes packed;
};

static char names[][12] = { "x", "w", "y", "Add", "here" };

static void build(struct model *k)
{
    memset(k, 0, sizeof *k);
    tw__onnx__model__init(&k->m);
    tw__onnx__graph__init(&k->g);
    tw__onnx__operator_set__init(&k->opset);
    tw__onnx__node__init(&k->node);
    tw__onnx__tensor__init(&k->w);
    tw__onnx__value__init(&k->x);
    tw__onnx__value__init(&k->y);
    tw__onnx__type__init(&k->type);
    tw__onnx__tensor_type__init(&k->tensor);
    tw__onnx__attribute__init(&k->attribute);
    k->m.ir_version = 8;
    k->m.has_ir_version = k->opset.has_version = true;
    k->opset.version = 17;
    k->opsets[0] = &k->opset;
    k->m.n_opset_import = 1;
    k->m.opset_import = k->opsets;
    k->m.graph = &k->g;
    k->nodes[0] = &k->node;
    k->g.n_node = k->g.n_initializer = k->g.n_input = k->g.n_output = 1;
    k->g.node = k->nodes;
    k->g.initializer = k->inits;
    k->g.input = k->inputs;
    k->g.output = k->outputs;
    k->inits[0] = k->inits[1] = &k->w;
    k->inputs[0] = k->inputs[1] = &k->x;
    k->outputs[0] = &k->y;
    k->in[0] = k->x.name = names[0];
    k->in[1] = k->w.name = names[1];
    k->out[0] = k->y.name = names[2];
    k->node.op_type = names[3];
    k->node.name = names[4];
    k->node.n_input = 2;
    k->node.n_output = 1;
    k->node.input = k->in;
    k->node.output = k->out;
    k->attributes[0] = &k->attribute;
    k->node.attribute = k->attributes;
    k->x.type = &k->type;
    k->type.tensor_type = &k->tensor;
    k->tensor.elem_type = 1;
    k->tensor.has_elem_type = true;
    k->w.has_data_type = true;
    k->w.data_type = 1;
    k->w.n_dims = 2;
    k->w.dims = k->dims;
    k->dims[0] = 2;
    k->dims[1] = 3;
    k->w.n_float_data = 6;
    k->w.float_data = k->numbers;
    for (int i = 0; i < 6; i++)
        k->numbers[i] = (float)i - 2.5f;
}

static void pack(struct model *k)
{
    k->packed.n = tw__onnx__model__get_packed_size(&k->m);
    k->packed.p = malloc(k->packed.n);
    assert_non_null(k->packed.p);
    (void)tw__onnx__model__pack(&k->m, k->packed.p);
}

static struct tw_net *reads(struct model *k)
{
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;

    pack(k);
    spill(in_folder("net.onnx"), k->packed.p, k->packed.n);
    free(k->packed.p);
    if (tw_store_net_read(in_folder("net.onnx"), &net, NULL, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return net;
}

static void refuses(struct model *k, enum tw_status want, const char *part)
{
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;

    pack(k);
    spill(in_folder("net.onnx"), k->packed.p, k->packed.n);
    free(k->packed.p);
    assert_int_equal(tw_store_net_read(in_folder("net.onnx"), &net, NULL, &err), want);
    assert_null(net);
    check_message(&err, part);
    check_message(&err, in_folder("net.onnx"));
}

static void a_small_model_is_read(void **state)
{
    struct model k;
    struct tw_net *net;
    int w;

    (void)state;
    build(&k);
    net = reads(&k);
    w = tw_net_find(net, "w");
    assert_true(net->value[w].is_init && net->value[w].init.dtype == TW_F32);
    for (size_t i = 0; i < 6; i++)
        assert_true(tw_array_real(&net->value[w].init, i) == (double)i - 2.5);
    assert_string_equal(net->node[0].name, "here");
    assert_int_equal(net->value[net->input[0]].rank, -1); /* not declared */
    tw_net_free(net);
    /* Old writers: initializers are inputs as well; the operators' version is not named. */
    build(&k);
    k.g.n_input = 2;
    k.inputs[0] = &k.y;
    k.inputs[0] = &(Tw__Onnx__Value){ .base = k.x.base, .name = names[1], .type = &k.type };
    k.m.ir_version = 2;
    k.m.n_opset_import = 0;
    net = reads(&k);
    assert_int_equal(net->opset, 1);
    assert_int_equal(net->ninput, 1);
    assert_string_equal(net->value[net->input[0]].name, "x");
    tw_net_free(net);
}

static void attributes_are_kept_by_kind(void **state)
{
    int64_t ints[] = { 3, -4 };
    float floats[] = { 0.5f, (float)INFINITY };
    ProtobufCBinaryData words[2] = { { 3, (uint8_t *)names[3] }, { 1, (uint8_t *)names[0] } };
    const struct tw_attr *a;
    struct tw_net *net;
    struct model k;

    (void)state;
    for (int type = 0; type <= 12; type++) {
        build(&k);
        k.node.n_attribute = 1;
        k.attribute.name = names[4];
        k.attribute.has_type = type != 0;
        k.attribute.type = type;
        k.attribute.has_i = k.attribute.has_f = true;
        k.attribute.i = -7;
        k.attribute.f = 0.25f;
        k.attribute.t = &k.w;
        k.attribute.has_s = k.attribute.has_g = true;
        k.attribute.s = k.attribute.g = words[0];
        k.attribute.n_ints = k.attribute.n_floats = k.attribute.n_strings = 2;
        k.attribute.ints = ints;
        k.attribute.floats = floats;
        k.attribute.strings = words;
        net = reads(&k);
        a = tw_node_attr(&net->node[0], "here");
        assert_non_null(a);
        switch (type) {
        case 0: /* not said: the first that is there */
        case 1:
            assert_true(a->kind == TW_ATTR_REAL && a->r == 0.25);
            break;
        case 2:
            assert_true(a->kind == TW_ATTR_INT && a->i == -7);
            break;
        case 4:
            assert_true(a->kind == TW_ATTR_ARRAY && a->array.n == 6);
            break;
        case 6:
            assert_true(a->kind == TW_ATTR_REALS && a->n == 2 && a->reals[1] == (double)INFINITY);
            break;
        case 7:
            assert_true(a->kind == TW_ATTR_INTS && a->n == 2 && a->ints[1] == -4);
            break;
        default:
            assert_int_equal(a->kind, TW_ATTR_TEXT);
            assert_string_equal(a->text, type == 3   ? "Add"
                                         : type == 5 ? "(subgraph)"
                                         : type == 8 ? "Add,x"
                                                     : a->text);
        }
        tw_net_free(net);
    }
}

static void foreign_operators_keep_their_domain(void **state)
{
    char ours[] = "ai.onnx", theirs[] = "com.acme";
    struct tw_net *net;
    struct model k;

    (void)state;
    build(&k);
    k.node.domain = theirs;
    net = reads(&k);
    assert_string_equal(net->node[0].op, "com.acme.Add");
    tw_net_free(net);
    k.node.domain = ours;
    net = reads(&k);
    assert_string_equal(net->node[0].op, "Add");
    tw_net_free(net);
}

/* ---- weights beside the model ---------------------------------------------------------------- */

static void beside(struct model *k, Tw__Onnx__Entry entry[3], Tw__Onnx__Entry *list[3],
                   const char *location, const char *offset, const char *length)
{
    static char keys[3][12] = { "location", "offset", "length" }, values[3][40];
    const char *given[3] = { location, offset, length };

    build(k);
    k->w.n_float_data = 0;
    k->w.has_data_location = true;
    k->w.data_location = 1;
    k->w.external_data = list;
    for (size_t i = 0; i < 3; i++) {
        if (!given[i])
            continue;
        tw__onnx__entry__init(&entry[i]);
        (void)snprintf(values[i], sizeof values[i], "%s", given[i]);
        entry[i].key = keys[i];
        entry[i].value = values[i];
        list[k->w.n_external_data++] = &entry[i];
    }
}

static void weights_beside_the_model_are_read(void **state)
{
    static const float numbers[] = { 9, 9, 1, 2, 3, 4, 5, 6, 7 };
    Tw__Onnx__Entry entry[3], *list[3];
    struct tw_net *net;
    struct model k;

    (void)state;
    spill(in_folder("w.bin"), numbers, sizeof numbers);
    beside(&k, entry, list, "w.bin", "8", "24");
    net = reads(&k);
    for (size_t i = 0; i < 6; i++)
        assert_true(tw_array_real(&net->value[tw_net_find(net, "w")].init, i) == (double)i + 1);
    tw_net_free(net);
    beside(&k, entry, list, "./w.bin", NULL, NULL);
    net = reads(&k);
    assert_true(tw_array_real(&net->value[tw_net_find(net, "w")].init, 0) == 9.0);
    tw_net_free(net);

    beside(&k, entry, list, "w.bin", "16", "24");
    refuses(&k, TW_EFORMAT, "initializer 'w': its 24 bytes at byte 16 of 'w.bin' are not there");
    beside(&k, entry, list, "w.bin", "18446744073709551615", NULL);
    refuses(&k, TW_EFORMAT, "are not there: the file has 36");
    beside(&k, entry, list, "w.bin", "8", "20");
    refuses(&k, TW_EFORMAT, "its shape asks for 24 bytes, 20 are stored");
    beside(&k, entry, list, "w.bin", "-8", NULL);
    refuses(&k, TW_EFORMAT, "'-8' is no offset");
    beside(&k, entry, list, "../w.bin", NULL, NULL);
    refuses(&k, TW_EFORMAT, "only files in the model's folder are read");
    beside(&k, entry, list, "a/../../w.bin", NULL, NULL);
    refuses(&k, TW_EFORMAT, "only files in the model's folder are read");
    beside(&k, entry, list, "/etc/passwd", NULL, NULL);
    refuses(&k, TW_EFORMAT, "'/etc/passwd'; only files in the model's folder are read");
    beside(&k, entry, list, "none.bin", NULL, NULL);
    refuses(&k, TW_EIO, "'none.bin' beside the model: No such file");
    beside(&k, entry, list, NULL, "0", NULL);
    refuses(&k, TW_EFORMAT, "which is not named");
}

/* ---- what is wrong with a model -------------------------------------------------------------- */

static void wrong_models_are_refused_by_name(void **state)
{
    char none[] = "", other[] = "z", *loop[] = { names[2], names[1] };
    Tw__Onnx__SparseTensor sparse = TW__ONNX__SPARSE_TENSOR__INIT, *sparses[] = { &sparse };
    struct model k;

    (void)state;
    build(&k);
    sparse.values = &k.w;
    k.g.n_sparse_initializer = 1;
    k.g.sparse_initializer = sparses;
    refuses(&k, TW_EFORMAT, "initializer 'w' is sparse");
    build(&k);
    k.g.n_initializer = 2;
    refuses(&k, TW_EFORMAT, "initializer 'w'");
    build(&k);
    k.m.n_opset_import = 0;
    refuses(&k, TW_EFORMAT, "does not name the version of its operators");
    build(&k);
    k.m.graph = NULL;
    refuses(&k, TW_EFORMAT, "no graph in it");
    build(&k);
    k.g.n_output = 0;
    refuses(&k, TW_EFORMAT, "no outputs");
    build(&k);
    k.y.name = other;
    refuses(&k, TW_EFORMAT, "output 'z': no node makes it");
    build(&k);
    k.in[0] = other;
    refuses(&k, TW_EFORMAT, "'z'");
    build(&k);
    k.node.input = loop;
    refuses(&k, TW_EFORMAT, "cycle");
    build(&k);
    k.out[0] = names[0];
    refuses(&k, TW_EFORMAT, "node 0 (Add 'here'): 'x'");
    build(&k);
    k.node.op_type = none;
    refuses(&k, TW_EFORMAT, "has no operator");
    build(&k);
    k.tensor.elem_type = 8;
    refuses(&k, TW_EFORMAT, "input 'x': its type is string");
    build(&k);
    k.type.tensor_type = NULL;
    refuses(&k, TW_EFORMAT, "input 'x': its type is not a tensor");
}

static void refuses_bytes(const void *p, size_t n, const char *part)
{
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;

    spill(in_folder("net.onnx"), p, n);
    assert_int_equal(tw_store_net_read(in_folder("net.onnx"), &net, NULL, &err), TW_EFORMAT);
    check_message(&err, part);
}

static void damaged_files_are_refused_with_a_place(void **state)
{
    size_t n = 0;
    char *good = slurp(sample("cnn.onnx"), &n), *bad = malloc(n + 4), place[60];

    (void)state;
    assert_true(good && bad);
    refuses_bytes(good, 0, "the file is empty");
    refuses_bytes(good, n - 1, "cut short");
    refuses_bytes(good, n / 2, "cut short");
    memcpy(bad, good, n);
    memset(bad + n, 0, 4); /* as a block of a disk ends */
    (void)snprintf(place, sizeof place, "no field of ONNX at byte %zu;", n);
    refuses_bytes(bad, n + 4, place);
    memcpy(bad + n, "PK\3\4", 4); /* "PK" happens to be one */
    (void)snprintf(place, sizeof place, "no field of ONNX at byte %zu;", n + 2);
    refuses_bytes(bad, n + 4, place);
    refuses_bytes("This is a text.\n", 16, "damaged or cut short");
    refuses_bytes("\x3a\x00\x3a\x00", 4, "a second copy of a part that a model has once at byte 2");
    refuses_bytes("\x38\x00", 2, "a field of another type");
    for (size_t i = 1; i < n; i += 7) { /* whatever it is: a message, or a model */
        struct tw_bytes b = { (unsigned char *)bad, n };
        struct tw_err err = { 0 };
        struct tw_net *net = NULL;

        memcpy(bad, good, n);
        bad[i] = (char)(bad[i] ^ (1 << i % 8));
        if (onnx_read(&b, "x", &net, NULL, &err) != TW_OK)
            assert_true(err.msg[0] != '\0' && net == NULL);
        tw_net_free(net);
    }
    free(good);
    free(bad);
    /* Millions of empty nodes take 150 times their bytes. */
    n = 5 + 0xbffffa;
    good = malloc(n);
    assert_non_null(good);
    memcpy(good, "\x3a\xfa\xff\xff\x05", 5); /* the graph, of n - 5 bytes */
    for (size_t i = 5; i < n; i += 2)
        memcpy(good + i, "\x0a\x00", 2);
    refuses_bytes(good, n, "would take more than 64 MiB");
    free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(a_small_model_is_read),
        folder_test(attributes_are_kept_by_kind),
        folder_test(foreign_operators_keep_their_domain),
        folder_test(weights_beside_the_model_are_read),
        folder_test(wrong_models_are_refused_by_name),
        folder_test(damaged_files_are_refused_with_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
