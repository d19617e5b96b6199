/* SPDX-License-Identifier: GPL-3.0-or-later */
/* schedule/parse.h - a schedule's description as numbers. */
#ifndef TW_SCHEDULE_PARSE_H
#define TW_SCHEDULE_PARSE_H

#include "thalweg/schedule.h"

#define TW_SCHEDULE_MAX_RATE  1e6
#define TW_SCHEDULE_MAX_STEPS 1073741824.0 /* 2^30: 8 GiB of rates */

enum tw_shape { TW_SHAPE_EXP, TW_SHAPE_LINEAR, TW_SHAPE_COSINE, TW_SHAPE_SQRT };
enum tw_ramp { TW_RAMP_FULL, TW_RAMP_NEXT, TW_RAMP_ZERO };

struct tw_schedule_spec {
    double peak, end, peak2, end2;
    double total, warmup, period, restart, rewarm; /* whole numbers */
    double decay, stage;                           /* the same; NAN if not given */
    enum tw_shape shape;
    bool shape_given;
    enum tw_ramp ramp;
    unsigned base;
    double batch;
};

/* "key=value,..." for one kind; every key that it needs must be there. */
enum tw_status tw_schedule_parse_keys(const char *text, const struct tw_schedule_kind *kind,
                                      struct tw_schedule_spec *p, struct tw_err *err) TW_CHECKED;

/* Is `key` one of the space-separated words of `list`? */
bool tw_schedule_lists(const char *list, const char *key);

#endif
