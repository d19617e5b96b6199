/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Models of others: what the export script makes of PyTorch's networks, and ONNX's own tests. */
#include "folder.h"
#include "nets.h"
#include "thalweg/store_net.h"

/* A file of make.py: in that folder or, if it is NULL, the ones that come with the source. */
static const char *from(const char *place, const char *name)
{
    static char path[500];

    if (!place)
        return sample(name);
    (void)snprintf(path, sizeof path, "%s/%s", place, name);
    return path;
}

/* ---- what PyTorch exports ------------------------------------------------------------------ */

static const char *find_alias(const struct tw_net *net, const char *name)
{
    for (size_t i = 0; i < net->nnode; i++)
        if (!strcmp(net->node[i].op, "Identity") &&
            !strcmp(net->value[net->node[i].out[0]].name, name))
            return net->value[net->node[i].in[0]].name;
    return name;
}

/* Every line of names.txt about this network names a parameter of the model, in its shape. */
static void check_names(const char *place, const char *model, const struct tw_net *net,
                        const char *without)
{
    FILE *fp = fopen(from(place, "names.txt"), "r");
    char line[200];
    size_t n = 0;

    assert_non_null(fp);
    while (fgets(line, sizeof line, fp)) {
        char *word = strtok(line, " \n"), *name = strtok(NULL, " \n");
        const struct tw_value *v;
        int rank = 0, i;

        if (strcmp(word, model) != 0 || strstr(name, "num_batches_tracked") ||
            (without && !strcmp(name, without)))
            continue;
        i = tw_net_find(net, find_alias(net, name));
        if (i < 0)
            fail_msg("%s is not in the model", name);
        v = &net->value[i];
        assert_true(v->is_init);
        for (word = strtok(NULL, " \n"); word; word = strtok(NULL, " \n"), rank++)
            assert_int_equal(v->init.dims[rank], atoi(word));
        assert_int_equal(v->init.rank, rank);
        n++;
    }
    (void)fclose(fp);
    assert_true(n >= 4);
}

static struct tw_net *read_net(const char *place, const char *name, struct tw_str *remarks)
{
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;

