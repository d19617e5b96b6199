/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors of PyTorch's pickles: which calls make one, and where its numbers lie. */
#include <stdlib.h>
#include <string.h>

#include "torch.h"

struct torch_call torch_unwrap(const struct torch *t, pickle_id id)
{
    const struct pickle *k = &t->k;
    struct torch_call c = { 0 };

    for (int i = 0; i < 16 && k->v[id].kind == PICKLE_OBJECT; i++) {
        c = (struct torch_call){ k->v[id].object.class, k->v[id].object.args };
        if (pickle_is_global(k, c.function, "torch._utils", "_rebuild_parameter") ||
            pickle_is_global(k, c.function, "torch._utils", "_rebuild_parameter_with_state")) {
            id = pickle_item(k, c.args, 0);
            c = (struct torch_call){ 0 };
        } else if (pickle_is_global(k, c.function, "torch._tensor", "_rebuild_from_type_v2")) {
            return (struct torch_call){ pickle_item(k, c.args, 0), pickle_item(k, c.args, 2) };
        } else {
            break;
        }
    }
    return c;
}

bool torch_is_tensor(const struct torch *t, struct torch_call c)
{
    return pickle_is_global(&t->k, c.function, "torch._utils", "_rebuild_tensor_v2") ||
           pickle_is_global(&t->k, c.function, "torch._utils", "_rebuild_tensor_v3") ||
           pickle_is_global(&t->k, c.function, "torch._utils", "_rebuild_tensor");
}

