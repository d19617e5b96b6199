/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reference_test.h - one node at a time through the reference interpreter. */
#ifndef TESTS_REFERENCE_TEST_H
#define TESTS_REFERENCE_TEST_H

#include "num.h"
#include "thalweg/graph.h"

enum { CALL_PORTS = 6 };

/* A node, what it reads and what it makes. begin(), attributes, give() for each input, run(),
 * check_out(), end(). */
struct call {
    struct tw_net *net;
    int opset;
    size_t nin, nout;
    bool absent[CALL_PORTS];
    struct tw_array in[CALL_PORTS], out[CALL_PORTS];
    struct tw_err err;
};

#define DIMS(...)                                                                                  \
    (int)(sizeof((size_t[]){ __VA_ARGS__ }) / sizeof(size_t)), (size_t[])                          \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define SCALAR 0, NULL
#define REALS(...)                                                                                 \
    (double[])                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define INTS(...)                                                                                  \
    sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[])                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static inline struct call begin(const char *op, int opset)
{
    struct call c = { .net = tw_net_new("test", NULL), .opset = opset };

    assert_non_null(c.net);
    assert_int_equal(tw_net_node(c.net, op, "it", 0, NULL, 0, NULL, NULL), 0);
    return c;
}

static inline void set_int(struct call *c, const char *name, int64_t i)
{
    assert_int_equal(tw_net_attr_int(c->net, name, i, NULL), TW_OK);
}

static inline void set_ints(struct call *c, const char *name, size_t n, const int64_t *x)
{
    assert_int_equal(tw_net_attr_ints(c->net, name, n, x, NULL), TW_OK);
}

static inline void set_real(struct call *c, const char *name, double r)
{
    assert_int_equal(tw_net_attr_real(c->net, name, r, NULL), TW_OK);
}

static inline void set_text(struct call *c, const char *name, const char *s)
{
    assert_int_equal(tw_net_attr_text(c->net, name, s, NULL), TW_OK);
}

static inline void give(struct call *c, enum tw_dtype t, int rank, const size_t *dims,
                        const double *x)
{
    struct tw_array *a = &c->in[c->nin++];

    assert_int_equal(tw_array_make(a, t, rank, dims, NULL), TW_OK);
    for (size_t i = 0; i < a->n; i++)
        tw_array_set_real(a, i, x[i]);
}

static inline void give_ints(struct call *c, size_t n, const int64_t *x)
{
    struct tw_array *a = &c->in[c->nin++];

    assert_int_equal(tw_array_make(a, TW_I64, 1, &n, NULL), TW_OK);
    for (size_t i = 0; i < n; i++)
        tw_array_set_int(a, i, x[i]);
}

static inline void give_absent(struct call *c)
{
    c->absent[c->nin++] = true;
}

static inline enum tw_status try(struct call *c, size_t nout)
{
    const struct tw_array *in[CALL_PORTS];

    for (size_t i = 0; i < c->nin; i++)
        in[i] = c->absent[i] ? NULL : &c->in[i];
    c->nout = nout;
    return tw_reference_node(&c->net->node[0], c->opset, c->nin, in, nout, c->out, &c->err);
}

static inline void run(struct call *c, size_t nout)
{
    if (try(c, nout) != TW_OK) {
        print_error("%s\n", c->err.msg);
        fail();
    }
}

static inline void end(struct call *c)
{
    for (size_t i = 0; i < CALL_PORTS; i++) {
        tw_array_release(&c->in[i]);
        tw_array_release(&c->out[i]);
    }
    tw_net_free(c->net);
}

static inline void check_shape(const struct tw_array *a, enum tw_dtype t, int rank,
                               const size_t *dims)
{
    assert_int_equal(a->dtype, t);
    assert_int_equal(a->rank, rank);
    for (int i = 0; i < rank; i++)
        assert_int_equal(a->dims[i], dims[i]);
}

static inline void check_out(const struct call *c, size_t k, enum tw_dtype t, int rank,
                             const size_t *dims, const double *want, double rel)
{
    check_shape(&c->out[k], t, rank, dims);
    for (size_t i = 0; i < c->out[k].n; i++) {
        if (isnan(want[i]))
            assert_true(isnan(tw_array_real(&c->out[k], i)));
        else
            check_close_(tw_array_real(&c->out[k], i), want[i], rel, 1e-30, "output", (long)i,
                         __FILE__, __LINE__);
    }
}

/* It must be refused, and the message must name the node and contain `part`. */
static inline void check_refused(struct call *c, size_t nout, const char *part)
{
    assert_int_equal(try(c, nout), TW_EFORMAT);
    if (!strstr(c->err.msg, part) || !strstr(c->err.msg, "node 'it'")) {
        print_error("'%s' is not in: %s\n", part, c->err.msg);
        fail();
    }
    for (size_t k = 0; k < nout; k++)
        assert_null(c->out[k].data);
}

#endif
