/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that are wrong, damaged or meant to harm: each is refused with one sentence that
 * names the file, and nothing outside it is opened. */
#include "folder.h"
#include "store/h5_items.h"
#include "thalweg/store_result.h"

/* HDF5 1.10.8 leaks what it had read of a damaged file; ours must not. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* A result file in the making, by HDF5's own calls. */
static hid_t begin_file(const char *path, const char *kind, int version)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t text = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), a;
    const char *format = "thalweg";

    (void)H5Tset_size(text, H5T_VARIABLE);
    a = H5Acreate2(file, "format", text, space, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Awrite(a, text, &format);
    (void)H5Aclose(a);
    a = H5Acreate2(file, "kind", text, space, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Awrite(a, text, &kind);
    (void)H5Aclose(a);
    a = H5Acreate2(file, "format_version", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Awrite(a, H5T_NATIVE_INT, &version);
    (void)H5Aclose(a);
    (void)H5Sclose(space);
    (void)H5Tclose(text);
    assert_true(file >= 0);
    return file;
}

static void add_set(hid_t file, const char *name, hid_t type, hid_t space, hid_t plist)
{
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);

    assert_true(set >= 0);
    (void)H5Dclose(set);
}

static void collect(void *ctx, const char *path, const char *type, const char *shape,
                    const char *value)
{
    tw_str_addf(ctx, "%s|%s|%s|%s\n", path, type, shape, value);
}

static void check_open_fails(const char *path, const char *kind, enum tw_status code,
                             const char *part)
{
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_open(path, kind, &err);

    if (r)
        fail_msg("%s was opened; expected '%s'", path, part);
    assert_int_equal(err.code, code);
    check_message(&err, part);
    check_message(&err, path);
    assert_null(tw_result_open(path, kind, NULL));
}

static void check_reals_fail(const char *path, const char *set, const char *part)
{
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_open(path, NULL, &err);
    size_t dims[4] = { 0 };
    double *x = NULL;

    assert_non_null(r);
    assert_int_equal(tw_result_get_reals(r, set, 1, dims, &x, &err), TW_EFORMAT);
    assert_null(x);
    check_message(&err, part);
    check_message(&err, set);
    tw_result_done(r);
}

static void test_not_ours(void **state)
{
    const char *path = in_folder("x.h5");

    (void)state;
    check_open_fails(path, NULL, TW_EIO, "No such file");
    check_open_fails(folder, NULL, TW_EIO, "directory");
    check_open_fails("/dev/null", NULL, TW_EIO, "not a plain file");
    spill(path, "", 0);
    check_open_fails(path, NULL, TW_EFORMAT, "empty");
    spill(path, "step,loss\n1,2\n", 14);
    check_open_fails(path, NULL, TW_EFORMAT, "not an HDF5 file");
    assert_false(tw_is_hdf5(path));
    (void)H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    assert_true(tw_is_hdf5(path));
    check_open_fails(path, NULL, TW_EFORMAT, "no thalweg result");
    (void)H5Fclose(begin_file(path, "fit", 2));
    check_open_fails(path, NULL, TW_EFORMAT, "format version 2 is newer than 1");
    (void)H5Fclose(begin_file(path, "fit", 0));
    check_open_fails(path, NULL, TW_EFORMAT, "format_version");
    (void)H5Fclose(begin_file(path, "fit", 1));
    check_open_fails(path, "forecast", TW_EFORMAT, "kind 'forecast', found 'fit'");
}

static void test_wrong_shape_and_type(void **state)
{
    const char *path = in_folder("x.h5");
    const size_t dims[] = { 2, 3 };
    const double x[6] = { -1 };
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_create(path, "fit", TW_RESULT_ATOMIC, false, NULL, &err);
    size_t n;
    uint8_t *b;
    char *s;

    (void)state;
    assert_int_equal(tw_result_put_reals(r, "/a/x", 2, dims, x, "", "x", &err), TW_OK);
    assert_int_equal(tw_result_put_text(r, "/a/t", "hello", "t", &err), TW_OK);
    assert_int_equal(tw_result_put_size(r, "/n", 300, "", "n", &err), TW_OK);
    assert_int_equal(tw_result_close(r, &err), TW_OK);
    check_reals_fail(path, "/a/x", "expected 1 dimension, found 2");
    check_reals_fail(path, "/a/t", "expected real numbers, found text");
    check_reals_fail(path, "/n", "expected real numbers, found int64");
    check_reals_fail(path, "/a", "expected a data set, found a group");
    check_reals_fail(path, "/a/y", "no such data set");
    check_reals_fail(path, "/b/c/d", "no such data set");
    check_reals_fail(path, "/a/x/y", "no such data set");
    r = tw_result_open(path, "fit", &err);
    assert_int_equal(tw_result_get_bytes(r, "/n", 0, &n, &b, &err), TW_EFORMAT);
    check_message(&err, "expected bytes, found int64");
    assert_null(b);
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_result_get_text(r, "/n", &s, &err), TW_EFORMAT);
    check_message(&err, "expected text, found int64");
    assert_null(s);
    assert_int_equal(tw_result_put_size(r, "/m", 300, "", "n", &err), TW_EINVAL);
    tw_result_done(r);
}

