/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text, by the user's rule: each named group of a matching line is a number of its row;
 * a group called run names the run. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <string.h>

#include "log_names.h"
#include "log_reader.h"

/* A rule with nested repeats may try exponentially many ways on one line: stop it after as
 * many steps as no sensible rule needs. */
enum { MATCH_LIMIT = 1000000, DEPTH_LIMIT = 10000, HEAP_LIMIT_KIB = 65536 };

struct rule {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    uint32_t ngroups, entry_size;
    PCRE2_SPTR names; /* ngroups entries: group number, high byte first; name; NUL */
};

static void rule_release(struct rule *r)
{
    pcre2_match_context_free(r->limits);
    pcre2_match_data_free(r->match);
    pcre2_code_free(r->code);
}

static enum tw_status rule_compile(struct rule *r, const char *pattern, struct tw_err *err)
{
    PCRE2_SIZE at = 0;
    int why = 0;

    r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &why, &at, NULL);
    if (!r->code) {
        PCRE2_UCHAR text[128] = { 0 };

        (void)pcre2_get_error_message(why, text, sizeof text);
        return tw_err_set(err, TW_EINVAL, "--regex '%s': at character %zu: %s", pattern,
                          (size_t)at + 1, (const char *)text);
    }
    (void)pcre2_pattern_info(r->code, PCRE2_INFO_NAMECOUNT, &r->ngroups);
    (void)pcre2_pattern_info(r->code, PCRE2_INFO_NAMEENTRYSIZE, &r->entry_size);
    (void)pcre2_pattern_info(r->code, PCRE2_INFO_NAMETABLE, &r->names);
    if (r->ngroups == 0)
        return tw_err_set(err, TW_EINVAL,
                          "--regex '%s' has no named group; name the numbers, as in "
                          "'step (?<step>\\d+) loss (?<loss>[\\d.]+)'",
                          pattern);
    r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (!r->match || !r->limits)
        return log_out_of_memory(err);
    (void)pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(r->limits, HEAP_LIMIT_KIB);
    /* Three times as fast where it is available; without it the rule works all the same. */
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
    return TW_OK;
}

/* The text of the k-th named group; false if it took no part in the match. */
static bool group(const struct rule *r, uint32_t k, const struct log_text *line, const char **name,
                  struct log_text *value)
{
    PCRE2_SPTR entry = r->names + (size_t)k * r->entry_size;
    size_t number = (size_t)entry[0] << 8 | entry[1];
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);

    *name = (const char *)entry + 2;
    if (v[2 * number] == PCRE2_UNSET || v[2 * number + 1] < v[2 * number])
        return false;
    *value = (struct log_text){ line->s + v[2 * number], v[2 * number + 1] - v[2 * number] };
    return true;
}

static enum tw_status put_groups(const struct rule *r, struct log_table *t,
                                 const struct log_text *line, size_t *bad, struct tw_err *err)
{
    struct log_text value;
    const char *name;
    enum tw_status rc = TW_OK;

    log_table_row(t);
    for (uint32_t k = 0; k < r->ngroups && rc == TW_OK; k++)
        if (group(r, k, line, &name, &value) && log_name_is_run(name, strlen(name)))
            rc = log_table_run(t, value.s, value.n, err);
    for (uint32_t k = 0; k < r->ngroups && rc == TW_OK; k++) {
        double y;

        if (!group(r, k, line, &name, &value) || log_name_is_run(name, strlen(name)))
            continue;
        if (value.n && log_number(value.s, value.s + value.n, true, &y) == value.s + value.n)
            rc = log_table_put(t, name, strlen(name), y, err);
        else
            ++*bad;
    }
    return rc;
}

static enum tw_status read_lines(const struct rule *r, struct log_table *t,
                                 const struct log_text *text, struct tw_err *err)
{
    struct log_text line;
    size_t at = 0, bad = 0;

    while (log_line_next(text, &at, &line)) {
        int n = pcre2_match(r->code, (PCRE2_SPTR)line.s, line.n, 0, 0, r->match, r->limits);

        if (n == PCRE2_ERROR_NOMATCH) {
            t->log->lines_ignored += line.n > 0;
        } else if (n < 0) {
            PCRE2_UCHAR why[128] = { 0 };

            (void)pcre2_get_error_message(n, why, sizeof why);
            return tw_err_set(err, TW_EFORMAT,
                              "line %zu: the rule of --regex cannot be applied: %s; make it "
                              "stricter",
                              log_line_number(text, at - 1), (const char *)why);
        } else {
            enum tw_status rc = put_groups(r, t, &line, &bad, err);

            if (rc != TW_OK)
                return rc;
        }
    }
    if (bad)
        log_table_note(t, "%zu named group%s left out: no number", bad, tw_plural(bad));
    if (!(t->row > 0.0))
        return tw_err_set(err, TW_EFORMAT, "no line matches the rule of --regex '%s'",
                          t->opts->regex);
    return TW_OK;
}

enum tw_status log_regex_read(struct log_table *t, const struct log_text *text, struct tw_err *err)
{
    struct rule r = { 0 };
    enum tw_status rc = rule_compile(&r, t->opts->regex, err);

    if (rc == TW_OK)
        rc = read_lines(&r, t, text, err);
    rule_release(&r);
    return rc;
}
