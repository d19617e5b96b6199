/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints in safetensors, GGUF, msgpack and HDF5: all hold the same to the bit, what is written
 * reads the same, and what is damaged is refused before memory is taken. */
#include "checkpoints.h"

/* ---- samples ------------------------------------------------------------------------------- */

static void every_format_of_pytorch_holds_the_same(void **state)
{
    struct tw_weights_file *f = opens(SAMPLE("types.pt"), NULL),
                           *npz = opens(SAMPLE("values.npz"), NULL);
    char name[64];

    (void)state;
    assert_null(f->part);
    assert_int_equal(f->n, 20);
    for (size_t i = 0; i < f->n; i++) {
        struct tw_array a = { .dtype = f->v[i].dtype }, b;
        char *x = bytes_of(f, i), *y, *slash;
        size_t k;

        (void)snprintf(name, sizeof name, "%s", f->v[i].name);
        slash = strchr(name, '/');
        if (slash)
            *slash = '|';
        k = place_of(npz, name);
        y = bytes_of(npz, k);
        a.data = x;
        b = (struct tw_array){ .dtype = npz->v[k].dtype, .data = y };
        assert_int_equal(f->v[i].n, npz->v[k].n);
        for (size_t j = 0; j < f->v[i].n; j++) {
            const double u = tw_array_real(&a, j), v = tw_array_real(&b, j);

            if (u != v && (u == u || v == v))
                fail_msg("%s[%zu]: %g, %g", name, j, u, v);
        }
        free(x);
        free(y);
    }
    assert_int_equal(f->v[place_of(f, "bf16")].dtype, TW_BF16);
    assert_int_equal(f->v[place_of(f, "scalar")].rank, 0);
    tw_weights_close(f);
    tw_weights_close(npz);
    same(SAMPLE("types.pt"), SAMPLE("types-old.pt"));
    same(SAMPLE("types.pt"), SAMPLE("types-protocol4.pt"));
    same(SAMPLE("types.pt"), SAMPLE("types.safetensors"));
    same(SAMPLE("module.pt"), SAMPLE("net.safetensors"));
    same(SAMPLE("module-old.pt"), SAMPLE("net.safetensors"));
    same(SAMPLE("net.safetensors.index.json"), SAMPLE("net.safetensors"));
    same(SAMPLE("net.gguf"), SAMPLE("net.safetensors"));
}

static void the_part_with_the_weights_is_known(void **state)
{
    struct tw_weights_file *f = opens(SAMPLE("nested.pt"), NULL),
                           *net = opens(SAMPLE("net.safetensors"), NULL);
    struct tw_err err = { 0 };

    (void)state;
    assert_int_equal(f->n, 27);
    assert_string_equal(f->part, "state_dict");
    (void)place_of(f, "optimizer.state.0.exp_avg");
    assert_int_equal(tw_weights_choose(f, "nothing", &err), TW_EFORMAT);
    check_message(&err, "no tensors under 'nothing'; the names in it begin with state_dict, opt");
    assert_int_equal(tw_weights_choose(f, "state_dict", NULL), TW_OK);
    assert_null(f->part);
    same_files(f, net);
    tw_weights_close(f);
    f = opens(SAMPLE("net.msgpack"), NULL);
    assert_int_equal(tw_weights_choose(f, "params", NULL), TW_OK);
    same_files(f, net);
    tw_weights_close(f);
    tw_weights_close(net);
}

static void notes_are_kept(void **state)
{
    struct tw_weights_file *f = opens(SAMPLE("types.safetensors"), NULL);

    (void)state;
    assert_int_equal(f->nnote, 2);
    assert_string_equal(f->note[1].key, "who");
    assert_string_equal(f->note[1].value, "a \"test\"");
    tw_weights_close(f);
    f = opens(SAMPLE("net.gguf"), NULL);
    assert_int_equal(f->nnote, 3);
    assert_string_equal(f->note[2].key, "test.epsilon");
    assert_string_equal(f->note[2].value, "9.99999975e-06");
    tw_weights_close(f);
}

