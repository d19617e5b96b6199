/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/compare_ends.h - a law of runs on the end points of curves. */
#ifndef TW_LAW_COMPARE_ENDS_H
#define TW_LAW_COMPARE_ENDS_H

#include "holdout.h"

/* out->law stays NULL if a curve's size or tokens are not known, or no fit was found. */
enum tw_status tw_compare_end_points(const struct tw_holdout *s, const struct tw_law_curve *curves,
                                     size_t n, const struct tw_law_fit_opts *fit,
                                     struct tw_compare_ends *out, struct tw_err *err) TW_CHECKED;

#endif
