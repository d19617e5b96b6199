/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/ir.h - the compiled form of a network: values, and instructions that make them in order.
 *
 * Every value is that of one sample (the batch is 1; samples lie in the lanes). A value is
 * "varying" if it depends on an input, else "uniform": uniform instructions run once for each
 * setting of the parameters. It is "active" if it depends on a parameter by a differentiable
 * path: only active values carry tangents and cotangents. Values that are another shape of the
 * same numbers (Reshape, Squeeze, Identity) share the storage of their `root`. */
#ifndef TW_GRAPH_IR_H
#define TW_GRAPH_IR_H

#include "thalweg/graph.h"
#include "thalweg/tensor_kernels.h"

enum tw_origin { TW_V_CONST, TW_V_PARAM, TW_V_BUFFER, TW_V_INPUT, TW_V_TEMP };

struct tw_val {
    char *name; /* may be NULL */
    enum tw_dtype dtype;
    int rank;
    size_t dims[TW_MAX_RANK];
    size_t n;
    enum tw_origin origin;
    bool varying, active;
    int root;                 /* whose storage it is: its own number, or a smaller one */
    size_t index;             /* parameter, buffer or input number */
    struct tw_array constant; /* TW_V_CONST */
};

struct tw_op;
struct tw_instr {
    const struct tw_op *op;
    size_t nin, nout;
    int *in;      /* nin values; -1: absent */
    int out[2];   /* nout values */
    void *data;   /* the operator's own, freed with free() */
    bool uniform; /* made once for each setting of the parameters */
    double flops; /* of one forward pass of a sample */
};

/* A buffer that is a running mean or variance of a batch normalisation. */
struct tw_stat {
    size_t buffer; /* number among the buffers */
    enum tw_statistic kind;
    int value; /* what tw_op_batch_mean makes of it; -1: compiled to read the buffer */
};

/* What a parameter is at first: stored, drawn, or (neither) 0. */
struct tw_initial {
    float *stored;
    struct tw_draw draw;
};

struct tw_graph {
    struct tw_layout layout;
    struct tw_initial *initial; /* of the parameters */
    float *initial_buffers;
    size_t nval, cap_val;
    struct tw_val *val;
    size_t ninstr, cap_instr;
    struct tw_instr *instr;
    size_t ninput, noutput;
    int *input, *output; /* values */
    size_t group;
    bool mixes; /* samples of a batch depend on each other */
    uint64_t ndropout;
    size_t nstat, cap_stat;
    struct tw_stat *stat;
};

/* ---- number types ----------------------------------------------------------------------- */

/*
 * A value carries `planes` reals where a plain number carries one: plane 0 the value, the others
 * what the number type adds to it (tangents). Products are bilinear in the planes: a sum over
 * terms a[i] * b[j] that goes to plane k, plane 0 first. Linear operators act on each
 * plane, functions of one real on plane 0 and through their derivatives on the others. So an
 * operator that is written with these knows no number type, and reverse mode run on numbers
 * with tangents gives Hessian-vector products.
 */
enum { TW_MAX_PLANES = 17, TW_MAX_TERMS = 2 * TW_MAX_PLANES };
struct tw_term {
    int i, j, k;
};
struct tw_alg {
    int planes;
    bool back; /* a plan's: there will be a way back */
    int nterm;
    struct tw_term term[TW_MAX_TERMS];
};
/* Reals with t tangents each (t = 0: plain reals): a + sum of a_t e_t, e_s e_t = 0. */
void tw_alg_tangents(struct tw_alg *a, int t);

/* ---- running ----------------------------------------------------------------------------- */

