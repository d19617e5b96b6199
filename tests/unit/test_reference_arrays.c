/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shapes, moves, indices, reductions and products in the reference interpreter. */
#include "reference_test.h"

/* 0, 1, 2, ... */
static void give_count(struct call *c, enum tw_dtype t, int rank, const size_t *dims)
{
    double x[256];

    for (size_t i = 0; i < 256; i++)
        x[i] = (double)i;
    give(c, t, rank, dims, x);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static void reshape_copies_and_infers_extents(void **state)
{
    struct call c = begin("Reshape", 14);

    (void)state;
    give_count(&c, TW_F32, DIMS(2, 3, 4));
    give_ints(&c, INTS(0, -1, 2));
    run(&c, 1);
    check_shape(&c.out[0], TW_F32, DIMS(2, 6, 2));
    end(&c);
    c = begin("Reshape", 14);
    give_count(&c, TW_F32, DIMS(2, 3));
    give_ints(&c, INTS(4, -1));
    check_refused(&c, 1, "no multiple of 4");
    end(&c);
    c = begin("Reshape", 14);
    set_int(&c, "allowzero", 1);
    give_count(&c, TW_F32, DIMS(0, 3));
    give_ints(&c, INTS(3, 0));
    run(&c, 1);
    check_shape(&c.out[0], TW_F32, DIMS(3, 0));
    end(&c);
    c = begin("Flatten", 13);
    set_int(&c, "axis", -2);
    give_count(&c, TW_F32, DIMS(2, 3, 4));
    run(&c, 1);
    check_shape(&c.out[0], TW_F32, DIMS(2, 12));
    end(&c);
}

static void axes_come_as_attribute_or_input(void **state)
{
    for (int opset = 11; opset <= 13; opset += 2) {
        struct call c = begin("Unsqueeze", opset);

        give_count(&c, TW_F32, DIMS(2, 3));
        if (opset == 13)
            give_ints(&c, INTS(-1, 0));
        else
            set_ints(&c, "axes", INTS(-1, 0));
        run(&c, 1);
        check_shape(&c.out[0], TW_F32, DIMS(1, 2, 3, 1));
        end(&c);
        c = begin("Squeeze", opset);
        give_count(&c, TW_F32, DIMS(1, 2, 1));
        if (opset == 13)
            give_ints(&c, INTS(-1));
        else
            set_ints(&c, "axes", INTS(-1));
        run(&c, 1);
        check_shape(&c.out[0], TW_F32, DIMS(1, 2));
        end(&c);
        c = begin("ReduceSum", opset);
        set_int(&c, "keepdims", 0);
        give_count(&c, TW_F32, DIMS(2, 3));
        if (opset == 13)
            give_ints(&c, INTS(0));
        else
            set_ints(&c, "axes", INTS(0));
        run(&c, 1);
        check_out(&c, 0, TW_F32, DIMS(3), REALS(3, 5, 7), 0.0);
        end(&c);
    }
    (void)state;
}

static void shape_has_a_start_and_an_end(void **state)
{
    struct call c = begin("Shape", 15);

    (void)state;
    set_int(&c, "start", -2);
    set_int(&c, "end", 99);
    give_count(&c, TW_F32, DIMS(2, 3, 4));
    run(&c, 1);
    check_out(&c, 0, TW_I64, DIMS(2), REALS(3, 4), 0.0);
    end(&c);
}

/* ---- moves ----------------------------------------------------------------------------------- */

static void slices_are_those_of_python(void **state)
{
    static const struct {
        int64_t from, to, step;
        size_t n;
        double want[6];
    } cases[] = {
        { 1, 4, 1, 3, { 1, 2, 3 } },
        { -2, INT64_MAX, 1, 2, { 4, 5 } },
        { -100, 2, 1, 2, { 0, 1 } },
        { 4, 1, -2, 2, { 4, 2 } },
        { -1, INT64_MIN, -3, 2, { 5, 2 } },
        { 3, 3, 1, 0, { 0 } },
        { 99, -100, -1, 6, { 5, 4, 3, 2, 1, 0 } },
        { -100, 99, INT64_MAX, 1, { 0 } },
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct call c = begin("Slice", 13);

        give_count(&c, TW_I32, DIMS(6));
        give_ints(&c, 1, &cases[k].from);
        give_ints(&c, 1, &cases[k].to);
        give_absent(&c);
        give_ints(&c, 1, &cases[k].step);
        run(&c, 1);
        check_out(&c, 0, TW_I32, DIMS(cases[k].n), cases[k].want, 0.0);
        end(&c);
    }
    {
        struct call c = begin("Slice", 9);

        set_ints(&c, "starts", INTS(1));
        set_ints(&c, "ends", INTS(-1));
        set_ints(&c, "axes", INTS(1));
        give_count(&c, TW_F32, DIMS(2, 3));
        run(&c, 1);
        check_out(&c, 0, TW_F32, DIMS(2, 1), REALS(1, 4), 0.0);
        end(&c);
    }
}

static void concat_undoes_split(void **state)
{
    struct call c = begin("Split", 13), d = begin("Concat", 13);

    (void)state;
    set_int(&c, "axis", 1);
    give_count(&c, TW_F16, DIMS(2, 5, 2));
    give_ints(&c, INTS(1, 0, 4));
    run(&c, 3);
    check_shape(&c.out[1], TW_F16, DIMS(2, 0, 2));
    set_int(&d, "axis", -2);
    for (size_t k = 0; k < 3; k++)
        assert_int_equal(tw_array_copy(&d.in[d.nin++], &c.out[k], NULL), TW_OK);
    run(&d, 1);
    check_shape(&d.out[0], TW_F16, DIMS(2, 5, 2));
    assert_memory_equal(d.out[0].data, c.in[0].data, 40);
    end(&d);
    end(&c);
    c = begin("Split", 18); /* num_outputs: the last part is shorter */
    set_int(&c, "num_outputs", 3);
    give_count(&c, TW_F32, DIMS(7));
    run(&c, 3);
    check_out(&c, 2, TW_F32, DIMS(1), REALS(6), 0.0);
    end(&c);
}

static void pads_have_four_modes(void **state)
{
    static const struct {
        const char *mode;
        double want[9];
    } cases[] = {
        { "constant", { 7, 7, 7, 7, 0, 1, 2, 7, 7 } },
        { "edge", { 0, 0, 0, 0, 0, 1, 2, 2, 2 } },
        { "reflect", { 0, 1, 2, 1, 0, 1, 2, 1, 0 } },
        { "wrap", { 2, 0, 1, 2, 0, 1, 2, 0, 1 } },
    };

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct call c = begin("Pad", 13);

        set_text(&c, "mode", cases[k].mode);
        give_count(&c, TW_F32, DIMS(3));
        give_ints(&c, INTS(4, 2));
        give(&c, TW_F32, SCALAR, REALS(7));
        run(&c, 1);
        check_out(&c, 0, TW_F32, DIMS(9), cases[k].want, 0.0);
        end(&c);
    }
    {
        struct call c = begin("Pad", 6); /* attributes; a negative pad cuts */

        set_ints(&c, "pads", INTS(0, -1, 0, 1));
        set_real(&c, "value", 0.5);
        give_count(&c, TW_F32, DIMS(2, 2));
        run(&c, 1);
        check_out(&c, 0, TW_F32, DIMS(2, 2), REALS(1, 0.5, 3, 0.5), 0.0);
        end(&c);
    }
}

