/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a process that reads HDF5 may send after a damaged file has taken it over. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/h5_items.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct tw_h5_items items = { 0 };
    struct tw_err err = { 0 };
    int fd = memfd_create("items", 0);

    if (fd < 0 || write(fd, data, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    if (tw_h5_items_receive(fd, n, &items, &err) == TW_OK)
        for (size_t i = 0; i < items.n; i++) {
            const struct tw_h5_item *it = &items.v[i];
            const char *p = it->data;

            if (it->values == TW_H5_TEXTS)
                for (uint64_t k = 0; k < it->n; k++)
                    p += strlen(p) + 1;
            if (p > (const char *)it->data + it->bytes || strlen(it->path) > n)
                abort();
        }
    tw_h5_items_release(&items);
    (void)close(fd);
    return 0;
}