/* What an operator sees of one tile (or of the uniform part, where lanes = 1). */
struct tw_run {
    const struct tw_graph *g;
    const struct tw_kernels *k;
    const struct tw_kernels *alone; /* for one thread: `k`, but in a team */
    const struct tw_alg *alg;
    size_t lanes, samples; /* samples: of this tile, the lanes behind them are padding */
    size_t first;          /* number of the tile's first sample in the run */
    const size_t *rows;    /* by sample of the run; NULL: their own numbers */
    uint64_t dropout_seed;
    void **plane;      /* [root * planes + p]: NULL if it is zero throughout */
    void **grad;       /* cotangents of the same lanes, zeroed or added to; NULL: not wanted */
    double **ugrad;    /* of uniform values as seen from a tile: summed over lanes; may be NULL */
    void *const *kept; /* by instruction: what prepare() made */
    char *scratch;     /* as many bytes as the operator asked for */
    char *own;         /* as many again that no other thread of a team has */
    size_t me, team;   /* 2 or more threads compute the tile together (`k` shares out its kernels;
                          pointers are each thread's own): this one's number, how many */
    const unsigned char *act; /* by instruction: enum tw_unary to apply at its end, plain
                                 numbers only; NULL: none */
};

/* A row of the table of internal operators. */
struct tw_op {
    const char *name;
    void (*forward)(const struct tw_run *r, const struct tw_instr *in, size_t number);
    /* Of a product: plane p of the output as it is where the product is zero. */
    void (*bias)(const struct tw_run *r, const struct tw_instr *in, int p, void *y);
    /* Add to the cotangents of the inputs; NULL: nothing flows (comparisons). */
    void (*vjp)(const struct tw_run *r, const struct tw_instr *in, size_t number);
    /* Scratch of forward and vjp in elements (of `lanes` reals each); NULL: none. */
    size_t (*scratch)(const struct tw_graph *g, const struct tw_instr *in,
                      const struct tw_alg *alg);
    /* Reals kept for each setting of the parameters, and the filling of them; NULL: none. */
    size_t (*keep)(const struct tw_graph *g, const struct tw_instr *in, const struct tw_kernels *k,
                   const struct tw_alg *alg, bool gradient);
    void (*prepare)(const struct tw_run *r, const struct tw_instr *in, size_t number,
                    bool gradient);
};

static inline const struct tw_val *tw_val_of(const struct tw_run *r, int v)
{
    return &r->g->val[v];
}
/* Plane p of a value, its cotangent; NULL where zero, or not wanted. */
static inline void *tw_plane(const struct tw_run *r, int v, int p)
{
    return r->plane[r->g->val[v].root * r->alg->planes + p];
}
static inline void *tw_grad(const struct tw_run *r, int v, int p)
{
    return r->grad[r->g->val[v].root * r->alg->planes + p];
}
static inline double *tw_ugrad(const struct tw_run *r, int v, int p)
{
    return r->ugrad ? r->ugrad[r->g->val[v].root * r->alg->planes + p] : NULL;
}
static inline size_t tw_lanes_of(const struct tw_run *r, int v)
{
    return r->g->val[v].varying ? r->lanes : 1;
}
static inline bool tw_wants_grad(const struct tw_run *r, int v)
{
    return v >= 0 && r->g->val[v].active && (tw_grad(r, v, 0) || tw_ugrad(r, v, 0));
}
/* What is done without kernels is done by parts, or by the first thread of a team; then all wait.
 */
static inline void tw_run_wait(const struct tw_run *r)
{
    if (r->team > 1)
        tw_team_wait();
}
/* n elements further on. */
static inline void *tw_at(const struct tw_run *r, const void *p, long n, size_t lanes)
{
    return (char *)(uintptr_t)p + (ptrdiff_t)n * (ptrdiff_t)(lanes * r->k->size);
}

/* Element i of reals of the table's type. */
static inline double tw_get_real(const struct tw_kernels *k, const void *x, size_t i)
{
    return k->size == sizeof(float) ? (double)((const float *)x)[i] : ((const double *)x)[i];
}
static inline void tw_put_real(const struct tw_kernels *k, void *to, size_t i, double x)
{
    if (k->size == sizeof(float))
        ((float *)to)[i] = (float)x;
    else
        ((double *)to)[i] = x;
}
/* One number as the table's type has it. */
union tw_real {
    float f;
    double d;
};
static inline const void *tw_constant(const struct tw_kernels *k, double x, union tw_real *c)
{
    tw_put_real(k, c, 0, x);
    return c;
}

