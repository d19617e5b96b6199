/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `thalweg info ckpt.pt --model net.onnx`: the tensors of a checkpoint, and how they fit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "info.h"
#include "netload.h"
#include "thalweg/graph_match.h"
#include "thalweg/store_weights.h"

/* ---- numbers ------------------------------------------------------------------------------ */

/* Sums over the finite ones. */
struct stats {
    double square, sum, min, max;
    size_t n, nonfinite;
};

static void measure(struct stats *s, const struct tw_array *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const double x = tw_array_real(a, i);

        if (!isfinite(x)) {
            s->nonfinite++;
            continue;
        }
        s->square += x * x;
        s->sum += x;
        s->min = s->n && s->min < x ? s->min : x;
        s->max = s->n && s->max > x ? s->max : x;
        s->n++;
    }
}

/* Piece by piece: a tensor may be larger than memory. */
static enum tw_status measure_tensor(struct tw_call *call, struct tw_weights_file *f, size_t i,
                                     void *piece, size_t bytes, struct stats *s)
{
    const struct tw_weight *w = &f->v[i];
    const size_t most = bytes / tw_dtype_size(w->dtype);
    struct tw_array a = { .dtype = w->dtype, .rank = 1, .data = piece };
    enum tw_status rc = TW_OK;

    *s = (struct stats){ .min = NAN, .max = NAN };
    for (size_t at = 0; at < w->n && rc == TW_OK; at += most) {
        a.n = w->n - at < most ? w->n - at : most;
        a.dims[0] = a.n;
        rc = tw_weights_read(f, i, at, a.n, piece, &call->err);
        if (rc == TW_OK)
            measure(s, &a);
    }
    return rc;
}

/* ---- tables ------------------------------------------------------------------------------- */

static void add_stats(struct tw_call *call, struct tw_table *t, const struct stats *s)
{
    const double mean = s->n ? s->sum / (double)s->n : (double)NAN;

    tw_table_real(t, "%.5g", sqrt(s->square));
    tw_table_real(t, "%.3g", mean);
    tw_table_real(t, "%.4g", s->min);
    tw_table_real(t, "%.4g", s->max);
    tw_table_size(t, s->nonfinite);
    tw_json_real(&call->json, "norm", sqrt(s->square));
    tw_json_real(&call->json, "mean", mean);
    tw_json_real(&call->json, "min", s->min);
    tw_json_real(&call->json, "max", s->max);
    tw_json_size(&call->json, "nonfinite", s->nonfinite);
}

static enum tw_status show_tensors(struct tw_call *call, struct tw_weights_file *f,
                                   struct stats *stats)
{
    static const char *const head[] = { "tensor", "type",    "norm",      "mean",
                                        "least",  "largest", "not finite" };
    enum { PIECE = 1 << 20 };
    void *piece = stats ? tw_alloc(PIECE, 1) : NULL;
    enum tw_status rc = TW_OK;
    struct tw_table t = { 0 };

    if (stats && !piece)
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    tw_table_head(&t, head, stats ? 7 : 2);
    tw_json_open(&call->json, "tensors", '[');
    for (size_t i = 0; i < f->n && rc == TW_OK; i++) {
        const struct tw_weight *w = &f->v[i];
        struct tw_str shape = { 0 };

        tw_array_describe(w->dtype, w->rank, w->dims, &shape);
        tw_table_text(&t, w->name);
        tw_table_text(&t, shape.failed ? "?" : shape.s);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "name", w->name);
        tw_json_text(&call->json, "type", shape.failed ? NULL : shape.s);
        if (stats) {
            rc = measure_tensor(call, f, i, piece, PIECE, &stats[i]);
            add_stats(call, &t, &stats[i]);
        }
        tw_json_close(&call->json, '}');
        tw_str_release(&shape);
    }
    tw_json_close(&call->json, ']');
    if (rc == TW_OK && !call->common.json) {
        putchar('\n');
        tw_table_print(&t);
    }
    tw_str_release(&t.cells);
    free(piece);
    return rc;
}

/* Tensors whose names differ in the last part. */
struct layer {
    const char *name; /* of the first one */
    size_t length, first, n, nonfinite;
    double square;
};

static int by_layer(const void *pa, const void *pb)
{
    const struct layer *a = pa, *b = pb;
    const size_t n = a->length < b->length ? a->length : b->length;
    const int c = strncmp(a->name, b->name, n);

    if (c || a->length != b->length)
        return c ? c : (a->length > b->length) - (a->length < b->length);
    return (a->first > b->first) - (a->first < b->first);
}

