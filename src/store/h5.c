/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "h5.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "thalweg/store_result.h"

void tw_h5_close(hid_t id)
{
    if (id >= 0)
        (void)H5Idec_ref(id);
}

/* ---- errors --------------------------------------------------------------------------- */

struct reason {
    char text[200];
    bool memory;
};

/* The first entry of an upward walk is the innermost one; the others only say which calls it
 * went through. */
static herr_t innermost(unsigned n, const H5E_error2_t *e, void *ctx)
{
    struct reason *why = ctx;

    if (n == 0) {
        (void)snprintf(why->text, sizeof why->text, "%s", e->desc ? e->desc : "");
        why->memory = e->maj_num == H5E_RESOURCE && e->min_num == H5E_NOSPACE;
    }
    return 0;
}

/* Drivers append times, addresses and offsets to their messages: what the system said is
 * enough, and is the same in every run. */
static void tidy(struct reason *why)
{
    static const char mark[] = "error message = '";
    unsigned long long have, want;
    char *p = strstr(why->text, mark), *q;

    /* NOLINTNEXTLINE(cert-err34-c): HDF5 wrote the numbers, and they are only shown */
    if (sscanf(why->text, "truncated file: eof = %llu, sblock->base_addr = %*u, stored_eof = %llu",
               &have, &want) == 2) {
        (void)snprintf(why->text, sizeof why->text,
                       "the file is cut short, copy it again: %llu bytes of %llu are there", have,
                       want);
        return;
    }
    if (!p)
        return;
    p += sizeof mark - 1;
    q = strchr(p, '\'');
    if (q)
        *q = '\0';
    memmove(why->text, p, strlen(p) + 1);
}

enum tw_status tw_h5_fail(struct tw_err *err, enum tw_status code, const char *fmt, ...)
{
    struct reason why = { { 0 }, false };
    char head[400];
    va_list ap;

    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &why);
    (void)H5Eclear2(H5E_DEFAULT);
    tidy(&why);
    va_start(ap, fmt);
    (void)vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    if (why.memory)
        code = TW_ENOMEM;
    return tw_err_set(err, code, "%s: %s", head, why.text[0] ? why.text : "HDF5 gave no reason");
}

/* ---- types and files ------------------------------------------------------------------ */

hid_t tw_h5_text_type(size_t n)
{
    hid_t t = H5Tcopy(H5T_C_S1);

    if (t < 0)
        return t;
    if (H5Tset_size(t, n ? n : H5T_VARIABLE) < 0 || H5Tset_cset(t, H5T_CSET_UTF8) < 0 ||
        (n && H5Tset_strpad(t, H5T_STR_NULLPAD) < 0)) {
        tw_h5_close(t);
        return -1;
    }
    return t;
}

/* A float of 16 bits: sign, exponent, mantissa without its first bit (IEEE 754). */
static hid_t half_type(size_t exponent, size_t bias)
{
    hid_t t = H5Tcopy(H5T_IEEE_F32LE);

    if (t >= 0 && (H5Tset_fields(t, 15, 15 - exponent, exponent, 0, 15 - exponent) < 0 ||
                   H5Tset_size(t, 2) < 0 || H5Tset_ebias(t, bias) < 0)) {
        tw_h5_close(t);
        return -1;
    }
    return t;
}

static hid_t bool_type(void)
{
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    const signed char no = 0, yes = 1;

    if (t >= 0 && (H5Tenum_insert(t, "FALSE", &no) < 0 || H5Tenum_insert(t, "TRUE", &yes) < 0)) {
        tw_h5_close(t);
        return -1;
    }
    return t;
}

bool tw_h5_is_bool(hid_t type)
{
    hid_t t = bool_type();
    bool same = t >= 0 && H5Tequal(t, type) > 0;

    tw_h5_close(t);
    return same;
}

hid_t tw_h5_element_type(enum tw_dtype t)
{
    const hid_t types[TW_NDTYPES] = {
        [TW_NONE] = -1,           [TW_F32] = H5T_IEEE_F32LE, [TW_F64] = H5T_IEEE_F64LE,
        [TW_I8] = H5T_STD_I8LE,   [TW_I16] = H5T_STD_I16LE,  [TW_I32] = H5T_STD_I32LE,
        [TW_I64] = H5T_STD_I64LE, [TW_U8] = H5T_STD_U8LE,    [TW_U16] = H5T_STD_U16LE,
        [TW_U32] = H5T_STD_U32LE, [TW_U64] = H5T_STD_U64LE
    };

    return t == TW_F16    ? half_type(5, 15)
           : t == TW_BF16 ? half_type(8, 127)
           : t == TW_BOOL ? bool_type()
           : t == TW_NONE ? -1
                          : H5Tcopy(types[t]);
}

hid_t tw_h5_access(bool writing)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    bool good;

    if (fapl < 0)
        return fapl;
    good = H5Pset_libver_bounds(fapl, writing ? H5F_LIBVER_V18 : H5F_LIBVER_EARLIEST,
                                writing ? H5F_LIBVER_V18 : H5F_LIBVER_LATEST) >= 0 &&
           H5Pset_fclose_degree(fapl, H5F_CLOSE_SEMI) >= 0;