const char *torch_refused(const struct torch *t, struct torch_call c)
{
    static const char parts[] =
        "is a part of a tensor that was saved by several processes; gather it first (FSDP: "
        "StateDictType.FULL_STATE_DICT; DTensor: full_tensor())";
    static const struct {
        const char *module, *name, *why;
    } kinds[] = {
        { "torch._utils", "_rebuild_qtensor",
          "is quantised, which is not read; save "
          "tensor.dequantize()" },
        { "torch._utils", "_rebuild_sparse_tensor",
          "is sparse, which is not read; save "
          "tensor.to_dense()" },
        { "torch._utils", "_rebuild_sparse_csr_tensor",
          "is sparse, which is not read; save "
          "tensor.to_dense()" },
        { "torch._utils", "_rebuild_nested_tensor",
          "is nested, which is not read; save its parts" },
        { "torch._utils", "_rebuild_meta_tensor_no_storage",
          "has no numbers (device 'meta'); save the model after it was loaded" },
        { "torch._utils", "_rebuild_wrapper_subclass",
          "is of a class of its own around tensors, which is not read; save the plain tensor" },
        { "torch.distributed._shard.sharded_tensor.api", "ShardedTensor", parts },
        { "torch.distributed.tensor._api", "DTensor", parts },
        { "torch.distributed._tensor.api", "DTensor", parts },
        { "torch.distributed._tensor", "DTensor", parts },
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (pickle_is_global(&t->k, c.function, kinds[i].module, kinds[i].name))
            return kinds[i].why;
    return NULL;
}

/* ---- element types ------------------------------------------------------------------------ */

static const struct {
    const char *storage, *name; /* torch.FloatStorage, torch.float32 */
    enum tw_dtype type;
    uint64_t size;
} types[] = {
    { "FloatStorage", "float32", TW_F32, 4 },
    { "DoubleStorage", "float64", TW_F64, 8 },
    { "HalfStorage", "float16", TW_F16, 2 },
    { "BFloat16Storage", "bfloat16", TW_BF16, 2 },
    { "CharStorage", "int8", TW_I8, 1 },
    { "ShortStorage", "int16", TW_I16, 2 },
    { "IntStorage", "int32", TW_I32, 4 },
    { "LongStorage", "int64", TW_I64, 8 },
    { "ByteStorage", "uint8", TW_U8, 1 },
    { "BoolStorage", "bool", TW_BOOL, 1 },
    { "UntypedStorage", "uint8", TW_U8, 1 },
    { "_UntypedStorage", "uint8", TW_U8, 1 },
    { "", "uint16", TW_U16, 2 },
    { "", "uint32", TW_U32, 4 },
    { "", "uint64", TW_U64, 8 },
    { "ComplexFloatStorage", "complex64", TW_NONE, 8 },
    { "ComplexDoubleStorage", "complex128", TW_NONE, 16 },
    { "QInt8Storage", "qint8", TW_NONE, 1 },
    { "QUInt8Storage", "quint8", TW_NONE, 1 },
    { "QInt32Storage", "qint32", TW_NONE, 4 },
};
enum { NTYPES = sizeof types / sizeof types[0] };

/* The row of a class of storages or of a type; NTYPES: none. */
static size_t row_of(const struct pickle *k, pickle_id id)
{
    const struct pickle_value *v = &k->v[id];

    for (size_t i = 0; v->kind == PICKLE_GLOBAL && v->global.nname && i < NTYPES; i++)
        for (int other = 0; other < 2; other++) {
            const char *name = other ? types[i].name : types[i].storage;

            if (v->global.nname == strlen(name) && !memcmp(v->global.name, name, strlen(name)))
                return i;
        }
    return NTYPES;
}

static enum tw_dtype type_of(const struct torch *t, pickle_id id)
{
    const size_t i = row_of(&t->k, id);

    return i < NTYPES ? types[i].type : TW_NONE;
}

uint64_t torch_element_size(const struct pickle *k, pickle_id class)
{
    const size_t i = row_of(k, class);

    return i < NTYPES ? types[i].size : 0;
}

static enum tw_status damaged(const struct torch *t, const char *what)
{
    return tw_err_set(t->err, TW_EFORMAT, "'%.100s' has %s; copy the file again", t->name.s, what);
}

static enum tw_status check_type(const struct torch *t, pickle_id id, enum tw_dtype type)
{
    const struct pickle_value *v = &t->k.v[id];

    if (type != TW_NONE)
        return TW_OK;
    if (v->kind != PICKLE_GLOBAL)
        return damaged(t, "no type");
    return tw_err_set(t->err, TW_EFORMAT,
                      "'%.100s' is of type %.*s, which is not read; save it as float32", t->name.s,
                      (int)(v->global.nname < 40 ? v->global.nname : 40), v->global.name);
}

/* ---- places ------------------------------------------------------------------------------- */

static int by_key(const struct torch_storage *a, const char *key, size_t n)
{
    const size_t least = a->n < n ? a->n : n;
    const int c = least ? memcmp(a->key, key, least) : 0;

    return c ? c : (a->n > n) - (a->n < n);
}

/* Where the storage begins and how many bytes it has. */
static enum tw_status find_storage(const struct torch *t, const struct pickle_value *key,
                                   struct span *p, uint64_t *bytes)
{
    size_t lo = 0, hi = t->nstorage;
    struct tw_str path = { 0 };
    uint64_t left = archive_most(t->f->bytes);
    enum tw_status rc = TW_OK;
    zip_stat_t st;

    if (key->kind != PICKLE_TEXT || memchr(key->text.s, 0, key->text.n) || key->text.n > 1000)
        return damaged(t, "a storage without a name");
    p->entry = SPAN_PLAIN;
    if (!t->z) {
        while (lo < hi) {
            const size_t mid = lo + (hi - lo) / 2;

            if (by_key(&t->storage[mid], key->text.s, key->text.n) < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo == t->nstorage || by_key(&t->storage[lo], key->text.s, key->text.n) != 0)
            return damaged(t, "a storage that is not in the file");
        p->at = t->storage[lo].at;
        *bytes = t->storage[lo].bytes;
        return TW_OK;
    }
    tw_str_add(&path, t->folder);
    tw_str_addn(&path, key->text.s, key->text.n);
    if (path.failed)
        return tw_err_set(t->err, TW_ENOMEM, "out of memory");
    p->entry = zip_name_locate(t->z, path.s, 0);
    if (p->entry < 0 || zip_stat_index(t->z, (zip_uint64_t)p->entry, 0, &st) != 0)
        rc =
            tw_err_set(t->err, TW_EFORMAT,
                       "'%.100s' is to be in '%.100s' of the archive, which is not there; copy the "
                       "file again",
                       t->name.s, path.s);
    else
        rc = archive_check(&st, &left, t->err);
    *bytes = rc == TW_OK ? st.size : 0;
    tw_str_release(&path);
    return rc;
}

/* A whole number, at least 0. */
static bool whole(const struct torch *t, pickle_id id, uint64_t *x)
{
    const struct pickle_value *v = &t->k.v[id];

    *x = (uint64_t)v->i;
    return (v->kind == PICKLE_INT || v->kind == PICKLE_BOOL) && v->i >= 0;
}

/* A tuple of them; torch.Size is one, too. */
static bool wholes(const struct torch *t, pickle_id id, uint64_t x[TW_MAX_RANK], int *rank)
{
    const struct pickle_value *v = &t->k.v[id];

    if (v->kind == PICKLE_OBJECT && pickle_is_global(&t->k, v->object.class, "torch", "Size"))
        v = &t->k.v[pickle_item(&t->k, v->object.args, 0)];
    if (v->kind != PICKLE_LIST || v->n > TW_MAX_RANK)
        return false;
    *rank = (int)v->n;
    for (int d = 0; d < *rank; d++)
        if (!whole(t, v->v[d], &x[d]))
            return false;
    return true;
}

/* The storage, whose persistent value is a tuple. *type: of its elements. */
static enum tw_status read_storage(const struct torch *t, pickle_id id, enum tw_dtype *type,
                                   struct span *p, uint64_t *bytes)
{
    const struct pickle *k = &t->k;
    const pickle_id tuple = k->v[id].kind == PICKLE_PERSISTENT ? k->v[id].persistent : 0;
    const pickle_id view = pickle_item(k, tuple, 5);
    uint64_t n = 0, offset = 0, size;
    enum tw_status rc;

    if (!pickle_is_text(k, pickle_item(k, tuple, 0), "storage") ||
        !whole(t, pickle_item(k, tuple, 4), &n))
        return damaged(t, "no storage");
    *type = type_of(t, pickle_item(k, tuple, 1));
    rc = check_type(t, pickle_item(k, tuple, 1), *type);
    if (rc == TW_OK)
        rc = find_storage(t, &k->v[pickle_item(k, tuple, 2)], p, bytes);
    if (rc != TW_OK)
        return rc;
    /* Before 0.4 storages could be views of others: (key, offset, size). */
    if (k->v[view].kind == PICKLE_LIST &&
        (!whole(t, pickle_item(k, view, 1), &offset) || !whole(t, pickle_item(k, view, 2), &n)))
        return damaged(t, "a storage that is a view of nothing");
    size = tw_dtype_size(*type);
    if (offset > *bytes / size || n > *bytes / size - offset)
        return tw_err_set(t->err, TW_EFORMAT,
                          "'%.100s' has a storage of %llu elements, where the file has %llu bytes; "
                          "copy the file again",
                          t->name.s, (unsigned long long)n, (unsigned long long)*bytes);
    p->at += offset * size;
    *bytes = n * size;
    return TW_OK;
}

enum tw_status torch_add(struct torch *t, struct torch_call c)
{
    const struct pickle *k = &t->k;
    struct span p = { .swap = t->swap };
    uint64_t dims[TW_MAX_RANK], offset = 0, bytes = 0, last = 0, size;
    enum tw_dtype type = TW_NONE;
    int rank = 0, strides = 0;
    enum tw_status rc = read_storage(t, pickle_item(k, c.args, 0), &type, &p, &bytes);
    bool empty = false;

    if (rc != TW_OK)
        return rc;
    if (pickle_is_global(k, c.function, "torch._utils", "_rebuild_tensor_v3")) {
        type = type_of(t, pickle_item(k, c.args, 6));
        rc = check_type(t, pickle_item(k, c.args, 6), type);
        if (rc != TW_OK)
            return rc;
    }
    size = tw_dtype_size(type);
    if (!whole(t, pickle_item(k, c.args, 1), &offset))
        return damaged(t, "no place in its storage");
    if (!wholes(t, pickle_item(k, c.args, 2), dims, &rank) ||
        !wholes(t, pickle_item(k, c.args, 3), p.stride, &strides) || rank != strides)
        return damaged(t, "a shape or strides that no tensor has (or more than 8 dimensions)");
    for (int d = 0; d < rank; d++) {
        empty = empty || dims[d] == 0;
        if (dims[d] > 1 && p.stride[d] > UINT64_MAX / 256 / dims[d])
            return damaged(t, "strides that lead out of its storage");
        last += dims[d] > 1 ? p.stride[d] * (dims[d] - 1) : 0;
    }
    if (!empty && (offset >= bytes / size || last >= bytes / size - offset))
        return tw_err_set(t->err, TW_EFORMAT,
                          "'%.100s' reaches to element %llu of a storage of %llu; copy the file "
                          "again",
                          t->name.s, (unsigned long long)(offset < bytes ? offset + last : offset),
                          (unsigned long long)(bytes / size));
    p.at += empty ? 0 : offset * size;
    rc = weights_add(t->f, t->name.s, type, rank, dims, t->err);
    return rc == TW_OK ? spans_add(t->s, &p, t->err) : rc;
}