static int by_place(const void *pa, const void *pb)
{
    const struct layer *a = pa, *b = pb;

    return (a->first > b->first) - (a->first < b->first);
}

/* One a layer, of its reals, in the order of the file; *n of them. NULL: out of memory. */
static struct layer *find_layers(const struct tw_weights_file *f, const struct stats *stats,
                                 size_t *n)
{
    struct layer *v = tw_alloc(f->n, sizeof *v);
    size_t k = 0, all = 0;

    *n = 0;
    for (size_t i = 0; v && i < f->n; i++) {
        const char *name = f->v[i].name, *dot = strrchr(name, '.');

        if (dot && tw_dtype_is_real(f->v[i].dtype))
            v[all++] = (struct layer){ .name = name,
                                       .length = (size_t)(dot - name),
                                       .first = i,
                                       .n = f->v[i].n,
                                       .nonfinite = stats[i].nonfinite,
                                       .square = stats[i].square };
    }
    if (all == 0)
        return v;
    qsort(v, all, sizeof *v, by_layer);
    for (size_t i = 1; i < all; i++) {
        if (v[i].length != v[k].length || strncmp(v[i].name, v[k].name, v[k].length) != 0) {
            v[++k] = v[i];
            continue;
        }
        v[k].n += v[i].n;
        v[k].nonfinite += v[i].nonfinite;
        v[k].square += v[i].square;
    }
    *n = k + 1;
    qsort(v, *n, sizeof *v, by_place);
    return v;
}

static enum tw_status show_layers(struct tw_call *call, const struct tw_weights_file *f,
                                  const struct stats *stats)
{
    static const char *const head[] = { "layer", "numbers", "norm", "not finite" };
    struct tw_table t = { 0 };
    size_t n;
    struct layer *v = find_layers(f, stats, &n);

    if (!v)
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    tw_table_head(&t, head, 4);
    tw_json_open(&call->json, "layers", '[');
    for (size_t i = 0; i < n; i++) {
        struct tw_str name = { 0 };

        tw_str_addn(&name, v[i].name, v[i].length);
        tw_table_text(&t, name.s ? name.s : "");
        tw_table_size(&t, v[i].n);
        tw_table_real(&t, "%.5g", sqrt(v[i].square));
        tw_table_size(&t, v[i].nonfinite);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "layer", name.s);
        tw_json_size(&call->json, "n", v[i].n);
        tw_json_real(&call->json, "norm", sqrt(v[i].square));
        tw_json_size(&call->json, "nonfinite", v[i].nonfinite);
        tw_json_close(&call->json, '}');
        tw_str_release(&name);
    }
    tw_json_close(&call->json, ']');
    if (!call->common.json && n) {
        putchar('\n');
        tw_table_print(&t);
    }
    tw_str_release(&t.cells);
    free(v);
    return TW_OK;
}

/* ---- the head ----------------------------------------------------------------------------- */

static void show_notes(struct tw_call *call, const struct tw_weights_file *f)
{
    enum { SHOWN = 200 };

    tw_json_open(&call->json, "notes", '{');
    for (size_t i = 0; i < f->nnote; i++) {
        struct tw_str line = { 0 };

        tw_json_text(&call->json, f->note[i].key, f->note[i].value);
        tw_str_addf(&line, "%s: %.*s%s", f->note[i].key, SHOWN, f->note[i].value,
                    strlen(f->note[i].value) > SHOWN ? "..." : "");
        if (!call->common.json && line.s)
            printf("%-13s %s\n", i ? "" : "notes", tw_cmd_clean(line.s));
        tw_str_release(&line);
    }
    tw_json_close(&call->json, '}');
}

static void show_head(struct tw_call *call, const struct tw_weights_file *f)
{
    uint64_t numbers = 0;

    for (size_t i = 0; i < f->n; i++)
        numbers += f->v[i].n;
    if (!call->common.json) {
        printf("%-13s %s\n%-13s %s\n%-13s %zu\n%-13s %llu\n%-13s %llu\n", "file", f->path, "format",
               f->format, "tensors", f->n, "numbers", (unsigned long long)numbers, "bytes",
               (unsigned long long)f->bytes);
        if (f->part)
            printf("%-13s under '%s'\n", "weights", f->part);
    }
    tw_json_text(&call->json, "format", "checkpoint");
    tw_json_text(&call->json, "file_format", f->format);
    tw_json_size(&call->json, "numbers", (size_t)numbers);
    tw_json_size(&call->json, "bytes", (size_t)f->bytes);
    tw_json_text(&call->json, "part", f->part);
    show_notes(call, f);
}

