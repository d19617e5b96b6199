/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Result files: what goes in comes out, equal results are equal files, and a name holds
 * either the whole result or what it held before. */
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "folder.h"
#include "thalweg/store_result.h"

static const char *const input_paths[] = { "runs.csv", "größe.csv" };
static const char *const input_digests[] = {
    "be3efba0a8b8d9bbf9b1a4dd4f4ad6e1dd0ab5ba5dcf0db2d25d5a3d7a0ed1a5",
    "6f0e2c0b1e7c7e3d5ef3c5f41b7e2fdc46ae6ffb9ffb4b1cf8e5d2e9a4f3c2b1"
};
static const struct tw_provenance prov = { .command = "thalweg fit chinchilla runs.csv",
                                           .options = "--law=chinchilla\n--seed=7\n",
                                           .seed = UINT64_MAX,
                                           .threads = 2,
                                           .ninputs = 2,
                                           .input_paths = input_paths,
                                           .input_digests = input_digests,
                                           .libraries = "HDF5 x, GSL y" };

enum { BIG = 20000 };

static double noise(size_t i)
{
    return (double)((i * 2654435761u) % 1000003u) / 1000.0;
}

/* One of everything. */
static void write_all_kinds(const char *path, bool force, const struct tw_provenance *p)
{
    static double big[BIG];
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_create(path, "fit", TW_RESULT_ATOMIC, force, p, &err);
    const size_t one[] = { 3 }, none[] = { 0 }, four[] = { 2, 1, 2, 2 }, large[] = { BIG / 4, 4 };
    const double x[] = { 1.5, NAN, -INFINITY }, y[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    const uint8_t b[] = { 0, 1, 255 };
    const char *names[] = { "alpha", "", "β-long name" };

    assert_non_null(r);
    for (size_t i = 0; i < BIG; i++)
        big[i] = noise(i);
    assert_int_equal(tw_result_put_reals(r, "/a/b/x", 1, one, x, "nats", "three", &err), TW_OK);
    assert_int_equal(tw_result_put_reals(r, "/a/empty", 1, none, NULL, "", "none", &err), TW_OK);
    assert_int_equal(tw_result_put_reals(r, "/a/four", 4, four, y, "", "rank 4", &err), TW_OK);
    assert_int_equal(tw_result_put_reals(r, "/big", 2, large, big, "", "packed", &err), TW_OK);
    assert_int_equal(tw_result_put_real(r, "/value", -0.1, "nats", "scalar", &err), TW_OK);
    assert_int_equal(tw_result_put_size(r, "/count", 123456789012, "", "count", &err), TW_OK);
    assert_int_equal(tw_result_put_bytes(r, "/status", 1, one, b, "bytes", &err), TW_OK);
    assert_int_equal(tw_result_put_text(r, "/text", "Grüße", "text", &err), TW_OK);
    assert_int_equal(tw_result_put_text(r, "/nothing", "", "no text", &err), TW_OK);
    assert_int_equal(tw_result_put_texts(r, "/names", 3, names, "names", &err), TW_OK);
    assert_int_equal(tw_result_put_texts(r, "/no_names", 0, NULL, "no names", &err), TW_OK);
    assert_int_equal(tw_result_close(r, &err), TW_OK);
}

static void check_texts(struct tw_result *r, const char *path, size_t n, const char *const *want)
{
    struct tw_err err = { 0 };
    char **s = NULL;
    size_t m = 99;

    assert_int_equal(tw_result_get_texts(r, path, &m, &s, &err), TW_OK);
    assert_int_equal(m, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(s[i], want[i]);
        free(s[i]);
    }
    free(s);
}

static void check_text(struct tw_result *r, const char *path, const char *want)
{
    struct tw_err err = { 0 };
    char *s = NULL;

    assert_int_equal(tw_result_get_text(r, path, &s, &err), TW_OK);
    assert_string_equal(s, want);
    free(s);
}

static void test_round_trip(void **state)
{
    const char *path = in_folder("r.h5"), *names[] = { "alpha", "", "β-long name" };
    struct tw_err err = { 0 };
    struct tw_result *r;
    size_t dims[4], n = 0;
    double *x, value;
    uint8_t *b;

    (void)state;
    write_all_kinds(path, false, &prov);
    r = tw_result_open(path, "fit", &err);
    assert_non_null(r);
    assert_string_equal(tw_result_kind(r), "fit");
    assert_int_equal(tw_result_get_reals(r, "/a/b/x", 1, dims, &x, &err), TW_OK);
    assert_int_equal(dims[0], 3);
    assert_true(x[0] == 1.5 && isnan(x[1]) && x[2] < 0 && isinf(x[2]));
    free(x);
    assert_int_equal(tw_result_get_reals(r, "/a/empty", 1, dims, &x, &err), TW_OK);
    assert_int_equal(dims[0], 0);
    assert_non_null(x);
    free(x);
    assert_int_equal(tw_result_get_reals(r, "/a/four", 4, dims, &x, &err), TW_OK);
    assert_true(dims[0] == 2 && dims[1] == 1 && dims[2] == 2 && dims[3] == 2 && x[7] == 8);
    free(x);
    assert_int_equal(tw_result_get_reals(r, "/big", 2, dims, &x, &err), TW_OK);
    assert_true(dims[0] == BIG / 4 && dims[1] == 4);
    for (size_t i = 0; i < BIG; i++)
        assert_true(x[i] == noise(i));
    free(x);
    assert_int_equal(tw_result_get_real(r, "/value", &value, &err), TW_OK);
    assert_true(value == -0.1);
    assert_int_equal(tw_result_get_size(r, "/count", &n, &err), TW_OK);
    assert_int_equal(n, 123456789012);
    assert_int_equal(tw_result_get_bytes(r, "/status", 1, dims, &b, &err), TW_OK);
    assert_true(dims[0] == 3 && b[0] == 0 && b[1] == 1 && b[2] == 255);
    free(b);
    check_text(r, "/text", "Grüße");
    check_text(r, "/nothing", "");
    check_texts(r, "/names", 3, names);
    check_texts(r, "/no_names", 0, NULL);
    check_text(r, "/provenance/command", prov.command);
    check_text(r, "/provenance/options", prov.options);
    check_text(r, "/provenance/version", tw_version());
    check_text(r, "/provenance/libraries", prov.libraries);
    check_texts(r, "/provenance/input_paths", 2, input_paths);
    check_texts(r, "/provenance/input_digests", 2, input_digests);
    assert_int_equal(tw_result_get_size(r, "/provenance/seed", &n, &err), TW_OK);
    assert_true(n == UINT64_MAX);
    assert_true(tw_result_has(r, "/a/b/x"));
    assert_false(tw_result_has(r, "/a/b"));
    assert_false(tw_result_has(r, "/a/c/x"));
    tw_result_done(r);
    tw_result_done(NULL);
}

/* Large arrays are packed, small ones lie in one piece. */
static void test_packing(void **state)
{
    const char *path = in_folder("r.h5");
    size_t n;
    char *bytes;

    (void)state;
    write_all_kinds(path, false, NULL);
    bytes = slurp(path, &n);
    assert_true(n > 8000 && n < 8 * BIG * 3 / 4);
    free(bytes);
}

static size_t bytes_that_differ(const char *a, const char *b)
{
    size_t n, m, differ = 0;
    char *p = slurp(a, &n), *q = slurp(b, &m);

    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        differ += p[i] != q[i];
    free(p);
    free(q);
    return differ;
}

static void test_equal_files(void **state)
{
    const char *a = in_folder("a.h5"), *b = in_folder("b.h5"), *c = in_folder("c.h5"),
               *d = in_folder("d.h5");
    struct tw_provenance other = prov;
    struct tw_err err = { 0 };
    struct tw_result *r;

    (void)state;
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1700000000", 1), 0);
    write_all_kinds(a, false, &prov);
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1000000000", 1), 0);
    write_all_kinds(c, false, &prov);
    (void)sleep(1); /* a time anywhere else in the file would show */
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1700000000", 1), 0);
    write_all_kinds(b, false, &prov);
    other.threads = 3;
    write_all_kinds(d, false, &other);
    assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
    assert_int_equal(bytes_that_differ(a, b), 0);
    assert_in_range(bytes_that_differ(a, c), 2, 40);
    assert_int_equal(bytes_that_differ(a, d), 1);
    r = tw_result_open(a, NULL, &err);
    assert_non_null(r);
    check_text(r, "/provenance/start_time", "2023-11-14T22:13:20Z");
    check_text(r, "/provenance/end_time", "2023-11-14T22:13:20Z");
    tw_result_done(r);
}

static void refused(const char *path, bool force, const char *part)
{
    for (int mode = 0; mode < 2; mode++) {
        struct tw_err err = { 0 };

        assert_null(tw_result_create(path, "fit", (enum tw_result_mode)mode, force, NULL, &err));
        assert_int_equal(err.code, TW_EIO);
        check_message(&err, part);
    }
}

static void test_names(void **state)
{
    const char *old = in_folder("old.h5"), *link_name = in_folder("link.h5");
    struct stat st;
    size_t n;
    char *p;

    (void)state;
    spill(old, "old", 3);
    assert_int_equal(chmod(old, 0640), 0);
    refused(old, false, "old.h5 exists; use --force to replace it");
    refused(in_folder("absent/x.h5"), true, "absent: No such file or directory");
    refused(folder, true, "this is a directory");
    refused(in_folder("x/"), true, "directory");
    refused("/dev/full", true, "/dev/full: this is a device");
    refused("/dev/null", false, "this is a device");
    refused("-", true, "standard output");
    refused("", true, "empty");
    assert_int_equal(symlink("absent/there", in_folder("dangling.h5")), 0);
    refused(in_folder("dangling.h5"), true, "symbolic link");
    assert_int_equal(symlink("old.h5", link_name), 0);
    assert_int_equal(files_in_folder(0), 3);
    p = slurp(old, &n);
    assert_true(n == 3 && !memcmp(p, "old", 3));
    free(p);

    write_all_kinds(link_name, true, NULL);
    assert_int_equal(lstat(link_name, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(old, &st), 0);
    assert_true(st.st_size > 1000 && (st.st_mode & 0777) == 0640);
    assert_int_equal(files_in_folder(0), 3);
}

static void test_no_permission(void **state)
{
    const uid_t me = geteuid(), nobody = 65534;

    (void)state;
    assert_int_equal(chmod(folder, 0555), 0);
    if (me == 0 && seteuid(nobody) != 0) {
        print_message("# skipped: root may write anywhere and cannot become another user\n");
        return;
    }
    refused(in_folder("x.h5"), false, "Permission denied");
    assert_int_equal(seteuid(me), 0);
    assert_int_equal(chmod(folder, 0700), 0);
}

static void test_abandon(void **state)
{
    struct tw_err err = { 0 };
    struct tw_result *r;
    const size_t n = 3;

    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        r = tw_result_create(in_folder("x.h5"), "fit", (enum tw_result_mode)mode, false, NULL,
                             &err);
        assert_non_null(r);
        assert_int_equal(tw_result_reserve_reals(r, "/x", 1, &n, "", "x", &err), TW_OK);
        assert_int_equal(files_in_folder(0), 0);
        tw_result_abandon(r);
    }
    tw_result_abandon(NULL);
    assert_int_equal(files_in_folder(0), 0);
}

/* A mistake on the way must not end in half a file. */
static void test_misuse(void **state)
{
    static const char *const wrong[] = { "x", "/", "", "//x", "/a//x", "/a/", "/x", "/x/y" };
    const size_t huge[] = { SIZE_MAX / 4, 4 }, many[TW_RESULT_MAX_RANK + 1] = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong + 2; i++) {
        struct tw_err err = { 0 };
        struct tw_result *r =
            tw_result_create(in_folder("x.h5"), "fit", TW_RESULT_ATOMIC, false, NULL, &err);
        double x = 1;

        assert_non_null(r);
        assert_int_equal(tw_result_put_real(r, "/x", 1.0, "", "x", &err), TW_OK);
        if (i < sizeof wrong / sizeof *wrong)
            assert_int_equal(tw_result_put_real(r, wrong[i], 1.0, "", "x", &err), TW_EINVAL);
        else if (i == sizeof wrong / sizeof *wrong)
            assert_int_equal(tw_result_put_reals(r, "/h", 2, huge, &x, "", "", &err), TW_ENOMEM);
        else
            assert_int_equal(
                tw_result_put_reals(r, "/f", TW_RESULT_MAX_RANK + 1, many, &x, "", "", &err),
                TW_EINVAL);
        err = (struct tw_err){ 0 };
        assert_int_equal(tw_result_close(r, &err), TW_EINVAL);
        check_message(&err, "an earlier step failed");
        assert_int_equal(files_in_folder(0), 0);
    }
}

