/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/h5_arrays.h - data sets of HDF5 files (read with TW_H5_ARRAYS) as arrays. */
#ifndef TW_STORE_H5_ARRAYS_H
#define TW_STORE_H5_ARRAYS_H

#include "h5_items.h"
#include "thalweg/tensor.h"

/* TW_EFORMAT, with the path, if it holds no numbers or they were not read. */
enum tw_status tw_h5_array(const struct tw_h5_item *it, struct tw_array *a,
                           struct tw_err *err) TW_CHECKED;
/* All of them by path, '/' becoming '.'; what is left out goes to remarks. The items' own
 * memory is freed on the way. */
enum tw_status tw_h5_arrays(struct tw_h5_items *items, struct tw_named_list *list,
                            struct tw_str *remarks, struct tw_err *err) TW_CHECKED;

#endif
