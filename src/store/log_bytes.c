/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A log's bytes in memory. Everything is read in blocks and checked as it comes, so that an
 * endless line or a bomb is refused when 16 MiB of it have been seen. */
#define ZLIB_CONST /* next_in is only read */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "log_reader.h"

enum { BLOCK = 1 << 18 };
static const uint64_t max_bytes = UINT64_C(4) << 30;

bool log_is_gzip(const char *s, size_t n)
{
    return n >= 3 && !memcmp(s, "\x1f\x8b\x08", 3);
}

bool log_is_hdf5(const struct log_text *head)
{
    return head->n >= 8 && !memcmp(head->s, "\x89HDF\r\n\x1a\n", 8);
}

enum tw_status log_refuse_foreign(const char *s, size_t n, struct tw_err *err)
{
    static const char csv[] = "write it as CSV, for example with pandas' to_csv";
    static const char repack[] = "unpack it, or pack it with gzip";
    static const struct {
        const char *magic;
        size_t n;
        const char *what, *remedy;
    } foreign[] = {
        { "PK\003\004", 4, "a ZIP archive (npz, xlsx, a PyTorch checkpoint)", csv },
        { "\x80\x02", 2, "a Python pickle", csv },
        { "\x80\x03", 2, "a Python pickle", csv },
        { "\x80\x04", 2, "a Python pickle", csv },
        { "\x80\x05", 2, "a Python pickle", csv },
        { "PAR1", 4, "a Parquet file", csv },
        { "ARROW1", 6, "an Arrow file", csv },
        { "\x93NUMPY", 6, "a NumPy array", csv },
        { ":W&B", 4, "W&B's own log", "export the chart as CSV from the W&B page" },
        { "SQLite format 3", 15, "an SQLite database", csv },
        { "\x28\xb5\x2f\xfd", 4, "packed with zstd", repack },
        { "\xfd"
          "7zXZ",
          5, "packed with xz", repack },
        { "BZh", 3, "packed with bzip2", repack },
        { "\xff\xfe", 2, "UTF-16 text", "save it as UTF-8" },
        { "\xfe\xff", 2, "UTF-16 text", "save it as UTF-8" },
        { "%PDF", 4, "a PDF", csv },
    };

    if (log_is_tfevents(s, n))
        return TW_OK; /* whatever its first bytes, a length, look like */
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (n >= foreign[i].n && !memcmp(s, foreign[i].magic, foreign[i].n))
            return tw_err_set(err, TW_EFORMAT, "this is %s, not a log that can be read; %s",
                              foreign[i].what, foreign[i].remedy);
    return TW_OK;
}

/* ---- growing under guard -------------------------------------------------------------------- */

static enum tw_status make_room(struct log_bytes *b, size_t hint, struct tw_err *err)
{
    size_t want = b->cap < hint ? hint : b->cap * 2;
    char *p;

    if (b->cap - b->n >= BLOCK)
        return TW_OK;
    want = want < b->n + BLOCK ? b->n + BLOCK : want;
    if (b->n > max_bytes)
        return tw_err_set(err, TW_ENOMEM, "more than 4 GiB; keep every tenth line of it");
    p = realloc(b->s, want);
    if (!p)
        return tw_err_set(err, TW_ENOMEM, "out of memory after %zu MiB", b->n >> 20);
    b->s = p;
    b->cap = want;
    return TW_OK;
}

/* n more bytes lie at b->s + b->n: take them unless the line they are on is too long. */
static enum tw_status take(struct log_bytes *b, size_t n, struct tw_err *err)
{
    struct log_text all;

    if (b->n == 0) {
        struct log_text head = { b->s, n };

        b->packed = log_is_gzip(head.s, n) || log_is_hdf5(&head) || log_is_tfevents(head.s, n);
    }
    for (size_t i = b->n + n; i > b->n && !b->packed; i--)
        if (b->s[i - 1] == '\n') {
            b->line = i;
            break;
        }
    b->n += n;
    if (b->packed || b->n - b->line <= LOG_MAX_LINE)
        return TW_OK;
    all = (struct log_text){ b->s, b->n };
    return tw_err_set(err, TW_EFORMAT,
                      "line %zu is longer than 16 MiB; a log has one record a line",
                      log_line_number(&all, b->line));
}

