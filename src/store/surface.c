/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Surfaces for other programs: HDF5, VTK, CSV. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"
#include "thalweg/store_surface.h"
#include "thalweg/tensor.h"

/* Put bytes under a name, all or nothing. */
static enum tw_status write_bytes(const char *path, bool force, const void *bytes, size_t n,
                                  struct tw_err *err)
{
    char *target = NULL;
    enum tw_status rc = tw_publish_check(path, force, &target, err);

    if (rc == TW_OK)
        rc = tw_publish(path, target, force, bytes, n, err);
    free(target);
    return rc;
}

static enum tw_status write_text(const char *path, bool force, struct tw_str *t, struct tw_err *err)
{
    enum tw_status rc = t->failed ? tw_err_set(err, TW_ENOMEM, "%s: out of memory", path)
                                  : write_bytes(path, force, t->s, t->n, err);

    tw_str_release(t);
    return rc;
}

/* ---- HDF5 ---------------------------------------------------------------------------------- */

static bool put_reals(hid_t file, const char *name, int rank, const size_t *dims, const double *x)
{
    hsize_t h[2] = { dims[0], rank > 1 ? dims[1] : 1 };
    hid_t space = H5Screate_simple(rank, h, NULL), set = -1;
    bool good = false;

    if (space >= 0)
        set = H5Dcreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (set >= 0)
        good = H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0;
    tw_h5_close(set);
    tw_h5_close(space);
    return good;
}

/* What is not finite counts as not computed there. */
static bool put_column(hid_t file, const struct tw_surface_table *t, size_t column)
{
    const size_t n = t->nx * t->ny, dims[2] = { t->ny, t->nx };
    double *x = tw_alloc(n, sizeof *x);
    bool good = x != NULL;

    for (size_t i = 0; good && i < n; i++)
        x[i] = isfinite(t->value[column][i]) ? t->value[column][i] : -1.0;
    good = good && put_reals(file, t->name[column], t->y ? 2 : 1, t->y ? dims : dims + 1, x);
    free(x);
    return good;
}

/* Of variable length, as h5py writes str. */
static bool put_text(hid_t file, const char *name, const char *text)
{
    hid_t type = tw_h5_text_type(0), space = H5Screate(H5S_SCALAR), set = -1;
    bool good = false;

    if (type >= 0 && space >= 0)
        set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (set >= 0)
        good = H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text) >= 0;
    tw_h5_close(set);
    tw_h5_close(space);
    tw_h5_close(type);
    return good;
}

static bool fill(hid_t file, const struct tw_surface_table *t, const char *dir_file)
{
    bool good = put_text(file, "dir_file", dir_file) &&
                put_reals(file, "xcoordinates", 1, &t->nx, t->x) &&
                (!t->y || put_reals(file, "ycoordinates", 1, &t->ny, t->y));

    for (size_t k = 0; good && k < t->n; k++)
        good = put_column(file, t, k);
    return good && H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
}

/* The oldest format, which has no checksums: an image of an open file is a whole file then. */
static hid_t new_image(const char *path)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), file = -1;
    struct tw_str name = { 0 };

    /* Even in memory the library looks for a file of the name: this one cannot be. */
    tw_str_addf(&name, "%s/in memory", path);
    if (!name.failed && fapl >= 0 && H5Pset_fapl_core(fapl, (size_t)1 << 18, false) >= 0)
        file = H5Fcreate(name.s, H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    tw_str_release(&name);
    tw_h5_close(fapl);
    return file;
}

/* What an open image holds, under its name; closes it. */
static enum tw_status publish_image(hid_t file, bool good, const char *path, bool force,
                                    struct tw_err *err)
{
    void *image = NULL;
    ssize_t n = -1;
    enum tw_status rc;

    if (good)
        n = H5Fget_file_image(file, NULL, 0);
    if (n > 0)
        image = tw_alloc((size_t)n, 1);
    if (image && H5Fget_file_image(file, image, (size_t)n) == n)
        rc = write_bytes(path, force, image, (size_t)n, err);
    else
        rc = tw_h5_fail(err, TW_EIO, "%s", path);
    tw_h5_close(file);
    free(image);
    return rc;
}