static void blocks_go_to_depth_and_back(void **state)
{
    struct call c = begin("SpaceToDepth", 13), d = begin("DepthToSpace", 13);

    (void)state;
    set_int(&c, "blocksize", 2);
    set_int(&d, "blocksize", 2);
    give_count(&c, TW_F32, DIMS(2, 3, 4, 6));
    run(&c, 1);
    check_shape(&c.out[0], TW_F32, DIMS(2, 12, 2, 3));
    assert_true(tw_array_real(&c.out[0], 3 * 6) == 1.0); /* the second of the first block */
    assert_int_equal(tw_array_copy(&d.in[d.nin++], &c.out[0], NULL), TW_OK);
    run(&d, 1);
    check_shape(&d.out[0], TW_F32, DIMS(2, 3, 4, 6));
    assert_memory_equal(d.out[0].data, c.in[0].data, 144 * sizeof(float));
    end(&c);
    end(&d);
}

static void tiles_transpositions_and_triangles(void **state)
{
    struct call c = begin("Tile", 13);

    (void)state;
    give_count(&c, TW_I32, DIMS(1, 2));
    give_ints(&c, INTS(2, 2));
    run(&c, 1);
    check_out(&c, 0, TW_I32, DIMS(2, 4), REALS(0, 1, 0, 1, 0, 1, 0, 1), 0.0);
    end(&c);
    c = begin("Transpose", 13);
    set_ints(&c, "perm", INTS(1, 2, 0));
    give_count(&c, TW_I32, DIMS(2, 1, 3));
    run(&c, 1);
    check_out(&c, 0, TW_I32, DIMS(1, 3, 2), REALS(0, 3, 1, 4, 2, 5), 0.0);
    end(&c);
    c = begin("Trilu", 14);
    set_int(&c, "upper", 0);
    give(&c, TW_F32, DIMS(2, 3), REALS(1, 2, 3, 4, 5, 6));
    give(&c, TW_I64, SCALAR, REALS(1));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2, 3), REALS(1, 2, 0, 4, 5, 6), 0.0);
    end(&c);
    c = begin("EyeLike", 9);
    set_int(&c, "k", -1);
    set_int(&c, "dtype", 7);
    give_count(&c, TW_F32, DIMS(2, 2));
    run(&c, 1);
    check_out(&c, 0, TW_I64, DIMS(2, 2), REALS(0, 0, 1, 0), 0.0);
    end(&c);
}

