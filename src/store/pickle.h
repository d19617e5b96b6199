/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * store/pickle.h - Python's pickles as data. Nothing in a pickle is executed: what Python would
 * call or import becomes a value that names it. Protocols 2 to 5 (docs.python.org, pickletools;
 * PEP 307, PEP 3154, PEP 574), but for buffers outside the pickle and numbers of registered
 * classes.
 */
#ifndef TW_STORE_PICKLE_H
#define TW_STORE_PICKLE_H

#include "thalweg/base.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_REAL,
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_LIST, /* also tuples and sets */
    PICKLE_DICT,
    PICKLE_GLOBAL, /* a class or function, by name */
    PICKLE_OBJECT, /* what calling one would give */
    PICKLE_PERSISTENT
};
typedef uint32_t pickle_id;

struct pickle_value {
    enum pickle_kind kind;
    /* LIST: n values; DICT and OBJECT: n keys and values in turn (an OBJECT that something is
     * appended to has the key None). */
    uint32_t n, cap;
    union {
        int64_t i; /* BOOL, INT; of more than 64 bits: saturated */
        double r;
        struct {
            const char *s; /* within the pickle, without NUL at the end */
            size_t n;
        } text; /* TEXT, BYTES; INT of more than 64 bits: its bytes, of kind BYTES */
        struct {
            const char *module, *name;
            uint32_t nmodule, nname;
        } global;
        pickle_id *v;         /* LIST, DICT */
        pickle_id persistent; /* what it is known by */
        struct {
            pickle_id *v;
            pickle_id class, args, state; /* 0 (None): not set */
        } object;
    };
};

struct pickle {
    const unsigned char *p; /* must outlive the values */
    size_t n, at;           /* at: behind the end of the pickle */
    bool cut_short;         /* it failed since p ends too early */
    struct pickle_value *v; /* by id; v[0] is None */
    size_t nv, cap;
    pickle_id root;
    /* While it is read: */
    pickle_id *stack, *memo;
    size_t *mark;
    size_t nstack, cap_stack, nmemo, cap_memo, nmark, cap_mark;
    struct tw_err *err;
};

/* One pickle at p, n bytes at most. TW_EFORMAT with the byte; release it in any case. */
enum tw_status pickle_read(struct pickle *k, const void *p, size_t n,
                           struct tw_err *err) TW_CHECKED;
void pickle_release(struct pickle *k);

bool pickle_is_text(const struct pickle *k, pickle_id id, const char *s);
/* A GLOBAL of that module and name. */
bool pickle_is_global(const struct pickle *k, pickle_id id, const char *module, const char *name);
/* The value of a key in a DICT, or in the items of an OBJECT; 0: none. */
pickle_id pickle_get(const struct pickle *k, pickle_id dict, const char *key);
/* Element i of a LIST; 0: none. */
pickle_id pickle_item(const struct pickle *k, pickle_id list, size_t i);
/* Of a DICT or an OBJECT the keys and values in turn, of a LIST its values. */
const pickle_id *pickle_items(const struct pickle *k, pickle_id id);

#endif
