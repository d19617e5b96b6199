/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parameters of the built-in families and their initial values. */
#include <stdio.h>

#include "family.h"

enum { MAX_PARAMETERS = 0x7fffffff };

struct family_name family_name(const char *fmt, ...)
{
    struct family_name name;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(name.s, sizeof name.s, fmt, ap);
    va_end(ap);
    return name;
}

/* ---- parameters ---------------------------------------------------------------------------- */

int family_param(struct tw_net_build *b, const char *prefix, const char *suffix,
                 struct family_init init, int rank, const int64_t *dims)
{
    const struct family_name name =
        suffix ? family_name("%s.%s", prefix, suffix) : family_name("%s", prefix);
    struct family_build *f = b->owner;
    struct tw_value *v;
    size_t n = 1;
    int value;

    if (b->failed)
        return -1;
    for (int i = 0; i < rank; i++)
        n = n > MAX_PARAMETERS / (size_t)dims[i] ? MAX_PARAMETERS : n * (size_t)dims[i];
    if (n > MAX_PARAMETERS - f->total) {
        tw_build_fail(b, "with %s the network has more than 2^31 parameters", name.s);
        return -1;
    }
    f->total += n;
    value = tw_net_value(b->net, name.s, b->err);
    b->failed = value < 0;
    if (b->failed)
        return -1;
    v = &b->net->value[value];
    v->is_init = true;
    v->draw = (struct tw_draw){ init.law, init.a, f->seed, f->nparam++ };
    v->dtype = v->init.dtype = TW_F32;
    v->rank = v->init.rank = rank;
    v->init.n = n;
    for (int i = 0; i < rank; i++) {
        v->dims[i] = dims[i];
        v->init.dims[i] = (size_t)dims[i];
    }
    return value;
}
