/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the root of a pickle of PyTorch down to its tensors. Values may be there many times and may
 * hold themselves, so that a walk can be longer than any file: its steps are counted. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "torch.h"

enum { MAX_DEPTH = 64, MAX_VISITS = 1 << 18, MAX_NAME = 4096 };

/* ---- what a value holds ------------------------------------------------------------------- */

/* A module's state holds its tensors in three mappings. It is no long one: looking through such
 * again and again could take forever. */
static bool is_module(const struct torch *t, pickle_id state)
{
    return t->k.v[state].n < 4096 && pickle_get(&t->k, state, "_parameters") &&
           pickle_get(&t->k, state, "_modules");
}

/* OrderedDict([[key, value], ...]), as protocol 2 can have it: the list; else 0. */
static pickle_id listed_pairs(const struct torch *t, pickle_id id)
{
    const struct pickle *k = &t->k;
    pickle_id list = pickle_item(k, k->v[id].object.args, 0);

    if (!pickle_is_global(k, k->v[id].object.class, "collections", "OrderedDict") ||
        k->v[list].kind != PICKLE_LIST)
        return 0;
    return list;
}

typedef enum tw_status visit_fn(struct torch *t, pickle_id key, pickle_id value, void *ctx);

static enum tw_status count_visit(struct torch *t)
{
    if (t->visits++ < MAX_VISITS + 16 * t->k.nv)
        return TW_OK;
    return tw_err_set(t->err, TW_EFORMAT,
                      "its pickle holds the same values over and over; it is made to deceive");
}

/* Each key and value of a DICT, an OBJECT or its state; of a LIST the key is 0. */
static enum tw_status each(struct torch *t, pickle_id id, visit_fn *visit, void *ctx)
{
    const struct pickle *k = &t->k;
    const struct pickle_value v = k->v[id];
    const pickle_id *item = pickle_items(k, id);
    const size_t step = v.kind == PICKLE_LIST ? 1 : 2;
    enum tw_status rc = TW_OK;

    if (!item && v.kind != PICKLE_OBJECT)
        return TW_OK;
    for (size_t i = 0; item && i + step <= v.n && rc == TW_OK; i += step) {
        rc = count_visit(t);
        if (rc == TW_OK)
            rc = visit(t, step == 2 ? item[i] : 0, item[i + step - 1], ctx);
    }
    if (v.kind == PICKLE_OBJECT && rc == TW_OK) {
        const pickle_id list = listed_pairs(t, id);
        const pickle_id *pair = pickle_items(k, list);
        pickle_id state = v.object.state;

        for (size_t i = 0; list && i < k->v[list].n && rc == TW_OK; i++) {
            rc = count_visit(t);
            if (rc == TW_OK)
                rc = visit(t, pickle_item(k, pair[i], 0), pickle_item(k, pair[i], 1), ctx);
        }
        /* (state, slots) of classes with __slots__ */
        if (k->v[state].kind == PICKLE_LIST)
            state = pickle_item(k, state, 0);
        if (rc == TW_OK && k->v[state].kind == PICKLE_DICT)
            rc = each(t, state, visit, ctx);
    }
    return rc;
}

/* ---- all tensors -------------------------------------------------------------------------- */

struct level {
    int depth;
    size_t i; /* of a list */
};

static enum tw_status walk(struct torch *t, pickle_id id, int depth);

/* False: the key is none that a name can have. */
static bool add_key(struct torch *t, pickle_id key, size_t i)
{
    const struct pickle_value *v = &t->k.v[key];
    const char *dot = t->name.n ? "." : "";

    if (key == 0)
        tw_str_addf(&t->name, "%s%zu", dot, i);
    else if (v->kind == PICKLE_INT)
        tw_str_addf(&t->name, "%s%" PRId64, dot, v->i);
    else if (v->kind == PICKLE_TEXT && v->text.n > 0 && v->text.n < MAX_NAME &&
             !memchr(v->text.s, 0, v->text.n)) {
        tw_str_add(&t->name, dot);
        tw_str_addn(&t->name, v->text.s, v->text.n);
    } else {
        return false;
    }
    return t->name.n < MAX_NAME;
}

