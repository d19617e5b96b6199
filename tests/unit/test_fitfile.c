/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fit to a file and back, bit by bit; and files that were changed by hand. */
#include <math.h>

#include "curve_schedule.h"
#include "fitfile_parts.h"
#include "folder.h"

/* HDF5 1.10.8 leaks what it had read of a damaged file; ours must not. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

/* Two runs, 40 points each, of the law with some noise. */
static void add_curve(struct tw_curve_set *set, const char *name, const char *spec)
{
    enum { N = 40 };
    struct tw_curve *c = &set->log.v[set->n];
    struct tw_schedule *s = &set->schedule[set->n];
    struct tw_rng rng = tw_rng_stream(1, TW_RNG_TEST, set->n);
    double *s1, *s2;

    assert_int_equal(tw_cli_schedule(spec, s, NULL), TW_OK);
    s1 = calloc(s->n, sizeof *s1);
    s2 = calloc(s->n, sizeof *s2);
    *c = (struct tw_curve){ .n = N };
    c->name = tw_strdup(name);
    c->path = tw_strdup("some/where.csv");
    c->y_name = tw_strdup("loss");
    memset(c->digest, 'a', sizeof c->digest - 1);
    c->x = calloc(N, sizeof *c->x);
    c->y = calloc(N, sizeof *c->y);
    assert_true(s1 && s2 && c->name && c->path && c->y_name && c->x && c->y);
    tw_law_annealing_features(s, TW_WARMUP_SKIP, 0.95, s1, s2);
    for (size_t i = 0; i < N; i++) {
        c->x[i] = 10.0 * (double)i + 9.0;
        c->y[i] = (2.0 + 0.5 * pow(s1[(size_t)c->x[i]], -0.5) - 3.0 * s2[(size_t)c->x[i]]) *
                  exp(0.003 * tw_rng_normal(&rng));
    }
    free(s1);
    free(s2);
    set->log.n = ++set->n;
    for (size_t k = 0; k < set->n; k++)
        set->law[k] = (struct tw_law_curve){ .name = set->log.v[k].name,
                                             .n = set->log.v[k].n,
                                             .x = set->log.v[k].x,
                                             .y = set->log.v[k].y,
                                             .schedule = &set->schedule[k] };
}

static void fit_two(const struct tw_law *law, const struct tw_law_fit_opts *o,
                    struct tw_fit_file *f)
{
    struct tw_curve_set set = { .cap = 2 };

    set.log.v = calloc(2, sizeof *set.log.v);
    set.schedule = calloc(2, sizeof *set.schedule);
    set.law = calloc(2, sizeof *set.law);
    assert_true(set.log.v && set.schedule && set.law);
    add_curve(&set, "down", "cosine:peak=0.01,warmup=20,total=400,end=0.001");
    add_curve(&set, "two", "wsd:peak=0.01,warmup=20,total=400,decay=100,end=0.001");
    *f = (struct tw_fit_file){ 0 };
    assert_int_equal(tw_law_fit_run(law, set.law, 2, o, &f->fit, NULL), TW_OK);
    assert_int_equal(tw_fit_file_adopt(f, &set, NULL), TW_OK);
    tw_curve_set_release(&set);
}

static void make_fit(struct tw_fit_file *f)
{
    struct tw_law_fit_opts o = tw_law_fit_defaults();

    o.bootstrap = 20;
    o.choose_warmup = true;
    o.model_error = true;
    o.profile = 1u << 2;
    o.fixed[4] = true;
    o.fixed_value[4] = 0.95;
    fit_two(tw_laws[0], &o, f);
}

