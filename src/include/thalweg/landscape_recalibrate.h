/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/landscape_recalibrate.h - a problem whose running statistics are measured anew at every
 * point, as averages of networks with batch normalisation need it (Izmailov et al. 2018,
 * arXiv:1803.05407, section 3.2; Jordan et al. 2022, arXiv:2211.08403, section 3). */
#ifndef TW_LANDSCAPE_RECALIBRATE_H
#define TW_LANDSCAPE_RECALIBRATE_H

#include "thalweg/problem.h"

/*
 * `evaluated` with the statistics that `training`, the same network on the same samples compiled
 * with batch_statistics, finds at a point, over all samples in batches of a thousand, as PyTorch's
 * momentum=None does. Gradients and slopes are by the parameters at fixed statistics. Both belong
 * to the result and are freed with it; on failure (NULL) they stay the caller's. TW_EINVAL: they
 * have other parameters; TW_ENOMEM.
 */
struct tw_problem *tw_problem_recalibrated(struct tw_problem *evaluated,
                                           struct tw_problem *training, struct tw_err *err);

#endif
