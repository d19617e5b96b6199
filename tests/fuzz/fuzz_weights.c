/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints in well-formed HDF5 files of any content, and what they match. */
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz_h5.h"
#include "store/h5_items.h"
#include "thalweg/graph_match.h"
#include "thalweg/store_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const where[] = { "/", "/module.", "/state_dict/", "/ema/model.", "/fc1/" };
static const char *const what[] = { "fc1.weight", "fc1/bias",         "weight",
                                    "bias",       "bn.running_var/0", "num_batches_tracked" };

static void match(const struct tw_named_list *list)
{
    char names[4][16] = { "fc1.weight", "fc1.bias", "model.weight", "bias" };
    struct tw_param p[4];
    struct tw_layout l = { .nparam = 3, .nbuffer = 1, .param = p, .n = 9, .nb = 3 };
    float params[9], buffers[3];
    struct tw_match report = { 0 };
    struct tw_str remarks = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc;

    for (size_t i = 0; i < 4; i++)
        p[i] = (struct tw_param){
            .name = names[i], .rank = 1, .dims = { 3 }, .n = 3, .offset = i < 3 ? 3 * i : 0
        };
    rc = tw_match_weights(&l, NULL, list, params, buffers, &report, &err);
    if (rc != TW_OK && (err.code != rc || !err.msg[0]))
        abort();
    tw_match_remarks(&report, &remarks);
    tw_str_release(&remarks);
    tw_match_release(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[] = "/dev/shm/tw-fuzz-XXXXXX";
    static int fd = -1;
    struct bytes b = { data, data + size };
    struct tw_named_list list = { 0 };
    struct tw_str remarks = { 0 };
    struct tw_err err = { 0 };
    const char *key;
    enum tw_status rc;
    hid_t file;

    tw_library_init();
    tw_h5_in_process = true;
    if (fd < 0 && (fd = mkstemp(path)) < 0)
        abort();
    key = take(&b, 4) ? NULL : "state_dict";
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < 12 && b.p < b.end; i++)
        put_object(file, &b, where, what);
    (void)H5Fclose(file);
    rc = tw_store_weights_read(path, key, &list, &remarks, &err);
    if (rc != TW_OK && (err.code != rc || !err.msg[0] || list.n))
        abort();
    if (rc == TW_OK)
        match(&list);
    tw_named_release(&list);
    tw_str_release(&remarks);
    return 0;
}
