/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The k-th allocation fails, for every k: node lists and the reference interpreter then say so and
 * keep nothing. The linker puts the functions below in the place of the allocator's: other than
 * with failing.h, base/alloc.c itself is tested, and every allocation fails under the sanitizers
 * too. */
#include "reference_test.h"

#include <stdlib.h>

static size_t countdown; /* 0: never fail */

static bool fails(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}
void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

/* Again and again until nothing fails any more; returns how many allocations there are. */
static size_t starve(struct call *c, size_t nout)
{
    for (size_t k = 1;; k++) {
        enum tw_status rc;

        countdown = k;
        rc = try(c, nout);
        if (countdown > 0) {
            countdown = 0;
            assert_int_equal(rc, TW_OK);
            return k - 1;
        }
        assert_int_equal(rc, TW_ENOMEM);
        assert_int_equal(c->err.code, TW_ENOMEM);
        for (size_t i = 0; i < nout; i++)
            assert_null(c->out[i].data);
        memset(&c->err, 0, sizeof c->err);
    }
}

static void operators_survive(void **state)
{
    static const struct {
        const char *op;
        size_t nin, nout, allocations;
    } cases[] = { { "Relu", 1, 1, 1 },      { "Add", 2, 1, 1 },
                  { "Conv", 2, 1, 1 },      { "ConvTranspose", 2, 1, 2 },
                  { "ReduceSum", 1, 1, 2 }, { "Dropout", 1, 2, 2 },
                  { "Split", 1, 2, 2 },     { "LayerNormalization", 2, 3, 3 },
                  { "TopK", 1, 2, 3 } };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct call c = begin(cases[k].op, 9);

        if (strcmp(cases[k].op, "TopK") == 0)
            set_int(&c, "k", 1);
        for (size_t i = 0; i < cases[k].nin; i++)
            give(&c, TW_F32, DIMS(2, 2, 2), REALS(1, 2, 3, 4, 5, 6, 7, 8));
        assert_int_equal(starve(&c, cases[k].nout), cases[k].allocations);
        end(&c);
    }
}

/* A small network with one of everything. */
static bool build(struct tw_net *net, struct tw_named_list *list, struct tw_array *a,
                  struct tw_err *err)
{
    static const int64_t dims[] = { TW_DIM_UNKNOWN, 3 };
    static const double reals[] = { 0.5 };
    const int x = net ? tw_net_input(net, "x", TW_F32, 2, dims, err) : -1;
    const int y = x < 0 ? -1 : tw_net_ints(net, NULL, 2, dims, err);
    const int z = y < 0 ? -1 : tw_net_op(net, "Add", NULL, 2, (const int[]){ x, y }, err);

    return z >= 0 && tw_net_attr_int(net, "int", 1, err) == TW_OK &&
           tw_net_attr_text(net, "text", "t", err) == TW_OK &&
           tw_net_attr_ints(net, "ints", 2, dims, err) == TW_OK &&
           tw_net_attr_reals(net, "reals", 1, reals, err) == TW_OK &&
           tw_array_make(a, TW_F32, 0, NULL, err) == TW_OK &&
           tw_net_attr_array(net, "array", a, err) == TW_OK &&
           tw_net_output(net, z, err) == TW_OK && tw_net_sort(net, err) == TW_OK &&
           tw_array_make(a, TW_F32, 0, NULL, err) == TW_OK &&
           tw_named_add(list, "name", a, err) == TW_OK;
}

static void node_lists_survive(void **state)
{
    bool built = false;

    (void)state;
    for (size_t k = 1; !built; k++) {
        struct tw_err err = { 0 };
        struct tw_named_list list = { 0 };
        struct tw_array a = { 0 };
        struct tw_net *net;
        bool failed;

        countdown = k;
        net = tw_net_new("test", &err);
        built = build(net, &list, &a, &err);
        failed = countdown == 0;
        countdown = 0;
        assert_int_equal(built, !failed);
        assert_int_equal(err.code, failed ? TW_ENOMEM : TW_OK);
        assert_true(!built || k > 30);
        tw_array_release(&a);
        tw_named_release(&list);
        tw_net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_survive),
        cmocka_unit_test(node_lists_survive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
