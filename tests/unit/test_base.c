/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <locale.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "num.h"
#include "thalweg/base.h"

/* ---- errors ----------------------------------------------------------------------------- */

static void the_first_error_wins_and_gains_context(void **state)
{
    struct tw_err err = { 0 };

    (void)state;
    assert_int_equal(tw_err_set(&err, TW_EIO, "disk %d", 3), TW_EIO);
    assert_int_equal(tw_err_set(&err, TW_EINVAL, "later"), TW_EINVAL);
    assert_int_equal(tw_err_ctx(&err, TW_EIO, "%s", "a.csv"), TW_EIO);
    assert_int_equal(err.code, TW_EIO);
    assert_string_equal(err.msg, "a.csv: disk 3");
    assert_int_equal(tw_err_set(NULL, TW_EIO, "nobody listens"), TW_EIO);
    assert_int_equal(tw_err_ctx(NULL, TW_EIO, "nobody listens"), TW_EIO);
}

static void an_error_message_too_long_keeps_its_context(void **state)
{
    enum { LONG = 2000 };
    char text[LONG];

    (void)state;
    memset(text, 'x', sizeof text);
    text[LONG - 1] = '\0';
    for (int context = 1; context <= 640; context += 71) {
        struct tw_err err = { 0 };

        (void)tw_err_set(&err, TW_EFORMAT, "%s", text);
        assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
        (void)tw_err_ctx(&err, TW_EFORMAT, "%.*s", context, "file.csv");
        assert_memory_equal(err.msg, "file.csv", context < 8 ? (size_t)context : 8);
        assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
        (void)tw_err_ctx(&err, TW_EFORMAT, "%s", text);
        assert_true(strlen(err.msg) < sizeof err.msg);
        assert_int_equal(err.msg[0], 'x');
    }
}

/* ---- memory ----------------------------------------------------------------------------- */

static void growing_keeps_contents_and_refuses_overflow(void **state)
{
    int *v = NULL, *before;
    size_t cap = 0, huge;

    (void)state;
    for (size_t n = 0; n < 1000; n++) {
        assert_true(tw_grow(&v, n, &cap, sizeof *v));
        v[n] = (int)n;
    }
    for (size_t n = 0; n < 1000; n++)
        assert_int_equal(v[n], n);
    before = v;
    huge = SIZE_MAX / sizeof *v;
    assert_false(tw_grow(&v, huge, &huge, sizeof *v));
    huge = SIZE_MAX;
    assert_false(tw_grow(&v, huge, &huge, sizeof *v));
    assert_ptr_equal(v, before);
    assert_int_equal(v[999], 999);
    free(v);
}

static void allocation_is_zeroed_and_checks_the_product(void **state)
{
    unsigned char *p = tw_alloc(100, 3);
    volatile size_t many = SIZE_MAX / 2; /* hidden from the compiler's own check */

    (void)state;
    assert_non_null(p);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    free(p);
    p = tw_alloc(0, 8);
    assert_non_null(p);
    free(p);
    p = tw_alloc(1, 0);
    assert_non_null(p);
    free(p);
    assert_null(tw_alloc(many, 8));
    assert_null(tw_strdup(NULL));
}

static void aligned_blocks_of_any_size_are_whole(void **state)
{
    static const size_t sizes[] = { 1, 63, 64, 65, 4096, (2 << 20) - 1, (4 << 20) + 5, 9 << 20 };
    volatile size_t many = SIZE_MAX;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *p = tw_alloc_aligned(sizes[i]), *q = tw_alloc(sizes[i], 1);

        assert_non_null(p);
        assert_non_null(q);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 1, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k += 4095)
            assert_int_equal(p[k] + q[k], 1);
        free(p);
        free(q);
    }
    assert_null(tw_alloc_aligned(many));
    assert_null(tw_alloc_aligned(many / 2));
}

/* ---- strings ---------------------------------------------------------------------------- */

