/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changing the folder of a spawned child is glibc's, musl's and macOS's extension. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif
#include "fig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct stream {
    int fd; /* our end */
    struct tw_str *to;
};

/* Reads both streams to their ends, whatever order the child fills them in. */
static void drain(struct stream s[2])
{
    while (s[0].fd >= 0 || s[1].fd >= 0) {
        struct pollfd p[2] = { { s[0].fd, POLLIN, 0 }, { s[1].fd, POLLIN, 0 } };

        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        for (int i = 0; i < 2; i++) {
            char buf[4096];
            ssize_t n;

            if (s[i].fd < 0 || !(p[i].revents & (POLLIN | POLLHUP | POLLERR)))
                continue;
            n = read(s[i].fd, buf, sizeof buf);
            if (n > 0)
                tw_str_addn(s[i].to, buf, (size_t)n);
            else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
                (void)close(s[i].fd);
                s[i].fd = -1;
            }
        }
    }
}

/* The child's stream `to` becomes a pipe that ends in s. */
static int redirect(posix_spawn_file_actions_t *fa, struct stream *s, int to, int *theirs)
{
    int fd[2];

    if (!s->to)
        return 0;
    if (pipe(fd) != 0)
        return errno;
    s->fd = fd[0];
    *theirs = fd[1];
    (void)fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    return posix_spawn_file_actions_adddup2(fa, fd[1], to);
}

/* A child must not inherit that this program ignores or blocks signals. */
static int spawn(const char *const *argv, const char *dir, struct stream s[2], pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    int theirs[2] = { -1, -1 }, e;
    union {
        const char *const *in;
        char *const *out;
    } args = { argv }; /* posix_spawn's prototype lacks the const that it keeps */
    sigset_t none;

    e = posix_spawn_file_actions_init(&fa);
    if (e)
        return e;
    e = posix_spawnattr_init(&attr);
    if (e) {
        (void)posix_spawn_file_actions_destroy(&fa);
        return e;
    }
    (void)sigemptyset(&none);
    e = posix_spawnattr_setsigmask(&attr, &none);
    if (!e)
        e = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    if (!e)
        e = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    for (int i = 0; i < 2 && !e; i++)
        e = redirect(&fa, &s[i], i + 1, &theirs[i]);
    if (!e && dir)
        e = posix_spawn_file_actions_addchdir_np(&fa, dir);
    if (!e)
        e = posix_spawnp(pid, argv[0], &fa, &attr, args.out, environ);
    for (int i = 0; i < 2; i++)
        if (theirs[i] >= 0)
            (void)close(theirs[i]);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&fa);
    return e;
}

enum tw_status fig_run(const char *const *argv, const char *dir, struct tw_str *out,
                       struct tw_str *log, struct tw_err *err)
{
    struct stream s[2] = { { -1, out }, { -1, log } };
    int e, status = 0;
    pid_t pid = -1;

    e = spawn(argv, dir, s, &pid);
    if (e) {
        for (int i = 0; i < 2; i++)
            if (s[i].fd >= 0)
                (void)close(s[i].fd);
        return tw_err_set(err, TW_EIO, "cannot start %s (%s)", argv[0], strerror(e));
    }
    drain(s);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return tw_err_set(err, TW_EIO, "lost sight of %s (%s)", argv[0], strerror(errno));
    if (WIFSIGNALED(status))
        return tw_err_set(err, TW_EIO, "%s was ended by signal %d", argv[0], WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return tw_err_set(err, TW_EIO, "%s failed with exit code %d", argv[0], WEXITSTATUS(status));
    if ((out && out->failed) || (log && log->failed))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    return TW_OK;
}
