/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/tensor_kernels.h - the numeric kernels, one table of functions for each pair of
 * instruction set and number type, chosen at run time.
 *
 * Samples lie in the lanes. A quantity that differs from sample to sample ("varying") with E
 * elements is stored as E * lanes reals: element e of sample s at [e * lanes + s]. `lanes` is a
 * multiple of TW_LANES. A quantity that all samples share ("uniform": parameters, constants) is
 * E reals, lanes = 1. So every operation runs along whole vectors without shuffles, whatever the
 * shape of the network, and no padding of channels is ever needed.
 *
 * Strides and offsets count elements of the operand they belong to (an element is `lanes`
 * reals). Pointers are to the table's real type; varying operands are aligned to 64 bytes. Kernels
 * allocate nothing, use one thread, keep no state; NaN and infinity go through as IEEE arithmetic
 * says. Sums run in an order that depends on the shapes alone. */
#ifndef TW_TENSOR_KERNELS_H
#define TW_TENSOR_KERNELS_H

#include <pthread.h>
#include <stdatomic.h>

#include "thalweg/base.h"

enum {
    TW_LANES = 16,
    TW_PANEL = 8, /* rows of a packed panel */
    TW_LOOP_MAX = 8
};

enum tw_real_type { TW_REAL32, TW_REAL64 };

/* Functions of one real. p0, p1: parameters. Order 0 is f, 1 its derivative f', 2 f''. */
enum tw_unary {
    TW_U_COPY,
    TW_U_NEG,
    TW_U_ABS,
    TW_U_SIGN,
    TW_U_FLOOR,
    TW_U_CEIL,
    TW_U_ROUND, /* half to even */
    TW_U_EXP,
    TW_U_LOG,
    TW_U_LOG1P,
    TW_U_SQRT,
    TW_U_RSQRT,
    TW_U_RECIP,
    TW_U_SQUARE,
    TW_U_POWC, /* x^p0 */
    TW_U_SIN,
    TW_U_COS,
    TW_U_TANH,
    TW_U_SIGMOID,
    TW_U_ERF,
    TW_U_RELU,
    TW_U_LEAKY,     /* x < 0: p0 x */
    TW_U_ELU,       /* x < 0: p0 (e^x - 1) */
    TW_U_SELU,      /* p1 (x < 0: p0 (e^x - 1)) */
    TW_U_CELU,      /* x < 0: p0 (e^(x/p0) - 1) */
    TW_U_SOFTPLUS,  /* log(1 + e^x) */
    TW_U_SOFTSIGN,  /* x / (1 + |x|) */
    TW_U_HSIGMOID,  /* max(0, min(1, p0 x + p1)) */
    TW_U_HSWISH,    /* x max(0, min(1, x/6 + 1/2)) */
    TW_U_GELU,      /* x Phi(x) */
    TW_U_GELU_TANH, /* its tanh approximation */
    TW_U_SILU,      /* x sigmoid(x) */
    TW_U_MISH,      /* x tanh(softplus(x)) */
    TW_U_CLIP,      /* max(p0, min(p1, x)) */
    TW_U_THRESHOLD, /* x > p0 ? x : 0 (ThresholdedRelu) */
    TW_U_NOT,       /* x == 0 */
    TW_U_ISNAN,
    TW_U_HUBER, /* |x| <= p0: x^2 / 2; else p0 (|x| - p0 / 2) */
    TW_U_COUNT
};

enum tw_binary {
    TW_B_ADD,
    TW_B_SUB,
    TW_B_MUL,
    TW_B_DIV,
    TW_B_POW,
    TW_B_MAX,
    TW_B_MIN,
    TW_B_MOD,  /* sign of the divisor */
    TW_B_FMOD, /* sign of the dividend */
    TW_B_EQ,
    TW_B_LT,
    TW_B_LE,
    TW_B_GT,
    TW_B_GE,
    TW_B_AND,
    TW_B_OR,
    TW_B_XOR,
    TW_B_FIRST, /* a: a strided copy, with broadcast */
    TW_B_COUNT
};

/* How a result meets what is in memory. */
enum tw_store { TW_SET, TW_ADD, TW_SUBTRACT };

/* A loop nest of nd levels (0: one element), the last one innermost. Stride 0 broadcasts. */
struct tw_loop {
    int nd;
    size_t n[TW_LOOP_MAX];
    long sa[TW_LOOP_MAX], sb[TW_LOOP_MAX], sc[TW_LOOP_MAX], sy[TW_LOOP_MAX];
};

