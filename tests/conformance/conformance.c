/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs ONNX's own tests (Debian: libonnx-testdata) and prints a table by operator.
 *
 *   conformance [-v] RULES DATA [PATTERN]
 *
 * -v: why tests fail. PATTERN: only tests of such names ("node/test_add*"). Exit code 1 if a test
 * fails or a rule fits no test. */
#include "conformance.h"
#include "thalweg/store_net.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TESTS = 4096, MOST_OPS = 512 };

static const char *const suites[] = { "node", "simple", "pytorch-operator", "pytorch-converted" };
enum { SUITES = sizeof suites / sizeof *suites };

struct count {
    size_t passed, failed;
};

struct row {
    char op[48];
    size_t excluded;
    struct count by[MOST_BACKENDS];
};

struct excluded {
    char *test;
    const char *reason;
};

struct run {
    bool verbose;
    const struct rules *rules;
    const char *pattern;
    struct row row[MOST_OPS];
    size_t nrow;
    struct excluded excluded[MOST_TESTS];
    size_t nexcluded;
    struct count suite[SUITES], group[8];
    size_t in_group[8];
    struct count all;
};

/* ---- one test -------------------------------------------------------------------------------- */

/* NAME_k.pb for k = 0, 1, ... */
static enum tw_status read_arrays(const char *folder, const char *name, size_t n,
                                  struct tw_array *a, struct tw_err *err)
{
    for (size_t k = 0; k < n; k++) {
        char path[1024];
        enum tw_status rc;

        (void)snprintf(path, sizeof path, "%s/%s_%zu.pb", folder, name, k);
        rc = tw_store_array_read(path, &a[k], err);
        if (rc != TW_OK)
            return rc;
    }
    return TW_OK;
}

static bool there(const char *path)
{
    FILE *f = fopen(path, "r");

    if (f)
        (void)fclose(f);
    return f != NULL;
}

/* One set of data through one backend. */
static bool run_set(const struct backend *b, const struct tw_net *net, const char *folder,
                    struct tw_str *why)
{
    struct tw_array in[MOST_PORTS] = { { 0 } }, want[MOST_PORTS] = { { 0 } },
                    got[MOST_PORTS] = { { 0 } };
    struct tw_err err = { 0 };
    bool good = net->ninput <= MOST_PORTS && net->noutput <= MOST_PORTS;

    good = good && read_arrays(folder, "input", net->ninput, in, &err) == TW_OK &&
           read_arrays(folder, "output", net->noutput, want, &err) == TW_OK &&
           b->run(net, in, got, &err) == TW_OK;
    if (!good)
        tw_str_add(why, err.code ? err.msg : "too many inputs or outputs");
    for (size_t k = 0; good && k < net->noutput; k++)
        good = same_array(&got[k], &want[k], why);
    for (size_t k = 0; k < MOST_PORTS; k++) {
        tw_array_release(&in[k]);
        tw_array_release(&want[k]);
        tw_array_release(&got[k]);
    }
    return good;
}

static bool run_sets(const struct backend *b, const struct tw_net *net, const char *folder,
                     struct tw_str *why)
{
    size_t k = 0;

    for (;; k++) {
        char path[900], first[1024];

        (void)snprintf(path, sizeof path, "%s/test_data_set_%zu", folder, k);
        (void)snprintf(first, sizeof first, "%s/output_0.pb", path);
        if (!there(first))
            break;
        if (!run_set(b, net, path, why))
            return false;
    }
    if (k == 0)
        tw_str_add(why, "without data");
    return k > 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* Tests of one operator stand in its row; of networks, in one row for all. */
static struct row *row_of(struct run *run, const struct tw_net *net)
{
    const char *op = net && net->nnode > 0 ? net->node[0].op : "(not read)";
    size_t i = 0;

