/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/log_wandb.h - Weights & Biases exports, told by their header. */
#ifndef TW_STORE_LOG_WANDB_H
#define TW_STORE_LOG_WANDB_H

#include <stdbool.h>
#include <stddef.h>

/* All columns but the first are "<run> - <metric>", and one at least is an extreme. */
bool log_wandb_header(char *const *names, size_t n);
/* "... __MIN" or "... __MAX": the extremes of a plotted interval, no series of their own. */
bool log_wandb_extreme(const char *name);

#endif