/*
 * Y[m][c] = sum over k of A[m,k] X[k][c] (+ bias[m], then a unary function), A uniform, X and Y
 * varying. Element of X: xoff(k) + column offset, xoff(k) = koff[k] or k * kstride; of Y:
 * yoff(m) + column offset likewise. Columns are three nested loops (1 where not needed). This is a
 * linear layer (columns: the positions), a convolution (koff: the taps; columns: output rows and
 * columns), and with store = TW_ADD and yoff the taps, the gradient of a convolution by its input:
 * offsets of different m may then coincide between columns but never within one column, nor (for a
 * team to share the rows) those of different m / apart: the taps of another channel. An activation
 * wants TW_SET. */
struct tw_gemm {
    size_t m, k;
    const void *a;    /* packed by the table's pack() */
    const void *bias; /* m reals, or NULL */
    const void *x;
    const long *koff; /* or NULL */
    long kstride;
    void *y;
    const long *moff; /* or NULL */
    size_t apart;     /* with moff; 0: nothing is known of them */
    size_t whole; /* the rows of which these are a part, if not 0: what meets is summed as there */
    long mstride;
    size_t nc[3];
    long xc[3], yc[3];
    size_t lanes;
    enum tw_store store;
    int act; /* enum tw_unary without parameters, applied last; TW_U_COPY: none */
};

/* dA[m * dam + k * dak] += sum over columns and lanes of GY[m][c] X[k][c], and then times `by`;
 * set: = in the place of +=. Offsets as above, GY in the place of Y. Short sums are of the table's
 * type, and sums of these are double. Lanes that are padding must hold zeros in GY, finite numbers
 * in X. */
struct tw_gradw {
    size_t m, k;
    const void *gy;
    const long *moff;
    long mstride;
    const void *x;
    const long *koff;
    long kstride;
    size_t nc[3];
    long gyc[3], xc[3];
    size_t lanes;
    double *da;
    long dam, dak;
    bool set;
    double by;
};

/*
 * A strip of a convolution with a window of 3 x 3, stride 1, by Winograd's minimal filtering
 * F(2x2, 3x3): tiles of 2 x 2 outputs, counted row by row, and TW_LANES of the lanes. winograd_in
 * transforms inputs; winograd_out multiplies by transformed weights and makes outputs, the sum of
 * nterm pairs of both. y[o] = sum over t of w[t] x[o + t - pad]; x is 0 outside its plane, whatever
 * the padding. Sums are those of gemm within a position, so results differ from a direct product's
 * by rounding; an infinite x makes NaN in the whole of its tiles. */
enum {
    TW_WINOGRAD_POSITIONS = 16, /* products of a tile */
    TW_WINOGRAD_RUN = 12        /* tiles at once, at most */
};
struct tw_winograd {
    size_t cin, cout; /* channels */
    size_t in[2], out[2];
    long pad[2];         /* zeros before the input, or if negative, inputs left out */
    size_t first, tiles; /* the strip */
    size_t lanes, lane;  /* of x and y; TW_LANES of them from `lane` on */
    size_t nterm;
    const void *const *a; /* by winograd_pack */
    const void *const *v; /* by winograd_in */
    enum tw_store store;  /* TW_SET or TW_ADD */
    bool relu;            /* at the end; wants TW_SET */
};
/* Elements (of TW_LANES reals) between positions of transformed numbers: odd, so that positions do
 * not fall into the same places of a cache. */
static inline size_t tw_winograd_step(size_t channels, size_t tiles)
{
    return channels * tiles + 1 - channels * tiles % 2;
}
/* Elements of a strip that winograd_in writes, and of the products that winograd_out uses. */
static inline size_t tw_winograd_inputs(size_t channels, size_t tiles)
{
    return TW_WINOGRAD_POSITIONS * tw_winograd_step(channels, tiles);
}
static inline size_t tw_winograd_products(void)
{
    return TW_WINOGRAD_POSITIONS * tw_winograd_step(TW_PANEL, TW_WINOGRAD_RUN);
}

/* Y[i,j] (store) sum over k of A[i,k] B[k,j] in each lane; any operand may be uniform
 * (lanes 1) as long as Y has the larger number of lanes of the two. */
