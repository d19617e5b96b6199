/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Einsum: sums over products of elements whose indices carry the same letter. Operands are taken
 * one after another: each is multiplied into what there is as a batch of matrices. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

/* A value with a letter for each axis; the axes of an ellipsis are '0' .. '7', the last one '7'. */
struct term {
    int v, n;
    char label[TW_MAX_RANK + 1];
};

static bool has(const struct term *t, char label)
{
    return t->n > 0 && memchr(t->label, label, (size_t)t->n) != NULL;
}

static bool add(struct term *t, char label)
{
    if (t->n >= TW_MAX_RANK)
        return false;
    t->label[t->n++] = label;
    return true;
}

/* One side of a comma, up to `end`; `dots`: how many axes an ellipsis stands for. */
static bool parse(const char *s, const char *end, int dots, struct term *t)
{
    t->n = 0;
    for (; s < end; s++) {
        if (*s == ' ')
            continue;
        if (*s == '.' && end - s >= 3 && s[1] == '.' && s[2] == '.' && dots >= 0 &&
            dots <= TW_MAX_RANK) {
            for (int i = 0; i < dots; i++)
                if (!add(t, (char)('0' + TW_MAX_RANK - dots + i)))
                    return false;
            s += 2;
        } else if (!isalpha((unsigned char)*s) || !add(t, *s)) {
            return false;
        }
    }
    return true;
}

static int letters(const char *s, const char *end)
{
    int n = 0;

    for (; s < end; s++)
        n += isalpha((unsigned char)*s) != 0;
    return n;
}

/* Without an arrow the result has the ellipsis' axes, then what occurs once, in alphabetical
 * order. */
