/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every allocation of ours fails once: no crash, no leak, the status says so, and no file is
 * left behind. Our allocator is replaced by one that fails on demand; HDF5's own allocations
 * are not touched. */
#include <hdf5.h>
#include <stdlib.h>

static size_t fail_at, calls;

static int fails(void)
{
    return ++calls == fail_at;
}
static void *failing_calloc(size_t n, size_t size)
{
    return fails() ? NULL : calloc(n, size);
}
static void *failing_malloc(size_t n)
{
    return fails() ? NULL : malloc(n);
}
static void *failing_realloc(void *p, size_t n)
{
    return fails() ? NULL : realloc(p, n);
}

#define calloc  failing_calloc
#define malloc  failing_malloc
#define realloc failing_realloc
#include "../../src/base/alloc.c"
#include "../../src/base/str.c"
#undef calloc
#undef malloc
#undef realloc

#include "folder.h"
#include "thalweg/store_result.h"

static enum tw_status write_one(const char *path, enum tw_result_mode mode, struct tw_err *err)
{
    const struct tw_provenance prov = { .command = "c", .options = "o" };
    const size_t n = 3;
    const double x[] = { 1, 2, 3 };
    const char *names[] = { "a", "b", "c" };
    struct tw_result *r = tw_result_create(path, "fit", mode, true, &prov, err);
    enum tw_status rc;

    if (!r)
        return err->code;
    rc = tw_result_put_reals(r, "/a/b/x", 1, &n, x, "nats", "x", err);
    if (rc == TW_OK)
        rc = tw_result_put_texts(r, "/names", 3, names, "names", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(r, "/y", 1, &n, "", "y", err);
    if (rc == TW_OK && mode == TW_RESULT_INPLACE)
        rc = tw_result_begin(r, err);
    if (rc == TW_OK && mode == TW_RESULT_INPLACE)
        rc = tw_result_write_reals(r, "/y", 1, x, 2, err);
    if (rc != TW_OK) {
        tw_result_abandon(r);
        return rc;
    }
    return tw_result_close(r, err);
}

static enum tw_status read_one(const char *path, struct tw_err *err)
{
    struct tw_result *r = tw_result_open(path, "fit", err);
    enum tw_status rc;
    char **names = NULL, *text = NULL;
    double *x = NULL;
    size_t n = 0;

    if (!r)
        return err->code;
    rc = tw_result_get_reals(r, "/a/b/x", 1, &n, &x, err);
    free(x);
    if (rc == TW_OK)
        rc = tw_result_get_texts(r, "/names", &n, &names, err);
    for (size_t i = 0; names && i < n; i++) {
        assert_non_null(names[i]);
        free(names[i]);
    }
    free(names);
    if (rc == TW_OK)
        rc = tw_result_get_text(r, "/provenance/command", &text, err);
    free(text);
    tw_result_done(r);
    if (rc != TW_OK)
        return rc;
    r = tw_result_reopen(path, "fit", err);
    if (!r)
        return err->code;
    return tw_result_close(r, err);
}

static void ignore_row(void *ctx, const char *path, const char *type, const char *shape,
                       const char *value)
{
    (void)ctx;
    (void)path;
    (void)type;
    (void)shape;
    (void)value;
}

/* Fail the first, second, ... allocation until the work gets through. */
static void test_writing(void **state)
{
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        enum tw_status rc = TW_ENOMEM;
        size_t k = 0;

        while (rc != TW_OK) {
            struct tw_err err = { 0 };

            assert_true(++k < 1000);
            calls = 0;
            fail_at = k;
            rc = write_one(in_folder("x.h5"), (enum tw_result_mode)mode, &err);
            fail_at = 0;
            assert_int_equal(rc, err.code);
            /* Only an allocation that can be done without may fail unseen. */
            if (rc == TW_OK && calls >= k)
                rc = TW_ENOMEM;
            else if (rc != TW_OK && mode == TW_RESULT_ATOMIC)
                assert_true(err.msg[0] != '\0');
            for (size_t i = files_in_folder(1); i > 1; i--)
                fail_msg("allocation %zu: a temporary file is left", k);
        }
        print_message("# %zu allocations\n", k - 1);
        assert_true(k > 20);
    }
}

static void test_reading(void **state)
{
    struct tw_err none = { 0 };
    enum tw_status rc = TW_ENOMEM;
    size_t k = 0;

    (void)state;
    fail_at = 0;
    assert_int_equal(write_one(in_folder("x.h5"), TW_RESULT_INPLACE, &none), TW_OK);
    while (rc != TW_OK) {
        struct tw_err err = { 0 };

        assert_true(++k < 1000);
        calls = 0;
        fail_at = k;
        rc = read_one(in_folder("x.h5"), &err);
        fail_at = 0;
        assert_int_equal(rc, err.code);
        if (rc == TW_OK && calls >= k)
            rc = TW_ENOMEM;
    }
    assert_true(k > 10);
}

static void test_walking(void **state)
{
    struct tw_err none = { 0 };
    enum tw_status rc = TW_ENOMEM;
    size_t k = 0;

    (void)state;
    fail_at = 0;
    assert_int_equal(write_one(in_folder("x.h5"), TW_RESULT_ATOMIC, &none), TW_OK);
    while (rc != TW_OK) {
        struct tw_err err = { 0 };

        assert_true(++k < 5000);
        calls = 0;
        fail_at = k;
        rc = tw_info_hdf5(in_folder("x.h5"), ignore_row, NULL, &err);
        fail_at = 0;
        assert_int_equal(rc, err.code);
        if (rc == TW_OK && calls >= k)
            rc = TW_ENOMEM;
    }
    assert_true(k > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(test_writing),
        folder_test(test_reading),
        folder_test(test_walking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
