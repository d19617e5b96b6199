/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "pickle.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 1 << 24 };

static enum tw_status no_memory(struct pickle *k)
{
    return tw_err_set(k->err, TW_ENOMEM, "out of memory");
}

static enum tw_status wrong(struct pickle *k, const char *what)
{
    return tw_err_set(k->err, TW_EFORMAT,
                      "its pickle is damaged at byte %zu: %s; copy the file again", k->at, what);
}

/* ---- bytes --------------------------------------------------------------------------------------
 */

/* The next n bytes; NULL, and an error, if there are not so many. */
static const unsigned char *take(struct pickle *k, uint64_t n)
{
    const unsigned char *p = k->p + k->at;

    if (n > k->n - k->at) {
        k->cut_short = true;
        (void)wrong(k, "it ends early");
        return NULL;
    }
    k->at += (size_t)n;
    return p;
}

/* A number of so many bytes, little-endian. */
static enum tw_status take_number(struct pickle *k, size_t bytes, uint64_t *x)
{
    const unsigned char *p = take(k, bytes);

    *x = 0;
    if (!p)
        return TW_EFORMAT;
    for (size_t i = bytes; i-- > 0;)
        *x = *x << 8 | p[i];
    return TW_OK;
}

/* Up to a newline, which is taken too. */
static enum tw_status take_line(struct pickle *k, const char **s, uint32_t *n)
{
    const unsigned char *p = k->p + k->at, *end = memchr(p, '\n', k->n - k->at);

    if (!end) {
        k->cut_short = true;
        return wrong(k, "it ends early");
    }
    if (end - p > 1 << 16)
        return wrong(k, "a name of more than 64 kB");
    *s = (const char *)p;
    *n = (uint32_t)(end - p);
    k->at += *n + 1U;
    return TW_OK;
}

/* ---- the stack ---------------------------------------------------------------------------- */

static enum tw_status push_id(struct pickle *k, pickle_id id)
{
    if (!tw_grow(&k->stack, k->nstack, &k->cap_stack, sizeof *k->stack))
        return no_memory(k);
    k->stack[k->nstack++] = id;
    return TW_OK;
}

/* Takes over what the value holds. */
static enum tw_status push(struct pickle *k, struct pickle_value v)
{
    pickle_id *held = v.kind == PICKLE_LIST || v.kind == PICKLE_DICT ? v.v : NULL;

    if (k->nv == MAX_VALUES) {
        free(held);
        return wrong(k, "more than 16 million values");
    }
    if (!tw_grow(&k->v, k->nv, &k->cap, sizeof *k->v)) {
        free(held);
        return no_memory(k);
    }
    k->v[k->nv] = v;
    return push_id(k, (pickle_id)k->nv++);
}

/* Values above the last mark, or all. */
static size_t above(const struct pickle *k)
{
    return k->nstack - (k->nmark ? k->mark[k->nmark - 1] : 0);
}

static enum tw_status pop(struct pickle *k, pickle_id *id)
{
    if (above(k) == 0)
        return wrong(k, "it takes a value where none is");
    *id = k->stack[--k->nstack];
    return TW_OK;
}

/* How many values are above the mark, which is taken away; they stay. */
static enum tw_status pop_mark(struct pickle *k, size_t *n)
{
    if (k->nmark == 0)
        return wrong(k, "a mark is missing");
    *n = above(k);
    k->nmark--;
    return TW_OK;
}

/* ---- containers --------------------------------------------------------------------------- */

/* The topmost n values become a list. */
static enum tw_status push_list(struct pickle *k, size_t n)
{
    struct pickle_value v = { .kind = PICKLE_LIST, .n = (uint32_t)n, .cap = (uint32_t)n };

    if (n > k->nstack - (k->nmark ? k->mark[k->nmark - 1] : 0))
        return wrong(k, "it takes a value where none is");
    if (n > 0) {
        v.v = tw_alloc(n, sizeof *v.v);
        if (!v.v)
            return no_memory(k);
        memcpy(v.v, k->stack + k->nstack - n, n * sizeof *v.v);
        k->nstack -= n;
    }
    return push(k, v);
}

