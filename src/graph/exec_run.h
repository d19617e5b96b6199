/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/exec_run.h - one call of tw_exec_run: what it shares between tiles and batches. */
#ifndef TW_GRAPH_EXEC_RUN_H
#define TW_GRAPH_EXEC_RUN_H

#include "exec.h"

struct tw_job {
    struct tw_exec *e;
    const struct tw_exec_run *run;
    struct tw_alg alg;
    bool plain;           /* values alone: nothing follows */
    bool reuse;           /* from products kept for anchors */
    size_t lanes, tile;   /* of this run: lanes, samples in a tile */
    size_t batch;         /* samples in a batch */
    size_t ntile, nchunk; /* of the run, or of a whole batch where samples mix */
    bool *needed;         /* for the way back, by instruction */
    size_t *zero_at;      /* by value: the instruction, counted from 1, before whose turn its
                             cotangent is zeroed */
    bool dense;           /* weights of full connections are left to the end */
    size_t per;           /* reals in a chunk: of all planes of uniform values, but for those */
    double *sums;         /* nchunk * per; NULL: no way back */
    double scale;         /* of the gradient, known at the end */
};

/* Samples `first` to `first + count` in one slot, their sums over samples in one chunk. team: 2 or
 * more: so many threads compute it together, from number `lead` on, this one is the `me`th. */
struct tw_tile {
    size_t first, count, chunk, lead, me, team;
    struct tw_slot *slot;
};

/* Lanes, tiles, batches, chunks of j->run. */
void tw_choose_tiles(struct tw_job *j);
/* Tile i of the samples first .. first + count - 1, without a slot. */
struct tw_tile tw_tile_of(const struct tw_job *j, size_t first, size_t count, size_t i);
/* Where the values of a slot lie in this run. */
void tw_slot_point(const struct tw_job *j, struct tw_slot *s);
/* What operators see of a tile. */
struct tw_run tw_tile_run(const struct tw_job *j, const struct tw_worker *w,
                          const struct tw_tile *t);
void tw_tile_load(const struct tw_job *j, struct tw_worker *w, const struct tw_run *r,
                  const struct tw_tile *t);
void tw_tile_store(const struct tw_job *j, struct tw_worker *w, const struct tw_run *r,
                   const struct tw_tile *t);
/* Instruction i from the products kept for the anchors. */
void tw_tile_combine(const struct tw_job *j, const struct tw_run *r, size_t i);
/* Instructions `from` to `to` - 1. */
void tw_tile_forward(const struct tw_job *j, const struct tw_run *r, size_t from, size_t to);
/* The cotangents of the outputs, and places for the sums. */
void tw_tile_seed(const struct tw_job *j, struct tw_worker *w, const struct tw_run *r,
                  const struct tw_tile *t);
/* Instructions `to` - 1 down to `from`. */
void tw_tile_backward(const struct tw_job *j, const struct tw_run *r, size_t from, size_t to);
/* Before the way back through instruction i: the cotangents that it is the first to add to become
 * zero. */
void tw_tile_ready(const struct tw_job *j, const struct tw_run *r, size_t i);

/* Before the tiles: j->sums, needed, zero_at, if anything flows back; else a gradient of zeros. */
enum tw_status tw_back_begin(struct tw_job *j, struct tw_err *err) TW_CHECKED;
/* The bytes that it would take beside those that are held. */
double tw_back_more(const struct tw_job *j);
/* The sums of a chunk become zero: part `me` of `team`. */
void tw_back_zero(const struct tw_job *j, size_t chunk, size_t me, size_t team);
/* After them: through the uniform part to the results. */
void tw_back_end(const struct tw_job *j);
size_t tw_choose_chunks(const struct tw_job *j);

/* Weights of full connections (exec_dense.c): whether to leave them to the end, whether the tiles
 * of j then fit into memory, and the end. */
bool tw_dense_pays(const struct tw_job *j);
bool tw_dense_fits(const struct tw_job *j);
void tw_dense_gradient(const struct tw_job *j);

/* Batch after batch, the tiles of one in step (exec_batch.c). */
enum tw_status tw_run_batches(struct tw_job *j, struct tw_err *err) TW_CHECKED;

#endif