static enum tw_status read_all(int fd, size_t hint, struct log_bytes *b, struct tw_err *err)
{
    for (;;) {
        enum tw_status rc = make_room(b, hint, err);
        ssize_t got;

        if (rc != TW_OK)
            return rc;
        do
            got = read(fd, b->s + b->n, BLOCK);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return tw_err_set(err, TW_EIO, "%s", strerror(errno));
        if (got == 0)
            return TW_OK;
        if (b->n == 0)
            rc = log_refuse_foreign(b->s, (size_t)got, err);
        if (rc == TW_OK)
            rc = take(b, (size_t)got, err);
        if (rc != TW_OK)
            return rc;
    }
}

enum tw_status log_bytes_read(const char *path, struct log_bytes *b, struct tw_err *err)
{
    bool in = !strcmp(path, "-");
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    size_t hint = 0;
    enum tw_status rc;
    struct stat st;

    if (fd < 0)
        return tw_err_set(err, TW_EIO, "%s", strerror(errno));
    if (fstat(fd, &st) != 0) {
        rc = tw_err_set(err, TW_EIO, "%s", strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        rc = tw_err_set(err, TW_EIO, "this is a directory; name a log file in it");
    } else {
        if (S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size <= max_bytes)
            hint = (size_t)st.st_size + BLOCK;
        rc = read_all(fd, hint, b, err);
    }
    if (!in)
        (void)close(fd);
    return rc;
}

/* ---- gzip ------------------------------------------------------------------------------------ */

static enum tw_status inflate_all(z_stream *z, const struct log_text *gz, struct log_bytes *b,
                                  struct tw_err *err)
{
    size_t fed = 0;

    for (;;) {
        enum tw_status rc = make_room(b, 0, err);
        size_t room = BLOCK, got;
        int zrc;

        if (rc != TW_OK)
            return rc;
        if (z->avail_in == 0 && fed < gz->n) {
            size_t more = gz->n - fed < BLOCK ? gz->n - fed : BLOCK;

            z->next_in = (const Bytef *)(gz->s + fed);
            z->avail_in = (uInt)more;
            fed += more;
        }
        z->next_out = (Bytef *)(b->s + b->n);
        z->avail_out = (uInt)room;
        zrc = inflate(z, Z_NO_FLUSH);
        got = room - z->avail_out;
        rc = take(b, got, err);
        if (rc != TW_OK)
            return rc;
        if (zrc == Z_STREAM_END) {
            /* Another member may follow; zeros that pad a tape block may, too. */
            const char *rest = gz->s + (fed - z->avail_in);

            if (!log_is_gzip(rest, gz->n - (size_t)(rest - gz->s)))
                return TW_OK;
            zrc = inflateReset(z);
        } else if (zrc == Z_BUF_ERROR ||
                   (zrc == Z_OK && fed == gz->n && z->avail_in == 0 && z->avail_out > 0)) {
            return tw_err_set(err, TW_EFORMAT,
                              "the gzip stream ends early, after %zu byte%s of text; copy the "
                              "file again",
                              b->n, tw_plural(b->n));
        }
        if (zrc != Z_OK)
            return tw_err_set(err, zrc == Z_MEM_ERROR ? TW_ENOMEM : TW_EFORMAT,
                              "the gzip stream is damaged after %zu byte%s of text: %s", b->n,
                              tw_plural(b->n), z->msg ? z->msg : "bad data");
    }
}

enum tw_status log_bytes_unpack(const struct log_text *gz, struct log_bytes *b, struct tw_err *err)
{
    z_stream z = { 0 };
    enum tw_status rc;

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return log_out_of_memory(err);
    rc = inflate_all(&z, gz, b, err);
    (void)inflateEnd(&z);
    return rc;
}
