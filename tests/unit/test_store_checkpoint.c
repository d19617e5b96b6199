/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints of PyTorch, safetensors, GGUF and msgpack: all hold the same to the bit, and what is
 * made to deceive is refused before memory is taken. */
#include "folder.h"
#include "nets.h"
#include "thalweg/store_weights.h"
#include "torch_zip.h"

static struct tw_weights_file *opens(const char *path, struct tw_str *remarks)
{
    struct tw_err err = { 0 };
    struct tw_weights_file *f = tw_weights_open(path, NULL, remarks, &err);

    if (!f)
        fail_msg("%s", err.msg);
    return f;
}

static void refused(const char *path, const char *part)
{
    struct tw_err err = { 0 };
    struct tw_weights_file *f = tw_weights_open(path, NULL, NULL, &err);

    if (f)
        fail_msg("%s was opened, not '%s'", path, part);
    check_message(&err, part);
    check_message(&err, path);
}

static size_t place_of(const struct tw_weights_file *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (!strcmp(f->v[i].name, name))
            return i;
    fail_msg("%s is not in %s", name, f->path);
    return 0;
}

static char *bytes_of(struct tw_weights_file *f, size_t i)
{
    struct tw_err err = { 0 };
    char *p = calloc(f->v[i].n + 1, tw_dtype_size(f->v[i].dtype));

    assert_non_null(p);
    if (tw_weights_read(f, i, 0, f->v[i].n, p, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return p;
}

static void same_files(struct tw_weights_file *a, struct tw_weights_file *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const size_t k = place_of(b, a->v[i].name);
        char *x = bytes_of(a, i), *y = bytes_of(b, k);

        if (a->v[i].dtype != b->v[k].dtype || a->v[i].rank != b->v[k].rank ||
            memcmp(a->v[i].dims, b->v[k].dims, sizeof a->v[i].dims) != 0 ||
            memcmp(x, y, a->v[i].n * tw_dtype_size(a->v[i].dtype)) != 0)
            fail_msg("%s differs in %s and %s", a->v[i].name, a->path, b->path);
        free(x);
        free(y);
    }
}

static void same(const char *pa, const char *pb)
{
    struct tw_weights_file *a = opens(pa, NULL), *b = opens(pb, NULL);

    same_files(a, b);
    tw_weights_close(a);
    tw_weights_close(b);
}

/* ---- samples ------------------------------------------------------------------------------- */

#define SAMPLE(name) sample("../checkpoints/" name)

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
          "expected a string at byte 20 of the JSON, found '1}}'" },
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
    };

    (void)state;
    put_safetensors("1.st", "{" T("a", "F32", "[2]", "[0,8]") "}", 8);
    put_safetensors("2.st", "{" T("b", "I8", "[3]", "[0,3]") "}", 3);
    put_safetensors("4.st", "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[1]", "[2,3]") "}",
                    3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spill(in_folder("i.json"), cases[i].index, strlen(cases[i].index));
        if (cases[i].part) {
            refused(in_folder("i.json"), cases[i].part);
        } else {
            struct tw_weights_file *f = opens(in_folder("i.json"), NULL);
            char *b = bytes_of(f, f->n - 1);

            assert_int_equal(f->n, 2 - i);
            assert_memory_equal(b, "\0\1\2", 3);
            free(b);
            tw_weights_close(f);
        }
    }
}

/* ---- pickles
 * ------------------------------------------------------------------------------------- */

#define V2 "\x80\x02"
/* A tensor of storage "0" (16 floats): offset, size, strides as pickled numbers. */
#define TENSOR(offset, size, stride)                                                               \
    "ctorch._utils\n_rebuild_tensor_v2\n(("                                                        \
    "U\7storagectorch\nFloatStorage\nU\0010U\3cpuK\20tQ" offset size stride "\x89NtR"
#define DICT(name, value) V2 "}U\1" name value "s."

static void put_pickle(const char *pickle, size_t n)
{
    struct tw_str s = { 0 };

    torch_zip(&s, (const uint8_t *)pickle, n);
    spill(in_folder("x.pt"), s.s, s.n);
    tw_str_release(&s);
}

#define P(bytes) bytes, sizeof(bytes) - 1

