/* SPDX-License-Identifier: GPL-3.0-or-later */
/* landscape/line.h - private: the curve between the points of a line. */
#ifndef TW_LANDSCAPE_LINE_PRIVATE_H
#define TW_LANDSCAPE_LINE_PRIVATE_H

#include "thalweg/landscape_line.h"

/* k counts points by rising t. */
double line_t(const struct tw_line *l, size_t k);
double line_value(const struct tw_line *l, enum tw_line_curve which, size_t k);
/* Error estimate of the piece between points k and k + 1; infinite where there is none because
 * its neighbours are too few, NAN in a gap. */
double line_piece_error(const struct tw_line *l, enum tw_line_curve which, size_t k);

#endif
