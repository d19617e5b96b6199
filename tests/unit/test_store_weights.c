/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints: HDF5, npz, npy and ONNX hold the same; what else there is has a name. */
#include "folder.h"
#include "nets.h"
#include "store/npy.h"
#include "thalweg/store_weights.h"

static void reads(const char *path, const char *key, struct tw_named_list *list,
                  struct tw_str *remarks)
{
    struct tw_err err = { 0 };

    if (tw_store_weights_read(path, key, list, remarks, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

static void fails(const char *path, const char *key, const char *part)
{
    struct tw_named_list list;
    struct tw_err err = { 0 };
    enum tw_status rc = tw_store_weights_read(path, key, &list, NULL, &err);

    if (rc == TW_OK)
        fail_msg("%s was read", path);
    assert_int_equal(list.n, 0);
    check_message(&err, part);
    check_message(&err, path);
}

/* ---- the same checkpoint in every form ----------------------------------------------------- */

static void same(const struct tw_named_list *a, const struct tw_named_list *b, bool reals_only)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct tw_array *x = &a->item[i].array, *y = tw_named_find(b, a->item[i].name);

        if (reals_only && !tw_dtype_is_real(x->dtype))
            continue;
        if (!y)
            fail_msg("%s is missing", a->item[i].name);
        assert_true(tw_array_same_shape(x, y));
        for (size_t k = 0; k < x->n; k++)
            assert_true(tw_array_real(x, k) == tw_array_real(y, k));
    }
}

static void every_form_holds_the_same(void **state)
{
    static const char *const nets[] = { "mlp", "cnn", "gpt" };
    struct tw_named_list h5, npz, onnx;
    char name[20];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tw_str remarks = { 0 };

        (void)snprintf(name, sizeof name, "%s.h5", nets[i]);
        reads(sample(name), NULL, &h5, &remarks);
        (void)snprintf(name, sizeof name, "%s.npz", nets[i]);
        reads(sample(name), NULL, &npz, &remarks);
        (void)snprintf(name, sizeof name, "%s.onnx", nets[i]);
        reads(sample(name), NULL, &onnx, &remarks);
        assert_int_equal(remarks.n, 0);
        assert_int_equal(h5.n, npz.n);
        assert_true(npz.n >= 4 && onnx.n >= 4 && onnx.n <= npz.n);
        same(&h5, &npz, false);
        same(&npz, &h5, false);
        same(&onnx, &npz, false);
        tw_named_release(&h5);
        tw_named_release(&npz);
        tw_named_release(&onnx);
    }
}

static void renamed_initializers_are_there_under_both_names(void **state)
{
    struct tw_named_list list;
    const struct tw_array *a;

    (void)state;
    reads(sample("cnn-fresh.onnx"), NULL, &list, NULL);
    a = tw_named_find(&list, "bn2.running_var");
    assert_true(a && a->n == 4 && tw_array_real(a, 3) == 1.0);
    a = tw_named_find(&list, "bn1.running_mean");
    assert_true(a && tw_array_real(a, 0) == 0.0);
    tw_named_release(&list);
}

/* ---- npy ------------------------------------------------------------------------------------- */

/* A file of version 1.0 with this header and these bytes. */
static size_t npy(unsigned char *to, const char *header, const void *data, size_t n)
{
    size_t length = strlen(header);

    memcpy(to, "\x93NUMPY\1\0", 8);
    to[8] = (unsigned char)(length & 255);
    to[9] = (unsigned char)(length >> 8);
    memcpy(to + 10, header, length);
    if (n)
        memcpy(to + 10 + length, data, n);
    return 10 + length + n;
}

static void npy_gives(const char *header, const void *data, size_t n, enum tw_dtype type,
                      const char *shape, const double *x)
{
    unsigned char bytes[300];
    struct tw_bytes b = { bytes, npy(bytes, header, data, n) };
    struct tw_str s = { 0 };
    struct tw_err err = { 0 };
    struct tw_array a;

    if (npy_read_mem(&b, &a, &err) != TW_OK)
        fail_msg("%s: %s", header, err.msg);
    assert_int_equal(a.dtype, type);
    tw_array_describe(a.dtype, a.rank, a.dims, &s);
    assert_non_null(strstr(s.s, shape));
    for (size_t i = 0; i < a.n; i++)
        if (tw_array_real(&a, i) != x[i])
            fail_msg("%s: element %zu is %g, not %g", header, i, tw_array_real(&a, i), x[i]);
    tw_str_release(&s);
    tw_array_release(&a);
}

