/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data sets in files that name no arrays: IDX, CIFAR's records, tokens, text, tables. */
#include <zlib.h>

#include "datasets.h"
#include "folder.h"
#include "thalweg/problem.h"
#include "thalweg/store_data.h"

static const char *file(const char *name, const void *p, size_t n)
{
    const char *path = in_folder(name);

    spill(path, p, n);
    return path;
}

static void check_shape(const struct tw_array *a, enum tw_dtype type, int rank, const size_t *dims)
{
    assert_int_equal(a->dtype, type);
    assert_int_equal(a->rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(a->dims[i], dims[i]);
}

/* ---- IDX ------------------------------------------------------------------------------------- */

static const char images[] = "\0\0\10\3\0\0\0\2\0\0\0\2\0\0\0\3" /* 2 x 2 x 3 bytes */
                             "\1\2\3\4\5\6\377\10\11\12\13\14";
static const char labels[] = "\0\0\10\1\0\0\0\2\7\3";

static void pictures_of_mnist_find_their_labels(void **state)
{
    const char *path = file("t10k-images-idx3-ubyte", images, sizeof images - 1);
    struct result r = reads(path, NULL, NULL);

    (void)state;
    check_shape(&r.d.x, TW_U8, 3, (const size_t[]){ 2, 2, 3 });
    assert_int_equal(tw_array_int(&r.d.x, 6), 255);
    assert_int_equal(r.d.y.dtype, TW_NONE);
    done(&r);
    (void)file("t10k-labels-idx1-ubyte", labels, sizeof labels - 1);
    r = reads(path, NULL, &(struct tw_data_options){ .scale = 1.0 / 255 });
    check_shape(&r.d.y, TW_U8, 1, (const size_t[]){ 2 });
    assert_int_equal(tw_array_int(&r.d.y, 1), 3);
    check_close(tw_array_real(&r.d.x, 6), 1.0, 1e-7, 0.0);
    assert_non_null(strstr(r.remarks.s, "t10k-labels-idx1-ubyte"));
    assert_non_null(strstr(r.report.files, "t10k-labels-idx1-ubyte\n"));
    done(&r);
}

static void idx_files_may_be_packed(void **state)
{
    const char *path = in_folder("x.gz");
    gzFile f = gzopen(path, "wb");
    struct result r;
    size_t n;
    char *p;

    (void)state;
    assert_int_equal(gzwrite(f, images, sizeof images - 1), sizeof images - 1);
    assert_int_equal(gzclose(f), Z_OK);
    r = reads(path, file("y", labels, sizeof labels - 1), NULL);
    check_shape(&r.d.x, TW_U8, 3, (const size_t[]){ 2, 2, 3 });
    assert_int_equal(tw_array_int(&r.d.y, 0), 7);
    done(&r);
    p = slurp(path, &n);
    spill(path, p, n - 9);
    fails(path, NULL, NULL, "copy");
    p[n - 6] = (char)(p[n - 6] ^ 1); /* its checksum */
    spill(path, p, n);
    fails(path, NULL, NULL, "copy");
    free(p);
    f = gzopen(path, "wb");
    assert_int_equal(gzwrite(f, "hello world", 11), 11);
    assert_int_equal(gzclose(f), Z_OK);
    fails(path, NULL, NULL, "packed with gzip and does not hold an IDX file");
}

static void numbers_of_idx_are_big_endian(void **state)
{
    static const struct {
        unsigned char code;
        enum tw_dtype type;
        size_t n;
        const char *bytes;
        double value;
    } cases[] = {
        { 0x09, TW_I8, 1, "\376", -2.0 },
        { 0x0b, TW_I16, 2, "\1\2", 258.0 },
        { 0x0c, TW_I32, 4, "\377\377\377\375", -3.0 },
        { 0x0d, TW_F32, 4, "\77\300\0\0", 1.5 },
        { 0x0e, TW_F64, 8, "\300\4\0\0\0\0\0\0", -2.5 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bytes[16] = { 0, 0, (char)cases[i].code, 1, 0, 0, 0, 1 };
        struct result r;

        memcpy(bytes + 8, cases[i].bytes, cases[i].n);
        r = reads(file("x", bytes, 8 + cases[i].n), NULL, NULL);
        assert_int_equal(r.d.x.dtype, cases[i].type);
        check_close(tw_array_real(&r.d.x, 0), cases[i].value, 0.0, 0.0);
        done(&r);
    }
    fails(file("x", "\0\0\10\2\377\377\377\377\0\0\0\0", 12), NULL, NULL, "x holds no numbers");
    fails(file("x", images, sizeof images - 2), NULL, NULL, "12 bytes of numbers, which 27 bytes");
    fails(file("x", "\0\0\10\3\377\377\377\377\377\377\377\377\377\377\377\377", 16), NULL, NULL,
          "more numbers than can be");
}

/* ---- CIFAR -------------------------------------------------------------------------------------
 */

static const char *cifar(const char *name, size_t n, size_t nlabels, unsigned first)
{
    const size_t each = nlabels + 3072;
    char *p = calloc(n, each);
    const char *path;

    for (size_t i = 0; i < n; i++) {
        p[i * each + nlabels - 1] = (char)(first + i);
        p[i * each + nlabels] = (char)(50 + first + i);         /* the first red */
        p[i * each + nlabels + 3071] = (char)(100 + first + i); /* the last blue */
    }
    path = file(name, p, n * each);
    free(p);
    return path;
}

static void records_of_cifar_are_pictures_and_labels(void **state)
{
    struct result r = reads(cifar("a.bin", 3, 1, 4), NULL, NULL);

    (void)state;
    check_shape(&r.d.x, TW_U8, 4, (const size_t[]){ 3, 3, 32, 32 });
    check_shape(&r.d.y, TW_U8, 1, (const size_t[]){ 3 });
    assert_int_equal(tw_array_int(&r.d.y, 2), 6);
    assert_int_equal(tw_array_int(&r.d.x, 2 * 3072), 56);
    assert_int_equal(tw_array_int(&r.d.x, 3 * 3072 - 1), 106);
    done(&r);
    r = reads(cifar("b.bin", 2, 2, 60), NULL, NULL); /* CIFAR-100: the fine label */
    assert_int_equal(tw_array_int(&r.d.y, 1), 61);
    done(&r);
}

static void a_folder_of_cifar_has_a_split(void **state)
{
    struct result r;

    (void)state;
    fails(folder, NULL, NULL, "pictures in a folder are put into arrays first");
    (void)cifar("test_batch.bin", 1, 1, 9);
    (void)cifar("data_batch_2.bin", 70, 1, 0);
    spill(in_folder("data_batch_2.bin"), "", 0);
    fails(folder, NULL, NULL, "does not hold CIFAR's records");
    (void)cifar("data_batch_2.bin", 2, 1, 3);
    (void)cifar("data_batch_1.bin", 1, 1, 1);
    (void)file("readme.html", "x", 1);
    r = reads(folder, NULL, &(struct tw_data_options){ .split = "train" });
    assert_int_equal(r.d.x.dims[0], 3);
    assert_int_equal(tw_array_int(&r.d.y, 0), 1);
    assert_int_equal(tw_array_int(&r.d.y, 2), 4);
    done(&r);
    r = reads(folder, NULL, NULL);
    assert_int_equal(r.d.x.dims[0], 4);
    assert_non_null(strstr(r.report.files, "data_batch_1.bin\n"));
    done(&r);
    r = reads(folder, NULL, &(struct tw_data_options){ .split = "test" });
    assert_int_equal(r.d.x.dims[0], 1);
    assert_int_equal(tw_array_int(&r.d.y, 0), 9);
    done(&r);
}

/* ---- tokens ------------------------------------------------------------------------------------
 */

static const char *with_prefix(const char *prefix, const char *path)
{
    static char s[500];

    (void)snprintf(s, sizeof s, "%s%s", prefix, path);
    return s;
}

static void tokens_and_text_are_sequences(void **state)
{
    unsigned char llmc[1024 + 6] = { 0 };
    const uint32_t head[3] = { 20240520, 1, 3 };
    struct result r = reads(file("a.txt", "hello\n", 6), NULL, NULL);

    (void)state;
    assert_true(r.d.stream);
    check_shape(&r.d.x, TW_U8, 1, (const size_t[]){ 6 });
    assert_int_equal(tw_array_int(&r.d.x, 4), 'o');
    done(&r);
    r = reads(with_prefix("text:", file("a.csv", "x,y\n", 4)), NULL, NULL);
    assert_int_equal(r.d.x.n, 4);
    done(&r);
    r = reads(file("val.bin", "\1\2\3\4", 4), NULL, NULL); /* nanoGPT's */
    check_shape(&r.d.x, TW_U16, 1, (const size_t[]){ 2 });
    assert_int_equal(tw_array_int(&r.d.x, 1), 0x403);
    done(&r);
    r = reads(with_prefix("tokens:", file("val", "\1\2\3\4", 4)), NULL, NULL);
    assert_int_equal(tw_array_int(&r.d.x, 0), 0x201);
    done(&r);
    memcpy(llmc, head, sizeof head);
    memcpy(llmc + 1024, "\5\0\6\0\7\0", 6);
    r = reads(file("x.bin", llmc, sizeof llmc), NULL, NULL);
    check_shape(&r.d.x, TW_U16, 1, (const size_t[]){ 3 });
    assert_int_equal(tw_array_int(&r.d.x, 2), 7);
    done(&r);
    fails(file("x.bin", llmc, sizeof llmc - 2), NULL, NULL, "its header says 3 tokens");
    fails(file("val.bin", "\1\2\3", 3), NULL, NULL, "tokens of 2 bytes do not fill 3 bytes");
    fails(file("a.txt", "x", 1), NULL, NULL, "it holds 1 token");
    fails(file("a.txt", "hello\n", 6), NULL, &(struct tw_data_options){ .split = "train" },
          "have no split");
}

/* Windows of 3 tokens of "abcdefgh" for a network that takes 2: ab>bc, de>ef; gh is left over. */
static void a_network_cuts_its_samples_from_a_sequence(void **state)
{
    struct result r = reads(file("a.txt", "abcdefgh", 8), NULL, NULL);
    struct tw_err err = { 0 };
    struct tw_net *net = tw_family_net("gpt(layers=1,d=8,heads=2,ctx=2,vocab=256)", &err);
    struct tw_problem *p = tw_problem_new(net, &r.d, &(struct tw_problem_options){ 0 }, &err);
    const struct tw_array *y;

    (void)state;
    if (!p)
        fail_msg("%s", err.msg);
    assert_int_equal(p->n, 2);
    y = tw_problem_targets(p);
    check_shape(y, TW_U8, 2, (const size_t[]){ 2, 2 });
    assert_memory_equal(y->data, "bcef", 4);
    tw_problem_free(p);
    tw_net_free(net);
    net = tw_family_net("gpt(layers=1,d=8,heads=2,ctx=8,vocab=256)", &err);
    assert_null(tw_problem_new(net, &r.d, &(struct tw_problem_options){ 0 }, &err));
    check_message(&err, "the data have 8 tokens; a sample of the network takes 9");
    tw_net_free(net);
    err = (struct tw_err){ 0 };
    net = tw_family_net("mlp(4,2)", &err);
    r.d.x.n = 8;
    tw_net_free(net);
    net = tw_family_net("lenet", &err);
    assert_null(tw_problem_new(net, &r.d, &(struct tw_problem_options){ 0 }, &err));
    check_message(&err, "does not take a fixed number of tokens");
    tw_net_free(net);
    done(&r);
}

/* ---- tables ------------------------------------------------------------------------------------
 */

static void tables_have_a_column_of_targets(void **state)
{
    static const char iris[] = "length,\"width\", species\r\n5.1,3.5,setosa\r\n\r\n"
                               "7.0,-3.2e0,\"virginica\"\n6,nan,setosa";
    struct result r = reads(file("a.csv", iris, sizeof iris - 1), NULL,
                            &(struct tw_data_options){ .label = "species" });

    (void)state;
    check_shape(&r.d.x, TW_F32, 2, (const size_t[]){ 3, 2 });
    check_close(tw_array_real(&r.d.x, 3), -3.2, 1e-6, 0.0);
    check_shape(&r.d.y, TW_I64, 1, (const size_t[]){ 3 });
    assert_int_equal(tw_array_int(&r.d.y, 0), 0);
    assert_int_equal(tw_array_int(&r.d.y, 1), 1);
    assert_int_equal(tw_array_int(&r.d.y, 2), 0);
    assert_non_null(strstr(r.remarks.s, "0 setosa, 1 virginica."));
    assert_int_equal(r.report.nonfinite, 1);
    done(&r);
    r = reads(file("b.tsv", "y\ta\n2\t1\n0\t3\n", 12), NULL, NULL);
    check_shape(&r.d.y, TW_I64, 1, (const size_t[]){ 2 });
    assert_int_equal(tw_array_int(&r.d.y, 0), 2);
    done(&r);
    r = reads(file("b.csv", "target;a\n1.5;1\n2;3\n  ", 21), NULL, NULL);
    check_shape(&r.d.y, TW_F32, 1, (const size_t[]){ 2 });
    check_close(tw_array_real(&r.d.y, 0), 1.5, 0.0, 0.0);
    done(&r);
    r = reads(file("x.csv", "a,b\n1,2\n3,4\n", 12), file("y.csv", "z\n1\n0\n", 6), NULL);
    check_shape(&r.d.x, TW_F32, 2, (const size_t[]){ 2, 2 });
    assert_int_equal(tw_array_int(&r.d.y, 0), 1);
    done(&r);
}

static void bad_tables_are_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "a,b\n1,2\n", "no column called label, class, target or y; the table has 'a', 'b'" },
        { "a,y\n1\n", "line 2: 1 cells where there are 2 names" },
        { "a,y\n1,2,3\n", "line 2: more cells than the 2 names" },
        { "a,y\n1,2\n\nx,3\n", "line 4, column 'a': 'x' is no number" },
        { "a,y\n1,\n", "line 2, column 'y': '' is no number" },
        { "a,y\n", "a table without rows" },
        { "y\n1\n", "without columns of numbers" },
        { "\"a,y\n1,2\n", "a quote is not closed" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        fails(file("a.csv", cases[i].text, strlen(cases[i].text)), NULL, NULL, cases[i].part);
    fails(file("a.csv", "a,y\n1,2\n", 8), NULL, &(struct tw_data_options){ .label = "z" },
          "no column 'z'; the table has");
}

static void channels_may_be_last(void **state)
{
    const double mean[3] = { 1, 2, 3 };
    static const char bytes[] = "\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\3\1\2\3\4\5\6";
    struct result r = reads(file("x", bytes, sizeof bytes - 1), NULL,
                            &(struct tw_data_options){ .nmean = 3, .mean = mean });

    (void)state;
    for (size_t i = 0; i < 6; i++)
        check_close(tw_array_real(&r.d.x, i), i < 3 ? 0.0 : 3.0, 0.0, 0.0);
    done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(pictures_of_mnist_find_their_labels),
        folder_test(idx_files_may_be_packed),
        folder_test(numbers_of_idx_are_big_endian),
        folder_test(records_of_cifar_are_pictures_and_labels),
        folder_test(a_folder_of_cifar_has_a_split),
        folder_test(tokens_and_text_are_sequences),
        folder_test(a_network_cuts_its_samples_from_a_sequence),
        folder_test(tables_have_a_column_of_targets),
        folder_test(bad_tables_are_refused),
        folder_test(channels_may_be_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
