/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints go into networks by name, whatever wraps them. */
#include <math.h>

#include "folder.h"
#include "nets.h"
#include "thalweg/graph_match.h"
#include "thalweg/store_net.h"
#include "thalweg/store_weights.h"

/* A network's tensors in the order of the file, as compiling it would lay them out. */
struct laid {
    struct tw_net *net;
    struct tw_layout layout;
    float *params, *buffers;
    struct tw_match report;
};

static bool is_buffer(const struct tw_value *v)
{
    return v->init.dtype != TW_F32 || strstr(v->name, "running_");
}

static void lay_out(struct laid *l, const char *name, const char *before)
{
    struct tw_err err = { 0 };

    memset(l, 0, sizeof *l);
    assert_int_equal(tw_store_net_read(sample(name), &l->net, NULL, &err), TW_OK);
    l->layout.param = tw_alloc(l->net->nvalue, sizeof *l->layout.param);
    assert_non_null(l->layout.param);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < l->net->nvalue; i++) {
            const struct tw_value *v = &l->net->value[i];
            struct tw_param *p = &l->layout.param[l->layout.nparam + l->layout.nbuffer];
            size_t *n = pass ? &l->layout.nb : &l->layout.n;

            if (!v->is_init || is_buffer(v) != (pass == 1))
                continue;
            p->name = malloc(strlen(before) + strlen(v->name) + 1);
            assert_non_null(p->name);
            (void)strcat(strcpy(p->name, before), v->name);
            p->rank = v->init.rank;
            memcpy(p->dims, v->init.dims, sizeof p->dims);
            p->n = v->init.n;
            p->offset = *n;
            *n += p->n;
            *(pass ? &l->layout.nbuffer : &l->layout.nparam) += 1;
        }
    l->params = tw_alloc(l->layout.n, sizeof *l->params);
    l->buffers = tw_alloc(l->layout.nb, sizeof *l->buffers);
    assert_true(l->params && l->buffers);
    for (size_t i = 0; i < l->layout.n; i++)
        l->params[i] = 77;
    for (size_t i = 0; i < l->layout.nb; i++)
        l->buffers[i] = 77;
}

static void take_up(struct laid *l)
{
    for (size_t i = 0; i < l->layout.nparam + l->layout.nbuffer; i++)
        free(l->layout.param[i].name);
    free(l->layout.param);
    free(l->params);
    free(l->buffers);
    tw_net_free(l->net);
    tw_match_release(&l->report);
}

/* The checkpoint's arrays, each with `before` before its name; NULL: not that one. */
static void add(struct tw_named_list *to, const char *file, const char *before, const char *only,
                const char *without)
{
    struct tw_named_list from;
    struct tw_err err = { 0 };
    char name[200];

    assert_int_equal(tw_store_weights_read(sample(file), NULL, &from, NULL, &err), TW_OK);
    for (size_t i = 0; i < from.n; i++) {
        if ((only && strcmp(from.item[i].name, only) != 0) ||
            (without && !strcmp(from.item[i].name, without)))
            continue;
        (void)snprintf(name, sizeof name, "%s%s", before, from.item[i].name);
        assert_int_equal(tw_named_add(to, name, &from.item[i].array, &err), TW_OK);
    }
    tw_named_release(&from);
}

