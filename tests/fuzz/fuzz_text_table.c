/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a small table: read or refused with one sentence; cells are whole strings. */
#include <stdlib.h>
#include <string.h>

#include "thalweg/store_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tw_text_table t = { 0 };
    struct tw_err err = { 0 };
    char *text = malloc(n ? n : 1); /* of exactly this size, so that a read past it is seen */
    size_t length = 0;

    if (!text)
        return 0;
    if (n)
        memcpy(text, data, n);
    if (tw_text_table_parse(text, n, "fuzz", &t, &err) == TW_OK) {
        for (size_t i = 0; i < t.nrow * t.ncol; i++)
            length += strlen(t.cells[i]);
        for (size_t i = 1; i < t.nrow; i++)
            if (t.line[i] <= t.line[i - 1])
                abort();
        if (length > n || t.ncol == 0 || tw_text_table_column(&t, t.names[0]) != 0)
            abort();
    } else if (err.code == TW_OK || !err.msg[0]) {
        abort();
    }
    tw_text_table_release(&t);
    free(text);
    return 0;
}