#define XS(...) ((const double[]){ __VA_ARGS__ })

static void npy_types_orders_and_shapes(void **state)
{
    static const float f[] = { 1, 2, 3, 4, 5, 6 };

    (void)state;
    npy_gives("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }      \n", f, 24, TW_F32,
              "[2,3]", XS(1, 2, 3, 4, 5, 6));
    /* By columns: the first index runs fastest. */
    npy_gives("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", f, 24, TW_F32,
              "[2,3]", XS(1, 3, 5, 2, 4, 6));
    npy_gives("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 3, 2), }\n", f, 24, TW_F32,
              "[1,3,2]", XS(1, 4, 2, 5, 3, 6));
    npy_gives("{\"shape\":(6,),\"fortran_order\":True,\"descr\":\"<f4\"}", f, 24, TW_F32, "[6]",
              XS(1, 2, 3, 4, 5, 6));
    npy_gives("{'descr': '=f4', 'fortran_order': False, 'shape': (3L, 2L), }", f, 24, TW_F32,
              "[3,2]", XS(1, 2, 3, 4, 5, 6));
    npy_gives("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", f + 2, 4, TW_F32, "[]",
              XS(3));
    npy_gives("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", f, 0, TW_F64, "[0,3]",
              XS(0));
    npy_gives("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "\x3f\x80\0\0", 4,
              TW_F32, "[1]", XS(1));
    npy_gives("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }", "\x40\x08\0\0\0\0\0\0",
              8, TW_F64, "[1]", XS(3));
    npy_gives("{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", "\x00\x42\x00\x3c", 4,
              TW_F16, "[2]", XS(3, 1));
    npy_gives("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", "\xff\xfe\x01\x00", 4,
              TW_I16, "[2]", XS(-2, 256));
    npy_gives("{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }", "\xff\x03", 2, TW_I8,
              "[2]", XS(-1, 3));
    npy_gives("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "\xff\x03", 2, TW_U8,
              "[2]", XS(255, 3));
    npy_gives("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", "\x02\0", 2, TW_BOOL,
              "[2]", XS(1, 0));
    npy_gives("{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }",
              "\xff\xff\xff\xff\xff\xff\xff\xff", 8, TW_I64, "[1]", XS(-1));
    npy_gives("{'descr': '<u4', 'fortran_order': False, 'shape': (1,), }", "\xff\xff\xff\xff", 4,
              TW_U32, "[1]", XS(4294967295.0));
}

static void bad_arrays_of_numpy_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t n;
        const char *part;
    } cases[] = {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23,
          "asks for 24 bytes, 23 are stored" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25,
          "asks for 24 bytes, 25 are stored" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000000000), }", 0,
          "asks for more than" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000000000000, 0), }",
          0, "asks for more than" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999,), }", 0,
          "an extent that no array has" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4,
          "more than 8 dimensions" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, "expected an extent" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': 3, }", 4, "expected a shape" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (3 4), }", 4, "expected a comma" },
        { "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", 4, "True or False" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 4, "which may run programs" },
        { "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "of type '<c8'" },
        { "{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", 12, "of type '<U3'" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4, "are records" },
        { "{'descr': 3, 'fortran_order': False, 'shape': (1,), }", 4, "a type such as '<f4'" },
        { "{'descr': '', 'fortran_order': False, 'shape': (1,), }", 4, "of type ''" },
        { "{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", 4, "unknown or said twice" },
        { "{'descr': '<f4', 'shape': (1,), }", 4, "lacks its type, order or shape" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,) 'x': 1}", 4, "a comma or '}'" },
        { "{'descr': '<f4", 4, "a type such as" },
        { "", 4, "expected '{'" },
    };
    static const char zeros[32];
    unsigned char bytes[300];
    struct tw_bytes b = { bytes, 0 };
    struct tw_err err = { 0 };
    struct tw_array a;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        b.n = npy(bytes, cases[i].header, zeros, cases[i].n);
        err = (struct tw_err){ 0 };
        assert_int_equal(npy_read_mem(&b, &a, &err), TW_EFORMAT);
        check_message(&err, cases[i].part);
        assert_null(a.data);
    }
    b.n = npy(bytes, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", zeros, 8);
    for (; b.n > 0; b.n--) {
        err = (struct tw_err){ 0 };
        assert_int_equal(npy_read_mem(&b, &a, &err), b.n == 75 ? TW_OK : TW_EFORMAT);
        tw_array_release(&a);
    }
    bytes[6] = 4;
    b.n = 75;
    err = (struct tw_err){ 0 };
    assert_int_equal(npy_read_mem(&b, &a, &err), TW_EFORMAT);
    check_message(&err, "format version 4");
}

