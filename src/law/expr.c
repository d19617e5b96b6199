/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text to tree, by recursive descent:
 *
 *   sum    = product { (+|-) product }
 *   product = signed { (*|/) signed }
 *   signed = (+|-) signed | power
 *   power  = atom [ ^ signed ]
 *   atom   = number | name | function ( sum [ , sum ] ) | ( sum )
 */
#include "expr.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

struct parser {
    const char *text;
    size_t pos, depth;
    struct tw_expr *e;
    size_t *at;
    struct tw_err *err;
};

enum { NONE = TW_EXPR_MAX_NODES }; /* no node: *err says why */

static size_t sum(struct parser *p);

/* What stands at the place, for a message. */
static size_t wrong(struct parser *p, size_t pos, const char *what)
{
    const char *s = p->text + pos;
    size_t n = 1;

    if (p->err->code != TW_OK)
        return NONE;
    *p->at = pos + 1;
    if (isalnum((unsigned char)*s) || *s == '_')
        while (isalnum((unsigned char)s[n]) || s[n] == '_')
            n++;
    if (*s)
        (void)tw_err_set(p->err, TW_EINVAL, "column %zu: %s, found '%.*s'", pos + 1, what,
                         (int)(n < 40 ? n : 40), s);
    else
        (void)tw_err_set(p->err, TW_EINVAL, "column %zu: %s, found the end", pos + 1, what);
    return NONE;
}

static size_t limit(struct parser *p, size_t pos, const char *what, size_t most)
{
    if (p->err->code == TW_OK) {
        *p->at = pos + 1;
        (void)tw_err_set(p->err, TW_EINVAL, "column %zu: more than %zu %s", pos + 1, most, what);
    }
    return NONE;
}

static char next(struct parser *p)
{
    while (isspace((unsigned char)p->text[p->pos]))
        p->pos++;
    return p->text[p->pos];
}

static size_t add(struct parser *p, struct tw_expr_node node)
{
    if (node.a == NONE || node.b == NONE)
        return NONE;
    if (p->e->n == TW_EXPR_MAX_NODES)
        return limit(p, node.at - 1, "numbers, names and operators", TW_EXPR_MAX_NODES);
    p->e->node[p->e->n] = node;
    return p->e->n++;
}

static size_t number(struct parser *p)
{
    const char *s = p->text + p->pos;
    const size_t at = p->pos;
    struct tw_expr_node node = { .op = TW_EXPR_NUMBER, .at = at + 1 };
    size_t n = strspn(s, "0123456789.");

    if (s[n] == 'e' || s[n] == 'E') {
        const size_t sign = s[n + 1] == '+' || s[n + 1] == '-';
        const size_t digits = strspn(s + n + 1 + sign, "0123456789");

        if (digits)
            n += 1 + sign + digits;
    }
    if (!tw_strn_to_real(s, n, &node.number) || !isfinite(node.number) ||
        isalpha((unsigned char)s[n]) || s[n] == '_')
        return wrong(p, at, "expected a number that a double can hold");
    p->pos += n;
    return add(p, node);
}

static size_t function(struct parser *p, enum tw_expr_op op, size_t at)
{
    struct tw_expr_node node = { .op = op, .at = at + 1 };
    const bool two = op == TW_EXPR_MIN || op == TW_EXPR_MAX;

    p->pos++; /* the parenthesis that made it a function */
    node.a = sum(p);
    if (node.a != NONE && two) {
        if (next(p) != ',')
            return wrong(p, p->pos, "expected , and a second argument");
        p->pos++;
        node.b = sum(p);
    }
    if (node.a == NONE || node.b == NONE)
        return NONE;
    if (next(p) != ')')
        return wrong(p, p->pos, "expected ) or an operator");
    p->pos++;
    return add(p, node);
}

