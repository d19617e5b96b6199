/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `thalweg info`: what is in a file, and whether what it was made from is still the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "info.h"
#include "thalweg/store_net.h"
#include "thalweg/store_result.h"
#include "thalweg/store_weights.h"

static const struct tw_opt opts[] = {
    { TW_OPT_FLAG, 0, "check", TW_OPT_FIELD(struct info_opts, check), NULL,
      "read the inputs again and say which differ from what was read then", 0, 0, NULL },
    { TW_OPT_STR, 'm', "model", TW_OPT_FIELD(struct info_opts, model), "NET",
      "compare the tensors of checkpoints with this network's: an ONNX file, or a built-in one", 0,
      0, NULL },
    { TW_OPT_FLAG, 0, "stats", TW_OPT_FIELD(struct info_opts, stats), NULL,
      "the tensors' norms, ranges, and numbers that are not finite", 0, 0, NULL },
    { .type = TW_OPT_END },
};

/* ---- rows of a walk ------------------------------------------------------------------- */

struct row {
    char *path, *type, *shape, *value;
};
struct rows {
    struct row *v;
    size_t n, cap;
    bool failed;
};

static char *clean_copy(const char *s)
{
    char *t = tw_strdup(s);

    return t ? tw_cmd_clean(t) : NULL;
}

static void free_row(struct row *r)
{
    free(r->path);
    free(r->type);
    free(r->shape);
    free(r->value);
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        free_row(&rows->v[i]);
    free(rows->v);
}

static void add_row(void *ctx, const char *path, const char *type, const char *shape,
                    const char *value)
{
    struct rows *rows = ctx;
    struct row r = { clean_copy(path), clean_copy(type), clean_copy(shape), clean_copy(value) };

    if (rows->failed || !r.path || !r.type || !r.shape || !r.value ||
        !tw_grow(&rows->v, rows->n, &rows->cap, sizeof *rows->v)) {
        rows->failed = true;
        free_row(&r);
        return;
    }
    rows->v[rows->n++] = r;
}

/* The value of an attribute of the object in row i: its attributes follow it. "" if none. */
static const char *attribute(const struct rows *rows, size_t i, const char *name)
{
    size_t n = strlen(rows->v[i].path);

    for (size_t k = i + 1; k < rows->n; k++) {
        const char *p = rows->v[k].path;

        if (strncmp(p, rows->v[i].path, n) != 0 || p[n] != '@')
            break;
        if (!strcmp(p + n + 1, name))
            return rows->v[k].value;
    }
    return "";
}

/* ---- result files --------------------------------------------------------------------- */

/* What /provenance says; absent parts stay NULL. */
struct origin {
    char *command, *options, *version, *libraries, *start, *end;
    char **paths, **digests;
    size_t npaths, ndigests, seed, threads;
};

static void free_texts(char **s, size_t n)
{
    for (size_t i = 0; s && i < n; i++)
        free(s[i]);
    free(s);
}

static void free_origin(struct origin *o)
{
    free(o->command);
    free(o->options);
    free(o->version);
    free(o->libraries);
    free(o->start);
    free(o->end);
    free_texts(o->paths, o->npaths);
    free_texts(o->digests, o->ndigests);
}

