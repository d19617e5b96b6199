/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg ghost: how far a step may go before the softmax's complex zeros end the Taylor series of
 * the loss, beside other scales and measured damage. */
#include <math.h>
#include <string.h>

#include "ghost.h"

static const struct tw_opt opts[] = {
    TW_NET_MODEL(struct ghost_opts, net),
    { TW_OPT_STR, 0, "logits", TW_OPT_FIELD(struct ghost_opts, logits), "FILE",
      "no network: arrays 'logits' and 'slopes' (samples x classes) made elsewhere, with 'labels', "
      "'tau', 'temperature', 'bends' if they are there",
      0, 0, NULL },
    { TW_OPT_HEAD, 0, "Direction", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 0, "direction", TW_OPT_FIELD(struct ghost_opts, direction), "WHERE",
      "a checkpoint: the step to it; gradient; random:N [the second checkpoint, or gradient]", 0, 0,
      NULL },
    { TW_OPT_FLAG, 0, "trajectory", TW_OPT_FIELD(struct ghost_opts, trajectory), NULL,
      "every step between successive checkpoints", 0, 0, NULL },
    { TW_OPT_REAL, 0, "rate", TW_OPT_FIELD(struct ghost_opts, rate), "ETA",
      "the step down the gradient is ETA times it [no length]", 0, 1e300, NULL },
    { TW_OPT_REAL, 0, "tau", TW_OPT_FIELD(struct ghost_opts, tau), "LENGTH",
      "the step's length [that of the step itself]", 0, 1e300, NULL },
    { TW_OPT_STR, 0, "on", TW_OPT_FIELD(struct ghost_opts, on), "SCAN",
      "the step is the line of this file ('thalweg scan A B'), and --plot draws the radii on its "
      "loss",
      0, 0, NULL },
    TW_EVALUATOR(struct ghost_opts, evaluator),
    TW_NET_DATA(struct ghost_opts, net),
    { TW_OPT_REAL, 0, "temperature", TW_OPT_FIELD(struct ghost_opts, temperature), "T",
      "the logits are divided by T before the softmax [1]", 1e-300, 1e300, NULL },
    { TW_OPT_CHOICE, 0, "exact", TW_OPT_FIELD(struct ghost_opts, exact), "WHICH",
      "zeros to compute: all, nearest (those that may matter), none [all]", 0, 0,
      "all|nearest|none" },
    { TW_OPT_FLAG, 0, "inside", TW_OPT_FIELD(struct ghost_opts, inside), NULL,
      "also the singularities inside the network: activations, normalisations, attention", 0, 0,
      NULL },
    { TW_OPT_SIZE, 0, "true", TW_OPT_FIELD(struct ghost_opts, truths), "N",
      "also the true radii, of the network as it is, of the N samples with the least linearised "
      "ones; for small networks",
      1, 1e6, NULL },
    { TW_OPT_HEAD, 0, "Results", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 0, "onset", TW_OPT_FIELD(struct ghost_opts, onset), "LIST",
      "also measure where damage begins: loss*X, loss+X, acc-X (points), comma separated", 0, 0,
      NULL },
    { TW_OPT_SIZE, 0, "batch", TW_OPT_FIELD(struct ghost_opts, batch), "N",
      "compare with the radii of random mini-batches of N samples [64]", 1, 1e12, NULL },
    { TW_OPT_SIZE, 0, "list", TW_OPT_FIELD(struct ghost_opts, listed), "N",
      "how many bottleneck samples to name [10]", 1, 1e6, NULL },
    TW_FIGURE_ROWS(struct ghost_opts, figure),
    { TW_OPT_CHOICE, 0, "figure", TW_OPT_FIELD(struct ghost_opts, what), "WHICH",
      "for one direction: zeros in the complex plane, or the layers' radii [zeros]", 0, 0,
      "zeros|layers" },
    { .type = TW_OPT_END },
};

static enum tw_status check(struct ghost *g)
{
    const struct ghost_opts *o = g->o;
    struct tw_err *err = &g->call->err;

