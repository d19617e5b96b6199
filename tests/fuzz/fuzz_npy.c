/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a NumPy array: read or refused with one sentence. */
#include <stdlib.h>
#include <string.h>

#include "store/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tw_bytes b = { malloc(n ? n : 1), n };
    struct tw_err err = { 0 };
    struct tw_array a = { 0 };
    enum tw_status rc;

    if (!b.p)
        return 0;
    if (n)
        memcpy(b.p, data, n);
    rc = npy_read_mem(&b, &a, &err);
    if (rc != TW_OK && (err.code != rc || !err.msg[0] || a.data))
        abort();
    if (rc == TW_OK && (a.n * tw_dtype_size(a.dtype) > n || a.rank > TW_MAX_RANK))
        abort();
    for (size_t i = 0; i < a.n; i++)
        (void)tw_array_real(&a, i);
    tw_array_release(&a);
    free(b.p);
    return 0;
}
