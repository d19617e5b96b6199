/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `thalweg info net.onnx`: what a network is made of, and what of it is not supported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "info.h"
#include "netload.h"

bool tw_info_is_family(const char *name)
{
    struct stat st;

    return stat(name, &st) != 0 && tw_is_family(name);
}

/* "float32[batch,3,32,32]" */
static void describe_value(const struct tw_value *v, const char *before, struct tw_str *s)
{
    tw_str_addf(s, "%s%s %s", before, v->name, tw_dtype_name(v->dtype));
    for (int i = 0; i < v->rank; i++)
        if (v->dims[i] == TW_DIM_UNKNOWN)
            tw_str_addf(s, "%s%s", i ? "," : "[", i ? "?" : "batch");
        else
            tw_str_addf(s, "%s%lld", i ? "," : "[", (long long)v->dims[i]);
    if (v->rank > 0)
        tw_str_add(s, "]");
}

static void show_text(struct tw_call *call, const char *name, const char *key, struct tw_str *s)
{
    if (!s->failed && s->s) {
        tw_json_text(&call->json, key, s->s);
        if (!call->common.json)
            printf("%-13s %s\n", name, tw_cmd_clean(s->s));
    }
    tw_str_release(s);
}

static void show_head(struct tw_call *call, const struct tw_net *net, const char *model)
{
    struct tw_str s = { 0 };

    if (!call->common.json)
        printf("%-13s %s\n", "network", model);
    tw_json_text(&call->json, "format", "network");
    tw_str_addf(&s, "%s", net->producer ? net->producer : "Thalweg");
    show_text(call, "made by", "producer", &s);
    tw_json_size(&call->json, "opset", (size_t)net->opset);
    if (net->loss) {
        tw_str_add(&s, net->loss);
        show_text(call, "loss", "loss", &s);
    }
    for (size_t i = 0; i < net->ninput; i++)
        describe_value(&net->value[net->input[i]], i ? ", " : "", &s);
    show_text(call, "inputs", "inputs", &s);
}

static enum tw_status show_operators(struct tw_call *call, const struct tw_net *net)
{
    struct tw_op_count *ops = NULL;
    struct tw_str have = { 0 }, lack = { 0 };
    size_t n = 0;
    enum tw_status rc = tw_net_operators(net, &ops, &n, &call->err);

    if (rc != TW_OK)
        return rc;
    tw_json_open(&call->json, "operators", '[');
    for (size_t i = 0; i < n; i++) {
        struct tw_str *s = ops[i].supported ? &have : &lack;

        tw_str_addf(s, "%s%s %zu", s->n ? ", " : "", ops[i].op, ops[i].count);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "op", ops[i].op);
        tw_json_size(&call->json, "count", ops[i].count);
        tw_json_bool(&call->json, "supported", ops[i].supported);
        tw_json_close(&call->json, '}');
    }
    tw_json_close(&call->json, ']');
    show_text(call, "operators", "supported", &have);
    show_text(call, "not supported", "not_supported", &lack);
    free(ops);
    return TW_OK;
}

static void show_ports(struct tw_call *call, const struct tw_graph *g)
{
    struct tw_str s = { 0 };

    for (size_t i = 0; i < tw_graph_noutput(g); i++) {
        const struct tw_graph_port p = tw_graph_output(g, i);

        tw_str_addf(&s, "%s%s ", i ? ", " : "", p.name ? p.name : "?");
        tw_array_describe(p.dtype, p.rank > 0 ? p.rank - 1 : 0, p.dims + 1, &s);
    }
    tw_str_add(&s, " a sample");
    show_text(call, "outputs", "outputs", &s);
    tw_str_addf(&s, "%.4g a sample, forward", tw_graph_flops(g));
    tw_json_real(&call->json, "flops", tw_graph_flops(g));
    show_text(call, "FLOPs", "flops_text", &s);
}

static void show_roles(struct tw_call *call, const struct tw_layout *l)
{
    struct tw_str s = { 0 };
    size_t n[TW_NROLES] = { 0 };

    for (size_t p = 0; p < l->nparam + l->nbuffer; p++)
        n[l->param[p].role] += l->param[p].n;
    tw_json_size(&call->json, "parameters", l->n);
    tw_json_size(&call->json, "buffers", l->nb);
    tw_str_addf(&s, "%zu in %zu tensors:", l->n, l->nparam);
    tw_json_open(&call->json, "roles", '{');
    for (int r = 0; r < TW_NROLES; r++) {
        tw_json_size(&call->json, tw_role_name((enum tw_role)r), n[r]);
        if (n[r] && r != TW_ROLE_BUFFER)
            tw_str_addf(&s, "%s %s %zu", s.s[s.n - 1] == ':' ? "" : ",",
                        tw_role_name((enum tw_role)r), n[r]);
    }
    tw_json_close(&call->json, '}');
    if (l->nb)
        tw_str_addf(&s, "; buffers %zu", l->nb);
    show_text(call, "parameters", "parameters_text", &s);
}

static void show_tensors(struct tw_call *call, const struct tw_layout *l)
{
    static const char *const head[] = { "tensor", "role", "shape", "n" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 4);
    tw_json_open(&call->json, "tensors", '[');
    for (size_t p = 0; p < l->nparam + l->nbuffer; p++) {
        const struct tw_param *q = &l->param[p];
        struct tw_str s = { 0 };

        tw_array_describe(TW_F32, q->rank, q->dims, &s);
        tw_table_text(&t, q->name);
        tw_table_text(&t, tw_role_name(q->role));
        tw_table_text(&t, s.failed ? "?" : s.s);
        tw_table_size(&t, q->n);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "name", q->name);
        tw_json_text(&call->json, "layer", q->layer);
        tw_json_text(&call->json, "role", tw_role_name(q->role));
        tw_json_text(&call->json, "shape", s.failed ? NULL : s.s);
        tw_json_size(&call->json, "n", q->n);
        tw_json_close(&call->json, '}');
        tw_str_release(&s);
    }
    tw_json_close(&call->json, ']');
    if (!call->common.json)
        putchar('\n');
    tw_table_print(&t);
}

int tw_info_net(struct tw_call *call, const char *model)
{
    const struct tw_net_opts o = { .model = model };
    struct tw_net *net = tw_load_net(call, &o, NULL, NULL);
    struct tw_graph *g = NULL;
    struct tw_err why = { 0 };
    enum tw_status rc;

    if (!net)
        return tw_cmd_fail(call);
    show_head(call, net, model);
    rc = show_operators(call, net);
    if (rc == TW_OK) {
        g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, &why);
        if (g) {
            show_ports(call, g);
            show_roles(call, tw_graph_layout(g));
            show_tensors(call, tw_graph_layout(g));
        } else {
            tw_cmd_warn(call, "%s: it cannot be evaluated: %s", model, why.msg);
        }
    }
    tw_graph_free(g);
    tw_net_free(net);
    return rc == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
}
