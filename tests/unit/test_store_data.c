/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data sets: rows, splits, subsets, scaling, labels. */
#include <math.h>

#include "datasets.h"
#include "folder.h"
#include "nets.h"
#include "thalweg/store_data.h"
#include "thalweg/store_weights.h"

static const char *digits(void)
{
    static char path[700];

    (void)snprintf(path, sizeof path, "%s/../../../../data/digits.h5", sample(""));
    if (access(path, R_OK) != 0)
        (void)snprintf(path, sizeof path, "%s../../../data/digits.h5", sample(""));
    return path;
}

/* ---- files made here: npy is the simplest, HDF5 the richest ---------------------------------- */

static const char *npy(const char *file, const char *type, const char *shape, const void *data,
                       size_t n)
{
    unsigned char bytes[500];
    int length = snprintf((char *)bytes + 10, 300,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);

    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (unsigned char)length;
    bytes[9] = 0;
    memcpy(bytes + 10 + length, data, n);
    spill(in_folder(file), bytes, 10 + (size_t)length + n);
    return in_folder(file);
}

static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                hid_t memory, const void *x)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(set >= 0 && H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
}

static hid_t create(const char *path)
{
    return H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void the_digits_have_a_split(void **state)
{
    struct tw_data_options o = { .classes = true };
    /* Of the test set, as its authors count them (UCI). */
    static const size_t want[10] = { 178, 182, 177, 183, 181, 182, 181, 179, 174, 180 };
    size_t found[10] = { 0 };
    struct result r = reads(digits(), NULL, &o);

    (void)state;
    assert_int_equal(r.d.x.dtype, TW_U8);
    assert_true(r.d.x.rank == 4 && r.d.x.dims[0] == 1797 && r.d.x.dims[1] == 1);
    assert_true(r.d.x.dims[2] == 8 && r.d.x.dims[3] == 8);
    assert_int_equal(r.d.y.dtype, TW_I64);
    assert_int_equal(r.report.nclass, 10);
    assert_string_equal(r.d.name, "digits");
    for (size_t i = 0; i < 1797; i++)
        found[tw_array_int(&r.d.y, i)]++;
    assert_memory_equal(found, want, sizeof want);
    assert_int_equal(tw_array_int(&r.d.x, 2), 5); /* the first image: 0 0 5 13 9 1 0 0 */
    assert_non_null(strstr(r.remarks.s, "the file says: divide x by 16 (--scale 0.0625).\n"));
    assert_non_null(strstr(r.remarks.s, "all 1797 samples are taken, whatever their split.\n"));
    done(&r);
    o.split = "train";
    o.scale = 1.0 / 16;
    r = reads(digits(), NULL, &o);
    assert_true(r.d.x.dims[0] == 1498 && r.d.y.dims[0] == 1498 && r.report.samples == 1797);
    assert_int_equal(r.d.x.dtype, TW_F32);
    assert_true(tw_array_real(&r.d.x, 3) == 13.0 / 16);
    assert_int_equal(r.remarks.n, 0);
    done(&r);
    o.split = "test";
    r = reads(digits(), NULL, &o);
    assert_true(r.d.x.dims[0] == 299 && tw_array_int(&r.d.y, 0) == 5); /* the sixth is a five */
    done(&r);
    o.split = "validation";
    fails(digits(), NULL, &o, "no samples in split validation");
    o.split = "all";
    fails(digits(), NULL, &o, "no split 'all'; there are train, test and validation");
}

static void a_limit_takes_the_first_or_a_random_subset(void **state)
{
    struct tw_data_options o = { .limit = 100 };
    struct result all = reads(digits(), NULL, NULL), first = reads(digits(), NULL, &o), a, b;
    size_t j = 0, sum = 0;

    (void)state;
    assert_true(first.d.x.dims[0] == 100 && first.d.y.dims[0] == 100);
    assert_memory_equal(first.d.x.data, all.d.x.data, 100 * 64);
    assert_non_null(strstr(first.remarks.s, "the first 100 of 1797 samples are taken.\n"));
    o.random = true;
    o.subset_seed = 3;
    a = reads(digits(), NULL, &o);
    b = reads(digits(), NULL, &o);
    assert_memory_equal(a.d.x.data, b.d.x.data, 100 * 64);
    assert_non_null(strstr(a.remarks.s, "a random 100 of 1797 samples are taken.\n"));
    done(&b);
    for (size_t i = 0; i < 100; i++, j++) { /* rows of the file, in its order, each once */
        const char *row = (const char *)a.d.x.data + 64 * i;

        while (j < 1797 && memcmp(row, (const char *)all.d.x.data + 64 * j, 64) != 0)
            j++;
        assert_true(j < 1797);
        assert_true(tw_array_int(&a.d.y, i) == tw_array_int(&all.d.y, j));
        sum += j;
    }
    /* The mean row of 100 of 1797: 898, with a standard deviation of 50. */
    assert_true(sum > 65000 && sum < 115000);
    o.subset_seed = 4;
    b = reads(digits(), NULL, &o);
    assert_memory_not_equal(a.d.x.data, b.d.x.data, 100 * 64);
    done(&b);
    o.limit = 5000;
    b = reads(digits(), NULL, &o);
    assert_memory_equal(b.d.x.data, all.d.x.data, 1797 * 64);
    done(&a);
    done(&b);
    done(&all);
    done(&first);
}

static void channels_are_scaled_each(void **state)
{
    static const unsigned char bytes[] = { 0, 51, 102, 153, 204, 255, 1, 2 };
    const double mean[] = { 0.25, 0.5 }, std[] = { 0.5, 2 }, bad[] = { 1, 0 };
    struct tw_data_options o = {
        .scale = 1.0 / 255, .nmean = 2, .mean = mean, .nstd = 2, .std = std
    };
    const char *path = npy("x.npy", "|u1", "2, 2, 2", bytes, 8);
    struct result r = reads(path, NULL, &o);

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        size_t c = i / 2 % 2;

        check_close(tw_array_real(&r.d.x, i), (bytes[i] / 255.0 - mean[c]) / std[c], 1e-7, 1e-7);
    }
    assert_int_equal(r.d.y.dtype, TW_NONE);
    done(&r);
    o.nmean = o.nstd = 1;
    r = reads(path, NULL, &o);
    check_close(tw_array_real(&r.d.x, 3), (0.6 - 0.25) / 0.5, 1e-7, 1e-7);
    done(&r);
    o.nmean = 3;
    fails(path, NULL, &o,
          "3 means for x, which is uint8[2,2,2]: give one, or one for each channel");
    o.nmean = 0;
    o.nstd = 2;
    o.std = bad;
    fails(path, NULL, &o, "a standard deviation of 0; it must be positive");
    o = (struct tw_data_options){ .nmean = 4, .mean = mean };
    fails(npy("x.npy", "|u1", "4, 2, 1", bytes, 8), NULL, &o,
          "4 means for x, which is uint8[4,2,1]: give one, or one for each channel (the second");
}