static const char *write_fit(const struct tw_fit_file *f, const char *kind)
{
    const char *path = in_folder("fit.h5");
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_create(path, kind, TW_RESULT_ATOMIC, true, NULL, &err);

    assert_non_null(r);
    if (tw_fit_file_write(f, r, &err) != TW_OK || tw_result_close(r, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return path;
}

static void same(const double *a, const double *b, size_t n)
{
    assert_true((a == NULL) == (b == NULL));
    for (size_t i = 0; a && i < n; i++)
        if (!(isnan(a[i]) && isnan(b[i])))
            assert_memory_equal(&a[i], &b[i], sizeof a[i]);
}

static void check_same_fit(const struct tw_law_fit *a, const struct tw_law_fit *b)
{
    const size_t p = a->law->nparams;

    assert_ptr_equal(a->law, b->law);
    same(a->theta, b->theta, p);
    same(a->lo, b->lo, p);
    same(a->hi, b->hi, p);
    assert_int_equal(a->n, b->n);
    same(a->x, b->x, a->n);
    same(a->y, b->y, a->n);
    same(a->yhat, b->yhat, a->n);
    same(a->r, b->r, a->n);
    same(a->left_out_r, b->left_out_r, a->n);
    same(a->left_out_mae, b->left_out_mae, a->ncurves);
    assert_memory_equal(a->first, b->first, (a->ncurves + 1) * sizeof *a->first);
    assert_int_equal(a->replicates, b->replicates);
    same(a->theta_boot, b->theta_boot, a->replicates * p);
    same(a->correlation, b->correlation, p * p);
    same(&a->model_error, &b->model_error, 1);
    assert_int_equal(a->left_out, b->left_out);
    assert_int_equal(a->opts.loss, b->opts.loss);
    assert_int_equal(a->opts.warmup, b->opts.warmup);
    assert_int_equal(a->opts.block, b->opts.block);
    assert_memory_equal(a->opts.fixed, b->opts.fixed, p * sizeof *a->opts.fixed);
    same(&a->opts.delta, &b->opts.delta, 1);
    same(a->warmup_score, b->warmup_score, 2);
    same(&a->min.objective, &b->min.objective, 1);
    assert_int_equal(a->min.at_bounds, b->min.at_bounds);
    assert_int_equal(a->nprofiles, b->nprofiles);
    for (size_t k = 0; k < a->nprofiles; k++) {
        assert_int_equal(a->profiles[k].n, b->profiles[k].n);
        same(a->profiles[k].x, b->profiles[k].x, a->profiles[k].n);
        same(a->profiles[k].rise, b->profiles[k].rise, a->profiles[k].n);
        same(&a->profiles[k].lo, &b->profiles[k].lo, 1);
    }
    for (size_t c = 0; c < a->ncurves; c++) {
        assert_int_equal(a->score[c].n, b->score[c].n);
        same(&a->score[c].mae, &b->score[c].mae, 1);
        same(&a->score[c].autocorrelation, &b->score[c].autocorrelation, 1);
    }
}

static void a_fit_comes_back_bit_by_bit(void **state)
{
    static const char *const kinds[] = { "fit", "forecast", "schedule" };
    struct tw_fit_file f, g = { 0 };

    (void)state;
    make_fit(&f);
    assert_int_equal(f.fit.left_out_r != NULL, 1);
    assert_int_equal(f.fit.nprofiles, 1);
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(tw_fit_file_read(write_fit(&f, kinds[k]), &g, NULL), TW_OK);
        assert_int_equal(g.n, 2);
        check_same_fit(&f.fit, &g.fit);
        for (size_t c = 0; c < 2; c++) {
            assert_string_equal(f.name[c], g.name[c]);
            assert_string_equal(f.path[c], g.path[c]);
            assert_string_equal(f.digest[c], g.digest[c]);
            assert_string_equal(f.y_name[c], g.y_name[c]);
            assert_string_equal(f.schedule[c].spec, g.schedule[c].spec);
            assert_int_equal(f.schedule[c].warm_end, g.schedule[c].warm_end);
            same(f.schedule[c].lr, g.schedule[c].lr, f.schedule[c].n);
        }
        tw_fit_file_release(&g);
    }
    tw_fit_file_release(&f);
}

static void a_fit_without_extras_comes_back(void **state)
{
    struct tw_fit_file f, g = { 0 };

    (void)state;
    make_fit(&f);
    free(f.fit.left_out_r);
    free(f.fit.left_out_mae);
    free(f.fit.correlation);
    free(f.fit.theta_boot);
    f.fit.theta_boot = NULL;
    f.fit.left_out_r = f.fit.left_out_mae = f.fit.correlation = NULL;
    f.fit.replicates = f.fit.left_out = 0;
    for (size_t k = 0; k < f.fit.nprofiles; k++) {
        free(f.fit.profiles[k].x);
        free(f.fit.profiles[k].rise);
    }
    f.fit.nprofiles = 0;
    assert_int_equal(tw_fit_file_read(write_fit(&f, "fit"), &g, NULL), TW_OK);
    check_same_fit(&f.fit, &g.fit);
    tw_fit_file_release(&f);
    tw_fit_file_release(&g);
}

static void check_refused(const char *path, const char *part)
{
    struct tw_fit_file g = { 0 };
    struct tw_err err = { 0 };

    if (tw_fit_file_read(path, &g, &err) == TW_OK)
        fail_msg("read; expected '%s'", part);
    assert_int_equal(err.code, TW_EFORMAT);
    check_message(&err, part);
    check_message(&err, path);
    tw_fit_file_release(&g);
    assert_int_equal(tw_fit_file_read(path, &g, NULL), TW_EFORMAT);
    tw_fit_file_release(&g);
}

static void what_was_held_and_why_comes_back(void **state)
{
    struct tw_law_fit_opts o = tw_law_fit_defaults();
    struct tw_fit_file f, g = { 0 };

    (void)state;
    o.starts = 2;
    o.choose_restriction = true;
    fit_two(tw_law_find("mpl"), &o, &f);
    assert_true(f.fit.ntrials > 1 && f.fit.opts.restriction > 0);
    assert_int_equal(tw_fit_file_read(write_fit(&f, "fit"), &g, NULL), TW_OK);
    assert_int_equal(g.fit.opts.restriction, f.fit.opts.restriction);
    assert_int_equal(g.fit.ntrials, f.fit.ntrials);
    for (size_t k = 0; k < f.fit.ntrials; k++) {
        same(&g.fit.trials[k].objective, &f.fit.trials[k].objective, 1);
        same(&g.fit.trials[k].condition, &f.fit.trials[k].condition, 1);
        same(&g.fit.trials[k].left_out_mae, &f.fit.trials[k].left_out_mae, 1);
        assert_int_equal(g.fit.trials[k].left_out, f.fit.trials[k].left_out);
    }
    tw_fit_file_release(&f);
    tw_fit_file_release(&g);
}

static void another_kind_is_refused(void **state)
{
    struct tw_fit_file f;

    (void)state;
    make_fit(&f);
    check_refused(write_fit(&f, "barrier"), "expected a fit, found a file of kind 'barrier'");
    tw_fit_file_release(&f);
}

/* Element i of a data set becomes x. */
static void change(const char *path, const char *set, size_t i, double x)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t d = H5Dopen2(file, set, H5P_DEFAULT), space = H5Dget_space(d);
    const size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    double *v = calloc(n, sizeof *v);

    assert_true(d >= 0 && v && i < n);
    assert_true(H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0);
    v[i] = x;
    assert_true(H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0);
    free(v);
    (void)H5Sclose(space);
    (void)H5Dclose(d);
    (void)H5Fclose(file);
}

