/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as an archive of NumPy arrays: read or refused with one sentence, and never more
 * memory than the archive justifies. */
#include <stdlib.h>
#include <string.h>

#include "store/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tw_bytes b = { malloc(n ? n : 1), n };
    struct tw_named_list list = { 0 };
    struct tw_err err = { 0 };
    size_t bytes = 0;
    enum tw_status rc;

    if (!b.p)
        return 0;
    if (n)
        memcpy(b.p, data, n);
    rc = npz_read(NULL, &b, NULL, NULL, &list, &err);
    if (rc != TW_OK && (err.code != rc || !err.msg[0] || list.n))
        abort();
    for (size_t i = 0; i < list.n; i++)
        bytes += list.item[i].array.n * tw_dtype_size(list.item[i].array.dtype);
    if (bytes > ((size_t)256 << 20) + 64 * n)
        abort();
    tw_named_release(&list);
    free(b.p);
    return 0;
}
