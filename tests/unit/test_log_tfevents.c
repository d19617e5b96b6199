/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TensorBoard's event files: those of tests/samples/logs/tensorboard/make.py, cut and damaged. */
#include "folder.h"
#include "log_test.h"
#include "nets.h"

static char *event_file(const char *part, const char *name, size_t *n)
{
    char path[200];
    char *p;

    (void)snprintf(path, sizeof path, "../logs/tensorboard/%s/events.out.tfevents.%s", part, name);
    p = slurp(sample(path), n);
    assert_non_null(p);
    return p;
}

static char *train(size_t *n)
{
    return event_file("train", "1700000000.host.1.0", n);
}

static enum tw_status reads(const char *p, size_t n, const char *name, struct tw_log *log,
                            struct tw_err *err)
{
    *log = (struct tw_log){ 0 };
    *err = (struct tw_err){ 0 };
    return tw_log_read_mem(p, n, name, NULL, log, err);
}

static void tags_become_series(void **state)
{
    struct tw_log log;
    struct tw_err err;
    size_t n;
    char *p = train(&n);
    const struct tw_log_run *run;

    (void)state;
    assert_int_equal(reads(p, n, "runs/wide/events.out.tfevents.1", &log, &err), TW_OK);
    run = &log.runs[0];
    assert_string_equal(log.format, "tensorboard");
    assert_string_equal(run->name, "wide");
    assert_string_equal(run->x_name, "step");
    assert_int_equal(run->x_unit, TW_X_STEP);
    assert_int_equal(run->nseries, 3);
    assert_string_equal(run->series[0].name, "loss");
    assert_int_equal(run->series[0].n, 5);
    for (size_t i = 0; i < 5; i++) {
        check_close(run->series[0].x[i], 10.0 * (double)i, 0.0, 0.0);
        check_close(run->series[0].y[i], 4.0 / (1.0 + 10.0 * (double)i), 1e-7, 0.0);
    }
    assert_int_equal(run->series[1].quantity, TW_Q_LR);
    tw_log_release(&log);
    free(p);

    p = event_file("validation", "1700000000.host.1.1.v2", &n);
    assert_int_equal(reads(p, n, "logs/validation/events.out.tfevents.1", &log, &err), TW_OK);
    run = &log.runs[0];
    assert_string_equal(run->name, "logs");
    assert_string_equal(run->series[0].name, "validation/loss");
    assert_int_equal(run->series[0].split, TW_SPLIT_VAL);
    check_close(run->series[0].y[2], 5.0 / 41.0, 1e-7, 0.0);
    check_close(run->series[1].y[1], 20.0 / 64.0, 0.0, 0.0); /* a double */
    check_close(run->series[2].y[0], 0.25, 0.0, 0.0);        /* in float_val */
    assert_non_null(strstr(log.notes, "1 value is not one number"));
    tw_log_release(&log);
    free(p);
}

static void a_cut_tail_is_remarked(void **state)
{
    struct tw_log log;
    struct tw_err err;
    size_t n, whole = 0;
    char *p = train(&n);

    (void)state;
    /* Wherever it is cut: what is there is read, or it is told that nothing is. */
    for (size_t k = 12; k < n; k++) {
        const enum tw_status rc = reads(p, k, "x", &log, &err);

        if (rc == TW_OK && log.notes[0] == '\0')
            whole++; /* between two records */
        else if (rc == TW_OK)
            assert_non_null(strstr(log.notes, "the last record is cut short"));
        else
            check_message(&err, "without any scalar");
        tw_log_release(&log);
    }
    assert_int_equal(whole, 9); /* after each of 10 records with numbers but the last */
    free(p);
}

static void damage_is_found(void **state)
{
    struct tw_log log;
    struct tw_err err;
    size_t n;
    char *p = train(&n);

    (void)state;
    for (size_t i = 0; i < n; i += 7) {
        p[i] = (char)(p[i] ^ 0x20);
        /* Of the first 12 bytes it is known that it is such a file. */
        assert_int_equal(reads(p, n, "x", &log, &err), TW_EFORMAT);
        if (i >= 12)
            check_message(&err, "the record at byte");
        tw_log_release(&log);
        p[i] = (char)(p[i] ^ 0x20);
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_become_series),
        cmocka_unit_test(a_cut_tail_is_remarked),
        cmocka_unit_test(damage_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