/* Planes by pointer: what operators hand to the helpers below. */
struct tw_planes {
    void *p[TW_MAX_PLANES];
    size_t lanes;
};
void tw_planes_of(const struct tw_run *r, int v, struct tw_planes *x);
void tw_planes_grad(const struct tw_run *r, int v, struct tw_planes *g); /* same lanes only */
/* n elements a plane out of scratch, from *used elements on. */
void tw_planes_scratch(const struct tw_run *r, size_t n, size_t *used, struct tw_planes *x);

/* y (store) a op b in the algebra: TW_B_MUL by terms, TW_B_ADD, TW_B_SUB, TW_B_FIRST plane by
 * plane. Absent planes count as zero; a plane of y that nothing reaches is zeroed (TW_SET). */
void tw_alg_binary(const struct tw_run *r, enum tw_binary f, const struct tw_loop *l,
                   const struct tw_planes *a, const struct tw_planes *b, enum tw_store store,
                   const struct tw_planes *y);
/* y = f^(order)(x), n elements in one piece. x and y differ. */
void tw_alg_unary(const struct tw_run *r, enum tw_unary f, int order, double p0, double p1,
                  size_t n, const struct tw_planes *x, const struct tw_planes *y);
/* y += sums of a over the nest (sy 0 where summed), plane by plane; same lanes. */
void tw_alg_reduce(const struct tw_run *r, const struct tw_loop *l, const struct tw_planes *a,
                   const struct tw_planes *y);
/* The same into the cotangent of value v, whatever its lanes: grad or, where v is uniform and
 * a is not, ugrad. With b: the product a b, by terms. */
void tw_alg_into(const struct tw_run *r, const struct tw_loop *l, const struct tw_planes *a,
                 const struct tw_planes *b, int v);
void tw_alg_zero(const struct tw_run *r, size_t n, const struct tw_planes *y);
/* y *= s, y += s for plane 0 only where it says so. */
void tw_alg_scale(const struct tw_run *r, size_t n, double s, const struct tw_planes *y);

/* ---- the internal operators ----------------------------------------------------------------- */

extern const struct tw_op tw_op_unary, tw_op_binary, tw_op_select, tw_op_assemble, tw_op_reduce,
    tw_op_matmul, tw_op_conv, tw_op_maxpool, tw_op_avgpool, tw_op_softmax, tw_op_normalize,
    tw_op_lookup, tw_op_pick, tw_op_cross_entropy, tw_op_argmax, tw_op_head, tw_op_attention,
    tw_op_batch_mean, tw_op_dropout;

struct tw_unary_data {
    enum tw_unary f;
    double p0, p1;
};
struct tw_binary_data {
    enum tw_binary f;
    struct tw_loop loop;
};
/* out filled with `fill`, then piece i copied from input i: y[loop] = x[loop], starting at the
 * given elements. */
struct tw_piece {
    int input;
    size_t from, to;
    struct tw_loop loop; /* sa: of the input, sy: of the output */
};
struct tw_assemble_data {
    bool covered; /* the pieces cover every element: no fill needed */
    double fill;
    size_t npiece;
    struct tw_piece piece[];
};
struct tw_reduce_data {
    enum tw_binary f; /* TW_B_ADD, MUL, MAX, MIN */
    bool mean;
    size_t count;        /* elements in each sum */
    struct tw_loop loop; /* sa: input; sy: output, 0 where summed */
};
/* For each index of `batch`: y[i,j] = alpha sum_k a[i,k] b[k,j] (+ bias[j]). */
struct tw_matmul_data {
    struct tw_loop batch; /* sa, sb, sy */
    size_t ni, nj, nk;
    long ai, ak, bk, bj, yi, yj;
    long a_at, b_at; /* where the factors begin in their values */
};
/* Spatial axes are right-aligned to three, with extents of 1 in front. */
struct tw_conv_data {
    size_t groups, cin, cout; /* channels in all */
    size_t in[3], out[3], window[3];
    long stride[3], pad[3], dilation[3];
    size_t room[3]; /* extents of the padded input that the windows reach */
    long koff[];    /* of inner index (channel of a group, window) in the padded input */
};
struct tw_pool_data {
    struct tw_pool pool;
};
struct tw_softmax_data {
    bool log;
    size_t outer, n, inner; /* softmax over the middle one */
};
struct tw_normalize_data {
    bool rms;
    size_t rows, n; /* rows of n elements in one piece */
    double eps;
};
struct tw_lookup_data {
    size_t n, rows, width;
};
/* y[o, j, i] = x[o, index[o so + j sj + i si], i]; counted from the end where negative, NaN
 * where out of range. */