static void numbers_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *set;
        size_t i;
        double x;
        const char *part;
    } row[] = {
        { "/parameters/value", 0, (double)NAN, "/parameters/value is outside the law's range" },
        { "/parameters/value", 1, -1, "/parameters/value is outside the law's range" },
        { "/parameters/value", 4, 1.5, "/parameters/value is outside the law's range" },
        { "/parameters/replicates", 7, (double)NAN, "/parameters/replicates" },
        { "/parameters/replicates", 4, 3, "/parameters/replicates" },
        { "/curves/points", 0, 0, "/curves/points" },
        { "/curves/points", 1, 1.5, "/curves/points" },
        { "/curves/points", 1, -3, "/curves/points" },
        { "/curves/points", 1, 1e15, "/points/x has 80 values" },
        { "/curves/points", 0, 41, "/points/x has 80 values, expected 81" },
        { "/curves/steps", 0, 0, "/curves/steps" },
        { "/curves/steps", 0, 1e12, "/curves/steps" },
        { "/curves/steps", 1, 399, "/curves/rates is longer" },
        { "/curves/rates", 5, -1, "/curves/rates" },
        { "/curves/rates", 5, (double)INFINITY, "/curves/rates" },
        { "/curves/warm_end", 0, 1e6, "/curves/warm_end" },
        { "/curves/batch", 0, 0, "/curves/batch" },
        { "/points/x", 3, 0, "/points/x does not increase" },
        { "/points/x", 0, (double)NAN, "/points/x does not increase" },
        { "/points/loss", 3, 0, "no number" },
        { "/points/fitted", 3, (double)NAN, "no number" },
        { "/points/residual", 3, (double)INFINITY, "no number" },
        { "/points/left_out_residual", 3, (double)INFINITY, "/points/left_out_residual" },
        { "/model_error/value", 0, -1, "/model_error/value" },
    };
    struct tw_fit_file f;

    (void)state;
    make_fit(&f);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        const char *path = write_fit(&f, "fit");

        change(path, row[i].set, row[i].i, row[i].x);
        check_refused(path, row[i].part);
    }
    tw_fit_file_release(&f);
}

static void a_missing_part_is_named(void **state)
{
    static const char *const part[] = {
        "/law",
        "/parameters/value",
        "/parameters/correlation",
        "/settings/loss",
        "/curves/names",
        "/curves/rates",
        "/points/fitted",
        "/scores/mae",
        "/settings/fixed",
        "/certificate/at_bounds",
        "/model_error/value",
    };
    struct tw_fit_file f;

    (void)state;
    make_fit(&f);
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        const char *path = write_fit(&f, "fit");
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);

        assert_true(H5Ldelete(file, part[i], H5P_DEFAULT) >= 0);
        (void)H5Fclose(file);
        check_refused(path, part[i]);
    }
    tw_fit_file_release(&f);
}

/* However a file is cut, it is refused or read; nothing is leaked or read past its end. */
static void files_cut_short_are_refused(void **state)
{
    struct tw_fit_file f;
    size_t n;
    char *p;

    (void)state;
    make_fit(&f);
    p = slurp(write_fit(&f, "fit"), &n);
    assert_non_null(p);
    for (size_t cut = 0; cut < n; cut += n / 23 + 1) {
        struct tw_fit_file g = { 0 };

        spill(in_folder("cut.h5"), p, cut);
        assert_int_not_equal(tw_fit_file_read(in_folder("cut.h5"), &g, NULL), TW_OK);
        tw_fit_file_release(&g);
    }
    free(p);
    tw_fit_file_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(a_fit_comes_back_bit_by_bit),
        folder_test(a_fit_without_extras_comes_back),
        folder_test(what_was_held_and_why_comes_back),
        folder_test(another_kind_is_refused),
        folder_test(numbers_that_cannot_be_are_refused),
        folder_test(a_missing_part_is_named),
        folder_test(files_cut_short_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
