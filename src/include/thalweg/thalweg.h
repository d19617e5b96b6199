/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/thalweg.h - every public header of the library. */
#ifndef TW_THALWEG_H
#define TW_THALWEG_H

#include "thalweg/base.h"
#include "thalweg/figure.h"
#include "thalweg/store_log.h"
#include "thalweg/store_result.h"

#endif
