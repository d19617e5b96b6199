/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/train.h - parts of `thalweg train`. */
#ifndef TW_CLI_TRAIN_H
#define TW_CLI_TRAIN_H

#include "netload.h"
#include "thalweg/schedule.h"
#include "thalweg/store_run.h"
#include "thalweg/train.h"
#include "thalweg/train_ghost.h"

struct train_opts {
    struct tw_net_opts net;
    const char *weights, *validation, *split_seed, *noise_seed;
    double label_noise;
    struct tw_opt_list train, freeze;
    double temperature;
    const char *optimizer, *schedule, *batch, *init_seed, *data_seed, *dropout_seed, *spike;
    double lr, epochs, clip, ghost_cap, ghost_rate;
    const char *ghost_on;
    size_t steps, spawn /* SIZE_MAX: never */, branches, log_every, eval_every;
    bool drop_last;
    const char *log, *checkpoint, *on_nan, *resume;
    struct tw_opt_list sweep;
};

/* A seed option, which has another for its standard value. */
enum tw_status train_seed(const char *text, uint64_t standard, const char *option, uint64_t *seed,
                          struct tw_err *err) TW_CHECKED;

/* ---- data (traindata.c) ---------------------------------------------------------------------- */

/* Samples, or a sequence of tokens of which windows are taken. */
struct train_data {
    struct tw_dataset train, validation; /* empty: no validation; tokens: windows in order */
    struct tw_array tokens;              /* all of the file; empty: samples */
    size_t begin, ntokens, ctx;          /* those to train on; of a window */
};
/* What the options name, parts and wrong labels included. ctx: tokens that the network takes, 0 if
 * it takes none. */
enum tw_status train_data_load(struct tw_call *call, const struct train_opts *o, size_t ctx,
                               struct train_data *d, struct tw_cmd_provenance *prov) TW_CHECKED;
void train_data_release(struct train_data *d);
/* TW_EFORMAT with file and place of the first token that a network of so many classes has not. */
enum tw_status train_tokens_check(const struct train_data *d, const char *path, size_t classes,
                                  struct tw_err *err) TW_CHECKED;
/* Room for a batch of windows, and what fills it (a tw_train_fill_fn). */
struct train_windows {
    const struct train_data *from;
    struct tw_dataset batch;
    uint64_t seed;
};
enum tw_status train_windows_make(struct train_windows *w, const struct train_data *from,
                                  size_t batch, uint64_t seed, struct tw_err *err) TW_CHECKED;
enum tw_status train_windows_fill(void *ctx, size_t step, uint64_t branch, struct tw_err *err);

/* ---- sweeps (trainsweep.c) ------------------------------------------------------------------- */

struct train_cells {
    char **v; /* "lr=0.1,seed=3" */
    size_t n, cap;
};
/* Every combination of "OPTION=a,b,c" and the like; one empty cell without any. */
enum tw_status train_cells_make(const struct tw_opt_list *sweep, struct train_cells *c,
                                struct tw_err *err) TW_CHECKED;
void train_cells_release(struct train_cells *c);
/* The next value of "a,b(c,d),e", as long as *n; NULL after the last. */
const char *train_next_value(const char **p, size_t *n);

/* ---- what is to be done (trainplan.c) -------------------------------------------------------- */

enum train_series {
    TRAIN_STEP,
    TRAIN_LR,
    TRAIN_LOSS,
    TRAIN_ACC,
    TRAIN_VAL_LOSS,
    TRAIN_VAL_ACC,
    TRAIN_GRAD_NORM,
    TRAIN_UPDATE_NORM,
    TRAIN_PARAM_NORM,
    TRAIN_RHO_A,
    TRAIN_R,
    TRAIN_NSERIES
};