static enum tw_status append(struct pickle *k, struct pickle_value *to, pickle_id id)
{
    pickle_id **v = to->kind == PICKLE_OBJECT ? &to->object.v : &to->v;
    size_t cap = to->cap;

    if (to->n >= UINT32_MAX - 1 || !tw_grow(v, to->n, &cap, sizeof **v))
        return no_memory(k);
    to->cap = (uint32_t)cap;
    (*v)[to->n++] = id;
    return TW_OK;
}

/* The topmost n values go into the container below them. */
static enum tw_status fill(struct pickle *k, size_t n, bool pairs)
{
    const pickle_id *from = k->stack + k->nstack - n;
    struct pickle_value *to;
    enum tw_status rc = TW_OK;

    if (n > above(k) || n == above(k) || (pairs && n % 2))
        return wrong(k, "items without what they go into");
    to = &k->v[from[-1]];
    if (to->kind != PICKLE_OBJECT && to->kind != (pairs ? PICKLE_DICT : PICKLE_LIST))
        return wrong(k, "items for what holds none");
    for (size_t i = 0; i < n && rc == TW_OK; i++) {
        if (!pairs && to->kind == PICKLE_OBJECT)
            rc = append(k, to, 0);
        if (rc == TW_OK)
            rc = append(k, to, from[i]);
    }
    k->nstack -= n;
    return rc;
}

static enum tw_status object(struct pickle *k)
{
    struct pickle_value v = { .kind = PICKLE_OBJECT };
    enum tw_status rc = pop(k, &v.object.args);

    if (rc == TW_OK)
        rc = pop(k, &v.object.class);
    return rc == TW_OK ? push(k, v) : rc;
}

static enum tw_status build(struct pickle *k)
{
    pickle_id state, id;
    enum tw_status rc = pop(k, &state);

    if (rc == TW_OK && above(k) == 0)
        rc = wrong(k, "it takes a value where none is");
    if (rc != TW_OK)
        return rc;
    id = k->stack[k->nstack - 1];
    if (k->v[id].kind == PICKLE_OBJECT)
        k->v[id].object.state = state;
    return TW_OK;
}

static enum tw_status container(struct pickle *k, unsigned char op)
{
    enum tw_status rc = TW_OK;
    struct pickle_value v;
    size_t n = 0;

    switch (op) {
    case ']':
    case ')':
    case 0x8f: /* EMPTY_SET */
        return push_list(k, 0);
    case '}':
        v = (struct pickle_value){ .kind = PICKLE_DICT };
        return push(k, v);
    case 0x85: /* TUPLE1 to TUPLE3 */
    case 0x86:
    case 0x87:
        return push_list(k, op - 0x84U);
    case 'l':
    case 't':
    case 0x91: /* FROZENSET */
        rc = pop_mark(k, &n);
        return rc == TW_OK ? push_list(k, n) : rc;
    case 'a':
        return fill(k, 1, false);
    case 's':
        return fill(k, 2, true);
    case 'e':
    case 0x90: /* ADDITEMS */
    case 'u':
        rc = pop_mark(k, &n);
        return rc == TW_OK ? fill(k, n, op == 'u') : rc;
    case 'R':
    case 0x81: /* NEWOBJ */
        return object(k);
    case 0x92: /* NEWOBJ_EX: arguments by name are not kept */
        rc = above(k) ? TW_OK : wrong(k, "it takes a value where none is");
        if (rc == TW_OK)
            k->nstack--;
        return rc == TW_OK ? object(k) : rc;
    default:
        return build(k);
    }
}

/* ---- scalars and names -------------------------------------------------------------------- */

static enum tw_status text(struct pickle *k, size_t width, enum pickle_kind kind)
{
    struct pickle_value v = { .kind = kind };
    uint64_t n;
    enum tw_status rc = take_number(k, width, &n);

    if (rc != TW_OK)
        return rc;
    v.text.s = (const char *)take(k, n);
    v.text.n = (size_t)n;
    return v.text.s ? push(k, v) : TW_EFORMAT;
}

/* Two's complement of any length; what has more than 64 bits stays bytes. */
static enum tw_status long_number(struct pickle *k, size_t width)
{
    struct pickle_value v = { .kind = PICKLE_INT };
    uint64_t n, x = 0;
    const unsigned char *p;
    enum tw_status rc = take_number(k, width, &n);