/* ---- made from numbers ----------------------------------------------------------------------- */

static void constants_and_ranges(void **state)
{
    struct call c = begin("Constant", 13);

    (void)state;
    set_ints(&c, "value_ints", INTS(3, -4));
    run(&c, 1);
    check_out(&c, 0, TW_I64, DIMS(2), REALS(3, -4), 0.0);
    end(&c);
    c = begin("Constant", 13);
    set_real(&c, "value_float", 0.5);
    run(&c, 1);
    check_out(&c, 0, TW_F32, SCALAR, REALS(0.5), 0.0);
    end(&c);
    c = begin("ConstantOfShape", 9);
    give_ints(&c, INTS(2, 1));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2, 1), REALS(0, 0), 0.0);
    end(&c);
    c = begin("Range", 11);
    give(&c, TW_I32, SCALAR, REALS(10));
    give(&c, TW_I32, SCALAR, REALS(3));
    give(&c, TW_I32, SCALAR, REALS(-3));
    run(&c, 1);
    check_out(&c, 0, TW_I32, DIMS(3), REALS(10, 7, 4), 0.0);
    end(&c);
}

/* ---- by index -------------------------------------------------------------------------------- */

static void elements_are_gathered_by_index(void **state)
{
    struct call c = begin("Gather", 13);

    (void)state;
    set_int(&c, "axis", 1);
    give_count(&c, TW_F32, DIMS(2, 3));
    give(&c, TW_I32, DIMS(2, 1), REALS(-1, 0));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2, 2, 1), REALS(2, 0, 5, 3), 0.0);
    end(&c);
    c = begin("GatherElements", 13);
    set_int(&c, "axis", 0);
    give_count(&c, TW_F32, DIMS(2, 3));
    give(&c, TW_I64, DIMS(1, 3), REALS(1, 0, -1));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(1, 3), REALS(3, 1, 5), 0.0);
    end(&c);
    c = begin("GatherND", 13);
    set_int(&c, "batch_dims", 1);
    give_count(&c, TW_F32, DIMS(2, 2, 3));
    give(&c, TW_I64, DIMS(2, 1), REALS(1, 0));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2, 3), REALS(3, 4, 5, 6, 7, 8), 0.0);
    end(&c);
    c = begin("OneHot", 11);
    set_int(&c, "axis", 0);
    give(&c, TW_I64, DIMS(2), REALS(-1, 5));
    give(&c, TW_I64, SCALAR, REALS(3));
    give(&c, TW_F32, DIMS(2), REALS(-1, 1));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(3, 2), REALS(-1, -1, -1, -1, 1, -1), 0.0);
    end(&c);
}

