/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "num.h"
#include "opt.h"

struct opts {
    bool flag;
    const char *text, *choice, *figure;
    struct tw_opt_list list;
    size_t points;
    uint64_t big;
    double real;
};

static const struct tw_opt table[] = {
    { TW_OPT_FLAG, 'f', "flag", TW_OPT_FIELD(struct opts, flag), NULL, "a flag", 0, 0, NULL },
    { TW_OPT_STR, 's', "text", TW_OPT_FIELD(struct opts, text), "S", "a text", 0, 0, NULL },
    { .type = TW_OPT_HEAD, .name = "More" },
    { TW_OPT_LIST, 'l', "list", TW_OPT_FIELD(struct opts, list), "S", "texts", 0, 0, NULL },
    { TW_OPT_CHOICE, 0, "choice", TW_OPT_FIELD(struct opts, choice), "C", "one of", 0, 0,
      "sse|huber" },
    { TW_OPT_FIGURE, 0, "plot", TW_OPT_FIELD(struct opts, figure), "FILE", "draw", 0, 0, NULL },
    { TW_OPT_SIZE, 'n', "points", TW_OPT_FIELD(struct opts, points), "N", "a count", 2, 1e6, NULL },
    { TW_OPT_U64, 0, "big", TW_OPT_FIELD(struct opts, big), "N", "64 bits", 0, 0, NULL },
    { TW_OPT_REAL, 'r', "real", TW_OPT_FIELD(struct opts, real), "X", "a number", -1, 1, NULL },
    { .type = TW_OPT_END },
};

enum { EVERYTHING = TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON, MAX = 16 };

static struct opts o;
static struct tw_common common;
static struct tw_err err;
static int operands;
static char *words[MAX];

/* Parse words up to a NULL. */
static enum tw_status parse_words(unsigned uses, const char *const *line)
{
    static char copies[MAX][80];
    int n = 1;

    tw_opt_release(table, &o);
    o = (struct opts){ .points = 7, .real = (double)NAN };
    common = (struct tw_common){ 0 };
    err = (struct tw_err){ 0 };
    words[0] = copies[0];
    for (; line[n - 1]; n++)
        words[n] = strcpy(copies[n], line[n - 1]);
    return tw_opt_parse(n, words, uses, table, &common, &o, &operands, &err);
}
#define parse(...) parse_words(EVERYTHING, (const char *const[]){ __VA_ARGS__, NULL })