#if H5_VERSION_GE(1, 10, 7)
    /* Network file systems without locks are common where training runs. */
    good = good && H5Pset_file_locking(fapl, true, true) >= 0;
#endif
    if (!good) {
        tw_h5_close(fapl);
        return -1;
    }
    return fapl;
}

/* HDF5's signature is at byte 0, 512, 1024, 2048 ...: a user block may come first. */
bool tw_h5_signature(int fd)
{
    static const char magic[8] = "\211HDF\r\n\032\n";
    char seen[sizeof magic];

    for (off_t at = 0; at < (off_t)1 << 30; at = at ? 2 * at : 512) {
        if (pread(fd, seen, sizeof seen, at) != (ssize_t)sizeof seen)
            return false;
        if (!memcmp(seen, magic, sizeof seen))
            return true;
    }
    return false;
}

bool tw_is_hdf5(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool yes = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && tw_h5_signature(fd);

    if (fd >= 0)
        (void)close(fd);
    return yes;
}

/* ---- guards --------------------------------------------------------------------------- */

/* Overflow counts as too large. */
static bool too_large(const hsize_t *dims, int rank, size_t size, uint64_t file_size)
{
    const uint64_t small = UINT64_C(4) << 20, ratio = 2000;
    uint64_t n = size;

    for (int i = 0; i < rank; i++) {
        if (dims[i] && n > UINT64_MAX / dims[i])
            return true;
        n *= dims[i];
    }
    return n > small && n / ratio > file_size;
}

static const char *refused_layout(hid_t plist, size_t size, uint64_t file_size, char buf[TW_H5_WHY])
{
    hsize_t dims[H5S_MAX_RANK];
    H5D_layout_t layout = H5Pget_layout(plist);
    int n = H5Pget_nfilters(plist);

    if (layout == H5D_VIRTUAL)
        return "it is a virtual data set, which is not followed";
    if (H5Pget_external_count(plist) != 0)
        return "its numbers are in another file, which is not opened";
    if (layout == H5D_CHUNKED) {
        int rank = H5Pget_chunk(plist, H5S_MAX_RANK, dims);

        if (rank < 0 || too_large(dims, rank, size, file_size))
            return "its chunks declare far more than the file can hold";
    }
    for (int i = 0; i < n; i++) {
        unsigned flags = 0;
        size_t nvalues = 0;
        H5Z_filter_t f = H5Pget_filter2(plist, (unsigned)i, &flags, &nvalues, NULL, 0, NULL, NULL);

        if (f != H5Z_FILTER_DEFLATE && f != H5Z_FILTER_SHUFFLE && f != H5Z_FILTER_FLETCHER32) {
            (void)snprintf(buf, TW_H5_WHY, "it is packed by filter %d, which is not known", (int)f);
            return buf;
        }
        if (H5Zfilter_avail(f) <= 0) {
            (void)snprintf(buf, TW_H5_WHY, "it is packed by filter %d, which this HDF5 lacks",
                           (int)f);
            return buf;
        }
    }
    return n < 0 ? "its filters cannot be read" : NULL;
}

const char *tw_h5_refused(hid_t dataset, uint64_t file_size, char buf[TW_H5_WHY])
{
    hsize_t dims[H5S_MAX_RANK];
    hid_t plist = H5Dget_create_plist(dataset), type = H5Dget_type(dataset), space = -1;
    size_t size = type < 0 ? 0 : H5Tget_size(type);
    const char *why = "its description is damaged";
    int rank;

    if (plist < 0 || size == 0)
        goto out;
    why = refused_layout(plist, size, file_size, buf);
    if (why)
        goto out;
    why = "its shape cannot be read";
    space = H5Dget_space(dataset);
    rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
    if (rank < 0)
        goto out;
    why = NULL;
    if (too_large(dims, rank, size, file_size)) {
        (void)snprintf(buf, TW_H5_WHY, "it declares far more than a file of %llu bytes can hold",
                       (unsigned long long)file_size);
        why = buf;
    }
out:
    (void)H5Eclear2(H5E_DEFAULT);
    tw_h5_close(space);
    tw_h5_close(type);
    tw_h5_close(plist);
    return why;
}

const char *tw_h5_type_name(hid_t type, char buf[TW_H5_TYPE])
{
    int bits = (int)(8 * H5Tget_size(type));

    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        (void)snprintf(buf, TW_H5_TYPE, "float%d", bits);
        return buf;
    case H5T_INTEGER:
        (void)snprintf(buf, TW_H5_TYPE, "%sint%d", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "",
                       bits);
        return buf;
    case H5T_STRING:
        return "text";
    case H5T_COMPOUND:
        return "compound";
    case H5T_ENUM:
        return "enum";
    case H5T_VLEN:
        return "list";
    case H5T_ARRAY:
        return "array";
    case H5T_OPAQUE:
        return "opaque";
    case H5T_REFERENCE:
        return "reference";
    case H5T_BITFIELD:
        return "bits";
    case H5T_TIME:
        return "time";
    case H5T_NO_CLASS:
    case H5T_NCLASSES:
        break;
    }
    return "unknown";
}
