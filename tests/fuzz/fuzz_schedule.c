/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schedule grammar on arbitrary text, and rates from arbitrary logs (the same bytes as
 * doubles). What is accepted must be a schedule. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/schedule.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check(const struct tw_schedule *s)
{
    size_t i;

    require(s->n >= 1 && s->spec && s->base <= 1 && s->batch > 0.0 && s->warm_end < s->n);
    for (size_t k = 0; k < s->n; k++)
        require(s->lr[k] >= 0.0 && isfinite(s->lr[k]));
    require(tw_schedule_index(s, (double)s->base * s->batch, &i) && i == 0);
    require(!tw_schedule_index(s, (double)NAN, &i));
}

/* A spec with a huge total is a valid one: do not fill gigabytes. */
static bool huge(const char *spec)
{
    for (const char *p = strstr(spec, "total="); p; p = strstr(p + 1, "total=")) {
        char *end;

        if (strtod(p + 6, &end) > 1e6)
            return true;
    }
    return false;
}

static enum tw_status load(void *ctx, const char *path, size_t *n, double **x, double **lr,
                           struct tw_err *err)
{
    const size_t bytes = strlen(path);

    (void)ctx;
    *n = bytes;
    *x = tw_alloc(bytes, sizeof **x);
    *lr = tw_alloc(bytes, sizeof **lr);
    if (!*x || !*lr)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < bytes; i++) { /* increasing by letters, one now and then too far back */
        (*x)[i] = (i ? (*x)[i - 1] : 0.0) + (double)path[i] / 8.0 - 4.0;
        (*lr)[i] = (double)(path[bytes - 1 - i] & 63) / 64.0;
    }
    return TW_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *spec = tw_strndup((const char *)data, size);
    struct tw_schedule s = { 0 };
    struct tw_err err = { 0 };

    require(spec != NULL);
    if (!huge(spec)) {
        if (tw_schedule_parse(spec, load, NULL, &s, &err) == TW_OK)
            check(&s);
        else
            require(err.code != TW_OK && err.msg[0] != '\0');
    }
    tw_schedule_release(&s);
    s = (struct tw_schedule){ 0 };
    if (size > 16) { /* raw doubles: x, lr, x, lr, ... */
        const size_t n = size / 16;
        double *x = tw_alloc(n, sizeof *x), *lr = tw_alloc(n, sizeof *lr);

        require(x && lr);
        for (size_t i = 0; i < n; i++) {
            memcpy(&x[i], data + 16 * i, sizeof *x);
            memcpy(&lr[i], data + 16 * i + 8, sizeof *lr);
        }
        err = (struct tw_err){ 0 };
        if (!(fabs(x[n - 1]) > 1e6) &&
            tw_schedule_from_log(x, lr, n, data[0] & 1u, 1.0, &s, &err) == TW_OK) {
            check(&s);
            require(s.logged.s1_error >= 0.0);
        }
        tw_schedule_release(&s);
        free(x);
        free(lr);
    }
    free(spec);
    return 0;
}
