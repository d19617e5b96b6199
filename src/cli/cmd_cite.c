/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct tw_opt opts[] = { { .type = TW_OPT_END } };

/* One row a work; `use` says which part of Thalweg rests on it. */
static const struct work {
    const char *key, *use, *bibtex;
} works[] = {
    { "tissue2024annealing", "the annealing law of 'fit' and 'forecast'",
      "@misc{tissue2024annealing,\n"
      "  author = {Howe Tissue and Venus Wang and Lu Wang},\n"
      "  title  = {Scaling Law with Learning Rate Annealing},\n"
      "  year   = {2024},\n"
      "  eprint = {2408.11029},\n"
      "  archivePrefix = {arXiv}\n"
      "}\n" },
    { "sao2026ghosts", "'ghost'",
      "@misc{sao2026ghosts,\n"
      "  author = {P. Sao},\n"
      "  title  = {Ghosts of Softmax},\n"
      "  year   = {2026},\n"
      "  eprint = {2603.13552},\n"
      "  archivePrefix = {arXiv}\n"
      "}\n" },
    { "li2018visualizing", "'scan': filter-normalised directions, planes of trajectories",
      "@inproceedings{li2018visualizing,\n"
      "  author    = {Hao Li and Zheng Xu and Gavin Taylor and Christoph Studer and\n"
      "               Tom Goldstein},\n"
      "  title     = {Visualizing the Loss Landscape of Neural Nets},\n"
      "  booktitle = {Advances in Neural Information Processing Systems 31},\n"
      "  year      = {2018},\n"
      "  note      = {arXiv:1712.09913}\n"
      "}\n" },
    { "garipov2018surfaces", "'scan': planes through three checkpoints",
      "@inproceedings{garipov2018surfaces,\n"
      "  author    = {Timur Garipov and Pavel Izmailov and Dmitrii Podoprikhin and\n"
      "               Dmitry Vetrov and Andrew Gordon Wilson},\n"
      "  title     = {Loss Surfaces, Mode Connectivity, and Fast Ensembling of {DNNs}},\n"
      "  booktitle = {Advances in Neural Information Processing Systems 31},\n"
      "  year      = {2018},\n"
      "  note      = {arXiv:1802.10026}\n"
      "}\n" },
    { "kunsch1989jackknife", "the block bootstrap behind intervals",
      "@article{kunsch1989jackknife,\n"
      "  author  = {Hans R. K{\\\"u}nsch},\n"
      "  title   = {The Jackknife and the Bootstrap for General Stationary Observations},\n"
      "  journal = {The Annals of Statistics},\n"
      "  volume  = {17},\n"
      "  number  = {3},\n"
      "  pages   = {1217--1241},\n"
      "  year    = {1989},\n"
      "  doi     = {10.1214/aos/1176347265}\n"
      "}\n" },
    { "salmon2011parallel", "the random streams (Philox)",
      "@inproceedings{salmon2011parallel,\n"
      "  author    = {John K. Salmon and Mark A. Moraes and Ron O. Dror and David E. Shaw},\n"
      "  title     = {Parallel Random Numbers: As Easy as 1, 2, 3},\n"
      "  booktitle = {Proceedings of 2011 International Conference for High Performance\n"
      "               Computing, Networking, Storage and Analysis (SC '11)},\n"
      "  year      = {2011},\n"
      "  doi       = {10.1145/2063384.2063405}\n"
      "}\n" },
    { "gsl", "least squares and special functions",
      "@manual{gsl,\n"
      "  author = {M. Galassi and others},\n"
      "  title  = {{GNU} Scientific Library Reference Manual},\n"
      "  note   = {\\url{https://www.gnu.org/software/gsl/}}\n"
      "}\n" },
    { "hdf5", "result files",
      "@misc{hdf5,\n"
      "  author = {{The HDF Group}},\n"
      "  title  = {Hierarchical Data Format, version 5},\n"
      "  note   = {\\url{https://www.hdfgroup.org/}}\n"
      "}\n" },
    { "gnuplot", "figures",
      "@misc{gnuplot,\n"
      "  author = {Thomas Williams and Colin Kelley and others},\n"
      "  title  = {Gnuplot: an interactive plotting program},\n"
      "  note   = {\\url{http://www.gnuplot.info/}}\n"
      "}\n" },
};

static void work(struct tw_call *call, const char *key, const char *use, const char *bibtex)
{
    tw_json_open(&call->json, NULL, '{');
    tw_json_text(&call->json, "key", key);
    tw_json_text(&call->json, "use", use);
    tw_json_text(&call->json, "bibtex", bibtex);
    tw_json_close(&call->json, '}');
    if (!call->common.json)
        printf("%% %s\n%s\n", use, bibtex);
}

static int run(struct tw_call *call)
{
    struct tw_str self = { 0 };

    if (call->argc > 0)
        return tw_cmd_usage(call, "takes no operands, found '%s'", call->argv[0]);
    tw_str_addf(&self,
                "@misc{thalweg,\n"
                "  author = {{Thalweg contributors}},\n"
                "  title  = {Thalweg: loss landscapes and scaling laws},\n"
                "  note   = {Computer program, version %s}\n"
                "}\n",
                tw_version());
    if (self.failed) {
        (void)tw_err_set(&call->err, TW_ENOMEM, "out of memory");
        return tw_cmd_fail(call);
    }
    tw_json_open(&call->json, "works", '[');
    work(call, "thalweg", "this program", self.s);
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        work(call, works[i].key, works[i].use, works[i].bibtex);
    tw_json_close(&call->json, ']');
    tw_str_release(&self);
    return TW_EXIT_OK;
}

const struct tw_cmd tw_cmd_cite = {
    .name = "cite",
    .group = "About",
    .summary = "print BibTeX entries of this program and of the work it rests on",
    .operands = "",
    .uses = TW_USES_JSON,
    .opts = opts,
    .run = run,
};
