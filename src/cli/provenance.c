/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "provenance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* "GSL 2.7.1, HDF5 1.10.8, ..." */
static void list_libraries(struct tw_str *out)
{
    enum { MAX = 16 };
    struct tw_library_part parts[MAX];
    const size_t n = tw_library_parts(parts, MAX);

    for (size_t i = 0; i < n && i < MAX; i++)
        tw_str_addf(out, "%s%s %s", i ? ", " : "", parts[i].name, parts[i].version);
}

enum tw_status tw_cmd_provenance_start(struct tw_cmd_provenance *p, const struct tw_call *call,
                                       struct tw_err *err)
{
    tw_str_add(&p->options, "");
    tw_opt_record(call->cmd->opts, call->cmd->uses, &call->common, call->opts, &p->options);
    list_libraries(&p->libraries);
    if (p->options.failed || p->libraries.failed)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    p->record.libraries = p->libraries.s;
    p->record.command = call->command_line.s;
    p->record.options = p->options.s;
    p->record.seed = call->common.seed;
    p->record.threads = call->common.threads;
    return TW_OK;
}

static void point_at_inputs(struct tw_cmd_provenance *p, size_t n)
{
    p->record.ninputs = n;
    p->record.input_paths = (const char *const *)p->paths;
    p->record.input_digests = (const char *const *)p->digests;
}

/* ---- digests beside other work -------------------------------------------------------------- */

struct digest_ahead {
    pthread_t thread;
    char *path;
    char hex[TW_DIGEST_HEX];
    enum tw_status rc;
    struct tw_err err;
    atomic_bool unwanted;
};

static bool is_unwanted(void *ctx)
{
    struct digest_ahead *a = ctx;

    return atomic_load(&a->unwanted);
}

static void *digest(void *ctx)
{
    struct digest_ahead *a = ctx;

    a->rc = tw_digest_until(a->path, is_unwanted, a, a->hex, &a->err);
    return NULL;
}

/* Waits for it; NULL or where the result goes. */
static enum tw_status end_ahead(struct tw_cmd_provenance *p, char *hex, struct tw_err *err)
{
    struct digest_ahead *a = p->ahead;
    enum tw_status rc;

    (void)pthread_join(a->thread, NULL);
    rc = a->rc == TW_OK ? TW_OK : tw_err_set(err, a->rc, "%s", a->err.msg);
    if (hex)
        memcpy(hex, a->hex, sizeof a->hex);
    free(a->path);
    free(a);
    p->ahead = NULL;
    return rc;
}

static void drop_ahead(struct tw_cmd_provenance *p)
{
    if (!p->ahead)
        return;
    atomic_store(&p->ahead->unwanted, true);
    (void)end_ahead(p, NULL, NULL);
}

static bool is_input(const struct tw_cmd_provenance *p, const char *path)
{
    for (size_t i = 0; i < p->record.ninputs; i++)
        if (!strcmp(p->paths[i], path))
            return true;
    return false;
}

void tw_cmd_provenance_ahead(struct tw_cmd_provenance *p, const char *path)
{
    struct digest_ahead *a;
    struct stat st;

    drop_ahead(p);
    /* A pipe can be read once. */
    if (p->record.threads < 2 || is_input(p, path) || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    a = tw_alloc(1, sizeof *a);
    if (!a)
        return;
    a->path = tw_strdup(path);
    if (a->path && pthread_create(&a->thread, NULL, digest, a) == 0) {
        p->ahead = a;
        return;
    }
    free(a->path);
    free(a);
}

enum tw_status tw_cmd_provenance_input(struct tw_cmd_provenance *p, const char *path,
                                       const char *digest, struct tw_err *err)
{
    char hex[TW_DIGEST_HEX];
    size_t n = p->record.ninputs, cap = p->cap;

    if (is_input(p, path))
        return TW_OK;
    if (!digest) {
        const bool begun = p->ahead && !strcmp(p->ahead->path, path);
        enum tw_status rc = begun ? end_ahead(p, hex, err) : tw_digest_file(path, hex, err);

        if (rc != TW_OK)
            return rc;
        digest = hex;
    }
    /* Two arrays of one capacity: the second grows from the same old value. */
    if (!tw_grow(&p->paths, n, &cap, sizeof *p->paths) ||
        !tw_grow(&p->digests, n, &p->cap, sizeof *p->digests))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    point_at_inputs(p, n);
    p->paths[n] = tw_strdup(path);
    p->digests[n] = tw_strdup(digest);
    if (!p->paths[n] || !p->digests[n]) {
        free(p->paths[n]);
        free(p->digests[n]);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    point_at_inputs(p, n + 1);
    return TW_OK;
}

const char *tw_cmd_provenance_digest(const struct tw_cmd_provenance *p, const char *path)
{
    for (size_t i = 0; i < p->record.ninputs; i++)
        if (!strcmp(p->paths[i], path))
            return p->digests[i];
    return NULL;
}

void tw_cmd_provenance_lines(const struct tw_cmd_provenance *p, struct tw_str *out)
{
    tw_str_add(out, "");
    for (size_t i = 0; i < p->record.ninputs; i++)
        tw_str_addf(out, "%s %s\n", p->paths[i], p->digests[i]);
}

enum tw_status tw_cmd_result_end(struct tw_call *call, struct tw_result *r, enum tw_status rc)
{
    if (rc != TW_OK) {
        tw_result_abandon(r);
        return rc;
    }
    rc = tw_result_close(r, &call->err);
    if (rc == TW_OK) {
        tw_cmd_note(call, "wrote %s", call->common.output);
        tw_json_text(&call->json, "output", call->common.output);
    }
    return rc;
}

void tw_cmd_provenance_release(struct tw_cmd_provenance *p)
{
    drop_ahead(p);
    for (size_t i = 0; i < p->record.ninputs; i++) {
        free(p->paths[i]);
        free(p->digests[i]);
    }
    free(p->paths);
    free(p->digests);
    tw_str_release(&p->options);
    tw_str_release(&p->libraries);
    *p = (struct tw_cmd_provenance){ 0 };
}
