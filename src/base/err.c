/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/base.h"

#include <stdio.h>
#include <string.h>

#undef tw_err_set /* what the analyzer is told; this is the truth */
#undef tw_err_ctx

enum tw_status tw_err_set(struct tw_err *err, enum tw_status code, const char *fmt, ...)
{
    va_list ap;

    if (!err || err->code != TW_OK)
        return code;
    err->code = code;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
}

enum tw_status tw_err_ctx(struct tw_err *err, enum tw_status code, const char *fmt, ...)
{
    char head[sizeof err->msg];
    size_t nhead, ntail;
    va_list ap;

    if (!err)
        return code;
    if (err->code == TW_OK)
        (void)tw_err_set(err, code, "failed with status %d", (int)code);
    va_start(ap, fmt);
    (void)vsnprintf(head, sizeof head - 2, fmt, ap);
    va_end(ap);
    nhead = strlen(head);
    head[nhead++] = ':';
    head[nhead++] = ' ';
    /* A message too long for both keeps its end cut: the context names the file. */
    ntail = strlen(err->msg);
    if (nhead + ntail >= sizeof err->msg)
        ntail = sizeof err->msg - 1 - nhead;
    memmove(err->msg + nhead, err->msg, ntail);
    memcpy(err->msg, head, nhead);
    err->msg[nhead + ntail] = '\0';
    return code;
}