static void pieces_make_the_whole(void **state)
{
    const char *const files[] = { SAMPLE("types.pt"), SAMPLE("types-old.pt"),
                                  SAMPLE("types.safetensors"), SAMPLE("values.npz") };
    char piece[64];

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct tw_weights_file *f = opens(files[k], NULL);

        for (size_t i = f->n; i-- > 0;) { /* backwards, too */
            const size_t size = tw_dtype_size(f->v[i].dtype), n = f->v[i].n;
            char *whole = bytes_of(f, i);

            for (size_t at = n; at-- > 0;) {
                const size_t m = n - at < 5 ? n - at : 5;

                assert_int_equal(tw_weights_read(f, i, at, m, piece, NULL), TW_OK);
                assert_memory_equal(piece, whole + at * size, m * size);
            }
            assert_int_equal(tw_weights_read(f, i, n, 0, piece, NULL), TW_OK);
            assert_int_equal(tw_weights_read(f, i, n, 1, piece, NULL), TW_EINVAL);
            assert_int_equal(tw_weights_read(f, i, 1, SIZE_MAX, piece, NULL), TW_EINVAL);
            free(whole);
        }
        tw_weights_close(f);
    }
}

/* ---- safetensors ----------------------------------------------------------------------------- */

/* A file of this header and n bytes of numbers. */
static void put_safetensors(const char *name, const char *header, size_t n)
{
    struct tw_str s = { 0 };

    zip_put(&s, strlen(header), 8);
    tw_str_add(&s, header);
    for (size_t i = 0; i < n; i++)
        zip_put(&s, i, 1);
    spill(in_folder(name), s.s, s.n);
    tw_str_release(&s);
}

#define T(name, type, shape, places)                                                               \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" places "}"

static void wrong_safetensors_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t n;
        const char *part;
    } cases[] = {
        { "{" T("a", "F32", "[2]", "[0,8]") "}", 9, "1 bytes follow the last tensor" },
        { "{" T("a", "F32", "[2]", "[0,8]") "}", 7,
          "'a' lies at bytes 0 to 8 of 7; the file is cut" },
        { "{" T("a", "F32", "[2]", "[4,12]") "}", 12, "'a' begins at byte 4, with a hole" },
        { "{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[4,12]") "}", 12,
          "'b' begins at byte 4, within the one before, which ends at 8" },
        { "{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[0,8]") "}", 8,
          "within the" },
        { "{" T("a", "F32", "[2]", "[0,8]") "," T("a", "F32", "[0]", "[8,8]") "}", 8,
          "two arrays have the name 'a'" },
        { "{" T("a", "F32", "[3]", "[0,8]") "}", 8, "'a' has 8 bytes, which is not what" },
        { "{" T("a", "F32", "[4294967296,4294967296,4294967296]", "[0,8]") "}", 8,
          "'a' has 8 bytes" },
        { "{" T("a", "F32", "[9223372036854775807,0]", "[0,0]") "}", 0, "'a' has 0 bytes" },
        { "{" T("a", "F32", "[2]", "[8,0]") "}", 8, "'a' lies at bytes 8 to 0" },
        { "{" T("a", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8, "more than 8 dimensions" },
        { "{" T("a", "F32", "[-2]", "[0,8]") "}", 8, "expected a whole number at byte 29" },
        { "{" T("a", "F32", "[2.0]", "[0,8]") "}", 8, "expected a whole number" },
        { "{" T("a", "F32", "[99999999999999999999]", "[0,8]") "}", 8, "a number below 2^64" },
        { "{" T("a", "F8_E4M3", "[8]", "[0,8]") "}", 8,
          "'a' is of type F8_E4M3, which is not read" },
        { "{" T("a", "F4", "[16]", "[0,8]") "}", 8, "'a' is of type F4" },
        { "{" T("", "F32", "[2]", "[0,8]") "}", 8, "an empty name" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8,
          "'a' lacks its dtype, shape or data_off" },
        { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 8,
          "'dtype', which is unknown or there tw" },
        { "{\"a\":{\"x\":1}}", 8, "'x', which is unknown" },
        { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "'__metadata__' is there twice" },
        { "{\"__metadata__\":{\"a\":1}}", 0,
          "expected a string at byte 21 of the JSON, found '1}}'" },
        { "{\"a\\u0000b\":1}", 0, "expected the rest of an escape" },
        { "{\"a\\ud800\":1}", 0, "expected the rest of an escape" },
        { "{\"a", 0, "expected the end of a string, but the JSON ends (byte 3)" },
        { "{} x", 0, "something follows the header's JSON" },
        { "{}", 0, "no arrays of numbers in it" },
    };
    char *p;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_safetensors("x", cases[i].header, cases[i].n);
        refused(in_folder("x"), cases[i].part);
    }
    /* Names as JSON has them. */
    put_safetensors("x", "{" T("\\u00e9\\ud83d\\ude00\\n\\/", "BOOL", "[3]", "[0,3]") "}  ", 3);
    {
        struct tw_weights_file *f = opens(in_folder("x"), NULL);
        char *b = bytes_of(f, 0);

        assert_string_equal(f->v[0].name, "\xc3\xa9\xf0\x9f\x98\x80\n/");
        assert_memory_equal(b, "\0\1\1", 3); /* 2 is true */
        free(b);
        tw_weights_close(f);
    }
    /* A header that is longer than the file. */
    put_safetensors("x", "{" T("a", "F32", "[2]", "[0,8]") "}", 8);
    p = slurp(in_folder("x"), &n);
    spill(in_folder("x"), p, 40);
    refused(in_folder("x"), "its kind is not known");
    free(p);
}

