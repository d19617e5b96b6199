/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/comparefile.h - a comparison of laws in a result file of kind "compare", and its figure. */
#ifndef TW_CLI_COMPAREFILE_H
#define TW_CLI_COMPAREFILE_H

#include "thalweg/figure.h"
#include "thalweg/law_compare.h"
#include "thalweg/store_result.h"

enum tw_status tw_compare_write(const struct tw_compare *cmp, struct tw_result *r,
                                struct tw_err *err) TW_CHECKED;

/* The mean relative error of every law on everything that was held out, from such a file. */
enum tw_status tw_compare_figure(const char *file, const char *path, const struct tw_figure_opts *o,
                                 struct tw_err *err) TW_CHECKED;

#endif