static void tensors_stay_in_their_storages(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        const char *part;
    } cases[] = {
        { P(DICT("a", TENSOR("K\0", "K\20\x85", "K\1\x85"))), NULL },
        { P(DICT("a", TENSOR("K\17", "K\1\x85", "K\144\x85"))), NULL },
        { P(DICT("a", TENSOR("K\1", "K\20\x85", "K\1\x85"))),
          "'a' reaches to element 16 of a sto" },
        { P(DICT("a", TENSOR("K\0", "K\2\x85", "K\20\x85"))), "'a' reaches to element 16" },
        { P(DICT("a", TENSOR("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"))),
          "'a' has a shape or str" },
        { P(DICT("a", TENSOR("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85"))),
          "'a' has a shape or str" },
        { P(DICT("a", TENSOR("J\xff\xff\xff\xff", "K\2\x85", "K\1\x85"))), "'a' has no place in" },
        { P(DICT("a", TENSOR("K\0", "K\2\x85", "K\1K\1\x86"))), "'a' has a shape or strides" },
        { P(DICT("a", TENSOR("K\0", "X\2\0\0\0hi\x85", "K\1\x85"))), "'a' has a shape or strides" },
        { P(DICT("a",
                 TENSOR("K\0", "K\2K\2\x86", "\x8a\10\xff\xff\xff\xff\xff\xff\xff\x7fK\1\x86"))),
          "'a' has strides that lead out" },
        /* One number a quadrillion times: more than the file accounts for. */
        { P(DICT("a", TENSOR("K\0", "\x8a\7\0\0\0\0\0\0\4\x85", "K\0\x85"))),
          "would take more than 256 MiB and 64 times" },
        { P(V2
            "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\0010U\3cpu"
            "K\21tQK\0K\2\x85K\1\x85\x89NtRs."),
          "'a' has a storage of 17 elements, where the file has 64 bytes" },
        { P(V2
            "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\0012U\3cpu"
            "K\20tQK\0K\2\x85K\1\x85\x89NtRs."),
          "'a' is to be in 'a/data/2' of the archive, which is not there" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\22"
               "../../../etc/hosts\0U\3cpuK\20tQK\0K\2\x85K\1\x85\x89NtRs."),
          "its pickle" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n(K\1K\0K\2\x85K\1\x85\x89NtRs."),
          "'a' has no storage" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n)Rs."), "'a' has no storage" },
        { P(V2 "}U\1actorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nComplexFloatStorage\n"
               "U\0010U\3cpuK\10tQK\0K\2\x85K\1\x85\x89NtRs."),
          "'a' is of type ComplexFloatStorage, which is not read" },
        { P(V2 "}U\1actorch._utils\n_rebuild_qtensor\n)Rs."), "'a' is quantised" },
        { P(V2 "}U\1actorch._utils\n_rebuild_sparse_tensor\n)Rs."), "'a' is sparse" },
        { P(V2 "}U\1actorch.distributed.tensor._api\nDTensor\n)Rs."),
          "saved by several processes" },
        { P(V2 "}U\24optimizer_state_dict}U\nzero_stageK\2ss."), "zero_to_fp32.py" },
        { P(V2 "}U\13_flat_param" TENSOR("K\0", "K\2\x85", "K\1\x85") "s."), "FULL_STATE_DICT" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_pickle(cases[i].p, cases[i].n);
        if (cases[i].part)
            refused(in_folder("x.pt"), cases[i].part);
        else
            tw_weights_close(opens(in_folder("x.pt"), NULL));
    }
}

static void pickles_are_not_obeyed(void **state)
{
    static const struct {
        const char *p;
        size_t n;
        const char *part;
    } cases[] = {
        { P(V2 "cposix\nsystem\nU\26touch /tmp/tw-was-here\x85R."), "no arrays of numbers" },
        { P(V2 "r\xff\xff\xff\x7f."), "it keeps a value where none is" },
        { P(V2 "Nr\xff\xff\xff\x7f."), "numbers values in a way that no writer does" },
        { P(V2 "h\0."), "recalls what it never kept" },
        { P(V2 "j\xff\xff\xff\xff."), "recalls what it never kept" },
        { P(V2 "X\xff\xff\xff\xff"
               "a."),
          "it ends early" },
        { P(V2 "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
               "a."),
          "it ends early" },
        { P(V2 "B\xff\xff\xff\x7f."), "it ends early" },
        { P(V2 "\x8b\xff\xff\xff\xff."), "it ends early" },
        { P(V2 "t."), "a mark is missing" },
        { P(V2 "."), "it takes a value where none is" },
        { P(V2 "(R."), "it takes a value where none is" },
        { P(V2 "(a."), "items without what they go into" },
        { P(V2 "}(K"), "it ends early" },
        { P(V2 "}(K\1u."), "items without what they go into" },
        { P(V2 "K\1(K\1K\1u."), "items for what holds none" },
        { P(V2 "\x82\1."), "the operation 0x82 at byte 2, which is none of protocols 2 to 5" },
        { P(V2 "I1\n."), "the operation 0x49" },
        { P("\x80\5\x97."), "asks for what is outside the file" },
        { P(V2 "cos\n"), "it ends early" },
        { P(V2), "it ends early" },
    };
    struct tw_str s = { 0 }, remarks = { 0 };
    struct tw_weights_file *f;

    (void)state;
    (void)unlink("/tmp/tw-was-here");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_pickle(cases[i].p, cases[i].n);
        refused(in_folder("x.pt"), cases[i].part);
    }
    assert_int_not_equal(access("/tmp/tw-was-here", F_OK), 0);
    /* With a tensor beside it the file is read, and what it would do is said. */
    put_pickle(P(V2 "}(U\1xcposix\nsystem\nU\26touch /tmp/tw-was-here\x85RU\1a" TENSOR(
        "K\0", "K\2\x85", "K\1\x85") "u."));
    f = opens(in_folder("x.pt"), &remarks);
    assert_int_equal(f->n, 1);
    assert_non_null(strstr(remarks.s, "It names posix.system, which Python would run"));
    tw_weights_close(f);
    tw_str_release(&remarks);
    assert_int_not_equal(access("/tmp/tw-was-here", F_OK), 0);
    /* A list of two lists of two lists ... : 2^60 tensors in 300 bytes. */
    tw_str_addn(&s, V2, 2);
    tw_str_addn(&s, TENSOR("K\0", "K\2\x85", "K\1\x85"),
                sizeof(TENSOR("K\0", "K\2\x85", "K\1\x85")) - 1);
    for (int i = 0; i < 60; i++)
        tw_str_addn(&s, "2\x86", 2);
    tw_str_add(&s, ".");
    put_pickle(s.s, s.n);
    refused(in_folder("x.pt"), "over and over");
    tw_str_clear(&s);
    /* A dictionary that holds itself. */
    put_pickle(P(V2 "}q\0U\1ah\0s."));
    refused(in_folder("x.pt"), "nested more than 64 deep");
    /* And lists without end. */
    tw_str_addn(&s, V2, 2);
    for (int i = 0; i < 100000; i++)
        tw_str_add(&s, "]");
    for (int i = 0; i < 99999; i++)
        tw_str_add(&s, "a");
    tw_str_add(&s, ".");
    put_pickle(s.s, s.n);
    refused(in_folder("x.pt"), "nested more than 64 deep");
    tw_str_release(&s);
}