/* ---- the network -------------------------------------------------------------------------- */

static const struct {
    const char *key, *title;
} lists[TW_NMATCH] = {
    [TW_MATCH_MISSING] = { "missing", "missing in the checkpoint" },
    [TW_MATCH_SHAPE] = { "misshaped", "of another shape" },
    [TW_MATCH_EXTRA] = { "extra", "not in the network" },
    [TW_MATCH_KEPT] = { "kept", "buffers as the network has them" },
    [TW_MATCH_TIED] = { "tied", "tied" },
    [TW_MATCH_UNTIED] = { "untied", "tied in the network, different in the checkpoint" },
    [TW_MATCH_OTHER] = { "other_parts", "other parts that fit as well" },
};

static void show_match(struct tw_call *call, const struct tw_match *m, size_t all)
{
    struct tw_json *j = &call->json;

    tw_json_open(j, "match", '{');
    tw_json_size(j, "found", m->found);
    tw_json_size(j, "of", all);
    tw_json_size(j, "renamed", m->renamed);
    tw_json_text(j, "part", m->part);
    if (!call->common.json) {
        printf("\n%zu of %zu tensors of the network are in the checkpoint", m->found, all);
        if (m->part && *m->part)
            printf(", under '%s'", m->part);
        printf("\n");
    }
    for (int k = 0; k < TW_NMATCH; k++) {
        const struct tw_match_list *l = &m->list[k];

        tw_json_open(j, lists[k].key, '[');
        for (size_t i = 0; i < l->n; i++) {
            tw_json_text(j, NULL, l->text[i]);
            if (call->common.json)
                continue;
            if (i == 0)
                printf("%s:\n", lists[k].title);
            printf("  %s\n", tw_cmd_clean(l->text[i]));
        }
        tw_json_close(j, ']');
    }
    tw_json_close(j, '}');
}

/* 1 if the checkpoint does not fit. */
static int compare(struct tw_call *call, const char *path, const struct info_opts *o)
{
    struct tw_named_list w = { 0 };
    const struct tw_net_opts no = { .model = o->model };
    struct tw_net *net = tw_load_net(call, &no, NULL, NULL);
    struct tw_graph *g = net && tw_load_arrays(call, path, NULL, &w, NULL, NULL) == TW_OK
                             ? tw_graph_new(net, &(struct tw_graph_options){ 0 }, &call->err)
                             : NULL;
    struct tw_match match = { 0 };
    struct tw_err why = { 0 };
    float *params = NULL, *buffers = NULL;
    int rc = TW_EXIT_OK;

    if (g) {
        const struct tw_layout *l = tw_graph_layout(g);

        params = tw_alloc(l->n, sizeof *params);
        buffers = tw_alloc(l->nb, sizeof *buffers);
        if (!params || !buffers) {
            (void)tw_err_set(&call->err, TW_ENOMEM, "out of memory");
        } else if (tw_match_weights(l, net, &w, params, buffers, &match, &why) != TW_OK) {
            rc = TW_EXIT_NEGATIVE;
            tw_cmd_note(call, "%s", why.msg);
        }
        show_match(call, &match, l->nparam + l->nbuffer);
    }
    tw_match_release(&match);
    tw_named_release(&w);
    free(params);
    free(buffers);
    tw_graph_free(g);
    tw_net_free(net);
    return call->err.code ? tw_cmd_fail(call) : rc;
}

int tw_info_weights(struct tw_call *call, const char *path, const struct info_opts *o)
{
    struct tw_str remarks = { 0 };
    struct tw_weights_file *f = tw_load_file(call, path, NULL, &remarks);
    struct stats *stats = f && o->stats ? tw_alloc(f->n, sizeof *stats) : NULL;
    enum tw_status rc = TW_OK;

    tw_load_remarks(call, path, &remarks, false);
    tw_str_release(&remarks);
    if (!f)
        return tw_cmd_fail(call);
    if (o->stats && !stats)
        rc = tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK) {
        show_head(call, f);
        rc = show_tensors(call, f, stats);
    }
    if (rc == TW_OK && stats)
        rc = show_layers(call, f, stats);
    free(stats);
    tw_weights_close(f);
    if (rc != TW_OK)
        return tw_cmd_fail(call);
    return o->model ? compare(call, path, o) : TW_EXIT_OK;
}
