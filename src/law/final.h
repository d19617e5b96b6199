/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/final.h - the loss at a schedule's last step as a function of its rates, for laws whose
 * row has no place for it yet. */
#ifndef TW_LAW_FINAL_H
#define TW_LAW_FINAL_H

#include "thalweg/law.h"

/* The multi-power law; theta holds L0, A, alpha, B, C, beta, gamma. A tw_law_final_fn. */
tw_law_final_fn tw_law_mpl_final;

#endif
