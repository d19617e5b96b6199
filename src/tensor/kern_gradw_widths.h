/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gradw_widths.h - the turned products of TILE_ROWS rows, for every width. */
#define TILE_VECS 1
#include "kern_gradw_turned.h"
#define TILE_VECS 2
#include "kern_gradw_turned.h"
#define TILE_VECS 3
#include "kern_gradw_turned.h"
#undef TILE_ROWS
