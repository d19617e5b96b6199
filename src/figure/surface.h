/* SPDX-License-Identifier: GPL-3.0-or-later */
/* figure/surface.h - a figure of a surface between its steps: plan, data, script. */
#ifndef TW_FIGURE_SURFACE_H
#define TW_FIGURE_SURFACE_H

#include "fig.h"

enum { SURFACE_LEVELS = 16, SURFACE_NOTES = 6 };

struct surface_plan {
    const struct tw_figure_surface *f;
    struct fig_page page;
    bool log;
    double lo, hi;                /* of what is finite */
    double level[SURFACE_LEVELS]; /* lines of equal height, and ticks of the colours */
    size_t nlevel, missing;       /* points that are not finite */
    size_t px, py;                /* of the picture */
    float *picture;               /* (py, px): z, or its logarithm to base 10 */
    double left, right, top, bottom,
        label;          /* margins, and where the y label is left of the panel */
    double level_width; /* characters of the widest tick of the colours */
    size_t columns;     /* of the key of paths */
    size_t nnote;
    char note[SURFACE_NOTES][200];
};

/* Fill the picture. */
enum tw_status surface_paint(struct surface_plan *p, struct tw_err *err) TW_CHECKED;
void surface_script(const struct surface_plan *p, struct fig_files *files,
                    const struct tw_figure_opts *opts);

#endif