static void the_largest_and_smallest_are_found(void **state)
{
    struct call c = begin("TopK", 11);

    (void)state;
    set_int(&c, "largest", 0);
    give(&c, TW_F32, DIMS(4), REALS(3, 1, 2, 1));
    give_ints(&c, INTS(3));
    run(&c, 2);
    check_out(&c, 0, TW_F32, DIMS(3), REALS(1, 1, 2), 0.0);
    check_out(&c, 1, TW_I64, DIMS(3), REALS(1, 3, 2), 0.0);
    end(&c);
    for (int64_t last = 0; last < 2; last++) {
        c = begin("ArgMax", 13);
        set_int(&c, "axis", 1);
        set_int(&c, "keepdims", 0);
        set_int(&c, "select_last_index", last);
        give(&c, TW_I8, DIMS(2, 3), REALS(5, 1, 5, -3, -1, -2));
        run(&c, 1);
        check_out(&c, 0, TW_I64, DIMS(2), REALS(last ? 2 : 0, 1), 0.0);
        end(&c);
    }
}

/* ---- reductions ------------------------------------------------------------------------------ */

/* Of 0, 1, ..., n - 1 the closed forms. */
static void reductions_have_their_closed_forms(void **state)
{
    const double n = 12.0, square = 506.0; /* (n - 1) n (2 n - 1) / 6 */
    const struct {
        const char *op;
        double want;
    } cases[] = {
        { "ReduceSum", 66.0 },         { "ReduceMean", 5.5 },
        { "ReduceMax", 11.0 },         { "ReduceMin", 0.0 },
        { "ReduceProd", 0.0 },         { "ReduceL1", 66.0 },
        { "ReduceL2", sqrt(square) },  { "ReduceSumSquare", square },
        { "ReduceLogSum", log(66.0) }, { "ReduceLogSumExp", log((exp(n) - 1.0) / (exp(1.0) - 1.0)) }
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct call c = begin(cases[k].op, 13);

        give_count(&c, TW_F64, DIMS(3, 1, 4));
        run(&c, 1);
        check_out(&c, 0, TW_F64, DIMS(1, 1, 1), REALS(cases[k].want), 1e-14);
        end(&c);
    }
}

static void norms_take_the_size_of_integers_too(void **state)
{
    static const enum tw_dtype types[] = { TW_F32, TW_I32 };

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct call c = begin("ReduceL1", 13);

        set_int(&c, "keepdims", 0);
        give(&c, types[k], DIMS(3), REALS(-3, 4, -5));
        run(&c, 1);
        check_out(&c, 0, types[k], SCALAR, REALS(12), 0.0);
        end(&c);
    }
}

static void large_terms_do_not_overflow_log_sum_exp(void **state)
{
    struct call c = begin("ReduceLogSumExp", 13);

    (void)state;
    set_ints(&c, "axes", INTS(1));
    set_int(&c, "keepdims", 0);
    give(&c, TW_F64, DIMS(3, 2), REALS(1000, 1000, -INFINITY, -INFINITY, -INFINITY, INFINITY));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(3), REALS(1000 + log(2), -INFINITY, INFINITY), 1e-15);
    end(&c);
}

