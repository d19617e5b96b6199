/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_bmm_shapes.h - the innermost products of TILE_KIND: the full tile, its edges, its corner. */
#if KERN_BYTES == 64
#define TILE_I 4
#define TILE_J 4
#include "kern_bmm_micro.h"
#define TILE_I 4
#define TILE_J 1
#include "kern_bmm_micro.h"
#else
#define TILE_I 3
#define TILE_J 4
#include "kern_bmm_micro.h"
#define TILE_I 3
#define TILE_J 1
#include "kern_bmm_micro.h"
#endif
#define TILE_I 1
#define TILE_J 4
#include "kern_bmm_micro.h"
#define TILE_I 1
#define TILE_J 1
#include "kern_bmm_micro.h"
#undef TILE_KIND
#undef TILE_A
#undef TILE_B
