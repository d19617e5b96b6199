/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The two containers of torch.save. */
#include "torch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The entry "NAME/data.pkl"; -1: none. */
static zip_int64_t find_pickle(zip_t *z)
{
    static const char end[] = "data.pkl";
    const zip_int64_t n = zip_get_num_entries(z, 0);

    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0);
        const size_t m = name ? strlen(name) : 0, k = sizeof end - 1;

        if (m >= k && !strcmp(name + m - k, end) && (m == k || name[m - k - 1] == '/'))
            return i;
    }
    return -1;
}

bool torch_is_archive(zip_t *z)
{
    return find_pickle(z) >= 0;
}

static void release(struct torch *t)
{
    pickle_release(&t->k);
    tw_str_release(&t->name);
    free(t->storage);
    free(t->folder);
}

/* ---- archives ----------------------------------------------------------------------------- */

static enum tw_status read_entry(zip_t *z, zip_int64_t i, uint64_t most, struct tw_bytes *b,
                                 struct tw_err *err)
{
    zip_stat_t st;
    enum tw_status rc;

    if (zip_stat_index(z, (zip_uint64_t)i, 0, &st) != 0)
        return tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_strerror(z));
    rc = archive_check(&st, &most, err);
    return rc == TW_OK ? archive_bytes(z, &st, b, err) : tw_err_ctx(err, rc, "'%.100s'", st.name);
}

/* NAME/byteorder, a word. */
static enum tw_status read_order(struct torch *t, const char *root, size_t n)
{
    struct tw_str path = { 0 };
    struct tw_bytes b = { 0 };
    enum tw_status rc = TW_OK;
    zip_int64_t i;

    tw_str_addn(&path, root, n);
    tw_str_add(&path, "byteorder");
    if (path.failed)
        return tw_err_set(t->err, TW_ENOMEM, "out of memory");
    i = zip_name_locate(t->z, path.s, 0);
    tw_str_release(&path);
    if (i < 0)
        return TW_OK;
    rc = read_entry(t->z, i, 1 << 10, &b, t->err);
    t->swap = rc == TW_OK && b.n >= 3 && !memcmp(b.p, "big", 3);
    free(b.p);
    return rc;
}

enum tw_status torch_archive(struct tw_weights_file *f, struct spans *s, zip_t *z,
                             struct tw_str *remarks, struct tw_err *err)
{
    struct torch t = { .f = f, .s = s, .z = z, .remarks = remarks, .err = err };
    const zip_int64_t pickle = find_pickle(z);
    const char *name = zip_get_name(z, (zip_uint64_t)pickle, 0);
    const size_t n = strlen(name) - strlen("data.pkl");
    struct tw_str folder = { 0 };
    struct tw_bytes b = { 0 };
    enum tw_status rc;

    f->format = "PyTorch";
    tw_str_addn(&folder, name, n);
    tw_str_add(&folder, "data/");
    t.folder = folder.s;
    rc = folder.failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : read_order(&t, name, n);
    if (rc == TW_OK)
        rc = read_entry(z, pickle, archive_most(f->bytes), &b, err);
    if (rc == TW_OK)
        rc = pickle_read(&t.k, b.p, b.n, err);
    if (rc == TW_OK)
        rc = torch_walk(&t);
    release(&t);
    free(b.p);
    return rc;
}

/* ---- streams ------------------------------------------------------------------------------ */

struct stream {
    int fd;
    uint64_t size;
    unsigned char *p; /* its first n bytes */
    size_t n;
};

/* Magic number, protocol, machine, object, keys; the last two to *object and *keys. */
static enum tw_status read_pickles(struct stream *s, struct pickle *object, struct pickle *keys,
                                   bool *cut_short, uint64_t *at, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    *at = 0;
    for (int i = 0; i < 5 && rc == TW_OK; i++) {
        struct pickle skipped = { 0 };
        struct pickle *k = i == 3 ? object : i == 4 ? keys : &skipped;

        rc = pickle_read(k, s->p + *at, s->n - (size_t)*at, err);
        *cut_short = k->cut_short;
        *at += k->at;
        pickle_release(&skipped);
    }
    return rc;
}

/* How far the pickles go is not said: read twice as much until they are whole. */
static enum tw_status read_start(struct stream *s, struct pickle *object, struct pickle *keys,
                                 uint64_t *at, struct tw_err *err)
{
    size_t want = 1 << 16;
    enum tw_status rc = TW_EFORMAT;
    bool cut_short = true;

    while (cut_short) {
        struct tw_err why = { 0 };
        unsigned char *p;

        want = want < s->size ? want : (size_t)s->size;
        p = realloc(s->p, want);
        if (!p)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        s->p = p;
        rc = tw_file_read(s->fd, s->n, s->p + s->n, want - s->n, err);
        if (rc != TW_OK)
            return rc;
        s->n = want;
        pickle_release(object);
        pickle_release(keys);
        cut_short = false;
        rc = read_pickles(s, object, keys, &cut_short, at, &why);
        if (rc != TW_OK && (!cut_short || want == s->size))
            return tw_err_set(err, rc, "%s", why.msg);
        want = 2 * want;
    }
    return rc;
}

