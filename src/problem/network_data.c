/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Data of another form than the network takes: sequences of tokens, a number for each class,
 * channels elsewhere. */
#include <string.h>

#include "network.h"

/* The samples of a sequence: windows one after another, each as many tokens as the network takes
 * and one more, which is the last target. */
enum tw_status tw_network_cut(struct network *s, const struct tw_net *net,
                              const struct tw_dataset *data, struct tw_dataset *to,
                              struct tw_err *err)
{
    const struct tw_value *v = net->ninput ? &net->value[net->input[0]] : NULL;
    const size_t size = tw_dtype_size(data->x.dtype), n = data->x.n;
    size_t t, dims[2];
    enum tw_status rc;

    if (!v || v->rank != 2 || v->dims[1] < 1)
        return tw_err_set(
            err, TW_EFORMAT,
            "the data are a sequence of tokens, and the network does not take a fixed "
            "number of tokens a sample");
    t = (size_t)v->dims[1];
    dims[0] = n / (t + 1);
    dims[1] = t;
    if (dims[0] == 0)
        return tw_err_set(err, TW_EFORMAT,
                          "the data have %zu tokens; a sample of the network takes %zu", n, t + 1);
    rc = tw_array_make(&s->cut[0], data->x.dtype, 2, dims, err);
    if (rc == TW_OK)
        rc = tw_array_make(&s->cut[1], data->x.dtype, 2, dims, err);
    for (size_t i = 0; i < dims[0] && rc == TW_OK; i++) {
        const char *from = (const char *)data->x.data + i * (t + 1) * size;

        memcpy((char *)s->cut[0].data + i * t * size, from, t * size);
        memcpy((char *)s->cut[1].data + i * t * size, from + size, t * size);
    }
    *to = (struct tw_dataset){ .x = s->cut[0], .y = s->cut[1] };
    return rc;
}

/* Targets with a number for each class, 1 for the one and 0 for the others, as class numbers. */
enum tw_status tw_network_one_hot(struct network *s, const struct tw_array *y, size_t classes,
                                  struct tw_err *err)
{
    size_t dims[TW_MAX_RANK] = { 0 };
    enum tw_status rc;

    memcpy(dims, y->dims, sizeof dims);
    rc = tw_array_make(&s->labels, TW_I64, y->rank - 1, dims, err);
    for (size_t i = 0; i < s->labels.n && rc == TW_OK; i++) {
        size_t ones = 0, zeros = 0, at = 0;

        for (size_t k = 0; k < classes; k++) {
            const double t = tw_array_real(y, i * classes + k);

            ones += t == 1.0;
            zeros += t == 0.0;
            at = t == 1.0 ? k : at;
        }
        if (ones != 1 || ones + zeros != classes)
            rc = tw_err_set(err, TW_EFORMAT,
                            "row %zu of the targets is not 1 for one class and 0 for the others; "
                            "shares of classes are not supported",
                            i / (s->labels.n / s->labels.dims[0]));
        tw_array_set_int(&s->labels, i, (int64_t)at);
    }
    return rc;
}

/* Have the targets the shape of the output, classes last? */
bool tw_network_is_one_hot(const struct tw_loss_value *out, const struct tw_array *y)
{
    bool same = y->rank == out->rank && y->rank >= 2 && out->dims[out->rank - 1] > 1;

    for (int i = 1; same && i < y->rank; i++)
        same = y->dims[i] == out->dims[i];
    return same;
}

/* Pictures lie channels first in some files and networks and channels last in others. Where one
 * shape is the other so turned, the network gets an input of the data's shape. */
enum tw_status tw_network_turn(struct tw_net *net, const struct tw_array *x, struct tw_err *err)
{
    const int old = net->input[0];
    const struct tw_value *v = &net->value[old];
    const int64_t *d = v->dims;
    int64_t dims[4] = { TW_DIM_UNKNOWN };
    bool last_to_first, first_to_last;
    enum tw_status rc;
    int in;

    if (v->rank != 4 || x->rank != 4)
        return TW_OK;
    for (int i = 1; i < 4; i++)
        dims[i] = (int64_t)x->dims[i];
    last_to_first = dims[1] == d[2] && dims[2] == d[3] && dims[3] == d[1];
    first_to_last = dims[1] == d[3] && dims[2] == d[1] && dims[3] == d[2];
    if ((dims[1] == d[1] && dims[2] == d[2] && dims[3] == d[3]) || last_to_first == first_to_last)
        return TW_OK;
    in = tw_net_input(net, NULL, v->dtype, 4, dims, err);
    if (in < 0)
        return err ? err->code : TW_ENOMEM;
    net->input[0] = in; /* in the place of the old one, which a node now makes */
    net->ninput--;
    net->value[old].is_input = false;
    if (tw_net_node(net, "Transpose", NULL, 1, &in, 1, &old, err) < 0)
        return err ? err->code : TW_ENOMEM;
    rc = tw_net_attr_ints(
        net, "perm", 4,
        last_to_first ? (const int64_t[]){ 0, 3, 1, 2 } : (const int64_t[]){ 0, 2, 3, 1 }, err);
    return rc == TW_OK ? tw_net_sort(net, err) : rc;
}
