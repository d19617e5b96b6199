/* SPDX-License-Identifier: GPL-3.0-or-later */
/* problem/anchors.h - private: points as weighted sums of fixed vectors. */
#ifndef TW_PROBLEM_ANCHORS_H
#define TW_PROBLEM_ANCHORS_H

#include "thalweg/problem.h"

void tw_anchors_free(struct tw_anchors *a); /* NULL is fine */
/* How many, and which setting of them this is. */
size_t tw_anchors_count(const struct tw_anchors *a, uint64_t *number);
struct tw_vector tw_anchors_at(const struct tw_anchors *a, size_t k);
/* Write the point that r->weights mean and set r->at and r->buffers; p->anchors are set. */
void tw_anchors_place(const struct tw_problem *p, struct tw_request *r);
/* The point itself into f or d, the other NULL; its buffers, NULL if they are as stored, are good
 * until the next call. */
const float *tw_anchors_mix(const struct tw_problem *p, const double *weights, float *f, double *d);

#endif
