/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What evaluators say: lines of JSON and greetings, right and wrong. */
#include "problem/twep.h"

#include <stdio.h>
#include <string.h>

#include "num.h"

static enum tw_status parse(struct tw_twep_line *l, const char *text, struct tw_err *err)
{
    static char copy[4096];

    (void)snprintf(copy, sizeof copy, "%s", text);
    *err = (struct tw_err){ 0 };
    return tw_twep_parse(l, copy, strlen(copy), err);
}

static void lines_of_json_are_read(void **state)
{
    struct tw_twep_line l = { 0 };
    struct tw_err err;
    const char *text;
    double x;
    size_t n;

    (void)state;
    assert_int_equal(parse(&l,
                           " { \"id\" : 7 , \"loss\":-2.5e-3,\"a\":[[1,{\"id\":9}],\"x\"],"
                           "\"t\":\"a\\\"\\\\\\/\\n\\u00e9\\u20AC\\ud83d\\ude00z\",\"u\":null,"
                           "\"nan\":NaN,\"big\":-Infinity,\"yes\":true,\"id\":8}\r",
                           &err),
                     TW_OK);
    assert_true(tw_twep_size(&l, "id", &n));
    assert_int_equal(n, 7); /* the first, and not the one further in */
    assert_true(tw_twep_real(&l, "loss", &x));
    check_ulp(x, -2.5e-3, 0);
    assert_true(tw_twep_text(&l, "t", &text));
    assert_string_equal(text, "a\"\\/\n\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z");
    assert_null(tw_twep_find(&l, 0, "u"));
    assert_null(tw_twep_find(&l, 0, "none"));
    assert_true(tw_twep_real(&l, "nan", &x) && isnan(x));
    assert_true(tw_twep_real(&l, "big", &x) && isinf(x) && x < 0.0);
    assert_false(tw_twep_size(&l, "loss", &n));
    assert_false(tw_twep_size(&l, "big", &n));
    assert_false(tw_twep_real(&l, "yes", &x));
    assert_false(tw_twep_text(&l, "id", &text));
    assert_int_equal(parse(&l, "{\"a\":nan,\"b\":-inf,\"c\":-nan,\"d\":0}", &err), TW_OK);
    assert_true(tw_twep_real(&l, "b", &x) && isinf(x));
    tw_twep_line_release(&l);
}

static void what_is_no_object_is_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        { "", "an object expected in column 1" },
        { "[1]", "an object expected" },
        { "7", "an object expected" },
        { "{", "a key expected in column 2" },
        { "{\"a\"}", "a colon expected in column 5" },
        { "{\"a\":1", "a comma expected in column 7" },
        { "{\"a\":1,}", "a key expected" },
        { "{\"a\":1 \"b\":2}", "a comma expected" },
        { "{\"a\":[1,]}", "a value expected" },
        { "{\"a\":[1 2]}", "a comma expected" },
        { "{\"a\":01}", "a comma expected" },
        { "{\"a\":1.}", "digits expected" },
        { "{\"a\":1e}", "digits expected" },
        { "{\"a\":.5}", "a value expected" },
        { "{\"a\":+1}", "a value expected" },
        { "{\"a\":-}", "a value expected" },
        { "{\"a\":tru}", "a value expected" },
        { "{a:1}", "a key expected" },
        { "{'a':1}", "a key expected" },
        { "{\"a\":\"\\x\"}", "an unknown escape" },
        { "{\"a\":\"\\u12g4\"}", "four hexadecimal digits" },
        { "{\"a\":\"\\u0000\"}", "a character that is none" },
        { "{\"a\":\"\\ud800x\"}", "half a character" },
        { "{\"a\":\"\\udc00\"}", "a character that is none" },
        { "{\"a\":\"b", "a string without an end" },
        { "{\"a\":\"\\", "an unknown escape" },
        { "{\"a\":\"\t\"}", "a control character" },
        { "{} {}", "more than one object in column 4" },
        { "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "too many brackets" },
    };
    struct tw_twep_line l = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tw_err err;

        if (parse(&l, bad[i].text, &err) != TW_EFORMAT || !strstr(err.msg, bad[i].part))
            fail_msg("%s: '%s' lacks '%s'", bad[i].text, err.msg, bad[i].part);
    }
    tw_twep_line_release(&l);
}

#define GREET(rest) "{\"twep\":1,\"can\":[\"loss\"]," rest "}"
#define TENSOR(t)   GREET("\"tensors\":[{" t "}]")