static bool implied(size_t n, const struct term *in, int dots, struct term *out)
{
    out->n = 0;
    for (int i = 0; i < dots; i++)
        if (!add(out, (char)('0' + TW_MAX_RANK - dots + i)))
            return false;
    for (int c = 'A'; c <= 'z'; c++) {
        int count = 0;

        for (size_t k = 0; k < n; k++)
            for (int i = 0; i < in[k].n; i++)
                count += in[k].label[i] == c;
        if (count == 1 && !add(out, (char)c))
            return false;
    }
    return true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* The axes in the order of `to`: transposed, and the diagonal where a letter occurs twice. All
 * letters of `to` are the operand's. */
static int arrange(struct tw_build *b, const struct term *from, const struct term *to)
{
    const struct tw_val x = *tw_b_val(b, from->v);
    struct tw_assemble_data *d;
    long s[TW_MAX_RANK], at[TW_MAX_RANK] = { 0 };
    size_t dims[TW_MAX_RANK];
    bool same = from->n == to->n && !memcmp(from->label, to->label, (size_t)to->n);

    if (same)
        return from->v;
    tw_strides(x.rank, x.dims, false, s);
    for (int i = 0; i < to->n; i++) {
        bool first = true;

        dims[i] = 1;
        for (int k = 0; k < from->n; k++) {
            if (from->label[k] != to->label[i])
                continue;
            if (!first && x.dims[k] != dims[i]) {
                tw_b_fail(b, "has extents %zu and %zu for one letter", dims[i], x.dims[k]);
                return -1;
            }
            dims[i] = x.dims[k];
            at[i] += s[k];
            first = false;
        }
    }
    d = tw_alloc(1, sizeof *d + sizeof d->piece[0]);
    if (!d)
        return -1;
    d->covered = true;
    d->npiece = 1;
    d->piece[0].loop.nd = to->n;
    for (int i = 0; i < to->n; i++) {
        d->piece[0].loop.n[i] = dims[i];
        d->piece[0].loop.sa[i] = at[i];
    }
    tw_strides(to->n, dims, false, d->piece[0].loop.sy);
    tw_loop_collapse(&d->piece[0].loop);
    return tw_b_instr(b, &tw_op_assemble, 1, &from->v, tw_b_temp(b, x.dtype, to->n, dims), d, 0.0);
}

enum { LETTERS = 128 };

/* Each letter once, and those summed away that are not kept. */
static enum tw_status reduce(struct tw_build *b, struct term *t, const bool kept[LETTERS])
{
    struct term once = { .n = 0 }, left = { .n = 0 };
    bool axes[TW_MAX_RANK], any = false;

    for (int i = 0; i < t->n; i++)
        if (!has(&once, t->label[i]))
            (void)add(&once, t->label[i]);
    once.v = arrange(b, t, &once);
    if (once.v < 0)
        return TW_ENOMEM;
    for (int i = 0; i < once.n; i++) {
        axes[i] = !kept[(unsigned char)once.label[i] % LETTERS];
        any = any || axes[i];
        if (!axes[i])
            (void)add(&left, once.label[i]);
    }
    left.v = any ? tw_b_reduce(b, TW_B_ADD, false, once.v, axes, false) : once.v;
    *t = left;
    return t->v < 0 ? TW_ENOMEM : TW_OK;
}

/* The product of the extents of some letters of a value. */
static size_t extent(const struct tw_build *b, const struct term *t, const struct term *of)
{
    size_t n = 1;

    for (int i = 0; i < t->n; i++)
        if (has(of, t->label[i]))
            n *= tw_b_val(b, t->v)->dims[i];
    return n;
}

static bool join(struct term *t, const struct term *more)
{
    for (int i = 0; i < more->n; i++)
        if (!add(t, more->label[i]))
            return false;
    return true;
}

/* The letters of a product of two: those that both have and keep, those of one alone, and those
 * summed over. */
struct product {
    struct term batch, rows, inner, columns;
    struct term left, right, out; /* the orders of axes that make matrices of it */
    size_t n, ni, nk, nj;
    size_t dims[TW_MAX_RANK]; /* of the result */
};

static enum tw_status plan(struct tw_build *b, const struct term *x, const struct term *y,
                           const bool kept[LETTERS], struct product *p)
{
    for (int i = 0; i < x->n; i++)
        (void)add(!has(y, x->label[i])                         ? &p->rows
                  : kept[(unsigned char)x->label[i] % LETTERS] ? &p->batch
                                                               : &p->inner,
                  x->label[i]);
    for (int i = 0; i < y->n; i++)
        if (!has(x, y->label[i]))
            (void)add(&p->columns, y->label[i]);
    p->left = p->right = p->out = p->batch;
    if (!join(&p->left, &p->rows) || !join(&p->left, &p->inner) || !join(&p->right, &p->inner) ||
        !join(&p->right, &p->columns) || !join(&p->out, &p->rows) || !join(&p->out, &p->columns))
        return tw_b_fail(b, "makes a value of too high a rank");
    p->n = extent(b, x, &p->batch);
    p->ni = extent(b, x, &p->rows);
    p->nk = extent(b, x, &p->inner);
    p->nj = extent(b, y, &p->columns);
    for (int k = 0; k < x->n; k++)
        for (int i = 0; i < y->n; i++)
            if (x->label[k] == y->label[i] &&
                tw_b_val(b, x->v)->dims[k] != tw_b_val(b, y->v)->dims[i])
                return tw_b_fail(b, "has operands of different extents for one letter");
    for (int i = 0; i < p->out.n; i++) {
        const struct term *t = has(x, p->out.label[i]) ? x : y;

        for (int k = 0; k < t->n; k++)
            if (t->label[k] == p->out.label[i])
                p->dims[i] = tw_b_val(b, t->v)->dims[k];
    }
    return TW_OK;
}

/* x <- x y, summed over the letters that both have and nothing else wants. */
static enum tw_status multiply(struct tw_build *b, struct term *x, const struct term *y,
                               const bool kept[LETTERS])
{
    struct product p = { .n = 0 };
    struct tw_matmul_data *d;
    enum tw_status st = plan(b, x, y, kept, &p);
    int in[2];

    if (st)
        return st;
    in[0] = arrange(b, x, &p.left);
    in[1] = arrange(b, y, &p.right);
    d = tw_alloc(1, sizeof *d);
    if (in[0] < 0 || in[1] < 0 || !d) {
        free(d);
        return TW_ENOMEM;
    }
    *d = (struct tw_matmul_data){ .batch = { .nd = 1,
                                             .n = { p.n },
                                             .sa = { (long)(p.ni * p.nk) },
                                             .sb = { (long)(p.nk * p.nj) },
                                             .sy = { (long)(p.ni * p.nj) } },
                                  .ni = p.ni,
                                  .nj = p.nj,
                                  .nk = p.nk,
                                  .ai = (long)p.nk,
                                  .ak = 1,
                                  .bk = (long)p.nj,
                                  .bj = 1,
                                  .yi = (long)p.nj,
                                  .yj = 1 };
    tw_loop_collapse(&d->batch);
    *x = p.out;
    x->v = tw_b_instr(b, &tw_op_matmul, 2, in,
                      tw_b_temp(b, tw_b_val(b, in[0])->dtype, p.out.n, p.dims), d,
                      2.0 * (double)(p.n * p.ni) * (double)(p.nk * p.nj));
    return x->v < 0 ? TW_ENOMEM : TW_OK;
}

/* ---- the operator ---------------------------------------------------------------------------- */

enum { MOST_TERMS = 8 };

static enum tw_status read_equation(struct tw_build *b, const struct tw_node *node, struct term *in,
                                    struct term *out)
{
    const char *s = tw_node_text(node, "equation", ""), *arrow = strstr(s, "->");
    const char *end = arrow ? arrow : s + strlen(s);
    int dots = 0;

    for (size_t k = 0; k < node->nin; k++) {
        const char *comma = memchr(s, ',', (size_t)(end - s));
        const char *stop = comma ? comma : end;
        int v = tw_b_in(b, k), more;

        if (v < 0 || (comma != NULL) != (k + 1 < node->nin))
            return tw_b_fail(b, "has an equation for another number of operands");
        more = tw_b_val(b, v)->rank - letters(s, stop);
        if (!parse(s, stop, more, &in[k]) || in[k].n != tw_b_val(b, v)->rank)
            return tw_b_fail(b, "has an equation that does not fit operand %zu", k);
        in[k].v = v;
        dots = more > dots ? more : dots;
        s = stop + 1;
    }
    if (arrow ? !parse(arrow + 2, arrow + strlen(arrow), dots, out)
              : !implied(node->nin, in, dots, out))
        return tw_b_fail(b, "has a result that is not understood");
    for (int i = 0; i < out->n; i++) {
        bool known = false;

        for (size_t k = 0; k < node->nin; k++)
            known = known || has(&in[k], out->label[i]);
        if (!known || memchr(out->label, out->label[i], (size_t)i))
            return tw_b_fail(b, "has a letter in the result that is unknown or there twice");
    }
    return TW_OK;
}

/* The letters that the result has, or any operand of `from` .. n - 1 but one. */
static void find_kept(size_t from, size_t n, size_t without, const struct term *in,
                      const struct term *out, bool kept[LETTERS])
{
    memset(kept, 0, LETTERS * sizeof *kept);
    for (int i = 0; i < out->n; i++)
        kept[(unsigned char)out->label[i] % LETTERS] = true;
    for (size_t k = from; k < n; k++)
        for (int i = 0; i < in[k].n && k != without; i++)
            kept[(unsigned char)in[k].label[i] % LETTERS] = true;
}

enum tw_status tw_lower_einsum(struct tw_build *b, const struct tw_node *node)
{
    struct term in[MOST_TERMS] = { { 0 } }, part[MOST_TERMS], out = { .n = 0 };
    size_t n = node->nin;
    bool kept[LETTERS];
    enum tw_status st;

    if (n < 1 || n > MOST_TERMS)
        return tw_b_fail(b, "has %zu operands; at most %d are supported", n, MOST_TERMS);
    st = read_equation(b, node, in, &out);
    memcpy(part, in, n * sizeof *in);
    for (size_t k = 0; k < n && !st; k++) {
        find_kept(0, n, k, in, &out, kept);
        st = reduce(b, &part[k], kept);
        if (k && !st) {
            find_kept(k + 1, n, n, in, &out, kept);
            st = multiply(b, &part[0], &part[k], kept);
        }
    }
    if (!st)
        tw_b_out(b, 0, arrange(b, &part[0], &out));
    return b->err->code ? b->err->code : st;
}
