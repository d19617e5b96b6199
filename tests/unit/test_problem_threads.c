/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Few samples and several threads: the same bits from threads that share tiles. */
#include "problem_test.h"

/* Rows of one input, and what is wanted of them, for a network of which few samples fill a tile. */
static struct tw_dataset few_rows(size_t width, bool text, size_t classes)
{
    enum { MANY = 40 };
    struct tw_dataset d = { .name = NULL };
    struct tw_rng r = tw_rng_stream(3, TW_RNG_TEST, width);
    struct tw_err err = { 0 };

    if (tw_array_make(&d.x, text ? TW_I64 : TW_F32, 2, (size_t[]){ MANY, width }, &err) ||
        tw_array_make(&d.y, TW_I64, text ? 2 : 1, (size_t[]){ MANY, width }, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < d.x.n; i++)
        if (text)
            ((int64_t *)d.x.data)[i] = (int64_t)tw_rng_below(&r, classes);
        else
            ((float *)d.x.data)[i] = (float)tw_rng_normal(&r);
    for (size_t i = 0; i < d.y.n; i++)
        ((int64_t *)d.y.data)[i] = (int64_t)tw_rng_below(&r, classes);
    return d;
}

/* The first n samples: fewer tiles than threads, or one too many. */
static void check_shared(const char *spec, struct tw_dataset *d, size_t n)
{
    struct tw_problem_options o = { .exec = { .threads = 1, .gradient = true, .real64 = true } };
    struct tw_problem *p = problem_of(spec, d, &o, NULL);
    double *exact = tw_alloc(p->dim, sizeof *exact), *first = tw_alloc(p->dim, sizeof *first);
    double *g = tw_alloc(p->dim, sizeof *g), size = 0.0, off = 0.0, loss = 0.0;
    float *x = tw_alloc(p->dim, sizeof *x);
    size_t rows[64];
    struct tw_values v;
    struct tw_request r = { .at = { .f = x }, .rows = rows, .nrows = n, .values = &v };
    struct tw_err err = { 0 };

    assert_true(exact && first && g && x);
    for (size_t i = 0; i < n; i++)
        rows[i] = i;
    tw_graph_initial(tw_problem_graph(p), x, NULL);
    r.gradient = exact;
    assert_int_equal(tw_problem_eval(p, &r, &err), TW_OK);
    tw_problem_free(p);
    o.exec.real64 = false;
    for (size_t threads = 1; threads <= 4; threads++) {
        o.exec.threads = threads;
        p = problem_of(spec, d, &o, NULL);
        r.gradient = threads == 1 ? first : g;
        assert_int_equal(tw_problem_eval(p, &r, &err), TW_OK);
        if (threads == 1)
            loss = v.loss.value;
        else
            assert_memory_equal(g, first, p->dim * sizeof *g);
        check_ulp(v.loss.value, loss, 0);
        if (threads < 4)
            tw_problem_free(p);
    }
    for (size_t i = 0; i < p->dim; i++) {
        size += exact[i] * exact[i];
        off += (first[i] - exact[i]) * (first[i] - exact[i]);
    }
    assert_true(off < 4e-12 * size);
    tw_problem_free(p);
    free(exact);
    free(first);
    free(g);
    free(x);
}

static void threads_share_a_tile(void **state)
{
    struct tw_dataset text = few_rows(16, true, 300), images = few_rows(784, false, 10),
                      coloured = few_rows(3072, false, 10);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        static const size_t n[3] = { 16, 17, 40 };

        check_shared("gpt(layers=1,d=64,heads=2,ctx=16,vocab=300)", &text, n[i]);
        check_shared("mlp(784,512,10)", &images, n[i]);
    }
    check_shared("lenet", &images, 5);
    check_shared("resnet20(norm=none)", &coloured, 4);
    tw_dataset_release(&coloured);
    tw_dataset_release(&text);
    tw_dataset_release(&images);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(threads_share_a_tile) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