static void greetings_become_layouts(void **state)
{
    struct tw_twep_line l = { 0 };
    struct tw_twep_greeting g;
    struct tw_err err;
    const struct tw_param *p;

    (void)state;
    assert_int_equal(
        parse(&l,
              "{\"twep\":1,\"can\":[\"grad\",\"later\",\"loss\",\"correct\"],\"dtype\":\"f64\","
              "\"checkpoints\":[\"a.pt\",null],\"n\":12,\"tensors\":["
              "{\"name\":\"mean\",\"shape\":[4],\"kind\":\"buffer\"},"
              "{\"name\":\"b.0.conv.weight\",\"shape\":[4,3,2,2],\"kind\":\"weight\"},"
              "{\"name\":\"b.0.conv.bias\",\"shape\":[4],\"kind\":\"bias\"},"
              "{\"name\":\"n/scale\",\"shape\":[4],\"kind\":\"norm\"},"
              "{\"name\":\"n/bias\",\"shape\":[4],\"kind\":\"norm\",\"layer\":\"N\"},"
              "{\"name\":\"e\",\"shape\":[9,5],\"kind\":\"embedding\",\"filter\":1},"
              "{\"name\":\"t\",\"shape\":[]}]}",
              &err),
        TW_OK);
    assert_int_equal(tw_twep_greet(&l, &g, &err), TW_OK);
    assert_true(g.real64);
    assert_int_equal(g.can, TW_TWEP_LOSS | TW_TWEP_GRAD); /* hits need losses of samples */
    assert_int_equal(g.ncheckpoint, 2);
    assert_string_equal(g.checkpoint[0], "a.pt");
    assert_string_equal(g.checkpoint[1], "checkpoint 1");
    assert_int_equal(g.layout.nparam, 6);
    assert_int_equal(g.layout.nbuffer, 1);
    assert_int_equal(g.layout.n, 48 + 4 + 4 + 4 + 45 + 1);
    assert_int_equal(g.layout.nb, 4);
    p = g.layout.param;
    assert_string_equal(p[0].layer, "b.0.conv");
    assert_int_equal(p[0].filter_axis, 0);
    assert_int_equal(p[0].rank, 4);
    assert_int_equal(p[1].role, TW_ROLE_BIAS);
    assert_int_equal(p[1].filter_axis, -1);
    assert_int_equal(p[2].role, TW_ROLE_NORM_SCALE);
    assert_string_equal(p[2].layer, "n");
    assert_int_equal(p[3].role, TW_ROLE_NORM_SHIFT);
    assert_string_equal(p[3].layer, "N");
    assert_int_equal(p[4].filter_axis, 1);
    assert_int_equal(p[4].offset, 60);
    assert_int_equal(p[5].n, 1);
    assert_int_equal(p[6].role, TW_ROLE_BUFFER);
    assert_int_equal(p[6].offset, 0);
    tw_twep_greeting_release(&g);
    tw_twep_line_release(&l);
}

static void wrong_greetings_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        { "{\"hello\":1}", "no greeting" },
        { "{\"twep\":2,\"can\":[\"loss\"]}", "version 2" },
        { "{\"twep\":1,\"can\":[\"grad\"]}", "cannot give a loss" },
        { "{\"twep\":1,\"can\":\"loss\"}", "cannot give a loss" },
        { GREET("\"dtype\":\"bf16\""), "'bf16', not f32 or f64" },
        { GREET("\"x\":0"), "lists no tensors" },
        { GREET("\"tensors\":[]"), "no parameters" },
        { TENSOR("\"name\":\"b\",\"shape\":[2],\"kind\":\"buffer\""), "no parameters" },
        { TENSOR("\"shape\":[2]"), "has no name" },
        { TENSOR("\"name\":\"\",\"shape\":[2]"), "has no name" },
        { TENSOR("\"name\":\"w\""), "tensor w has no shape" },
        { TENSOR("\"name\":\"w\",\"shape\":[2,-1]"), "no whole number above 0" },
        { TENSOR("\"name\":\"w\",\"shape\":[2.5]"), "no whole number above 0" },
        { TENSOR("\"name\":\"w\",\"shape\":[0]"), "no whole number above 0" },
        { TENSOR("\"name\":\"w\",\"shape\":[\"2\"]"), "no whole number above 0" },
        { TENSOR("\"name\":\"w\",\"shape\":[1e15,1e15]"), "too large" },
        { TENSOR("\"name\":\"w\",\"shape\":[1,1,1,1,1,1,1,1,1]"), "axes" },
        { TENSOR("\"name\":\"w\",\"shape\":[2],\"kind\":\"conv\""), "kind of tensor w is none" },
        { TENSOR("\"name\":\"w\",\"shape\":[2],\"filter\":1"), "filter axis of tensor w" },
        { GREET("\"tensors\":[{\"name\":\"w\",\"shape\":[2]},{\"name\":\"w\",\"shape\":[3]}]"),
          "two tensors are called w" },
        { "{\"twep\":1,\"can\":[\"loss\",\"samples\",\"logits\"],\"n\":3,\"width\":4,"
          "\"classes\":3,\"tensors\":[]}",
          "no whole number of softmaxes of 3" },
        { GREET("\"checkpoints\":-1,\"tensors\":[]"), "neither a number nor a list" },
        { GREET("\"checkpoints\":1e9,\"tensors\":[]"), "more than" },
        { "{\"twep\":1,\"can\":[\"loss\",\"samples\"]}", "does not say how many (\"n\")" },
        { "{\"twep\":1,\"n\":3,\"can\":[\"loss\",\"logits\"]}",
          "does not say how many (\"width\")" },
    };
    struct tw_twep_line l = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tw_twep_greeting g;
        struct tw_err err;

        assert_int_equal(parse(&l, bad[i].text, &err), TW_OK);
        if (tw_twep_greet(&l, &g, &err) != TW_EFORMAT || !strstr(err.msg, bad[i].part))
            fail_msg("%s: '%s' lacks '%s'", bad[i].text, err.msg, bad[i].part);
        tw_twep_greeting_release(&g);
    }
    tw_twep_line_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_json_are_read),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(greetings_become_layouts),
        cmocka_unit_test(wrong_greetings_are_refused_with_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
