/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/archive.h - ZIP archives of arrays. Messages do not name the archive. */
#ifndef TW_STORE_ARCHIVE_H
#define TW_STORE_ARCHIVE_H

#include <zip.h>

#include "file.h"

/* From a path or, if path is NULL, from memory. NULL on failure. */
zip_t *archive_open(const char *path, const struct tw_bytes *b, uint64_t *size, struct tw_err *err);

/* What an archive of so many bytes may unpack to: 256 MiB and 64 times its size. */
uint64_t archive_most(uint64_t file_size);
/* What the archive says of its entry i. TW_EFORMAT if that has no name. */
enum tw_status archive_entry(zip_t *z, zip_int64_t i, zip_stat_t *st,
                             struct tw_err *err) TW_CHECKED;
/* May the entry be unpacked? *left: bytes that the archive may still unpack to. */
enum tw_status archive_check(const zip_stat_t *st, uint64_t *left, struct tw_err *err) TW_CHECKED;
/* The packed entries lie one after another: together they are no longer than the file. */
enum tw_status archive_apart(zip_t *z, uint64_t file_size, struct tw_err *err) TW_CHECKED;
/* The next n bytes of an open entry. TW_EFORMAT if it ends before, or its checksum is wrong. */
enum tw_status archive_next(zip_file_t *f, void *to, size_t n, struct tw_err *err) TW_CHECKED;
/* A whole entry that archive_check let pass, its checksum compared; the caller frees b->p. */
enum tw_status archive_bytes(zip_t *z, const zip_stat_t *st, struct tw_bytes *b,
                             struct tw_err *err) TW_CHECKED;

#endif
