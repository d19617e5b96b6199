/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/lawopts.h - options that name parameters of a law. */
#ifndef TW_CLI_LAWOPTS_H
#define TW_CLI_LAWOPTS_H

#include "cmd.h"
#include "thalweg/law.h"

/* The parameter of which name[0 .. n) is the name. TW_EINVAL says which there are. */
enum tw_status tw_law_param(const struct tw_law *law, const char *name, size_t n, size_t *j,
                            struct tw_err *err) TW_CHECKED;
/* "alpha,beta", all, none, or default (those that the law profiles), as bits. TW_EINVAL names the
 * option and the nearest parameter. */
enum tw_status tw_law_params_parse(const struct tw_law *law, const char *s, const char *option,
                                   unsigned *mask, struct tw_err *err) TW_CHECKED;
/* NAME=X into fixed, fixed_value. */
enum tw_status tw_law_fix_parse(const struct tw_law *law, const struct tw_opt_list *list,
                                struct tw_law_fit_opts *o, struct tw_err *err) TW_CHECKED;
/* auto, none, or a restriction of the law; after tw_law_fix_parse. */
enum tw_status tw_law_restrict_parse(const struct tw_law *law, const char *s,
                                     struct tw_law_fit_opts *o, struct tw_err *err) TW_CHECKED;

#endif
