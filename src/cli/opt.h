/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/opt.h - one table per command: parsing, ranges, --help, man page, completion and the
 * provenance record all come from it. No globals, so the parser can be fuzzed. */
#ifndef TW_CLI_OPT_H
#define TW_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "thalweg/base.h"

enum tw_opt_type {
    TW_OPT_END,
    TW_OPT_HEAD,   /* a heading in --help; name is its text */
    TW_OPT_FLAG,   /* bool */
    TW_OPT_STR,    /* const char * */
    TW_OPT_LIST,   /* struct tw_opt_list: may be given again */
    TW_OPT_CHOICE, /* const char *, one of choices "a|b|c" */
    TW_OPT_FIGURE, /* const char *: value optional; a following word is taken as the value if it
                      ends in .pdf .png .svg .tex .eps; "" when given without one */
    TW_OPT_SIZE,   /* size_t; "1e6" is a whole number too; SIZE_MAX: not given */
    TW_OPT_U64,    /* uint64_t, all 64 bits */
    TW_OPT_REAL    /* double */
};

struct tw_opt_list {
    const char **v; /* owned; free with tw_opts_release */
    size_t n, cap;
};

struct tw_opt {
    enum tw_opt_type type;
    char key;            /* short name, '\0' if none */
    const char *name;    /* long name */
    size_t off;          /* offsetof the destination in the command's options struct */
    const char *arg;     /* "N" in --points=N; NULL for flags */
    const char *help;    /* one sentence; the default in [brackets] at its end */
    double lo, hi;       /* accepted range, ends included; ignored if lo == hi */
    const char *choices; /* "a|b|c" for TW_OPT_CHOICE */
};

#define TW_OPT_FIELD(type, field) offsetof(type, field)

/* Options that every command has, or has if its `uses` says so. */
enum {
    TW_USES_OUTPUT = 1,  /* -o FILE, --force */
    TW_USES_SEED = 2,    /* --seed N */
    TW_USES_THREADS = 4, /* --threads N */
    TW_USES_JSON = 8,    /* --json */
    TW_JSON_LIST = 16    /* no option: the JSON's "result" is an array */
};
struct tw_common {
    const char *output; /* NULL if not given */
    uint64_t seed;
    size_t threads; /* 0 if not given; tw_main then fills in what the machine allows */
    bool json, quiet, verbose, force;
    bool help; /* --help was given: nothing else was checked */
};

/*
 * Parse argv[1..argc) by the common table (what `uses` selects) and opts (ends with
 * TW_OPT_END) into *common and the struct at dst, which hold the defaults beforehand.
 * Operands are moved, in order, to argv[1..] and counted in *operands; "--" ends options; "-"
 * is an operand; options and operands may mix. TW_EINVAL with one sentence, naming the
 * nearest option for an unknown one, when something is wrong.
 */
enum tw_status tw_opt_parse(int argc, char **argv, unsigned uses, const struct tw_opt *opts,
                            struct tw_common *common, void *dst, int *operands,
                            struct tw_err *err) TW_CHECKED;

/* The rows of the common table that `uses` selects, one at a time: NULL past the last. */
const struct tw_opt *tw_opt_common(unsigned uses, size_t i);

/* Append "--name=value\n" for every option, defaults included, in table order: the
 * provenance record. Paths are written as given. */
void tw_opt_record(const struct tw_opt *opts, unsigned uses, const struct tw_common *common,
                   const void *src, struct tw_str *out);

/* Frees what TW_OPT_LIST fields in *dst hold. */
void tw_opt_release(const struct tw_opt *opts, void *dst);

#endif