static void strings_grow_by_pieces(void **state)
{
    struct tw_str s = { 0 };

    (void)state;
    tw_str_add(&s, "");
    assert_string_equal(s.s, "");
    for (int i = 0; i < 500; i++)
        tw_str_addf(&s, "%03d,", i);
    tw_str_addn(&s, "end\0more", 8);
    assert_false(s.failed);
    assert_int_equal(s.n, 2008);
    assert_memory_equal(s.s, "000,001,", 8);
    assert_string_equal(s.s + 2000, "end");
    assert_string_equal(s.s + 2004, "more");
    tw_str_clear(&s);
    assert_string_equal(s.s, "");
    tw_str_release(&s);
    assert_null(s.s);
}

static void only_one_thing_is_singular(void **state)
{
    (void)state;
    assert_string_equal(tw_plural(0), "s");
    assert_string_equal(tw_plural(1), "");
    assert_string_equal(tw_plural(2), "s");
    assert_true(tw_str_ends("fc1.bias", "bias") && tw_str_ends("bias", "bias"));
    assert_false(tw_str_ends("fc1.bias", "bia") || tw_str_ends("ias", "bias"));
}

static void distances_count_edits_and_swaps(void **state)
{
    (void)state;
    assert_int_equal(tw_str_distance("", ""), 0);
    assert_int_equal(tw_str_distance("", "abc"), 3);
    assert_int_equal(tw_str_distance("kitten", "sitting"), 3);
    assert_int_equal(tw_str_distance("thraeds", "threads"), 1);
    assert_int_equal(tw_str_distance("points", "point"), 1);
    assert_int_equal(tw_str_distance("abcdef", "fedcba"), tw_str_distance("fedcba", "abcdef"));
}

static void the_nearest_name_is_near(void **state)
{
    const char *const names[] = { "forecast", "fit", "log", "schedule" };

    (void)state;
    assert_int_equal(tw_str_nearest("forcast", names, 4), 0);
    assert_int_equal(tw_str_nearest("fti", names, 4), 1);
    assert_int_equal(tw_str_nearest("sched", names, 4), 3); /* an abbreviation */
    assert_int_equal(tw_str_nearest("barrier", names, 4), 4);
    assert_int_equal(tw_str_nearest("x", names, 0), 0);
}

static void numbers_are_whole_words(void **state)
{
    const char *const good[] = { "1",   "-2.5e-3", "+7",  "1e400", "0x10",
                                 "nan", "NaN",     "inf", "-INF",  "Infinity" };
    const char *const wrong[] = {
        "", " 1", "\n1", "\r1", "\v1", "1 ", "1x", "1,5", "e5", "-", "."
    };
    double x;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(tw_str_to_real(good[i], &x));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(tw_str_to_real(wrong[i], &x));
        assert_false(tw_strn_to_real(wrong[i], strlen(wrong[i]), &x));
    }
    assert_true(tw_strn_to_real("12345", 3, &x));
    check_ulp(x, 123.0, 0);
    assert_false(tw_strn_to_real("1\0002", 3, &x));
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        assert_true(tw_str_to_real("2.5", &x));
        check_ulp(x, 2.5, 0);
        (void)setlocale(LC_NUMERIC, "C");
    }
}

/* Both ways to read a number must agree with the C library to the bit. */
static void same_as_strtod(const char *s)
{
    double x = -1.0, want = strtod(s, NULL);
    char unterminated[64];
    size_t n = strlen(s);

    assert_true(n + 1 < sizeof unterminated);
    memcpy(unterminated, s, n);
    unterminated[n] = '7';
    assert_true(tw_strn_to_real(unterminated, n, &x));
    check_ulp(x, want, 0);
}

static void reading_numbers_agrees_with_strtod(void **state)
{
    const char *const hard[] = { "0",
                                 "-0",
                                 "-0.0",
                                 "9007199254740992",
                                 "9007199254740993",
                                 "9007199254740995e-22",
                                 "123456789012345678",
                                 "1234567890123456789",
                                 "99999999999999999999",
                                 "1e22",
                                 "1e23",
                                 "1e-22",
                                 "1e-23",
                                 "4.9e-324",
                                 "2.2250738585072011e-308",
                                 "1.7976931348623157e308",
                                 "1e309",
                                 "0.1",
                                 ".5",
                                 "5.",
                                 "000000000000000000000001",
                                 "1e00000000005",
                                 "1E+5",
                                 "8.5e+0022" };
    struct tw_rng r = tw_rng_stream(7, TW_RNG_TEST, 1);
    char s[64];

    (void)state;
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++)
        same_as_strtod(hard[i]);
    for (int i = 0; i < 5000; i++) {
        uint64_t bits = tw_rng_u64(&r);
        double x;

        memcpy(&x, &bits, sizeof x);
        if (isfinite(x)) {
            (void)snprintf(s, sizeof s, "%.*g", (int)tw_rng_below(&r, 20), x);
            same_as_strtod(s);
        }
        (void)snprintf(s, sizeof s, "%s%llu.%llue%d", tw_rng_below(&r, 2) ? "-" : "",
                       (unsigned long long)tw_rng_below(&r, 1 + (bits & 0xFFFFFFFFF)),
                       (unsigned long long)tw_rng_below(&r, 1 + (bits & 0xFFFFFF)),
                       (int)tw_rng_below(&r, 60) - 30);
        same_as_strtod(s);
    }
}

