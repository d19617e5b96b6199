/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Products of matrices. */
#include "reference.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* Sum over k < n of a[ia + k sa] b[ib + k sb]; integers wrap. */
static double dot_real(const struct tw_array *a, size_t ia, size_t sa, const struct tw_array *b,
                       size_t ib, size_t sb, size_t n)
{
    double s = 0.0;

    for (size_t k = 0; k < n; k++)
        s += tw_array_real(a, ia + k * sa) * tw_array_real(b, ib + k * sb);
    return s;
}

static int64_t dot_int(const struct tw_array *a, size_t ia, size_t sa, const struct tw_array *b,
                       size_t ib, size_t sb, size_t n)
{
    uint64_t s = 0;

    for (size_t k = 0; k < n; k++)
        s += (uint64_t)tw_array_int(a, ia + k * sa) * (uint64_t)tw_array_int(b, ib + k * sb);
    return (int64_t)s;
}

/* ---- MatMul ---------------------------------------------------------------------------------- */

/* As NumPy's matmul: a vector on the left is a row, on the right a column; leading dimensions
 * spread. The strides of the leading dimensions are those of whole matrices. */
static enum tw_status run_matmul(struct tw_ref *r)
{
    struct tw_array a = *r->in[0], b = *r->in[1];
    struct tw_array la, lb; /* leading dimensions */
    const struct tw_array *lead[] = { &la, &lb };
    const bool row = a.rank == 1, column = b.rank == 1;
    size_t dims[TW_MAX_RANK], sa[TW_MAX_RANK], sb[TW_MAX_RANK], m, n, k, batch;
    int rank, shown;
    enum tw_status rc = tw_ref_need_type(r, &a, &b);

    if (rc == TW_OK && (a.rank == 0 || b.rank == 0))
        rc = tw_ref_fail(r, "a scalar is no matrix");
    if (rc != TW_OK)
        return rc;
    if (row) {
        a.rank = 2;
        a.dims[1] = a.dims[0];
        a.dims[0] = 1;
    }
    if (column) {
        b.rank = 2;
        b.dims[1] = 1;
    }
    m = a.dims[a.rank - 2];
    k = a.dims[a.rank - 1];
    n = b.dims[b.rank - 1];
    if (b.dims[b.rank - 2] != k)
        return tw_ref_fail(r, "%zu columns times %zu rows", k, b.dims[b.rank - 2]);
    la = a;
    la.rank -= 2;
    lb = b;
    lb.rank -= 2;
    rc = tw_ref_broadcast(r, 2, lead, &rank, dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_spread(&la, rank, sa);
    tw_ref_spread(&lb, rank, sb);
    batch = tw_ref_product(dims, 0, rank);
    shown = rank;
    if (!row)
        dims[shown++] = m;
    if (!column)
        dims[shown++] = n;
    rc = tw_ref_out(r, 0, a.dtype, shown, dims);
    for (size_t i = 0; rc == TW_OK && i < batch * m * n; i++) {
        const size_t at = i / (m * n), from = i / n % m, to = i % n;
        const size_t ia = tw_ref_at(at, rank, dims, sa) * m * k + from * k;
        const size_t ib = tw_ref_at(at, rank, dims, sb) * k * n + to;

        if (tw_dtype_is_real(a.dtype))
            tw_array_set_real(&r->out[0], i, dot_real(&a, ia, 1, &b, ib, n, k));
        else
            tw_array_set_int(&r->out[0], i, dot_int(&a, ia, 1, &b, ib, n, k));
    }
    return rc;
}

/* ---- Gemm ------------------------------------------------------------------------------------ */

/* alpha op(A) op(B) + beta C; of integers, alpha and beta are cut to integers. */
static enum tw_status run_gemm(struct tw_ref *r)
{
    const struct tw_array *a = r->in[0], *b = r->in[1], *c = tw_ref_in(r, 2);
    const bool ta = tw_node_int(r->node, "transA", 0) != 0;
    const bool tb = tw_node_int(r->node, "transB", 0) != 0;
    const double alpha = tw_node_real(r->node, "alpha", 1.0);
    const double beta = tw_node_real(r->node, "beta", 1.0);
    size_t dims[2], common[2], sc[2] = { 0, 0 }, k;
    struct tw_array y;
    const struct tw_array *both[] = { &y, c };
    int rank;
    enum tw_status rc = tw_ref_need_type(r, a, b);

