/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

size_t tw_host_columns(int fd)
{
    enum { PLAIN = 80, LEAST = 60, MOST = 100 };
    struct winsize w;

    if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &w) != 0 || w.ws_col == 0)
        return PLAIN;
    return w.ws_col < LEAST ? LEAST : w.ws_col > MOST ? MOST : w.ws_col;
}

bool tw_host_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *s = getenv(names[i]);

        if (s && *s) {
            const char *set = strchr(s, '.');

            return set && (!strncasecmp(set, ".utf-8", 6) || !strncasecmp(set, ".utf8", 5));
        }
    }
    return false;
}

/* ---- processors ----------------------------------------------------------------------- */

size_t tw_host_processors(void)
{
    int n = omp_get_num_procs(); /* libgomp and libomp count the affinity mask */

    return n > 0 ? (size_t)n : 1;
}

static size_t whole_processors(double quota, double period)
{
    double n = period > 0.0 ? quota / period : 0.0;

    if (!(n > 0.0) || n > 1e6)
        return 0;
    return (size_t)n + ((double)(size_t)n < n);
}

size_t tw_host_quota_line(const char *line)
{
    double quota, period;
    size_t n = strcspn(line, " \n");
    const char *rest = line + n + (line[n] == ' ');

    if (!tw_strn_to_real(line, n, &quota) || !tw_strn_to_real(rest, strcspn(rest, " \n"), &period))
        return 0;
    return whole_processors(quota, period);
}

static bool first_line(const char *path, char *line, size_t size)
{
    FILE *fp = fopen(path, "r");
    bool ok;

    if (!fp)
        return false;
    ok = fgets(line, (int)size, fp) != NULL;
    (void)fclose(fp);
    return ok;
}

/* The tightest limit from our own group up to the root: each may set one. */
static size_t quota_v2(char *group)
{
    size_t least = 0;

    for (;;) {
        char path[1100], line[128];
        char *slash = strrchr(group, '/');

        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
        if (first_line(path, line, sizeof line)) {
            size_t n = tw_host_quota_line(line);

            if (n && (!least || n < least))
                least = n;
        }
        if (!slash)
            return least;
        *slash = '\0';
    }
}

static size_t quota_v1(void)
{
    char quota[128], period[128], both[260];

    if (!first_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", quota, sizeof quota) ||
        !first_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period))
        return 0;
    quota[strcspn(quota, "\n")] = '\0';
    (void)snprintf(both, sizeof both, "%s %s", quota, period);
    return tw_host_quota_line(both);
}

size_t tw_host_quota(void)
{
    FILE *fp = fopen("/proc/self/cgroup", "r");
    char line[1024];
    size_t n = 0;

    if (!fp)
        return 0;
    while (fgets(line, sizeof line, fp))
        if (!strncmp(line, "0::", 3)) {
            line[strcspn(line, "\n")] = '\0';
            n = quota_v2(line + 3);
        }
    (void)fclose(fp);
    return n ? n : quota_v1();
}

size_t tw_host_threads(void)
{
    size_t n, quota;
    const char *said = getenv("OMP_NUM_THREADS");

    if (said && *said)
        return (size_t)omp_get_max_threads();
    n = tw_host_processors();
    quota = tw_host_quota();
    return quota && quota < n ? quota : n;
}

void tw_host_cpu(struct tw_str *out)
{
    tw_str_add(out, "");
#if defined __x86_64__ || defined __i386__
    __builtin_cpu_init();
#define WORD(feature) tw_str_add(out, __builtin_cpu_supports(feature) ? " " feature : "")
    WORD("sse4.2");
    WORD("avx");
    WORD("avx2");
    WORD("fma");
    WORD("avx512f");
    WORD("avx512vnni");
#undef WORD
#elif defined __aarch64__
    tw_str_add(out, " neon"); /* part of every AArch64 processor */
#endif
    if (out->n && out->s[0] == ' ')
        memmove(out->s, out->s + 1, out->n--);
}