struct tw_bmm {
    size_t ni, nj, nk;
    const void *a;
    long ai, ak;
    size_t alanes;
    const void *b;
    long bk, bj;
    size_t blanes;
    void *y;
    long yi, yj;
    size_t lanes;
    enum tw_store store;
};

/* Scaled dot-product attention of one head, nothing of size nq * nk is stored:
 * Y[i] = sum over j of softmax_j(scale Q[i].K[j] + bias[i,j]) V[j]. All varying. causal: only
 * j <= i + nk - nq; a query that sees no key gives NaN. bias: uniform, nq x nk with stride bi
 * between queries, or NULL. scratch: attention_scratch() reals, aligned to 64 bytes. */
struct tw_attention {
    size_t nq, nk, d, dv;
    const void *q, *k, *v;
    long qi, qd, kj, kd, vj, vd; /* strides of position and of feature */
    void *y;
    long yi, yd;
    double scale;
    bool causal;
    const void *bias;
    long bi;
    size_t lanes;
    void *scratch;
};

/* Pooling windows: outputs `out` by `out`, up to three spatial axes (1 where not needed); the
 * window of output o covers o * stride - pad + i * dilation. One channel plane at a time:
 * `planes` of them, in and out plane after plane. Positions outside count as absent. */
struct tw_pool {
    size_t planes;
    size_t in[3], out[3], window[3];
    long stride[3], pad[3], pad_end[3], dilation[3];
    bool count_pad; /* average over the whole window, padding included */
    size_t lanes;
};

/* Threads that compute together: `of` is theirs to set before the first joins. */
struct tw_team {
    size_t of;
    atomic_size_t arrived, round;
    pthread_mutex_t lock; /* for those that wait long */
    pthread_cond_t moved;
};
void tw_team_begin(struct tw_team *t);
void tw_team_end(struct tw_team *t);
/* The calling thread is number `me` of team t, for kernels and waits; NULL: of none any more. */
void tw_team_join(struct tw_team *t, size_t me);
size_t tw_team_me(void);
size_t tw_team_of(void);
/* Until all have come here. Sleeps if that takes long. */
void tw_team_wait(void);

struct tw_kernels {
    const char *isa; /* "avx512", "avx2", "generic" */
    enum tw_real_type type;
    size_t size; /* of a real: 4 or 8 */
    /* The same for teams: all threads of one call each kernel together, with equal arguments (but
     * for `scratch`), and share its work; the same bits. NULL there. */
    const struct tw_kernels *team;

    /* Elementwise. n counts reals. y may be x. */
    void (*unary)(enum tw_unary f, int order, double p0, double p1, size_t n, const void *x,
                  void *y);
    /* gx (store) f^(order)(x) g. */
    void (*unary_grad)(enum tw_unary f, int order, double p0, double p1, size_t n, const void *x,
                       const void *g, enum tw_store store, void *gx);
    /* y (store) a op b over the nest; an operand of 1 lane is spread over y's lanes. */
    void (*binary)(enum tw_binary f, const struct tw_loop *l, size_t alanes, const void *a,
                   size_t blanes, const void *b, enum tw_store store, size_t lanes, void *y);
    /* y = c != 0 ? a : b; strides sc for c. */
    void (*select)(const struct tw_loop *l, size_t clanes, const void *c, size_t alanes,
                   const void *a, size_t blanes, const void *b, enum tw_store store, size_t lanes,
                   void *y);
    void (*fill)(size_t n, double value, void *y);
    void (*axpy)(size_t n, double s, const void *x, void *y); /* y += s x */

    /* Reductions over a nest whose sy is 0 along what is summed. y holds the start value (0, or
     * what is added to). TW_B_ADD, TW_B_MUL, TW_B_MAX, TW_B_MIN; NaN goes through all. */
    void (*reduce)(enum tw_binary f, const struct tw_loop *l, const void *a, size_t lanes, void *y);
    /* Varying into uniform: y[...] += sum over the nest and the lanes of a (times b if not NULL;
     * b varying, strides sb; blanes 1: uniform). y double. */
    void (*reduce_lanes)(const struct tw_loop *l, const void *a, size_t blanes, const void *b,
                         size_t lanes, double *y);

