/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "h5.h"
#include "thalweg/store_net.h"
#include "thalweg/store_weights.h"

enum { HEAD = 512 };

/* The length of a header of JSON, then the header. */
static bool safetensors(const unsigned char *head, size_t n, uint64_t size)
{
    uint64_t length = 0;

    if (n < 10)
        return false;
    memcpy(&length, head, sizeof length);
    return head[8] == '{' && length >= 2 && length <= size - 8;
}

static bool holds(const unsigned char *head, size_t n, const char *word)
{
    const size_t m = strlen(word);

    for (size_t i = 0; i + m <= n; i++)
        if (!memcmp(head + i, word, m))
            return true;
    return false;
}

/* A map of msgpack, and a text as its first key. */
static bool msgpack(const unsigned char *head, size_t n)
{
    const size_t key = head[0] == 0xde ? 3 : head[0] == 0xdf ? 5 : 1;

    if (n < 8 || ((head[0] & 0xf0) != 0x80 && key == 1) || head[0] == 0x80)
        return false;
    return ((head[key] & 0xe0) == 0xa0 && head[key] > 0xa0) || head[key] == 0xd9;
}

/* A protocol, then the long number that torch.save began with before 1.6. */
static bool torch_stream(const unsigned char *head, size_t n)
{
    static const char magic[] = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

    return n >= 24 && head[0] == 0x80 && holds(head + 2, n < 34 ? n - 2 : 32, magic);
}

enum tw_kind tw_kind_of(const unsigned char *head, size_t n, uint64_t size)
{
    if (n >= 8 && !memcmp(head, "\211HDF\r\n\032\n", 8))
        return TW_KIND_HDF5;
    if (n >= 4 && (!memcmp(head, "PK\3\4", 4) || !memcmp(head, "PK\5\6", 4)))
        return TW_KIND_ZIP;
    if (n >= 6 && !memcmp(head, "\x93NUMPY", 6))
        return TW_KIND_NPY;
    if (n >= 4 && !memcmp(head, "GGUF", 4))
        return TW_KIND_GGUF;
    if (safetensors(head, n, size))
        return TW_KIND_SAFETENSORS;
    if (torch_stream(head, n))
        return TW_KIND_TORCH;
    if (n >= 2 && head[0] == '{' &&
        (holds(head, n, "\"weight_map\"") || holds(head, n, "\"metadata\"")))
        return TW_KIND_INDEX;
    /* Field 1 of a model, a number: its version of the format. All writers put it first. */
    if (n >= 2 && head[0] == 0x08 && head[1] > 0 && head[1] < 64)
        return TW_KIND_ONNX;
    if (msgpack(head, n))
        return TW_KIND_MSGPACK;
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

    *kind = hdf5 ? TW_KIND_HDF5 : tw_kind_of(head, n, size);
    return rc;
}

const char *tw_kind_name(enum tw_kind kind)
{
    static const char *const names[] = { "an HDF5 file",
                                         "a ZIP archive (npz, or a checkpoint of PyTorch)",
                                         "a NumPy array",
                                         "an ONNX model",
                                         "a safetensors file",
                                         "the index of a checkpoint in parts",
                                         "a checkpoint of PyTorch",
                                         "a GGUF file",
                                         "a msgpack file",
                                         "a file of unknown kind" };

    return names[kind];
}

enum tw_status tw_kind_foreign(const char *path, const char *read, struct tw_err *err)
{
    static const char pickle[] =
        "a Python pickle of another kind than torch.save makes, which may run programs and is not "
        "read; save its arrays with torch.save or numpy.savez";
    static const struct {
        size_t at, n;
        const char *magic, *what;
    } foreign[] = {
        { 0, 2, "\x80\x02", pickle },
        { 0, 2, "\x80\x03", pickle },
        { 0, 2, "\x80\x04", pickle },
        { 0, 2, "\x80\x05", pickle },
        { 0, 2, "\x1f\x8b", "packed with gzip; unpack it first (gunzip)" },
        { 0, 4, "\x28\xb5\x2f\xfd", "packed with zstd; unpack it first" },
        { 0, 6,
          "\xfd"
          "7zXZ",
          "packed with xz; unpack it first (unxz)" },
        { 0, 4, "PAR1", "a table in Parquet and no checkpoint" },
        { 0, 23, "version https://git-lfs",
          "a pointer that Git LFS left in the place of the file; fetch the file itself (git lfs "
          "pull)" },
        { 257, 5, "ustar",
          "a tar archive; unpack it and name the file that is meant (torch.save of PyTorch 0.1 "
          "made "
          "such archives: load it there and save it again)" },
        { 0, 1, "{",
          "JSON text and no file of arrays; of a checkpoint in parts, the index has "
          "'weight_map'" },
    };
    unsigned char head[HEAD] = { 0 };
    uint64_t size = 0;
    bool hdf5;
    size_t n = 0, blank = 0;
    enum tw_status rc = read_head(path, head, &n, &size, &hdf5, err);

    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (n >= foreign[i].at + foreign[i].n &&
            !memcmp(head + foreign[i].at, foreign[i].magic, foreign[i].n))
            return tw_err_set(err, TW_EFORMAT, "this is %s", foreign[i].what);
    while (blank < n && strchr(" \t\r\n", (char)head[blank]) && head[blank])
        blank++;
    if (n - blank >= 6 && (!strncasecmp((const char *)head + blank, "<!doct", 6) ||
                           !strncasecmp((const char *)head + blank, "<html", 5)))
        return tw_err_set(err, TW_EFORMAT,
                          "this is a web page (HTML), perhaps what a server said in the place of "
                          "the file; download the file itself");
    return tw_err_set(err, TW_EFORMAT, "its kind is not known; %s are read", read);
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

bool tw_is_weights(const char *path)
{
    enum tw_kind k;

    return tw_kind_read(path, &k, NULL) == TW_OK && k != TW_KIND_HDF5 && k != TW_KIND_ONNX &&
           k != TW_KIND_OTHER;
}
