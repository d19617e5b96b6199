/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Directions from a file and into one, as the program loss-landscape keeps them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"
#include "thalweg/store_surface.h"
#include "thalweg/store_weights.h"

/* Group and data set have a dot between them in lists of tensors. */
static const char group[2][16] = { "xdirection.", "ydirection." };

/* How many tensors a direction has. */
static size_t count(const struct tw_named_list *list, size_t axis)
{
    size_t n = 0;

    for (size_t k = 0; k < list->n; k++)
        n += !strncmp(list->item[k].name, group[axis], strlen(group[axis]));
    return n;
}

static enum tw_status check_count(struct scan *s, const struct tw_named_list *list, size_t axis)
{
    const struct tw_layout *l = s->problem->layout;
    const size_t n = count(list, axis);

    if (n == l->nparam)
        return TW_OK;
    if (n == 0 && axis == 1)
        return tw_err_set(&s->call->err, TW_EINVAL,
                          "%s has no ydirection, so it makes a line: give --mesh=51 or another "
                          "number of points",
                          s->o->direction_file);
    if (n == 0)
        return tw_err_set(&s->call->err, TW_EFORMAT,
                          "%s has no xdirection: it is no direction file of loss-landscape",
                          s->o->direction_file);
    return tw_err_set(&s->call->err, TW_EFORMAT,
                      "%s: its %.10s has %zu tensors, but the network has %zu parameters%s",
                      s->o->direction_file, group[axis], n, l->nparam,
                      n > l->nparam ? " (directions of --dir_type states are not read, only those "
                                      "of weights)"
                                    : "");
}

/* Tensor k of the file is parameter k of the network. */
static enum tw_status read_tensor(struct scan *s, const struct tw_named_list *list, size_t axis,
                                  size_t k)
{
    const struct tw_param *p = &s->problem->layout->param[k];
    const struct tw_array *a;
    bool fits;
    char name[64];

    (void)snprintf(name, sizeof name, "%s%zu", group[axis], k);
    a = tw_named_find(list, name);
    fits = a && a->rank == p->rank && a->n == p->n;
    for (int d = 0; fits && d < p->rank; d++)
        fits = a->dims[d] == p->dims[d];
    if (!a)
        return tw_err_set(
            &s->call->err, TW_EFORMAT,
            "%s has no data set %.10s/%zu for the network's parameter %s: give a file "
            "with the data sets 0 to %zu in that group, one for each parameter in the "
            "network's order",
            s->o->direction_file, group[axis], k, p->name, s->problem->layout->nparam - 1);
    if (!fits)
        return tw_err_set(&s->call->err, TW_EFORMAT,
                          "%s: %.10s/%zu has not the shape of %s; tensors must be the network's "
                          "parameters in their order",
                          s->o->direction_file, group[axis], k, p->name);
    for (size_t i = 0; i < p->n; i++) {
        const float x = (float)tw_array_real(a, i);

        if (!isfinite(x))
            return tw_err_set(
                &s->call->err, TW_EFORMAT,
                "%s: number %zu of %.10s/%zu (parameter %s) is %s, and directions are "
                "made of finite numbers of float32: write the file anew",
                s->o->direction_file, i, group[axis], k, p->name,
                isnan(x) ? "NaN" : "infinite or too large");
        s->anchor[axis + 1][p->offset + i] = x;
    }
    return TW_OK;
}

enum tw_status scan_read_directions(struct scan *s, size_t n)
{
    const char *path = s->o->direction_file;
    struct tw_named_list list = { 0 };
    enum tw_status rc = tw_cmd_provenance_input(&s->prov, path, NULL, &s->call->err);

    if (rc == TW_OK)
        rc = tw_store_weights_read(path, NULL, &list, NULL, &s->call->err);
    for (size_t axis = 0; axis < n && rc == TW_OK; axis++) {
        rc = check_count(s, &list, axis);
        for (size_t k = 0; k < s->problem->layout->nparam && rc == TW_OK; k++)
            rc = read_tensor(s, &list, axis, k);
    }
    tw_named_release(&list);
    return rc;
}

enum tw_status scan_save_directions(const struct scan *s)
{
    const struct tw_layout *l = s->problem->layout;
    struct tw_direction_tensor *t = tw_alloc(l->nparam, sizeof *t);
    enum tw_status rc;

    if (!t)
        return tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < l->nparam; k++)
        t[k] =
            (struct tw_direction_tensor){ l->param[k].rank, l->param[k].dims, l->param[k].offset };
    rc = tw_directions_write(s->o->save_directions, s->call->common.force, l->nparam, t,
                             s->chart.nanchor - 1, (const float *const *)s->anchor + 1,
                             &s->call->err);
    free(t);
    if (rc == TW_OK)
        tw_cmd_note(s->call, "wrote %s", s->o->save_directions);
    return rc;
}