static size_t named(struct parser *p)
{
    static const struct {
        const char *name;
        enum tw_expr_op op;
    } functions[] = { { "exp", TW_EXPR_EXP }, { "log", TW_EXPR_LOG }, { "sqrt", TW_EXPR_SQRT },
                      { "abs", TW_EXPR_ABS }, { "min", TW_EXPR_MIN }, { "max", TW_EXPR_MAX } };
    const char *s = p->text + p->pos;
    const size_t at = p->pos;
    struct tw_expr_node node = { .op = TW_EXPR_NAME, .at = at + 1 };
    size_t n = 0;

    while (isalnum((unsigned char)s[n]) || s[n] == '_')
        n++;
    p->pos += n;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strlen(functions[i].name) == n && !strncmp(s, functions[i].name, n))
            return next(p) == '(' ? function(p, functions[i].op, at)
                                  : wrong(p, p->pos, "expected ( after a function's name");
    if (next(p) == '(')
        return wrong(p, at, "expected a function (exp, log, sqrt, abs, min, max)");
    if (n == 2 && !strncmp(s, "pi", 2))
        return add(p, (struct tw_expr_node){
                          .op = TW_EXPR_NUMBER, .at = at + 1, .number = 3.141592653589793 });
    if (n >= TW_OWN_NAME_SIZE)
        return limit(p, at, "characters in a name", TW_OWN_NAME_SIZE - 1);
    while (node.name < p->e->nnames &&
           (strlen(p->e->name[node.name]) != n || strncmp(p->e->name[node.name], s, n) != 0))
        node.name++;
    if (node.name == TW_OWN_MAX_NAMES)
        return limit(p, at, "names", TW_OWN_MAX_NAMES);
    if (node.name == p->e->nnames) {
        memcpy(p->e->name[node.name], s, n);
        p->e->name[node.name][n] = '\0';
        p->e->nnames++;
    }
    return add(p, node);
}

static size_t atom(struct parser *p)
{
    const unsigned char c = (unsigned char)next(p);
    size_t k;

    if (isdigit(c) || c == '.')
        return number(p);
    if (isalpha(c) || c == '_')
        return named(p);
    if (c != '(')
        return wrong(p, p->pos, "expected a number, a name or (");
    p->pos++;
    k = sum(p);
    if (k == NONE)
        return NONE;
    if (next(p) != ')')
        return wrong(p, p->pos, "expected ) or an operator");
    p->pos++;
    return k;
}

/* A sign, or a power: its exponent may have a sign. */
static size_t signed_power(struct parser *p)
{
    const char c = next(p);
    const size_t at = p->pos + 1;
    size_t k = NONE;

    if (++p->depth > TW_EXPR_MAX_DEPTH)
        return limit(p, p->pos, "levels of parentheses, powers and signs", TW_EXPR_MAX_DEPTH);
    if (c == '+' || c == '-') {
        p->pos++;
        k = signed_power(p);
        if (c == '-')
            k = add(p, (struct tw_expr_node){ .op = TW_EXPR_NEG, .a = k, .at = at });
    } else {
        k = atom(p);
        if (k != NONE && next(p) == '^') {
            struct tw_expr_node node = { .op = TW_EXPR_POW, .a = k, .at = p->pos + 1 };

            p->pos++;
            node.b = signed_power(p);
            k = add(p, node);
        }
    }
    p->depth--;
    return k;
}

/* Operands between the two operators, from the left. */
static size_t chain(struct parser *p, const char *operators, const enum tw_expr_op *op,
                    size_t (*operand)(struct parser *))
{
    size_t k = operand(p);

    for (char c = next(p); k != NONE && (c == operators[0] || c == operators[1]); c = next(p)) {
        struct tw_expr_node node = { .op = op[c == operators[1]], .a = k, .at = p->pos + 1 };

        p->pos++;
        node.b = operand(p);
        k = add(p, node);
    }
    return k;
}

static size_t product(struct parser *p)
{
    static const enum tw_expr_op op[] = { TW_EXPR_MUL, TW_EXPR_DIV };

    return chain(p, "*/", op, signed_power);
}

static size_t sum(struct parser *p)
{
    static const enum tw_expr_op op[] = { TW_EXPR_ADD, TW_EXPR_SUB };

    return chain(p, "+-", op, product);
}

enum tw_status tw_expr_parse(const char *text, struct tw_expr *e, size_t *at, struct tw_err *err)
{
    struct tw_err own = { 0 };
    struct parser p = { .text = text, .e = e, .at = at, .err = err ? err : &own };

    e->n = e->nnames = 0;
    *at = 0;
    if (strlen(text) > TW_EXPR_MAX_LENGTH)
        return tw_err_set(p.err, TW_EINVAL, "longer than %d characters", TW_EXPR_MAX_LENGTH);
    if (sum(&p) != NONE && next(&p) != '\0')
        (void)wrong(&p, p.pos, "expected an operator");
    return p.err->code;
}