static void write_too_much(const char *path, bool force, enum tw_result_mode mode,
                           const char *reason)
{
    static double big[BIG];
    const size_t n = BIG;
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_create(path, "fit", mode, force, NULL, &err);

    assert_non_null(r);
    for (size_t i = 0; i < BIG; i++)
        big[i] = sqrt((double)i);
    assert_int_equal(tw_result_put_reals(r, "/big", 1, &n, big, "", "big", &err), TW_OK);
    if (mode == TW_RESULT_INPLACE) {
        assert_int_equal(tw_result_begin(r, &err), TW_EIO);
        tw_result_abandon(r);
    } else {
        assert_int_equal(tw_result_close(r, &err), TW_EIO);
    }
    check_message(&err, reason);
}

static void test_file_size_limit(void **state)
{
    struct rlimit was, small = { 0 };
    char *p;
    size_t n;

    (void)state;
    spill(in_folder("old.h5"), "old", 3);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 20000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int mode = 0; mode < 2; mode++) {
        write_too_much(in_folder("x.h5"), false, (enum tw_result_mode)mode, "File too large");
        write_too_much(in_folder("old.h5"), true, (enum tw_result_mode)mode, "File too large");
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(files_in_folder(0), 1);
    p = slurp(in_folder("old.h5"), &n);
    assert_true(n == 3 && !memcmp(p, "old", 3));
    free(p);
}

