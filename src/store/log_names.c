/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_names.h"

#include <string.h>

enum { MAX_NAME = 128 };

/* Lower case, words joined by single '_', none at the ends. */
static void normalise(const char *name, char out[MAX_NAME])
{
    size_t n = 0;
    bool gap = false;

    for (; *name && n + 2 < MAX_NAME; name++) {
        char c = *name;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        /* Bytes of UTF-8 letters are kept as they are. */
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80) {
            if (gap && n)
                out[n++] = '_';
            out[n++] = c;
            gap = false;
        } else {
            gap = true;
        }
    }
    out[n] = '\0';
}

static bool is_one_of(const char *s, size_t n, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == n && !memcmp(*list, s, n))
            return true;
    return false;
}

static bool has_word(const char *norm, const char *const *list)
{
    while (*norm) {
        size_t n = strcspn(norm, "_");

        if (is_one_of(norm, n, list))
            return true;
        norm += n + (norm[n] == '_');
    }
    return false;
}

static const char *const train_words[] = { "train", "training", "trainer", NULL };
static const char *const val_words[] = { "val",        "valid", "validation", "eval",
                                         "evaluation", "dev",   "heldout",    NULL };
static const char *const test_words[] = { "test", "testing", NULL };

/* Take away the words that say which data a number is of: "train_loss" becomes "loss". */
static void drop_split_words(char *norm)
{
    char *to = norm;

    for (const char *p = norm; *p;) {
        size_t n = strcspn(p, "_"), skip = n + (p[n] == '_');
        bool last = p[n] == '\0';

        if (!is_one_of(p, n, train_words) && !is_one_of(p, n, val_words) &&
            !is_one_of(p, n, test_words)) {
            if (to != norm)
                *to++ = '_';
            memmove(to, p, n);
            to += n;
        }
        if (last)
            break;
        p += skip;
    }
    *to = '\0';
}

/* In order of preference. */
static const struct {
    const char *name;
    enum tw_x_unit unit;
} axes[] = {
    { "step", TW_X_STEP },
    { "global_step", TW_X_STEP },
    { "iteration", TW_X_STEP },
    { "iter", TW_X_STEP },
    { "iterations", TW_X_STEP },
    { "update", TW_X_STEP },
    { "num_updates", TW_X_STEP },
    { "tokens", TW_X_TOKEN },
    { "tokens_seen", TW_X_TOKEN },
    { "total_tokens", TW_X_TOKEN },
    { "num_tokens", TW_X_TOKEN },
    { "num_input_tokens_seen", TW_X_TOKEN },
    { "consumed_tokens", TW_X_TOKEN },
    { "throughput_total_tokens", TW_X_TOKEN },
    { "samples", TW_X_SAMPLE },
    { "consumed_samples", TW_X_SAMPLE },
    { "samples_seen", TW_X_SAMPLE },
    { "examples", TW_X_SAMPLE },
    { "epoch", TW_X_EPOCH },
    { "epochs", TW_X_EPOCH },
    { "flops", TW_X_FLOP },
    { "total_flops", TW_X_FLOP },
    { "total_flos", TW_X_FLOP },
    { "time", TW_X_SECOND },
    { "wall_time", TW_X_SECOND },
    { "walltime", TW_X_SECOND },
    { "elapsed", TW_X_SECOND },
    { "runtime", TW_X_SECOND },
    { "relative_time_process", TW_X_SECOND },
    { "relative_time_wall", TW_X_SECOND },
    { "timestamp", TW_X_SECOND },
};

unsigned log_name_x_rank(const char *name, enum tw_x_unit *unit)
{
    char norm[MAX_NAME];

    normalise(name, norm);
    drop_split_words(norm);
    for (unsigned i = 0; i < sizeof axes / sizeof axes[0]; i++)
        if (!strcmp(norm, axes[i].name)) {
            *unit = axes[i].unit;
            return i + 1;
        }
    *unit = TW_X_UNKNOWN;
    return 0;
}