/* Cut at every length: always one sentence, never a crash. */
static void test_truncated(void **state)
{
    const char *path = in_folder("x.h5"), *cut = in_folder("cut.h5");
    struct tw_err err = { 0 };
    size_t n, seen = 0;
    char *bytes;

    (void)state;
    assert_int_equal(
        tw_result_close(tw_result_create(path, "fit", TW_RESULT_ATOMIC, false, NULL, &err), &err),
        TW_OK);
    bytes = slurp(path, &n);
    for (size_t m = 0; m < n; m += m < 64 || m + 16 > n ? 1 : 97) {
        struct tw_err why = { 0 };

        spill(cut, bytes, m);
        tw_h5_in_process = m % 16 != 0;
        assert_null(tw_result_open(cut, NULL, &why));
        seen += strstr(why.msg, "cut short") != NULL;
        assert_null(strchr(why.msg, '\n'));
    }
    tw_h5_in_process = false;
    assert_true(seen > 50);
    spill(cut, bytes, n - 1);
    check_open_fails(cut, NULL, TW_EFORMAT, "the file is cut short");
    free(bytes);
}

/* HDF5 1.10.8 would loop over an entry of a text heap that has no size. */
static void test_damaged_text(void **state)
{
    const char *path = in_folder("x.h5"), *bad = in_folder("bad.h5");
    struct tw_err err = { 0 };
    size_t n, heaps = 0;
    char *bytes;

    (void)state;
    assert_int_equal(
        tw_result_close(tw_result_create(path, "fit", TW_RESULT_ATOMIC, false, NULL, &err), &err),
        TW_OK);
    bytes = slurp(path, &n);
    for (size_t i = 0; i + 32 < n; i++) {
        char was[8];

        if (memcmp(bytes + i, "GCOL", 4) != 0)
            continue;
        memcpy(was, bytes + i + 24, sizeof was); /* the size of the first entry */
        memset(bytes + i + 16, 0, 2);            /* which becomes free space ... */
        memset(bytes + i + 24, 0, sizeof was);   /* ... of no size */
        spill(bad, bytes, n);
        check_open_fails(bad, NULL, TW_EFORMAT, "damaged");
        memset(bytes + i + 24, 0x7f, sizeof was);
        spill(bad, bytes, n);
        check_open_fails(bad, NULL, TW_EFORMAT, "damaged");
        heaps++;
        memcpy(bytes + i + 24, was, sizeof was);
        bytes[i + 16] = 1;
    }
    assert_true(heaps > 0);
    free(bytes);
}

/* HDF5 1.10.8 crashes on text whose number in its heap is too large. */
static void test_crash(void **state)
{
    const char *path = in_folder("x.h5");
    char *bytes, heap[8] = { 0 };
    struct tw_err err = { 0 };
    size_t n, bad = 0;

    (void)state;
    (void)H5Fclose(begin_file(path, "fit", 1));
    bytes = slurp(path, &n);
    for (size_t i = 0; i + 8 < n; i++)
        if (!memcmp(bytes + i, "GCOL", 4))
            for (size_t b = 0; b < 8; b++)
                heap[b] = (char)(i >> (8 * b));
    for (size_t i = 0; i + 12 < n; i++)
        if (!memcmp(bytes + i, heap, 8)) {
            memset(bytes + i + 8, 0x7f, 4);
            bad++;
        }
    assert_true(bad >= 2);
    spill(path, bytes, n);
    assert_null(tw_result_open(path, "fit", &err));
    assert_int_equal(err.code, TW_EFORMAT);
    assert_null(strchr(err.msg, '\n'));
    free(bytes);
}