static void test_full_disk(void **state)
{
    (void)state;
    if (mount("tmpfs", folder, "tmpfs", 0, "size=32k") != 0) {
        print_message("# skipped: a small file system cannot be mounted here\n");
        return;
    }
    for (int mode = 0; mode < 2; mode++)
        write_too_much(in_folder("x.h5"), false, (enum tw_result_mode)mode,
                       "No space left on device");
    assert_int_equal(files_in_folder(0), 0);
    assert_int_equal(umount(folder), 0);
}

/* Without --force the file that appeared during the run wins. */
static void test_late_rival(void **state)
{
    struct tw_err err = { 0 };
    struct tw_result *r =
        tw_result_create(in_folder("x.h5"), "fit", TW_RESULT_ATOMIC, false, NULL, &err);
    size_t n;
    char *p;

    (void)state;
    assert_non_null(r);
    spill(in_folder("x.h5"), "rival", 5);
    assert_int_equal(tw_result_close(r, &err), TW_EIO);
    check_message(&err, "exists; use --force");
    p = slurp(in_folder("x.h5"), &n);
    assert_true(n == 5 && files_in_folder(0) == 1);
    free(p);
}

/* A file that the first version wrote must stay readable for good; TW_WRITE_GOLDEN=1 makes it
 * anew. tests/cli/info.sh describes it. */
