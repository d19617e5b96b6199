/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/resume.h - may a run go on in a file that an earlier one began? Only with the same settings:
 * the options that results depend on, and the digests of all inputs. They are in the file as the
 * text /settings, lines of "name=value". */
#ifndef TW_CLI_RESUME_H
#define TW_CLI_RESUME_H

#include "provenance.h"

/* The settings of this call. What every command has beside its numbers (threads, figures, output
 * ...) is left out, and so are the names of inputs: their digests count. */
enum tw_status tw_resume_settings(const struct tw_cmd_provenance *p, struct tw_str *out,
                                  struct tw_err *err) TW_CHECKED;
/* Is there a file of this kind and of these settings at `path`? *there is false if there is no
 * file. TW_EINVAL: another kind, or other settings; the message names the first that differs and
 * what to do. */
enum tw_status tw_resume_check(const char *path, const char *kind, const char *settings,
                               bool *there, struct tw_err *err) TW_CHECKED;

#endif
