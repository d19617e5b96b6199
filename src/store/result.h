/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/result.h - private: what a result handle holds, and putting a file under its name. */
#ifndef TW_STORE_RESULT_PRIVATE_H
#define TW_STORE_RESULT_PRIVATE_H

#include "h5.h"
#include "h5_items.h"
#include "thalweg/store_result.h"

enum { TW_RESULT_VERSION = 1, TW_RESULT_TIME = 20 }; /* "2025-01-31T12:00:00Z" */

/* Where the numbers of a reserved data set lie in the file. */
struct tw_slot {
    char *path;
    uint64_t offset; /* in bytes */
    size_t n, size;  /* elements, bytes each */
};

enum tw_result_state {
    TW_RESULT_BUILDING, /* an HDF5 file in memory; nothing under the name yet */
    TW_RESULT_POINTS,   /* on disk, closed for HDF5; numbers go to their places by pwrite */
    TW_RESULT_READING
};

struct tw_result {
    char *path;   /* as given, for messages */
    char *target; /* what the name stands for: symbolic links resolved */
    char *kind;
    enum tw_result_state state;
    enum tw_result_mode mode;
    bool force;
    bool broken;              /* a call failed: what is there must not be published */
    bool begun;               /* the end time of an earlier run has been cleared */
    hid_t file;               /* BUILDING */
    struct tw_h5_items items; /* READING */
    bool keep_image;
    void *image; /* the bytes of the built file, once HDF5 has closed it */
    uint64_t file_size;
    int fd; /* POINTS */
    struct tw_slot *slots;
    size_t nslots, cap;
};

/* Everything freed, nothing written. */
void tw_result_free(struct tw_result *r);

/* Note a failure: no half-made result may be published. Returns rc. */
enum tw_status tw_result_broke(struct tw_result *r, enum tw_status rc);

/* Creation properties of any class: no times, or equal results would differ; links listed in
 * the order they were made. Negative on failure. */
hid_t tw_result_creation(hid_t class);
bool tw_result_attr_text(hid_t object, const char *name, const char *text);
bool tw_result_attr_int(hid_t object, const char *name, int64_t x);
/* A scalar text of n bytes at a place that never moves; s NULL: filled with `fill`. */
enum tw_status tw_result_put_fixed(struct tw_result *r, const char *path, size_t n, const char *s,
                                   const char *fill, const char *meaning,
                                   struct tw_err *err) TW_CHECKED;
/* A whole number, unsigned in the file if `wide`. */
enum tw_status tw_result_put_u64(struct tw_result *r, const char *path, uint64_t x, bool wide,
                                 const char *unit, const char *meaning,
                                 struct tw_err *err) TW_CHECKED;

/* "YYYY-MM-DDTHH:MM:SSZ": now, or SOURCE_DATE_EPOCH. */
void tw_result_now(char text[TW_RESULT_TIME + 1]);

/* Remember where n elements of so many bytes lie, if they are reals, bytes or the end time. */
enum tw_status tw_slots_add(struct tw_result *r, const char *path, uint64_t offset, uint64_t n,
                            uint64_t size, struct tw_err *err) TW_CHECKED;
/* Open the file for points and keep other writers out. */
enum tw_status tw_points_open(struct tw_result *r, struct tw_err *err) TW_CHECKED;
/* Write the end time, put everything on the disk, close. */
enum tw_status tw_points_finish(struct tw_result *r, struct tw_err *err) TW_CHECKED;
/* Does another process hold the file for writing? */
bool tw_points_locked(int fd);

/* May a file appear under this name? Resolves symbolic links into *target (the caller frees
 * it). TW_EIO with the reason and, if there is one, the remedy. */
enum tw_status tw_publish_check(const char *path, bool force, char **target,
                                struct tw_err *err) TW_CHECKED;
/* A file that is being written beside its place, and is moved there at the end. */
struct tw_publication {
    const char *path, *target; /* as given; where it goes: both outlive it */
    char *name;                /* of the temporary file */
    bool force;
    int fd;
};
enum tw_status tw_publish_open(struct tw_publication *p, const char *path, const char *target,
                               bool force, struct tw_err *err) TW_CHECKED;
enum tw_status tw_publish_write(const struct tw_publication *p, uint64_t at, const void *bytes,
                                size_t n, struct tw_err *err) TW_CHECKED;
/* Make it durable and move it, or remove it if rc is no success. In any case to be called. */
enum tw_status tw_publish_end(struct tw_publication *p, enum tw_status rc,
                              struct tw_err *err) TW_CHECKED;
/* Put n bytes under the name, all or nothing. */
enum tw_status tw_publish(const char *path, const char *target, bool force, const void *bytes,
                          size_t n, struct tw_err *err) TW_CHECKED;

#endif
