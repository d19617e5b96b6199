/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as an ONNX model and as a tensor: read or refused with one sentence. */
#include <stdlib.h>
#include <string.h>

#include "store/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void said(enum tw_status rc, const struct tw_err *err)
{
    if (rc != TW_OK && (err->code != rc || !err->msg[0]))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tw_bytes b = { malloc(n ? n : 1), n }; /* of this size, so that a read past it is seen */
    struct tw_str remarks = { 0 };
    struct tw_err err = { 0 };
    struct tw_array a = { 0 };
    struct tw_net *net = NULL;
    enum tw_status rc;

    if (!b.p)
        return 0;
    if (n)
        memcpy(b.p, data, n);
    rc = onnx_read(&b, "fuzz", &net, &remarks, &err);
    said(rc, &err);
    if (rc == TW_OK)
        for (size_t i = 0; i < net->nnode; i++)
            for (size_t k = 0; k < net->node[i].nin; k++)
                if (net->node[i].in[k] >= (int)net->nvalue)
                    abort();
    tw_net_free(net);
    tw_str_release(&remarks);
    err = (struct tw_err){ 0 };
    rc = onnx_array_read(&b, &a, &err);
    said(rc, &err);
    for (size_t i = 0; rc == TW_OK && i < a.n; i += a.n / 8 + 1)
        (void)tw_array_real(&a, i);
    tw_array_release(&a);
    free(b.p);
    return 0;
}
