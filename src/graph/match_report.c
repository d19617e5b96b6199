/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said about a match. */
#include <stdlib.h>

#include "match.h"

enum { FEW = 3 };

bool match_add(struct tw_match_list *l, const char *fmt, ...)
{
    struct tw_str s = { 0 };
    va_list ap;

    va_start(ap, fmt);
    tw_str_vaddf(&s, fmt, ap);
    va_end(ap);
    if (s.failed || !tw_grow(&l->text, l->n, &l->cap, sizeof *l->text)) {
        tw_str_release(&s);
        return false;
    }
    l->text[l->n++] = s.s;
    return true;
}

/* "a, b, c and 4 more" */
static void few(const struct tw_match_list *l, struct tw_str *s)
{
    for (size_t i = 0; i < l->n && i < FEW; i++)
        tw_str_addf(s, "%s%.100s", i ? ", " : "", l->text[i]);
    if (l->n > FEW)
        tw_str_addf(s, " and %zu more", l->n - FEW);
}

void tw_match_release(struct tw_match *report)
{
    for (int k = 0; k < TW_NMATCH; k++) {
        for (size_t i = 0; i < report->list[k].n; i++)
            free(report->list[k].text[i]);
        free(report->list[k].text);
    }
    free(report->part);
    *report = (struct tw_match){ 0 };
}

enum tw_status match_verdict(const struct tw_match *report, size_t n, struct tw_err *err)
{
    const struct tw_match_list *absent = &report->list[TW_MATCH_MISSING],
                               *shape = &report->list[TW_MATCH_SHAPE],
                               *extra = &report->list[TW_MATCH_EXTRA];
    struct tw_str s = { 0 };
    enum tw_status rc;

    if (absent->n == 0 && shape->n == 0)
        return TW_OK;
    if (absent->n) {
        tw_str_addf(&s, "%zu of %zu tensors are not in the checkpoint: ", absent->n, n);
        few(absent, &s);
    }
    if (shape->n) {
        tw_str_addf(&s, "%s%zu of %zu tensors have another shape: ", absent->n ? "; " : "",
                    shape->n, n);
        few(shape, &s);
    }
    if (absent->n && extra->n) {
        tw_str_add(&s, "; the network has no place for ");
        few(extra, &s);
    }
    rc = s.failed ? tw_err_set(err, TW_ENOMEM, "out of memory")
                  : tw_err_set(err, TW_EFORMAT, "%s", s.s);
    tw_str_release(&s);
    return rc;
}

void tw_match_remarks(const struct tw_match *report, struct tw_str *remarks)
{
    static const struct {
        enum tw_match_what what;
        const char *before, *after;
    } lines[] = {
        { TW_MATCH_OTHER, "other parts of the checkpoint fit as well (--state-key): ", "" },
        { TW_MATCH_TIED, "tied in the network: ", "" },
        { TW_MATCH_UNTIED, "tied in the network, but different in the checkpoint: ",
          "; the first of each was taken" },
        { TW_MATCH_KEPT, "not in the checkpoint and left as in the network: ", "" },
        { TW_MATCH_EXTRA, "in the checkpoint, but not in the network: ", "" },
    };

    if (report->part && *report->part)
        tw_str_addf(remarks, "the weights are those under '%s' of the checkpoint.\n", report->part);
    if (report->renamed)
        tw_str_addf(remarks,
                    "%zu names fit without the wrappers (module., _orig_mod., model.) at their "
                    "start.\n",
                    report->renamed);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (report->list[lines[i].what].n) {
            tw_str_add(remarks, lines[i].before);
            few(&report->list[lines[i].what], remarks);
            tw_str_addf(remarks, "%s.\n", lines[i].after);
        }
}
