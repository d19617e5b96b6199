/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/exec.h - a compiled network with the memory to run it. */
#ifndef TW_GRAPH_EXEC_H
#define TW_GRAPH_EXEC_H

#include "ir.h"

/* The values of a tile: one slot a thread, or where samples mix, one for each tile of a batch. */
struct tw_slot {
    char *arena, *garena;
    void **plane, **grad; /* for tw_run */
    double **ugrad;
};

/* One thread's memory. */
struct tw_worker {
    char *scratch;
    float *convert;    /* a row of an input that is not float32, for each lane */
    const float **row; /* a pointer for each lane */
    double **out_row;
    void *seed;          /* a real for each lane */
    struct tw_slot view; /* pointers of its own into a slot that all threads share */
};

/* The way back's memory, made when it is first asked for. */
struct tw_back {
    bool *needed, *touched;
    size_t *zero_at, nsum;
    double *sums;
    char *reals; /* cotangents of uniform values in their own type */
    void **grad;
};

/* Products of the data kept for each anchor (exec_reuse.c). */
struct tw_reuse {
    size_t n, ready;         /* anchors; those that are done */
    size_t samples;          /* of the runs that may use them */
    size_t ntile, tile;      /* tiles, bytes of one */
    size_t total;            /* elements of all products */
    size_t *at;              /* by instruction: its element in a tile; SIZE_MAX: it is not kept */
    bool *skip, *skip_input; /* instructions and inputs that nothing needs then */
    bool *feeds;             /* instructions of the data alone */
    char *data;              /* [anchor][tile][element][lane] */
    size_t bytes;
};

struct tw_exec {
    const struct tw_graph *g;
    const struct tw_kernels *k;
    size_t lanes; /* the most */
    size_t tile;  /* samples in a tile as the caller wants it; 0: as many as lanes */
    size_t threads, planes, max_tangents;
    bool gradient;
    size_t ndirection;
    bool stale; /* uniform values and packed weights are not those of the point */
    size_t memory, memory_limit;

    /* Uniform values: `planes` planes of each root, one after another, those of `dense` last. */
    size_t *uat;         /* [nval] in reals, of roots that are uniform */
    size_t utotal, usum; /* reals in one plane of all; without those of `dense` */
    bool *dense;         /* [nval] weights of full connections, see exec_dense.c */
    size_t ndense;
    size_t *dense_instr; /* their instructions */
    char *uniform;       /* planes * utotal */
    void **uplane;       /* [nval * planes] */
    void **kept;         /* by instruction */
    char *keep;
    char *uscratch;

    /* Varying values: places in an arena, in elements. */
    size_t *vat, *gat;
    size_t arena, garena, scratch; /* elements */
    size_t *first, *last;          /* by value: instruction that makes it, that reads it last */
    size_t *storage;               /* root whose place it uses when functions are fused */
    unsigned char *act;            /* by instruction: the function fused to its end */
    bool *fused;                   /* by instruction: done by the one before */
    size_t convert, out;           /* largest input, output */

    struct tw_worker *worker;
    struct tw_team *team; /* as many as could be at once */
    size_t nslot, slot_lanes, slot_memory;
    struct tw_slot *slot;
    struct tw_back back;
    struct tw_reuse reuse;
    double flops; /* of a sample */
};

/* Finds full connections. */
enum tw_status tw_exec_find_dense(struct tw_exec *e, struct tw_err *err) TW_CHECKED;
/* Places, sizes, fusions; fills the fields above from `lanes` on. */
enum tw_status tw_exec_plan(struct tw_exec *e, struct tw_err *err) TW_CHECKED;
/* Memory for n tiles of `lanes` lanes; keeps what is there if that is enough. TW_ENOMEM: also where
 * the limit forbids it. */
enum tw_status tw_exec_slots(struct tw_exec *e, size_t n, size_t lanes,
                             struct tw_err *err) TW_CHECKED;
void tw_exec_free_slots(struct tw_exec *e);
void tw_exec_free_back(struct tw_exec *e);
void tw_exec_forget(struct tw_exec *e); /* the products kept */
/* The network's own values, of parameters as far as they are stored: what would have to be drawn is
 * 0 until it is set. Uniform values are 0 before. */
void tw_exec_start(struct tw_exec *e);
/* Bring uniform values and packed weights up to date; not those that only instructions with an
 * `at` below SIZE_MAX need (NULL: all). */
void tw_exec_refresh(struct tw_exec *e, const struct tw_alg *alg, const size_t *at);
#endif
