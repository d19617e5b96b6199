/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "match.h"

#include <stdlib.h>
#include <string.h>

/* ---- names --------------------------------------------------------------------------------- */

const char *match_bare(const char *name)
{
    static const char *const wrappers[] = { "module.", "_orig_mod.", "model." };

    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0];) {
        size_t n = strlen(wrappers[i]);

        if (!strncmp(name, wrappers[i], n) && name[n]) {
            name += n;
            i = 0;
        } else {
            i++;
        }
    }
    return name;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

bool match_ignored(const char *name)
{
    return !strcmp(last_part(name), "num_batches_tracked");
}

/* As strcmp, but that a slash is a dot: HDF5 files of Keras's tensors may come with either. */
static int compare(const char *a, const char *b)
{
    for (;; a++, b++) {
        const unsigned char x = (unsigned char)(*a == '/' ? '.' : *a);
        const unsigned char y = (unsigned char)(*b == '/' ? '.' : *b);

        if (x != y || x == '\0')
            return x - y;
    }
}

static int by_name(const void *pa, const void *pb)
{
    const struct match_key *a = pa, *b = pb;
    int c = compare(a->name, b->name);

    return c ? c : (a->index > b->index) - (a->index < b->index);
}

void match_sort(struct match_key *key, size_t n)
{
    if (n)
        qsort(key, n, sizeof *key, by_name);
}

