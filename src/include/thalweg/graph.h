/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/graph.h - a network compiled for evaluation: one parameter vector with a layout table,
 * forward values, Jacobian-vector products, gradients, Hessian-vector products over a data set.
 *
 * A node list is compiled for one sample: free extents of the inputs (the batch) become 1, shape
 * arithmetic and everything else that depends on constants alone is folded away, and the samples
 * run side by side in the lanes of vectors (thalweg/tensor_kernels.h). Values that depend on
 * parameters alone are computed once for each setting of the parameters. */
#ifndef TW_GRAPH_H
#define TW_GRAPH_H

#include "thalweg/tensor.h"

/* ---- the parameter vector ---------------------------------------------------------------- */

enum tw_role {
    TW_ROLE_WEIGHT,
    TW_ROLE_BIAS,
    TW_ROLE_NORM_SCALE,
    TW_ROLE_NORM_SHIFT,
    TW_ROLE_EMBEDDING,
    TW_ROLE_BUFFER, /* not trained: running means, masks, tables of a rotary embedding */
    TW_NROLES
};
const char *tw_role_name(enum tw_role role); /* "weight", "norm scale", ... */

/* One tensor of a network. Parameters lie one after another in the parameter vector, buffers in
 * the buffer vector, each row major. */
struct tw_param {
    char *name;  /* as in the file: "layer1.0.conv1.weight" */
    char *layer; /* the name without its last part: "layer1.0.conv1" */
    enum tw_role role;
    int rank;
    size_t dims[TW_MAX_RANK];
    size_t n, offset;
    int filter_axis; /* of weights: the axis that counts filters (neurons); -1: none */
};
struct tw_layout {
    size_t nparam, nbuffer; /* tensors */
    struct tw_param *param; /* nparam parameters, then nbuffer buffers */
    size_t n, nb;           /* reals in the parameter vector, in the buffer vector */
};
const struct tw_param *tw_layout_find(const struct tw_layout *l, const char *name);

/* ---- compiling ----------------------------------------------------------------------------- */

struct tw_graph_options {
    /* Glob patterns (as of a shell) that make a tensor a parameter, or a buffer; the last match
     * of all wins, freeze after train. */
    size_t ntrain, nfreeze;
    const char *const *train, *const *freeze;
    /* BatchNormalization from the statistics of the batch (see struct tw_exec_run) instead of its
     * running values, as in training: with the biased variance (Ioffe & Szegedy 2015, algorithm 1).
     * A network exported in its training form has that in any case. */
    bool batch_statistics;
    /* Dropout drops, as in training; otherwise it does nothing, whatever the node says. */
    bool dropout;
};

struct tw_graph;
/* The net is read, not kept: it may be freed afterwards. Initializers without a stored value are
 * zeros until parameters are set. TW_EFORMAT: an unsupported operator or wrong shapes, with the
 * node's name. NULL on failure. */
struct tw_graph *tw_graph_new(const struct tw_net *net, const struct tw_graph_options *o,
                              struct tw_err *err);
void tw_graph_free(struct tw_graph *g);

const struct tw_layout *tw_graph_layout(const struct tw_graph *g);
/* The values stored in the node list or drawn by its rules: layout->n and layout->nb reals; either
 * may be NULL. */
void tw_graph_initial(const struct tw_graph *g, float *params, float *buffers);

/* Inputs and outputs as compiled: the extents for `group` samples (1 unless the network was
 * exported for a fixed batch: then that). */
struct tw_graph_port {
    const char *name;
    enum tw_dtype dtype;
    int rank;
    size_t dims[TW_MAX_RANK];
    size_t n;
};
size_t tw_graph_ninput(const struct tw_graph *g);
size_t tw_graph_noutput(const struct tw_graph *g);
struct tw_graph_port tw_graph_input(const struct tw_graph *g, size_t i);
struct tw_graph_port tw_graph_output(const struct tw_graph *g, size_t i);
size_t tw_graph_group(const struct tw_graph *g);
bool tw_graph_mixes(const struct tw_graph *g); /* some normalisation is from the batch */
/* What buffer i (0 .. layout->nbuffer - 1) is to a BatchNormalization. */
enum tw_statistic { TW_STATISTIC_NONE, TW_STATISTIC_MEAN, TW_STATISTIC_VARIANCE };
enum tw_statistic tw_graph_statistic(const struct tw_graph *g, size_t i);
double tw_graph_flops(
    const struct tw_graph *g); /* multiply-adds count 2; one forward pass of a sample */
/* The operators of a node list in alphabetical order with their counts; supported or not. */
struct tw_op_count {
    char op[48];
    size_t count;
    bool supported;
};
enum tw_status tw_net_operators(const struct tw_net *net, struct tw_op_count **ops, size_t *n,
                                struct tw_err *err) TW_CHECKED; /* caller frees *ops */

/* ---- evaluating ---------------------------------------------------------------------------- */

struct tw_exec_options {
    size_t threads;      /* 0: all that OpenMP would use */
    size_t memory_limit; /* bytes; 0: none. Exceeding it is TW_ENOMEM with what is needed */
    bool real64;         /* double precision throughout */
    const char *isa;     /* NULL: the best one */
    size_t tangents;     /* directions at once that jvp and hvp are to be ready for */
    bool gradient;       /* gradients or hvp will be asked for */
    size_t tile;         /* samples computed together; 0: chosen for the network */
};