    for (size_t k = 1; net && k < net->nnode; k++)
        if (strcmp(net->node[k].op, "Constant") != 0 && strcmp(net->node[k].op, op) != 0)
            op = strcmp(op, "Constant") == 0 ? net->node[k].op : "(several)";
    while (i < run->nrow && strcmp(run->row[i].op, op) != 0)
        i++;
    if (i == MOST_OPS) {
        fprintf(stderr, "conformance: more than %d operators\n", MOST_OPS);
        exit(3);
    }
    if (i == run->nrow)
        (void)snprintf(run->row[run->nrow++].op, sizeof run->row[i].op, "%s", op);
    return &run->row[i];
}

static void tally(struct count *c, bool good)
{
    *(good ? &c->passed : &c->failed) += 1;
}

static void run_test(struct run *run, size_t suite, const char *test, const char *folder)
{
    char path[1024];
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;
    const char *reason;
    struct row *row;
    int group;

    (void)snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (tw_store_net_read(path, &net, NULL, &err) != TW_OK)
        net = NULL;
    reason = rules_excluded(run->rules, test, net);
    row = row_of(run, net);
    group = net ? rules_group(run->rules, net) : -1;
    for (size_t g = 0; group >= 0 && suite == 0 && g < rules_ngroup(run->rules); g++)
        run->in_group[g] += (int)g >= group;
    if (reason) {
        row->excluded++;
        run->excluded[run->nexcluded].test = tw_strdup(test);
        run->excluded[run->nexcluded++].reason = reason;
    }
    for (size_t b = 0; !reason && backends[b].name; b++) {
        struct tw_str why = { 0 };
        bool good = net != NULL;

        if (net)
            good = run_sets(&backends[b], net, folder, &why);
        else
            tw_str_add(&why, err.msg);
        tally(&row->by[b], good);
        tally(&run->all, good);
        if (b == 0)
            tally(&run->suite[suite], good);
        for (size_t g = 0; b == 0 && group >= 0 && suite == 0 && g < rules_ngroup(run->rules); g++)
            if ((int)g >= group)
                tally(&run->group[g], good);
        if (!good)
            printf("failed: %s (%s)%s%s\n", test, backends[b].name, run->verbose ? ": " : "",
                   run->verbose && why.s ? why.s : "");
        tw_str_release(&why);
    }
    tw_net_free(net);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_op(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->op, ((const struct row *)b)->op);
}

static bool run_suite(struct run *run, const char *data, size_t suite)
{
    char folder[512];
    char *name[MOST_TESTS];
    size_t n = 0;
    struct dirent *entry;
    DIR *dir;

    (void)snprintf(folder, sizeof folder, "%s/%s", data, suites[suite]);
    dir = opendir(folder);
    while (dir && (entry = readdir(dir)) && n < MOST_TESTS)
        if (strncmp(entry->d_name, "test_", 5) == 0)
            name[n++] = tw_strdup(entry->d_name);
    if (dir)
        (void)closedir(dir);
    qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n; i++) {
        char test[512], path[800];

        (void)snprintf(test, sizeof test, "%s/%.200s", suites[suite], name[i]);
        (void)snprintf(path, sizeof path, "%s/%.200s", folder, name[i]);
        if (!run->pattern || fnmatch(run->pattern, test, 0) == 0)
            run_test(run, suite, test, path);
        free(name[i]);
    }
    return n > 0;
}

static void print_excluded(const struct run *run)
{
    for (size_t i = 0; i < run->nexcluded; i++) {
        const char *reason = run->excluded[i].reason;
        bool first = true;

        for (size_t k = 0; k < i; k++)
            first = first && strcmp(run->excluded[k].reason, reason) != 0;
        if (!first)
            continue;
        printf("left out: %s\n", reason);
        for (size_t k = i; k < run->nexcluded; k++)
            if (strcmp(run->excluded[k].reason, reason) == 0)
                printf("    %s\n", run->excluded[k].test);
    }
}

static void print_table(struct run *run)
{
    qsort(run->row, run->nrow, sizeof *run->row, by_op);
    printf("\n%-28s", "operator");
    for (size_t b = 0; backends[b].name; b++)
        printf("%20s", backends[b].name);
    printf("%10s\n", "left out");
    for (size_t i = 0; i < run->nrow; i++) {
        char text[32];

        printf("%-28s", run->row[i].op);
        for (size_t b = 0; backends[b].name; b++) {
            const struct count *c = &run->row[i].by[b];

            (void)snprintf(text, sizeof text, "%zu of %zu", c->passed, c->passed + c->failed);
            printf("%20s", c->passed + c->failed ? text : "-");
        }
        if (run->row[i].excluded)
            printf("%10zu", run->row[i].excluded);
        printf("\n");
    }
    printf("\n");
    for (size_t s = 0; s < SUITES; s++)
        printf("%-28s%8zu passed, %zu failed\n", suites[s], run->suite[s].passed,
               run->suite[s].failed);
    for (size_t g = 0; g < rules_ngroup(run->rules); g++)
        printf("node, %-22s%8zu passed, %zu failed, of %zu\n", rules_group_name(run->rules, g),
               run->group[g].passed, run->group[g].failed, run->in_group[g]);
    printf("left out%28zu\n\n", run->nexcluded);
}

int main(int argc, char **argv)
{
    static struct run run;
    struct tw_err err = { 0 };
    struct rules *rules;
    const char *unused;
    bool found = false;

    tw_library_init();
    if (argc > 1 && strcmp(argv[1], "-v") == 0) {
        run.verbose = true;
        argc--;
        argv++;
    }
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: conformance [-v] RULES DATA [PATTERN]\n");
        return 2;
    }
    rules = rules_read(argv[1], &err);
    if (!rules) {
        fprintf(stderr, "conformance: %s\n", err.msg);
        return 3;
    }
    run.rules = rules;
    run.pattern = argc == 4 ? argv[3] : NULL;
    for (size_t s = 0; s < SUITES; s++)
        found = run_suite(&run, argv[2], s) || found;
    print_excluded(&run);
    print_table(&run);
    unused = run.pattern || !found ? NULL : rules_unused(rules);
    if (unused)
        printf("the rule for '%s' fits no test\n", unused);
    if (!found)
        printf("no tests in %s\n", argv[2]);
    printf("%zu passed, %zu failed\n", run.all.passed, run.all.failed);
    for (size_t i = 0; i < run.nexcluded; i++)
        free(run.excluded[i].test);
    rules_free(rules);
    return run.all.failed || unused || !found;
}
