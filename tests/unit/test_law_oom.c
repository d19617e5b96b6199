/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The k-th allocation fails, for every k: a fit then fails cleanly or does without. */
#define _GNU_SOURCE /* dlsym's RTLD_NEXT and dladdr */
#include <dlfcn.h>
#include <omp.h>
#include <stdlib.h>

#include "curves.h"
#include "num.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

/* ---- an allocator that fails on request -------------------------------------------------------
 */

static size_t countdown; /* 0: never fail */
static size_t failures;
static bool armed;
static bool spare_gsl; /* its singular value decomposition, for profiles, checks nothing */

/* They run before the sanitizer is ready. */
#define PLAIN __attribute__((no_sanitize("address", "undefined")))

/* libgomp and libomp end the program when out of memory, and qsort of libc does without: theirs
 * never fails. */
PLAIN static bool fails(const void *caller)
{
    Dl_info info;

    if (!armed)
        return false;
    armed = false; /* dladdr must not come back here */
    if (dladdr(caller, &info) && info.dli_fname &&
        (strstr(info.dli_fname, "libgomp") || strstr(info.dli_fname, "libomp") ||
         strstr(info.dli_fname, "libc.") || (spare_gsl && strstr(info.dli_fname, "libgsl")))) {
        armed = true;
        return false;
    }
    armed = true;
    if (countdown == 0 || --countdown > 0)
        return false;
    failures++;
    return true;
}

#ifdef __SANITIZE_ADDRESS__
/* The sanitizer's own, by the names that both compilers' runtimes export. */
void *__interceptor_malloc(size_t n);
void *__interceptor_calloc(size_t n, size_t size);
void *__interceptor_realloc(void *p, size_t n);
#define REAL(name) __interceptor_##name
void __lsan_disable(void);
void __lsan_enable(void);
#define lsan_disable __lsan_disable
#define lsan_enable  __lsan_enable
#else
static void lsan_disable(void)
{
}
static void lsan_enable(void)
{
}
/* Not __libc_malloc: valgrind replaces what dlsym finds. */
#define REAL(name) real_##name()
#define FIND_REAL(name, ...)                                                                       \
    typedef void *name##_fn(__VA_ARGS__);                                                          \
    static name##_fn *real_##name(void)                                                            \
    {                                                                                              \
        const bool was = armed;                                                                    \
        name##_fn *f;                                                                              \
        void *p;                                                                                   \
                                                                                                   \
        armed = false;                                                                             \
        p = dlsym(RTLD_NEXT, #name);                                                               \
        memcpy(&f, &p, sizeof f); /* ISO C has no cast for it */                                   \
        armed = was;                                                                               \
        return f;                                                                                  \
    }
FIND_REAL(malloc, size_t n)
FIND_REAL(calloc, size_t n, size_t size)
FIND_REAL(realloc, void *q, size_t n)
#endif

PLAIN void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(malloc)(n);
}

PLAIN void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(calloc)(n, size);
}

PLAIN void *realloc(void *p, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : REAL(realloc)(p, n);
}

/* valgrind's allocator comes before ours: then nothing can be made to fail. */
static void skip_if_deaf(void *const *state)
{
    void *(*volatile allocate)(size_t, size_t) = calloc;
    void *p;

    (void)state;
    countdown = 1;
    armed = true;
    p = allocate(1, 1);
    armed = false;
    if (!p)
        return;
    free(p);
    print_message("# another allocator (valgrind's?) took the place of the one that fails\n");
    skip();
}

/* ---- the tests ---------------------------------------------------------------------------------
 */

enum { NP = 5, POINTS = 40 };
static struct ref_data data[3];
static struct tw_law_curve curves[3];
static const char *law_name = "annealing";

static int make_curves(void **state)
{
    static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.985 };
    static const struct made made[] = {
        { "cosine:peak=3e-3,end=3e-4,total=900,warmup=100", 100, 40, 1e-3, 0.3, 1, NULL },
        { "wsd:peak=3e-3,end=3e-4,total=900,warmup=100,decay=300", 100, 40, 1e-3, 0.3, 2, NULL },
        { "wsdcon:peak=3e-3,end=9e-4,total=900,stage=500,warmup=100", 100, 40, 1e-3, 0.3, 3, NULL },
    };

    (void)state;
    omp_set_num_threads(1);
    for (size_t c = 0; c < 3; c++) {
        if (!made_curve(&made[c], truth, TW_WARMUP_SKIP, &data[c]))
            return 1;
        curves[c] = data[c].curve;
    }
    return 0;
}

static int free_curves(void **state)
{
    (void)state;
    ref_release(data, 3);
    return 0;
}

static struct tw_law_fit_opts everything(void)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();

    opts.starts = 6; /* so many that both ways find the best minimum */
    opts.bootstrap = 3;
    opts.profile = spare_gsl ? 1u << 4 : 0;
    opts.model_error = opts.choose_warmup = opts.choose_restriction = true;
    return opts;
}

static enum tw_status fit_all(struct tw_law_fit *fit, struct tw_err *err)
{
    const struct tw_law_fit_opts opts = everything();

    *fit = (struct tw_law_fit){ 0 };
    return tw_law_fit_run(tw_law_find(law_name), curves, 3, &opts, fit, err);
}

