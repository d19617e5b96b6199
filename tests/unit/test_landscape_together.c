/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points of lines that are asked for together: the lines are what they are one point at a time. */
#include "num.h"
#include "thalweg/landscape_line.h"

/* A curve of one variable whose points are done together, the last one first. */
struct crowd {
    struct tw_problem base;
    size_t evaluations, most; /* most: requests at once */
    double bad[2];
};

static double curve(double x) /* a hill and a kink */
{
    return exp(-50.0 * (x - 0.4) * (x - 0.4)) + fabs(x - 0.71);
}

static enum tw_status eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct crowd *c = (struct crowd *)p;
    const double x = r->weights[1], y = curve(x);

    c->evaluations++;
    if (r->values)
        *r->values = (struct tw_values){ { y, NAN, NAN }, { NAN, NAN, NAN }, 1, 1.0, 0 };
    if (r->loss)
        *r->loss = y;
    if (r->weight)
        *r->weight = 1.0;
    if (r->correct)
        *r->correct = x;
    return x == c->bad[0] || x == c->bad[1] ? tw_err_set(err, TW_EDOMAIN, "bad at %g", x) : TW_OK;
}

static void do_nothing(struct tw_problem *p)
{
    (void)p;
}

static enum tw_status eval_backwards(struct tw_problem *p, size_t n, const struct tw_request *r,
                                     tw_problem_done_fn *done, void *ctx, struct tw_err *err)
{
    struct crowd *c = (struct crowd *)p;
    bool go_on = true;

    c->most = n > c->most ? n : c->most;
    for (size_t i = n; i-- > 0;) {
        struct tw_err failure = { 0 };
        const enum tw_status rc = eval(p, &r[i], &failure);

        go_on = done(ctx, i, rc == TW_OK ? NULL : &failure) && go_on;
    }
    return go_on ? TW_OK : tw_err_set(err, TW_ESTOP, "stopped");
}

static const struct tw_problem_ops ops = { eval, do_nothing, eval_backwards };
static const double zero[] = { 0.0 }, unity[] = { 1.0 };
static const double from[] = { 1.0, 0.0 }, to[] = { 0.0, 1.0 };
static const struct tw_line_path path = { 2, from, to, NULL };

static struct crowd start(size_t parallel)
{
    struct crowd c = { .base = { .ops = &ops,
                                 .dim = 1,
                                 .n = 1,
                                 .all = 1,
                                 .has_error = true,
                                 .parallel = parallel },
                       .bad = { (double)NAN, (double)NAN } };

    assert_int_equal(tw_problem_anchor(&c.base, 2,
                                       (struct tw_vector[]){ { NULL, zero }, { NULL, unity } },
                                       NULL, NULL),
                     TW_OK);
    return c;
}

enum { ROOM = 60 };
struct rows {
    double loss[ROOM], miss[ROOM], weight;
};

static struct tw_line rows_line(const struct tw_line_options *o, struct rows *rows)
{
    struct tw_line l;

    assert_int_equal(tw_line_init(&l, o, NULL), TW_OK);
    l.samples = 1;
    l.loss = rows->loss;
    l.miss = rows->miss;
    l.weight = &rows->weight;
    return l;
}

static void points_asked_for_together_make_the_same_line(void **state)
{
    static const struct tw_line_options o[] = {
        { .hi = 1.0, .tol = 1e-4, .max_points = ROOM },
        { .hi = 1.0, .tol = 1e-4, .max_points = ROOM, .start = 5 },
        { .hi = 1.0, .max_points = 41, .even = true },
    };
    static const size_t most[] = { 8, 5, 8 }; /* of two at once, four for each */

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct crowd single = start(1), many = start(2);
        struct rows a, b;
        struct tw_line l = rows_line(&o[i], &a), m = rows_line(&o[i], &b);

        assert_int_equal(tw_line_sample(&l, &single.base, &path, NULL, NULL, NULL), TW_OK);
        assert_int_equal(tw_line_sample(&m, &many.base, &path, NULL, NULL, NULL), TW_OK);
        assert_int_equal(single.most, 1);
        assert_int_equal(many.most, most[i]);
        assert_int_equal(many.evaluations, l.n);
        assert_int_equal(m.n, l.n);
        for (size_t k = 0; k < l.n; k++) {
            check_ulp(m.point[k].t, l.point[k].t, 0);
            check_ulp(b.loss[k], curve(m.point[k].t), 0);
            check_ulp(b.miss[k], 1.0 - m.point[k].t, 0);
        }
        tw_problem_free(&single.base);
        tw_problem_free(&many.base);
        tw_line_release(&m);
        tw_line_release(&l);
    }
}