static void parts_lie_beside_their_index(void **state)
{
    static const struct {
        const char *index, *part;
    } cases[] = {
        { "{\"weight_map\":{\"a\":\"1.st\",\"b\":\"2.st\"}}", NULL },
        { "{\"metadata\":{\"x\":[1,{\"y\":null}]},\"weight_map\":{\"a\":\"1.st\"}}", NULL },
        { "{\"weight_map\":{\"a\":\"1.st\",\"c\":\"2.st\"}}", "'c' is not in '2.st'" },
        { "{\"weight_map\":{\"a\":\"3.st\"}}", "'3.st': No such file" },
        { "{\"weight_map\":{\"a\":\"../1.st\"}}", "'../1.st'; files beside it alone are read" },
        { "{\"weight_map\":{\"a\":\"..\"}}", "files beside it alone are read" },
        { "{\"weight_map\":{\"a\":\"1.st\",\"b\":\"4.st\"}}", "two arrays have the name 'a'" },
        { "{\"weight_map\":{\"a\":1}}", "expected a string" },
        { "{\"metadata\":{}}", "without 'weight_map'" },
        { "{\"weight_map\":{\"a\":\"i.json\"}}", "the part 'i.json' is the index of" },
        { "{\"weight_map\":{\"c\":\"x.pt\",\"b\":\"2.st\"}}", NULL },
    };

    (void)state;
    put_safetensors("1.st", "{" T("a", "F32", "[2]", "[0,8]") "}", 8);
    put_pickle(P(DICT("c", TENSOR("K\0", "K\2\x85", "K\1\x85"))));
    put_safetensors("2.st", "{" T("b", "I8", "[3]", "[0,3]") "}", 3);
    put_safetensors("4.st", "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[1]", "[2,3]") "}",
                    3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spill(in_folder("i.json"), cases[i].index, strlen(cases[i].index));
        if (cases[i].part) {
            refused(in_folder("i.json"), cases[i].part);
        } else {
            struct tw_weights_file *f = opens(in_folder("i.json"), NULL);
            char *b = bytes_of(f, i == 1 ? 0 : place_of(f, "b"));

            assert_int_equal(f->n, i == 1 ? 1 : 2);
            assert_memory_equal(b, "\0\1\2", 3);
            free(b);
            tw_weights_close(f);
        }
    }
}