static void cut_name(struct torch *t, size_t n)
{
    if (!t->name.failed) {
        t->name.n = n;
        t->name.s[n] = '\0';
    }
}

static enum tw_status walk_item(struct torch *t, pickle_id key, pickle_id value, void *ctx)
{
    struct level *level = ctx;
    const size_t n = t->name.n;
    enum tw_status rc = TW_OK;

    if (add_key(t, key, level->i++) && !t->name.failed)
        rc = walk(t, value, level->depth + 1);
    cut_name(t, n);
    return t->name.failed ? tw_err_set(t->err, TW_ENOMEM, "out of memory") : rc;
}

/* Buffers of this name are not part of a module's state_dict. */
static bool is_transient(const struct torch *t, pickle_id set, pickle_id key)
{
    const struct pickle *k = &t->k;
    const struct pickle_value *name = &k->v[key];
    const pickle_id *item;

    if (k->v[set].kind == PICKLE_OBJECT) /* set([...]) of protocol 2 */
        set = pickle_item(k, k->v[set].object.args, 0);
    item = pickle_items(k, set);
    for (size_t i = 0; item && k->v[set].kind == PICKLE_LIST && i < k->v[set].n && i < 1000; i++) {
        const struct pickle_value *v = &k->v[item[i]];

        if (v->kind == PICKLE_TEXT && name->kind == PICKLE_TEXT && v->text.n == name->text.n &&
            !memcmp(v->text.s, name->text.s, v->text.n))
            return true;
    }
    return false;
}

struct module {
    struct level level;
    pickle_id transient;
};

static enum tw_status walk_member(struct torch *t, pickle_id key, pickle_id value, void *ctx)
{
    struct module *m = ctx;

    return m->transient && is_transient(t, m->transient, key) ? TW_OK
                                                              : walk_item(t, key, value, &m->level);
}

static enum tw_status walk_module(struct torch *t, pickle_id state, int depth)
{
    struct module m = { .level.depth = depth };
    enum tw_status rc = each(t, pickle_get(&t->k, state, "_parameters"), walk_member, &m);

    m.transient = pickle_get(&t->k, state, "_non_persistent_buffers_set");
    if (rc == TW_OK)
        rc = each(t, pickle_get(&t->k, state, "_buffers"), walk_member, &m);
    m.transient = 0;
    return rc == TW_OK ? each(t, pickle_get(&t->k, state, "_modules"), walk_member, &m) : rc;
}

static enum tw_status walk(struct torch *t, pickle_id id, int depth)
{
    const struct torch_call c = torch_unwrap(t, id);
    const struct pickle_value *v = &t->k.v[id];
    struct level level = { .depth = depth };
    const char *why = torch_refused(t, c);

    if (depth > MAX_DEPTH)
        return tw_err_set(t->err, TW_EFORMAT, "its values are nested more than %d deep",
                          (int)MAX_DEPTH);
    if (why)
        return tw_err_set(t->err, TW_EFORMAT, "'%.100s' %s", t->name.s ? t->name.s : "it", why);
    if (torch_is_tensor(t, c)) {
        if (t->name.n == 0)
            tw_str_add(&t->name, "tensor");
        if (t->name.failed)
            return tw_err_set(t->err, TW_ENOMEM, "out of memory");
        if (strstr(t->name.s, "flat_param") &&
            !strcmp(strstr(t->name.s, "flat_param"), "flat_param"))
            return tw_err_set(t->err, TW_EFORMAT,
                              "'%.100s' is a flattened piece that FSDP saved for one process; save "
                              "the model with StateDictType.FULL_STATE_DICT",
                              t->name.s);
        return torch_add(t, c);
    }
    if (v->kind == PICKLE_OBJECT && is_module(t, v->object.state))
        return walk_module(t, v->object.state, depth);
    return each(t, id, walk_item, &level);
}

/* ---- the part that holds the weights ------------------------------------------------------ */

struct tally {
    size_t tensors, leaves;
    int depth;
};