    if (o->logits && (o->net.data || o->net.model || o->evaluator.command || g->call->argc ||
                      o->trajectory || o->direction))
        return tw_err_set(err, TW_EINVAL,
                          "--logits takes the place of network, data and direction");
    if (o->logits && o->onset)
        return tw_err_set(err, TW_EINVAL, "--onset needs a network: --logits has points of none");
    if (o->truths && (o->logits || o->evaluator.command))
        return tw_err_set(err, TW_EINVAL,
                          "--true evaluates a network at complex parameters; %s gives none",
                          o->logits ? "--logits" : "--evaluator");
    if (!o->logits && !o->evaluator.command && !o->net.data)
        return tw_err_set(err, TW_EINVAL, "no data given (--data)");
    if (o->on && (o->trajectory || o->direction || o->logits))
        return tw_err_set(err, TW_EINVAL, "--on has a direction of its own");
    if (!isnan(o->rate) && o->direction && strcmp(o->direction, "gradient") != 0)
        return tw_err_set(err, TW_EINVAL, "--rate is for --direction=gradient");
    return TW_OK;
}

static enum tw_status output(struct ghost *g, const char *figure)
{
    enum tw_status rc = g->call->common.output ? tw_ghost_store(g) : TW_OK;
    struct tw_str inputs = { 0 };
    struct tw_figure_opts fo;

    if (rc == TW_OK && figure) {
        tw_cmd_provenance_lines(&g->prov, &inputs);
        tw_figure_cli_opts(&g->o->figure, g->call, inputs.s, &fo);
        rc = tw_ghost_draw(g, figure, &fo);
        tw_str_release(&inputs);
        if (rc == TW_OK)
            tw_figure_cli_done(&g->o->figure, g->call, "figure", figure);
    }
    return rc;
}

static int run(struct tw_call *call)
{
    struct ghost g = { .call = call, .o = call->opts, .exact = TW_GHOST_ALL };
    struct tw_str store = { 0 };
    const char *figure = NULL;
    bool stopped;
    enum tw_status rc = check(&g);
    int code;

    if (rc != TW_OK)
        return tw_cmd_usage(call, "%s", call->err.msg);
    if (!strcmp(g.o->exact, "nearest"))
        g.exact = TW_GHOST_NEAREST;
    if (!strcmp(g.o->exact, "none"))
        g.exact = TW_GHOST_BOUNDS;
    if (g.o->figure.plot)
        figure = tw_figure_cli_path(&g.o->figure, "ghost.pdf", &store);
    rc = tw_figure_cli_check(&g.o->figure, call, figure);
    if (rc == TW_OK && call->common.output)
        rc = tw_result_check(call->common.output, call->common.force, &call->err);
    if (rc == TW_OK)
        rc = tw_ghost_onsets_parse(&g, g.o->onset);
    if (rc == TW_OK)
        rc = tw_cmd_provenance_start(&g.prov, call, &call->err);
    if (rc == TW_OK)
        rc = g.o->logits ? tw_ghost_run_logits(&g) : tw_ghost_run_network(&g);
    stopped = rc == TW_ESTOP;
    if (rc == TW_OK && g.scan)
        rc = tw_ghost_set_horizon(&g);
    if (rc == TW_OK || stopped) {
        tw_ghost_report(&g);
        g.figure = tw_ghost_best_figure(&g);
        rc = output(&g, figure);
        code = rc != TW_OK ? tw_cmd_fail_late(call) : stopped ? TW_EXIT_STOPPED : TW_EXIT_OK;
    } else {
        code = tw_cmd_fail(call);
    }
    tw_ghost_release(&g);
    tw_str_release(&store);
    return code;
}

static const struct ghost_opts defaults = { .net = TW_NET_DEFAULTS,
                                            .evaluator = TW_EVALUATOR_DEFAULTS,
                                            .exact = "all",
                                            .what = "zeros",
                                            .rate = (double)NAN,
                                            .tau = (double)NAN,
                                            .temperature = 1.0,
                                            .batch = 64,
                                            .listed = 10 };
const struct tw_cmd tw_cmd_ghost = {
    "ghost",
    "Networks",
    "step bounds from the complex zeros of the softmax",
    "[CHECKPOINT...]",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