/* ---- GGUF, msgpack
 * -------------------------------------------------------------------------------- */

static void other_formats_are_checked(void **state)
{
    static const struct {
        const char *file, *find, *to;
        size_t n;
        const char *part;
    } cases[] = {
        { "net.gguf", "GGUF\3", "GGUF\1", 5, "a GGUF file of version 1, where 2 and 3" },
        { "net.gguf", "GGUF\3\0\0\0", "GGUF\0\0\0\3", 8, "version 3, big-endian" },
        { "net.gguf", "GGUF\3\0\0\0\t", "GGUF\3\0\0\0\xff", 9, "GGUF" },
        { "net.gguf", "alignment\4\0\0\0 ", "alignment\4\0\0\0\0", 14, "an alignment that no" },
        { "net.gguf", "fc1.weight\2\0\0\0\6", "fc1.weight\2\0\0\0\xff", 15, "'fc1.weight' needs" },
        { "net.gguf", "fc1.weight\2\0\0\0", "fc1.weight\x09\0\0\0", 14, "more than 8 dimensions" },
        { "net.gguf", "\5\0\0\0\0\0\0\0\0\0\0\0", "\5\0\0\0\0\0\0\0\14\0\0\0", 12,
          "is quantised (type 12, Q4_K), which is not read" },
        { "net.msgpack", "float32", "float8x", 7, "' is of type float8x, which is not read" },
        { "net.msgpack", "\x92\5\6", "\x92\5\7", 3,
          "has 120 bytes where its shape and type need 140" },
        { "net.msgpack", "\x92\5\6", "\x99\5\6", 3, "more than 8 dimensions" },
        { "net.msgpack", "\x01\x93\x92", "\x01\x92\x92", 3, "an array that flax does not write" },
        { "net.msgpack", "\x82\xa4step", "\x83\xa4step", 6, "the file is cut short" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[80];
        char *p, *at;
        size_t n;

        (void)snprintf(path, sizeof path, "../checkpoints/%s", cases[i].file);
        p = slurp(sample(path), &n);
        at = find(p, n, cases[i].find, cases[i].n);
        assert_non_null(at);
        memcpy(at, cases[i].to, cases[i].n);
        spill(in_folder("x"), p, n);
        if (strcmp(cases[i].part, "GGUF") != 0)
            refused(in_folder("x"), cases[i].part);
        for (size_t cut = 1; cut < n; cut += 41) {
            struct tw_weights_file *f;
            struct tw_err err = { 0 };

            spill(in_folder("x"), p, n - cut);
            f = tw_weights_open(in_folder("x"), NULL, NULL, &err);
            assert_true(!f && err.msg[0]);
        }
        free(p);
    }
}

/* ---- writing
 * ---------------------------------------------------------------------------------------- */

static void writes(struct tw_weights_file *f, const char *path, const struct tw_weights_write *w)
{
    struct tw_err err = { 0 };

    if (tw_weights_write(f, path, w, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

static void what_is_written_reads_the_same(void **state)
{
    const struct tw_weights_note ours[] = { { (char[]){ "who" }, (char[]){ "we" } } };
    struct tw_weights_write w = { .nnote = 1, .note = ours };
    struct tw_weights_file *f = opens(SAMPLE("types.safetensors"), NULL), *g;
    struct tw_err err = { 0 };

    (void)state;
    writes(f, in_folder("a.safetensors"), &w);
    same(SAMPLE("types.pt"), in_folder("a.safetensors"));
    g = opens(in_folder("a.safetensors"), NULL); /* aligned: the largest elements first */
    for (size_t i = 1; i < g->n; i++)
        assert_true(tw_dtype_size(g->v[i - 1].dtype) >= tw_dtype_size(g->v[i].dtype));
    tw_weights_close(g);
    w.format = TW_WEIGHTS_HDF5;
    writes(f, in_folder("a.h5"), &w);
    same(SAMPLE("types.pt"), in_folder("a.h5"));
    g = opens(in_folder("a.h5"), NULL); /* ours come first, and once */
    assert_int_equal(g->nnote, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(g->note[i].value, strcmp(g->note[i].key, "who") ? "pt" : "we");
    tw_weights_close(g);
    assert_int_equal(tw_weights_write(f, in_folder("a.h5"), &w, &err), TW_EIO);
    check_message(&err, "exists; use --force");
    tw_weights_close(f);
    assert_int_equal(files_in_folder(0), 2);
}

/* Names that HDF5 cannot have as paths. */
static void any_name_survives_hdf5(void **state)
{
    struct tw_weights_write w = { .format = TW_WEIGHTS_HDF5 };
    struct tw_weights_file *f;

    (void)state;
    put_safetensors(
        "n",
        "{" T("a", "U8", "[1]", "[0,1]") "," T("a/b", "U8", "[1]", "[1,2]") "," T("..", "U8", "[1]", "[2,3]") "," T(
            "/x", "U8", "[1]",
            "[3,4]") "," T("c/d", "U8", "[1]",
                           "[4,5]") "," T("c.d", "U8", "[1]",
                                          "[5,6]") "," T("c//d", "U8", "[1]",
                                                         "[6,7]") "," T("tensor_1", "U8", "[1]",
                                                                        "[7,8]") "," T("c", "U8",
                                                                                       "[1]",
                                                                                       "[8,9]") "," T("e@f",
                                                                                                      "U8",
                                                                                                      "[]",
                                                                                                      "[9,10]") "}",
        10);
    f = opens(in_folder("n"), NULL);
    writes(f, in_folder("n.h5"), &w);
    tw_weights_close(f);
    same(in_folder("n"), in_folder("n.h5"));
}

static bool stop_at_once(void *ctx, uint64_t done, uint64_t all)
{
    (void)ctx;
    assert_true(done > 0 && done <= all);
    return false;
}

static void reals_become_shorter_on_request(void **state)
{
    size_t lost = 0;
    struct tw_weights_write w = { .reals = TW_F16, .overflowed = &lost };
    struct tw_weights_file *f = opens(SAMPLE("types.safetensors"), NULL), *g;
    struct tw_err err = { 0 };
    char *x, *y;

    (void)state;
    writes(f, in_folder("h"), &w);
    assert_int_equal(lost, 2); /* 3e38 and -1e300 */
    g = opens(in_folder("h"), NULL);
    assert_int_equal(g->v[place_of(g, "i64")].dtype, TW_I64);
    x = bytes_of(f, place_of(f, "fc.weight"));
    y = bytes_of(g, place_of(g, "fc.weight"));
    assert_int_equal(g->v[place_of(g, "fc.weight")].dtype, TW_F16);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(((uint16_t *)y)[i], tw_f32_to_f16(((float *)x)[i]));
    free(y);
    tw_weights_close(g);
    w.reals = TW_BF16;
    writes(f, in_folder("b"), &w);
    assert_int_equal(lost, 1);
    g = opens(in_folder("b"), NULL);
    y = bytes_of(g, place_of(g, "fc.weight"));
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(((uint16_t *)y)[i], tw_f32_to_bf16(((float *)x)[i]));
    free(x);
    free(y);
    tw_weights_close(g);
    w.progress = stop_at_once;
    assert_int_equal(tw_weights_write(f, in_folder("c"), &w, &err), TW_ESTOP);
    check_message(&err, "was not written");
    tw_weights_close(f);
    assert_int_equal(files_in_folder(0), 2);
}

static void names_that_are_no_text_are_not_written(void **state)
{
    struct tw_weights_write w = { 0 };
    struct tw_weights_file *f;
    struct tw_err err = { 0 };

    (void)state;
    put_pickle(P(DICT("\xff", TENSOR("K\0", "K\2\x85", "K\1\x85"))));
    f = opens(in_folder("x.pt"), NULL);
    assert_int_equal(tw_weights_write(f, in_folder("y"), &w, &err), TW_EFORMAT);
    check_message(&err, "is not UTF-8");
    tw_weights_close(f);
    assert_int_equal(files_in_folder(0), 1);
}

/* ---- HDF5 of others
 * ----------------------------------------------------------------------------------- */

static void packed_and_turned_data_sets_are_read(void **state)
{
    static const float x[] = { 1, -2, 0.1F, 4, 5, 6 };
    const char *path = in_folder("w.h5");
    const hsize_t dims[] = { 2, 3 }, chunk[] = { 1, 2 };
    hid_t create = H5Pcreate(H5P_FILE_CREATE), packed = H5Pcreate(H5P_DATASET_CREATE), file, space,
          set;
    struct tw_weights_file *f;
    float piece[2];

    (void)state;
    assert_true(H5Pset_userblock(create, 512) >= 0 && H5Pset_chunk(packed, 2, chunk) >= 0 &&
                H5Pset_deflate(packed, 6) >= 0);
    file = H5Fcreate(path, H5F_ACC_TRUNC, create, H5P_DEFAULT);
    space = H5Screate_simple(2, dims, NULL);
    for (int i = 0; i < 3; i++) {
        set = H5Dcreate2(file,
                         i == 0   ? "plain"
                         : i == 1 ? "packed"
                                  : "turned",
                         i == 2 ? H5T_IEEE_F32BE : H5T_IEEE_F32LE, space, H5P_DEFAULT,
                         i == 1 ? packed : H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
        (void)H5Dclose(set);
    }
    (void)H5Sclose(space);
    (void)H5Fclose(file);
    (void)H5Pclose(create);
    (void)H5Pclose(packed);
    f = opens(path, NULL);
    assert_int_equal(f->n, 3);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(f->v[i % 3].dtype, TW_F32);
        assert_int_equal(tw_weights_read(f, i % 3, i / 3 * 3, 2, piece, NULL), TW_OK);
        assert_memory_equal(piece, x + i / 3 * 3, sizeof piece);
    }
    tw_weights_close(f);
}

/* Headers that end just before, at and just behind a multiple of the alignment, 32. */
static void tensors_of_gguf_begin_at_multiples(void **state)
{
    static const unsigned char head[24] = "GGUF\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const float x[2] = { 0.731F, -1.127F };

    (void)state;
    for (size_t n = 7; n <= 9; n++) {
        unsigned char b[200] = { 0 };
        const size_t at = (56 + n + 31) / 32 * 32;
        struct tw_weights_file *f;
        FILE *out;
        float *y;

        memcpy(b, head, sizeof head);
        b[24] = (unsigned char)n; /* the name's length, and the name */
        memset(b + 32, 'w', n);
        b[32 + n] = 1; /* dimensions; their extents; float32, at 0 */
        b[36 + n] = 2;
        memcpy(b + at, x, sizeof x);
        out = fopen(in_folder("x.gguf"), "wb");
        assert_non_null(out);
        assert_int_equal(fwrite(b, 1, at + sizeof x, out), at + sizeof x);
        assert_int_equal(fclose(out), 0);
        f = opens(in_folder("x.gguf"), NULL);
        y = (float *)(void *)bytes_of(f, 0);
        assert_memory_equal(y, x, sizeof x);
        free(y);
        tw_weights_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_of_pytorch_holds_the_same),
        cmocka_unit_test(the_part_with_the_weights_is_known),
        cmocka_unit_test(notes_are_kept),
        cmocka_unit_test(pieces_make_the_whole),
        folder_test(wrong_safetensors_are_refused),
        folder_test(parts_lie_beside_their_index),
        folder_test(other_formats_are_checked),
        folder_test(what_is_written_reads_the_same),
        folder_test(any_name_survives_hdf5),
        folder_test(reals_become_shorter_on_request),
        folder_test(names_that_are_no_text_are_not_written),
        folder_test(packed_and_turned_data_sets_are_read),
        folder_test(tensors_of_gguf_begin_at_multiples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
