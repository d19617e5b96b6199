/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/final.h - the loss at a schedule's last step as a function of its rates, law by law. */
#ifndef TW_LAW_FINAL_H
#define TW_LAW_FINAL_H

#include "thalweg/law.h"

/* theta as in the law's row. */
tw_law_final_fn tw_law_annealing_final;

/* The multi-power law; theta holds L0, A, alpha, B, C, beta, gamma. */
tw_law_final_fn tw_law_mpl_final;

#endif
