/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of a result file: taken as they are, or the first that is wrong is what is said. */
#include <math.h>

#include "folder.h"
#include "thalweg/store_reader.h"

static void write_parts(const char *path)
{
    struct tw_result *r = tw_result_create(path, "parts", TW_RESULT_ATOMIC, true, NULL, NULL);
    const size_t three = 3, plane[2] = { 2, 3 };
    const double x[6] = { 1.0, 2.0, 3.0, 4.0, 5.0, 6.0 };
    const uint8_t b[3] = { 7, 8, 9 };
    const char *names[] = { "one", "two" };

    assert_non_null(r);
    assert_int_equal(tw_result_put_reals(r, "/list", 1, &three, x, "", "", NULL), TW_OK);
    assert_int_equal(tw_result_put_reals(r, "/plane", 2, plane, x, "", "", NULL), TW_OK);
    assert_int_equal(tw_result_put_bytes(r, "/bytes", 1, &three, b, "", NULL), TW_OK);
    assert_int_equal(tw_result_put_texts(r, "/names", 2, names, "", NULL), TW_OK);
    assert_int_equal(tw_result_put_text(r, "/word", "nats", "", NULL), TW_OK);
    assert_int_equal(tw_result_put_real(r, "/real", 0.5, "", "", NULL), TW_OK);
    assert_int_equal(tw_result_put_size(r, "/size", 12, "", "", NULL), TW_OK);
    assert_int_equal(tw_result_close(r, NULL), TW_OK);
}

static void parts_come_as_they_were_put(void **state)
{
    struct tw_err err = { 0 };
    struct tw_reader in;
    size_t dims[2] = { 2, SIZE_MAX }, n = SIZE_MAX;
    double *plane, *list, two[3] = { 0 };
    uint8_t *bytes;
    char **names, *word;

    (void)state;
    write_parts(in_folder("parts.h5"));
    in = tw_reader_open(in_folder("parts.h5"), "parts", &err);
    assert_true(tw_reader_has(&in, "/list"));
    assert_false(tw_reader_has(&in, "/nothing"));
    plane = tw_reader_reals(&in, "/plane", 2, dims);
    list = tw_reader_list(&in, "/list", 3);
    bytes = tw_reader_bytes(&in, "/bytes", 1, &(size_t){ 3 });
    names = tw_reader_texts(&in, "/names", &n);
    word = tw_reader_text(&in, "/word");
    tw_reader_copy(&in, "/list", 3, two);
    assert_int_equal(in.rc, TW_OK);
    assert_int_equal(dims[1], 3);
    assert_true(plane[5] == 6.0 && list[2] == 3.0 && two[1] == 2.0);
    assert_int_equal(bytes[2], 9);
    assert_int_equal(n, 2);
    assert_string_equal(names[1], "two");
    assert_string_equal(word, "nats");
    assert_true(tw_reader_real(&in, "/real") == 0.5);
    assert_int_equal(tw_reader_size(&in, "/size"), 12);
    assert_int_equal(tw_reader_close(&in), TW_OK);
    free(plane);
    free(list);
    free(bytes);
    free(word);
    tw_reader_free_texts(names, n);
}

/* What each of these says of the file; all later parts come as nothing. */
static void what_is_wrong_first_is_said(void **state)
{
    static const char *const said[] = { "parts.h5: /list has 3 values, expected 4",
                                        "parts.h5: /plane has 3 columns, expected 2",
                                        "parts.h5: /plane has 2 rows, expected 1",
                                        "parts.h5: /names has 2 texts, expected 1",
                                        "parts.h5: /bytes has 3 values, expected 2",
                                        "parts.h5: /nothing: there is no such data set",
                                        "parts.h5: 3 is too many",
                                        "parts.h5: out of memory" };

    (void)state;
    write_parts(in_folder("parts.h5"));
    for (size_t k = 0; k < sizeof said / sizeof *said; k++) {
        struct tw_err err = { 0 };
        struct tw_reader in = tw_reader_open(in_folder("parts.h5"), NULL, &err);
        size_t one = 1;

        assert_int_equal(in.rc, TW_OK);
        if (k == 0)
            assert_null(tw_reader_list(&in, "/list", 4));
        if (k == 1)
            assert_null(tw_reader_reals(&in, "/plane", 2, (size_t[]){ 2, 2 }));
        if (k == 2)
            assert_null(tw_reader_reals(&in, "/plane", 2, (size_t[]){ 1, 3 }));
        if (k == 3)
            assert_null(tw_reader_texts(&in, "/names", &one));
        if (k == 4)
            assert_null(tw_reader_bytes(&in, "/bytes", 1, &(size_t){ 2 }));
        if (k == 5)
            assert_null(tw_reader_text(&in, "/nothing"));
        if (k == 6)
            tw_reader_refuse(&in, "%d is too many", 3);
        if (k == 7)
            tw_reader_no_memory(&in);
        tw_reader_refuse(&in, "something later");
        assert_null(tw_reader_list(&in, "/list", 3));
        assert_true(isnan(tw_reader_real(&in, "/real")));
        assert_int_equal(tw_reader_size(&in, "/size"), 0);
        assert_false(tw_reader_has(&in, "/list"));
        assert_int_equal(tw_reader_close(&in), k == 7 ? TW_ENOMEM : TW_EFORMAT);
        assert_non_null(strstr(err.msg, said[k]));
    }
}

static void a_file_of_another_kind_is_refused(void **state)
{
    struct tw_err err = { 0 };
    struct tw_reader in;

    (void)state;
    write_parts(in_folder("parts.h5"));
    in = tw_reader_open(in_folder("parts.h5"), "fit", &err);
    assert_null(tw_reader_text(&in, "/word"));
    assert_int_equal(tw_reader_close(&in), TW_EFORMAT);
    assert_non_null(strstr(err.msg, "kind 'fit', found 'parts'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(parts_come_as_they_were_put),
        folder_test(what_is_wrong_first_is_said),
        folder_test(a_file_of_another_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