    if (rc == TW_OK && c)
        rc = tw_ref_need_type(r, a, c);
    if (rc == TW_OK && (a->rank != 2 || b->rank != 2 || (c && c->rank > 2)))
        rc = tw_ref_fail(r, "expected matrices");
    if (rc == TW_OK && !tw_dtype_is_real(a->dtype) &&
        !(fabs(alpha) < 0x1p62 && fabs(beta) < 0x1p62))
        rc = tw_ref_fail(r, "alpha or beta is too large for integers");
    if (rc == TW_OK && a->dims[!ta] != b->dims[tb])
        rc = tw_ref_fail(r, "%zu columns times %zu rows", a->dims[!ta], b->dims[tb]);
    if (rc != TW_OK)
        return rc;
    k = a->dims[!ta];
    dims[0] = a->dims[ta];
    dims[1] = b->dims[!tb];
    rc = tw_ref_out(r, 0, a->dtype, 2, dims);
    if (rc != TW_OK)
        return rc;
    y = r->out[0];
    if (c) {
        rc = tw_ref_broadcast(r, 2, both, &rank, common);
        if (rc != TW_OK)
            return rc;
        if (common[0] != dims[0] || common[1] != dims[1])
            return tw_ref_fail(r, "C does not spread over the product");
        tw_ref_spread(c, 2, sc);
    }
    for (size_t i = 0; i < y.n; i++) {
        const size_t from = i / dims[1], to = i % dims[1];
        const size_t ia = ta ? from : from * k, ib = tb ? to * k : to;
        const size_t sa = ta ? dims[0] : 1, sb = tb ? 1 : dims[1];
        const size_t ic = from * sc[0] + to * sc[1];

        if (tw_dtype_is_real(a->dtype))
            tw_array_set_real(&r->out[0], i,
                              alpha * dot_real(a, ia, sa, b, ib, sb, k) +
                                  (c ? beta * tw_array_real(c, ic) : 0.0));
        else
            tw_array_set_int(
                &r->out[0], i,
                (int64_t)((uint64_t)(int64_t)alpha * (uint64_t)dot_int(a, ia, sa, b, ib, sb, k) +
                          (c ? (uint64_t)(int64_t)beta * (uint64_t)tw_array_int(c, ic) : 0U)));
    }
    return TW_OK;
}

/* ---- Einsum ---------------------------------------------------------------------------------- */

enum { LABELS = 2 * TW_MAX_RANK, OPERANDS = 8 };

/* Labels of one term, "..." spelt out as the letters '0' .. '7' counted from its end. */
struct term {
    char label[TW_MAX_RANK];
    int rank;
};

/* Reads up to ',' or '-' or the end; fill is how many dimensions "..." stands for. */
static bool read_term(const char **s, int fill, struct term *t, int *named, bool *dots)
{
    t->rank = 0;
    *named = 0;
    *dots = false;
    for (; **s && **s != ',' && **s != '-'; (*s)++) {
        if (**s == ' ')
            continue;
        if (strncmp(*s, "...", 3) == 0 && !*dots) {
            *dots = true;
            *s += 2;
            if (fill < 0 || t->rank + fill > TW_MAX_RANK)
                return false;
            for (int i = fill; i-- > 0;)
                t->label[t->rank++] = (char)('0' + i);
            continue;
        }
        if (!isalpha((unsigned char)**s) || t->rank == TW_MAX_RANK)
            return false;
        t->label[t->rank++] = **s;
        (*named)++;
    }
    return true;
}

/* All labels of the equation: first those of the result, then those summed over. */
struct einsum {
    struct term in[OPERANDS];
    size_t nin;
    char label[LABELS];
    size_t dims[LABELS];
    int nlabel, nresult;
};

static int label_of(const struct einsum *e, char c)
{
    for (int i = 0; i < e->nlabel; i++)
        if (e->label[i] == c)
            return i;
    return -1;
}

static bool add_label(struct einsum *e, char c)
{
    if (label_of(e, c) >= 0)
        return true;
    if (e->nlabel == LABELS)
        return false;
    e->dims[e->nlabel] = 1;
    e->label[e->nlabel++] = c;
    return true;
}

static bool read_inputs(const struct tw_ref *r, const char **s, struct einsum *e)
{
    for (size_t j = 0; j < r->nin; j++) {
        const char *again = *s;
        int named;
        bool dots;

        if (!r->in[j] || !read_term(s, 0, &e->in[j], &named, &dots))
            return false;
        if (dots && !read_term(&again, r->in[j]->rank - named, &e->in[j], &named, &dots))
            return false;
        if (e->in[j].rank != r->in[j]->rank || (j + 1 < r->nin && **s != ','))
            return false;
        if (j + 1 < r->nin)
            (*s)++;
    }
    e->nin = r->nin;
    return **s == '\0' || strncmp(*s, "->", 2) == 0;
}

/* Without "->" the result has the "..." and the labels that occur once, in order. */
static bool implied_result(struct einsum *e)
{
    for (int c = '7'; c >= '0'; c--)
        for (size_t j = 0; j < e->nin; j++)
            if (memchr(e->in[j].label, c, (size_t)e->in[j].rank) && !add_label(e, (char)c))
                return false;
    for (int c = 'A'; c <= 'z'; c++) {
        int count = 0;

        for (size_t j = 0; j < e->nin; j++)
            for (int i = 0; i < e->in[j].rank; i++)
                count += e->in[j].label[i] == c;
        if (count == 1 && !add_label(e, (char)c))
            return false;
    }
    e->nresult = e->nlabel;
    return true;
}

static bool read_result(const char *s, struct einsum *e)
{
    struct term t;
    int named, fill = 0;
    bool dots;

    if (*s == '\0')
        return implied_result(e);
    for (size_t j = 0; j < e->nin; j++)
        for (int i = 0; i < e->in[j].rank; i++)
            if (e->in[j].label[i] <= '9' && e->in[j].label[i] - '0' >= fill)
                fill = e->in[j].label[i] - '0' + 1;
    s += 2;
    if (!read_term(&s, fill, &t, &named, &dots) || *s)
        return false;
    for (int i = 0; i < t.rank; i++)
        if (label_of(e, t.label[i]) >= 0 || !add_label(e, t.label[i]))
            return false;
    e->nresult = e->nlabel;
    return true;
}

/* The sum for one element of the result; index holds its labels' values. */
static double einsum_at(const struct tw_ref *r, const struct einsum *e,
                        size_t stride[OPERANDS][LABELS], size_t i, size_t summed)
{
    const int ns = e->nlabel - e->nresult;
    double s = 0.0;

    for (size_t k = 0; k < summed; k++) {
        double p = 1.0;

        for (size_t j = 0; j < e->nin; j++)
            p *= tw_array_real(r->in[j],
                               tw_ref_at(i, e->nresult, e->dims, stride[j]) +
                                   tw_ref_at(k, ns, e->dims + e->nresult, stride[j] + e->nresult));
        s += p;
    }
    return s;
}

static enum tw_status run_einsum(struct tw_ref *r)
{
    const char *equation = tw_node_text(r->node, "equation", ""), *s = equation;
    /* a short file can ask for any number of terms */
    const size_t most = (size_t)1 << 36;
    size_t stride[OPERANDS][LABELS] = { { 0 } }, summed;
    struct einsum e = { .nin = 0 };
    enum tw_status rc;

