/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/checkpoint.h - checkpoints as operands name them:
 *
 *   FILE            a file that holds one
 *   FILE:STEP       in the file of a training run: after so many updates; `init` is 0, `last`
 *                   the last that is there, `*` all of them
 *   FILE:RUN:STEP   in a file of several runs; RUN may be `*`
 *
 * A file whose own name is the whole text is that file. Checkpoints that a run has not come to, or
 * has not finished, are not there. */
#ifndef TW_CLI_CHECKPOINT_H
#define TW_CLI_CHECKPOINT_H

#include "cmd.h"

struct tw_checkpoint {
    char *name; /* the reference in full, which names this one again: "runs.h5:a:100" */
    char *file, *run;
    double step;
    bool has_step; /* of a run; else run is NULL */
};
struct tw_checkpoint_list {
    size_t n, cap;
    struct tw_checkpoint *v;
};

/* Append what `text` names; `*` in order of run, then step. TW_EINVAL, TW_EFORMAT, TW_EIO with a
 * sentence that names the runs or steps that there are. */
enum tw_status tw_checkpoints_add(struct tw_call *call, const char *text,
                                  struct tw_checkpoint_list *list) TW_CHECKED;
/* The same of a text that must name one; the list is empty before. */
enum tw_status tw_checkpoint_one(struct tw_call *call, const char *text,
                                 struct tw_checkpoint_list *list) TW_CHECKED;
void tw_checkpoints_release(struct tw_checkpoint_list *list);

/* Does the text name a checkpoint inside a file (FILE:STEP, FILE:RUN:STEP)? */
bool tw_names_checkpoint(const char *text);

/* Is the file that it names not there? */
bool tw_checkpoint_gone(const char *text);

/* The attribute of its run ("model", "data", ...); the caller frees it. NULL, without an error, if
 * it is no checkpoint of a run or has none. */
char *tw_checkpoint_attr(struct tw_call *call, const struct tw_checkpoint *c, const char *name);

#endif