enum tw_status tw_surface_write_hdf5(const char *path, bool force, const struct tw_surface_table *t,
                                     const char *dir_file, struct tw_err *err)
{
    hid_t file;

    if (t->y && t->nx != t->ny)
        return tw_err_set(err, TW_EINVAL,
                          "%s: loss-landscape's files of %zu x %zu points are ambiguous (they "
                          "declare the other shape); only square planes are written for it",
                          path, t->nx, t->ny);
    file = new_image(path);
    return publish_image(file, file >= 0 && fill(file, t, dir_file), path, force, err);
}

/* Tensor k of a direction, under its number. */
static bool put_tensor(hid_t group, size_t k, const struct tw_direction_tensor *t, const float *x)
{
    hsize_t h[TW_MAX_RANK] = { 0 };
    hid_t space, set = -1;
    char name[24];
    bool good = false;

    for (int d = 0; d < t->rank; d++)
        h[d] = t->dims[d];
    (void)snprintf(name, sizeof name, "%zu", k);
    space = t->rank ? H5Screate_simple(t->rank, h, NULL) : H5Screate(H5S_SCALAR);
    if (space >= 0)
        set = H5Dcreate2(group, name, H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (set >= 0)
        good = H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x + t->offset) >= 0;
    tw_h5_close(set);
    tw_h5_close(space);
    return good;
}

