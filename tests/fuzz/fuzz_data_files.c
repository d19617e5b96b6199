/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data sets in files that name no arrays: the first byte says what the file is called. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "thalweg/store_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "x.csv",  "x.tsv",    "x.bin",        "x.txt",
                                         "x-idx3", "text:x.y", "tokens:x.bin", "x.gz" };
    static const char *const labels[] = { NULL, "y", "label" };
    static char folder[] = "/dev/shm/tw-fuzz-XXXXXX";
    static bool made;
    const char *name, *plain;
    char path[100], full[120];
    struct tw_data_options o = { 0 };
    struct tw_data_report report = { 0 };
    struct tw_dataset d = { 0 };
    struct tw_str remarks = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc;
    FILE *fp;

    if (!made && !mkdtemp(folder))
        abort();
    made = true;
    if (size < 2)
        return 0;
    name = names[data[0] % 8];
    o.label = labels[data[1] % 3];
    o.classes = data[1] & 64;
    plain = data[0] % 8 == 5 ? name + 5 : data[0] % 8 == 6 ? name + 7 : name;
    (void)snprintf(path, sizeof path, "%s/%s", folder, plain);
    fp = fopen(path, "wb");
    if (!fp || fwrite(data + 2, 1, size - 2, fp) != size - 2 || fclose(fp) != 0)
        abort();
    (void)snprintf(full, sizeof full, "%.*s%s", (int)(plain - name), name, path);
    rc = tw_store_data_read(full, NULL, &o, &d, &report, &remarks, &err);
    if (rc != TW_OK && (err.code != rc || !err.msg[0] || d.x.data))
        abort();
    if (rc == TW_OK && (d.x.rank < 1 || (d.y.dtype != TW_NONE && d.y.dims[0] != d.x.dims[0])))
        abort();
    tw_dataset_release(&d);
    tw_str_release(&remarks);
    free(report.files);
    (void)unlink(path);
    return 0;
}
