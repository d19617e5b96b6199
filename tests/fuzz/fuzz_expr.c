/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text as an expression: refused with one sentence and a column of the text, or a tree whose
 * value and derivatives can be computed anywhere; as a law, it has a model or says why not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "law/expr.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void evaluate(const struct tw_expr *e)
{
    static double work[TW_EXPR_MAX_NODES * (1 + TW_OWN_MAX_NAMES)];
    static const double at[] = { 0.0, 1.0, -1.0, 0.5, 1e9, -1e300 };
    double x[TW_OWN_MAX_NAMES], grad[TW_OWN_MAX_NAMES];
    size_t of[TW_OWN_MAX_NAMES];
    char what[64];

    for (size_t i = 0; i < TW_OWN_MAX_NAMES; i++)
        of[i] = i;
    for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
        double y, z;

        for (size_t i = 0; i < e->nnames; i++)
            x[i] = at[(k + i) % (sizeof at / sizeof at[0])];
        y = tw_expr_value(e, x, work);
        if (tw_expr_fault(e, work, what, sizeof what))
            require(strstr(what, "column") != NULL);
        else
            require(isfinite(y));
        z = tw_expr_gradient(e, x, of, e->nnames, work, grad);
        require(y == z || (isnan(y) && isnan(z)));
    }
    for (size_t i = 0; i < e->nnames; i++)
        (void)tw_expr_place(e, i);
    (void)tw_expr_linear(e, 7u);
}

/* The first name is the input. */
static void model(const struct tw_expr *e, const char *text)
{
    static const double value[] = { 1.0, 2.0, 4.0 };
    const double *const column[] = { value };
    const struct tw_law_curve runs = { .name = "fuzz", .n = 3, .y = value, .input = column };
    const struct tw_law_input input = { e->name[0], NULL, NULL };
    struct tw_law *law = NULL;
    struct tw_err err = { 0 };
    void *m;

    if (tw_law_own_new("own", text, &input, 1, false, &law, &err) != TW_OK) {
        require(err.code != TW_OK && err.msg[0] && !law);
        return;
    }
    m = tw_law_model(law, &runs, 1, TW_WARMUP_SKIP, &err);
    require(m || (err.code == TW_EDOMAIN && err.msg[0]));
    if (m) {
        double theta[4 * TW_FIT_MAX_PARAMS];
        const size_t n = law->starts(m, value, theta, 4);

        require(n <= 4);
        for (size_t i = 0; i < n * law->nparams; i++)
            require(isfinite(theta[i]));
        law->model_free(m);
    }
    tw_law_own_free(law);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tw_expr e;
    char *text = tw_strndup((const char *)data, size);
    struct tw_err err = { 0 };
    size_t at = 0;

    tw_library_init();
    require(text != NULL);
    if (tw_expr_parse(text, &e, &at, &err) != TW_OK) {
        require(err.msg[0] && at <= strlen(text) + 1);
    } else {
        require(e.n >= 1 && e.n <= TW_EXPR_MAX_NODES && e.nnames <= TW_OWN_MAX_NAMES);
        evaluate(&e);
        if (e.nnames && size % 8 == 0) /* the searches take longer than all the rest */
            model(&e, text);
    }
    free(text);
    return 0;
}
