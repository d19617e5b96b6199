/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <json-c/json.h>
#include <stdlib.h>

#include "json.h"
#include "num.h"

/* The text as json-c reads it in its strict mode; NULL if it is not JSON. */
static json_object *reread(const struct tw_json *j)
{
    json_tokener *tok = json_tokener_new();
    json_object *root;

    assert_non_null(tok);
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    root = json_tokener_parse_ex(tok, j->text.s, (int)j->text.n + 1);
    assert_int_equal(json_tokener_get_error(tok), json_tokener_success);
    json_tokener_free(tok);
    return root;
}

static json_object *get(json_object *o, const char *key)
{
    json_object *member = NULL;

    assert_true(json_object_object_get_ex(o, key, &member));
    return member;
}

static void what_is_written_reads_back(void **state)
{
    const double x[] = { 0.1, (double)NAN, -1e308, (double)INFINITY };
    struct tw_json j = { 0 };
    json_object *root, *v;

    (void)state;
    tw_json_open(&j, NULL, '{');
    tw_json_real(&j, "third", 1.0 / 3.0);
    tw_json_size(&j, "n", SIZE_MAX);
    tw_json_bool(&j, "yes", true);
    tw_json_text(&j, "none", NULL);
    tw_json_open(&j, "empty", '[');
    tw_json_close(&j, ']');
    tw_json_open(&j, "deep", '[');
    tw_json_open(&j, NULL, '{');
    tw_json_close(&j, '}');
    tw_json_reals(&j, NULL, x, 4);
    tw_json_close(&j, ']');
    tw_json_text(&j, "last", "end");
    tw_json_close(&j, '}');
    root = reread(&j);
    check_ulp(json_object_get_double(get(root, "third")), 1.0 / 3.0, 0);
    assert_true(json_object_get_uint64(get(root, "n")) == SIZE_MAX);
    assert_true(json_object_get_boolean(get(root, "yes")));
    assert_null(get(root, "none"));
    assert_int_equal(json_object_array_length(get(root, "empty")), 0);
    v = json_object_array_get_idx(get(root, "deep"), 1);
    assert_int_equal(json_object_array_length(v), 4);
    check_ulp(json_object_get_double(json_object_array_get_idx(v, 0)), 0.1, 0);
    assert_null(json_object_array_get_idx(v, 1));
    check_ulp(json_object_get_double(json_object_array_get_idx(v, 2)), -1e308, 0);
    assert_null(json_object_array_get_idx(v, 3));
    assert_string_equal(json_object_get_string(get(root, "last")), "end");
    json_object_put(root);
    tw_json_release(&j);
}

static void strings_are_escaped(void **state)
{
    struct tw_str s = { 0 };

    (void)state;
    tw_json_quote(&s, "a\"b\\c\n\x01\x7f/");
    assert_string_equal(s.s, "\"a\\\"b\\\\c\\u000a\\u0001\x7f/\"");
    tw_str_release(&s);
}

static void any_bytes_become_valid_utf8(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        { "K\xC3\xBCnsch \xE2\x82\xAC \xF0\x9F\x8F\x94", NULL },
        { "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", NULL }, /* beside the forbidden ones */
        { "\xFF\x80", "\xEF\xBF\xBD\xEF\xBF\xBD" },           /* no start byte */
        { "\xC3", "\xEF\xBF\xBD" },                           /* cut short */
        { "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD" },           /* overlong '/' */
        { "\xE0\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" }, /* a surrogate */
        { "\xF0\x80\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
        { "\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tw_json j = { 0 };
        json_object *root;

        tw_json_text(&j, NULL, cases[i].in);
        root = reread(&j);
        assert_string_equal(json_object_get_string(root),
                            cases[i].want ? cases[i].want : cases[i].in);
        json_object_put(root);
        tw_json_release(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(any_bytes_become_valid_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