static void labels_may_be_in_a_file_of_their_own(void **state)
{
    static const float x[] = { 1, 2, 3, (float)NAN, (float)INFINITY, 6 };
    static const signed char y[] = { 2, -100, 0 }, bad[] = { 2, -1, 0 };
    static const double whole[] = { 0, 1, 4 }, half[] = { 0, 1.5, 4 };
    struct tw_data_options o = { .classes = true };
    const char *ys;
    struct result r;
    char xs[100];

    (void)state;
    (void)snprintf(xs, sizeof xs, "%s", npy("x.npy", "<f4", "3, 2", x, sizeof x));
    ys = npy("y.npy", "|i1", "3, 1", y, 3);
    r = reads(xs, ys, &o);
    assert_true(r.d.y.rank == 1 && r.d.y.dtype == TW_I64 && tw_array_int(&r.d.y, 1) == -100);
    assert_true(r.report.nclass == 3 && r.report.nonfinite == 2);
    assert_non_null(strstr(r.remarks.s, "2 numbers of x are not finite (NaN or infinite).\n"));
    done(&r);
    r = reads(xs, npy("y.npy", "<f8", "3,", whole, 24), &o);
    assert_true(r.d.y.dtype == TW_I64 && r.report.nclass == 5);
    done(&r);
    r = reads(xs, npy("y.npy", "<f8", "3,", half, 24), NULL); /* targets */
    assert_true(r.d.y.dtype == TW_F64 && tw_array_real(&r.d.y, 1) == 1.5);
    done(&r);
    fails(xs, npy("y.npy", "<f8", "3,", half, 24), &o, "y: row 1 is 1.5, which is no class number");
    fails(xs, npy("y.npy", "|i1", "3,", bad, 3), &o,
          "y: row 1 is -1; classes are numbered from 0 (-100 is ignored)");
    fails(xs, npy("y.npy", "|i1", "2,", y, 2), &o, "x has 3 rows and y has 2");
    fails(xs, npy("y.npy", "<f4", "3, 2", x, sizeof x), &o, "numpy.argmax(y, axis=1)");
    fails(xs, npy("y.npy", "<f8", "", whole, 8), &o, "'y' is one number");
    fails(npy("x.npy", "|u1", "0, 2", x, 0), NULL, NULL, "no samples");
    o.y = "targets";
    fails(xs, npy("y.npy", "|i1", "3,", y, 3), &o, "no array 'targets'; the file has 'y'");
}