    /* Products. pack: A (m x k, strides in reals) into panels; packed_size in reals. */
    size_t (*packed_size)(size_t m, size_t k);
    void (*pack)(size_t m, size_t k, const void *a, long sm, long sk, void *packed);
    void (*gemm)(const struct tw_gemm *g);
    void (*gradw)(const struct tw_gradw *g);
    /* Weights of m x k windows (strides in reals, a window's nine reals side by side; turned: in
     * reverse) to TW_WINOGRAD_POSITIONS packed matrices. */
    void (*winograd_pack)(size_t m, size_t k, const void *a, long sm, long sk, bool turned,
                          void *packed);
    void (*winograd_in)(const struct tw_winograd *w, const void *x, void *v);
    void (*winograd_out)(const struct tw_winograd *w, void *products, const void *bias, void *y);
    /* The gradient by the weights: cotangents of the outputs are transformed as inputs are
     * (tw_winograd_inputs of cout); gradw for each position sums du; and da (n windows) becomes da
     * plus what n matrices du, [position][n], come to. */
    void (*winograd_grad)(const struct tw_winograd *w, const void *gy, void *v);
    void (*winograd_weights)(size_t n, const double *du, double *da);
    void (*bmm)(const struct tw_bmm *b);
    size_t (*attention_scratch)(size_t nk, size_t d, size_t dv, size_t lanes); /* reals */
    void (*attention)(const struct tw_attention *a);

    /* Rows of n elements with stride s between them. Row (o, i) of outer x inner begins at
     * o * outer_stride + i. y may be x. */
    void (*softmax)(bool log, size_t outer, long outer_stride, size_t n, long s, size_t inner,
                    size_t lanes, const void *x, void *y);
    /* y = (x - mean) / sqrt(var + eps) over n elements of stride s, row r at r * row, then * scale
     * + shift
     * (uniform, n reals each, or NULL); rms: without the mean. The mean and 1/sqrt are kept if
     * stats is not NULL (2 elements a row). */
    void (*normalize)(bool rms, size_t rows, long row, size_t n, long s, double eps,
                      const void *scale, const void *shift, size_t lanes, const void *x, void *y,
                      void *stats);

    /* Place of the largest (min: the smallest) of n elements, as softmax walks them; the first of
     * equals (last: the last). NaN never wins. y: outer * inner elements. */
    void (*argmax)(bool min, bool last, size_t outer, size_t n, size_t inner, size_t lanes,
                   const void *x, void *y);

    /* Pooling. index: the winner's element within the plane, a real per output and lane (for
     * the gradient and tangents), may be NULL. NaN wins, else the first of equals. A window of
     * nothing but padding gives -inf and index -1. */
    void (*maxpool)(const struct tw_pool *p, const void *x, void *y, void *index);
    /* y[o] = x[index[o]] (0 at index -1), and its transpose gx[index[o]] += g[o], a plane of nin
     * elements and nout outputs at a time. */
    void (*pick)(size_t planes, size_t nin, size_t nout, size_t lanes, const void *index,
                 const void *x, void *y);
    void (*unpick)(size_t planes, size_t nin, size_t nout, size_t lanes, const void *index,
                   const void *g, void *gx);
    void (*avgpool)(const struct tw_pool *p, const void *x, void *y);
    void (*avgpool_grad)(const struct tw_pool *p, const void *gy, void *gx); /* adds */

    /* Rows of a uniform table by varying index (a real per lane, counted from the end if
     * negative): y[i] = table[index[i]], n indices, width reals a row; an index out of range
     * gives NaN. Transposed: gtable (double) += . */
    void (*lookup)(size_t n, const void *index, size_t rows, size_t width, const void *table,
                   size_t lanes, void *y);
    void (*lookup_grad)(size_t n, const void *index, size_t rows, size_t width, const void *gy,
                        size_t lanes, double *gtable);

    /* Between row-major samples and lanes: x[s] points to sample s (NULL: leave the lane 0), e
     * elements of the given dtype. */
    void (*load_f32)(size_t e, size_t lanes, const float *const *x, void *y);
    void (*store_f64)(size_t e, size_t lanes, size_t nsamples, const void *x, double *const *y);
};

/* The best table for this processor; `isa` NULL, or a name ("avx2", "generic") that must be
 * supported here, else NULL is returned. The environment variable THALWEG_ISA stands in for a
 * NULL `isa`. */
const struct tw_kernels *tw_kernels_find(const char *isa, enum tw_real_type type);

#endif
