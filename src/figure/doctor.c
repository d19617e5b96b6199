/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fig.h"

#include <string.h>

/* The terminals that figures and previews use. */
static const char *const wanted[] = { "pdfcairo", "pngcairo",   "svg",     "epscairo",
                                      "dumb",     "cairolatex", "sixelgd", NULL };

enum tw_status tw_figure_doctor(struct tw_str *version, struct tw_str *terminals,
                                struct tw_err *err)
{
    struct tw_str log = { 0 }, all = { 0 };
    enum tw_status st;

    st = fig_run((const char *const[]){ "gnuplot", "--version", NULL }, NULL, version, &log, err);
    while (st == TW_OK && version->n && version->s[version->n - 1] == '\n')
        version->s[--version->n] = '\0';
    tw_str_clear(&log);
    if (st == TW_OK)
        st = fig_run((const char *const[]){ "gnuplot", "-d", "-e", "print GPVAL_TERMINALS", NULL },
                     NULL, &all, &log, err);
    /* print goes to stderr; the list is parted by blanks. */
    for (size_t i = 0; st == TW_OK && wanted[i] && log.s; i++) {
        size_t n = strlen(wanted[i]);
        const char *at = log.s;

        while ((at = strstr(at, wanted[i])) &&
               !((at == log.s || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\n' || !at[n])))
            at += n;
        tw_str_addf(terminals, "%s%s%s", i ? " " : "", wanted[i], at ? "" : " (missing)");
    }
    tw_str_release(&log);
    tw_str_release(&all);
    return st;
}