/* ---- archives and streams ----------------------------------------------------------------------
 */

static char *find(char *p, size_t n, const char *what, size_t m)
{
    for (size_t i = 0; i + m <= n; i++)
        if (!memcmp(p + i, what, m))
            return p + i;
    return NULL;
}

static void archives_that_lie_are_refused(void **state)
{
    struct tw_weights_file *f;
    char *p, *at, piece[64];
    struct tw_err err = { 0 };
    size_t n;

    (void)state;
    put_pickle(P(DICT("a", TENSOR("K\0", "K\20\x85", "K\1\x85"))));
    p = slurp(in_folder("x.pt"), &n);
    /* The second storage's entry begins where the pickle's does, and is as long as all the file. */
    at = find(p, n, "PK\1\2", 4);
    at = find(at + 4, n - (size_t)(at + 4 - p), "PK\1\2", 4);
    memcpy(at + 20, "\0\x10\0\0\0\x10\0\0", 8);
    spill(in_folder("x.pt"), p, n);
    refused(in_folder("x.pt"), "its entries overlap");
    /* It says to be longer than its bytes. */
    memcpy(at + 20, "\x40\0\0\0\x80\0\0\0", 8);
    spill(in_folder("x.pt"), p, n);
    refused(in_folder("x.pt"), "128 bytes cannot be in 64 packed ones");
    free(p);
    /* A number is damaged: the checksum tells, when it is read. */
    put_pickle(P(DICT("a", TENSOR("K\0", "K\20\x85", "K\1\x85"))));
    p = slurp(in_folder("x.pt"), &n);
    at = find(p, n, "a/data/0", 8);
    at[20] = (char)(at[20] ^ 1);
    spill(in_folder("x.pt"), p, n);
    f = opens(in_folder("x.pt"), NULL);
    assert_int_equal(tw_weights_read(f, 0, 0, 16, piece, &err), TW_EFORMAT);
    check_message(&err, "'a': CRC error");
    tw_weights_close(f);
    for (size_t cut = 1; cut < n; cut += 7) {
        spill(in_folder("x.pt"), p, n - cut);
        refused(in_folder("x.pt"), in_folder("x.pt"));
    }
    free(p);
}

static void streams_that_are_cut_or_lie_are_refused(void **state)
{
    size_t n;
    char *p = slurp(SAMPLE("types-old.pt"), &n), *at;

    (void)state;
    for (size_t cut = 1; cut < n - 40; cut += 31) {
        spill(in_folder("x"), p, n - cut);
        refused(in_folder("x"), in_folder("x"));
    }
    /* The first storage's length. */
    at = find(p, n, "\x0c\0\0\0\0\0\0\0", 8);
    assert_non_null(at);
    at[7] = 0x10;
    spill(in_folder("x"), p, n);
    refused(in_folder("x"), "elements, which is more than the file has");
    free(p);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_of_pytorch_holds_the_same),
        cmocka_unit_test(the_part_with_the_weights_is_known),
        cmocka_unit_test(notes_are_kept),
        cmocka_unit_test(pieces_make_the_whole),
        folder_test(wrong_safetensors_are_refused),
        folder_test(parts_lie_beside_their_index),
        folder_test(tensors_stay_in_their_storages),
        folder_test(pickles_are_not_obeyed),
        folder_test(archives_that_lie_are_refused),
        folder_test(streams_that_are_cut_or_lie_are_refused),
        folder_test(other_formats_are_checked),
        folder_test(what_is_written_reads_the_same),
        folder_test(any_name_survives_hdf5),
        folder_test(reals_become_shorter_on_request),
        folder_test(names_that_are_no_text_are_not_written),
        folder_test(packed_and_turned_data_sets_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