static bool holds(const struct torch *t, pickle_id id)
{
    const enum pickle_kind kind = t->k.v[id].kind;

    return kind == PICKLE_DICT || kind == PICKLE_LIST || kind == PICKLE_OBJECT;
}

static enum tw_status tally_item(struct torch *t, pickle_id key, pickle_id value, void *ctx)
{
    struct tally *c = ctx;
    enum tw_status rc = TW_OK;

    (void)key;
    if (torch_is_tensor(t, torch_unwrap(t, value))) {
        c->tensors++;
        c->leaves++;
    } else if (!holds(t, value)) {
        c->leaves++;
    } else if (c->depth < MAX_DEPTH) {
        c->depth++;
        rc = each(t, value, tally_item, c);
        c->depth--;
    }
    return rc;
}

struct choice {
    size_t direct, all; /* tensors right in it; its items */
    int rank;           /* the best so far; 0: state_dict; beyond the list: any other name */
    size_t equals;      /* of that rank */
    bool mostly;        /* it is known by name, or mostly tensors */
    pickle_id key, value;
};

static bool is_optimizer(const struct torch *t, pickle_id key)
{
    const struct pickle_value *v = &t->k.v[key];

    return v->kind == PICKLE_TEXT && v->text.n >= 3 && !memcmp(v->text.s, "opt", 3);
}

static enum tw_status consider(struct torch *t, pickle_id key, pickle_id value, void *ctx)
{
    static const char *const listed[] = { "state_dict", "model_state_dict", "model",  "net",
                                          "network",    "module",           "params", "ema" };
    const int nlisted = sizeof listed / sizeof listed[0];
    struct choice *c = ctx;
    struct tally inside = { 0 };
    bool module, mostly;
    enum tw_status rc;
    int rank = 0;

    c->all++;
    if (torch_is_tensor(t, torch_unwrap(t, value)))
        c->direct++;
    if (t->k.v[key].kind != PICKLE_TEXT || !holds(t, value) || t->k.v[value].kind == PICKLE_LIST ||
        torch_is_tensor(t, torch_unwrap(t, value)))
        return TW_OK;
    rc = tally_item(t, key, value, &inside);
    if (rc != TW_OK || inside.tensors == 0)
        return rc;
    while (rank < nlisted && !pickle_is_text(&t->k, key, listed[rank]))
        rank++;
    if (rank == nlisted && is_optimizer(t, key))
        return TW_OK;
    module = t->k.v[value].kind == PICKLE_OBJECT && is_module(t, t->k.v[value].object.state);
    mostly = rank < nlisted || module || 2 * inside.tensors > inside.leaves;
    if (c->value == 0 || rank < c->rank) {
        c->rank = rank;
        c->equals = 1;
        c->mostly = mostly;
        c->key = key;
        c->value = value;
    } else if (rank == c->rank) {
        c->equals++;
    }
    return TW_OK;
}

/* A module that TorchScript saved: what is in it are its submodules. */
static bool is_script(const struct pickle *k)
{
    static const char start[] = "__torch__";
    const struct pickle_value *v = &k->v[k->root], *class;

    if (v->kind != PICKLE_OBJECT)
        return false;
    class = &k->v[v->object.class];
    return class->kind == PICKLE_GLOBAL && class->global.nmodule >= sizeof start - 1 &&
           !memcmp(class->global.module, start, sizeof start - 1);
}

static enum tw_status choose(struct torch *t)
{
    pickle_id id = t->k.root;
    enum tw_status rc = TW_OK;

    if (is_script(&t->k))
        return TW_OK;