struct tw_exec;
/* The graph must outlive it. One thread at a time may use an exec. It begins at the stored values;
 * parameters that nothing stores are 0 until they are set. NULL on failure. */
struct tw_exec *tw_exec_new(const struct tw_graph *g, const struct tw_exec_options *o,
                            struct tw_err *err);
void tw_exec_free(struct tw_exec *e);
/* Bytes held in all; what a run needs beyond (sums of a gradient, the tiles of a batch where
 * normalisation is from it) is made, held to the limit and counted when it is first asked for. */
size_t tw_exec_memory(const struct tw_exec *e);

/* Set the point: layout->n and layout->nb reals. buffers NULL: as stored in the node list. The
 * double form is exact with real64. */
void tw_exec_set(struct tw_exec *e, const float *params, const float *buffers);
void tw_exec_set_real(struct tw_exec *e, const double *params, const double *buffers);
/* The directions of the next run, layout->n reals each; at most options.tangents. */
void tw_exec_direct(struct tw_exec *e, size_t n, const float *const *directions);
void tw_exec_direct_real(struct tw_exec *e, size_t n, const double *const *directions);

/* One pass over n samples. Every pointer may be NULL: not wanted. */
struct tw_exec_run {
    size_t n;                             /* samples */
    const struct tw_array *const *inputs; /* one for each input of the graph: n rows (or more) */
    const size_t *rows;                   /* NULL: rows 0 .. n-1 of the inputs */

    /* Where normalisation is from the batch: samples in a batch, in order of the run, the last one
     * may have fewer; 0: all are one. What one batch holds in memory grows with it. TW_EINVAL where
     * a batch would have a single number to take statistics of. */
    size_t batch;
    /* layout->nb doubles. Entries of running means become the mean over the run's batches of the
     * batch mean, of running variances that of the unbiased variance (divided by m - 1, where
     * normalisation divides by m): what PyTorch folds into running statistics, and with
     * momentum=None after a pass over all batches their new values. Other entries are left alone.
     * TW_EINVAL if the network takes none. */
    double *statistics;
    /* With options.dropout: who is dropped depends on this, the Dropout and the sample's row alone,
     * so that a loss is a function of the parameters while the seed stays. */
    uint64_t dropout_seed;

    /* Not NULL: the point that is set is the sum with these weights of those that tw_exec_keep saw,
     * and the samples are the same. */
    const double *weights;

    /* For output o: n rows of tw_graph_output(o).n doubles. */
    double *const *outputs;
    /* For output o and direction t at [o * ndirections + t]: the directional derivatives. */
    double *const *tangents;

    /* The gradient of the sum over samples of (output seed_output, summed over its elements,
     * times seed[i] if seed is not NULL) by the parameters: layout->n doubles, overwritten. */
    size_t seed_output;
    const double *seed; /* n */
    /* Not NULL: gradient and hvp are divided by the sum of these n numbers once all samples are
     * done. They may be an output's. */
    const double *total;
    double *gradient;
    /* Its directional derivatives: Hessian-vector products, one for each direction. */
    double *const *hvp;
    /* hvp are Gauss-Newton products instead, J' H J v with J the Jacobian of output
     * `network_output` (which lies before seed_output) and H the Hessian of what is computed from
     * it (Schraudolph 2002, "Fast curvature matrix-vector products", section 3). `gradient` must
     * then be NULL. */
    bool gauss_newton;
    size_t network_output;
};
enum tw_status tw_exec_run(struct tw_exec *e, const struct tw_exec_run *run,
                           struct tw_err *err) TW_CHECKED;

/*
 * For many points that are weighted sums of the same n: keep what the layers that see the data
 * alone make of the samples (n, inputs, rows of the run; the rest is not read) at the point that is
 * set, anchor k of n. Called for k = 0 .. n - 1 in order; k = 0 forgets what was kept. Nothing is
 * kept where it does not pay, or would exceed options.memory_limit (1 GiB if that is 0). Runs for
 * values alone with `weights` then differ from others by rounding. TW_ENOMEM.
 */
enum tw_status tw_exec_keep(struct tw_exec *e, size_t k, size_t n,
                            const struct tw_exec_run *samples, struct tw_err *err) TW_CHECKED;
size_t tw_exec_kept(const struct tw_exec *e); /* bytes */

/* ---- built-in networks ---------------------------------------------------------------------- */

/* A node list from a short spec: "mlp(784,512,10,act=gelu)", "resnet20(classes=10)", ...; see
 * thalweg-networks(7). TW_EINVAL names the place in the spec. NULL on failure. */
struct tw_net *tw_family_net(const char *spec, struct tw_err *err);
/* The spec with every argument written out, for self-describing checkpoints; the caller frees
 * it. NULL on failure. It is the `source` of the family's node lists. */
char *tw_family_spec(const char *spec, struct tw_err *err);
struct family_def;
struct tw_family {
    const char *name, *arguments, *summary;
    const struct family_def *def; /* private */
};
extern const struct tw_family tw_families[]; /* ends with a NULL name */

/* ---- the reference interpreter --------------------------------------------------------------- */

/* One node on typed arrays, slowly and plainly, for every number type: folds constants, and is
 * what the fast path is checked against. in: NULL where absent. out: {0} on entry, the caller
 * releases. TW_EFORMAT with the node's name and the reason. */
enum tw_status tw_reference_node(const struct tw_node *node, int opset, size_t nin,
                                 const struct tw_array *const *in, size_t nout,
                                 struct tw_array *out, struct tw_err *err) TW_CHECKED;

#endif
