/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sweeptable.h"

#include <stdlib.h>
#include <string.h>

#include "tablerows.h"

enum { N, D, LR, BATCH, STEPS, LOSS, LOGIT, GRAD, COLUMNS };

static const struct {
    const char *name, *others, *meaning;
    bool needed;
} wants[COLUMNS] = {
    [N] = { "N", "params parameters n_params num_params model_size", "parameters N", true },
    [D] = { "D", "tokens n_tokens num_tokens train_tokens", "training tokens D", true },
    [LR] = { "lr", "learning_rate peak_lr lr_peak max_lr", "the learning rate", true },
    [BATCH] = { "batch", "bs batch_size batch_tokens", "the batch size", false },
    [STEPS] = { "steps", "n_steps num_steps train_steps", "training steps", false },
    [LOSS] = { "loss", "val_loss eval_loss final_loss loss_smooth train_loss", "the loss", true },
    [LOGIT] = { "logit", "max_attention_logit max_attn_logit attn_logit_max max_logit",
                "the largest attention logit", false },
    [GRAD] = { "grad", "grad_rms gradient_rms rms_grad", "the gradient's root mean square", false },
};

struct columns {
    size_t at[COLUMNS];
    double scale[COLUMNS];
};

static enum tw_status check_keys(const struct tw_opt_list *list, const char *option,
                                 struct tw_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const size_t n = strcspn(list->v[i], "=");
        bool known = false;

        for (size_t k = 0; k < COLUMNS; k++)
            known = known || (strlen(wants[k].name) == n && !strncmp(wants[k].name, list->v[i], n));
        if (!known || list->v[i][n] != '=')
            return tw_err_set(err, TW_EINVAL,
                              "--%s=%s: expected NAME=..., NAME one of N, D, lr, batch, steps, "
                              "loss, logit, grad",
                              option, list->v[i]);
    }
    return TW_OK;
}

static enum tw_status find_columns(const struct tw_text_table *t, const char *path,
                                   const struct tw_sweep_source *o, struct columns *c,
                                   struct tw_err *err)
{
    for (size_t k = 0; k < COLUMNS; k++) {
        const char *given = tw_rows_assigned(&o->column, wants[k].name);
        const char *factor = tw_rows_assigned(&o->scale, wants[k].name);

        if (k == LOSS && o->y)
            given = o->y;
        c->scale[k] = 1.0;
        if (factor && (!tw_str_to_real(factor, &c->scale[k]) || !(c->scale[k] > 0.0)))
            return tw_err_set(err, TW_EINVAL, "--scale=%s=%s: expected a positive number",
                              wants[k].name, factor);
        c->at[k] = given ? tw_rows_column(t, given, "")
                         : tw_rows_column(t, wants[k].name, wants[k].others);
        if (c->at[k] == t->ncol && (given || wants[k].needed))
            return tw_rows_no_column(t, path, wants[k].meaning, k == LOSS ? "--y" : "--column",
                                     err);
    }
    return TW_OK;
}

/* NAN where there is no column, or the cell is empty. */
static enum tw_status number(const struct tw_text_table *t, const char *path,
                             const struct columns *c, size_t row, size_t k, bool positive,
                             double *x, struct tw_err *err)
{
    *x = NAN;
    if (c->at[k] == t->ncol)
        return TW_OK;
    if (!tw_rows_number(t, row, c->at[k], x) || (positive && (!(*x > 0.0) || !isfinite(*x))))
        return tw_err_set(err, TW_EFORMAT, "%s: line %zu: '%s' in column %s: %s must be %s", path,
                          t->line[row], t->cells[row * t->ncol + c->at[k]], t->names[c->at[k]],
                          wants[k].meaning, positive ? "a positive number" : "a number");
    *x *= c->scale[k];
    return TW_OK;
}