/* Without GSL's workspace Newton does the work alone: then the fit must be as good. */
static void check_same(const struct tw_law_fit *got, const struct tw_law_fit *want)
{
    check_close(got->min.objective, want->min.objective, 1e-6, 0.0);
    check_vec(got->theta, want->theta, got->law->nparams, 1e-3, 0.0);
    assert_int_equal(got->opts.restriction, want->opts.restriction);
    assert_int_equal(got->failed, want->failed);
    assert_int_equal(got->opts.warmup, want->opts.warmup);
    assert_int_equal(got->nprofiles, want->nprofiles);
    if (!spare_gsl) /* a refit without a curve may then end in another minimum */
        return;
    assert_int_equal(got->left_out, want->left_out);
    check_close(got->model_error, want->model_error, 1e-3, 0.0);
}

static void fail_in_turn(size_t step)
{
    struct tw_law_fit want, fit;
    size_t k = 1, tried = 0, said = 0;

    assert_int_equal(fit_all(&want, NULL), TW_OK);
    for (bool more = true; more; k += k < 50 ? 1 : step, tried++) {
        struct tw_err err = { 0 };
        enum tw_status rc;

        countdown = k;
        failures = 0;
        armed = true;
        rc = fit_all(&fit, &err);
        armed = false;
        more = failures > 0;
        if (rc == TW_OK) {
            check_same(&fit, &want);
        } else {
            if (rc != TW_ENOMEM)
                fail_msg("allocation %zu: status %d: %s", k, (int)rc, err.msg);
            assert_non_null(strstr(err.msg, "memory"));
            said++;
        }
        tw_law_fit_release(&fit);
    }
    print_message("# %zu of %zu allocations failed, %zu fits gave up\n", tried - 1, k, said);
    assert_true(said > 30 && said < tried);
    tw_law_fit_release(&want);
}

static void a_fit_that_runs_out_of_memory_says_so_and_loses_nothing(void **state)
{
    skip_if_deaf(state);
    spare_gsl = true;
    fail_in_turn(3);
}

static void so_does_the_multi_power_law_with_its_restrictions(void **state)
{
    (void)state;
    spare_gsl = true;
    law_name = "mpl";
    fail_in_turn(61);
    law_name = "annealing";
}

/* Half of these allocations are GSL's, which loses the parts of a workspace it cannot finish. */
static void a_fit_does_without_gsl_when_that_runs_out_of_memory(void **state)
{
    skip_if_deaf(state);
    spare_gsl = false;
    lsan_disable();
    fail_in_turn(29);
    lsan_enable();
}

static void a_forecast_that_runs_out_of_memory_says_so(void **state)
{
    static double v[5][POINTS], shift[POINTS];
    const struct tw_law_band band = { v[0], v[1], v[2], v[3], v[4] };
    const struct tw_law_forecast_opts how = { .seed = 1 };
    struct tw_law_fit fit;
    size_t k = 1;

    skip_if_deaf(state);
    assert_int_equal(fit_all(&fit, NULL), TW_OK);
    assert_true(curves[0].n <= POINTS);
    for (bool more = true; more; k++) {
        double *noise = NULL, correlation;
        size_t nnoise;
        enum tw_status rc;

        countdown = k;
        failures = 0;
        armed = true;
        rc = tw_law_common_mode(&fit, curves[0].x, curves[0].n, shift, &noise, &nnoise,
                                &correlation, NULL);
        if (rc == TW_OK)
            rc = tw_law_forecast(&fit, &curves[0], &how, &band, NULL);
        armed = false;
        more = failures > 0;
        assert_int_equal(rc, more ? TW_ENOMEM : TW_OK);
        free(noise);
    }
    assert_true(k > 8);
    tw_law_fit_release(&fit);
}

static void a_schedule_that_runs_out_of_memory_says_so(void **state)
{
    static const double x[] = { 0, 4, 9 }, lr[] = { 1, 2, 1 };

    skip_if_deaf(state);
    for (size_t k = 1; k <= 4; k++) {
        struct tw_schedule s = { 0 };
        struct tw_err err = { 0 };
        enum tw_status rc;

        countdown = k;
        failures = 0;
        armed = true;
        rc = tw_schedule_from_log(x, lr, 3, 0, 1.0, &s, &err);
        armed = false;
        assert_int_equal(rc, failures ? TW_ENOMEM : TW_OK);
        tw_schedule_release(&s);
        countdown = k;
        failures = 0;
        armed = true;
        rc = tw_schedule_parse("constant:peak=1,total=9", NULL, NULL, &s, &err);
        armed = false;
        assert_int_equal(rc, failures ? TW_ENOMEM : TW_OK);
        tw_schedule_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fit_that_runs_out_of_memory_says_so_and_loses_nothing),
        cmocka_unit_test(so_does_the_multi_power_law_with_its_restrictions),
        cmocka_unit_test(a_fit_does_without_gsl_when_that_runs_out_of_memory),
        cmocka_unit_test(a_forecast_that_runs_out_of_memory_says_so),
        cmocka_unit_test(a_schedule_that_runs_out_of_memory_says_so),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, make_curves, free_curves);
}
