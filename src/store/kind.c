/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind.h"

#include <string.h>
#include <unistd.h>

#include "h5.h"
#include "thalweg/store_net.h"
#include "thalweg/store_weights.h"

enum { HEAD = 64 };

enum tw_kind tw_kind_of(const unsigned char *head, size_t n)
{
    if (n >= 8 && !memcmp(head, "\211HDF\r\n\032\n", 8))
        return TW_KIND_HDF5;
    if (n >= 4 && (!memcmp(head, "PK\3\4", 4) || !memcmp(head, "PK\5\6", 4)))
        return TW_KIND_ZIP;
    if (n >= 6 && !memcmp(head, "\x93NUMPY", 6))
        return TW_KIND_NPY;
    /* Field 1 of a model, a number: its version of the format. All writers put it first. */
    if (n >= 2 && head[0] == 0x08 && head[1] > 0 && head[1] < 64)
        return TW_KIND_ONNX;
    return TW_KIND_OTHER;
}

static enum tw_status read_head(const char *path, unsigned char head[HEAD], size_t *n,
                                uint64_t *size, bool *hdf5, struct tw_err *err)
{
    int fd = tw_file_open(path, size, err);
    enum tw_status rc;

    if (fd < 0)
        return TW_EIO;
    *n = *size < HEAD ? (size_t)*size : (size_t)HEAD;
    rc = tw_file_read(fd, 0, head, *n, err);
    *hdf5 = rc == TW_OK && tw_h5_signature(fd); /* perhaps behind a user block */
    (void)close(fd);
    if (rc == TW_OK && *size == 0)
        rc = tw_err_set(err, TW_EFORMAT, "the file is empty");
    return rc;
}

enum tw_status tw_kind_read(const char *path, enum tw_kind *kind, struct tw_err *err)
{
    unsigned char head[HEAD] = { 0 };
    uint64_t size = 0;
    bool hdf5 = false;
    size_t n = 0;
    enum tw_status rc = read_head(path, head, &n, &size, &hdf5, err);

    *kind = hdf5 ? TW_KIND_HDF5 : tw_kind_of(head, n);
    return rc;
}

const char *tw_kind_name(enum tw_kind kind)
{
    static const char *const names[] = { "an HDF5 file", "a ZIP archive (npz)", "a NumPy array",
                                         "an ONNX model", "a file of unknown kind" };

    return names[kind];
}

/* The length of a header of JSON, then the header. */
static bool safetensors(const unsigned char *head, size_t n, uint64_t size)
{
    uint64_t length = 0;

    if (n < 10)
        return false;
    memcpy(&length, head, sizeof length);
    return head[8] == '{' && length >= 2 && length <= size - 8;
}

enum tw_status tw_kind_foreign(const char *path, struct tw_err *err)
{
    static const char pickle[] =
        "a Python pickle or a checkpoint of PyTorch before 1.6, which may run programs and is not "
        "read; save it for NumPy, in Python: sd = torch.load(FILE, map_location='cpu'); "
        "numpy.savez('weights.npz', **{k: v.numpy() for k, v in sd.items()})";
    static const struct {
        const char *magic;
        size_t n;
        const char *what;
    } foreign[] = {
        { "GGUF", 4,
          "a GGUF file, whose numbers are mostly rounded to few bits, and is not read; start from "
          "the checkpoint it was made of" },
        { "\x80\x02", 2, pickle },
        { "\x80\x03", 2, pickle },
        { "\x80\x04", 2, pickle },
        { "\x80\x05", 2, pickle },
        { "\x1f\x8b", 2, "packed with gzip; unpack it first (gunzip)" },
        { "\x28\xb5\x2f\xfd", 4, "packed with zstd; unpack it first" },
        { "{", 1,
          "JSON text and no file of arrays; of a checkpoint in parts, this is the list of them: "
          "save it as one file (numpy.savez)" },
    };
    unsigned char head[HEAD] = { 0 };
    uint64_t size = 0;
    bool hdf5;
    size_t n = 0;
    enum tw_status rc = read_head(path, head, &n, &size, &hdf5, err);

    if (rc != TW_OK)
        return rc;
    if (safetensors(head, n, size))
        return tw_err_set(err, TW_EFORMAT,
                          "this is a safetensors file, which is not read yet; save it for NumPy, "
                          "in Python: numpy.savez('weights.npz', "
                          "**safetensors.numpy.load_file(FILE))");
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (n >= foreign[i].n && !memcmp(head, foreign[i].magic, foreign[i].n))
            return tw_err_set(err, TW_EFORMAT, "this is %s", foreign[i].what);
    return tw_err_set(err, TW_EFORMAT,
                      "its kind is not known; HDF5, npz, npy and ONNX files are read");
}

static bool is_kind(const char *path, enum tw_kind kind)
{
    enum tw_kind k;

    return tw_kind_read(path, &k, NULL) == TW_OK && k == kind;
}

bool tw_is_onnx(const char *path)
{
    return is_kind(path, TW_KIND_ONNX);
}

bool tw_is_numpy(const char *path)
{
    return is_kind(path, TW_KIND_ZIP) || is_kind(path, TW_KIND_NPY);
}