static void arrays_are_found_by_name_or_split(void **state)
{
    const char *path = in_folder("d.h5");
    static const float x[] = { 1, 2, 3, 4, 5, 6 };
    static const unsigned char y[] = { 0, 1, 2 };
    struct tw_data_options o = { .split = "test" };
    hid_t file = create(path), text = H5Tcopy(H5T_C_S1);
    struct result r;

    (void)state;
    put(file, "x_train", H5T_IEEE_F32LE, 2, (const hsize_t[]){ 3, 2 }, H5T_NATIVE_FLOAT, x);
    put(file, "y_train", H5T_STD_U8LE, 1, (const hsize_t[]){ 3 }, H5T_NATIVE_UCHAR, y);
    put(file, "x_test", H5T_IEEE_F32LE, 2, (const hsize_t[]){ 2, 3 }, H5T_NATIVE_FLOAT, x);
    put(file, "y_test", H5T_STD_U8LE, 1, (const hsize_t[]){ 2 }, H5T_NATIVE_UCHAR, y);
    (void)H5Fclose(file);
    r = reads(path, NULL, &o);
    assert_true(r.d.x.dims[0] == 2 && r.d.y.n == 2);
    done(&r);
    fails(path, NULL, NULL, "no array 'x', 'X'; the file has 'x_test', 'x_train', 'y_test'");
    o = (struct tw_data_options){ .x = "x_train", .y = "y_train" };
    r = reads(path, NULL, &o);
    assert_true(r.d.x.dims[0] == 3 && r.d.y.n == 3);
    done(&r);

    file = create(path);
    (void)H5Tset_size(text, 5);
    put(file, "X", H5T_IEEE_F32LE, 2, (const hsize_t[]){ 3, 2 }, H5T_NATIVE_FLOAT, x);
    put(file, "split", text, 1, (const hsize_t[]){ 3 }, text, "traintest\0train");
    (void)H5Fclose(file);
    o = (struct tw_data_options){ .split = "train" };
    r = reads(path, NULL, &o);
    assert_true(r.d.x.dims[0] == 2 && tw_array_real(&r.d.x, 2) == 5.0);
    done(&r);
    file = create(path);
    put(file, "x", H5T_IEEE_F32LE, 2, (const hsize_t[]){ 3, 2 }, H5T_NATIVE_FLOAT, x);
    put(file, "split", text, 1, (const hsize_t[]){ 3 }, text, "trainotherother");
    (void)H5Fclose(file);
    fails(path, NULL, &o, "split: row 1 is 'other', expected train, test or validation");
    file = create(path);
    put(file, "x", H5T_IEEE_F32LE, 2, (const hsize_t[]){ 3, 2 }, H5T_NATIVE_FLOAT, x);
    put(file, "split", H5T_IEEE_F32LE, 1, (const hsize_t[]){ 3 }, H5T_NATIVE_FLOAT, x);
    (void)H5Fclose(file);
    fails(path, NULL, &o, "expected a whole number for each of 3 samples, found 3 float32s");
    file = create(path);
    put(file, "x", H5T_IEEE_F32LE, 2, (const hsize_t[]){ 3, 2 }, H5T_NATIVE_FLOAT, x);
    put(file, "split", H5T_STD_U8LE, 1, (const hsize_t[]){ 3 }, H5T_NATIVE_FLOAT, x);
    (void)H5Fclose(file);
    fails(path, NULL, &o, "split: row 2 is 3; 0 is train, 1 test, 2 validation");
    (void)H5Tclose(text);
    fails(npy("x.npy", "|u1", "3,", y, 3), NULL, &o, "no array 'split' that says which samples");
    /* npz, and files that are no data set. */
    fails(sample("../checkpoints/types.pt"), NULL, NULL, "this is a checkpoint of PyTorch (.pt)");
    fails(sample("mlp.npz"), NULL, NULL,
          "no array 'x', 'X'; the file has 'fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'");
    o = (struct tw_data_options){ .x = "fc1.weight", .y = "fc1.bias" };
    r = reads(sample("mlp.npz"), NULL, &o);
    assert_true(r.d.x.dims[0] == 5 && r.d.x.dims[1] == 6 && r.d.y.n == 5);
    done(&r);
    fails(sample("mlp.onnx"), NULL, NULL, "this is an ONNX model, not a data set");
    spill(in_folder("x"), "1,2,3\n", 6);
    fails(in_folder("x"), NULL, NULL, "its kind is not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_digits_have_a_split),
        cmocka_unit_test(a_limit_takes_the_first_or_a_random_subset),
        folder_test(channels_are_scaled_each),
        folder_test(labels_may_be_in_a_file_of_their_own),
        folder_test(arrays_are_found_by_name_or_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