struct tw_pick_data {
    size_t outer, n, inner, m;
    size_t so, sj, si;
};
struct tw_cross_entropy_data {
    size_t outer, classes, inner; /* logits [outer, classes, inner], targets [outer, inner] */
    double ignore;                /* class number that counts as absent */
    bool has_ignore;
    double smoothing;
    bool log_probabilities; /* the input is log p already (negative log-likelihood) */
};
struct tw_batch_mean_data {
    size_t each; /* numbers of a sample in each mean */
};
struct tw_dropout_data {
    double p;      /* of being dropped */
    uint64_t node; /* which of the network's Dropouts */
};
struct tw_argmax_data {
    size_t outer, n, inner;
    bool min, last;
};

/* The two halves of tw_op_batch_mean, between which sums are combined over the tiles of a batch:
 * sums over the tile's samples, planes * n reals, and a mean put into every lane. back: of and
 * into cotangents. */
void tw_batch_sum(const struct tw_run *r, const struct tw_instr *in, bool back, double *sum);
void tw_batch_spread(const struct tw_run *r, const struct tw_instr *in, bool back,
                     const double *mean);

/* The gradient by the weights of a product: rows k .. k + nk of its other factor, all samples of
 * a tile; zero: it is zero. set: else added to. Then all times `by`. */
void tw_matmul_weights(const struct tw_run *r, const struct tw_instr *in, bool zero, bool set,
                       double by, size_t k, size_t nk, double *gw);
/* Of a product with a matrix of packed weights without gaps: the weights' value, and the rows of
 * the other factor; false if it is none. */
bool tw_matmul_packed(const struct tw_graph *g, const struct tw_instr *in, int *weights,
                      size_t *rows);

/* ---- building -------------------------------------------------------------------------------- */

struct tw_build {
    const struct tw_net *net;
    const struct tw_graph_options *o;
    struct tw_graph *g;
    int *of; /* net value -> graph value, -1 */
    const struct tw_node *node;
    struct tw_err *err;
};

/* One row for each operator that can be compiled. */
struct tw_lowering {
    const char *op;
    enum tw_status (*lower)(struct tw_build *b, const struct tw_node *node);
};
const struct tw_lowering *tw_lowering_find(const char *op);

/* TW_EFORMAT with "node 'name' (Op): " before the message. */
enum tw_status tw_b_fail(struct tw_build *b, const char *fmt, ...) TW_PRINTF(2, 3);
/* Graph value of input i of the current node, -1 if absent. */
int tw_b_in(struct tw_build *b, size_t i);
/* Give output i of the current node a value. */
void tw_b_out(struct tw_build *b, size_t i, int v);
const struct tw_val *tw_b_val(const struct tw_build *b, int v);
/* A constant input as integers or reals: *x is freed by the caller, NULL with *n = 0 when the
 * input is absent. Not constant: TW_EFORMAT. */
enum tw_status tw_b_ints(struct tw_build *b, size_t i, size_t *n, int64_t **x) TW_CHECKED;
/* Integers from input i if there is one, else from attribute `name`. */
enum tw_status tw_b_ints_or_attr(struct tw_build *b, size_t i, const char *name, size_t *n,
                                 int64_t **x) TW_CHECKED;
bool tw_b_is_const(const struct tw_build *b, int v);
/* New values. All return -1 (and set the error) on failure; all accept -1 inputs by returning
 * -1, so that calls can be chained and checked once. */
