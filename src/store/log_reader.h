/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/log_reader.h - one reader per file log_NAME.c: how it knows its format and how it
 * fills a table from it. */
#ifndef TW_STORE_LOG_READER_H
#define TW_STORE_LOG_READER_H

#include "log_table.h"

/* A log's whole text, unpacked. No line of it is longer than LOG_MAX_LINE. */
struct log_text {
    const char *s;
    size_t n;
};
enum { LOG_MAX_LINE = 16 << 20 };

struct log_reader {
    /* Is the text of this format? Looks at no more than its beginning. */
    bool (*sniff)(const struct log_text *text);
    /* Run 0 exists already, named after the file. */
    enum tw_status (*read)(struct log_table *t, const struct log_text *text, struct tw_err *err);
};
extern const struct log_reader log_reader_tfevents, log_reader_csv, log_reader_json,
    log_reader_nanogpt, log_reader_llmc, log_reader_megatron, log_reader_olmo;

/* By a rule of the user's, opts->regex. */
enum tw_status log_regex_read(struct log_table *t, const struct log_text *text, struct tw_err *err);

/* A training run in HDF5: the file at path or, if path is NULL, the image in memory. */
bool log_is_hdf5(const struct log_text *head);
enum tw_status log_hdf5_read(struct log_table *t, const char *path, const struct log_text *image,
                             struct tw_err *err);

/* ---- lines -------------------------------------------------------------------------------- */

/* The next line without its end, CR LF included; false past the last. *at starts as 0. */
bool log_line_next(const struct log_text *text, size_t *at, struct log_text *line);
/* The number, from 1, of the line that holds byte `at`. */
size_t log_line_number(const struct log_text *text, size_t at);
/* The place of literal `what` in s, or NULL. */
const char *log_find(const char *s, const char *end, const char *what);
/* The first part of a line, unprintable bytes as '?', for a message. */
enum { LOG_QUOTE = 48 };
const char *log_quote(const struct log_text *line, char buf[LOG_QUOTE]);

/* A number at s, as far as it goes ("12.34ms", "1.23%", "nan"): the byte after it, or s if
 * there is none. With `commas`, "12,345" is one number. */
const char *log_number(const char *s, const char *end, bool commas, double *x);
/* "", None, null, NA, N/A, -: a cell without a value. */
bool log_missing(const char *s, size_t n);

/* ---- bytes -------------------------------------------------------------------------------- */

/* All of a file ("-": standard input), at most 4 GiB, refused early if a line is too long or
 * its first bytes are of a format that no reader takes. Free buf->s with free(). A gzip
 * stream and an HDF5 file are left as they are. */
struct log_bytes {
    char *s;
    size_t n, cap;
    size_t line; /* where the last line begins */
    bool packed; /* not text: no check of lines */
};
enum tw_status log_bytes_read(const char *path, struct log_bytes *b, struct tw_err *err);
enum tw_status log_bytes_unpack(const struct log_text *gz, struct log_bytes *b, struct tw_err *err);
bool log_is_gzip(const char *s, size_t n);
bool log_is_tfevents(const char *s, size_t n);
/* TW_EFORMAT with a remedy if these are the first bytes of a known format other than ours. */
enum tw_status log_refuse_foreign(const char *s, size_t n, struct tw_err *err);

#endif
