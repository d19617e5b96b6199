/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `thalweg info ckpt.h5 --model net.onnx`: the tensors of a checkpoint, and how they fit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "info.h"
#include "netload.h"
#include "thalweg/graph_match.h"

struct stats {
    double norm, mean, min, max;
    size_t nonfinite;
};

/* Of the finite numbers; NAN where there is none. */
static struct stats measure(const struct tw_array *a)
{
    struct stats s = { 0.0, 0.0, NAN, NAN, 0 };
    size_t n = 0;

    for (size_t i = 0; i < a->n; i++) {
        const double x = tw_array_real(a, i);

        if (!isfinite(x)) {
            s.nonfinite++;
            continue;
        }
        s.norm += x * x;
        s.mean += x;
        s.min = n && s.min < x ? s.min : x;
        s.max = n && s.max > x ? s.max : x;
        n++;
    }
    s.norm = sqrt(s.norm);
    s.mean = n ? s.mean / (double)n : (double)NAN;
    return s;
}

static void show_tensors(struct tw_call *call, const struct tw_named_list *w, bool stats)
{
    static const char *const head[] = { "tensor", "type",    "norm",      "mean",
                                        "least",  "largest", "not finite" };
    const size_t columns = stats ? 7 : 2;
    struct tw_table t = { 0 };

    tw_table_head(&t, head, columns);
    tw_json_open(&call->json, "tensors", '[');
    for (size_t i = 0; i < w->n; i++) {
        const struct tw_array *a = &w->item[i].array;
        struct tw_str shape = { 0 };

        tw_array_describe(a->dtype, a->rank, a->dims, &shape);
        tw_table_text(&t, w->item[i].name);
        tw_table_text(&t, shape.failed ? "?" : shape.s);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "name", w->item[i].name);
        tw_json_text(&call->json, "type", shape.failed ? NULL : shape.s);
        if (stats) {
            const struct stats s = measure(a);

            tw_table_real(&t, "%.5g", s.norm);
            tw_table_real(&t, "%.3g", s.mean);
            tw_table_real(&t, "%.4g", s.min);
            tw_table_real(&t, "%.4g", s.max);
            tw_table_size(&t, s.nonfinite);
            tw_json_real(&call->json, "norm", s.norm);
            tw_json_real(&call->json, "mean", s.mean);
            tw_json_real(&call->json, "min", s.min);
            tw_json_real(&call->json, "max", s.max);
            tw_json_size(&call->json, "nonfinite", s.nonfinite);
        }
        tw_json_close(&call->json, '}');
        tw_str_release(&shape);
    }
    tw_json_close(&call->json, ']');
    if (!call->common.json)
        putchar('\n');
    tw_table_print(&t);
    tw_str_release(&t.cells);
}

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
static int compare(struct tw_call *call, const struct tw_named_list *w, const struct info_opts *o)
{
    const struct tw_net_opts no = { .model = o->model };
    struct tw_net *net = tw_load_net(call, &no, NULL, NULL);
    struct tw_graph *g =
        net ? tw_graph_new(net, &(struct tw_graph_options){ 0 }, &call->err) : NULL;
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
        } else if (tw_match_weights(l, net, w, params, buffers, &match, &why) != TW_OK) {
            rc = TW_EXIT_NEGATIVE;
            tw_cmd_note(call, "%s", why.msg);
        }
        show_match(call, &match, l->nparam + l->nbuffer);
    }
    tw_match_release(&match);
    free(params);
    free(buffers);
    tw_graph_free(g);
    tw_net_free(net);
    return call->err.code ? tw_cmd_fail(call) : rc;
}

int tw_info_weights(struct tw_call *call, const char *path, const struct info_opts *o)
{
    struct tw_named_list w = { 0 };
    int rc;

    if (tw_load_arrays(call, path, NULL, &w, NULL, NULL) != TW_OK)
        return tw_cmd_fail(call);
    if (!call->common.json)
        printf("%-13s %s\n%-13s %zu\n", "file", path, "tensors", w.n);
    tw_json_text(&call->json, "format", "checkpoint");
    show_tensors(call, &w, o->stats);
    rc = o->model ? compare(call, &w, o) : TW_EXIT_OK;
    tw_named_release(&w);
    return rc;
}