int tw_b_value(struct tw_build *b, enum tw_origin origin, enum tw_dtype t, int rank,
               const size_t *dims);
int tw_b_const(struct tw_build *b, struct tw_array *a); /* takes over *a */
int tw_b_const_real(struct tw_build *b, double x);
int tw_b_temp(struct tw_build *b, enum tw_dtype t, int rank, const size_t *dims);
int tw_b_alias(struct tw_build *b, int v, int rank, const size_t *dims);
/* An instruction that makes `out`; takes over data. */
int tw_b_instr(struct tw_build *b, const struct tw_op *op, size_t nin, const int *in, int out,
               void *data, double flops);
int tw_b_unary(struct tw_build *b, enum tw_unary f, double p0, double p1, int x);
int tw_b_binary(struct tw_build *b, enum tw_binary f, int x, int y); /* with broadcast */
int tw_b_cast(struct tw_build *b, int v, enum tw_dtype t);           /* numbers as they are */
int tw_b_transpose(struct tw_build *b, int v, const int *perm);
int tw_b_reduce(struct tw_build *b, enum tw_binary f, bool mean, int v, const bool *axes,
                bool keep);
/* Values of equal shapes but for one axis, one after another along it. */
int tw_b_stack(struct tw_build *b, int axis, size_t n, const int *v);
int tw_b_expand(struct tw_build *b, int v, int rank, const size_t *dims);
/* v itself, or if it is uniform a copy of it for each sample: for kernels that want whole vectors.
 */
int tw_b_vary(struct tw_build *b, int v);
/* How many nodes and outputs of the net read the graph value v. */
size_t tw_b_readers(const struct tw_build *b, int v);
/* The instruction that makes v, if it is the last varying one so far, and of that operator;
 * else NULL. */
struct tw_instr *tw_b_last(struct tw_build *b, const struct tw_op *op, int v);
/* A walk over n elements with stride s through the y of a nest, as a stride of its a: *mapped.
 * used: for each level how far earlier walks reach. False if no level alone holds it. */
bool tw_loop_map(const struct tw_loop *l, size_t n, long s, long *used, long *mapped);
/* Numpy's rules; false if the shapes do not go together. */
bool tw_broadcast(int ra, const size_t *da, int rb, const size_t *db, int *r, size_t *d);
/* Row-major strides, 0 for extent 1 where `zero_ones`. */
void tw_strides(int rank, const size_t *dims, bool zero_ones, long *s);
/* Drop extents of 1 and merge neighbours that can be walked as one. */
void tw_loop_collapse(struct tw_loop *l);
size_t tw_loop_count(const struct tw_loop *l);
/* Where a walk with strides s of the nest is after `index` elements. */
long tw_loop_offset(const struct tw_loop *l, const long *s, size_t index);
/* The value of a stored tensor, made when something first reads it, so that unused ones are left
 * out: a parameter, a buffer, or a constant. */
enum tw_status tw_b_tensor(struct tw_build *b, int value, bool constant) TW_CHECKED;
/* Input `slot` says what the operator is to do: no parameter, though a file may store it like
 * one. */
bool tw_b_is_setting(const struct tw_build *b, const struct tw_node *node, size_t slot);
/* An Identity that names a tensor of its own, and its making. */
bool tw_b_is_twin(const struct tw_build *b, const struct tw_node *node);
enum tw_status tw_b_twin(struct tw_build *b, const struct tw_node *node) TW_CHECKED;
/* Offsets, once all tensors are known, and their stored values. */
enum tw_status tw_b_store_initial(struct tw_build *b) TW_CHECKED;
/* Puts attention into one instruction a layer. */
enum tw_status tw_b_find_attention(struct tw_build *b);
/* Puts a large last layer and its loss into one instruction. */
enum tw_status tw_b_find_heads(struct tw_build *b);
/* Roles, layers and filter axes of the parameters, from their names and who reads them. */
enum tw_status tw_layout_describe(struct tw_build *b);

#endif
