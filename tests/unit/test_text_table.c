/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small text tables: what is a cell, what is a row, and what is refused. */
#include "folder.h"
#include "thalweg/store_table.h"

static struct tw_text_table parse(const char *text)
{
    struct tw_text_table t = { 0 };
    struct tw_err err = { 0 };

    if (tw_text_table_parse(text, strlen(text), "name", &t, &err) != TW_OK)
        fail_msg("'%s' was refused: %s", text, err.msg);
    return t;
}

static void check_cell(const struct tw_text_table *t, size_t row, size_t col, const char *want)
{
    assert_true(row < t->nrow && col < t->ncol);
    assert_string_equal(t->cells[row * t->ncol + col], want);
}

static void check_refused(const char *text, size_t n, const char *part)
{
    struct tw_text_table t = { 0 };
    struct tw_err err = { 0 };

    assert_int_equal(tw_text_table_parse(text, n, "some.csv", &t, &err), TW_EFORMAT);
    check_message(&err, part);
    check_message(&err, "some.csv");
    tw_text_table_release(&t);
    assert_int_equal(tw_text_table_parse(text, n, "some.csv", &t, NULL), TW_EFORMAT);
    tw_text_table_release(&t);
}

static void each_separator_is_told(void **state)
{
    static const char *const text[] = { "a,b,c;d\n1,2,3;4\n", "a;b;c,d\n1;2;3,4\n",
                                        "a\tb\tc,d\n1\t2\t3,4\n" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tw_text_table t = parse(text[i]);

        assert_int_equal(t.ncol, 3);
        assert_int_equal(t.nrow, 1);
        check_cell(&t, 0, 0, "1");
        assert_int_equal(tw_text_table_column(&t, "a"), 0);
        assert_int_equal(tw_text_table_column(&t, "z"), 3);
        tw_text_table_release(&t);
    }
}

static void quotes_hold_separators_quotes_and_lines(void **state)
{
    struct tw_text_table t =
        parse("a,b\n\"1,2\",\"say \"\"x\"\"\"\n  \"3,4\" ,\"two\nlines\"\n\"\",z\n");

    (void)state;
    assert_int_equal(t.nrow, 3);
    check_cell(&t, 0, 0, "1,2");
    check_cell(&t, 0, 1, "say \"x\"");
    check_cell(&t, 1, 0, "3,4"); /* blanks around the quotes */
    check_cell(&t, 1, 1, "two\nlines");
    check_cell(&t, 2, 0, "");
    assert_int_equal(t.line[2], 5);
    tw_text_table_release(&t);
}

static void comments_blank_lines_bom_and_crlf(void **state)
{
    struct tw_text_table t =
        parse("\xEF\xBB\xBF# about\r\n\r\n a , b \r\n  # more\r\n\r\n 1 ,2\r\n3\r\n4,5");

    (void)state;
    assert_string_equal(t.names[0], "a");
    assert_string_equal(t.names[1], "b");
    assert_int_equal(t.nrow, 3);
    check_cell(&t, 0, 0, "1");
    check_cell(&t, 0, 1, "2");
    check_cell(&t, 1, 1, ""); /* a short row */
    check_cell(&t, 2, 1, "5");
    assert_int_equal(t.line[0], 6);
    assert_int_equal(t.line[2], 8);
    tw_text_table_release(&t);
}

static void what_is_no_table_is_refused(void **state)
{
    char wide[3000];
    size_t n = 0;

    (void)state;
    check_refused("", 0, "found an empty file");
    check_refused("# x\n\n", 5, "found only comments");
    check_refused("a,b\n1,2,3\n", 10, "line 2 has 3 cells, the header 2");
    check_refused("a,b\n1,2,3\n", 10, "needs quotes");
    check_refused("a,b\n1,2\n\n1,\"2\n3,4\n", 18, "line 4: a quote (\") is not closed");
    check_refused("\"a,b\n", 5, "line 1: a quote (\") is not closed");
    for (size_t i = 0; i < 1200; i++)
        wide[n++] = ',';
    check_refused(wide, n, "line 1 has more than 1024 cells");
    memcpy(wide, "a\n", 2);
    check_refused(wide, n, "line 2 has");
}

static void files_are_read_or_told_of(void **state)
{
    const char *path = in_folder("t.csv");
    struct tw_text_table t = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    spill(path, "a,b\n1,2\n", 8);
    assert_int_equal(tw_text_table_read(path, &t, &err), TW_OK);
    check_cell(&t, 0, 1, "2");
    tw_text_table_release(&t);
    assert_int_equal(tw_text_table_read(in_folder("no"), &t, &err), TW_EIO);
    check_message(&err, "No such file");
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_text_table_read(folder, &t, &err), TW_EIO);
    check_message(&err, "is a folder");
}

static void a_file_of_16_mib_is_no_table(void **state)
{
    const size_t n = 16 << 20;
    const char *path = in_folder("big.csv");
    struct tw_text_table t = { 0 };
    struct tw_err err = { 0 };
    char *p = calloc(n, 1);

    (void)state;
    assert_non_null(p);
    spill(path, p, n);
    free(p);
    assert_int_equal(tw_text_table_read(path, &t, &err), TW_EFORMAT);
    check_message(&err, "larger than 16 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(each_separator_is_told),
        folder_test(quotes_hold_separators_quotes_and_lines),
        folder_test(comments_blank_lines_bom_and_crlf),
        folder_test(what_is_no_table_is_refused),
        folder_test(files_are_read_or_told_of),
        folder_test(a_file_of_16_mib_is_no_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