    if (rc != TW_OK)
        return rc;
    p = take(k, n);
    if (!p)
        return TW_EFORMAT;
    if (n > 8) {
        v.kind = PICKLE_BYTES;
        v.text.s = (const char *)p;
        v.text.n = (size_t)n;
        return push(k, v);
    }
    if (n > 0 && p[n - 1] & 0x80)
        x = UINT64_MAX;
    for (size_t i = (size_t)n; i-- > 0;)
        x = x << 8 | p[i];
    v.i = (int64_t)x;
    return push(k, v);
}

static enum tw_status real(struct pickle *k)
{
    struct pickle_value v = { .kind = PICKLE_REAL };
    const unsigned char *p = take(k, 8);
    uint64_t x = 0;

    if (!p)
        return TW_EFORMAT;
    for (size_t i = 0; i < 8; i++) /* big-endian */
        x = x << 8 | p[i];
    memcpy(&v.r, &x, sizeof v.r);
    return push(k, v);
}

static enum tw_status integer(struct pickle *k, size_t width)
{
    struct pickle_value v = { .kind = PICKLE_INT };
    uint64_t x;
    enum tw_status rc = take_number(k, width, &x);

    v.i = width == 4 ? (int64_t)(int32_t)(uint32_t)x : (int64_t)x;
    return rc == TW_OK ? push(k, v) : rc;
}

static enum tw_status global(struct pickle *k)
{
    struct pickle_value v = { .kind = PICKLE_GLOBAL };
    enum tw_status rc = take_line(k, &v.global.module, &v.global.nmodule);

    if (rc == TW_OK)
        rc = take_line(k, &v.global.name, &v.global.nname);
    return rc == TW_OK ? push(k, v) : rc;
}

static enum tw_status stack_global(struct pickle *k)
{
    struct pickle_value v = { .kind = PICKLE_GLOBAL };
    pickle_id name = 0, module = 0;
    enum tw_status rc = pop(k, &name);

    if (rc == TW_OK)
        rc = pop(k, &module);
    if (rc == TW_OK && (k->v[name].kind != PICKLE_TEXT || k->v[module].kind != PICKLE_TEXT ||
                        k->v[name].text.n > 1 << 16 || k->v[module].text.n > 1 << 16))
        rc = wrong(k, "a name that is no text");
    if (rc != TW_OK)
        return rc;
    v.global.module = k->v[module].text.s;
    v.global.nmodule = (uint32_t)k->v[module].text.n;
    v.global.name = k->v[name].text.s;
    v.global.nname = (uint32_t)k->v[name].text.n;
    return push(k, v);
}

/* ---- the memo ----------------------------------------------------------------------------- */

static enum tw_status get(struct pickle *k, size_t width)
{
    uint64_t i;
    enum tw_status rc = take_number(k, width, &i);

    if (rc == TW_OK && (i >= k->nmemo || k->memo[i] == UINT32_MAX))
        rc = wrong(k, "it recalls what it never kept");
    return rc == TW_OK ? push_id(k, k->memo[i]) : rc;
}

/* Numbers are given one by one, so that none is larger than the bytes read so far. */
static enum tw_status keep(struct pickle *k, uint64_t i)
{
    if (above(k) == 0)
        return wrong(k, "it keeps a value where none is");
    if (i > k->at)
        return wrong(k, "it numbers values in a way that no writer does");
    while (k->nmemo <= i) {
        if (!tw_grow(&k->memo, k->nmemo, &k->cap_memo, sizeof *k->memo))
            return no_memory(k);
        k->memo[k->nmemo++] = UINT32_MAX;
    }
    k->memo[i] = k->stack[k->nstack - 1];
    return TW_OK;
}

/* ---- the machine -------------------------------------------------------------------------- */

static enum tw_status mark_or_pop(struct pickle *k, unsigned char op)
{
    enum tw_status rc = TW_OK;
    pickle_id id;
    size_t n;

