/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/ghost.h - what the files of `thalweg ghost` share. */
#ifndef TW_CLI_GHOST_H
#define TW_CLI_GHOST_H

#include "checkpoint.h"
#include "evaluator.h"
#include "figopts.h"
#include "netload.h"
#include "thalweg/ghost_batch.h"
#include "thalweg/ghost_inside.h"
#include "thalweg/ghost_true.h"
#include "thalweg/store_reader.h"

struct ghost_opts {
    struct tw_net_opts net;
    struct tw_evaluator_opts evaluator;
    const char *direction, *onset, *exact, *logits, *what, *on;
    double rate, tau, temperature;
    size_t batch, listed, truths;
    bool trajectory, inside;
    struct tw_figure_cli figure;
};

/* "loss*2", "loss+0.1", "acc-5": a kind of damage that is looked for along the line. */
struct ghost_onset {
    char text[24];
    char kind; /* '*', '+': of the loss; '-': points of accuracy */
    double by;
};
enum { GHOST_ONSETS = 8 };

struct ghost_layer {
    const char *name; /* the layout's */
    double tau;       /* length of the step's part in it */
    double rho_a;     /* along that part's own direction */
};

/* A row of the data with its true radius. */
struct ghost_truth {
    size_t softmax; /* the one of its softmaxes whose linearised radius is the least */
    struct tw_ghost_true t;
    const char *where, *what; /* limits it: "norm1", "layer normalisation" */
};

/* A step, or a direction without a length (tau NaN), from a point. */
struct ghost_line {
    char *name;
    double tau, step;                     /* step: of the checkpoint, NaN if it has none */
    double loss, error, slope, curvature; /* at the point; derivatives along the direction */
    size_t n, classes;
    /* Of each softmax. */
    double *rho_a, *low, *rho, *re, *im, *flip, *variance;
    size_t *row, *label;
    struct tw_ghost_batch all;
    double quadratic; /* NaN: not computed */
    double onset[GHOST_ONSETS];
    size_t nlayer;
    struct ghost_layer *layer;
    size_t nsite;
    struct tw_ghost_site *site; /* inside the network; the names are g->inside's */
    size_t ntruth;
    struct ghost_truth *truth; /* by ascending linearised radii */
    double polydisc;           /* the sum over layers of length times spread over pi, its largest */
};

struct ghost {
    struct tw_call *call;
    const struct ghost_opts *o;
    struct tw_cmd_provenance prov;
    struct tw_net *net;
    struct tw_dataset data;
    struct tw_problem *problem;
    float *params, *buffers;
    struct tw_vector at;           /* the point: params, or an evaluator's checkpoint */
    struct tw_own_checkpoints own; /* of an evaluator: then there is no net and no data */
    size_t classes;                /* of its softmaxes */
    double *labels;                /* of them; NULL: it gives none */
    size_t nonset;
    struct ghost_onset onsets[GHOST_ONSETS];
    enum tw_ghost_exact exact;
    struct tw_scan *scan; /* NULL: none; the checkpoint is at this end of it */
    size_t scan_end;
    double scan_length; /* of the line in the weights */
    size_t nhorizon;    /* points of the scan, 0: none */
    double *horizon[2]; /* their distances along the step, their losses */
    const char *figure; /* GHOST_ZEROS ... */
    char **layer_name;  /* of a file that was read; else the layout's are used */
    size_t nlayer_name;
    struct tw_ghost_inside *inside; /* NULL: not asked for */
    struct tw_graph *bare;          /* the network without its loss; NULL: not asked for */
    size_t tangents;                /* directions in one pass */
    size_t nline;
    struct ghost_line *line;
};

/* ghost_lines.c: the problem, the directions, the loop over them. */
enum tw_status tw_ghost_run_network(struct ghost *g);
enum tw_status tw_ghost_line_make(struct ghost_line *l, size_t n, struct tw_err *err) TW_CHECKED;
void tw_ghost_release(struct ghost *g);

