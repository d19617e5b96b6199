/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The k-th allocation fails, for every k until none does: reading networks, checkpoints and data
 * ends with a status and a sentence, without a crash and, under the sanitizers, without a leak. */
#include "failing.h"
#include "folder.h"
#include "nets.h"
#include "thalweg/graph_match.h"
#include "thalweg/store_data.h"
#include "thalweg/store_net.h"
#include "thalweg/store_weights.h"

/* Do it with every allocation failing once. */
static void every(enum tw_status (*act)(const char *path, struct tw_err *err), const char *path)
{
    size_t k = 0;

    do {
        struct tw_err err = { 0 };
        enum tw_status rc;

        left = k++;
        hit = false;
        armed = true;
        rc = act(path, &err);
        armed = false;
        if (!hit && rc != TW_OK)
            fail_msg("%s", err.msg);
        if ((rc == TW_OK) != (err.msg[0] == '\0'))
            fail_msg("allocation %zu: status %d, message '%s'", k - 1, (int)rc, err.msg);
    } while (hit);
    assert_true(k > 5);
}

static enum tw_status read_net(const char *path, struct tw_err *err)
{
    struct tw_str remarks = { 0 };
    struct tw_net *net = NULL;
    enum tw_status rc = tw_store_net_read(path, &net, &remarks, err);

    tw_net_free(net);
    tw_str_release(&remarks);
    return rc;
}

static enum tw_status read_weights(const char *path, struct tw_err *err)
{
    struct tw_named_list list = { 0 };
    struct tw_str remarks = { 0 };
    enum tw_status rc = tw_store_weights_read(path, NULL, &list, &remarks, err);

    tw_named_release(&list);
    tw_str_release(&remarks);
    return rc;
}

static enum tw_status write_weights(const char *path, struct tw_err *err)
{
    const struct tw_weights_write o = { .reals = TW_BF16, .force = true };
    struct tw_weights_file *f = tw_weights_open(path, NULL, NULL, err);
    enum tw_status rc = f ? tw_weights_write(f, in_folder("o"), &o, err) : err->code;

    tw_weights_close(f);
    armed = false;
    assert_true(files_in_folder(0) == (rc == TW_OK)); /* whole, or nothing */
    (void)files_in_folder(1);
    return rc;
}

static enum tw_status read_data(const char *path, struct tw_err *err)
{
    const struct tw_data_options o = {
        .x = "fc1.weight", .y = "fc1.bias", .limit = 2, .random = true, .scale = 0.5
    };
    struct tw_str remarks = { 0 };
    struct tw_dataset d = { 0 };
    enum tw_status rc = tw_store_data_read(path, NULL, &o, &d, NULL, &remarks, err);

    tw_dataset_release(&d);
    tw_str_release(&remarks);
    return rc;
}

/* Two parameters from the checkpoint, one by a name that differs; path NULL: the end. */
static enum tw_status match(const char *path, struct tw_err *err)
{
    static struct tw_named_list list;
    char one[] = "module.fc1.weight", two[] = "fc1.bias";
    struct tw_param p[2] = { { .name = one, .rank = 2, .dims = { 5, 6 }, .n = 30 },
                             { .name = two, .rank = 1, .dims = { 5 }, .n = 5, .offset = 30 } };
    struct tw_layout l = { .nparam = 2, .param = p, .n = 35 };
    struct tw_match report = { 0 };
    struct tw_str remarks = { 0 };
    float params[35];
    enum tw_status rc;

    if (!path) {
        tw_named_release(&list);
        return TW_OK;
    }
    if (list.n == 0) { /* once, with all the memory there is */
        armed = false;
        assert_int_equal(tw_store_weights_read(path, NULL, &list, NULL, err), TW_OK);
        armed = true;
    }
    rc = tw_match_weights(&l, NULL, &list, params, NULL, &report, err);
    if (rc == TW_OK)
        tw_match_remarks(&report, &remarks);
    tw_str_release(&remarks);
    tw_match_release(&report);
    return rc;
}

static void networks(void **state)
{
    (void)state;
    every(read_net, sample("cnn-fresh.onnx"));
    every(read_net, sample("cnn-folded.onnx"));
}

static void checkpoints(void **state)
{
    (void)state;
    every(read_weights, sample("mlp.npz"));
    every(read_weights, sample("cnn-fresh.onnx"));
}

static void checkpoints_of_others(void **state)
{
    (void)state;
    every(read_weights, sample("../checkpoints/nested.pt"));
    every(read_weights, sample("../checkpoints/module-old.pt"));
    every(read_weights, sample("../checkpoints/net.safetensors"));
    every(read_weights, sample("../checkpoints/net.safetensors.index.json"));
    every(read_weights, sample("../checkpoints/net.gguf"));
    every(read_weights, sample("../checkpoints/net.msgpack"));
    every(write_weights, sample("../checkpoints/types.safetensors"));
}

static void data_sets(void **state)
{
    (void)state;
    every(read_data, sample("mlp.npz"));
}

static void matches(void **state)
{
    (void)state;
    every(match, sample("mlp.npz"));
    (void)match(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),         cmocka_unit_test(checkpoints),
        folder_test(checkpoints_of_others), cmocka_unit_test(data_sets),
        cmocka_unit_test(matches),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