enum tw_status tw_directions_write(const char *path, bool force, size_t ntensor,
                                   const struct tw_direction_tensor *tensor, size_t n,
                                   const float *const *direction, struct tw_err *err)
{
    static const char *const group[] = { "xdirection", "ydirection" };
    const hid_t file = new_image(path);
    bool good = file >= 0;

    for (size_t a = 0; good && a < n; a++) {
        const hid_t g = H5Gcreate2(file, group[a], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

        good = g >= 0;
        for (size_t k = 0; good && k < ntensor; k++)
            good = put_tensor(g, k, &tensor[k], direction[a]);
        tw_h5_close(g);
    }
    good = good && H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0;
    return publish_image(file, good, path, force, err);
}

/* ---- VTK ------------------------------------------------------------------------------------- */

struct array {
    struct tw_str *out;
    size_t each, n; /* numbers a line; numbers so far */
};

static void begin(struct array *a, const char *type, const char *name, int components, double lo,
                  double hi)
{
    a->n = 0;
    tw_str_addf(a->out, "        <DataArray type=\"%s\" Name=\"%s\"", type, name);
    if (components)
        tw_str_addf(a->out, " NumberOfComponents=\"%d\"", components);
    tw_str_addf(a->out, " format=\"ascii\" RangeMin=\"%.9g\" RangeMax=\"%.9g\">\n", lo, hi);
}

static void number(struct array *a, double x)
{
    tw_str_addf(a->out, "%s%.9g", a->n % a->each ? " " : "          ", x);
    if (++a->n % a->each == 0)
        tw_str_add(a->out, "\n");
}

static void end(struct array *a)
{
    tw_str_addf(a->out, "%s        </DataArray>\n", a->n % a->each ? "\n" : "");
}

static double height(const struct tw_surface_table *t, size_t i)
{
    return isfinite(t->value[0][i]) ? t->value[0][i] : 0.0;
}

static double mean(const struct tw_surface_table *t, size_t cell)
{
    const size_t i = cell / (t->nx - 1) * t->nx + cell % (t->nx - 1);

    return (height(t, i) + height(t, i + 1) + height(t, i + t->nx) + height(t, i + t->nx + 1)) /
           4.0;
}

static void values(struct array *a, const struct tw_surface_table *t, size_t cells)
{
    const size_t n = t->nx * t->ny;
    double lo[2] = { HUGE_VAL, HUGE_VAL }, hi[2] = { -HUGE_VAL, -HUGE_VAL };

    for (size_t i = 0; i < n; i++) {
        lo[0] = fmin(lo[0], height(t, i));
        hi[0] = fmax(hi[0], height(t, i));
    }
    for (size_t c = 0; c < cells; c++) {
        lo[1] = fmin(lo[1], mean(t, c));
        hi[1] = fmax(hi[1], mean(t, c));
    }
    tw_str_add(a->out, "      <PointData>\n");
    a->each = 6;
    begin(a, "Float32", "zvalue", 1, lo[0], hi[0]);
    for (size_t i = 0; i < n; i++)
        number(a, height(t, i));
    end(a);
    tw_str_add(a->out, "      </PointData>\n      <CellData>\n");
    begin(a, "Float32", "averaged zvalue", 1, lo[1], hi[1]);
    for (size_t c = 0; c < cells; c++)
        number(a, mean(t, c));
    end(a);
    tw_str_add(a->out, "      </CellData>\n      <Points>\n");
    begin(a, "Float32", "Points", 3, fmin(fmin(t->x[0], t->y[0]), lo[0]),
          fmax(fmax(t->x[t->nx - 1], t->y[t->ny - 1]), hi[0]));
    for (size_t i = 0; i < n; i++) {
        number(a, t->x[i % t->nx]);
        number(a, t->y[i / t->nx]);
        number(a, height(t, i));
    }
    end(a);
    tw_str_add(a->out, "      </Points>\n");
}

static void shapes(struct array *a, const struct tw_surface_table *t, size_t cells)
{
    static const char *const empty[] = { "Verts", "Lines", "Strips" };
    const double most = (double)cells;

    for (size_t k = 0; k < 3; k++) {
        tw_str_addf(a->out, "      <%s>\n", empty[k]);
        begin(a, "Int64", "connectivity", 0, 0.0, most - 1.0);
        end(a);
        begin(a, "Int64", "offsets", 0, 1.0, most);
        end(a);
        tw_str_addf(a->out, "      </%s>\n", empty[k]);
    }
    tw_str_add(a->out, "      <Polys>\n");
    a->each = 8;
    begin(a, "Int64", "connectivity", 0, 0.0, most - 1.0);
    for (size_t c = 0; c < cells; c++) {
        const size_t i = c / (t->nx - 1) * t->nx + c % (t->nx - 1);

        number(a, (double)i);
        number(a, (double)(i + 1));
        number(a, (double)(i + t->nx + 1));
        number(a, (double)(i + t->nx));
    }
    end(a);
    a->each = 6;
    begin(a, "Int64", "offsets", 0, 1.0, most);
    for (size_t c = 0; c < cells; c++)
        number(a, 4.0 * (double)(c + 1));
    end(a);
    tw_str_add(a->out, "      </Polys>\n");
}

enum tw_status tw_surface_write_vtp(const char *path, bool force, const struct tw_surface_table *t,
                                    struct tw_err *err)
{
    struct tw_str s = { 0 };
    struct array a = { .out = &s };
    const size_t cells = t->y ? (t->nx - 1) * (t->ny - 1) : 0;

    if (!t->y)
        return tw_err_set(err, TW_EINVAL, "%s: a line has no surface for VTK", path);
    tw_str_add(&s, "<VTKFile type=\"PolyData\" version=\"1.0\" byte_order=\"LittleEndian\" "
                   "header_type=\"UInt64\">\n  <PolyData>\n");
    tw_str_addf(&s,
                "    <Piece NumberOfPoints=\"%zu\" NumberOfVerts=\"0\" NumberOfLines=\"0\" "
                "NumberOfStrips=\"0\" NumberOfPolys=\"%zu\">\n",
                t->nx * t->ny, cells);
    values(&a, t, cells);
    shapes(&a, t, cells);
    tw_str_add(&s, "    </Piece>\n  </PolyData>\n</VTKFile>\n");
    return write_text(path, force, &s, err);
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void cell(struct tw_str *s, double x)
{
    tw_str_add(s, ",");
    if (isfinite(x))
        tw_str_addf(s, "%.17g", x);
}

enum tw_status tw_surface_write_csv(const char *path, bool force, const struct tw_surface_table *t,
                                    struct tw_err *err)
{
    struct tw_str s = { 0 };

    tw_str_add(&s, t->y ? "x,y" : "x");
    for (size_t k = 0; k < t->n; k++)
        tw_str_addf(&s, strchr(t->name[k], ',') ? ",\"%s\"" : ",%s", t->name[k]);
    tw_str_add(&s, "\n");
    for (size_t i = 0; i < t->nx * t->ny; i++) {
        tw_str_addf(&s, "%.17g", t->x[i % t->nx]);
        if (t->y)
            cell(&s, t->y[i / t->nx]);
        for (size_t k = 0; k < t->n; k++)
            cell(&s, t->value[k][i]);
        tw_str_add(&s, "\n");
    }
    return write_text(path, force, &s, err);
}
