/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data sets in files that name no arrays: IDX (MNIST), CIFAR's records, tokens, text. */
#define ZLIB_CONST
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data.h"
#include "file.h"

enum { HEAD = 16 };

/* ---- IDX: yann.lecun.com/exdb/mnist, "the IDX file format" ------------------------------------
 */

static enum tw_dtype idx_type(unsigned char code)
{
    static const struct {
        unsigned char code;
        enum tw_dtype type;
    } types[] = { { 0x08, TW_U8 },  { 0x09, TW_I8 },  { 0x0b, TW_I16 },
                  { 0x0c, TW_I32 }, { 0x0d, TW_F32 }, { 0x0e, TW_F64 } };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].code == code)
            return types[i].type;
    return TW_NONE;
}

bool data_is_idx(const unsigned char *head, size_t n)
{
    return n >= 8 && !head[0] && !head[1] && idx_type(head[2]) != TW_NONE && head[3] >= 1 &&
           head[3] <= TW_MAX_RANK;
}

char *data_idx_labels(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const char *images = strstr(base, "images"), *three = images ? strstr(images, "idx3") : NULL;
    struct tw_str s = { 0 };
    struct stat st;

    if (!three)
        return NULL;
    tw_str_addn(&s, path, (size_t)(images - path));
    tw_str_add(&s, "labels");
    tw_str_addn(&s, images + 6, (size_t)(three - images) - 6);
    tw_str_addf(&s, "idx1%s", three + 4);
    if (s.failed || stat(s.s, &st) != 0 || !S_ISREG(st.st_mode))
        tw_str_release(&s);
    return s.s;
}

/* From a stream that may be packed. */
static enum tw_status get(gzFile f, void *to, size_t n, struct tw_err *err)
{
    char *p = to;

    while (n > 0) {
        const int got = gzread(f, p, n < 1 << 30 ? (unsigned)n : 1u << 30);
        int code;

        if (got < 0)
            return tw_err_set(err, TW_EFORMAT, "%s; copy the file again", gzerror(f, &code));
        if (got == 0)
            return tw_err_set(err, TW_EFORMAT, "the file ends early; copy it again");
        p += got;
        n -= (size_t)got;
    }
    return TW_OK;
}

/* Numbers in files are big-endian. */
static void swap(struct tw_array *a)
{
    const size_t size = tw_dtype_size(a->dtype);
    unsigned char *p = a->data;

    for (size_t i = 0; i < a->n && size > 1; i++, p += size)
        for (size_t k = 0; k < size / 2; k++) {
            const unsigned char byte = p[k];

            p[k] = p[size - 1 - k];
            p[size - 1 - k] = byte;
        }
}

static enum tw_status read_idx_stream(gzFile f, uint64_t size, struct tw_array *a,
                                      struct tw_err *err)
{
    unsigned char head[4 + 4 * TW_MAX_RANK], more;
    const bool packed = !gzdirect(f);
    size_t dims[TW_MAX_RANK] = { 0 };
    enum tw_dtype type;
    uint64_t bytes;
    int rank;
    enum tw_status rc = get(f, head, 4, err);

    if (rc != TW_OK)
        return rc;
    type = idx_type(head[2]);
    rank = head[3];
    if (head[0] || head[1] || type == TW_NONE || rank < 1 || rank > TW_MAX_RANK)
        return tw_err_set(err, TW_EFORMAT,
                          "it is packed with gzip and does not hold an IDX file; unpack it first "
                          "(gunzip)");
    rc = get(f, head + 4, 4 * (size_t)rank, err);
    bytes = tw_dtype_size(type);
    for (int i = 0; i < rank && rc == TW_OK; i++) {
        const unsigned char *p = head + 4 + 4 * i;

        dims[i] = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (dims[i] && bytes > UINT64_MAX / 4 / dims[i])
            return tw_err_set(err, TW_EFORMAT, "its header says more numbers than can be");
        bytes *= dims[i];
    }
    /* Deflate makes at most 1032 bytes of one. */
    if (rc == TW_OK && (packed ? bytes / 1032 > size : bytes != size - 4 - 4 * (uint64_t)rank))
        rc = tw_err_set(err, TW_EFORMAT,
                        "its header says %llu bytes of numbers, which %llu %sbytes do not hold; "
                        "copy the file again",
                        (unsigned long long)bytes, (unsigned long long)size,
                        packed ? "packed " : "");
    if (rc == TW_OK)
        rc = tw_array_make(a, type, rank, dims, err);
    if (rc == TW_OK)
        rc = get(f, a->data, (size_t)bytes, err);
    if (rc == TW_OK && gzread(f, &more, 1) != 0)
        rc = tw_err_set(err, TW_EFORMAT,
                        "there are more bytes than its header says, or its "
                        "checksum is wrong; copy the file again");
    if (rc == TW_OK)
        swap(a);
    else
        tw_array_release(a);
    return rc;
}