static void refused(const char *why)
{
    assert_int_equal(err.code, TW_EINVAL);
    if (!strstr(err.msg, why))
        fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void every_spelling_of_an_option_is_read(void **state)
{
    (void)state;
    assert_int_equal(parse("--points=12", "--flag", "-s", "a b", "-r-0.25", "--big", "1"), TW_OK);
    assert_int_equal(o.points, 12);
    assert_true(o.flag);
    assert_string_equal(o.text, "a b");
    check_close(o.real, -0.25, 0.0, 0.0);
    assert_int_equal(o.big, 1);
    assert_int_equal(operands, 0);
    assert_int_equal(parse("-fqn", "1e3", "--text=", "--text=-x"), TW_OK);
    assert_true(o.flag && common.quiet);
    assert_int_equal(o.points, 1000);
    assert_string_equal(o.text, "-x");
    assert_int_equal(parse("--text=--flag"), TW_OK);
    assert_string_equal(o.text, "--flag");
    assert_false(o.flag);
}

static void operands_keep_their_order(void **state)
{
    (void)state;
    assert_int_equal(parse("a", "-f", "-", "--points", "5", "b", "--", "--flag", "-x"), TW_OK);
    assert_int_equal(operands, 5);
    assert_string_equal(words[1], "a");
    assert_string_equal(words[2], "-");
    assert_string_equal(words[3], "b");
    assert_string_equal(words[4], "--flag");
    assert_string_equal(words[5], "-x");
}

static void a_list_collects_what_is_given(void **state)
{
    (void)state;
    assert_int_equal(parse("-l", "one", "--list=two", "-lthree"), TW_OK);
    assert_int_equal(o.list.n, 3);
    assert_string_equal(o.list.v[0], "one");
    assert_string_equal(o.list.v[1], "two");
    assert_string_equal(o.list.v[2], "three");
}

static void a_figure_takes_a_word_only_if_it_names_one(void **state)
{
    (void)state;
    assert_int_equal(parse("--plot", "a.csv"), TW_OK);
    assert_string_equal(o.figure, "");
    assert_int_equal(operands, 1);
    assert_int_equal(parse("--plot", "a.svg", "b.csv"), TW_OK);
    assert_string_equal(o.figure, "a.svg");
    assert_int_equal(operands, 1);
    assert_int_equal(parse("--plot=strange"), TW_OK);
    assert_string_equal(o.figure, "strange");
    assert_int_equal(parse("a.csv", "--plot"), TW_OK);
    assert_string_equal(o.figure, "");
    assert_int_equal(parse("--plot", ".pdf"), TW_OK); /* no name before the suffix */
    assert_string_equal(o.figure, "");
    assert_int_equal(parse("a.csv"), TW_OK);
    assert_null(o.figure);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *line[3], *why;
    } cases[] = {
        { { "--ponits=3" }, "unknown option --ponits; did you mean --points?" },
        { { "--thread=3" }, "did you mean --threads?" },
        { { "--zzzzzzzz" }, "unknown option --zzzzzzzz" },
        { { "--=3" }, "unknown option --" },
        { { "-x" }, "unknown option -x" },
        { { "-f\xC3\xA9" }, "unknown option '-f\xC3\xA9'" },
        { { "--flag=yes" }, "--flag takes no value" },
        { { "--points" }, "--points needs a value: --points=N" },
        { { "--points", "--flag" }, "--points needs a value: --points=N" },
        { { "-n" }, "-n (--points) needs a value" },
        { { "--points=" }, "--points: '' is not a number" },
        { { "--points=3x" }, "--points: '3x' is not a number" },
        { { "--points=2.5" }, "--points: '2.5' is not a whole number" },
        { { "--points=1" }, "--points: 1 is outside 2 to 1e+06" },
        { { "--points=nan" }, "--points: 'nan' is not a number" },
        { { "--points", "-3" }, "--points: -3 is outside" },
        { { "--real=1.0000001" }, "--real: 1.0000001 is outside -1 to 1" },
        { { "--big=-1" }, "--big: '-1' is not a whole number" },
        { { "--big=" }, "--big: '' is not a whole number" },
        { { "--big=18446744073709551616" }, "is larger than 64 bits hold" },
        { { "--choice=hubert" }, "--choice: 'hubert' is none of sse|huber" },
        { { "--choice=" }, "--choice: '' is none of sse|huber" },
        { { "--choice=sse|huber" }, "is none of sse|huber" },
        { { "--threads=0" }, "--threads: 0 is outside 1 to 4096" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse_words(EVERYTHING, cases[i].line), TW_EINVAL);
        refused(cases[i].why);
    }
}

static void whole_numbers_have_all_their_bits(void **state)
{
    (void)state;
    assert_int_equal(parse("--big=18446744073709551615", "--seed", "9007199254740993"), TW_OK);
    assert_true(o.big == UINT64_MAX);
    assert_true(common.seed == UINT64_C(9007199254740993));
}

static void common_options_are_there_only_if_used(void **state)
{
    static const char *const lines[][3] = {
        { "-o", "x.h5" }, { "--force" }, { "--json" }, { "--seed=1" }, { "-t1" },
    };
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(parse_words(EVERYTHING, lines[i]), TW_OK);
        assert_int_equal(parse_words(0, lines[i]), TW_EINVAL);
    }
    assert_int_equal(parse_words(0, (const char *const[]){ "-qv", NULL }), TW_OK);
    while (tw_opt_common(EVERYTHING, n))
        n++;
    assert_int_equal(n, 8);
    assert_null(tw_opt_common(0, 3));
}

static void help_stops_the_parsing(void **state)
{
    (void)state;
    assert_int_equal(parse("file", "--help", "--nonsense"), TW_OK);
    assert_true(common.help);
    assert_int_equal(operands, 0);
}

static void the_record_holds_every_setting(void **state)
{
    struct tw_str s = { 0 };

    (void)state;
    assert_int_equal(parse("-f", "-la", "-lb", "--real=0.1", "--seed=5", "-q", "-t2"), TW_OK);
    tw_opt_record(table, EVERYTHING, &common, &o, &s);
    assert_string_equal(s.s, "--flag=true\n--list=a\n--list=b\n--points=7\n--big=0\n"
                             "--real=0.10000000000000001\n--seed=5\n");
    tw_str_release(&s);
}

static int teardown(void **state)
{
    (void)state;
    tw_opt_release(table, &o);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_an_option_is_read),
        cmocka_unit_test(operands_keep_their_order),
        cmocka_unit_test(a_list_collects_what_is_given),
        cmocka_unit_test(a_figure_takes_a_word_only_if_it_names_one),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(whole_numbers_have_all_their_bits),
        cmocka_unit_test(common_options_are_there_only_if_used),
        cmocka_unit_test(help_stops_the_parsing),
        cmocka_unit_test(the_record_holds_every_setting),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
