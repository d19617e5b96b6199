/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/barrier.h - what the parts of `thalweg barrier` share: options, the loaded problem, one line
 * measured, its file, its figure. */
#ifndef TW_CLI_BARRIER_H
#define TW_CLI_BARRIER_H

#include "checkpoint.h"
#include "evaluator.h"
#include "figopts.h"
#include "netload.h"
#include "thalweg/landscape_barrier.h"
#include "thalweg/landscape_recalibrate.h"
#include "thalweg/landscape_split.h"
#include "thalweg/store_result.h"

struct barrier_opts {
    struct tw_net_opts net;
    struct tw_evaluator_opts evaluator;
    struct tw_figure_cli figure;
    const char *bn;
    double tol, error_tol, noise, threshold_error, threshold_loss, level;
    size_t start, max_points, points, replicates;
    bool matrix, spawned, mli, no_split, swap, predict, require_connected;
};

enum { BARRIER_SWAP_BASES = 2, BARRIER_PILES = 2 }; /* rest from A, from B; forward, reverse */

/* All that one line was found to be: what is stored, printed, drawn. */
struct barrier_result {
    char *name[2], *objective;
    size_t n, n_data;
    bool has_error, mli, buffers_move, recalibrated;
    size_t m, evaluations; /* points; evaluations of the loss in all */
    double *t;             /* (m) each, by rising t */
    double *value[TW_LINE_NCURVES], *se[TW_LINE_NCURVES];
    double stated[TW_LINE_NCURVES];
    bool converged;
    struct tw_barrier barrier[TW_LINE_NCURVES][TW_NBARRIERS];
    double threshold[TW_LINE_NCURVES]; /* NAN: none */
    enum tw_verdict verdict;
    double needed; /* samples that would decide; NAN: it is decided */
    size_t ngroup;
    char **group;
    double *part; /* (ngroup); NULL: no split */
    double split_t, split_whole, split_residual, split_buffers, split_doubt;
    size_t gradients;
    struct tw_swap *swap; /* (ngroup, BARRIER_SWAP_BASES); NULL: none */
    struct tw_swap *pile; /* (ngroup, BARRIER_PILES): the first k groups, the last k */
    bool has_guess;
    struct tw_curvature_guess guess;
    double middle; /* e(1/2), to compare with the guess */
};
void barrier_result_release(struct barrier_result *r);

struct barrier {
    struct tw_call *call;
    const struct barrier_opts *o;
    struct tw_cmd_provenance prov;
    struct tw_checkpoint_list list;
    struct tw_net *net;
    struct tw_dataset data;
    struct tw_problem *problem;
    const struct tw_problem *network; /* the same, or what it evaluates after recalibration */
    struct tw_groups groups;
    float **params, **buffers; /* (list.n) */
    struct tw_str settings;    /* what a file must have been made with to go on with it */
    struct tw_result *file;    /* points of a line in progress; NULL: none */
    struct tw_line line;
    bool stopped;
};

/* barrierload.c: data, network, all checkpoints; the evaluator's, whose list they become, first. */
enum tw_status barrier_list(struct barrier *b) TW_CHECKED;
enum tw_status barrier_set_up(struct barrier *b) TW_CHECKED;
void barrier_release(struct barrier *b);
struct tw_ends barrier_ends(const struct barrier *b, size_t i, size_t j);
/* barrierline.c: the line between models i and j and its heights; with `file` kill-safe. TW_ESTOP:
 * stopped, b->stopped set. Then the rest: split, layers alone, curvature. */
enum tw_status barrier_line(struct barrier *b, size_t i, size_t j, const char *path,
                            struct barrier_result *r) TW_CHECKED;
/* The parts of it: b->line anew and without points; its heights once it has them. */
enum tw_status barrier_new_line(struct barrier *b) TW_CHECKED;
void barrier_drop_line(struct barrier *b);
enum tw_status barrier_heights(struct barrier *b, size_t i, size_t j,
                               struct barrier_result *r) TW_CHECKED;
enum tw_status barrier_layers(struct barrier *b, size_t i, size_t j,
                              struct barrier_result *r) TW_CHECKED;
/* barrierfile.c */
enum tw_status barrier_file_write(const char *path, const struct barrier_result *r,
                                  const char *settings, const struct tw_provenance *prov,
                                  struct tw_err *err) TW_CHECKED;
enum tw_status barrier_file_read(const char *path, struct barrier_result *r,
                                 struct tw_err *err) TW_CHECKED;
/* A file that is there: finished, to be continued, or neither (TW_EINVAL with a sentence). */
enum barrier_found { BARRIER_NONE, BARRIER_BEGUN, BARRIER_FINISHED };
enum tw_status barrier_file_look(const char *path, const char *kind, const char *settings,
                                 enum barrier_found *found, struct tw_err *err) TW_CHECKED;
/* barrierreport.c */
void barrier_report(struct tw_call *call, const struct barrier_result *r);
/* barrierfig.c */
enum tw_status barrier_figure(const struct barrier_result *r, const char *path,
                              const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;
/* "dir/a.pdf" and "layers" make "dir/a-layers.pdf". */
void barrier_beside(const char *path, const char *what, struct tw_str *out);
/* Of a result file of kind "barrier", "barrier-matrix" or "barrier-spawned". */
enum tw_status barrier_plot(const char *file, const char *kind, const char *path,
                            const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;
/* barriermatrix.c */
int barrier_matrix(struct barrier *b, const char *path);

#endif