static void one_array_is_named_by_its_file(void **state)
{
    unsigned char bytes[300];
    struct tw_named_list list;

    (void)state;
    spill(in_folder("fc1.bias.npy"), bytes,
          npy(bytes, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "ab", 2));
    reads(in_folder("fc1.bias.npy"), NULL, &list, NULL);
    assert_int_equal(list.n, 1);
    assert_string_equal(list.item[0].name, "fc1.bias");
    tw_named_release(&list);
}

/* ---- npz ------------------------------------------------------------------------------------- */

static char *find(char *p, size_t n, const char *what, size_t m)
{
    for (size_t i = 0; i + m <= n; i++)
        if (!memcmp(p + i, what, m))
            return p + i;
    return NULL;
}

static void damaged_archives_are_refused(void **state)
{
    size_t n, m;
    char *p = slurp(sample("mlp.npz"), &n), *q, *central;

    (void)state;
    assert_non_null(p);
    spill(in_folder("a.npz"), p, n - 1);
    fails(in_folder("a.npz"), NULL, "a damaged ZIP archive");
    spill(in_folder("a.npz"), p, n / 2);
    fails(in_folder("a.npz"), NULL, "a damaged ZIP archive");
    q = find(p, n, "\x93NUMPY", 6);
    q[200] = (char)(q[200] ^ 1); /* a number */
    spill(in_folder("a.npz"), p, n);
    fails(in_folder("a.npz"), NULL, "'fc1.weight': ");
    free(p);
    /* An entry that claims to be 100 MiB. */
    p = slurp(sample("mlp.npz"), &n);
    central = find(p, n, "PK\1\2", 4);
    assert_non_null(central);
    memcpy(central + 24, "\0\0\x40\x06", 4);
    spill(in_folder("a.npz"), p, n);
    fails(in_folder("a.npz"), NULL, "fc1.weight.npy");
    memcpy(central + 20, "\0\0\x40\x06", 4);
    spill(in_folder("a.npz"), p, n);
    fails(in_folder("a.npz"), NULL, "fc1.weight.npy");
    free(p);
    for (m = 0; m < 400; m++) { /* whatever it is: a message, or arrays */
        struct tw_named_list list = { 0 };
        struct tw_err err = { 0 };
        struct tw_bytes b;

        p = slurp(sample("mlp.npz"), &n);
        p[(m * 37) % n] = (char)(p[(m * 37) % n] ^ (1 << m % 8));
        b = (struct tw_bytes){ (unsigned char *)p, n };
        if (npz_read(NULL, &b, NULL, NULL, &list, &err) != TW_OK)
            assert_true(err.msg[0] && !strchr(err.msg, '\n') && list.n == 0);
        tw_named_release(&list);
        free(p);
    }
}

/* ---- HDF5 ------------------------------------------------------------------------------------ */

static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                hid_t memory, const void *x)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, dims, NULL), set;

    (void)H5Pset_create_intermediate_group(links, 1);
    set = H5Dcreate2(file, name, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
    (void)H5Pclose(links);
}

