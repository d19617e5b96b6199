/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "evalreport.h"

#include <math.h>
#include <stdio.h>

#include "host.h"

static void print_line(const struct tw_eval_row *row)
{
    const struct tw_values *v = &row->values;

    printf("loss %.6g", v->loss.value);
    if (!isnan(v->loss.se) || isnan(v->loss.value))
        printf(" %s %.2g", tw_host_utf8() ? "\302\261" : "+-", v->loss.se);
    if (row->has_error)
        printf(", error %.4g %%", 100.0 * v->error.value);
    if (row->text)
        printf(", perplexity %.5g", exp(v->loss.value));
    printf(", n %zu\n", v->n);
}

static void print_table(size_t n, const struct tw_eval_row *rows)
{
    static const char *const head[] = { "file", "loss", "se", "error %", "se", "n", "not finite" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 7);
    for (size_t i = 0; i < n; i++) {
        const struct tw_values *v = &rows[i].values;

        tw_table_text(&t, rows[i].name);
        tw_table_real(&t, "%.6g", v->loss.value);
        tw_table_real(&t, "%.2g", v->loss.se);
        tw_table_real(&t, "%.4g", 100.0 * v->error.value);
        tw_table_real(&t, "%.2g", 100.0 * v->error.se);
        tw_table_size(&t, v->n);
        tw_table_size(&t, v->nonfinite);
    }
    tw_table_print(&t);
}

void tw_eval_print(const struct tw_call *call, size_t n, size_t wanted,
                   const struct tw_eval_row *rows)
{
    if (wanted > 1)
        print_table(n, rows);
    else if (n == 1 && !call->common.json)
        print_line(rows);
}

void tw_eval_json(struct tw_json *j, const struct tw_eval_row *row)
{
    const struct tw_values *v = &row->values;

    tw_json_text(j, "file", row->name);
    tw_json_text(j, "objective", row->objective);
    tw_json_real(j, "loss", v->loss.value);
    tw_json_real(j, "se", v->loss.se);
    tw_json_real(j, "se_data", v->loss.se_data);
    tw_json_real(j, "error", v->error.value);
    tw_json_real(j, "error_se", v->error.se);
    tw_json_real(j, "error_se_data", v->error.se_data);
    tw_json_size(j, "n", v->n);
    tw_json_size(j, "n_data", row->all);
    tw_json_real(j, "weight", v->weight);
    tw_json_size(j, "nonfinite", v->nonfinite);
    if (row->text)
        tw_json_real(j, "perplexity", exp(v->loss.value));
}

int tw_eval_verdict(struct tw_call *call, size_t n, size_t wanted, const struct tw_eval_row *rows,
                    double expected, double tolerance)
{
    size_t finite = 0, wrong = 0;

    for (size_t i = 0; i < n; i++) {
        const double loss = rows[i].values.loss.value;

        finite += isfinite(loss) ? 1 : 0;
        if (isnan(expected) || fabs(loss - expected) <= tolerance)
            continue;
        wrong++;
        tw_cmd_note(call, "%s: loss %.9g, expected %.9g within %.3g", rows[i].name, loss, expected,
                    tolerance);
    }
    if (n < wanted)
        return TW_EXIT_STOPPED;
    return wrong ? TW_EXIT_NEGATIVE : finite ? TW_EXIT_OK : TW_EXIT_NUMERIC;
}