/* ---- random streams --------------------------------------------------------------------- */

/* The known answers that come with the reference implementation, Random123. */
static void philox_gives_the_known_answers(void **state)
{
    static const struct {
        uint32_t ctr[4], key[2], want[4];
    } kat[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof kat / sizeof kat[0]; i++) {
        uint32_t out[4];

        tw_philox4x32(kat[i].ctr, kat[i].key, out);
        assert_memory_equal(out, kat[i].want, sizeof out);
    }
}

static void streams_depend_on_seed_purpose_and_item(void **state)
{
    struct tw_rng a = tw_rng_stream(1, TW_RNG_TEST, 5), same = tw_rng_stream(1, TW_RNG_TEST, 5);
    struct tw_rng other[] = { tw_rng_stream(2, TW_RNG_TEST, 5),
                              tw_rng_stream((uint64_t)1 << 32 | 1, TW_RNG_TEST, 5),
                              tw_rng_stream(1, TW_RNG_STARTS, 5), tw_rng_stream(1, TW_RNG_TEST, 6),
                              tw_rng_stream(1, TW_RNG_TEST, (uint64_t)1 << 32 | 5) };
    uint64_t first = tw_rng_u64(&a);

    (void)state;
    assert_true(first == tw_rng_u64(&same));
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        assert_true(first != tw_rng_u64(&other[i]));
    same = a; /* a copy is a fork */
    check_ulp(tw_rng_normal(&a), tw_rng_normal(&same), 0);
    check_ulp(tw_rng_normal(&a), tw_rng_normal(&same), 0);
}

/* Five standard errors: a correct generator with this fixed seed either passes or never did. */
static void draws_have_the_right_moments(void **state)
{
    enum { N = 40000 };
    struct tw_rng r = tw_rng_stream(2385, TW_RNG_TEST, 0);
    double mean = 0.0, square = 0.0, uniform = 0.0;
    size_t seen[7] = { 0 };

    (void)state;
    for (int i = 0; i < N; i++) {
        double z = tw_rng_normal(&r), u = tw_rng_real(&r);

        assert_true(u >= 0.0 && u < 1.0);
        mean += z / N;
        square += z * z / N;
        uniform += u / N;
        seen[tw_rng_below(&r, 7)]++;
    }
    check_close(mean, 0.0, 0.0, 5.0 / sqrt(N));
    check_close(square, 1.0, 0.0, 5.0 * sqrt(2.0 / N));
    check_close(uniform, 0.5, 0.0, 5.0 / sqrt(12.0 * N));
    for (size_t i = 0; i < 7; i++)
        check_close((double)seen[i], N / 7.0, 0.0, 5.0 * sqrt(N * 6.0 / 49.0));
    assert_true(tw_rng_below(&r, 1) == 0);
    assert_true(tw_rng_below(&r, UINT64_MAX) < UINT64_MAX);
}

/* ---- sums ------------------------------------------------------------------------------- */