/* One byte wrong, anywhere: whatever comes of it, no crash, no hang, one sentence. */
static void test_flipped_bytes(void **state)
{
    const char *path = in_folder("x.h5"), *bad = in_folder("bad.h5");
    struct tw_err none = { 0 };
    const double x = 1;
    struct tw_result *r = tw_result_create(path, "fit", TW_RESULT_ATOMIC, false, NULL, &none);
    size_t n, refused = 0;
    char *bytes;

    (void)state;
    assert_int_equal(tw_result_put_reals(r, "/a/x", 0, NULL, &x, "", "x", &none), TW_OK);
    assert_int_equal(tw_result_close(r, &none), TW_OK);
    bytes = slurp(path, &n);
    for (size_t i = 0; i < n; i += i < 64 ? 1 : 7) {
        struct tw_err err = { 0 };
        struct tw_str rows = { 0 };
        double y = 0;

        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
        spill(bad, bytes, n);
        bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
        /* Mostly in this process, where the sanitizers look; a process more takes its time. */
        tw_h5_in_process = i % 16 != 0;
        r = tw_result_open(bad, "fit", &err);
        if (r && tw_result_get_real(r, "/a/x", &y, &err) == TW_OK)
            (void)!tw_info_hdf5(bad, collect, &rows, &err);
        tw_result_done(r);
        tw_str_release(&rows);
        refused += err.code != TW_OK;
        assert_null(strchr(err.msg, '\n'));
    }
    tw_h5_in_process = false;
    assert_true(refused > n / 7 / 3);
    free(bytes);
}