static enum tw_status read_origin(struct tw_result *r, struct origin *o, struct tw_err *err)
{
    const struct {
        const char *path;
        char **to;
    } texts[] = {
        { "/provenance/command", &o->command },  { "/provenance/options", &o->options },
        { "/provenance/version", &o->version },  { "/provenance/libraries", &o->libraries },
        { "/provenance/start_time", &o->start }, { "/provenance/end_time", &o->end }
    };
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < sizeof texts / sizeof *texts; i++)
        if (tw_result_has(r, texts[i].path))
            rc = tw_result_get_text(r, texts[i].path, texts[i].to, err);
    if (rc == TW_OK && tw_result_has(r, "/provenance/seed"))
        rc = tw_result_get_size(r, "/provenance/seed", &o->seed, err);
    if (rc == TW_OK && tw_result_has(r, "/provenance/threads"))
        rc = tw_result_get_size(r, "/provenance/threads", &o->threads, err);
    if (rc == TW_OK && tw_result_has(r, "/provenance/input_paths"))
        rc = tw_result_get_texts(r, "/provenance/input_paths", &o->npaths, &o->paths, err);
    if (rc == TW_OK && tw_result_has(r, "/provenance/input_digests"))
        rc = tw_result_get_texts(r, "/provenance/input_digests", &o->ndigests, &o->digests, err);
    if (rc == TW_OK && o->npaths != o->ndigests)
        rc = tw_err_set(err, TW_EFORMAT, "/provenance: %zu input_paths, but %zu input_digests",
                        o->npaths, o->ndigests);
    return rc;
}

/* "same", "changed", or why it cannot be told. */
static const char *input_state(const char *path, const char *digest)
{
    char hex[TW_DIGEST_HEX];

    if (!strcmp(path, "-"))
        return "not kept";
    if (tw_digest_file(path, hex, NULL) != TW_OK)
        return "unreadable";
    return strcmp(hex, digest) == 0 ? "same" : "changed";
}

static bool is_difference(const char *state)
{
    return !strcmp(state, "changed") || !strcmp(state, "unreadable");
}

/* A table of inputs on stdout and an array in the JSON; true if one differs. */
static bool show_inputs(struct tw_call *call, const struct origin *o, bool check)
{
    static const char *const head[] = { "input", "sha256", "now" };
    struct tw_table t = { 0 };
    bool differs = false;

    if (o->npaths)
        tw_table_head(&t, head, check ? 3 : 2);
    tw_json_open(&call->json, "inputs", '[');
    for (size_t i = 0; i < o->npaths; i++) {
        const char *state = check ? input_state(o->paths[i], o->digests[i]) : NULL;
        char *path = clean_copy(o->paths[i]), *digest = clean_copy(o->digests[i]);

        tw_table_text(&t, path ? path : "?");
        tw_table_text(&t, digest ? digest : "?");
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "path", o->paths[i]);
        tw_json_text(&call->json, "sha256", o->digests[i]);
        if (check) {
            tw_table_text(&t, state);
            tw_json_text(&call->json, "now", state);
            differs = differs || is_difference(state);
        }
        tw_json_close(&call->json, '}');
        free(path);
        free(digest);
    }
    tw_json_close(&call->json, ']');
    if (!call->common.json && o->npaths) {
        putchar('\n');
        tw_table_print(&t);
    }
    tw_str_release(&t.cells);
    return differs;
}

static void show_line(const struct tw_call *call, const char *name, const char *value)
{
    char *clean = value && *value ? clean_copy(value) : NULL;

    if (clean && !call->common.json)
        printf("%-10s %s\n", name, clean);
    free(clean);
}

static void show_origin(struct tw_call *call, const struct origin *o)
{
    const bool finished = o->end && *o->end;

    show_line(call, "command", o->command);
    show_line(call, "version", o->version);
    show_line(call, "libraries", o->libraries);
    show_line(call, "started", o->start);
    if (o->start)
        show_line(call, "finished", finished ? o->end : "not yet");
    if (o->start && !call->common.json)
        printf("%-10s %zu\n%-10s %zu\n", "seed", o->seed, "threads", o->threads);
    if (call->common.verbose)
        show_line(call, "options", o->options);
    tw_json_text(&call->json, "command", o->command);
    tw_json_text(&call->json, "options", o->options);
    tw_json_text(&call->json, "version", o->version);
    tw_json_text(&call->json, "libraries", o->libraries);
    tw_json_text(&call->json, "start_time", o->start);
    tw_json_text(&call->json, "end_time", finished ? o->end : NULL);
    tw_json_size(&call->json, "seed", o->seed);
    tw_json_size(&call->json, "threads", o->threads);
}

