/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/tensor.h - typed arrays, lists of named arrays (what a checkpoint holds), and the
 * neutral node list: a network as operators by name, attributes, edges and constants. Readers
 * (ONNX, Keras) and the built-in families fill node lists; thalweg/graph.h compiles them. */
#ifndef TW_TENSOR_H
#define TW_TENSOR_H

#include "thalweg/base.h"

/* ---- typed arrays ----------------------------------------------------------------------- */

enum tw_dtype {
    TW_NONE,
    TW_F32,
    TW_F64,
    TW_F16,
    TW_BF16,
    TW_I8,
    TW_I16,
    TW_I32,
    TW_I64,
    TW_U8,
    TW_U16,
    TW_U32,
    TW_U64,
    TW_BOOL, /* one byte, 0 or 1 */
    TW_NDTYPES
};
size_t tw_dtype_size(enum tw_dtype t);      /* bytes an element; 0 for TW_NONE */
const char *tw_dtype_name(enum tw_dtype t); /* "float32", "int64", ... */
bool tw_dtype_is_real(enum tw_dtype t);     /* float32, float64, float16, bfloat16 */

enum { TW_MAX_RANK = 8 };

/* An array that owns its data: row major, aligned to 64 bytes. {0} is the empty one (TW_NONE).
 * rank 0 is a scalar with n = 1; an extent may be 0. */
struct tw_array {
    enum tw_dtype dtype;
    int rank;
    size_t dims[TW_MAX_RANK];
    size_t n; /* product of dims */
    void *data;
};

/* Zeroed. TW_EINVAL: rank out of range; TW_ENOMEM also when the size overflows. */
enum tw_status tw_array_make(struct tw_array *a, enum tw_dtype t, int rank, const size_t *dims,
                             struct tw_err *err) TW_CHECKED;
enum tw_status tw_array_copy(struct tw_array *to, const struct tw_array *from,
                             struct tw_err *err) TW_CHECKED;
/* A new array of another type. Reals to integers truncate towards zero and saturate (NaN gives
 * 0); integers to narrower ones wrap; to bool is "not equal to 0"; all reals round to nearest,
 * ties to even, once. */
enum tw_status tw_array_convert(struct tw_array *to, enum tw_dtype t, const struct tw_array *from,
                                struct tw_err *err) TW_CHECKED;
void tw_array_release(struct tw_array *a); /* frees, and is {0} again */
bool tw_array_same_shape(const struct tw_array *a, const struct tw_array *b);
/* Element i as a double or a 64-bit integer, whatever the type; and back (converted as above). */
double tw_array_real(const struct tw_array *a, size_t i);
int64_t tw_array_int(const struct tw_array *a, size_t i);
void tw_array_set_real(struct tw_array *a, size_t i, double x);
void tw_array_set_int(struct tw_array *a, size_t i, int64_t x);
/* "float32[64,3,7,7]" */
void tw_array_describe(enum tw_dtype t, int rank, const size_t *dims, struct tw_str *s);

/* IEEE 754 binary16 and bfloat16, bit patterns; NaN stays NaN. */
float tw_f16_to_f32(uint16_t h);
uint16_t tw_f32_to_f16(float x);
float tw_bf16_to_f32(uint16_t h);
uint16_t tw_f32_to_bf16(float x);

/* ---- named arrays: a checkpoint ------------------------------------------------------------ */

struct tw_named {
    char *name;
    char *alias; /* another name that it goes by, as tw_value's; may be NULL */
    struct tw_array array;
};
struct tw_named_list {
    size_t n, cap;
    struct tw_named *item;  /* names are not to be changed in place */
    struct tw_names *names; /* names to items; private */
};
/* Takes over *a (it is {0} afterwards), copies the name. A name that is there already is
 * TW_EFORMAT. */
enum tw_status tw_named_add(struct tw_named_list *l, const char *name, struct tw_array *a,
                            struct tw_err *err) TW_CHECKED;
struct tw_array *tw_named_find(const struct tw_named_list *l, const char *name); /* or NULL */
void tw_named_release(struct tw_named_list *l);

/* ---- a data set ---------------------------------------------------------------------------- */

/* One row a sample. x: reals or token ids, [n, ...]; y: class numbers (integers, [n] or one a
 * position) or real targets; either may be empty. */
struct tw_dataset {
    struct tw_array x, y;
    char *name; /* may be NULL */
    /* x is one sequence of tokens [n] and y is empty: a network that takes t of them has the
     * samples i = 0, 1, ... of tokens i (t + 1) .. i (t + 1) + t: x the first t of these, y the
     * last t. */
    bool stream;
};
void tw_dataset_release(struct tw_dataset *d);

/* ---- the node list ------------------------------------------------------------------------- */

enum tw_attr_kind {
    TW_ATTR_INT,
    TW_ATTR_REAL,
    TW_ATTR_TEXT,
    TW_ATTR_INTS,
    TW_ATTR_REALS,
    TW_ATTR_ARRAY
};
struct tw_attr {
    char *name;
    enum tw_attr_kind kind;
    int64_t i;
    double r;
    char *text;
    size_t n; /* of ints, reals */
    int64_t *ints;
    double *reals;
    struct tw_array array;
};

/* A node: operator `op` of ONNX (domain ai.onnx, its attributes and argument order), or one of
 * ours, whose names begin with "tw.". Values are numbers into net->value; -1: absent. */
struct tw_node {
    char *op;
    char *name; /* for messages; may be NULL */
    size_t nin, nout, nattr;
    int *in, *out;
    struct tw_attr *attr;
};

enum { TW_DIM_UNKNOWN = -1 }; /* a free extent of an input: the batch */

