/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/graph_match.h"

#include <stdlib.h>
#include <string.h>

/* A way to make names equal: skip so many bytes of the file's names, of the network's. */
struct strip {
    const char *file, *net; /* names that begin with the prefixes */
    size_t nfile, nnet;
    size_t matches;
};
enum { MAX_STRIPS = 64, PROBES = 8 };

/* Does `name` end with `end`, as a whole part between dots? */
static bool ends_with(const char *name, const char *end, size_t *prefix)
{
    const size_t n = strlen(name), m = strlen(end);

    if (n < m || strcmp(name + n - m, end) != 0 || (n > m && name[n - m - 1] != '.'))
        return false;
    *prefix = n - m;
    return true;
}

static const char *stripped(const char *name, const char *prefix, size_t n)
{
    return n == 0 || !strncmp(name, prefix, n) ? name + n : NULL;
}

/* ---- names in order ---------------------------------------------------------------------------
 */

struct entry {
    const char *name;
    size_t i;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* The file's names without the prefix, sorted; returns how many have it. */
static size_t index_names(const struct tw_named_list *w, const struct strip *s, struct entry *out)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++) {
        const char *name = stripped(w->item[i].name, s->file, s->nfile);

        if (name)
            out[n++] = (struct entry){ name, i };
    }
    qsort(out, n, sizeof *out, by_name);
    return n;
}

static size_t find_name(const struct entry *v, size_t n, const char *name)
{
    const struct entry key = { name, 0 };
    const struct entry *e = name && n ? bsearch(&key, v, n, sizeof *v, by_name) : NULL;

    return e ? e->i : SIZE_MAX;
}

/* ---- choosing the prefix ----------------------------------------------------------------------
 */

static bool same_prefix(const struct strip *s, const struct strip *t)
{
    return s->nfile == t->nfile && s->nnet == t->nnet && !strncmp(s->file, t->file, s->nfile) &&
           !strncmp(s->net, t->net, s->nnet);
}

static void add_strip(struct strip *v, size_t *n, const struct strip *s)
{
    for (size_t i = 0; i < *n; i++)
        if (same_prefix(&v[i], s))
            return;
    if (*n < MAX_STRIPS)
        v[(*n)++] = *s;
}

/* Prefixes that a few of the network's names suggest; none comes first. */
static size_t candidates(const struct tw_layout *l, const struct tw_named_list *w, struct strip *v)
{
    const size_t all = l->nparam + l->nbuffer, step = all / PROBES + 1;
    size_t n = 0;

    add_strip(v, &n, &(struct strip){ "", "", 0, 0, 0 });
    for (size_t p = 0; p < all; p += step)
        for (size_t i = 0; i < w->n; i++) {
            struct strip s = { w->item[i].name, l->param[p].name, 0, 0, 0 };

            if (ends_with(s.file, s.net, &s.nfile) || ends_with(s.net, s.file, &s.nnet))
                add_strip(v, &n, &s);
        }
    return n;
}

static size_t count_matches(const struct tw_layout *l, const struct tw_named_list *w,
                            const struct strip *s, struct entry *names)
{
    const size_t n = index_names(w, s, names);
    size_t count = 0;

    for (size_t p = 0; p < l->nparam + l->nbuffer; p++)
        count += find_name(names, n, stripped(l->param[p].name, s->net, s->nnet)) != SIZE_MAX;
    return count;
}

static bool is_shape(const struct tw_param *p, const struct tw_array *a)
{
    int i = 0, k = 0;

    for (;;) {
        while (i < p->rank && p->dims[i] == 1)
            i++;
        while (k < a->rank && a->dims[k] == 1)
            k++;
        if (i == p->rank || k == a->rank)
            return i == p->rank && k == a->rank;
        if (p->dims[i++] != a->dims[k++])
            return false;
    }
}

enum tw_status tw_match_make(const struct tw_layout *l, const struct tw_named_list *w,
                             struct tw_match *m, struct tw_err *err)
{
    const size_t all = l->nparam + l->nbuffer;
    struct strip v[MAX_STRIPS], *best = &v[0];
    const size_t nv = candidates(l, w, v);
    struct entry *names = tw_alloc(w->n, sizeof *names);
    size_t n;

