/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/thalweg.h - every public header of the library. */
#ifndef TW_THALWEG_H
#define TW_THALWEG_H

#include "thalweg/base.h"
#include "thalweg/figure.h"
#include "thalweg/fit.h"
#include "thalweg/ghost.h"
#include "thalweg/ghost_batch.h"
#include "thalweg/graph.h"
#include "thalweg/graph_match.h"
#include "thalweg/landscape.h"
#include "thalweg/landscape_barrier.h"
#include "thalweg/landscape_line.h"
#include "thalweg/landscape_recalibrate.h"
#include "thalweg/landscape_split.h"
#include "thalweg/law.h"
#include "thalweg/law_compare.h"
#include "thalweg/law_families.h"
#include "thalweg/law_frontier.h"
#include "thalweg/law_own.h"
#include "thalweg/law_schedule.h"
#include "thalweg/law_sweep.h"
#include "thalweg/loss.h"
#include "thalweg/problem.h"
#include "thalweg/schedule.h"
#include "thalweg/store_data.h"
#include "thalweg/store_log.h"
#include "thalweg/store_net.h"
#include "thalweg/store_result.h"
#include "thalweg/store_surface.h"
#include "thalweg/store_table.h"
#include "thalweg/store_weights.h"
#include "thalweg/tensor.h"
#include "thalweg/tensor_build.h"
#include "thalweg/tensor_kernels.h"

#endif