static void running_sums_go_both_ways(void **state)
{
    static const double want[4][3] = { { 1, 3, 6 }, { 0, 1, 3 }, { 6, 5, 3 }, { 5, 3, 0 } };

    (void)state;
    for (int64_t k = 0; k < 4; k++) {
        struct call c = begin("CumSum", 14);

        set_int(&c, "exclusive", k & 1);
        set_int(&c, "reverse", k >> 1);
        give(&c, TW_I32, DIMS(3), REALS(1, 2, 3));
        give(&c, TW_I64, SCALAR, REALS(0));
        run(&c, 1);
        check_out(&c, 0, TW_I32, DIMS(3), want[k], 0.0);
        end(&c);
    }
}

/* ---- products -------------------------------------------------------------------------------- */

static void products_of_matrices_in_three_spellings(void **state)
{
    static const double want[] = { 20, 23, 26, 29, 56, 68, 80, 92 };
    struct call c = begin("MatMul", 13);

    (void)state;
    give_count(&c, TW_I32, DIMS(1, 2, 3));
    give_count(&c, TW_I32, DIMS(3, 4));
    run(&c, 1);
    check_out(&c, 0, TW_I32, DIMS(1, 2, 4), want, 0.0);
    end(&c);
    c = begin("Gemm", 11);
    set_real(&c, "alpha", 0.5);
    set_real(&c, "beta", 10.0);
    set_int(&c, "transA", 1);
    give(&c, TW_F32, DIMS(3, 2), REALS(0, 3, 1, 4, 2, 5));
    give_count(&c, TW_F32, DIMS(3, 4));
    give(&c, TW_F32, DIMS(2, 1), REALS(1, -1));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2, 4), REALS(20, 21.5, 23, 24.5, 18, 24, 30, 36), 0.0);
    end(&c);
    c = begin("Einsum", 12);
    set_text(&c, "equation", "...ij, jk -> ...ik");
    give_count(&c, TW_F32, DIMS(1, 2, 3));
    give_count(&c, TW_F32, DIMS(3, 4));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(1, 2, 4), want, 0.0);
    end(&c);
    c = begin("Einsum", 12); /* the trace, without a result */
    set_text(&c, "equation", "ii");
    give_count(&c, TW_F32, DIMS(3, 3));
    run(&c, 1);
    check_out(&c, 0, TW_F32, SCALAR, REALS(12), 0.0);
    end(&c);
    c = begin("MatMul", 13); /* vectors */
    give_count(&c, TW_F32, DIMS(3));
    give_count(&c, TW_F32, DIMS(3));
    run(&c, 1);
    check_out(&c, 0, TW_F32, SCALAR, REALS(5), 0.0);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_copies_and_infers_extents),
        cmocka_unit_test(axes_come_as_attribute_or_input),
        cmocka_unit_test(shape_has_a_start_and_an_end),
        cmocka_unit_test(slices_are_those_of_python),
        cmocka_unit_test(concat_undoes_split),
        cmocka_unit_test(pads_have_four_modes),
        cmocka_unit_test(blocks_go_to_depth_and_back),
        cmocka_unit_test(tiles_transpositions_and_triangles),
        cmocka_unit_test(constants_and_ranges),
        cmocka_unit_test(elements_are_gathered_by_index),
        cmocka_unit_test(the_largest_and_smallest_are_found),
        cmocka_unit_test(reductions_have_their_closed_forms),
        cmocka_unit_test(norms_take_the_size_of_integers_too),
        cmocka_unit_test(large_terms_do_not_overflow_log_sum_exp),
        cmocka_unit_test(running_sums_go_both_ways),
        cmocka_unit_test(products_of_matrices_in_three_spellings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