/* What a fit is of, in words that its files hold. */
static void show_law(struct tw_call *call, struct tw_result *r)
{
    static const char *const what[][2] = { { "law", "/law" }, { "held", "/settings/restriction" } };

    for (size_t k = 0; k < 2; k++) {
        struct tw_err none = { 0 };
        char *word = NULL;

        if (tw_result_has(r, what[k][1]) &&
            tw_result_get_text(r, what[k][1], &word, &none) == TW_OK) {
            show_line(call, what[k][0], word);
            tw_json_text(&call->json, what[k][0], word);
        }
        free(word);
    }
}

/* In-place files say of each point how far it is. */
static enum tw_status show_status(struct tw_call *call, struct tw_result *r)
{
    size_t dims[TW_RESULT_MAX_RANK], n[3] = { 0 }, all = 1;
    enum tw_status rc = TW_EFORMAT;
    struct tw_err none = { 0 };
    uint8_t *status = NULL;
    int rank = 0;

    if (!tw_result_has(r, "/status"))
        return TW_OK;
    while (rc == TW_EFORMAT && ++rank <= TW_RESULT_MAX_RANK)
        rc = tw_result_get_bytes(r, "/status", rank, dims, &status, &none);
    if (rc != TW_OK)
        return rc == TW_EFORMAT ? TW_OK : tw_err_set(&call->err, rc, "%s", none.msg);
    for (int i = 0; i < rank; i++)
        all *= dims[i];
    for (size_t i = 0; i < all; i++)
        n[status[i] < 3 ? status[i] : 2]++;
    free(status);
    if (!call->common.json)
        printf("%-10s %zu done, %zu failed, %zu to do\n", "points", n[1], n[2], n[0]);
    tw_json_open(&call->json, "points", '{');
    tw_json_size(&call->json, "done", n[1]);
    tw_json_size(&call->json, "failed", n[2]);
    tw_json_size(&call->json, "todo", n[0]);
    tw_json_close(&call->json, '}');
    return TW_OK;
}

static void show_data_sets(struct tw_call *call, const struct rows *rows)
{
    static const char *const head[] = { "data set", "type", "shape", "unit", "meaning" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 5);
    tw_json_open(&call->json, "data_sets", '[');
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *r = &rows->v[i];
        const char *unit = attribute(rows, i, "unit"), *meaning = attribute(rows, i, "meaning");

        if (!strcmp(r->type, "group") || strchr(r->path, '@') ||
            !strncmp(r->path, "/provenance/", 12))
            continue;
        tw_table_text(&t, r->path);
        tw_table_text(&t, r->type);
        tw_table_text(&t, *r->shape || strstr(r->type, "link") ? r->shape : "scalar");
        tw_table_text(&t, unit);
        tw_table_text(&t, meaning);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "path", r->path);
        tw_json_text(&call->json, "type", r->type);
        tw_json_text(&call->json, "shape", r->shape);
        tw_json_text(&call->json, "unit", unit);
        tw_json_text(&call->json, "meaning", meaning);
        tw_json_close(&call->json, '}');
    }
    tw_json_close(&call->json, ']');
    if (!call->common.json)
        putchar('\n');
    tw_table_print(&t);
}

