/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gemm_widths.h - the innermost products of TILE_ROWS rows, for every width. */
#define TILE_VECS 1
#include "kern_gemm_micro.h"
#define TILE_VECS 2
#include "kern_gemm_micro.h"
#define TILE_VECS 3
#include "kern_gemm_micro.h"
#define TILE_VECS 4
#include "kern_gemm_micro.h"
#undef TILE_ROWS
