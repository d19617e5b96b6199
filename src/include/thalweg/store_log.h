/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_log.h - read loss logs of any kind into one neutral table.
 *
 * A log is some runs; a run is some series; a series is pairs (x, y) with its own length, so
 * that training rows and evaluation rows of different steps live side by side. A blank cell
 * is no pair; a NaN or an infinity is a pair, kept and counted. The format is recognised by
 * content, never by the file's name. */
#ifndef TW_STORE_LOG_H
#define TW_STORE_LOG_H

#include "thalweg/base.h"

enum tw_x_unit {
    TW_X_UNKNOWN,
    TW_X_STEP,
    TW_X_TOKEN,
    TW_X_SAMPLE,
    TW_X_EPOCH,
    TW_X_SECOND,
    TW_X_FLOP
};
enum tw_split { TW_SPLIT_NONE, TW_SPLIT_TRAIN, TW_SPLIT_VAL, TW_SPLIT_TEST };
enum tw_quantity { TW_Q_OTHER, TW_Q_LOSS, TW_Q_LR, TW_Q_GRAD_NORM, TW_Q_ACCURACY };

struct tw_log_series {
    char *name; /* as in the file: "train/loss", "eval_c4_loss" */
    enum tw_quantity quantity;
    enum tw_split split;
    size_t n;
    double *x, *y; /* (n), in file order */
    size_t cap;
};

struct tw_log_run {
    char *name;   /* the run's name in the file, or the file's base name without suffix */
    char *x_name; /* as in the file: "step", "_step", "tokens"; "row": rows counted from 1 */
    enum tw_x_unit x_unit;
    size_t nseries, cap;
    struct tw_log_series *series;
};

struct tw_log {
    char *path;
    const char *format;         /* one of tw_log_formats' names; static */
    char digest[TW_DIGEST_HEX]; /* SHA-256 of the file's bytes */
    size_t nruns, cap;
    struct tw_log_run *runs;
    size_t lines_ignored; /* text and regex readers: lines that no rule matched */
    char *notes;          /* "" or sentences a user should see, one a line */
};

struct tw_log_opts {
    const char *x;     /* column of the abscissa; "row": count rows; NULL: guess */
    const char *regex; /* a rule with named groups (step, loss, lr, ...); NULL: none */
};

/*
 * Read `path` ("-": standard input; a gzip stream is unpacked) into *log, which is {0} on
 * entry and must be released even after a failure.
 *
 * TW_EIO: cannot be opened or read, or is a directory. TW_EFORMAT: not a log, truncated gzip,
 * empty, no number in it; the message names the line and says what was expected.
 * TW_ENOMEM: too large; a line over 16 MiB is refused as TW_EFORMAT before it fills memory.
 */
enum tw_status tw_log_read(const char *path, const struct tw_log_opts *opts, struct tw_log *log,
                           struct tw_err *err) TW_CHECKED;
/* The same from memory; `name` stands for the path. */
enum tw_status tw_log_read_mem(const void *text, size_t n, const char *name,
                               const struct tw_log_opts *opts, struct tw_log *log,
                               struct tw_err *err) TW_CHECKED;
void tw_log_release(struct tw_log *log);

/* The recognised formats, for `thalweg log --formats` and the manual; ends with name NULL. */
struct log_reader;
struct tw_log_format {
    const char *name, *summary;
    const struct log_reader *reader; /* private; NULL where another row's reader tells it */
};
extern const struct tw_log_format tw_log_formats[];

/* What a run's series says of itself in one pass. Non-finite y are counted, and left out of
 * y_min, y_max, y_last. */
struct tw_log_range {
    size_t n, nan, inf;
    double x_min, x_max, y_min, y_max, y_first, y_last;
    size_t backward;   /* pairs whose x is below the one before */
    size_t duplicates; /* pairs whose x equals the one before */
    double spacing;    /* median distance of successive x */
    size_t gaps;       /* distances over 3 times the median */
};
struct tw_log_range tw_log_series_range(const struct tw_log_series *s);

const char *tw_x_unit_name(enum tw_x_unit u); /* "step", ... */
const char *tw_split_name(enum tw_split s);
const char *tw_quantity_name(enum tw_quantity q);

/* ---- choosing and preparing one curve ------------------------------------------------- */

struct tw_curve_opts {
    const char *run;    /* name or glob of the run; NULL: all */
    const char *y, *lr; /* series by name or glob; NULL: guess */
    double from, to;    /* keep from <= x <= to; NAN: no bound */
    size_t every;       /* keep every K-th pair; 0 or 1: all */
    const char *size;   /* series of the model's parameters, by name; NULL: guess */
    double smooth;      /* half-life, in x, of an exponential mean; 0: none */
};

/* One curve ready for fitting: x strictly increasing, all y finite. */
struct tw_curve {
    char *name; /* "file" or "file:run" */
    char *y_name, *lr_name;
    enum tw_x_unit x_unit;
    enum tw_split split;
    size_t n;
    double *x, *y; /* (n) */
    size_t nlr;
    double *lr_x, *lr; /* (nlr) every logged learning rate, not only at x; nlr == 0: none */
    size_t dropped_nonfinite, dropped_duplicate, dropped_range;
    size_t restarts; /* times x ran backwards (a resumed run): the later rows won */
    /* The model's parameters, if a series named N, params, ... holds one number throughout, and
     * the tokens seen at the last x; 0: not in the log. */
    double size, tokens;
    char digest[TW_DIGEST_HEX];
    char *path;
};
struct tw_curves {
    size_t n, cap;
    struct tw_curve *v;
};

/*
 * Which series of a run a curve is made of: *y and, SIZE_MAX if there is none, *lr, as indices
 * into run->series. Fails as tw_curves_add does.
 */
enum tw_status tw_log_choose(const struct tw_log_run *run, const struct tw_curve_opts *opts,
                             size_t *y, size_t *lr, struct tw_err *err) TW_CHECKED;

/*
 * Append one curve per selected run of `log` to *out. The loss series is opts->y, else the
 * validation loss if there is exactly one, else the training loss; an ambiguous choice fails
 * with the list of candidates. When x runs backwards (the log of a run that was resumed from
 * a checkpoint) the later rows replace the earlier ones. TW_EFORMAT when a selected run has
 * no such series, fewer than 2 finite pairs left, or a loss that never changes; then nothing
 * was appended.
 */
enum tw_status tw_curves_add(struct tw_curves *out, const struct tw_log *log,
                             const struct tw_curve_opts *opts, struct tw_err *err) TW_CHECKED;
void tw_curve_release(struct tw_curve *c);
void tw_curves_release(struct tw_curves *c);

/*
 * The mean of several curves at the x that all of them have (seeds of one configuration).
 * *out is a curve named `name`, released with tw_curve_release; lr and digest are taken from
 * the first. TW_EFORMAT if fewer than 2 x are
 * common or their learning rates differ by more than 1e-9 relative.
 */
enum tw_status tw_curve_mean(const struct tw_curve *const *v, size_t n, const char *name,
                             struct tw_curve *out, struct tw_err *err) TW_CHECKED;

#endif
