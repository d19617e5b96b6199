/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of losses, and their names with arguments. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "thalweg/loss.h"

const struct tw_loss_row tw_losses[] = {
    { "cross-entropy", "ignore_index=-100, label_smoothing=0", "of logits and class numbers", true,
      true },
    { "nll", "ignore_index=-100", "of log-probabilities and class numbers", true, true },
    { "mse", "", "mean squared error over elements", false, false },
    { "l1", "", "mean absolute error over elements", false, false },
    { "huber", "delta=1", "Huber's loss over elements", false, false },
    { "bce", "", "binary cross-entropy of logits, over elements", false, true },
    { "own", "", "the network ends in its loss", false, false },
    { NULL, NULL, NULL, false, false },
};

static enum tw_status find_kind(const char *s, size_t n, struct tw_loss_spec *spec,
                                struct tw_err *err)
{
    const char *names[16];
    char given[32];
    size_t count = 0, near;

    for (; tw_losses[count].name; count++) {
        names[count] = tw_losses[count].name;
        if (strlen(names[count]) == n && !strncmp(names[count], s, n)) {
            spec->kind = (enum tw_loss_kind)count;
            return TW_OK;
        }
    }
    (void)snprintf(given, sizeof given, "%.*s", (int)(n < 31 ? n : 31), s);
    near = tw_str_nearest(given, names, count);
    if (near < count)
        return tw_err_set(err, TW_EINVAL, "no loss '%s'; did you mean '%s'?", given, names[near]);
    return tw_err_set(err, TW_EINVAL,
                      "no loss '%s'; there are cross-entropy, nll, mse, l1, huber, bce, own",
                      given);
}

/* One "key=value" of n bytes. */
static enum tw_status read_argument(const char *s, size_t n, struct tw_loss_spec *spec,
                                    struct tw_err *err)
{
    const struct tw_loss_row *row = &tw_losses[spec->kind];
    const char *eq = memchr(s, '=', n);
    const size_t key = eq ? (size_t)(eq - s) : n;
    double x;

    if (!eq || !tw_strn_to_real(eq + 1, n - key - 1, &x))
        return tw_err_set(err, TW_EINVAL, "loss %s: '%.*s' is not of the form key=number",
                          row->name, (int)(n < 40 ? n : 40), s);
    if (row->classes && key == 12 && !strncmp(s, "ignore_index", key)) {
        if (!(fabs(x) <= 0x1p53) || x != floor(x))
            return tw_err_set(err, TW_EINVAL, "loss %s: ignore_index=%g is not a whole number",
                              row->name, x);
        spec->ignore_index = (int64_t)x;
        return TW_OK;
    }
    if (spec->kind == TW_LOSS_CROSS_ENTROPY && key == 15 && !strncmp(s, "label_smoothing", key)) {
        if (!(x >= 0.0 && x <= 1.0))
            return tw_err_set(err, TW_EINVAL, "loss %s: label_smoothing=%g is outside 0 to 1",
                              row->name, x);
        spec->label_smoothing = x;
        return TW_OK;
    }
    if (spec->kind == TW_LOSS_HUBER && key == 5 && !strncmp(s, "delta", key)) {
        if (!(x > 0.0 && x <= 1e30))
            return tw_err_set(err, TW_EINVAL, "loss %s: delta=%g is not positive", row->name, x);
        spec->delta = x;
        return TW_OK;
    }
    return tw_err_set(err, TW_EINVAL, "loss %s takes no argument '%.*s'%s%s", row->name,
                      (int)(key < 40 ? key : 40), s, *row->arguments ? "; it takes " : "",
                      row->arguments);
}

enum tw_status tw_loss_parse(const char *text, struct tw_loss_spec *spec, struct tw_err *err)
{
    const size_t n = strlen(text), name = strcspn(text, "(");
    enum tw_status rc;

    *spec = (struct tw_loss_spec){ .ignore_index = -100, .delta = 1.0 };
    rc = find_kind(text, name, spec, err);
    if (rc != TW_OK || name == n)
        return rc;
    if (text[n - 1] != ')')
        return tw_err_set(err, TW_EINVAL, "loss '%.60s': ')' is missing at the end", text);
    for (const char *p = text + name + 1, *end = text + n - 1; p < end;) {
        size_t m;

        p += strspn(p, " ");
        m = strcspn(p, ",");
        if (m > (size_t)(end - p))
            m = (size_t)(end - p);
        rc = read_argument(p, m, spec, err);
        if (rc != TW_OK)
            return rc;
        p += m + 1;
    }
    return TW_OK;
}

void tw_loss_print(const struct tw_loss_spec *spec, struct tw_str *out)
{
    const char *sep = "(";

    tw_str_add(out, tw_losses[spec->kind].name);
    if (tw_losses[spec->kind].classes && spec->ignore_index != -100) {
        tw_str_addf(out, "%signore_index=%" PRId64, sep, spec->ignore_index);
        sep = ",";
    }
    if (spec->kind == TW_LOSS_CROSS_ENTROPY && spec->label_smoothing != 0.0) {
        tw_str_addf(out, "%slabel_smoothing=%.17g", sep, spec->label_smoothing);
        sep = ",";
    }
    if (spec->kind == TW_LOSS_HUBER && spec->delta != 1.0) {
        tw_str_addf(out, "%sdelta=%.17g", sep, spec->delta);
        sep = ",";
    }
    if (*sep == ',')
        tw_str_add(out, ")");
}
