/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schedules: kinds against their formulas at points worked out by hand, and what is refused. */
#include "thalweg/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "num.h"

static struct tw_schedule parsed(const char *spec)
{
    struct tw_schedule s = { 0 };
    struct tw_err err = { 0 };

    if (tw_schedule_parse(spec, NULL, NULL, &s, &err) != TW_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(s.spec, spec);
    return s;
}

/* The rates of a spec at some steps. */
struct at {
    size_t step;
    double lr;
};
static void check_rates(const char *spec, size_t n, const struct at *want, size_t nwant)
{
    struct tw_schedule s = parsed(spec);

    assert_int_equal(s.n, n);
    for (size_t i = 0; i < nwant; i++)
        check_close(s.lr[want[i].step], want[i].lr, 1e-14, 0.0);
    tw_schedule_release(&s);
}
#define CHECK_RATES(spec, n, ...)                                                                  \
    do {                                                                                           \
        static const struct at at_[] = { __VA_ARGS__ };                                            \
        check_rates((spec), (n), at_, sizeof at_ / sizeof at_[0]);                                 \
    } while (0)

static void constant_stays_at_its_peak_after_the_warm_up(void **state)
{
    (void)state;
    CHECK_RATES("constant:peak=0.0137,total=29", 29, { 0, 0.0137 }, { 17, 0.0137 }, { 28, 0.0137 });
    CHECK_RATES("constant:peak=0.0137,total=29,warmup=5", 29, { 0, 0.0 }, { 3, 0.010275 },
                { 4, 0.0137 }, { 5, 0.0137 }, { 28, 0.0137 });
}

static void linear_and_cosine_follow_their_formulas(void **state)
{
    (void)state;
    /* f = (s - 3) / 10: at s = 7, .4; (1 + cos 0.4 pi) / 2 = 0.65450849718747371 */
    CHECK_RATES("linear:peak=0.7,end=0.2,total=13,warmup=3", 13, { 3, 0.7 }, { 7, 0.5 },
                { 12, 0.25 });
    CHECK_RATES("linear:peak=0.7,total=14", 14, { 0, 0.7 }, { 13, 0.05 });
    CHECK_RATES("cosine:peak=0.7,end=0.2,total=13,warmup=3", 13, { 3, 0.7 },
                { 7, 0.2 + 0.5 * 0.65450849718747371 }, { 8, 0.45 });
    CHECK_RATES("cosine:peak=0.7,total=6", 6, { 0, 0.7 }, { 2, 0.525 }, { 3, 0.35 }, { 4, 0.175 });
}

static void wsd_decays_in_each_shape(void **state)
{
    (void)state;
    /* the last 8 of 20 steps: f = (s - 12) / 8; at 14, 1/4; at 18, 3/4 */
    CHECK_RATES("wsd:peak=0.081,end=0.001,total=20,decay=8", 20, { 11, 0.081 }, { 12, 0.081 },
                { 14, 0.027 }, { 16, 0.009 }, { 18, 0.003 });
    CHECK_RATES("wsd:peak=0.081,end=0.001,total=20,decay=8,shape=exp", 20, { 14, 0.027 });
    CHECK_RATES("wsd:peak=0.081,end=0.001,total=20,decay=8,shape=linear", 20, { 14, 0.061 },
                { 18, 0.021 });
    CHECK_RATES("wsd:peak=0.081,end=0.001,total=20,decay=8,shape=cosine", 20, { 16, 0.041 },
                { 14, 0.001 + 0.04 * (1.0 + 0.70710678118654752) });
    CHECK_RATES("wsd:peak=0.081,end=0.001,total=20,decay=8,shape=1-sqrt", 20, { 12, 0.081 },
                { 14, 0.041 }, { 18, 0.001 + 0.08 * 0.13397459621556135 });
    CHECK_RATES("wsdld:peak=0.081,end=0.001,total=20,decay=8", 20, { 12, 0.081 }, { 14, 0.061 },
                { 18, 0.021 });
    CHECK_RATES("wsdld:peak=0.08,total=20,decay=8", 20, { 19, 0.01 });
    CHECK_RATES("wsdld:peak=0.08,total=20,stage=12", 20, { 12, 0.08 }, { 19, 0.01 });
    CHECK_RATES("wsd:peak=0.4,total=7,decay=0,end=0.1", 7, { 6, 0.4 });
}

/* `decay=linear` is how people say it; the number of steps is then still needed. */
static void a_shape_may_be_given_as_the_decay(void **state)
{
    (void)state;
    CHECK_RATES("wsd:peak=0.081,end=0.001,total=20,decay=8,decay=linear", 20, { 14, 0.061 });
    CHECK_RATES("wsd:decay=linear,decay=8,peak=0.081,end=0.001,total=20", 20, { 14, 0.061 });
}

static void wsdcon_drops_at_its_stage(void **state)
{
    (void)state;
    CHECK_RATES("wsdcon:peak=0.3,end=0.09,total=12,stage=7,warmup=2", 12, { 0, 0.0 }, { 1, 0.3 },
                { 6, 0.3 }, { 7, 0.09 }, { 11, 0.09 });
}

static void cyclic_begins_again_every_period(void **state)
{
    (void)state;
    /* cosine unless said: f = ((s - 2) mod 4) / 4 */
    CHECK_RATES("cyclic:peak=0.5,end=0.1,total=15,warmup=2,period=4", 15, { 2, 0.5 }, { 4, 0.3 },
                { 6, 0.5 }, { 8, 0.3 }, { 14, 0.5 });
    CHECK_RATES("cyclic:peak=0.5,end=0.1,total=15,warmup=2,period=4,shape=linear", 15, { 3, 0.4 },
                { 5, 0.2 }, { 6, 0.5 }, { 9, 0.2 });
}

static void rewarmup_decays_rises_and_decays(void **state)
{
    const char *spec = "rewarmup:peak=0.8,end=0.2,peak2=0.5,end2=0.1,total=25,warmup=1,restart=9,"
                       "rewarm=6,shape=linear";

    (void)state;
    /* down over 8 steps from 1, up over 6 from 9, down over 10 from 15 */
    CHECK_RATES(spec, 25, { 1, 0.8 }, { 3, 0.65 }, { 9, 0.2 }, { 11, 0.3 }, { 15, 0.5 },
                { 20, 0.3 }, { 24, 0.14 });
    /* peak2 and end2 are those of the first decay unless given; the shape a cosine */
    CHECK_RATES("rewarmup:peak=0.8,end=0.2,total=25,warmup=1,restart=9,rewarm=6", 25, { 5, 0.5 },
                { 15, 0.8 }, { 20, 0.5 });
}

static void a_warm_up_rises_in_each_of_three_forms(void **state)
{
    (void)state;
    CHECK_RATES("constant:peak=0.6,total=9,warmup=4,ramp=s/(w-1)", 9, { 0, 0.0 }, { 1, 0.2 },
                { 3, 0.6 }, { 4, 0.6 });
    CHECK_RATES("constant:peak=0.6,total=9,warmup=4,ramp=(s+1)/w", 9, { 0, 0.15 }, { 1, 0.3 },
                { 3, 0.6 }, { 4, 0.6 });
    CHECK_RATES("constant:peak=0.6,total=9,warmup=4,ramp=s/w", 9, { 0, 0.0 }, { 1, 0.15 },
                { 3, 0.45 }, { 4, 0.6 });
    CHECK_RATES("constant:peak=0.6,total=9,warmup=1", 9, { 0, 0.6 });
    CHECK_RATES("constant:peak=0.6,total=9,warmup=1,ramp=s/w", 9, { 0, 0.0 }, { 1, 0.6 });
}

static void the_end_of_the_warm_up_is_the_last_step_that_rises(void **state)
{
    static const struct {
        const char *spec;
        size_t end;
    } want[] = {
        { "constant:peak=0.6,total=9", 0 },
        { "constant:peak=0.6,total=9,warmup=4", 3 },
        { "constant:peak=0.6,total=9,warmup=4,ramp=s/w", 4 },
        { "constant:peak=0.6,total=9,warmup=4,ramp=(s+1)/w", 3 },
        { "cosine:peak=0.6,total=9,warmup=4", 3 },
        { "constant:peak=0.6,total=1", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct tw_schedule s = parsed(want[i].spec);

        assert_int_equal(s.warm_end, want[i].end);
        tw_schedule_release(&s);
    }
}

static void base_and_batch_say_which_step_an_x_is(void **state)
{
    struct tw_schedule s = parsed("constant:peak=0.6,total=9,base=1,batch=2.5e5");
    size_t i = 77;

    (void)state;
    assert_int_equal(s.base, 1);
    check_close(s.batch, 2.5e5, 0.0, 0.0);
    assert_true(tw_schedule_index(&s, 2.5e5, &i));
    assert_int_equal(i, 0);
    assert_true(tw_schedule_index(&s, 9 * 2.5e5, &i));
    assert_int_equal(i, 8);
    assert_true(tw_schedule_index(&s, 3 * 2.5e5 * (1 + 1e-9), &i));
    assert_int_equal(i, 2);
    assert_false(tw_schedule_index(&s, 0.0, &i));
    assert_false(tw_schedule_index(&s, 10 * 2.5e5, &i));
    assert_false(tw_schedule_index(&s, 3.5 * 2.5e5, &i));
    assert_false(tw_schedule_index(&s, (double)NAN, &i));
    assert_false(tw_schedule_index(&s, (double)INFINITY, &i));
    assert_false(tw_schedule_index(&s, -2.5e5, &i));
    tw_schedule_release(&s);

    s = parsed("constant:peak=0.6,total=9");
    assert_true(tw_schedule_index(&s, 0.0, &i));
    assert_int_equal(i, 0);
    assert_false(tw_schedule_index(&s, 9.0, &i));
    tw_schedule_release(&s);
}

/* ---- what is refused ---------------------------------------------------------------------- */

static void check_refused(const char *spec, const char *words)
{
    struct tw_schedule s = { 0 };
    struct tw_err err = { 0 };

    if (tw_schedule_parse(spec, NULL, NULL, &s, &err) != TW_EINVAL)
        fail_msg("'%s' was not refused as invalid: %s", spec, err.msg);
    if (!strstr(err.msg, words))
        fail_msg("'%s' is not in: %s", words, err.msg);
    if (!strstr(err.msg, spec) && strlen(spec) < 100)
        fail_msg("the schedule is not named in: %s", err.msg);
    tw_schedule_release(&s);
}

static void an_impossible_schedule_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *spec, *words;
    } bad[] = {
        { "", "unknown kind" },
        { "cosin:peak=1,total=9", "did you mean 'cosine'" },
        { "triangle:peak=1,total=9", "thalweg-schedule(7)" },
        { "cosine", "cosine needs peak=" },
        { "cosine:", "cosine needs peak=" },
        { "cosine:peak=1", "cosine needs total=" },
        { "wsd:peak=1,total=9,end=0.1", "wsd needs decay=" },
        { "wsd:peak=1,total=9,end=0.1,decay=linear", "wsd needs decay=" },
        { "wsd:peak=1,total=9,end=0.1,decay=4,stage=5", "one of them" },
        { "wsd:peak=1,total=9,end=0.1,stage=10", "stage=10 lies beyond" },
        { "wsdld:peak=1,total=9,end=0.1,decay=cosine", "decay=cosine: expected a number" },
        { "wsdcon:peak=1,total=9,end=0.1", "wsdcon needs stage=" },
        { "wsdcon:peak=1,total=9,stage=3", "wsdcon needs end=" },
        { "cyclic:peak=1,total=9", "cyclic needs period=" },
        { "rewarmup:peak=1,total=9,rewarm=2", "rewarmup needs restart=" },
        { "cosine:peek=1,total=9", "unknown key peek; did you mean peak?" },
        { "cosine:peak=1,totl=9", "did you mean total?" },
        { "cosine:peak=1,total=9,colour=3", "unknown key colour; cosine takes peak total" },
        { "cosine:peak=1,total=9,stage=3", "cosine does not take stage" },
        { "cosine:peak=1,total=9,3", "'3': expected key=value" },
        { "cosine:peak=1,total=9,,end=0.1", "expected key=value" },
        { "cosine:peak=one,total=9", "peak=one: expected a number" },
        { "cosine:peak=,total=9", "peak=: expected a number" },
        { "cosine:peak=nan,total=9", "peak=nan: expected a number" },
        { "cosine:peak=inf,total=9", "learning rate lies between" },
        { "cosine:peak=-1e-4,total=9", "peak=-0.0001: a learning rate lies between" },
        { "cosine:peak=1e7,total=9", "learning rate lies between" },
        { "cosine:peak=1,total=0", "at least one step" },
        { "cosine:peak=1,total=-3", "total=-3: expected a whole number" },
        { "cosine:peak=1,total=9.5", "total=9.5: expected a whole number" },
        { "cosine:peak=1,total=nan", "total=nan: expected a number" },
        { "cosine:peak=1,total=inf", "expected a whole number of steps up to 2^30" },
        { "cosine:peak=1,total=1073741825", "up to 2^30" },
        { "cosine:peak=1,total=9,warmup=9", "warmup=9 leaves no step of total=9" },
        { "cosine:peak=1,total=9,warmup=12", "warmup=12 leaves no step" },
        { "cosine:peak=1,total=9,warmup=4,ramp=s", "ramp=s: expected s/(w-1), (s+1)/w or s/w" },
        { "wsd:peak=1,total=9,decay=4", "an exponential decay cannot end at 0" },
        { "wsd:peak=1,total=9,end=0.1,decay=8,warmup=2", "decay=8 is longer than" },
        { "wsd:peak=1,total=9,end=0.1,decay=4,shape=round", "shape=round: expected exp" },
        { "wsdcon:peak=1,total=9,end=0.1,stage=2,warmup=3", "stage=2 lies outside" },
        { "wsdcon:peak=1,total=9,end=0.1,stage=10", "stage=10 lies outside" },
        { "cyclic:peak=1,total=9,period=0", "period=0: a cycle has at least one step" },
        { "cyclic:peak=1,total=9,period=3,shape=exp", "cannot end at 0" },
        { "rewarmup:peak=1,total=9,restart=2,rewarm=0", "rewarm >= 1" },
        { "rewarmup:peak=1,total=9,restart=5,rewarm=4", "restart + rewarm < total" },
        { "rewarmup:peak=1,total=9,restart=2,rewarm=2,warmup=2", "warmup < restart" },
        { "rewarmup:peak=1,end=0.1,end2=0,total=9,restart=2,rewarm=2,shape=exp",
          "cannot end at 0" },
        { "cosine:peak=1,total=9,base=2", "base=2: the first step is numbered 0 or 1" },
        { "cosine:peak=1,total=9,batch=0", "batch=0: expected a positive number" },
        { "cosine:peak=1,total=9,batch=-4", "batch=-4: expected a positive number" },
        { "cosine:peak=1,total=9,batch=inf", "expected a positive number" },
        { "file:lr.csv", "file: is not available here" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused(bad[i].spec, bad[i].words);
}

/* Names far longer than any key, and an error record that is absent. */
static void hostile_lengths_are_refused(void **state)
{
    char spec[4000];
    struct tw_schedule s = { 0 };

    (void)state;
    memset(spec, 'x', sizeof spec);
    spec[sizeof spec - 1] = '\0';
    check_refused(spec, "unknown kind");
    memcpy(spec, "cosine:", 7);
    check_refused(spec, "expected key=value");
    spec[3000] = '=';
    check_refused(spec, "unknown key");
    assert_int_equal(tw_schedule_parse(spec, NULL, NULL, &s, NULL), TW_EINVAL);
    tw_schedule_release(&s);
    tw_schedule_release(&s); /* once more is harmless */
}

/* A kind works with the keys it needs, and its table names only keys that exist. */
static void the_tables_agree_with_the_parser(void **state)
{
    (void)state;
    for (const struct tw_schedule_kind *k = tw_schedule_kinds; k->name; k++) {
        char words[256];

        assert_true(strlen(k->summary) > 10);
        (void)snprintf(words, sizeof words, "%s %s", k->needs, k->takes);
        for (char *w = strtok(words, " "); w; w = strtok(NULL, " ")) {
            const struct tw_schedule_key *q = tw_schedule_keys;

            while (q->name && strcmp(q->name, w) != 0)
                q++;
            if (!q->name)
                fail_msg("%s takes %s, which is no key", k->name, w);
        }
    }
}

/* ---- file: -------------------------------------------------------------------------------- */

static enum tw_status three_rows(void *ctx, const char *path, size_t *n, double **x, double **lr,
                                 struct tw_err *err)
{
    static const double xs[] = { 0, 4, 6 }, rates[] = { 0.8, 0.8, 0.2 };

    *(const char **)ctx = path;
    if (strcmp(path, "absent.csv") == 0)
        return tw_err_set(err, TW_EIO, "%s: no such file", path);
    *n = 3;
    *x = malloc(sizeof xs);
    *lr = malloc(sizeof rates);
    if (!*x || !*lr)
        return TW_ENOMEM;
    memcpy(*x, xs, sizeof xs);
    memcpy(*lr, rates, sizeof rates);
    return TW_OK;
}

static void a_file_is_read_by_the_callers_loader(void **state)
{
    const char *asked = NULL;
    struct tw_schedule s = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    assert_int_equal(tw_schedule_parse("file:a dir/lr,1.csv", three_rows, &asked, &s, &err), TW_OK);
    assert_string_equal(s.spec, "file:a dir/lr,1.csv");
    assert_string_equal(asked, s.spec + 5);
    assert_int_equal(s.n, 7);
    check_close(s.lr[2], 0.8, 1e-15, 0.0);
    check_close(s.lr[5], 0.5, 1e-15, 0.0);
    check_close(s.lr[6], 0.2, 1e-15, 0.0);
    tw_schedule_release(&s);

    assert_int_equal(tw_schedule_parse("file:absent.csv", three_rows, &asked, &s, &err), TW_EIO);
    assert_non_null(strstr(err.msg, "absent.csv: no such file"));
    tw_schedule_release(&s);
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_schedule_parse("file:", three_rows, &asked, &s, &err), TW_EINVAL);
    assert_non_null(strstr(err.msg, "needs a path"));
    tw_schedule_release(&s);
}

/* ---- the manual page ----------------------------------------------------------------------- */

static void the_manual_page_names_every_kind_key_and_form(void **state)
{
    static const char *const forms[] = { "exp",     "linear",  "cosine", "1-sqrt",
                                         "s/(w-1)", "(s+1)/w", "s/w" };
    FILE *f = fopen("src/man/thalweg-schedule.7.scd", "r");
    static char page[65536];
    char word[64];
    size_t n;

    (void)state;
    if (!f) {
        print_message("# no src/man here: run from the root of the project\n");
        skip();
    }
    n = fread(page, 1, sizeof page - 1, f);
    (void)fclose(f);
    page[n] = '\0';
    for (const struct tw_schedule_kind *k = tw_schedule_kinds; k->name; k++) {
        (void)snprintf(word, sizeof word, "\n## %s", k->name);
        if (!strstr(page, word))
            fail_msg("the page has no section on the kind %s", k->name);
    }
    for (const struct tw_schedule_key *k = tw_schedule_keys; k->name; k++) {
        (void)snprintf(word, sizeof word, "\n*%s*=", k->name);
        if (!strstr(page, word))
            fail_msg("the page has no entry for the key %s", k->name);
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (!strstr(page, forms[i]))
            fail_msg("the page does not name the form %s", forms[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_stays_at_its_peak_after_the_warm_up),
        cmocka_unit_test(linear_and_cosine_follow_their_formulas),
        cmocka_unit_test(wsd_decays_in_each_shape),
        cmocka_unit_test(a_shape_may_be_given_as_the_decay),
        cmocka_unit_test(wsdcon_drops_at_its_stage),
        cmocka_unit_test(cyclic_begins_again_every_period),
        cmocka_unit_test(rewarmup_decays_rises_and_decays),
        cmocka_unit_test(a_warm_up_rises_in_each_of_three_forms),
        cmocka_unit_test(the_end_of_the_warm_up_is_the_last_step_that_rises),
        cmocka_unit_test(base_and_batch_say_which_step_an_x_is),
        cmocka_unit_test(an_impossible_schedule_is_refused_with_a_sentence),
        cmocka_unit_test(hostile_lengths_are_refused),
        cmocka_unit_test(the_tables_agree_with_the_parser),
        cmocka_unit_test(a_file_is_read_by_the_callers_loader),
        cmocka_unit_test(the_manual_page_names_every_kind_key_and_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
