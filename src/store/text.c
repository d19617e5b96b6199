/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "file.h"

char text_separator(const char *p, const char *end)
{
    static const char seps[] = { ',', ';', '\t' };
    size_t count[3] = { 0 }, best = 0;

    for (; p < end && *p != '\n'; p++)
        for (size_t i = 0; i < 3; i++)
            count[i] += *p == seps[i];
    for (size_t i = 1; i < 3; i++)
        if (count[i] > count[best])
            best = i;
    return seps[best];
}