static void test_links(void **state)
{
    const char *path = in_folder("x.h5"), *other = in_folder("other.h5");
    hid_t file = begin_file(path, "fit", 1), space;
    hsize_t n = 3;

    (void)state;
    (void)H5Lcreate_external(other, "/secret", file, "far", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_external(other, "/", file, "far_group", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_soft("/x", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    space = H5Screate_simple(1, &n, NULL);
    add_set(file, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT);
    (void)H5Fclose(file);
    file = H5Fcreate(other, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    add_set(file, "secret", H5T_IEEE_F64LE, space, H5P_DEFAULT);
    (void)H5Sclose(space);
    (void)H5Fclose(file);
    check_reals_fail(path, "/far", "a link into another file, which is not followed");
    check_reals_fail(path, "/far_group/secret", "/far_group is a link into another file");
    check_reals_fail(path, "/soft", "a soft link, which is not followed");
}

static void test_foreign_storage(void **state)
{
    const char *path = in_folder("x.h5"), *raw = in_folder("raw");
    hid_t file = begin_file(path, "fit", 1), space, plist;
    hsize_t n = 3;

    (void)state;
    spill(raw, "secretsecretsecretsecret", 24);
    space = H5Screate_simple(1, &n, NULL);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_external(plist, raw, 0, 24);
    add_set(file, "outside", H5T_IEEE_F64LE, space, plist);
    (void)H5Pclose(plist);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_virtual(plist, space, in_folder("other.h5"), "/x", space);
    add_set(file, "virtual", H5T_IEEE_F64LE, space, plist);
    (void)H5Pclose(plist);
    plist = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_chunk(plist, 1, &n);
    (void)H5Pset_filter(plist, 32001, H5Z_FLAG_OPTIONAL, 0, NULL);
    add_set(file, "filtered", H5T_IEEE_F64LE, space, plist);
    (void)H5Pclose(plist);
    (void)H5Sclose(space);
    (void)H5Fclose(file);
    check_reals_fail(path, "/outside", "its numbers are in another file");
    check_reals_fail(path, "/virtual", "a virtual data set");
    check_reals_fail(path, "/filtered", "filter 32001");
}

static void test_shape_bombs(void **state)
{
    const char *path = in_folder("x.h5");
    hid_t file = begin_file(path, "fit", 1), space, plist = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t n = (hsize_t)1 << 33, three = 3, most = H5S_UNLIMITED, chunk = (hsize_t)1 << 28;

    (void)state;
    (void)H5Pset_alloc_time(plist, H5D_ALLOC_TIME_LATE);
    space = H5Screate_simple(1, &n, NULL);
    add_set(file, "huge", H5T_IEEE_F64LE, space, plist);
    (void)H5Sclose(space);
    space = H5Screate_simple(1, &three, &most);
    (void)H5Pset_chunk(plist, 1, &chunk);
    add_set(file, "chunk", H5T_IEEE_F64LE, space, plist);
    (void)H5Sclose(space);
    (void)H5Pclose(plist);
    (void)H5Fclose(file);
    check_reals_fail(path, "/huge", "declares far more than a file of");
    check_reals_fail(path, "/chunk", "chunks declare far more");
}

/* h5py with libver="latest" writes formats newer than ours. */
static void test_newest_format(void **state)
{
    const char *path = in_folder("x.h5");
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), file;
    struct tw_err err = { 0 };
    struct tw_str rows = { 0 };

    (void)state;
    (void)H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    (void)H5Pclose(fapl);
    (void)H5Fclose(file);
    assert_int_equal(tw_info_hdf5(path, collect, &rows, &err), TW_OK);
    assert_string_equal(rows.s, "/|group||\n");
    tw_str_release(&rows);
}

/* What deflate packs best must not be taken for a bomb. */
static void test_honest_zeros(void **state)
{
    const char *path = in_folder("x.h5");
    const size_t n = 4000000;
    double *zeros = calloc(n, sizeof *zeros);
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_create(path, "fit", TW_RESULT_ATOMIC, false, NULL, &err);
    size_t m = 0;

    (void)state;
    assert_int_equal(tw_result_put_reals(r, "/zeros", 1, &n, zeros, "", "0", &err), TW_OK);
    assert_int_equal(tw_result_close(r, &err), TW_OK);
    free(zeros);
    r = tw_result_open(path, NULL, &err);
    assert_int_equal(tw_result_get_reals(r, "/zeros", 1, &m, &zeros, &err), TW_OK);
    assert_true(m == n && zeros[n - 1] == 0);
    free(zeros);
    tw_result_done(r);
}

/* ---- the walk ------------------------------------------------------------------------- */

static void test_walk(void **state)
{
    const char *path = in_folder("x.h5");
    hid_t file = begin_file(path, "fit", 1), group, space;
    hsize_t dims[] = { 2, 3 }, huge = (hsize_t)1 << 40;
    struct tw_str rows = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_hard(file, "/", group, "cycle", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_soft("/x", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_external("a.h5", "/b", file, "far", H5P_DEFAULT, H5P_DEFAULT);
    space = H5Screate_simple(2, dims, NULL);
    add_set(group, "x", H5T_IEEE_F32BE, space, H5P_DEFAULT);
    (void)H5Sclose(space);
    space = H5Screate_simple(1, &huge, NULL);
    add_set(group, "z", H5T_IEEE_F64LE, space, H5P_DEFAULT);
    (void)H5Sclose(space);
    (void)H5Gclose(group);
    (void)H5Fclose(file);
    assert_int_equal(tw_info_hdf5(path, collect, &rows, &err), TW_OK);
    assert_non_null(strstr(rows.s, "/|group||\n"));
    assert_non_null(strstr(rows.s, "/@format|text||thalweg\n"));
    assert_non_null(strstr(rows.s, "/@format_version|uint8||1\n"));
    assert_non_null(strstr(rows.s, "/far|external link||a.h5:/b\n"));
    assert_non_null(strstr(rows.s, "/soft|soft link||/x\n"));
    assert_non_null(strstr(rows.s, "/g/x|float32|2 x 3|\n"));
    assert_non_null(strstr(rows.s, "/g/z|float64||not read: it declares far more"));
    assert_null(strstr(rows.s, "/g/cycle/g/x"));
    tw_str_release(&rows);
    assert_int_equal(tw_info_hdf5(in_folder("none"), collect, &rows, &err), TW_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(test_not_ours),        folder_test(test_wrong_shape_and_type),
        folder_test(test_truncated),       folder_test(test_damaged_text),
        folder_test(test_crash),           folder_test(test_flipped_bytes),
        folder_test(test_links),           folder_test(test_shape_bombs),
        folder_test(test_foreign_storage), folder_test(test_walk),
        folder_test(test_honest_zeros),    folder_test(test_newest_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