static int describe_result(struct tw_call *call, const char *path, const struct rows *rows)
{
    const struct info_opts *o = call->opts;
    struct tw_result *r = tw_result_open(path, NULL, &call->err);
    struct origin origin = { 0 };
    bool differs = false;

    if (!r)
        return tw_cmd_fail(call);
    show_line(call, "file", path);
    show_line(call, "kind", tw_result_kind(r));
    tw_json_text(&call->json, "format", "thalweg");
    tw_json_text(&call->json, "kind", tw_result_kind(r));
    if (read_origin(r, &origin, &call->err) == TW_OK) {
        show_law(call, r);
        show_origin(call, &origin);
        (void)show_status(call, r);
        differs = show_inputs(call, &origin, o->check);
        if (strcmp(tw_result_kind(r), "train") != 0)
            show_data_sets(call, rows);
        else if (tw_info_runs(call, path) != TW_OK)
            differs = false; /* call->err says so below */
    }
    free_origin(&origin);
    tw_result_done(r);
    if (call->err.code)
        return tw_cmd_fail(call);
    if (differs)
        tw_cmd_note(call, "%s: made from inputs that are not the same now", path);
    return differs ? TW_EXIT_NEGATIVE : TW_EXIT_OK;
}

/* ---- other files ---------------------------------------------------------------------- */

static int describe_tree(struct tw_call *call, const char *path, const struct rows *rows)
{
    static const char *const head[] = { "path", "type", "shape", "value" };
    struct tw_table t = { 0 };

    show_line(call, "file", path);
    show_line(call, "format", "HDF5");
    tw_json_text(&call->json, "format", "hdf5");
    tw_table_head(&t, head, 4);
    tw_json_open(&call->json, "objects", '[');
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *r = &rows->v[i];

        tw_table_text(&t, r->path);
        tw_table_text(&t, r->type);
        tw_table_text(&t, r->shape);
        tw_table_text(&t, r->value);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "path", r->path);
        tw_json_text(&call->json, "type", r->type);
        tw_json_text(&call->json, "shape", r->shape);
        tw_json_text(&call->json, "value", r->value);
        tw_json_close(&call->json, '}');
    }
    tw_json_close(&call->json, ']');
    if (!call->common.json)
        putchar('\n');
    tw_table_print(&t);
    return TW_EXIT_OK;
}

static int describe_hdf5(struct tw_call *call, const char *path)
{
    struct rows rows = { 0 };
    int rc;

    if (tw_info_hdf5(path, add_row, &rows, &call->err) != TW_OK || rows.failed) {
        (void)tw_err_set(&call->err, TW_ENOMEM, "%s: out of memory", path);
        rc = tw_cmd_fail(call);
    } else if (!strcmp(attribute(&rows, 0, "format"), "thalweg")) {
        rc = describe_result(call, path, &rows);
    } else {
        rc = describe_tree(call, path, &rows);
    }
    free_rows(&rows);
    return rc;
}

static int describe(struct tw_call *call, const char *path)
{
    const struct info_opts *o = call->opts;
    const bool network = tw_is_network(path), hdf5 = tw_is_hdf5(path);
    const bool weights = !hdf5 && !network && tw_is_weights(path);

    if (tw_names_checkpoint(path) || weights || ((o->model || o->stats) && (hdf5 || network)))
        return tw_info_weights(call, path, o);
    if (network || tw_info_is_family(path))
        return tw_info_net(call, path);
    if (hdf5)
        return describe_hdf5(call, path);
    return tw_info_log(call, path);
}

static int run(struct tw_call *call)
{
    int rc = TW_EXIT_OK;

    if (call->argc == 0)
        return tw_cmd_usage(call, "no file given");
    tw_json_open(&call->json, "files", '[');
    for (int i = 0; i < call->argc && (rc == TW_EXIT_OK || rc == TW_EXIT_NEGATIVE); i++) {
        const char *path = call->argv[i];
        int one;

        if (i > 0 && !call->common.json)
            putchar('\n');
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "file", path);
        one = describe(call, path);
        rc = one != TW_EXIT_OK ? one : rc;
        tw_json_close(&call->json, '}');
    }
    tw_json_close(&call->json, ']');
    return rc;
}

static const struct info_opts defaults = { 0 };
const struct tw_cmd tw_cmd_info = {
    "info",
    "Results",
    "describe a result, a network, a checkpoint, a data file or a log",
    "FILE...",
    TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
