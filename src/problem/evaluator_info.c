/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an evaluator says of itself, and what it has printed. */
#include <unistd.h>

#include "evaluator.h"
#include "thalweg/problem_evaluator.h"

struct tw_evaluator_info tw_evaluator_info(const struct tw_problem *p)
{
    const struct tw_pool *e = (const struct tw_pool *)p;
    const struct tw_twep_greeting *g = &e->greeting;

    return (struct tw_evaluator_info){
        .name = g->name,
        .data = g->data,
        .real64 = g->real64,
        .samples = g->can & TW_TWEP_SAMPLES,
        .grad = g->can & TW_TWEP_GRAD,
        .jvp = g->can & TW_TWEP_JVP,
        .hvp = g->can & TW_TWEP_HVP,
        .classes = p->width ? g->classes : 0,
        .logit_jvp = p->width && (g->can & TW_TWEP_LOGIT_JVP),
        .labels = p->width && (g->can & TW_TWEP_LABELS),
        .checkpoints = g->ncheckpoint,
        .restarts = e->restarts,
    };
}

const char *tw_evaluator_checkpoint(const struct tw_problem *p, size_t i)
{
    const struct tw_twep_greeting *g = &((const struct tw_pool *)p)->greeting;

    return i < g->ncheckpoint ? g->checkpoint[i] : NULL;
}

void tw_evaluator_tail(const struct tw_problem *p, struct tw_str *out)
{
    enum { MOST = 8192, LINES = 20 };
    const int fd = ((const struct tw_pool *)p)->log;
    const off_t end = lseek(fd, 0, SEEK_END);
    char text[MOST];
    size_t n = 0, from, lines = 0;

    if (end > 0) {
        const ssize_t m = pread(fd, text, MOST, end > MOST ? end - MOST : 0);

        n = m > 0 ? (size_t)m : 0;
    }
    while (n > 0 && text[n - 1] == '\n')
        n--;
    for (from = n; from > 0; from--)
        if (text[from - 1] == '\n' && ++lines == LINES)
            break;
    tw_str_addn(out, text + from, n - from);
}
