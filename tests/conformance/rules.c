/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of what is left out; see rules.txt for its lines. */
#include "conformance.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    bool by_operator;
    char backend[16]; /* "": all */
    char *pattern, *reason;
    bool used;
};
struct group {
    char *name, *ops; /* " Add Sub " */
};
struct rules {
    size_t n, cap, ngroup, cap_group;
    struct rule *rule;
    struct group *group;
};

void rules_free(struct rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        free(r->rule[i].pattern);
        free(r->rule[i].reason);
    }
    for (size_t i = 0; i < r->ngroup; i++) {
        free(r->group[i].name);
        free(r->group[i].ops);
    }
    free(r->rule);
    free(r->group);
    free(r);
}

/* "op PATTERN REASON", "test PATTERN REASON", "group NAME OPERATORS". */
static bool add(struct rules *r, const char *kind, const char *word, const char *rest)
{
    const char *backend = strchr(kind, ':');
    char *first = tw_strdup(word), *second;

    if (strcmp(kind, "group") == 0) {
        struct tw_str s = { 0 };

        /* the name goes on for the operators of a group that is there already */
        tw_str_addf(&s, " %s ", rest);
        second = s.s;
        if (r->ngroup > 0 && strcmp(r->group[r->ngroup - 1].name, word) == 0) {
            struct tw_str both = { 0 };

            tw_str_addf(&both, "%s%s", r->group[r->ngroup - 1].ops, second);
            free(r->group[r->ngroup - 1].ops);
            r->group[r->ngroup - 1].ops = both.s;
            free(first);
            free(second);
            return both.s != NULL;
        }
        if (!first || !second || !tw_grow(&r->group, r->ngroup, &r->cap_group, sizeof *r->group))
            return false;
        r->group[r->ngroup++] = (struct group){ first, second };
        return true;
    }
    second = tw_strdup(rest);
    if (!first || !second || !tw_grow(&r->rule, r->n, &r->cap, sizeof *r->rule))
        return false;
    r->rule[r->n] = (struct rule){ kind[0] == 'o', "", first, second, false };
    if (backend)
        (void)snprintf(r->rule[r->n].backend, sizeof r->rule[r->n].backend, "%s", backend + 1);
    r->n++;
    return true;
}

struct rules *rules_read(const char *path, struct tw_err *err)
{
    struct rules *r = tw_alloc(1, sizeof *r);
    FILE *f = fopen(path, "r");
    char line[512], kind[24], word[128];
    int at;

    if (!r || !f) {
        (void)tw_err_set(err, TW_EIO, "%s cannot be read", path);
        goto failed;
    }
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        if (sscanf(line, "%23s %127s %n", kind, word, &at) != 2 ||
            (strcspn(kind, ":") != 2 && strncmp(kind, "test", 4) != 0 &&
             strcmp(kind, "group") != 0) ||
            !add(r, kind, word, line + at)) {
            (void)tw_err_set(err, TW_EFORMAT, "%s: not understood: %s", path, line);
            goto failed;
        }
    }
    (void)fclose(f);
    return r;
failed:
    if (f)
        (void)fclose(f);
    rules_free(r);
    return NULL;
}

const char *rules_excluded(const struct rules *r, const char *backend, const char *test,
                           const struct tw_net *net)
{
    for (size_t i = 0; i < r->n; i++) {
        struct rule *rule = &r->rule[i];
        bool hit = false;

        if (*rule->backend && strcmp(rule->backend, backend) != 0)
            continue;
        hit = !rule->by_operator && fnmatch(rule->pattern, test, 0) == 0;

        for (size_t k = 0; rule->by_operator && net && !hit && k < net->nnode; k++)
            hit = fnmatch(rule->pattern, net->node[k].op, 0) == 0;
        if (hit) {
            rule->used = true;
            return rule->reason;
        }
    }
    return NULL;
}

const char *rules_unused(const struct rules *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (!r->rule[i].used)
            return r->rule[i].pattern;
    return NULL;
}

int rules_group(const struct rules *r, const struct tw_net *net)
{
    int widest = 0;

    for (size_t k = 0; k < net->nnode; k++) {
        size_t g = 0;
        char op[64];

        (void)snprintf(op, sizeof op, " %s ", net->node[k].op);
        while (g < r->ngroup && !strstr(r->group[g].ops, op))
            g++;
        if (g == r->ngroup)
            return -1;
        widest = (int)g > widest ? (int)g : widest;
    }
    return widest;
}

size_t rules_ngroup(const struct rules *r)
{
    return r->ngroup;
}

const char *rules_group_name(const struct rules *r, size_t group)
{
    return r->group[group].name;
}
