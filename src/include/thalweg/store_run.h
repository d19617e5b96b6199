/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_run.h - files of training runs: a result file (thalweg/store_result.h) of kind
 * "train".
 *
 *   /runs/NAME                         attributes: what the run is (model, data, optimizer, ...)
 *   /runs/NAME/log/SERIES              F64 [rows]: step, lr, loss, val_loss, ...
 *   /runs/NAME/log/status              U8 [rows]: 1 where the row is there
 *   /runs/NAME/log/evaluated           U8 [rows]: 1 where the series val_... were measured
 *   /runs/NAME/checkpoint_step         F64 [checkpoints]: updates made, increasing
 *   /runs/NAME/checkpoint_status       U8 [checkpoints]: 1 where the checkpoint is there
 *   /runs/NAME/checkpoints/STEP/TENSOR F32: parameters and buffers by name
 *   /runs/NAME/resume/state            F64 [2, n]: what is needed to go on, in two places by turns
 *   /runs/NAME/resume/step             F64 [2]: updates made then
 *   /runs/NAME/resume/status           U8 [2]: 1 where the place holds a state
 *
 * A step counts updates made: checkpoint 0 is the initial one. All is there from the start, full
 * of NaN, and is written in place: numbers first, then the status byte. So a kill at any instant
 * leaves every finished row and checkpoint, and one whole state. */
#ifndef TW_STORE_RUN_H
#define TW_STORE_RUN_H

#include "thalweg/store_result.h"
#include "thalweg/tensor.h"

/* ---- writing ----------------------------------------------------------------------------- */

struct tw_run_attr {
    const char *name, *text; /* text NULL: the number */
    int64_t number;
};
struct tw_run_series {
    const char *name, *unit, *meaning;
};
struct tw_run_tensor {
    const char *name;
    int rank;
    const size_t *dims;
    size_t n;
};
struct tw_run_plan {
    const char *name;
    size_t nattr, nseries, nrow, ncheckpoint, ntensor, nstate;
    const struct tw_run_attr *attr;
    const struct tw_run_series *series; /* the first is the step */
    const size_t *checkpoint;           /* ncheckpoint steps, increasing */
    const struct tw_run_tensor *tensor;
};

struct tw_run_file;
/* Create the file with room for all runs. What is read of it later must not be more than HDF5 is
 * asked to hold (100000 objects), and it is built in memory: TW_EINVAL beyond 80000 objects or 4
 * GiB, saying what to ask less of; also names that hold '/' or are empty. Else as
 * tw_result_create. The plans must outlive the file. NULL on failure. */
struct tw_run_file *tw_run_create(const char *path, bool force, const struct tw_provenance *prov,
                                  size_t n, const struct tw_run_plan *plan, struct tw_err *err);
/* Go on with a file that tw_run_create made with the same plans; slot[i]: where the newest state of
 * run i is (tw_run_state_read). */
struct tw_run_file *tw_run_reopen(const char *path, size_t n, const struct tw_run_plan *plan,
                                  const size_t *slot, struct tw_err *err);
/* x: nseries numbers. */
enum tw_status tw_run_write_row(struct tw_run_file *f, size_t run, size_t row, const double *x,
                                bool evaluated, struct tw_err *err) TW_CHECKED;
/* x: ntensor arrays. */
enum tw_status tw_run_write_checkpoint(struct tw_run_file *f, size_t run, size_t k,
                                       const float *const *x, struct tw_err *err) TW_CHECKED;
/* x: nstate numbers, after `step` updates. The state before stays until this one is whole. */
enum tw_status tw_run_write_state(struct tw_run_file *f, size_t run, size_t step, const double *x,
                                  struct tw_err *err) TW_CHECKED;
/* As tw_result_close and tw_result_abandon. */
enum tw_status tw_run_close(struct tw_run_file *f, struct tw_err *err) TW_CHECKED;
void tw_run_abandon(struct tw_run_file *f);

/* ---- reading ----------------------------------------------------------------------------- */

struct tw_run_info {
    char *name;
    size_t nattr, cap;
    struct tw_run_text {
        char *name, *text; /* numbers as texts */
    } * attr;
    size_t ncheckpoint; /* those that are there */
    size_t *checkpoint; /* their steps, increasing */
};
struct tw_run_list {
    size_t n, cap;
    struct tw_run_info *run; /* in the order of the file */
};
/* True if the file is one of training runs: HDF5 with a group /runs that has checkpoints. */
bool tw_is_run_file(const char *path);
/* TW_EIO, TW_ENOMEM, TW_EFORMAT. Release the list in any case. */
enum tw_status tw_run_list_read(const char *path, struct tw_run_list *list,
                                struct tw_err *err) TW_CHECKED;
void tw_run_list_release(struct tw_run_list *list);
const struct tw_run_info *tw_run_find(const struct tw_run_list *list, const char *name);
const char *tw_run_attr(const struct tw_run_info *run, const char *name); /* or NULL */

/* The tensors of one checkpoint; a checkpoint that is not there is TW_EFORMAT. */
enum tw_status tw_run_weights_read(const char *path, const char *run, size_t step,
                                   struct tw_named_list *out, struct tw_err *err) TW_CHECKED;
struct tw_run_state {
    size_t n, step, slot; /* numbers; updates made; which of the two places */
    double *x;            /* the caller frees it; NULL: there is no state */
};
/* The newest whole state. */
enum tw_status tw_run_state_read(const char *path, const char *run, struct tw_run_state *state,
                                 struct tw_err *err) TW_CHECKED;

#endif
