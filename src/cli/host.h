/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/host.h - what the machine and the terminal offer this process. */
#ifndef TW_CLI_HOST_H
#define TW_CLI_HOST_H

#include "thalweg/base.h"

/* Columns for text on a file descriptor: 80 when it is no terminal, else the terminal's
 * width, kept within 60 to 100 (longer lines are hard to read). */
size_t tw_host_columns(int fd);

/* True if characters are UTF-8 in the user's locale, by its environment variables. */
bool tw_host_utf8(void);

/* Processors that this process may run on, and how many its control groups pay for (0: no
 * limit; cgroup v2, and v1's "cpu" hierarchy). */
size_t tw_host_processors(void);
size_t tw_host_quota(void);

/* Threads to use when nobody said: OMP_NUM_THREADS, else the lesser of the two above. */
size_t tw_host_threads(void);

/* The vector instructions of this processor that matter here, as words; "" if none known. */
void tw_host_cpu(struct tw_str *out);

/* The quota in one cgroup v2 "cpu.max" line ("max 100000", "150000 100000"), in processors
 * rounded up; 0 for none or for a line that cannot be read. */
size_t tw_host_quota_line(const char *line);

#endif
