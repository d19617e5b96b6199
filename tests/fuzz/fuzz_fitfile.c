/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fit and forecast files of any content: read, forecast from, or refused with one sentence. The
 * first byte of an input changes one number of the file that follows, at the place and to the
 * value that the next bytes say, behind HDF5's checksums: half of the inputs are files that HDF5
 * takes as they are. */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "curve_schedule.h"
#include "forecast.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* HDF5 1.10.8 leaks what it had read of a damaged file; ours must not. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static const char *const sets[] = {
    "/parameters/value",
    "/parameters/lo",
    "/parameters/replicates",
    "/curves/points",
    "/curves/steps",
    "/curves/base",
    "/curves/batch",
    "/curves/warm_end",
    "/curves/rates",
    "/points/x",
    "/points/loss",
    "/points/fitted",
    "/points/residual",
    "/scores/mae",
    "/points/left_out_residual",
    "/settings/delta",
    "/settings/level",
    "/settings/block",
    "/certificate/starts",
    "/model_error/value",
    "/model_error/left_out",
    "/parameters/correlation",
    "/profiles/alpha/x",
    "/profiles/alpha/threshold",
    "/forecast/0/rates",
    "/forecast/0/line",
    "/forecast/0/batch",
    "/forecast/0/measured",
    "/settings/fixed",
    "/certificate/at_bounds",
};
static const double values[] = {
    0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 1e15, 1e300, -1e300, 1e-300, (double)NAN, (double)INFINITY,
};

/* data: which set, which element, which value. */
static void change(const char *path, const uint8_t data[4])
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), d, space;
    hssize_t n;
    double *v;

    if (file < 0)
        return;
    d = H5Dopen2(file, sets[data[0] % (sizeof sets / sizeof sets[0])], H5P_DEFAULT);
    if (d >= 0) {
        space = H5Dget_space(d);
        n = H5Sget_simple_extent_npoints(space);
        v = n > 0 && n < 100000 ? calloc((size_t)n, sizeof *v) : NULL;
        if (v && H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0) {
            v[(data[1] * 256u + data[2]) % (size_t)n] =
                values[data[3] % (sizeof values / sizeof values[0])];
            (void)H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v);
        }
        free(v);
        (void)H5Sclose(space);
        (void)H5Dclose(d);
    }
    (void)H5Fclose(file);
}

static void use(const struct tw_fit_file *f)
{
    struct tw_forecast_how how = { .points = 5, .at = NAN, .transfer = true };
    struct tw_forecast_set set = { 0 };
    struct tw_schedule s = { 0 };

    if (tw_cli_schedule("cosine:peak=0.004,total=60,warmup=5", &s, NULL) != TW_OK ||
        tw_forecast_set_add(&set, "x", &s, 0.0, NULL, NULL) != TW_OK)
        abort();
    if (f->fit.replicates < 50 && f->fit.n < 5000)
        (void)!tw_forecast_run(&f->fit, &how, &set.v[0], NULL);
    tw_forecast_set_release(&set);
    tw_schedule_release(&s);
}

static void exercise(const char *path)
{
    struct tw_forecast_set set = { 0 };
    struct tw_fit_file f = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc = tw_fit_file_read(path, &f, &err);

    if (rc != TW_OK && (err.code != rc || !err.msg[0] || strchr(err.msg, '\n')))
        abort();
    if (rc == TW_OK)
        use(&f);
    tw_fit_file_release(&f);
    (void)!tw_forecast_read(path, &f, &set, NULL);
    tw_forecast_set_release(&set);
    tw_fit_file_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    /* In memory where there is such a place; HDF5 cannot find the path of a memfd. */
    static char path[] = "/dev/shm/tw-fuzz-XXXXXX";
    static int fd = -1;

    tw_library_init();
    if (n < 5)
        return 0;
    if (fd < 0)
        fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data + 5, n - 5, 0) != (ssize_t)(n - 5))
        abort();
    if (data[0] & 1)
        change(path, data + 1);
    exercise(path);
    return 0;
}