enum tw_status data_read_idx(const char *path, struct tw_array *a, struct tw_err *err)
{
    uint64_t size;
    int fd = tw_file_open(path, &size, err);
    gzFile f = fd < 0 ? NULL : gzdopen(fd, "rb");
    enum tw_status rc;

    if (fd < 0)
        return TW_EIO;
    if (!f) {
        (void)close(fd);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    rc = read_idx_stream(f, size, a, err);
    /* A stream that stops before its checksum is seen at the end alone. */
    if (gzclose(f) != Z_OK && rc == TW_OK) {
        rc = tw_err_set(err, TW_EFORMAT, "the file ends early; copy it again");
        tw_array_release(a);
    }
    return rc;
}

/* ---- CIFAR's binary version: www.cs.toronto.edu/~kriz/cifar.html ------------------------------
 */

enum { PICTURE = 3 * 32 * 32, BLOCK = 64 };

/* Bytes of labels before each picture; 0: another kind of file. */
static size_t cifar_labels(int fd, uint64_t size)
{
    for (size_t labels = 1; labels <= 2 && size > 0; labels++) {
        const size_t each = labels + PICTURE;
        const unsigned most[2] = { labels == 1 ? 10 : 20, 100 };
        bool good = size % each == 0;
        unsigned char y[2];

        for (uint64_t at = 0; good && at < size; at += each) {
            good = tw_file_read(fd, at, y, labels, NULL) == TW_OK;
            for (size_t k = 0; k < labels; k++)
                good = good && y[k] < most[k];
        }
        if (good)
            return labels;
    }
    return 0;
}

/* The records of one file go to rows from `row` on. */
static enum tw_status read_records(int fd, uint64_t size, size_t labels, struct tw_array *x,
                                   struct tw_array *y, size_t row, struct tw_err *err)
{
    const size_t each = labels + PICTURE, n = (size_t)(size / each);
    unsigned char *block = tw_alloc(BLOCK, each), *px = x->data, *py = y->data;
    enum tw_status rc = block ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");

    for (size_t i = 0; i < n && rc == TW_OK; i += BLOCK) {
        const size_t k = n - i < BLOCK ? n - i : BLOCK;

        rc = tw_file_read(fd, (uint64_t)i * each, block, k * each, err);
        for (size_t j = 0; j < k && rc == TW_OK; j++) {
            py[row + i + j] = block[j * each + labels - 1]; /* the fine one of two */
            memcpy(px + (row + i + j) * PICTURE, block + j * each + labels, PICTURE);
        }
    }
    free(block);
    return rc;
}

struct files {
    size_t n;
    struct file {
        char *path;
        int fd, split;
        uint64_t size;
        size_t labels;
    } * v;
};

static void release(struct files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->v[i].fd >= 0)
            (void)close(f->v[i].fd);
        free(f->v[i].path);
    }
    free(f->v);
}

static enum tw_status read_cifar(struct files *f, struct data_parts *p, struct tw_err *err)
{
    size_t n = 0, row = 0, dims[4] = { 0, 3, 32, 32 };
    enum tw_status rc;

