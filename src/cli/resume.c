/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "resume.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Options that change no number of a result, or name inputs. */
static const char *const beside[] = { "output",        "force",          "threads",
                                      "json",          "quiet",          "verbose",
                                      "help",          "plot",           "figure",
                                      "venue",         "width",          "height",
                                      "font",          "format",         "show",
                                      "memory-limit",  "model",          "data",
                                      "labels",        "paths",          "weights",
                                      "workers",       "devices",        "evaluator-timeout",
                                      "evaluator-log", "direction-file", "save-directions" };

static bool counts(const char *line)
{
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        const size_t n = strlen(beside[i]);

        if (!strncmp(line, "--", 2) && !strncmp(line + 2, beside[i], n) && line[2 + n] == '=')
            return false;
    }
    return true;
}

/* A built-in network's name is no file with a digest. */
static bool is_input(const struct tw_cmd_provenance *p, const char *line, size_t n)
{
    for (size_t i = 0; i < p->record.ninputs; i++)
        if (strlen(p->paths[i]) == n && !strncmp(p->paths[i], line, n))
            return true;
    return false;
}

enum tw_status tw_resume_settings(const struct tw_cmd_provenance *p, struct tw_str *out,
                                  struct tw_err *err)
{
    static const char model[] = "--model=";

    for (const char *line = p->options.s; line && *line;) {
        const size_t n = strcspn(line, "\n");
        const bool named = !strncmp(line, model, sizeof model - 1) &&
                           !is_input(p, line + sizeof model - 1, n - (sizeof model - 1));

        if (counts(line) || named) {
            tw_str_addn(out, line, n);
            tw_str_add(out, "\n");
        }
        line += n + (line[n] == '\n');
    }
    for (size_t i = 0; i < p->record.ninputs; i++)
        tw_str_addf(out, "input %zu=%s\n", i + 1, p->digests[i]);
    return out->failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

/* The first line in which two texts differ. */
static enum tw_status compare(const char *path, const char *was, const char *is, struct tw_err *err)
{
    size_t n, m;

    while (*was && *is) {
        n = strcspn(was, "\n");
        m = strcspn(is, "\n");
        if (n != m || strncmp(was, is, n) != 0)
            break;
        was += n + (was[n] == '\n');
        is += m + (is[m] == '\n');
    }
    if (!strcmp(was, is))
        return TW_OK;
    n = strcspn(was, "\n");
    m = strcspn(is, "\n");
    return tw_err_set(err, TW_EINVAL,
                      "%s was made with other settings (%.*s there, %.*s now); give another -o, or "
                      "--force to begin anew",
                      path, n ? (int)(n < 90 ? n : 90) : 5, n ? was : "fewer",
                      m ? (int)(m < 90 ? m : 90) : 5, m ? is : "fewer");
}

enum tw_status tw_resume_check(const char *path, const char *kind, const char *settings,
                               bool *there, struct tw_err *err)
{
    struct tw_err why = { 0 };
    struct tw_result *r;
    char *was = NULL;
    enum tw_status rc;

    *there = access(path, F_OK) == 0;
    if (!*there)
        return TW_OK;
    r = tw_result_open(path, NULL, &why);
    if (!r) {
        rc = tw_result_check(path, true, err); /* a folder, a device? */
        return rc != TW_OK
                   ? rc
                   : tw_err_set(err, why.code, "this cannot be continued (--force replaces it): %s",
                                why.msg);
    }
    if (strcmp(tw_result_kind(r), kind) != 0)
        rc = tw_err_set(err, TW_EINVAL,
                        "%s is a result of kind '%s', and this one would be '%s'; give another -o, "
                        "or --force to replace it",
                        path, tw_result_kind(r), kind);
    else
        rc = tw_result_get_text(r, "/settings", &was, err);
    if (rc == TW_OK)
        rc = compare(path, was, settings, err);
    free(was);
    tw_result_done(r);
    return rc;
}