    m->item = tw_alloc(all, sizeof *m->item);
    m->used = tw_alloc(w->n, sizeof *m->used);
    if (!names || !m->item || !m->used)
        goto memory;
    for (size_t i = 0; i < nv; i++) {
        v[i].matches = count_matches(l, w, &v[i], names);
        if (v[i].matches > best->matches)
            best = &v[i];
    }
    m->file_prefix = tw_strndup(best->file, best->nfile);
    m->net_prefix = tw_strndup(best->net, best->nnet);
    if (!m->file_prefix || !m->net_prefix)
        goto memory;
    for (size_t i = 0; i < nv && !m->other_prefix; i++)
        if (&v[i] != best && best->matches && v[i].matches == best->matches) {
            m->other_prefix = tw_strndup(v[i].file, v[i].nfile);
            if (!m->other_prefix)
                goto memory;
        }
    n = index_names(w, best, names);
    for (size_t p = 0; p < all; p++) {
        const size_t i = find_name(names, n, stripped(l->param[p].name, best->net, best->nnet));

        m->item[p] = i;
        if (i == SIZE_MAX) {
            ++*(p < l->nparam ? &m->missing_params : &m->missing_buffers);
            continue;
        }
        m->used[i] = true;
        ++*(is_shape(&l->param[p], &w->item[i].array) ? &m->matched : &m->misshaped);
    }
    for (size_t i = 0; i < w->n; i++)
        m->extra += !m->used[i];
    free(names);
    return TW_OK;
memory:
    free(names);
    tw_match_release(m);
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

void tw_match_release(struct tw_match *m)
{
    free(m->file_prefix);
    free(m->net_prefix);
    free(m->other_prefix);
    free(m->item);
    free(m->used);
    *m = (struct tw_match){ 0 };
}

/* ---- what does not fit --------------------------------------------------------------------------
 */

enum { NAMED = 3 }; /* examples in a message */

static void add_name(struct tw_str *s, size_t *k, const char *name)
{
    if (*k < NAMED)
        tw_str_addf(s, "%s%.60s", *k ? ", " : "", name);
    else if (*k == NAMED)
        tw_str_add(s, ", ...");
    ++*k;
}

static void list_missing(const struct tw_match *m, const struct tw_layout *l, struct tw_str *s)
{
    size_t k = 0;

    if (!m->missing_params)
        return;
    tw_str_addf(s, "%zu of %zu parameters are missing: ", m->missing_params, l->nparam);
    for (size_t p = 0; p < l->nparam; p++)
        if (m->item[p] == SIZE_MAX)
            add_name(s, &k, l->param[p].name);
}

static void list_misshaped(const struct tw_match *m, const struct tw_layout *l,
                           const struct tw_named_list *w, struct tw_str *s)
{
    size_t k = 0;

    if (!m->misshaped)
        return;
    tw_str_addf(s, "%s%zu have another shape: ", s->n ? "; " : "", m->misshaped);
    for (size_t p = 0; p < l->nparam + l->nbuffer; p++) {
        const struct tw_param *t = &l->param[p];
        const struct tw_array *a;
        struct tw_str one = { 0 };

        if (m->item[p] == SIZE_MAX || is_shape(t, &w->item[m->item[p]].array))
            continue;
        a = &w->item[m->item[p]].array;
        tw_str_addf(&one, "%.60s is ", t->name);
        tw_array_describe(a->dtype, a->rank, a->dims, &one);
        tw_str_add(&one, ", expected ");
        tw_array_describe(TW_F32, t->rank, t->dims, &one);
        if (k < NAMED && !one.failed)
            tw_str_addf(s, "%s%s", k ? ", " : "", one.s);
        else if (k == NAMED)
            tw_str_add(s, ", ...");
        k++;
        tw_str_release(&one);
    }
}

static void list_extra(const struct tw_match *m, const struct tw_named_list *w, struct tw_str *s)
{
    size_t k = 0;

    if (!m->extra)
        return;
    tw_str_addf(s, "; the checkpoint has %zu tensors that the network does not: ", m->extra);
    for (size_t i = 0; i < w->n; i++)
        if (!m->used[i])
            add_name(s, &k, w->item[i].name);
}

enum tw_status tw_match_check(const struct tw_match *m, const struct tw_layout *l,
                              const struct tw_named_list *w, struct tw_err *err)
{
    struct tw_str s = { 0 };

    if (!m->missing_params && !m->misshaped)
        return TW_OK;
    list_missing(m, l, &s);
    list_misshaped(m, l, w, &s);
    list_extra(m, w, &s);
    tw_err_set(err, TW_EFORMAT, "%s", s.failed ? "the names do not match" : s.s);
    tw_str_release(&s);
    return TW_EFORMAT;
}

void tw_match_load(const struct tw_match *m, const struct tw_layout *l,
                   const struct tw_named_list *w, float *params, float *buffers)
{
    for (size_t p = 0; p < l->nparam + l->nbuffer; p++) {
        const struct tw_param *t = &l->param[p];
        float *to = (p < l->nparam ? params : buffers) + t->offset;
        const struct tw_array *a;

        if (m->item[p] == SIZE_MAX)
            continue;
        a = &w->item[m->item[p]].array;
        if (!is_shape(t, a))
            continue;
        for (size_t i = 0; i < t->n; i++)
            to[i] = (float)tw_array_real(a, i);
    }
}