    for (size_t i = 0; i < f->n; i++)
        n += (size_t)(f->v[i].size / (f->v[i].labels + PICTURE));
    dims[0] = n;
    rc = tw_array_make(&p->x, TW_U8, 4, dims, err);
    if (rc == TW_OK)
        rc = tw_array_make(&p->y, TW_U8, 1, dims, err);
    if (rc == TW_OK)
        rc = tw_array_make(&p->split, TW_U8, 1, dims, err);
    for (size_t i = 0; i < f->n && rc == TW_OK; i++) {
        const size_t k = (size_t)(f->v[i].size / (f->v[i].labels + PICTURE));

        rc = read_records(f->v[i].fd, f->v[i].size, f->v[i].labels, &p->x, &p->y, row, err);
        memset((unsigned char *)p->split.data + row, f->v[i].split, k);
        row += k;
        tw_str_addf(&p->files, "%s\n", f->v[i].path);
    }
    if (rc == TW_OK && p->files.failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

/* 0 train, 1 test, -1 neither. */
static int split_of(const char *name)
{
    if (!tw_str_ends(name, ".bin"))
        return -1;
    if (!strncmp(name, "data_batch_", 11) || !strcmp(name, "train.bin"))
        return 0;
    return !strcmp(name, "test_batch.bin") || !strcmp(name, "test.bin") ? 1 : -1;
}

static enum tw_status add_file(struct files *f, size_t *cap, const char *folder, const char *name,
                               struct tw_err *err)
{
    struct file file = { .fd = -1, .split = split_of(name) };
    struct tw_str path = { 0 };

    tw_str_addf(&path, "%s/%s", folder, name);
    if (path.failed || !tw_grow(&f->v, f->n, cap, sizeof *f->v)) {
        tw_str_release(&path);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    file.path = path.s;
    f->v[f->n++] = file;
    return TW_OK;
}

static enum tw_status list_folder(const char *path, const char *split, struct files *f,
                                  struct tw_err *err)
{
    const int want = split ? data_split_number(split) : -1;
    struct dirent *e;
    enum tw_status rc = TW_OK;
    DIR *d = opendir(path);
    size_t cap = 0;

    if (!d)
        return tw_err_set(err, TW_EIO, "%s", strerror(errno));
    /* cppcheck-suppress readdirCalled ; the folder is this call's alone */
    while (rc == TW_OK && (e = readdir(d)) != NULL)
        if (split_of(e->d_name) >= 0 && (want < 0 || want == split_of(e->d_name)))
            rc = add_file(f, &cap, path, e->d_name, err);
    (void)closedir(d);
    if (f->n)
        qsort(f->v, f->n, sizeof *f->v, by_path);
    return rc;
}

enum tw_status data_read_folder(const char *path, const char *split, struct data_parts *p,
                                struct tw_err *err)
{
    struct files f = { 0 };
    enum tw_status rc = list_folder(path, split, &f, err);

    for (size_t i = 0; i < f.n && rc == TW_OK; i++) {
        f.v[i].fd = tw_file_open(f.v[i].path, &f.v[i].size, err);
        f.v[i].labels = f.v[i].fd < 0 ? 0 : cifar_labels(f.v[i].fd, f.v[i].size);
        if (f.v[i].fd < 0)
            rc = TW_EIO;
        else if (!f.v[i].labels || f.v[i].labels != f.v[0].labels)
            rc = tw_err_set(err, TW_EFORMAT, "%s does not hold CIFAR's records", f.v[i].path);
    }
    if (rc == TW_OK && f.n == 0)
        rc = tw_err_set(err, TW_EFORMAT,
                        "a folder without CIFAR's files (data_batch_1.bin ..., test_batch.bin); "
                        "pictures in a folder are put into arrays first, in Python: "
                        "numpy.savez('data.npz', x=numpy.stack(pictures), y=labels)");
    if (rc == TW_OK)
        rc = read_cifar(&f, p, err);
    release(&f);
    return rc;
}

/* ---- tokens and text ---------------------------------------------------------------------------
 */

enum tw_status data_refuse_stream(struct tw_err *err)
{
    return tw_err_set(err, TW_EINVAL,
                      "tokens and text have no split, labels or scale of their own");
}

static enum tw_status read_stream(int fd, uint64_t from, uint64_t size, enum tw_dtype type,
                                  struct data_parts *p, struct tw_err *err)
{
    const uint64_t each = tw_dtype_size(type);
    const size_t n = (size_t)((size - from) / each);
    enum tw_status rc;

    if (!p->whole)
        return data_refuse_stream(err);
    if ((size - from) % each)
        return tw_err_set(err, TW_EFORMAT, "tokens of %llu bytes do not fill %llu bytes",
                          (unsigned long long)each, (unsigned long long)(size - from));
    if (n < 2)
        return tw_err_set(err, TW_EFORMAT, "it holds %zu token%s", n, tw_plural(n));
    rc = tw_array_make(&p->x, type, 1, &n, err);
    if (rc == TW_OK)
        rc = tw_file_read(fd, from, p->x.data, n * (size_t)each, err);
    p->stream = rc == TW_OK;
    return rc;
}

/* llm.c's: 256 int32, of which the first are a magic number, a version, and the count of tokens
 * (llm.c, dev/data/data_common.py). */
static enum tw_status read_llmc(int fd, uint64_t size, struct data_parts *p, struct tw_err *err)
{
    uint32_t head[3];
    enum tw_dtype type;
    enum tw_status rc = tw_file_read(fd, 0, head, sizeof head, err);

    if (rc != TW_OK)
        return rc;
    type = head[0] == 20240801 ? TW_U32 : TW_U16;
    if (size < 1024 || (size - 1024) / tw_dtype_size(type) != head[2])
        return tw_err_set(err, TW_EFORMAT,
                          "its header says %lu tokens, but there are %llu bytes; copy it again",
                          (unsigned long)head[2], (unsigned long long)size);
    return read_stream(fd, 1024, size, type, p, err);
}

bool data_is_llmc(const unsigned char *head, size_t n)
{
    uint32_t magic[2] = { 0 };

    if (n >= sizeof magic)
        memcpy(magic, head, sizeof magic);
    return (magic[0] == 20240520 || magic[0] == 20240801) && magic[1] < 100;
}

/* ---- which one
 * ----------------------------------------------------------------------------------- */

enum plain { TEXT, LLMC, TOKENS, CIFAR, UNKNOWN };

static enum plain kind_of(const char *path, enum data_as as, const unsigned char *head, size_t n,
                          struct file *f)
{
    const bool bin = tw_str_ends(path, ".bin");

    if (as == DATA_TEXT || (as == DATA_ANY && tw_str_ends(path, ".txt")))
        return TEXT;
    if (data_is_llmc(head, n))
        return LLMC;
    if (as == DATA_ANY && bin)
        f->labels = cifar_labels(f->fd, f->size);
    if (f->labels)
        return CIFAR;
    return bin || as == DATA_TOKENS ? TOKENS : UNKNOWN;
}

static enum tw_status read_as(enum plain kind, struct files *f, bool *known, struct data_parts *p,
                              struct tw_err *err)
{
    const int fd = f->v[0].fd;
    const uint64_t size = f->v[0].size;
    enum tw_status rc;

    switch (kind) {
    case TEXT:
        return read_stream(fd, 0, size, TW_U8, p, err);
    case LLMC:
        return read_llmc(fd, size, p, err);
    case TOKENS:
        return read_stream(fd, 0, size, TW_U16, p, err);
    case CIFAR:
        rc = read_cifar(f, p, err);
        tw_array_release(&p->split); /* a single file has none */
        tw_str_clear(&p->files);
        return rc;
    case UNKNOWN:
        break;
    }
    *known = false;
    return TW_OK;
}

enum tw_status data_read_plain(const char *path, enum data_as as, bool *known, struct data_parts *p,
                               struct tw_err *err)
{
    struct files f = { .n = 1, .v = tw_alloc(1, sizeof *f.v) };
    unsigned char head[HEAD] = { 0 };
    uint64_t size = 0;
    enum tw_status rc = TW_OK;
    int fd;

    *known = true;
    if (!f.v)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    fd = f.v[0].fd = tw_file_open(path, &size, err);
    f.v[0].size = size;
    f.v[0].path = tw_strdup(path);
    if (fd < 0)
        rc = TW_EIO;
    else if (!f.v[0].path)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = tw_file_read(fd, 0, head, size < HEAD ? (size_t)size : HEAD, err);
    if (rc == TW_OK)
        rc = read_as(kind_of(path, as, head, size < HEAD ? (size_t)size : HEAD, &f.v[0]), &f, known,
                     p, err);
    release(&f);
    return rc;
}