static void sums_do_not_depend_on_threads(void **state)
{
    const int threads[] = { 1, 2, 3, 4, 8 };
    enum { N = 100003 };
    double *x = tw_alloc(N, sizeof *x), *y = tw_alloc(N, sizeof *y);
    struct tw_rng r = tw_rng_stream(3, TW_RNG_TEST, 2);
    double sum = 0.0, dot = 0.0, exact = 0.0;
    int before = omp_get_max_threads();

    (void)state;
    assert_true(x && y);
    for (size_t i = 0; i < N; i++) {
        x[i] = exp(5.0 * tw_rng_normal(&r));
        y[i] = tw_rng_normal(&r);
    }
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        omp_set_num_threads(threads[t]);
        if (t == 0) {
            sum = tw_sum(x, N);
            dot = tw_sum_dot(x, y, N);
        }
        check_ulp(tw_sum(x, N), sum, 0);
        check_ulp(tw_sum_dot(x, y, N), dot, 0);
    }
    omp_set_num_threads(before);
    for (size_t i = 0; i < N; i++)
        exact += x[i]; /* plain order: the same to rounding only */
    check_close(sum, exact, 1e-12, 0.0);
    x[777] = (double)NAN;
    assert_true(isnan(tw_sum(x, N)));
    check_ulp(tw_sum(x, 0), 0.0, 0);
    free(x);
    free(y);
}

static void quantiles_interpolate_order_statistics(void **state)
{
    const double x[] = { 1.5, 2.25, 4.0, 8.75 };

    (void)state;
    check_close(tw_quantile_sorted(x, 4, 0.0), 1.5, 0.0, 0.0);
    check_close(tw_quantile_sorted(x, 4, 1.0), 8.75, 0.0, 0.0);
    check_close(tw_quantile_sorted(x, 4, 0.5), 3.125, 1e-15, 0.0);
    check_close(tw_quantile_sorted(x, 4, 0.9), 4.0 + 0.7 * 4.75, 1e-14, 0.0);
    check_close(tw_quantile_sorted(x, 1, 0.3), 1.5, 0.0, 0.0);
    assert_true(isnan(tw_quantile_sorted(x, 0, 0.5)));
}

/* ---- digests ---------------------------------------------------------------------------- */

/* The examples of FIPS 180-4's test vectors. */
static void sha256_gives_the_known_answers(void **state)
{
    char hex[TW_DIGEST_HEX], *million = malloc(1000000);

    (void)state;
    tw_digest_mem("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    tw_digest_mem("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_non_null(million);
    memset(million, 'a', 1000000);
    tw_digest_mem(million, 1000000, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static bool stop_after(void *blocks)
{
    return (*(int *)blocks)-- == 0;
}

static void a_file_has_the_digest_of_its_bytes(void **state)
{
    char path[] = "/tmp/thalweg-test-XXXXXX", hex[TW_DIGEST_HEX];
    struct tw_err err = { 0 };
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    (void)close(fd);
    assert_int_equal(tw_digest_file(path, hex, &err), TW_OK);
    assert_memory_equal(hex, "ba7816bf8f01cfea", 16);
    for (int blocks = 0; blocks < 2; blocks++) { /* one that is stopped at once has seen nothing */
        int left = blocks;

        assert_int_equal(tw_digest_until(path, stop_after, &left, hex, &err), TW_OK);
        assert_memory_equal(hex, blocks ? "ba7816bf8f01cfea" : "e3b0c44298fc1c14", 16);
    }
    (void)unlink(path);
    assert_int_equal(tw_digest_file(path, hex, &err), TW_EIO);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(tw_digest_file("/", hex, NULL), TW_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_wins_and_gains_context),
        cmocka_unit_test(an_error_message_too_long_keeps_its_context),
        cmocka_unit_test(growing_keeps_contents_and_refuses_overflow),
        cmocka_unit_test(allocation_is_zeroed_and_checks_the_product),
        cmocka_unit_test(aligned_blocks_of_any_size_are_whole),
        cmocka_unit_test(strings_grow_by_pieces),
        cmocka_unit_test(only_one_thing_is_singular),
        cmocka_unit_test(distances_count_edits_and_swaps),
        cmocka_unit_test(the_nearest_name_is_near),
        cmocka_unit_test(numbers_are_whole_words),
        cmocka_unit_test(reading_numbers_agrees_with_strtod),
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(streams_depend_on_seed_purpose_and_item),
        cmocka_unit_test(draws_have_the_right_moments),
        cmocka_unit_test(sums_do_not_depend_on_threads),
        cmocka_unit_test(quantiles_interpolate_order_statistics),
        cmocka_unit_test(sha256_gives_the_known_answers),
        cmocka_unit_test(a_file_has_the_digest_of_its_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