static enum tw_status take_row(const struct tw_text_table *t, const char *path,
                               const struct columns *c, const struct tw_sweep_source *o, size_t row,
                               struct tw_sweep_table *out, struct tw_err *err)
{
    const bool by_steps = c->at[STEPS] < t->ncol && isnan(o->sequence);
    double v[COLUMNS];
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < COLUMNS; k++)
        rc = number(t, path, c, row, k, k < LOSS && c->at[k] < t->ncol, &v[k], err);
    if (rc != TW_OK)
        return rc;
    if (by_steps)
        v[BATCH] = v[D] / v[STEPS];
    else if (c->at[BATCH] < t->ncol)
        v[BATCH] *= isnan(o->sequence) ? 1.0 : o->sequence;
    else
        v[BATCH] = 1.0;
    out->run[out->n++] = (struct tw_sweep_run){ .size = v[N],
                                                .tokens = v[D],
                                                .lr = v[LR],
                                                .batch = v[BATCH],
                                                .loss = v[LOSS],
                                                .logit = v[LOGIT],
                                                .grad = v[GRAD] };
    out->logits += isnan(v[LOGIT]) ? 0 : 1;
    out->grads += isnan(v[GRAD]) ? 0 : 1;
    out->in_tokens = by_steps || !isnan(o->sequence);
    out->has_batch = by_steps || c->at[BATCH] < t->ncol;
    return TW_OK;
}

static void doubt(struct tw_call *call, const char *path, const struct tw_sweep_table *t)
{
    double size = 0.0, tokens = 0.0, rate = 0.0;

    for (size_t i = 0; i < t->n; i++) {
        size = fmax(size, t->run[i].size);
        tokens = fmax(tokens, t->run[i].tokens);
        rate = fmax(rate, t->run[i].lr);
    }
    if (size < 1e4 || tokens < 1e4)
        tw_cmd_warn(call,
                    "%s: %s is %g at most: is it in millions or billions? exponents do not mind, "
                    "the laws' constants do; give --scale=%s=1e9",
                    path, size < 1e4 ? "N" : "D", size < 1e4 ? size : tokens,
                    size < 1e4 ? "N" : "D");
    if (rate > 100.0)
        tw_cmd_warn(call, "%s: the learning rate is %g at most: is that its column?", path, rate);
}

enum tw_status tw_sweep_table_read(struct tw_call *call, const char *path,
                                   const struct tw_sweep_source *source, struct tw_sweep_table *out,
                                   struct tw_err *err)
{
    struct tw_text_table t = { 0 };
    struct columns c = { 0 };
    size_t other = 0;
    enum tw_status rc = check_keys(&source->column, "column", err);

    if (rc == TW_OK)
        rc = check_keys(&source->scale, "scale", err);
    if (rc == TW_OK)
        rc = tw_text_table_read(path, &t, err);
    if (rc == TW_OK)
        rc = find_columns(&t, path, source, &c, err);
    if (rc == TW_OK)
        rc = tw_rows_check_where(&t, path, &source->where, err);
    out->run = tw_alloc(t.nrow, sizeof *out->run);
    if (rc == TW_OK && !out->run)
        rc = tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    for (size_t i = 0; rc == TW_OK && i < t.nrow; i++) {
        if (tw_rows_wanted(&t, i, &source->where))
            rc = take_row(&t, path, &c, source, i, out, err);
        else
            other++;
    }
    if (rc == TW_OK && out->n == 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s: no run is left of %zu rows", path, t.nrow);
    if (rc == TW_OK) {
        tw_cmd_note(call, "%s: %zu runs, loss '%s'; left out: %zu by --where; batch size %s", path,
                    out->n, t.names[c.at[LOSS]], other,
                    !out->has_batch                                   ? "unknown, as one"
                    : c.at[STEPS] < t.ncol && isnan(source->sequence) ? "D / steps, tokens"
                    : out->in_tokens                                  ? "in tokens"
                                                                      : "as in the table");
        doubt(call, path, out);
    }
    tw_text_table_release(&t);
    return rc;
}

void tw_sweep_table_release(struct tw_sweep_table *t)
{
    free(t->run);
    *t = (struct tw_sweep_table){ 0 };
}