static hid_t half_type(void)
{
    hid_t t = H5Tcopy(H5T_IEEE_F32LE);

    assert_true(H5Tset_fields(t, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(t, 2) >= 0 &&
                H5Tset_ebias(t, 15) >= 0);
    return t;
}

static hid_t bool_type(void) /* as h5py stores numpy's */
{
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    signed char no = 0, yes = 1;

    assert_true(H5Tenum_insert(t, "FALSE", &no) >= 0 && H5Tenum_insert(t, "TRUE", &yes) >= 0);
    return t;
}

static void all_numbers_of_hdf5_are_read(void **state)
{
    const char *path = in_folder("w.h5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), half = half_type(),
          flag = bool_type(), text = H5Tcopy(H5T_C_S1), group;
    static const double x[] = { 1.5, -2, 0.1, 4, 5, 6 };
    static const signed char flags[] = { 1, 0, 1 };
    static const struct {
        const char *name;
        enum tw_dtype type;
        double second;
    } want[] = { { "a.b.f64", TW_F64, -2 }, { "f32", TW_F32, -2 },
                 { "f16", TW_F16, -2 },     { "i8", TW_I8, -2 },
                 { "u8", TW_U8, 0 },        { "u16", TW_U16, 0 },
                 { "a.flag", TW_BOOL, 0 },  { "layer.0.weight", TW_F32, -2 } };
    struct tw_named_list list;
    struct tw_str remarks = { 0 };

    (void)state;
    put(file, "/a/b/f64", H5T_IEEE_F64LE, 2, (const hsize_t[]){ 2, 3 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/f32", H5T_IEEE_F32BE, 1, (const hsize_t[]){ 6 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/f16", half, 1, (const hsize_t[]){ 6 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/i8", H5T_STD_I8LE, 1, (const hsize_t[]){ 6 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/u8", H5T_STD_U8LE, 1, (const hsize_t[]){ 6 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/u16", H5T_STD_U16LE, 1, (const hsize_t[]){ 6 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/a/flag", flag, 1, (const hsize_t[]){ 3 }, flag, flags);
    put(file, "/layer.0/weight", H5T_IEEE_F32LE, 1, (const hsize_t[]){ 6 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/note", text, 1, (const hsize_t[]){ 1 }, text, "x");
    group = H5Gopen2(file, "/", H5P_DEFAULT);
    (void)H5Lcreate_soft("/f32", group, "tied", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Gclose(group);
    (void)H5Tclose(half);
    (void)H5Tclose(flag);
    (void)H5Tclose(text);
    (void)H5Fclose(file);
    reads(path, NULL, &list, &remarks);
    assert_int_equal(list.n, 8);
    for (size_t i = 0; i < 8; i++) {
        const struct tw_array *a = tw_named_find(&list, want[i].name);

        if (!a || a->dtype != want[i].type || tw_array_real(a, 1) != want[i].second)
            fail_msg("%s", want[i].name);
    }
    assert_int_equal(tw_named_find(&list, "a.b.f64")->rank, 2);
    assert_non_null(strstr(remarks.s, "/tied is a link, and links are not followed: left out.\n"));
    assert_non_null(strstr(remarks.s, "/note holds no numbers (text): left out.\n"));
    tw_named_release(&list);
    tw_str_release(&remarks);
    /* A part of it, under its own names. */
    reads(path, "a", &list, NULL);
    assert_int_equal(list.n, 2);
    assert_non_null(tw_named_find(&list, "b.f64"));
    tw_named_release(&list);
    reads(path, "a.b", &list, NULL);
    assert_string_equal(list.item[0].name, "f64");
    tw_named_release(&list);
    fails(path, "state_dict", "no tensors under 'state_dict'; the names in it begin with a, f16,");
}

static void hdf5_files_of_others_are_named(void **state)
{
    const char *path = in_folder("w.h5");
    static const double x[] = { 1, 2 };
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    char *p;
    size_t n;

    (void)state;
    put(file, "/layers/dense/vars/0", H5T_IEEE_F32LE, 1, (const hsize_t[]){ 2 }, H5T_NATIVE_DOUBLE,
        x);
    (void)H5Fclose(file);
    {
        struct tw_named_list list;
        struct tw_err err = { 0 };

        assert_int_equal(tw_store_weights_read(path, NULL, &list, NULL, &err), TW_OK);
        assert_int_equal(list.n, 1);
        assert_string_equal(list.item[0].name, "layers/dense/vars/0");
        tw_named_release(&list);
    }
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Fclose(file);
    fails(path, NULL, "no arrays of numbers in it");
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put(file, "/a", H5T_IEEE_F32LE, 1, (const hsize_t[]){ 2 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/b.c", H5T_IEEE_F32LE, 1, (const hsize_t[]){ 2 }, H5T_NATIVE_DOUBLE, x);
    put(file, "/b/c", H5T_IEEE_F32LE, 1, (const hsize_t[]){ 2 }, H5T_NATIVE_DOUBLE, x);
    (void)H5Fclose(file);
    fails(path, NULL, "two arrays have the name 'b.c'");
    p = slurp(path, &n);
    spill(path, p, n / 2);
    fails(path, NULL, "cut short");
    free(p);
}

/* ---- everything else ------------------------------------------------------------------------- */

static void known_kinds_are_refused_with_what_to_do(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *part;
    } cases[] = {
        { "\x02\0\0\0\0\0\0\0{}", 10, "no arrays of numbers" },
        { "GGUF\3\0\0\0", 8, "the file is cut short" },
        { "\x80\x02}q\0.", 6, "a Python pickle of another kind" },
        { "\xfd"
          "7zXZ\0",
          6, "packed with xz" },
        { "<!DOCTYPE html><html>", 21, "a web page (HTML)" },
        { "\n <html lang='en'>", 18, "a web page (HTML)" },
        { "version https://git-lfs.github.com/spec/v1\n", 43, "Git LFS" },
        { "\x1f\x8b\x08\0", 4, "packed with gzip; unpack it first" },
        { "\x28\xb5\x2f\xfd", 4, "packed with zstd" },
        { "{\"weight_map\": {}}", 18, "no arrays of numbers" },
        { "{\"weights\": {}}", 15, "JSON text" },
        { "", 0, "the file is empty" },
        { "hello", 5, "its kind is not known; safetensors, PyTorch," },
        { "\x08\x08xx", 4, "no graph in it" },
        { "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22, "a ZIP archive without NumPy arrays" },
    };
    /* A ZIP archive with one empty entry, named by 16 letters. */
    char zip[] = "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\20\0\0\0????????????????"
                 "PK\1\2\24\3\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\20\0\0\0\0\0\0\0\0\0\0\0"
                 "\0\0\0\0\0\0????????????????"
                 "PK\5\6\0\0\0\0\1\0\1\0\76\0\0\0\56\0\0\0\0\0";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spill(in_folder("x"), cases[i].bytes, cases[i].n);
        fails(in_folder("x"), NULL, cases[i].part);
    }
    memcpy(zip + 30, "archive/data.pkl", 16);
    memcpy(zip + 30 + 16 + 46, "archive/data.pkl", 16);
    spill(in_folder("x"), zip, sizeof zip - 1);
    fails(in_folder("x"), NULL, "its pickle is damaged at byte 0: it ends early");
    memcpy(zip + 30, "model.weights.h5", 16);
    memcpy(zip + 30 + 16 + 46, "model.weights.h5", 16);
    spill(in_folder("x"), zip, sizeof zip - 1);
    fails(in_folder("x"), NULL, "a .keras archive without config.json");
    fails(folder, NULL, "this is a directory");
    fails(in_folder("none"), NULL, "No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_holds_the_same),
        cmocka_unit_test(renamed_initializers_are_there_under_both_names),
        cmocka_unit_test(npy_types_orders_and_shapes),
        cmocka_unit_test(bad_arrays_of_numpy_are_refused),
        folder_test(one_array_is_named_by_its_file),
        folder_test(damaged_archives_are_refused),
        folder_test(all_numbers_of_hdf5_are_read),
        folder_test(hdf5_files_of_others_are_named),
        folder_test(known_kinds_are_refused_with_what_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