/* ghost_own.c: --evaluator. Its checkpoints are listed by name; one of them into *at and `buffers`.
 * A pass gives logits and slopes of either kind of problem, block by block; how many softmaxes. */
enum tw_status tw_ghost_own_open(struct ghost *g, struct tw_checkpoint_list *to) TW_CHECKED;
enum tw_status tw_ghost_own_point(struct ghost *g, const char *name, struct tw_vector *at,
                                  float *buffers) TW_CHECKED;
enum tw_status tw_ghost_pass(struct ghost *g, const struct tw_request *r, tw_ghost_block_fn *fn,
                             void *ctx) TW_CHECKED;
size_t tw_ghost_softmaxes(const struct ghost *g, const struct tw_request *r);

/* ghost_measure.c: all that is known of the line through the point along v (a unit vector of dim
 * reals). */
enum tw_status tw_ghost_measure(struct ghost *g, struct ghost_line *l, const double *v) TW_CHECKED;

/* ghost_true.c: --true. */
enum tw_status tw_ghost_truths_open(struct ghost *g, const char *checkpoint) TW_CHECKED;
enum tw_status tw_ghost_truths_find(struct ghost *g, struct ghost_line *l,
                                    const double *v) TW_CHECKED;
/* The least of a line's true radii; NaN if none is known. */
double tw_ghost_truth_least(const struct ghost_line *l);
void tw_ghost_truths_print(const struct ghost_line *l);
void tw_ghost_truths_json(struct tw_json *j, const struct ghost_line *l);
enum tw_status tw_ghost_truths_put(const struct ghost *g, struct tw_result *r) TW_CHECKED;
/* What figures need of them. */
void tw_ghost_truths_get(struct tw_reader *in, struct ghost *g);

/* ghost_onset.c */
enum tw_status tw_ghost_onsets_parse(struct ghost *g, const char *text) TW_CHECKED;
enum tw_status tw_ghost_onsets_find(struct ghost *g, struct ghost_line *l,
                                    const double *v) TW_CHECKED;

/* ghost_logits.c: --logits. */
enum tw_status tw_ghost_run_logits(struct ghost *g) TW_CHECKED;

/* ghost_report.c */
void tw_ghost_report(const struct ghost *g);
/* The q-quantile of the finite ones of n values; infinity where it lies above all of them. */
double tw_ghost_quantile(const double *x, size_t n, double q);
/* How many of n radii a step of length tau reaches. */
size_t tw_ghost_reached(const double *x, size_t n, double tau);

/* ghost_horizon.c: --on. The horizon is taken from the scan once the step's length is known. */
enum tw_status tw_ghost_read_scan(struct ghost *g, const char *checkpoint, struct tw_scan *s,
                                  size_t *end) TW_CHECKED;
enum tw_status tw_ghost_set_horizon(struct ghost *g) TW_CHECKED;
enum tw_status tw_ghost_draw_horizon(const struct ghost *g, const char *path,
                                     const struct tw_figure_opts *fo) TW_CHECKED;

/* ghost_store.c: what is read back is what figures are made of; tw_ghost_release takes it. */
enum tw_status tw_ghost_store(const struct ghost *g) TW_CHECKED;
enum tw_status tw_ghost_read(struct ghost *g, const char *path) TW_CHECKED;

/* ghost_figure.c: draws g->figure; the figure that shows most of what was asked for. */
#define GHOST_ZEROS   "zeros"
#define GHOST_LAYERS  "layers"
#define GHOST_RUN     "run"
#define GHOST_DAMAGE  "damage"
#define GHOST_HORIZON "horizon"
const char *tw_ghost_best_figure(const struct ghost *g);
enum tw_status tw_ghost_draw(const struct ghost *g, const char *path,
                             const struct tw_figure_opts *fo) TW_CHECKED;

#endif
