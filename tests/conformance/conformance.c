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

enum { MOST_TESTS = 4096, MOST_OPS = 512, MOST_GROUPS = 8 };

static const char *const suites[] = { "node", "simple", "pytorch-operator", "pytorch-converted" };
enum { SUITES = sizeof suites / sizeof *suites };

struct count {
    size_t passed, failed, left;
};

struct row {
    char op[48];
    struct count by[MOST_BACKENDS];
};

struct excluded {
    char *test;
    const char *backend, *reason;
};

struct run {
    bool verbose;
    const struct rules *rules;
    const char *pattern;
    struct row row[MOST_OPS];
    size_t nrow;
    struct excluded excluded[MOST_BACKENDS * MOST_TESTS];
    size_t nexcluded;
    struct count suite[MOST_BACKENDS][SUITES], group[MOST_BACKENDS][MOST_GROUPS], all;
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

/* The data store bfloat16 as the integers of its bits: take the type from the network. */
static void retype(struct tw_array *a, enum tw_dtype declared)
{
    if (a->dtype == TW_U16 && declared == TW_BF16)
        a->dtype = TW_BF16;
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
           read_arrays(folder, "output", net->noutput, want, &err) == TW_OK;
    for (size_t k = 0; good && k < net->ninput; k++)
        retype(&in[k], net->value[net->input[k]].dtype);
    good = good && b->run(net, in, got, &err) == TW_OK;
    for (size_t k = 0; good && k < net->noutput; k++)
        retype(&want[k], got[k].dtype);
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

enum outcome { PASSED, FAILED, LEFT };

static void tally(struct count *c, enum outcome what)
{
    *(what == PASSED ? &c->passed : what == FAILED ? &c->failed : &c->left) += 1;
}

/* One test through one backend. net is NULL if it was not readable: `why` says so. */
static enum outcome run_test(struct run *run, const struct backend *b, const char *test,
                             const char *folder, const struct tw_net *net, struct tw_str *why)
{
    const char *reason = rules_excluded(run->rules, b->name, test, net);

    if (!reason && b->like)
        reason = rules_excluded(run->rules, b->like, test, net);
    if (reason) {
        run->excluded[run->nexcluded++] = (struct excluded){ tw_strdup(test), b->name, reason };
        return LEFT;
    }
    if (net && run_sets(b, net, folder, why))
        return PASSED;
    printf("failed: %s (%s)%s%s\n", test, b->name, run->verbose ? ": " : "",
           run->verbose && why->s ? why->s : "");
    return FAILED;
}

static void run_folder(struct run *run, size_t suite, const char *test, const char *folder)
{
    char path[1024];
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;
    struct row *row;
    int group;

    (void)snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (tw_store_net_read(path, &net, NULL, &err) != TW_OK)
        net = NULL;
    row = row_of(run, net);
    group = net && suite == 0 ? rules_group(run->rules, net) : -1;
    for (size_t b = 0; backends[b].name; b++) {
        struct tw_str why = { 0 };
        enum outcome what;

        if (!net)
            tw_str_add(&why, err.msg);
        what = run_test(run, &backends[b], test, folder, net, &why);
        tally(&row->by[b], what);
        tally(&run->suite[b][suite], what);
        tally(&run->all, what);
        for (size_t g = 0; group >= 0 && g < rules_ngroup(run->rules) && g < MOST_GROUPS; g++)
            if ((int)g >= group)
                tally(&run->group[b][g], what);
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
            run_folder(run, suite, test, path);
        free(name[i]);
    }
    return n > 0;
}

/* By reason, each with the names of its tests. */
static void print_excluded(const struct run *run)
{
    for (size_t i = 0; i < run->nexcluded; i++) {
        const struct excluded *e = &run->excluded[i];
        bool first = true;

        for (size_t k = 0; k < i; k++)
            first = first && (run->excluded[k].reason != e->reason ||
                              run->excluded[k].backend != e->backend);
        if (!first)
            continue;
        printf("left out (%s): %s\n", e->backend, e->reason);
        for (size_t k = i; k < run->nexcluded; k++)
            if (run->excluded[k].reason == e->reason && run->excluded[k].backend == e->backend)
                printf("    %s\n", run->excluded[k].test);
    }
}

static void print_count(const struct count *c)
{
    char text[48];

    if (c->left)
        (void)snprintf(text, sizeof text, "%zu of %zu, %zu left out", c->passed,
                       c->passed + c->failed, c->left);
    else
        (void)snprintf(text, sizeof text, "%zu of %zu", c->passed, c->passed + c->failed);
    printf("  %-28s", text);
}

static void print_table(struct run *run)
{
    qsort(run->row, run->nrow, sizeof *run->row, by_op);
    printf("\n%-34s", "operator");
    for (size_t b = 0; backends[b].name; b++)
        printf("  %-28s", backends[b].name);
    for (size_t i = 0; i < run->nrow; i++) {
        printf("\n%-34s", run->row[i].op);
        for (size_t b = 0; backends[b].name; b++)
            print_count(&run->row[i].by[b]);
    }
    printf("\n");
    for (size_t s = 0; s < SUITES; s++) {
        printf("\n%-34s", suites[s]);
        for (size_t b = 0; backends[b].name; b++)
            print_count(&run->suite[b][s]);
    }
    for (size_t g = 0; g < rules_ngroup(run->rules) && g < MOST_GROUPS; g++) {
        printf("\nnode, operators: %-17s", rules_group_name(run->rules, g));
        for (size_t b = 0; backends[b].name; b++)
            print_count(&run->group[b][g]);
    }
    printf("\n\n");
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