struct found {
    const char *key;
    size_t n;
    uint64_t size; /* of an element */
};

static int found_by_key(const void *pa, const void *pb)
{
    const struct found *a = pa, *b = pb;
    const size_t n = a->n < b->n ? a->n : b->n;
    const int c = n ? memcmp(a->key, b->key, n) : 0;

    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int storage_by_key(const void *pa, const void *pb)
{
    const struct torch_storage *a = pa, *b = pb;

    return found_by_key(&(struct found){ a->key, a->n, 0 }, &(struct found){ b->key, b->n, 0 });
}

/* What the object says of storages, by key. */
static struct found *collect(const struct pickle *k, size_t *n)
{
    struct found *v = NULL;
    size_t cap = 0;

    *n = 0;
    for (size_t i = 0; i < k->nv; i++) {
        const pickle_id tuple = k->v[i].kind == PICKLE_PERSISTENT ? k->v[i].persistent : 0;
        const struct pickle_value *key = &k->v[pickle_item(k, tuple, 2)];

        if (!pickle_is_text(k, pickle_item(k, tuple, 0), "storage") || key->kind != PICKLE_TEXT)
            continue;
        if (!tw_grow(&v, *n, &cap, sizeof *v)) {
            free(v);
            return NULL;
        }
        v[(*n)++] = (struct found){ key->text.s, key->text.n,
                                    torch_element_size(k, pickle_item(k, tuple, 1)) };
    }
    if (*n)
        qsort(v, *n, sizeof *v, found_by_key);
    return v ? v : tw_alloc(1, sizeof *v);
}

/* The storages follow the keys, in their order, each after its number of elements. */
static enum tw_status lay_out(struct torch *t, const struct stream *s, const struct pickle *keys,
                              uint64_t at)
{
    const struct pickle_value *list = &keys->v[keys->root];
    const size_t n = list->kind == PICKLE_LIST ? list->n : 0;
    size_t nfound = 0;
    struct found *found = collect(&t->k, &nfound);
    enum tw_status rc = TW_OK;

    t->storage = tw_alloc(n, sizeof *t->storage);
    if (!found || !t->storage) {
        free(found);
        return tw_err_set(t->err, TW_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n && rc == TW_OK; i++) {
        const struct pickle_value *key = &keys->v[list->v[i]];
        struct found want = { 0 }, *have = NULL;
        uint64_t elements = 0;

        if (key->kind == PICKLE_TEXT) {
            want = (struct found){ key->text.s, key->text.n, 0 };
            have = bsearch(&want, found, nfound, sizeof *found, found_by_key);
        }
        if (!have || have->size == 0)
            rc = tw_err_set(t->err, TW_EFORMAT,
                            "storage %zu of %zu has a type that is not known; copy the file again",
                            i + 1, n);
        if (rc == TW_OK)
            rc = tw_file_read(s->fd, at, &elements, sizeof elements, t->err);
        if (rc == TW_OK && (s->size - at < 8 || elements > (s->size - at - 8) / have->size))
            rc = tw_err_set(t->err, TW_EFORMAT,
                            "storage %zu of %zu has %llu elements, which is more than the file "
                            "has; copy it again",
                            i + 1, n, (unsigned long long)elements);
        if (rc != TW_OK)
            break;
        t->storage[t->nstorage++] =
            (struct torch_storage){ want.key, want.n, at + 8, elements * have->size };
        at += 8 + elements * have->size;
    }
    free(found);
    if (t->nstorage)
        qsort(t->storage, t->nstorage, sizeof *t->storage, storage_by_key);
    return rc;
}

enum tw_status weights_torch_stream(struct tw_weights_file *f, struct tw_str *remarks,
                                    struct tw_err *err)
{
    struct torch t = { .f = f, .remarks = remarks, .err = err, .s = spans_new(f, err) };
    struct stream s = { .fd = -1 };
    struct pickle keys = { 0 };
    uint64_t at = 0;
    enum tw_status rc = TW_OK;

    f->format = "PyTorch (before 1.6)";
    s.fd = t.s ? tw_file_open(f->path, &s.size, err) : -1;
    if (s.fd < 0)
        return t.s ? TW_EIO : TW_ENOMEM;
    spans_file(t.s, NULL, s.size);
    rc = read_start(&s, &t.k, &keys, &at, err);
    t.k.err = err;
    if (rc == TW_OK)
        rc = lay_out(&t, &s, &keys, at);
    if (rc == TW_OK)
        rc = torch_walk(&t);
    (void)close(s.fd);
    release(&t);
    pickle_release(&keys);
    free(s.p);
    return rc;
}
