/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/h5_source.h - a data set or an attribute of any HDF5 file: what it is and its values. For
 * the process that may crash (h5_items.h). */
#ifndef TW_STORE_H5_SOURCE_H
#define TW_STORE_H5_SOURCE_H

#include "h5.h"
#include "h5_items.h"

/* A data set or an attribute being described. */
struct tw_h5_source {
    hid_t object, type, space;
    const struct tw_h5_request *q;
    bool attribute;
    hsize_t dims[H5S_MAX_RANK];
    struct tw_h5_head head;
    const char *why; /* nothing is read of it */
    struct tw_str text;
    void *data;
    char buf[TW_H5_WHY];
};

/* Looks at an object; values are read only if `why` stays NULL. Release it in any case. */
void tw_h5_source_open(struct tw_h5_source *s, hid_t object, bool attribute,
                       const struct tw_h5_request *q);
/* Reads the values that the request wants of what lies at `path`, into `text` or `data`; `all`:
 * data sets of any length. What is damaged goes to `why`; -1 with TW_ENOMEM ends the walk. */
herr_t tw_h5_source_read(struct tw_h5_source *s, const char *path, bool all, struct tw_err *err);
void tw_h5_source_release(struct tw_h5_source *s);

#endif
