/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any line as an evaluator's: refused with one sentence, or values whose places are within the
 * line; as a greeting, refused or a layout without gaps. */
#include <stdlib.h>
#include <string.h>

#include "problem/twep.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void walk(const struct tw_twep_line *l, const char *text, size_t n)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct tw_twep_value *v = &l->v[i];

        require(v->next > i && v->next <= l->n);
        if (v->type == TW_TWEP_TEXT)
            require(v->text > text && strlen(v->text) < n);
        if (v->key)
            require(v->key > text && strlen(v->key) < n);
    }
}

static void greet(const struct tw_twep_line *l)
{
    struct tw_twep_greeting g;
    struct tw_err err = { 0 };
    size_t n = 0, nb = 0;

    if (tw_twep_greet(l, &g, &err) == TW_OK) {
        for (size_t i = 0; i < g.layout.nparam + g.layout.nbuffer; i++) {
            const struct tw_param *p = &g.layout.param[i];
            size_t *end = i < g.layout.nparam ? &n : &nb;

            require(p->offset == *end && p->n > 0 && p->name[0] && p->layer);
            require(p->filter_axis >= -1 && p->filter_axis < (p->rank ? p->rank : 1));
            *end += p->n;
        }
        require(n == g.layout.n && nb == g.layout.nb && n > 0);
        require(tw_twep_same(&g, &g));
    } else {
        require(err.code == TW_EFORMAT && err.msg[0]);
    }
    tw_twep_greeting_release(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_twep_line l = { 0 };
    struct tw_err err = { 0 };
    char *text = tw_strndup((const char *)data, size);

    require(text != NULL);
    if (tw_twep_parse(&l, text, size, &err) == TW_OK) {
        walk(&l, text, size);
        greet(&l);
    } else {
        require(err.code == TW_EFORMAT && err.msg[0] && l.n <= size + 1);
    }
    tw_twep_line_release(&l);
    free(text);
    return 0;
}