size_t match_find(const struct match_key *key, size_t n, const char *name, size_t *count)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (compare(key[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (*count = 0; lo + *count < n && !compare(key[lo + *count].name, name); ++*count)
        ;
    return *count ? lo : n;
}

/* ---- one match ------------------------------------------------------------------------------- */

struct match {
    const struct tw_layout *layout;
    const struct tw_net *net;
    const struct tw_named_list *from;
    float *params, *buffers;
    struct match_key *bare; /* the layout's names without wrappers */
    struct match_key *part; /* the names of the part that was taken, without it and wrappers */
    size_t nlayout, npart;
    const char *start; /* of the names of the part */
    size_t length;
    bool *used; /* arrays of the checkpoint */
    struct tw_match *report;
    struct tw_err *err;
};

static enum tw_status no_memory(const struct match *m)
{
    return tw_err_set(m->err, TW_ENOMEM, "out of memory");
}

/* The array that has this name in the checkpoint; from->n: none. A name that only wrappers tell
 * from another fits both: then it must be the whole name. */
static enum tw_status look_up(const struct match *m, const char *name, size_t *at)
{
    size_t count, same, i = match_find(m->part, m->npart, match_bare(name), &count);

    *at = m->from->n;
    for (size_t k = 0; k < count; k++)
        if (!strcmp(m->from->item[m->part[i + k].index].name + m->length, name)) {
            *at = m->part[i + k].index;
            return TW_OK;
        }
    (void)match_find(m->bare, m->nlayout, match_bare(name), &same);
    if (count == 0 || same > 1)
        return TW_OK;
    if (count > 1)
        return tw_err_set(m->err, TW_EFORMAT,
                          "'%.100s' could be '%.100s' or '%.100s' of the checkpoint; choose a part "
                          "of it (--state-key), or rename one",
                          name, m->from->item[m->part[i].index].name,
                          m->from->item[m->part[i + 1].index].name);
    *at = m->part[i].index;
    return TW_OK;
}

static bool same_shape(const struct tw_param *p, const struct tw_array *a)
{
    bool same = p->rank == a->rank;

    for (int i = 0; same && i < p->rank; i++)
        same = p->dims[i] == a->dims[i];
    return same;
}

static enum tw_status wrong_shape(struct match *m, const struct tw_param *p,
                                  const struct tw_array *a)
{
    bool turned =
        p->rank == 2 && a->rank == 2 && p->dims[0] == a->dims[1] && p->dims[1] == a->dims[0];
    struct tw_str has = { 0 }, wants = { 0 };
    bool good;

    tw_array_describe(a->dtype, a->rank, a->dims, &has);
    tw_array_describe(TW_F32, p->rank, p->dims, &wants);
    good = !has.failed && !wants.failed &&
           match_add(&m->report->list[TW_MATCH_SHAPE],
                     "%s: %s in the checkpoint, %s in the network%s", p->name, has.s,
                     strchr(wants.s, '['), turned ? " (transposed, as Conv1D of GPT-2)" : "");
    tw_str_release(&has);
    tw_str_release(&wants);
    return good ? TW_OK : no_memory(m);
}

static enum tw_status fill(struct match *m, const struct tw_param *p, size_t at, bool is_buffer)
{
    const struct tw_array *a = &m->from->item[at].array;
    float *to = (is_buffer ? m->buffers : m->params) + p->offset;
    struct tw_array reals;
    enum tw_status rc;

    m->used[at] = true;
    if (!same_shape(p, a))
        return wrong_shape(m, p, a);
    rc = tw_array_convert(&reals, TW_F32, a, m->err);
    if (rc != TW_OK)
        return tw_err_ctx(m->err, rc, "%s", p->name);
    if (p->n)
        memcpy(to, reals.data, p->n * sizeof *to);
    tw_array_release(&reals);
    m->report->found++;
    m->report->renamed += strcmp(m->from->item[at].name + m->length, p->name) != 0;
    return TW_OK;
}

/* ---- tied tensors ---------------------------------------------------------------------------- */

/* The name that the parameter has in the module of this node: "/lm_head/Transpose" of wte.weight
 * gives lm_head.weight. NULL: none, or out of memory. */
static char *other_name(const struct tw_node *node, const char *name)
{
    const char *end = node->name && node->name[0] == '/' ? strrchr(node->name + 1, '/') : NULL;
    struct tw_str s = { 0 };

    if (!end)
        return NULL;
    tw_str_addn(&s, node->name + 1, (size_t)(end - node->name) - 1);
    for (size_t i = 0; i < s.n; i++)
        s.s[i] = (char)(s.s[i] == '/' ? '.' : s.s[i]);
    tw_str_addf(&s, ".%s", last_part(name));
    if (s.failed)
        tw_str_release(&s);
    return s.s;
}

static bool reads(const struct tw_node *node, int value)
{
    for (size_t k = 0; k < node->nin; k++)
        if (node->in[k] == value)
            return true;
    return false;
}

/* The array of the checkpoint that another use of the parameter names; from->n: none. `skip` is
 * the one that was taken. */
static size_t twin(const struct match *m, const struct tw_param *p, size_t skip)
{
    int value = m->net ? tw_net_find(m->net, p->name) : -1;

    /* Vectors of equal content are stored once, too, without being tied. */
    if (value < 0 || p->rank < 2)
        return m->from->n;
    for (size_t i = 0; i < m->net->nnode; i++) {
        const struct tw_node *node = &m->net->node[i];
        bool identity = !strcmp(node->op, "Identity") && node->nin == 1 && node->nout == 1 &&
                        node->in[0] >= 0 && node->out[0] >= 0;
        size_t at = m->from->n;
        char *name = NULL;

        if (reads(node, value))
            name =
                identity ? tw_strdup(m->net->value[node->out[0]].name) : other_name(node, p->name);
        else if (identity && node->out[0] == value)
            name = tw_strdup(m->net->value[node->in[0]].name);
        if (name && (look_up(m, name, &at) != TW_OK || at == skip ||
                     (at < m->from->n && !same_shape(p, &m->from->item[at].array))))
            at = m->from->n;
        free(name);
        if (at < m->from->n)
            return at;
    }
    return m->from->n;
}

static bool equal_numbers(const struct tw_array *a, const struct tw_array *b)
{
    for (size_t i = 0; i < a->n; i++) {
        double x = tw_array_real(a, i), y = tw_array_real(b, i);

        if (!(x == y || (x != x && y != y)))
            return false;
    }
    return true;
}

/* The checkpoint may hold both names of a tied tensor. */
static enum tw_status check_twin(struct match *m, const struct tw_param *p, size_t taken)
{
    size_t at = twin(m, p, taken), count;

    /* If the network has a parameter of that name, they are two. */
    if (at == m->from->n ||
        match_find(m->bare, m->nlayout, match_bare(m->from->item[at].name + m->length), &count) <
            m->nlayout)
        return TW_OK;
    m->used[at] = true;
    if (equal_numbers(&m->from->item[taken].array, &m->from->item[at].array))
        return TW_OK;
    return match_add(&m->report->list[TW_MATCH_UNTIED], "%s and %s", p->name,
                     m->from->item[at].name + m->length)
               ? TW_OK
               : no_memory(m);
}

/* ---- all tensors ----------------------------------------------------------------------------- */

/* Of BatchNormalization, in PyTorch's names and in Keras's. */
static bool is_statistic(const char *last)
{
    static const char *const names[] = { "running_mean", "running_var", "moving_mean",
                                         "moving_variance" };
    const char *slash = strrchr(last, '/');

    last = slash ? slash + 1 : last;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(last, names[i]))
            return true;
    return false;
}

static enum tw_status missing(struct match *m, const struct tw_param *p, bool is_buffer)
{
    const char *last = last_part(p->name);
    /* The other buffers (masks, tables) are what the network says they are. */
    bool needed = !is_buffer || is_statistic(last);
    enum tw_match_what what = needed ? TW_MATCH_MISSING : TW_MATCH_KEPT;

    if (is_buffer && match_ignored(p->name))
        return TW_OK;
    return match_add(&m->report->list[what], "%s", p->name) ? TW_OK : no_memory(m);
}

static enum tw_status one(struct match *m, size_t i)
{
    const struct tw_param *p = &m->layout->param[i];
    const bool is_buffer = i >= m->layout->nparam;
    size_t at;
    enum tw_status rc = look_up(m, p->name, &at);

    if (rc == TW_OK && at == m->from->n && !is_buffer) {
        at = twin(m, p, at);
        if (at < m->from->n && !match_add(&m->report->list[TW_MATCH_TIED], "%s from %s", p->name,
                                          m->from->item[at].name + m->length))
            rc = no_memory(m);
    } else if (rc == TW_OK && !is_buffer) {
        rc = check_twin(m, p, at);
    }
    if (rc != TW_OK)
        return rc;
    return at < m->from->n ? fill(m, p, at, is_buffer) : missing(m, p, is_buffer);
}

static enum tw_status prepare(struct match *m)
{
    enum tw_status rc;

    m->nlayout = m->layout->nparam + m->layout->nbuffer;
    m->bare = tw_alloc(m->nlayout, sizeof *m->bare);
    m->part = tw_alloc(m->from->n, sizeof *m->part);
    m->used = tw_alloc(m->from->n, sizeof *m->used);
    if (!m->bare || !m->part || !m->used)
        return no_memory(m);
    for (size_t i = 0; i < m->nlayout; i++)
        m->bare[i] = (struct match_key){ match_bare(m->layout->param[i].name), i };
    match_sort(m->bare, m->nlayout);
    rc = match_part(m->bare, m->nlayout, m->from, &m->start, &m->length, m->report, m->err);
    if (rc != TW_OK)
        return rc;
    m->report->part = tw_strndup(m->start, m->length ? m->length - 1 : 0);
    if (!m->report->part)
        return no_memory(m);
    for (size_t i = 0; i < m->from->n; i++) {
        const char *name = m->from->item[i].name;

        if (!strncmp(name, m->start, m->length))
            m->part[m->npart++] = (struct match_key){ match_bare(name + m->length), i };
    }
    match_sort(m->part, m->npart);
    return TW_OK;
}

/* Is it of a part that could have been taken as well? */
static bool of_other(const struct match *m, const char *name)
{
    const struct tw_match_list *other = &m->report->list[TW_MATCH_OTHER];

    for (size_t i = 0; i < other->n; i++) {
        size_t n = strlen(other->text[i]);

        if (!strncmp(name, other->text[i], n) && name[n] == '.')
            return true;
    }
    return false;
}

/* Masks and the like are constants of the network, neither parameters nor buffers. */
static bool constant(const struct match *m, const char *name)
{
    int value = m->net ? tw_net_find(m->net, match_bare(name)) : -1;

    return value >= 0 && m->net->value[value].is_init;
}

static enum tw_status extras(struct match *m)
{
    for (size_t i = 0; i < m->npart; i++) {
        const char *all = m->from->item[m->part[i].index].name, *name = all + m->length;

        if (m->used[m->part[i].index] || match_ignored(name) || of_other(m, all) ||
            match_optimizer(name, strlen(name)) || constant(m, name))
            continue;
        if (!match_add(&m->report->list[TW_MATCH_EXTRA], "%s", name))
            return no_memory(m);
    }
    return TW_OK;
}

static enum tw_status match_names(const struct tw_layout *layout, const struct tw_net *net,
                                  const struct tw_named_list *checkpoint, float *params,
                                  float *buffers, struct tw_match *report, struct tw_err *err)
{
    struct match m = { .layout = layout,
                       .net = net,
                       .from = checkpoint,
                       .params = params,
                       .buffers = buffers,
                       .report = report,
                       .err = err };
    enum tw_status rc;

    *report = (struct tw_match){ 0 };
    rc = prepare(&m);
    for (size_t i = 0; i < m.nlayout && rc == TW_OK; i++)
        rc = one(&m, i);
    if (rc == TW_OK)
        rc = extras(&m);
    if (rc == TW_OK)
        rc = match_verdict(report, m.nlayout, err);
    free(m.bare);
    free(m.part);
    free(m.used);
    return rc;
}

/* ---- other names ----------------------------------------------------------------------------- */

static const char *alias_of(const struct tw_net *net, const char *name)
{
    const int value = net ? tw_net_find(net, name) : -1;

    return value >= 0 ? net->value[value].alias : NULL;
}

/* The names of the layout by alias, sorted. */
static size_t aliases_of_net(const struct tw_layout *layout, const struct tw_net *net,
                             struct match_key *key)
{
    size_t n = 0;

    for (size_t i = 0; i < layout->nparam + layout->nbuffer; i++) {
        const char *alias = alias_of(net, layout->param[i].name);

        if (alias)
            key[n++] = (struct match_key){ alias, i };
    }
    match_sort(key, n);
    return n;
}

static size_t aliases_of(const struct tw_named_list *from, struct match_key *key)
{
    size_t n = 0;

    for (size_t i = 0; i < from->n; i++)
        if (from->item[i].alias)
            key[n++] = (struct match_key){ from->item[i].alias, i };
    match_sort(key, n);
    return n;
}

/* The checkpoint under the network's names, if some of those are not in it and it has all by their
 * aliases: names that Keras numbers through a session differ between models that are the same. */
static enum tw_status rename_all(const struct tw_layout *layout, const struct tw_net *net,
                                 const struct tw_named_list *from, struct tw_named_list *view,
                                 struct tw_err *err)
{
    const size_t all = layout->nparam + layout->nbuffer;
    struct match_key *mine = tw_alloc(all, sizeof *mine), *theirs = tw_alloc(from->n, sizeof *mine);
    struct tw_named *item = tw_alloc(from->n, sizeof *item);
    size_t n = 0, m = 0, same = 0, found = 0, count;
    enum tw_status rc = TW_OK;

    if (!mine || !theirs || !item)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK) {
        n = aliases_of_net(layout, net, mine);
        m = aliases_of(from, theirs);
        for (size_t i = 0; i < n; i++)
            found += match_find(theirs, m, mine[i].name, &count) < m;
        for (size_t i = 0; i < all && n; i++)
            same += tw_named_find(from, layout->param[i].name) != NULL;
    }
    if (n > 0 && found == n && same < all) {
        memcpy(item, from->item, from->n * sizeof *item);
        for (size_t i = 0; i < m; i++) {
            const size_t at = match_find(mine, n, theirs[i].name, &count);

            /* One of its other names could be one of the network's. */
            item[theirs[i].index].name =
                at < n ? layout->param[mine[at].index].name : item[theirs[i].index].alias;
        }
        *view = (struct tw_named_list){ .n = from->n, .item = item };
        item = NULL;
    }
    free(mine);
    free(theirs);
    free(item);
    return rc;
}

enum tw_status tw_match_weights(const struct tw_layout *layout, const struct tw_net *net,
                                const struct tw_named_list *checkpoint, float *params,
                                float *buffers, struct tw_match *report, struct tw_err *err)
{
    struct tw_named_list view = { 0 };
    enum tw_status rc;

    *report = (struct tw_match){ 0 };
    rc = rename_all(layout, net, checkpoint, &view, err);
    if (rc == TW_OK)
        rc = match_names(layout, net, view.item ? &view : checkpoint, params, buffers, report, err);
    free(view.item);
    return rc;
}
