/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel of the multi-power law: its exp and log against the C library's, its sums against the
 * formula, and the same bits at every width of vectors that this machine has. */

#include "num.h"
#include "thalweg/base.h"

/* The widths are private: test the source itself. */
#include "../../src/law/mpl_kernel.c"

static void exp_and_log_are_right_to_1e_13(void **state)
{
    enum { N = 100000 };

    (void)state;
    for (size_t i = 0; i <= N; i++) {
        const double at = (double)i / N, x = 700.0 * (2.0 * at - 1.0);
        const double y = 1.0 + pow(10.0, -15.0 + 215.0 * at);
        double e, m;

        check_close(exp_of(x), exp(x), 2e-14, 0.0);
        take_apart(y, &e, &m);
        check_close(ldexp(m, (int)e), y, 0.0, 0.0);
        check_close(log_of(e, (m - 1.0) / (m + 1.0)), log(y), 3e-15, 0.0);
    }
    check_close(exp_of(0.0), 1.0, 0.0, 0.0);
    check_close(at_least(-3.0, -700.0), -3.0, 0.0, 0.0);
    check_close(at_least(-701.0, -700.0), -700.0, 0.0, 0.0);
    check_close(at_least(-INFINITY, -700.0), -700.0, 0.0, 0.0);
}

enum { BLOCKS = 40, POINTS = 30, EACH = 7, ALL = BLOCKS * NODES };
struct sample {
    double before[ALL], log_rate[ALL], weight[ALL], scratch[ALL], s1[POINTS];
    size_t first[POINTS + 1];
    unsigned block[POINTS * EACH];
    struct tw_falls falls;
};

static void make(struct sample *d)
{
    struct tw_rng rng = tw_rng_stream(3, TW_RNG_TEST, 0);

    for (size_t j = 0; j < ALL; j++) {
        d->before[j] = 2.0 * tw_rng_real(&rng); /* some after the point: they do not count */
        d->log_rate[j] = j % 17 == 0 ? -708.0 : -12.0 * tw_rng_real(&rng); /* a rate of 0 */
        d->weight[j] = 1e-3 * tw_rng_normal(&rng);
    }
    for (size_t i = 0; i < POINTS; i++) {
        d->s1[i] = 0.2 + 2.0 * tw_rng_real(&rng);
        d->first[i + 1] = d->first[i] + i % (EACH + 1); /* some have no blocks */
        for (size_t k = d->first[i]; k < d->first[i + 1]; k++)
            d->block[k] = (unsigned)tw_rng_below(&rng, BLOCKS);
    }
    d->falls = (struct tw_falls){ .nblocks = BLOCKS,
                                  .before = d->before,
                                  .log_rate = d->log_rate,
                                  .weight = d->weight,
                                  .n = POINTS,
                                  .s1 = d->s1,
                                  .first = d->first,
                                  .block = d->block };
}

static void sums_are_those_of_the_formula(void **state)
{
    static struct sample d;
    static double got[4][POINTS];
    static const struct tw_mpl_shape shapes[] = {
        { 2.0, 0.6, 0.64 }, { 1e-9, 1e-3, 1e-3 }, { 0.3, 100.0, 0.2 }, { 1e9, 1.0, 10.0 }
    };

    (void)state;
    make(&d);
    for (size_t b = 0; b < sizeof shapes / sizeof shapes[0]; b++) {
        const struct tw_mpl_shape p = shapes[b];

        tw_mpl_kernel(&d.falls, &p, d.scratch,
                      &(struct tw_mpl_sums){ got[0], got[1], got[2], got[3] });
        for (size_t i = 0; i < POINTS; i++) {
            double want[4] = { 0.0 }, size[4] = { 0.0 };

            for (size_t k = d.first[i]; k < d.first[i + 1]; k++)
                for (size_t j = d.block[k] * NODES; j < (d.block[k] + 1) * NODES; j++) {
                    const double far = fmin(1e200, p.c * exp(-p.gamma * d.log_rate[j]));
                    const double x = fmax(0.0, d.s1[i] - d.before[j]) * far;
                    const double rest = d.weight[j] * pow(1.0 + x, -p.beta);
                    const double slope = rest * p.beta * x / (1.0 + x);
                    const double term[] = { d.weight[j] - rest, slope / p.c, rest * log(1.0 + x),
                                            -slope * d.log_rate[j] };

                    for (size_t q = 0; q < 4; q++) {
                        want[q] += term[q];
                        size[q] += fabs(term[q]);
                    }
                }
            for (size_t q = 0; q < 4; q++)
                check_close(got[q][i], want[q], 0.0, 1e-12 * size[q] + 1e-18);
        }
    }
}

static void every_width_gives_the_same_bits(void **state)
{
    static const struct tw_mpl_shape shape = { 2.0, 0.6, 0.64 };
    static struct sample d;
    static double got[3][4][POINTS];
    kernel_fn *width[3] = { sums_plain };
    size_t n = 1;

    (void)state;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        width[n++] = sums_256;
    if (__builtin_cpu_supports("avx512f"))
        width[n++] = sums_512;
#endif
    if (n == 1)
        skip();
    make(&d);
    for (size_t k = 0; k < n; k++)
        width[k](&d.falls, &shape, d.scratch,
                 &(struct tw_mpl_sums){ got[k][0], got[k][1], got[k][2], got[k][3] });
    for (size_t k = 1; k < n; k++)
        assert_memory_equal(got[k], got[0], sizeof got[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_and_log_are_right_to_1e_13),
        cmocka_unit_test(sums_are_those_of_the_formula),
        cmocka_unit_test(every_width_gives_the_same_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