enum tw_quantity log_name_quantity(const char *name)
{
    static const char *const loss_words[] = { "nll", "ce", "xent", "trl", "tel", "bpb", NULL };
    static const char *const not_loss[] = { "scale", "scaler", "ppl",   "std",  "stderr",
                                            "lr",    "weight", "norms", "norm", NULL };
    static const char *const lr_words[] = { "lr", NULL };
    static const char *const not_lr[] = { "peak", "max",  "min",  "init",     "initial",
                                          "end",  "base", "loss", "cooldown", NULL };
    static const char *const accuracy_words[] = { "acc", "accuracy", NULL };
    static const char *const norm_words[] = { "norm", "gnorm", "gradnorm", NULL };
    static const char *const grad_words[] = { "grad", "gradient", "grads", NULL };
    char norm[MAX_NAME];

    normalise(name, norm);
    if ((has_word(norm, lr_words) || strstr(norm, "learning_rate") ||
         strstr(norm, "learningrate")) &&
        !has_word(norm, not_lr))
        return TW_Q_LR;
    if ((strstr(norm, "loss") || strstr(norm, "cross_entropy") || strstr(norm, "crossentropy") ||
         has_word(norm, loss_words)) &&
        !has_word(norm, not_loss))
        return TW_Q_LOSS;
    if (has_word(norm, norm_words) &&
        (has_word(norm, grad_words) || !strcmp(norm, "norm") || !strstr(norm, "_")))
        return TW_Q_GRAD_NORM;
    if (has_word(norm, accuracy_words))
        return TW_Q_ACCURACY;
    return TW_Q_OTHER;
}

enum tw_split log_name_split(const char *name)
{
    char norm[MAX_NAME];

    normalise(name, norm);
    if (has_word(norm, val_words) || !strcmp(norm, "tel")) /* llm.c: test loss, of its val set */
        return TW_SPLIT_VAL;
    if (has_word(norm, test_words))
        return TW_SPLIT_TEST;
    return has_word(norm, train_words) || !strcmp(norm, "trl") ? TW_SPLIT_TRAIN : TW_SPLIT_NONE;
}

unsigned log_name_plain(const char *name, enum tw_quantity q)
{
    static const char *const loss[] = {
        "loss", "lm_loss", "lm_loss_value", "loss_step",          "trl",
        "tel",  "ce_loss", "nll",           "cross_entropy_loss", "crossentropyloss"
    };
    static const char *const lr[] = { "lr", "learning_rate", "learningrate" };
    char norm[MAX_NAME];

    normalise(name, norm);
    drop_split_words(norm);
    if (q == TW_Q_LOSS)
        for (unsigned i = 0; i < sizeof loss / sizeof loss[0]; i++)
            if (!strcmp(norm, loss[i]))
                return i + 1;
    if (q == TW_Q_LR)
        for (unsigned i = 0; i < sizeof lr / sizeof lr[0]; i++)
            if (!strcmp(norm, lr[i]))
                return i + 1;
    return 0;
}

bool log_name_is_run(const char *name, size_t n)
{
    static const char *const list[] = { "run", "run_id", "run_name", "Run", NULL };

    return is_one_of(name, n, list);
}

bool log_name_alike(const char *a, const char *b)
{
    char na[MAX_NAME], nb[MAX_NAME];

    normalise(a, na);
    normalise(b, nb);
    return na[0] && !strcmp(na, nb);
}

const char *tw_x_unit_name(enum tw_x_unit u)
{
    static const char *const names[] = { "unknown", "step",   "token", "sample",
                                         "epoch",   "second", "flop" };

    return names[u];
}

const char *tw_split_name(enum tw_split s)
{
    static const char *const names[] = { "none", "train", "validation", "test" };

    return names[s];
}

const char *tw_quantity_name(enum tw_quantity q)
{
    static const char *const names[] = { "other", "loss", "learning rate", "gradient norm",
                                         "accuracy" };

    return names[q];
}