    if (r->nin > OPERANDS || !read_inputs(r, &s, &e) || !read_result(s, &e))
        return tw_ref_fail(r, "equation '%s' is not understood or does not suit the inputs",
                           equation);
    for (size_t j = 0; j < e.nin; j++) {
        size_t own[TW_MAX_RANK];

        tw_ref_strides(r->in[j]->rank, r->in[j]->dims, own);
        for (int i = 0; i < e.in[j].rank; i++) {
            const size_t n = r->in[j]->dims[i];
            int at;

            if (!add_label(&e, e.in[j].label[i]))
                return tw_ref_fail(r, "equation '%s' has too many labels", equation);
            at = label_of(&e, e.in[j].label[i]);
            if (n != 1 && e.dims[at] != 1 && n != e.dims[at])
                return tw_ref_fail(r, "label '%c' has extents %zu and %zu", e.in[j].label[i],
                                   e.dims[at], n);
            if (n == 1)
                continue;
            e.dims[at] = n;
            stride[j][at] += own[i];
        }
    }
    if (e.nresult > TW_MAX_RANK)
        return tw_ref_fail(r, "the result has more than %d dimensions", TW_MAX_RANK);
    rc = tw_ref_out(r, 0, r->in[0]->dtype, e.nresult, e.dims);
    summed = 1;
    for (int i = e.nresult; rc == TW_OK && i < e.nlabel; i++) {
        if (e.dims[i] && summed > most / e.dims[i])
            return tw_ref_fail(r, "sums over more than 2^36 terms");
        summed *= e.dims[i];
    }
    if (rc == TW_OK && r->out[0].n > 0 && summed > most / r->out[0].n)
        return tw_ref_fail(r, "sums over more than 2^36 terms");
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++)
        tw_array_set_real(&r->out[0], i, einsum_at(r, &e, stride, i, summed));
    return rc;
}

const struct tw_ref_op tw_ref_matrix[] = {
    { .op = "MatMul", .least = 2, .most = 2, .run = run_matmul },
    { .op = "Gemm", .least = 2, .most = 3, .run = run_gemm },
    { .op = "Einsum", .least = 1, .most = OPERANDS, .run = run_einsum },
    { .op = NULL },
};