static void lines_side_by_side_are_what_they_are_alone(void **state)
{
    const struct tw_line_options o = { .hi = 1.0, .tol = 1e-4, .max_points = ROOM };
    const struct tw_line_path way[] = { path, { 2, to, from, NULL }, { 2, from, from, NULL } };
    struct crowd c = start(4);
    struct rows rows[3], alone_rows;
    struct tw_line l[3], alone;
    struct tw_line_job job[3];
    size_t asked = 1, most = 0, rounds = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        l[i] = rows_line(&o, &rows[i]);
        job[i] = (struct tw_line_job){ &l[i], way[i] };
    }
    for (; asked > 0; rounds++) {
        assert_int_equal(tw_lines_round(3, job, &c.base, NULL, NULL, &asked, NULL), TW_OK);
        most = asked > most ? asked : most;
    }
    assert_int_equal(most, 16);
    for (size_t i = 0; i < 3; i++) {
        alone = rows_line(&o, &alone_rows);
        assert_int_equal(tw_line_sample(&alone, &c.base, &way[i], NULL, NULL, NULL), TW_OK);
        assert_int_equal(l[i].n, alone.n);
        assert_true(i == 2 || rounds < l[i].n);
        for (size_t k = 0; k < alone.n; k++) {
            check_ulp(l[i].point[k].t, alone.point[k].t, 0);
            check_ulp(rows[i].loss[k], alone_rows.loss[k], 0);
            check_ulp(rows[i].miss[k], alone_rows.miss[k], 0);
        }
        tw_line_release(&l[i]);
        tw_line_release(&alone);
    }
    tw_problem_free(&c.base);
}

static enum tw_status stop_at_four(void *ctx, const struct tw_line *l, size_t point,
                                   struct tw_err *err)
{
    (void)err;
    assert_int_equal(point + 1, l->n);
    ++*(size_t *)ctx;
    return l->n == 4 ? TW_ESTOP : TW_OK;
}

static void of_many_at_once_the_first_that_fails_is_told(void **state)
{
    const struct tw_line_options o = { .hi = 1.0, .max_points = ROOM, .start = 9 };
    struct crowd c = start(2);
    struct tw_err err = { 0 };
    struct tw_line l;

    (void)state;
    c.bad[0] = 0.25; /* after both ends and 0.125 */
    c.bad[1] = 0.5;
    assert_int_equal(tw_line_init(&l, &o, NULL), TW_OK);
    assert_int_equal(tw_line_sample(&l, &c.base, &path, NULL, NULL, &err), TW_EDOMAIN);
    assert_string_equal(err.msg, "bad at 0.25");
    assert_int_equal(l.n, 3);
    tw_problem_free(&c.base);
    tw_line_release(&l);
}

static void what_was_begun_when_stopped_is_in_the_line(void **state)
{
    const struct tw_line_options o = { .hi = 1.0, .max_points = ROOM };
    struct crowd c = start(2);
    struct tw_err err = { 0 };
    struct tw_line l;
    size_t calls = 0;

    (void)state;
    assert_int_equal(tw_line_init(&l, &o, NULL), TW_OK);
    assert_int_equal(tw_line_sample(&l, &c.base, &path, stop_at_four, &calls, &err), TW_ESTOP);
    assert_int_equal(l.n, 8);
    assert_int_equal(calls, 8);
    assert_int_equal(err.code, TW_OK);
    tw_problem_free(&c.base);
    tw_line_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_asked_for_together_make_the_same_line),
        cmocka_unit_test(lines_side_by_side_are_what_they_are_alone),
        cmocka_unit_test(of_many_at_once_the_first_that_fails_is_told),
        cmocka_unit_test(what_was_begun_when_stopped_is_in_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