    cut_name(t, 0);
    for (int depth = 0; depth < 4 && rc == TW_OK; depth++) {
        struct choice c = { 0 };
        const struct pickle_value *v = &t->k.v[id];

        if ((v->kind != PICKLE_DICT && v->kind != PICKLE_OBJECT) ||
            (v->kind == PICKLE_OBJECT && is_module(t, v->object.state)))
            break;
        rc = each(t, id, consider, &c);
        if (rc != TW_OK || c.value == 0 || !c.mostly || c.equals > 1 || 2 * c.direct > c.all)
            break;
        if (!add_key(t, c.key, 0) || t->name.failed)
            break;
        id = c.value;
    }
    if (rc == TW_OK && t->name.failed)
        rc = tw_err_set(t->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK && t->name.n && !(t->f->part = tw_strdup(t->name.s)))
        rc = tw_err_set(t->err, TW_ENOMEM, "out of memory");
    return rc;
}

/* ---- files of many processes, of bad intent ----------------------------------------------- */

#define MERGE                                                                                      \
    "merge them with the script that DeepSpeed put beside them: python zero_to_fp32.py FOLDER "    \
    "weights.bin"

static enum tw_status refuse_deepspeed(const struct torch *t)
{
    const struct pickle *k = &t->k;
    const pickle_id optimizer = pickle_get(k, k->root, "optimizer_state_dict");

    if (!pickle_get(k, optimizer, "zero_stage") && !pickle_get(k, optimizer, "partition_count"))
        return TW_OK;
    return tw_err_set(t->err, TW_EFORMAT,
                      "this is one process's part of a DeepSpeed checkpoint; " MERGE);
}

/* ZeRO's third stage divides every parameter among the processes and leaves a placeholder of shape
 * (0) in the module; `param_shapes` is what its script merges by (deepspeed/runtime/engine.py,
 * _get_zero_param_shapes). Buffers are whole. */
static enum tw_status refuse_placeholders(const struct torch *t)
{
    if (!pickle_get(&t->k, t->k.root, "param_shapes"))
        return TW_OK;
    for (size_t i = 0; i < t->f->n; i++)
        if (weights_is_placeholder(&t->f->v[i]))
            return tw_err_set(t->err, TW_EFORMAT,
                              "'%.100s' is an empty placeholder: ZeRO-3 of DeepSpeed has divided "
                              "the parameters among files; " MERGE,
                              t->f->v[i].name);
    return TW_OK;
}

/* Modules whose functions reach outside, when Python loads such a file. */
static void warn_of_programs(const struct torch *t)
{
    static const char *const modules[] = { "os",  "posix",     "nt",         "subprocess",
                                           "sys", "runpy",     "socket",     "shutil",
                                           "pty", "importlib", "webbrowser", "commands" };
    static const char *const functions[] = { "eval",       "exec", "execfile", "compile",
                                             "__import__", "open", "getattr" };
    const struct pickle *k = &t->k;

    for (size_t i = 0; i < k->nv && t->remarks; i++) {
        const struct pickle_value *v = &k->v[i];
        bool bad = false;

        if (v->kind != PICKLE_GLOBAL)
            continue;
        for (size_t m = 0; m < sizeof modules / sizeof modules[0]; m++)
            bad = bad || (v->global.nmodule == strlen(modules[m]) &&
                          !memcmp(v->global.module, modules[m], v->global.nmodule));
        for (size_t m = 0; m < sizeof functions / sizeof functions[0]; m++)
            bad = bad || pickle_is_global(k, (pickle_id)i, "builtins", functions[m]) ||
                  pickle_is_global(k, (pickle_id)i, "__builtin__", functions[m]);
        if (bad) {
            tw_str_addf(t->remarks,
                        "It names %.*s.%.*s, which Python would run on loading it: do not load it "
                        "there. Nothing was run here.\n",
                        (int)(v->global.nmodule < 40 ? v->global.nmodule : 40), v->global.module,
                        (int)(v->global.nname < 40 ? v->global.nname : 40), v->global.name);
            return;
        }
    }
}

enum tw_status torch_walk(struct torch *t)
{
    enum tw_status rc = refuse_deepspeed(t);

    warn_of_programs(t);
    tw_str_add(&t->name, "");
    if (rc == TW_OK && t->name.failed)
        rc = tw_err_set(t->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = walk(t, t->k.root, 0);
    if (rc == TW_OK)
        rc = refuse_placeholders(t);
    if (rc == TW_OK)
        rc = choose(t);
    return rc;
}
