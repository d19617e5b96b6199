/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_test.h"

static char path[64];

static int make_path(void **state)
{
    int fd;

    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/test_log_hdf5.XXXXXX");
    fd = mkstemp(path);
    if (fd >= 0)
        (void)close(fd);
    return fd < 0;
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

static hid_t create(void)
{
    return H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

/* Data set `name` with the groups before it, of this type and shape. */
static void put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                hid_t create_plist, const double *y)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set;

    (void)H5Pset_create_intermediate_group(links, 1);
    set = H5Dcreate2(file, name, type, space, links, create_plist, H5P_DEFAULT);
    assert_true(set >= 0);
    if (y)
        assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, y) >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
    (void)H5Pclose(links);
}

static void put3(hid_t file, const char *name, double a, double b, double c)
{
    const double y[] = { a, b, c };

    put(file, name, H5T_IEEE_F64LE, 1, (const hsize_t[]){ 3 }, H5P_DEFAULT, y);
}

static void fails(const char *words)
{
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };

    assert_int_equal(tw_log_read(path, NULL, &log, &err), TW_EFORMAT);
    if (!strstr(err.msg, words) || strncmp(err.msg, path, strlen(path)) != 0)
        fail_msg("'%s' is not in: %s", words, err.msg);
    tw_log_release(&log);
    assert_int_equal(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

static void runs_of_a_training_file_are_read(void **state)
{
    const int steps[] = { 10, 20, 30 };
    hid_t file = create();
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    put3(file, "/runs/a/log/step", 10, 20, 30);
    put3(file, "/runs/a/log/train loss", 3, 2.5, QNAN);
    put3(file, "/runs/b/log/train loss", 4, 3.5, 3.25);
    put(file, "/runs/b/log/step", H5T_STD_I32LE, 1, (const hsize_t[]){ 3 }, H5P_DEFAULT,
        (const double[]){ steps[0], steps[1], steps[2] });
    (void)H5Fclose(file);
    assert_int_equal(tw_log_read(path, NULL, &log, &err), TW_OK);
    assert_string_equal(log.format, "hdf5");
    assert_int_equal(log.nruns, 2);
    assert_int_equal(strlen(log.digest), 64);
    CHECK_SERIES(series(&log, 0, "train loss"), 3, LIST(10, 20, 30), LIST(3, 2.5, QNAN));
    CHECK_SERIES(series(&log, 1, "train loss"), 3, LIST(10, 20, 30), LIST(4, 3.5, 3.25));
    tw_log_release(&log);
}

static void a_file_of_one_run_leaves_its_name_out(void **state)
{
    hid_t file = create();
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };
    struct stat st;
    FILE *fp;
    char *image;

    (void)state;
    put3(file, "/log/step", 10, 20, 30);
    put3(file, "/log/loss", 3, 2.5, 2.25);
    (void)H5Fclose(file);
    assert_int_equal(stat(path, &st), 0);
    image = malloc((size_t)st.st_size);
    fp = fopen(path, "rb");
    assert_true(image && fp);
    assert_int_equal(fread(image, 1, (size_t)st.st_size, fp), st.st_size);
    (void)fclose(fp);
    assert_int_equal(tw_log_read_mem(image, (size_t)st.st_size, "x.h5", NULL, &log, &err), TW_OK);
    assert_string_equal(log.runs[0].name, "x");
    CHECK_SERIES(series(&log, 0, "loss"), 3, LIST(10, 20, 30), LIST(3, 2.5, 2.25));
    tw_log_release(&log);
    free(image);
}

static void wrong_contents_are_named(void **state)
{
    hid_t file = create(), text;

    (void)state;
    put3(file, "/results/step", 1, 2, 3);
    (void)H5Fclose(file);
    fails("an HDF5 file without /runs or /log");
    file = create();
    text = H5Tcopy(H5T_C_S1);
    (void)H5Tset_size(text, 4);
    put(file, "/log/loss", text, 1, (const hsize_t[]){ 3 }, H5P_DEFAULT, NULL);
    (void)H5Tclose(text);
    (void)H5Fclose(file);
    fails("/log/loss: expected numbers, found another type");
    file = create();
    put(file, "/log/loss", H5T_IEEE_F64LE, 2, (const hsize_t[]){ 3, 2 }, H5P_DEFAULT, NULL);
    (void)H5Fclose(file);
    fails("/log/loss: expected 1 dimension, found 2");
    file = create();
    put3(file, "/log/loss", 1, 2, 3);
    put(file, "/log/step", H5T_IEEE_F64LE, 1, (const hsize_t[]){ 2 }, H5P_DEFAULT, NULL);
    (void)H5Fclose(file);
    fails("/log/step: 2 values where the other series have 3");
    file = create();
    put3(file, "/runs/a/log", 1, 2, 3);
    (void)H5Fclose(file);
    fails("/runs/a/log: expected a group");
    file = create();
    put3(file, "/log/sub/loss", 1, 2, 3);
    (void)H5Fclose(file);
    fails("/log/sub: expected a data set");
}

static void links_out_of_the_file_are_refused(void **state)
{
    hid_t file = create();

    (void)state;
    put3(file, "/log/step", 1, 2, 3);
    assert_true(
        H5Lcreate_external("/etc/passwd", "/x", file, "/log/loss", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    (void)H5Fclose(file);
    fails("/log/loss: a soft or external link");
    file = create();
    put3(file, "/data/step", 1, 2, 3);
    assert_true(H5Lcreate_soft("/data", file, "/log", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    (void)H5Fclose(file);
    fails("/log: a soft or external link");
}

static void data_kept_elsewhere_or_claimed_only_are_refused(void **state)
{
    hid_t file = create(), plist = H5Pcreate(H5P_DATASET_CREATE);

    (void)state;
    (void)H5Pset_external(plist, "/etc/passwd", 0, 24);
    put(file, "/log/loss", H5T_IEEE_F64LE, 1, (const hsize_t[]){ 3 }, plist, NULL);
    (void)H5Pclose(plist);
    (void)H5Fclose(file);
    fails("/log/loss: not read: its numbers are in another file");
    plist = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_chunk(plist, 1, (const hsize_t[]){ 1 << 16 });
    file = create();
    put(file, "/log/loss", H5T_IEEE_F64LE, 1, (const hsize_t[]){ (hsize_t)1 << 28 }, plist, NULL);
    (void)H5Pclose(plist);
    (void)H5Fclose(file);
    fails("/log/loss: not read: it declares far more than a file of");
}

static void a_file_cut_short_is_refused(void **state)
{
    hid_t file = create();
    struct stat st;

    (void)state;
    put3(file, "/log/step", 1, 2, 3);
    (void)H5Fclose(file);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    fails("HDF5 cannot open it: the file is cut short");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_of_a_training_file_are_read, make_path, drop_path),
        cmocka_unit_test_setup_teardown(a_file_of_one_run_leaves_its_name_out, make_path,
                                        drop_path),
        cmocka_unit_test_setup_teardown(wrong_contents_are_named, make_path, drop_path),
        cmocka_unit_test_setup_teardown(links_out_of_the_file_are_refused, make_path, drop_path),
        cmocka_unit_test_setup_teardown(data_kept_elsewhere_or_claimed_only_are_refused, make_path,
                                        drop_path),
        cmocka_unit_test_setup_teardown(a_file_cut_short_is_refused, make_path, drop_path),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