/* One run: its settings, read and checked, and its place in the file. */
struct train_run {
    char *name, *cell;   /* cell: what a sweep gave it, "lr=0.1,seed=3"; "" without one */
    struct train_opts o; /* the call's with those of the cell; strings in `text` */
    struct tw_str text;
    unsigned branch;
    uint64_t seed, init_seed, data_seed, dropout_seed;
    char *model; /* with all arguments, or a path */
    struct tw_optimizer optimizer;
    struct tw_schedule schedule;
    size_t batch, spike_step;
    double spike_factor;
    bool spike_held;
    size_t nseries;
    enum train_series series[TRAIN_NSERIES];
    size_t *row, nrow, *checkpoint, ncheckpoint; /* steps, increasing */
};
struct train_plan {
    struct tw_call *call;
    const struct train_opts *o;
    size_t n, cap;
    struct train_run *run;
};
/* The runs of the call without what depends on the data; `opts`: the command's table. */
enum tw_status train_plan_make(struct tw_call *call, const struct train_opts *o,
                               const struct tw_opt *opts, struct train_plan *p) TW_CHECKED;
/* The rest: batch, schedule and checkpoints, for n samples to train on; then, for each run, what is
 * logged. */
enum tw_status train_plan_size(struct train_plan *p, size_t n) TW_CHECKED;
enum tw_status train_plan_log(struct train_plan *p, size_t run, bool accuracy,
                              bool validation) TW_CHECKED;
/* Is the normalised step measured, or kept? */
bool train_has_ghost(const struct train_opts *o);
void train_plan_release(struct train_plan *p);
extern const struct tw_run_series train_series[TRAIN_NSERIES];

/* ---- doing it (trainjob.c, trainrun.c) --------------------------------------------------------
 */

/* One run at work. */
struct train_job {
    struct train_run *run;
    const struct train_data *data;
    size_t index, nshare; /* in the file; runs from there on that what is written now belongs to */
    struct tw_net *net, *val_net;
    struct tw_problem *problem, *validation; /* validation: NULL without one */
    struct tw_trainer *trainer;
    struct tw_train_ghost ghost;
    struct train_windows windows;
    struct tw_run_tensor *tensor; /* parameters, then buffers, as in the layout */
    const float **value;
    double *state, *line; /* what is saved; numbers of a row */
    size_t nstate;
    /* Of the updates since the last row. */
    double loss_sum, error_sum, updates;
    struct tw_train_report report;
    struct tw_values val;
    bool evaluated, diverged, stopped;
    bool unloaded; /* --weights are gone: a state must be there */
    enum tw_status rc;
    struct tw_err err;
};
enum tw_status train_job_make(struct tw_call *call, struct train_run *run, size_t index,
                              const struct train_data *data, struct train_job *job,
                              struct tw_cmd_provenance *prov) TW_CHECKED;
void train_job_release(struct train_job *job);
/* The state of the run in job->state, and from there. */
void train_job_save(struct train_job *job);
void train_job_load(struct train_job *job, size_t steps, const double *state);

/* What all runs share. */
struct train_work {
    struct tw_call *call;
    const struct train_opts *o;
    bool resumed; /* by the file alone */
    struct train_plan plan;
    struct train_data data;
    struct tw_cmd_provenance prov;
    struct train_job *job;
    struct tw_run_plan *file_plan;
    void *series; /* what file_plan points into */
    struct tw_run_file *file;
    struct tw_progress progress;
    size_t done, total; /* updates */
};
/* Train all runs to their ends, or until a stop is asked for. */
enum tw_status train_work_run(struct train_work *w) TW_CHECKED;

/* ---- the file (trainfile.c) ------------------------------------------------------------------ */

/* Is there a file, to be gone on with? */
bool train_goes_on(const struct tw_call *call);
/* The options that a file was made with, one a line; the caller frees them. */
enum tw_status train_options_read(const char *path, char **record, struct tw_err *err) TW_CHECKED;
/* What to say where work that was to go on could not be set up, for that reason: if data, labels, a
 * network or weights that it reads have changed since its file was begun, then this. */
enum tw_status train_blame_inputs(struct train_work *w, enum tw_status why) TW_CHECKED;
/* Make w->file, or open it and take the states of the runs, if it is of the same work. */
enum tw_status train_file_open(struct train_work *w) TW_CHECKED;

#endif
