/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The k-th allocation fails, for every k until none does: each time a status and a sentence,
 * no crash and, under the sanitizers, no leak. json-c 0.16 does not check its own allocations (a
 * key's copy): it is spared. */
#include "failing.h"
#include "log_test.h"

/* One attempt in which allocation k fails; false once there is no k-th any more. */
static bool attempt(const char *text, size_t n, const char *regex, size_t k, bool exact)
{
    const struct tw_log_opts opts = { .regex = regex };
    struct tw_curves curves = { 0 };
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc;

    left = k;
    hit = false;
    armed = true;
    rc = tw_log_read_mem(text, n, "oom", &opts, &log, &err);
    if (rc == TW_OK)
        rc = tw_curves_add(&curves, &log, &all, &err);
    armed = false;
    if (exact)
        assert_int_equal(rc, hit ? TW_ENOMEM : TW_OK);
    else if (!hit)
        assert_int_equal(rc, TW_OK);
    assert_int_equal(rc == TW_OK, err.msg[0] == '\0');
    tw_curves_release(&curves);
    tw_log_release(&log);
    return hit;
}

static void every(const char *text, const char *regex, bool exact)
{
    size_t k = 0;

    spare_libraries = text[0] == '{';
    while (attempt(text, strlen(text), regex, k, exact))
        k++;
    assert_true(k > 10);
}

static void csv_survives_any_failed_allocation(void **state)
{
    (void)state;
    every("run,step,lr,loss,note\na,1,2,5,x\na,2,2,4,y\nb,1,2,6,z\nb,2,2,5,z\n,,,bad\n", NULL,
          true);
    every("# step loss\n1 5\n2 4\n", NULL, true);
    every("\"Step\",\"a - loss\",\"a - loss__MIN\",\"b - loss\"\n1,5,5,6\n2,4,4,5\n", NULL, true);
}

static void printed_logs_survive_any_failed_allocation(void **state)
{
    (void)state;
    every("step 0: train loss 5, val loss 6\niter 0: loss 5, time 3ms\nstep 9: train loss 4, val "
          "loss 5\n",
          NULL, true);
    every("s:1 trl:5 lr:1 norm:1\ns:2 trl:4 lr:1 norm:1\n", NULL, true);
}

static void json_survives_any_failed_allocation(void **state)
{
    (void)state;
    every("{\"log_history\":[{\"step\":1,\"loss\":5},{\"step\":2,\"loss\":4}]}", NULL, true);
    every("{\"step\":1,\"a\":{\"loss\":5}}\n{\"step\":2,\"a\":{\"loss\":4}}\n", NULL, true);
    every("{\"loss\":[5,4,3]}", NULL, true);
}

/* PCRE2 may turn a failed allocation of its own into a rule that is not sped up. */
static void rules_survive_any_failed_allocation(void **state)
{
    (void)state;
    every("at 1 loss 5\nat 2 loss 4\n", "at (?<step>\\d+) loss (?<loss>\\d)", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_survives_any_failed_allocation),
        cmocka_unit_test(printed_logs_survive_any_failed_allocation),
        cmocka_unit_test(json_survives_any_failed_allocation),
        cmocka_unit_test(rules_survive_any_failed_allocation),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