static void write_golden(const char *path)
{
    static const char *const paths[] = { "in.csv", "-" };
    static const char *const digests[] = {
        "a27f0aa55d38f52b6882a01c888c9af5667f9e04ff4122d5a4da8e32cc2b1041",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    };
    const struct tw_provenance p = { .command = "thalweg scan in.csv -o r.h5",
                                     .options = "--points=5\n--seed=1\n",
                                     .seed = 1,
                                     .threads = 2,
                                     .ninputs = 2,
                                     .input_paths = paths,
                                     .input_digests = digests,
                                     .libraries = "HDF5 1.10.8" };
    const double t[] = { -1, -0.5, 0, 0.5, 1 }, loss[] = { 3, 2.5, NAN };
    const uint8_t status[] = { 1, 1, 2 };
    const size_t n = 5;
    struct tw_err err = { 0 };
    struct tw_result *r;

    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1700000000", 1), 0);
    r = tw_result_create(path, "scan-1d", TW_RESULT_INPLACE, true, &p, &err);
    assert_non_null(r);
    assert_int_equal(tw_result_put_reals(r, "/t", 1, &n, t, "", "position", &err), TW_OK);
    assert_int_equal(tw_result_put_text(r, "/label", "line", "what was scanned", &err), TW_OK);
    assert_int_equal(tw_result_reserve_reals(r, "/loss", 1, &n, "nats", "mean loss", &err), TW_OK);
    assert_int_equal(tw_result_reserve_bytes(r, "/status", 1, &n, "todo, done, failed", &err),
                     TW_OK);
    assert_int_equal(tw_result_begin(r, &err), TW_OK);
    assert_int_equal(tw_result_write_reals(r, "/loss", 0, loss, 3, &err), TW_OK);
    assert_int_equal(tw_result_write_bytes(r, "/status", 0, status, 3, &err), TW_OK);
    tw_result_abandon(r);
    assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
}

static void test_version_1(void **state)
{
    static const char golden[] = "tests/golden/result-v1.h5";
    struct tw_err err = { 0 };
    struct tw_result *r;
    size_t n = 0;
    double *x;

    (void)state;
    if (getenv("TW_WRITE_GOLDEN"))
        write_golden(golden);
    r = tw_result_open(golden, "scan-1d", &err);
    if (!r)
        fail_msg("%s", err.msg);
    check_text(r, "/provenance/command", "thalweg scan in.csv -o r.h5");
    check_text(r, "/label", "line");
    assert_int_equal(tw_result_get_reals(r, "/loss", 1, &n, &x, &err), TW_OK);
    assert_true(n == 5 && x[1] == 2.5 && isnan(x[2]) && isnan(x[4]));
    free(x);
    tw_result_done(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(test_round_trip),      folder_test(test_packing),
        folder_test(test_equal_files),     folder_test(test_names),
        folder_test(test_no_permission),   folder_test(test_abandon),
        folder_test(test_misuse),          folder_test(test_full_disk),
        folder_test(test_file_size_limit), folder_test(test_late_rival),
        folder_test(test_version_1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
