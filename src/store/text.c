/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "file.h"
#include "thalweg/store_data.h"

enum tw_status tw_store_text_read(const char *path, unsigned char **text, size_t *n,
                                  struct tw_err *err)
{
    struct tw_bytes b;
    const enum tw_status rc = tw_file_bytes(path, &b, err);

    *text = b.p;
    *n = b.n;
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}
