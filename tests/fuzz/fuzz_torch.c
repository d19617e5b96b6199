/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PyTorch's checkpoints. Behind 'Z' come the bytes of data.pkl, which is put into a well-formed
 * archive with two storages, '0' and '1'; anything else is a file as it stands. */
#include "fuzz_checkpoint.h"
#include "torch_zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_str s = { 0 };

    if (size == 0 || data[0] != 'Z') {
        fuzz_checkpoint(data, size);
        return 0;
    }
    torch_zip(&s, data + 1, size - 1);
    if (!s.failed)
        fuzz_checkpoint((const uint8_t *)s.s, s.n);
    tw_str_release(&s);
    return 0;
}