    if (tw_store_net_read(from(place, name), &net, remarks, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return net;
}

/* What make.py writes: by the export script, and by torch's default. */
static void check_exports(const char *place)
{
    struct tw_str remarks = { 0 };
    struct tw_net *net = read_net(place, "mlp.onnx", &remarks);

    check_names(place, "mlp", net, NULL);
    assert_int_equal(net->opset, 17);
    assert_true(!strncmp(net->producer, "pytorch 1.1", 11));
    assert_int_equal(net->ninput, 1);
    assert_string_equal(net->value[net->input[0]].name, "x");
    assert_int_equal(net->value[net->input[0]].dtype, TW_F32);
    assert_int_equal(net->value[net->input[0]].rank, 2);
    assert_true(net->value[net->input[0]].dims[0] == TW_DIM_UNKNOWN);
    assert_true(net->value[net->input[0]].dims[1] == 6);
    assert_int_equal(net->noutput, 1);
    assert_string_equal(net->value[net->output[0]].name, "out");
    assert_int_equal(net->nnode, 3);
    assert_string_equal(net->node[0].op, "Gemm");
    assert_true(tw_node_int(&net->node[0], "transB", 0) == 1);
    assert_true(tw_node_real(&net->node[0], "alpha", 0) == 1.0);
    tw_net_free(net);

    net = read_net(place, "cnn.onnx", &remarks);
    check_names(place, "cnn", net, NULL);
    tw_net_free(net);
    net = read_net(place, "cnn-fresh.onnx", &remarks); /* equal tensors: Identity */
    check_names(place, "cnn", net, NULL);
    assert_string_equal(find_alias(net, "bn2.running_var"), "bn1.weight");
    tw_net_free(net);
    net = read_net(place, "gpt.onnx", &remarks); /* the head is the embedding: one parameter */
    check_names(place, "gpt", net, "lm_head.weight");
    assert_int_equal(tw_net_find(net, "lm_head.weight"), -1);
    tw_net_free(net);
    assert_int_equal(remarks.n, 0);
    tw_str_release(&remarks);
}

static void check_folded_export(const char *place)
{
    struct tw_str remarks = { 0 };
    struct tw_net *net = read_net(place, "cnn-folded.onnx", &remarks);

    assert_int_equal(net->opset, 13);
    assert_non_null(strstr(remarks.s, "4 parameters were changed and renamed"));
    assert_non_null(strstr(remarks.s, "('onnx::Conv_"));
    assert_non_null(strstr(remarks.s, "do_constant_folding=False"));
    assert_ptr_equal(strchr(remarks.s, '\n'), remarks.s + remarks.n - 1);
    tw_net_free(net);
    tw_str_release(&remarks);
}

static void the_export_script_keeps_names_and_shapes(void **state)
{
    (void)state;
    check_exports(NULL);
}

static void a_folded_export_is_remarked(void **state)
{
    (void)state;
    check_folded_export(NULL);
}

/* The same with the PyTorch that is installed. */
static void the_export_script_works_with_this_pytorch(void **state)
{
    static const char python[] =
        "PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1; export PYTHONDONTWRITEBYTECODE "
        "OMP_NUM_THREADS; p=$(command -v /usr/bin/python3 || command -v python3) && \"$p\" ";
    char command[1200];

    (void)state;
    (void)snprintf(command, sizeof command, "%s -c 'import torch, h5py' 2>/dev/null", python);
    if (system(command) != 0) {
        print_message("# no python3 with torch and h5py\n");
        skip();
    }
    (void)snprintf(command, sizeof command, "%s '%s' '%s' >/dev/null", python, sample("make.py"),
                   folder);
    assert_int_equal(system(command), 0);
    check_exports(folder);
    check_folded_export(folder);
}

/* ---- ONNX's own examples --------------------------------------------------------------------- */

static void count_files(const char *place, const char *end, int depth, size_t *good, size_t *bad)
{
    DIR *d = opendir(place);
    const bool net_wanted = !strcmp(end, ".onnx");
    struct dirent *e;
    char path[600];

    while (d && (e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name), m = strlen(end);
        struct tw_err err = { 0 };
        struct tw_net *net = NULL;
        struct tw_array a = { 0 };
        enum tw_status rc;

        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", place, e->d_name);
        if (depth < 3)
            count_files(path, end, depth + 1, good, bad);
        if (n < m || strcmp(e->d_name + n - m, end) != 0)
            continue;
        rc = net_wanted ? tw_store_net_read(path, &net, NULL, &err)
                        : tw_store_array_read(path, &a, &err);
        if (rc != TW_OK && net_wanted && !strstr(err.msg, "its type is") &&
            !strstr(err.msg, "is sparse"))
            fail_msg("%s", err.msg);
        *(rc == TW_OK ? good : bad) += 1;
        tw_net_free(net);
        tw_array_release(&a);
    }
    if (d)
        (void)closedir(d);
}

static void onnx_own_examples_are_read(void **state)
{
    static const char data[] = "/usr/share/libonnx-testdata/data";
    size_t good = 0, bad = 0;

    (void)state;
    if (access(data, R_OK) != 0)
        skip();
    count_files(data, ".onnx", 0, &good, &bad);
    print_message("# models: %zu read, %zu not\n", good, bad);
    assert_true(good >= 1000 && bad < 72);
    good = bad = 0;
    count_files(data, ".pb", 0, &good, &bad);
    print_message("# tensors: %zu read, %zu not\n", good, bad);
    assert_true(good >= 2500 && bad < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_export_script_keeps_names_and_shapes),
        cmocka_unit_test(a_folded_export_is_remarked),
        folder_test(the_export_script_works_with_this_pytorch),
        cmocka_unit_test(onnx_own_examples_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
