/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_log.h - what every target does with its bytes: read, describe, choose curves. */
#ifndef TESTS_FUZZ_LOG_H
#define TESTS_FUZZ_LOG_H

#include <math.h>
#include <stdint.h>

#include "thalweg/store_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_log(const void *data, size_t size, const char *regex)
{
    const struct tw_log_opts opts = { .regex = regex };
    const struct tw_curve_opts choice = { .from = (double)NAN, .to = (double)NAN, .smooth = 3.0 };
    struct tw_curves curves = { 0 };
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };

    if (tw_log_read_mem(data, size, "fuzz", &opts, &log, &err) == TW_OK) {
        for (size_t r = 0; r < log.nruns; r++)
            for (size_t i = 0; i < log.runs[r].nseries; i++)
                (void)tw_log_series_range(&log.runs[r].series[i]);
        (void)tw_curves_add(&curves, &log, &choice, &err);
    }
    tw_curves_release(&curves);
    tw_log_release(&log);
}

#endif