/* Values that no file stores: element i is of the stream (seed, TW_RNG_INIT, stream and i's chunk
 * of 2^16), so that any number of threads draws the same. */
enum tw_draw_law { TW_DRAW_NONE, TW_DRAW_CONST, TW_DRAW_UNIFORM, TW_DRAW_NORMAL };
struct tw_draw {
    enum tw_draw_law law;
    double a; /* the constant; the bound: in +-a; the standard deviation */
    uint64_t seed;
    uint32_t stream;
};
void tw_draw(const struct tw_draw *d, size_t n, float *x);

struct tw_value {
    char *name;
    /* Inputs: the declared type and shape (rank -1: not declared). */
    enum tw_dtype dtype;
    int rank;
    int64_t dims[TW_MAX_RANK];
    bool is_input, is_output;
    struct tw_array init; /* initializers and constants: the stored value; else empty */
    struct tw_draw draw;  /* of an initializer: how to make it. init is its shape without data */
    bool is_init;         /* an initializer, with or without a stored value */
    int made_by;          /* the node that makes it, or -1 */
    char *alias;          /* of an initializer: another name that checkpoints may know it by */
};

struct tw_net {
    int opset;          /* of ai.onnx; 17 if built here */
    char *producer;     /* "pytorch 1.13.1"; may be NULL */
    char *source;       /* file or spec it came from, for messages */
    char *loss;         /* what it was trained with, as in thalweg/loss.h; may be NULL */
    bool probabilities; /* the loss is of probabilities: a last softmax or sigmoid is part of it */
    size_t nvalue, cap_value, nnode, cap_node;
    struct tw_value *value;
    struct tw_node *node;
    size_t ninput, cap_input, noutput, cap_output;
    int *input, *output;    /* values, in order; inputs without the initializers */
    struct tw_names *names; /* names to values; private */
};

/* A copy of an initializer's value, drawn where that is its rule; the caller releases it. */
enum tw_status tw_value_initial(const struct tw_value *v, struct tw_array *out,
                                struct tw_err *err) TW_CHECKED;

struct tw_net *tw_net_new(const char *source, struct tw_err *err);
void tw_net_free(struct tw_net *net);

/* The value of that name, made if it is not there; -1 on failure. NULL or "": a fresh name. */
int tw_net_value(struct tw_net *net, const char *name, struct tw_err *err) TW_CHECKED;
int tw_net_find(const struct tw_net *net, const char *name); /* or -1 */
/* An input of the network; dims may hold TW_DIM_UNKNOWN. Of an initializer it is only the
 * declaration of type and shape: make initializers first. */
int tw_net_input(struct tw_net *net, const char *name, enum tw_dtype t, int rank,
                 const int64_t *dims, struct tw_err *err) TW_CHECKED;
enum tw_status tw_net_output(struct tw_net *net, int value, struct tw_err *err) TW_CHECKED;
/* An initializer; takes over *a (which is {0} afterwards). -1 on failure. */
int tw_net_init(struct tw_net *net, const char *name, struct tw_array *a,
                struct tw_err *err) TW_CHECKED;
/* The same for small integer vectors and real scalars, as operators want them. */
int tw_net_ints(struct tw_net *net, const char *name, size_t n, const int64_t *x,
                struct tw_err *err) TW_CHECKED;
int tw_net_real(struct tw_net *net, const char *name, double x, struct tw_err *err) TW_CHECKED;
/* A node; in and out are copied. Its number, or -1 on failure. A value with two producers is
 * TW_EFORMAT. */
int tw_net_node(struct tw_net *net, const char *op, const char *name, size_t nin, const int *in,
                size_t nout, const int *out, struct tw_err *err) TW_CHECKED;
/* A node with one output, which is made; the output's value, or -1 on failure. Absent trailing
 * inputs are left out by passing a smaller nin. */
int tw_net_op(struct tw_net *net, const char *op, const char *out_name, size_t nin, const int *in,
              struct tw_err *err) TW_CHECKED;
/* Attributes of the node made last. */
enum tw_status tw_net_attr_int(struct tw_net *net, const char *name, int64_t i,
                               struct tw_err *err) TW_CHECKED;
enum tw_status tw_net_attr_real(struct tw_net *net, const char *name, double r,
                                struct tw_err *err) TW_CHECKED;
enum tw_status tw_net_attr_text(struct tw_net *net, const char *name, const char *s,
                                struct tw_err *err) TW_CHECKED;
enum tw_status tw_net_attr_ints(struct tw_net *net, const char *name, size_t n, const int64_t *x,
                                struct tw_err *err) TW_CHECKED;
enum tw_status tw_net_attr_reals(struct tw_net *net, const char *name, size_t n, const double *x,
                                 struct tw_err *err) TW_CHECKED;
enum tw_status tw_net_attr_array(struct tw_net *net, const char *name, struct tw_array *a,
                                 struct tw_err *err) TW_CHECKED; /* takes over *a */

/* An attribute, or NULL. */
const struct tw_attr *tw_node_attr(const struct tw_node *node, const char *name);
int64_t tw_node_int(const struct tw_node *node, const char *name, int64_t absent);
double tw_node_real(const struct tw_node *node, const char *name, double absent);
const char *tw_node_text(const struct tw_node *node, const char *name, const char *absent);

/* Order the nodes so that each comes after what it reads. TW_EFORMAT: a cycle, or an input that
 * nothing makes; the message names node and value. Without limit on depth (no recursion). */
enum tw_status tw_net_sort(struct tw_net *net, struct tw_err *err) TW_CHECKED;

#endif