static void matches(struct laid *l, const struct tw_named_list *c)
{
    struct tw_err err = { 0 };

    tw_match_release(&l->report);
    if (tw_match_weights(&l->layout, l->net, c, l->params, l->buffers, &l->report, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

static void fails(struct laid *l, const struct tw_named_list *c, const char *part)
{
    struct tw_err err = { 0 };

    tw_match_release(&l->report);
    assert_int_equal(
        tw_match_weights(&l->layout, l->net, c, l->params, l->buffers, &l->report, &err),
        TW_EFORMAT);
    check_message(&err, part);
}

/* Everything is where the network itself has it: both come from one model. */
static void check_values(const struct laid *l)
{
    for (size_t i = 0; i < l->layout.nparam + l->layout.nbuffer; i++) {
        const struct tw_param *p = &l->layout.param[i];
        const float *x = (i < l->layout.nparam ? l->params : l->buffers) + p->offset;
        const char *name = p->name;
        int v = tw_net_find(l->net, name);

        if (v < 0)
            v = tw_net_find(l->net, strchr(name, '.') + 1);
        for (size_t k = 0; k < p->n; k++)
            if ((double)x[k] != tw_array_real(&l->net->value[v].init, k))
                fail_msg("%s[%zu]", p->name, k);
    }
}

static size_t lines(const struct laid *l, enum tw_match_what what)
{
    return l->report.list[what].n;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void names_that_are_equal_match(void **state)
{
    struct tw_named_list c = { 0 };
    struct laid l;

    (void)state;
    lay_out(&l, "cnn.onnx", "");
    add(&c, "cnn.h5", "", NULL, NULL);
    matches(&l, &c);
    check_values(&l);
    assert_int_equal(l.report.found, 12);
    assert_int_equal(l.report.renamed, 0);
    assert_string_equal(l.report.part, "");
    for (int k = 0; k < TW_NMATCH; k++)
        assert_int_equal(lines(&l, (enum tw_match_what)k), 0);
    tw_named_release(&c);
    take_up(&l);
}

static void wrappers_are_taken_off_on_both_sides(void **state)
{
    static const char *const sides[][2] = {
        { "", "module." }, { "", "_orig_mod.module." }, { "model.", "" }, { "model.", "module." }
    };
    struct tw_str remarks = { 0 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct tw_named_list c = { 0 };
        struct laid l;

        lay_out(&l, "cnn.onnx", sides[i][0]);
        add(&c, "cnn.npz", sides[i][1], NULL, NULL);
        matches(&l, &c);
        check_values(&l);
        assert_int_equal(l.report.renamed, 12);
        assert_string_equal(l.report.part, "");
        assert_int_equal(lines(&l, TW_MATCH_EXTRA), 0);
        tw_str_clear(&remarks);
        tw_match_remarks(&l.report, &remarks);
        assert_non_null(strstr(remarks.s, "12 names fit without the wrappers"));
        tw_named_release(&c);
        take_up(&l);
    }
    tw_str_release(&remarks);
}

static void the_part_that_fits_is_taken(void **state)
{
    struct tw_named_list c = { 0 };
    struct tw_str remarks = { 0 };
    struct laid l;

    (void)state;
    lay_out(&l, "mlp.onnx", "");
    add(&c, "cnn.npz", "optimizer.state.exp_avg.", NULL, NULL);
    add(&c, "mlp.npz", "optimizer.state.exp_avg_sq.", NULL, NULL);
    add(&c, "gpt.npz", "ema.", NULL, NULL);
    add(&c, "mlp.npz", "checkpoint.weights.module.", NULL, NULL);
    matches(&l, &c);
    check_values(&l);
    assert_string_equal(l.report.part, "checkpoint.weights");
    assert_int_equal(lines(&l, TW_MATCH_OTHER), 0);
    tw_match_remarks(&l.report, &remarks);
    assert_non_null(strstr(remarks.s, "under 'checkpoint.weights' of the checkpoint.\n"));
    tw_named_release(&c);
    /* state_dict goes before ema, which is said. */
    add(&c, "mlp.npz", "ema.", NULL, NULL);
    add(&c, "mlp.npz", "state_dict.", NULL, NULL);
    matches(&l, &c);
    assert_string_equal(l.report.part, "state_dict");
    assert_int_equal(lines(&l, TW_MATCH_OTHER), 1);
    assert_string_equal(l.report.list[TW_MATCH_OTHER].text[0], "ema");
    tw_str_clear(&remarks);
    tw_match_remarks(&l.report, &remarks);
    assert_non_null(strstr(remarks.s, "fit as well (--state-key): ema.\n"));
    tw_named_release(&c);
    /* The whole file before a part of it. */
    add(&c, "mlp.npz", "", NULL, NULL);
    add(&c, "mlp.npz", "ema.", NULL, NULL);
    matches(&l, &c);
    assert_string_equal(l.report.part, "");
    assert_int_equal(lines(&l, TW_MATCH_EXTRA), 0);
    tw_named_release(&c);
    /* Two networks in a file: we do not guess. */
    add(&c, "mlp.npz", "teacher.", NULL, NULL);
    add(&c, "mlp.npz", "student.", NULL, NULL);
    fails(&l, &c, "equally well, 'student' and 'teacher'; choose one (--state-key)");
    tw_named_release(&c);
    add(&c, "mlp.npz", "module.", NULL, NULL);
    add(&c, "mlp.npz", "model.", NULL, NULL);
    fails(&l, &c, "could be");
    tw_named_release(&c);
    tw_str_release(&remarks);
    take_up(&l);
}

static void what_does_not_fit_is_listed_by_name(void **state)
{
    struct tw_named_list c = { 0 };
    struct tw_array turned = { 0 };
    struct tw_err err = { 0 };
    struct laid l;

    (void)state;
    lay_out(&l, "mlp.onnx", "");
    add(&c, "mlp.npz", "", "fc1.weight", NULL);
    fails(&l, &c, "3 of 4 tensors are not in the checkpoint: ");
    assert_int_equal(lines(&l, TW_MATCH_MISSING), 3);
    add(&c, "gpt.npz", "", NULL, NULL);
    fails(&l, &c, "the network has no place for fc.bias, fc.weight, lm_head.weight and 11 more");
    assert_int_equal(lines(&l, TW_MATCH_EXTRA), 14);
    tw_named_release(&c);
    add(&c, "mlp.npz", "", NULL, "fc2.weight");
    assert_int_equal(tw_array_make(&turned, TW_F16, 2, (const size_t[]){ 5, 3 }, &err), TW_OK);
    assert_int_equal(tw_named_add(&c, "fc2.weight", &turned, &err), TW_OK);
    fails(&l, &c,
          "1 of 4 tensors have another shape: fc2.weight: float16[5,3] in the checkpoint, [3,5] in "
          "the network (transposed, as Conv1D of GPT-2)");
    tw_named_release(&c);
    fails(&l, &c, "no array of the checkpoint has the name of a parameter");
    add(&c, "gpt.npz", "", "wpe.weight", NULL);
    fails(&l, &c, "the network's begin with 'fc1.bias', the checkpoint's with 'wpe.weight'");
    tw_named_release(&c);
    take_up(&l);
}

static void statistics_must_be_there_other_buffers_need_not(void **state)
{
    struct tw_named_list c = { 0 };
    struct laid l;

    (void)state;
    lay_out(&l, "cnn.onnx", "");
    add(&c, "cnn.npz", "", NULL, "bn2.running_var");
    fails(&l, &c, "1 of 12 tensors are not in the checkpoint: bn2.running_var");
    tw_named_release(&c);
    take_up(&l);
    lay_out(&l, "gpt.onnx", "");
    add(&c, "gpt.npz", "", NULL, "mask");
    matches(&l, &c);
    assert_int_equal(lines(&l, TW_MATCH_KEPT), 1);
    assert_string_equal(l.report.list[TW_MATCH_KEPT].text[0], "mask");
    assert_true(l.buffers[0] == 77.0f);
    tw_named_release(&c);
    /* A constant of the network is none of its tensors, and nothing that it lacks. */
    free(l.layout.param[l.layout.nparam].name);
    l.layout.nbuffer = 0;
    add(&c, "gpt.npz", "module.", NULL, NULL);
    matches(&l, &c);
    assert_int_equal(lines(&l, TW_MATCH_EXTRA), 0);
    tw_named_release(&c);
    take_up(&l);
}

static void tied_tensors_are_found_under_either_name(void **state)
{
    struct tw_named_list c = { 0 };
    struct tw_str remarks = { 0 };
    struct tw_array *head;
    struct laid l;

    (void)state;
    lay_out(&l, "gpt.onnx", "");
    add(&c, "gpt.npz", "", NULL, NULL); /* both names, the same numbers */
    matches(&l, &c);
    check_values(&l);
    assert_int_equal(lines(&l, TW_MATCH_TIED) + lines(&l, TW_MATCH_UNTIED), 0);
    assert_int_equal(lines(&l, TW_MATCH_EXTRA), 0);
    head = tw_named_find(&c, "lm_head.weight");
    tw_array_set_real(head, 5, 0.125);
    matches(&l, &c);
    assert_int_equal(lines(&l, TW_MATCH_UNTIED), 1);
    tw_match_remarks(&l.report, &remarks);
    assert_non_null(strstr(remarks.s, "different in the checkpoint: wte.weight and lm_head.weight; "
                                      "the first of each was taken.\n"));
    tw_named_release(&c);
    add(&c, "gpt.npz", "module.", NULL, "lm_head.weight"); /* as safetensors */
    matches(&l, &c);
    check_values(&l);
    tw_named_release(&c);
    add(&c, "gpt.npz", "module.", NULL, "wte.weight");
    matches(&l, &c);
    check_values(&l);
    assert_int_equal(lines(&l, TW_MATCH_TIED), 1);
    assert_string_equal(l.report.list[TW_MATCH_TIED].text[0],
                        "wte.weight from module.lm_head.weight");
    tw_named_release(&c);
    take_up(&l);
    tw_str_release(&remarks);
    /* Biases of equal content are stored once, too; that does not tie them. */
    lay_out(&l, "cnn-fresh.onnx", "");
    add(&c, "cnn.npz", "", NULL, "bn1.weight");
    fails(&l, &c, "1 of 6 tensors are not in the checkpoint: bn1.weight");
    tw_named_release(&c);
    take_up(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_equal_match),
        cmocka_unit_test(wrappers_are_taken_off_on_both_sides),
        cmocka_unit_test(the_part_that_fits_is_taken),
        cmocka_unit_test(what_does_not_fit_is_listed_by_name),
        cmocka_unit_test(statistics_must_be_there_other_buffers_need_not),
        cmocka_unit_test(tied_tensors_are_found_under_either_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
