/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Result files of scans, barriers and ghosts of any content: read, drawn up to where gnuplot would
 * start, written in other programs' formats, or refused with one sentence. The first byte of an
 * input says how many numbers of the file that follows are changed first, behind HDF5's checksums:
 * four bytes for each say which data set, which element and to what value. */
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "barrier.h"
#include "ghost.h"
#include "scanfile.h"
#include "store/h5_items.h"
#include "thalweg/store_surface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* HDF5 1.10.8 leaks what it had read of a damaged file; ours must not. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

enum { SETS = 128, CHANGES = 4, HEAD = 1 + 4 * CHANGES };
static const double values[] = {
    0.0,   1.0,  -1.0,  0.5,    2.0,    3.0,         7.0,
    200.0, 1e15, 1e300, -1e300, 1e-300, (double)NAN, (double)INFINITY,
    4e9,   -0.0,
};
static char path[] = "/dev/shm/tw-fuzz-XXXXXX";
static char figure[sizeof path + 4], table[sizeof path + 4];

struct sets {
    size_t n;
    char *name[SETS];
};

static herr_t collect(hid_t at, const char *name, const H5O_info_t *info, void *ctx)
{
    struct sets *s = ctx;

    (void)at;
    if (info->type == H5O_TYPE_DATASET && s->n < SETS)
        s->name[s->n++] = strdup(name);
    return 0;
}

/* which[0]: the set; [1], [2]: the element; [3]: the value. */
static void change(hid_t file, const struct sets *s, const uint8_t which[4])
{
    const hid_t d = H5Dopen2(file, s->name[which[0] % s->n], H5P_DEFAULT);
    const hid_t space = d >= 0 ? H5Dget_space(d) : -1;
    const hssize_t n = space >= 0 ? H5Sget_simple_extent_npoints(space) : 0;
    double *v = n > 0 && n < 100000 ? calloc((size_t)n, sizeof *v) : NULL;

    if (v && H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0) {
        v[(which[1] * 256u + which[2]) % (size_t)n] =
            values[which[3] % (sizeof values / sizeof values[0])];
        (void)H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v);
    }
    free(v);
    if (space >= 0)
        (void)H5Sclose(space);
    if (d >= 0)
        (void)H5Dclose(d);
}

static void change_all(const uint8_t *head)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    struct sets s = { 0 };

    if (file < 0)
        return;
    (void)H5Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, collect, &s);
    for (size_t k = 0; k < head[0] % (CHANGES + 1u) && s.n; k++)
        change(file, &s, head + 1 + 4 * k);
    for (size_t k = 0; k < s.n; k++)
        free(s.name[k]);
    (void)H5Fclose(file);
}

/* A refusal is one sentence. */
static void check(enum tw_status rc, const struct tw_err *err)
{
    if (rc != TW_OK && (err->code != rc || !err->msg[0] || strchr(err->msg, '\n')))
        abort();
}

static void use_scan(const struct tw_scan *s)
{
    const struct tw_surface_table t = { .nx = s->nx,
                                        .ny = s->ny,
                                        .x = s->x,
                                        .y = s->ny > 1 ? s->y : NULL,
                                        .n = 1,
                                        .name = { "train_loss" },
                                        .value = { s->field[SCAN_LOSS] } };

    (void)tw_scan_range_of(s);
    for (int kind = TW_SCAN_FIGURE_AUTO; kind <= TW_SCAN_FIGURE_SURFACE; kind++)
        (void)!tw_scan_draw(s, (enum tw_scan_figure)kind, figure, &(struct tw_figure_opts){ 0 },
                            NULL);
    (void)!tw_surface_write_csv(table, true, &t, NULL);
    (void)!tw_surface_write_vtp(table, true, &t, NULL);
}

static void exercise(void)
{
    static const char *const barriers[] = { "barrier", "barrier-matrix", "barrier-spawned" };
    const struct tw_figure_opts fo = { 0 };
    struct tw_call call = { 0 };
    struct tw_err err = { 0 };
    struct ghost g = { .call = &call };
    struct tw_scan s = { 0 };
    bool other = false;
    enum tw_status rc = tw_scan_read_other(path, &s, &other, &err);

    check(rc, &err);
    if (rc == TW_OK && other)
        use_scan(&s);
    tw_scan_release(&s);
    err = (struct tw_err){ 0 };
    s = (struct tw_scan){ 0 };
    rc = tw_scan_read(path, &s, &err);
    check(rc, &err);
    if (rc == TW_OK)
        use_scan(&s);
    tw_scan_release(&s);
    for (size_t k = 0; k < 3; k++) {
        err = (struct tw_err){ 0 };
        check(barrier_plot(path, barriers[k], figure, &fo, &err), &err);
    }
    rc = tw_ghost_read(&g, path);
    check(rc, &call.err);
    for (size_t k = 0; k < 2 && rc == TW_OK; k++) {
        g.figure = k ? GHOST_LAYERS : g.figure;
        call.err = (struct tw_err){ 0 };
        (void)!tw_ghost_draw(&g, figure, &fo);
    }
    tw_ghost_release(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int fd = -1;

    if (n < HEAD)
        return 0;
    if (fd < 0) {
        tw_library_init();
        tw_h5_in_process = true;
        /* Figures end where gnuplot is not found. */
        if (setenv("PATH", "/nowhere", 1) != 0)
            abort();
        fd = mkstemp(path);
        (void)snprintf(figure, sizeof figure, "%s.svg", path);
        (void)snprintf(table, sizeof table, "%s.txt", path);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 ||
        pwrite(fd, data + HEAD, n - HEAD, 0) != (ssize_t)(n - HEAD))
        abort();
    change_all(data);
    exercise();
    return 0;
}