    switch (op) {
    case '(':
        if (!tw_grow(&k->mark, k->nmark, &k->cap_mark, sizeof *k->mark))
            return no_memory(k);
        k->mark[k->nmark++] = k->nstack;
        return TW_OK;
    case '0': /* POP: of a mark if that is on top */
        if (above(k) == 0 && k->nmark > 0)
            return pop_mark(k, &n);
        return pop(k, &id);
    case '1': /* POP_MARK */
        rc = pop_mark(k, &n);
        k->nstack -= rc == TW_OK ? n : 0;
        return rc;
    default: /* DUP */
        if (above(k) == 0)
            return wrong(k, "it takes a value where none is");
        return push_id(k, k->stack[k->nstack - 1]);
    }
}

static enum tw_status scalar(struct pickle *k, unsigned char op)
{
    struct pickle_value v = { .kind = PICKLE_BOOL };

    switch (op) {
    case 'N':
        return push_id(k, 0);
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        v.i = op == 0x88;
        return push(k, v);
    case 'K':
        return integer(k, 1);
    case 'M':
        return integer(k, 2);
    case 'J':
        return integer(k, 4);
    case 0x8a: /* LONG1, LONG4 */
        return long_number(k, 1);
    case 0x8b:
        return long_number(k, 4);
    case 'G':
        return real(k);
    case 'U': /* SHORT_BINSTRING: Python 2's texts */
    case 0x8c:
        return text(k, 1, PICKLE_TEXT);
    case 'T':
    case 'X':
        return text(k, 4, PICKLE_TEXT);
    case 0x8d: /* BINUNICODE8 */
        return text(k, 8, PICKLE_TEXT);
    case 'C':
        return text(k, 1, PICKLE_BYTES);
    case 'B':
        return text(k, 4, PICKLE_BYTES);
    default: /* BINBYTES8, BYTEARRAY8 */
        return text(k, 8, PICKLE_BYTES);
    }
}

static enum tw_status step(struct pickle *k, unsigned char op)
{
    static const unsigned char scalars[] = "N\x88\x89KMJ\x8a\x8bGU\x8cTX\x8d"
                                           "CB\x8e\x96",
                               containers[] = "])\x8f}\x85\x86\x87lt\x91"
                                              "ase\x90uR\x81\x92"
                                              "b";
    struct pickle_value v = { .kind = PICKLE_PERSISTENT };
    enum tw_status rc;
    uint64_t x;

    if (memchr(scalars, op, sizeof scalars - 1))
        return scalar(k, op);
    if (memchr(containers, op, sizeof containers - 1))
        return container(k, op);
    if (memchr("(012", op, 4))
        return mark_or_pop(k, op);
    switch (op) {
    case 'c':
        return global(k);
    case 0x93:
        return stack_global(k);
    case 'Q':
        rc = pop(k, &v.persistent);
        return rc == TW_OK ? push(k, v) : rc;
    case 'h':
    case 'j':
        return get(k, op == 'h' ? 1 : 4);
    case 'q':
    case 'r':
        rc = take_number(k, op == 'q' ? 1 : 4, &x);
        return rc == TW_OK ? keep(k, x) : rc;
    case 0x94: /* MEMOIZE */
        return keep(k, k->nmemo);
    case 0x80: /* PROTO; FRAME: how much to read ahead */
    case 0x95:
        return take_number(k, op == 0x80 ? 1 : 8, &x);
    default:
        k->at--;
        return tw_err_set(k->err, TW_EFORMAT,
                          "its pickle has the operation 0x%02x at byte %zu, which is none of "
                          "protocols 2 to 5, or asks for what is outside the file; save it again "
                          "with torch.save",
                          op, k->at);
    }
}

enum tw_status pickle_read(struct pickle *k, const void *p, size_t n, struct tw_err *err)
{
    enum tw_status rc;

    *k = (struct pickle){ .p = p, .n = n, .err = err };
    rc = push(k, (struct pickle_value){ .kind = PICKLE_NONE });
    k->nstack = 0;
    while (rc == TW_OK) {
        const unsigned char *op = take(k, 1);

        if (!op)
            return TW_EFORMAT;
        if (*op == '.')
            return pop(k, &k->root);
        rc = step(k, *op);
    }
    return rc;
}
