/* SPDX-License-Identifier: GPL-3.0-or-later */
/* datasets.h - data sets as the reader gives them, or its refusal. */
#ifndef TESTS_DATASETS_H
#define TESTS_DATASETS_H

#include <stdlib.h>

#include "folder.h"
#include "thalweg/store_data.h"

struct result {
    struct tw_dataset d;
    struct tw_data_report report;
    struct tw_str remarks;
};

static inline struct result reads(const char *path, const char *labels,
                                  const struct tw_data_options *o)
{
    struct result r = { 0 };
    struct tw_err err = { 0 };

    if (tw_store_data_read(path, labels, o, &r.d, &r.report, &r.remarks, &err) != TW_OK)
        fail_msg("%s", err.msg);
    tw_str_add(&r.remarks, "");
    return r;
}

static inline void done(struct result *r)
{
    tw_dataset_release(&r->d);
    tw_str_release(&r->remarks);
    free(r->report.files);
}

static inline void fails(const char *path, const char *labels, const struct tw_data_options *o,
                         const char *part)
{
    struct tw_err err = { 0 };
    struct tw_dataset d;

    if (tw_store_data_read(path, labels, o, &d, NULL, NULL, &err) == TW_OK)
        fail_msg("%s was read, without: %s", path, part);
    assert_true(d.x.data == NULL && d.y.data == NULL && d.name == NULL);
    check_message(&err, part);
}

#endif
