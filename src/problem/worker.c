/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifdef __linux__
#define _GNU_SOURCE /* memfd_create, file seals, close_range */
#endif
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define MAX_LINE ((size_t)16 << 20)

extern char **environ;

double tw_worker_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- memory that both see -------------------------------------------------------------------- */

/* Without a name, or with one for a moment where the system knows no other way. */
static int nameless(void)
{
#ifdef __linux__
    return memfd_create("thalweg", MFD_CLOEXEC | MFD_ALLOW_SEALING);
#else
    char name[64];
    int fd;

    (void)snprintf(name, sizeof name, "/thalweg-%ld", (long)getpid());
    fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) {
        (void)shm_unlink(name);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    return fd;
#endif
}

enum tw_status tw_worker_map(struct tw_worker *w, size_t size, struct tw_err *err)
{
    void *p;

    if (ftruncate(w->memory, (off_t)size) != 0)
        return tw_err_set(err, TW_ENOMEM, "no %zu bytes of memory to share with the evaluator: %s",
                          size, strerror(errno));
#ifdef __linux__
    /* Cut short by the other side, it would take us with it. */
    (void)fcntl(w->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
#endif
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, w->memory, 0);
    if (p == MAP_FAILED)
        return tw_err_set(err, TW_ENOMEM, "no %zu bytes of memory to share with the evaluator: %s",
                          size, strerror(errno));
    w->map = p;
    w->size = size;
    return TW_OK;
}

/* ---- its start ------------------------------------------------------------------------------- */

/* The environment with `extra` in front, without what extra replaces. */
static char **environment(const char *const *extra)
{
    size_t n = 0, nextra = 0, k = 0;
    char **e;

    while (environ[n])
        n++;
    while (extra[nextra])
        nextra++;
    e = tw_alloc(n + nextra + 1, sizeof *e);
    for (size_t i = 0; e && i < nextra; i++)
        memcpy(&e[k++], &extra[i], sizeof *e);
    for (size_t i = 0; e && i < n; i++) {
        bool replaced = false;

        for (size_t j = 0; j < nextra; j++)
            replaced = replaced || !strncmp(environ[i], extra[j], strcspn(extra[j], "=") + 1);
        if (!replaced)
            e[k++] = environ[i];
    }
    return e;
}

/* A simple command takes the shell's place, so that signals and exit codes are its own. The caller
 * frees it. */
static char *in_place(const char *command)
{
    const size_t first = strcspn(command, " ");
    struct tw_str s = { 0 };

    if (!strpbrk(command, ";&|<>()\n") && !memchr(command, '=', first) &&
        strncmp(command, "exec ", 5) != 0)
        tw_str_add(&s, "exec ");
    tw_str_add(&s, command);
    if (!s.failed)
        return s.s;
    tw_str_release(&s);
    return NULL;
}

/* In the child: descriptors 0 to 5 as promised, no others; only calls that are safe after a fork.
 * fd: what becomes 0 to 5, each above 5. */
static void become(const int *fd, const char *command, char **env)
{
    const char *argv[] = { "sh", "-c", command, NULL };
    char *args[4];
    sigset_t none;

    (void)setpgid(0, 0); /* a Ctrl-C is for thalweg, which then says goodbye */
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i <= TW_WORKER_MEMORY; i++)
        if (dup2(fd[i], i) < 0)
            _exit(127);
#ifdef __linux__
    (void)close_range(TW_WORKER_MEMORY + 1, ~0U, 0);
#else
    for (int i = TW_WORKER_MEMORY + 1; i < 1024; i++)
        (void)close(i);
#endif
    memcpy(args, argv, sizeof args);
    (void)execve("/bin/sh", args, env);
    _exit(127);
}

static void close_all(int *fd, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fd[i] >= 0)
            (void)close(fd[i]);
}

enum tw_status tw_worker_start(struct tw_worker *w, const char *command, const char *const *extra,
                               int log_fd, struct tw_err *err)
{
    int requests[2] = { -1, -1 }, answers[2] = { -1, -1 }, high[6] = { -1, -1, -1, -1, -1, -1 };
    int memory = nameless(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char **env = environment(extra), *run = in_place(command);
    bool good = env && run && memory >= 0 && null >= 0 &&
                socketpair(AF_UNIX, SOCK_STREAM, 0, requests) == 0 && pipe(answers) == 0;
    const int from[] = { null, log_fd, log_fd, requests[1], answers[1], memory };
    enum tw_status rc = TW_OK;

    for (size_t i = 0; good && i < 6; i++) {
        high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, TW_WORKER_MEMORY + 1);
        good = high[i] >= 0;
    }
    for (int i = 0; good && i < 2; i++)
        good = fcntl(requests[i], F_SETFD, FD_CLOEXEC) == 0 &&
               fcntl(answers[i], F_SETFD, FD_CLOEXEC) == 0;
    good = good && fcntl(answers[0], F_SETFL, O_NONBLOCK) == 0;
    w->pid = good ? fork() : -1;
    if (w->pid == 0)
        become(high, run, env);
    if (w->pid < 0) {
        rc = tw_err_set(err, TW_EIO, "no process for the evaluator: %s", strerror(errno));
        w->pid = 0;
        close_all((int[]){ requests[0], answers[0], memory }, 3);
    } else {
        (void)setpgid(w->pid, w->pid); /* whoever of the two comes first */
        w->to = requests[0];
        w->from = answers[0];
        w->memory = memory;
        w->map = NULL;
        w->n = w->used = 0;
    }
    close_all(high, 6);
    close_all((int[]){ requests[1], answers[1], null }, 3);
    free(env);
    free(run);
    return rc;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

bool tw_worker_send(const struct tw_worker *w, const char *line, size_t n)
{
    while (n > 0) {
        const ssize_t m = send(w->to, line, n, MSG_NOSIGNAL);

        if (m < 0 && errno == EINTR)
            continue;
        if (m <= 0)
            return false;
        line += m;
        n -= (size_t)m;
    }
    return true;
}

/* Room for more, and for a 0 behind it. */
static bool make_room(struct tw_worker *w)
{
    const size_t least = 4096;
    char *more;

    if (w->cap - w->n > least)
        return true;
    more = realloc(w->in, 2 * w->cap + 2 * least);
    if (!more)
        return false;
    w->in = more;
    w->cap = 2 * w->cap + 2 * least;
    return true;
}

enum tw_worker_news tw_worker_receive(struct tw_worker *w, char **line, size_t *n)
{
    size_t searched = 0;

    if (w->used)
        memmove(w->in, w->in + w->used, w->n - w->used);
    w->n -= w->used;
    w->used = 0;
    for (;;) {
        char *end = w->n > searched ? memchr(w->in + searched, '\n', w->n - searched) : NULL;
        ssize_t m;

        if (end) {
            *line = w->in;
            *n = (size_t)(end - w->in);
            *end = '\0';
            w->used = *n + 1;
            return TW_WORKER_LINE;
        }
        searched = w->n;
        if (w->n > MAX_LINE || !make_room(w))
            return TW_WORKER_TOO_LONG;
        m = read(w->from, w->in + w->n, w->cap - w->n - 1);
        if (m > 0)
            w->n += (size_t)m;
        else if (m == 0 || (errno != EAGAIN && errno != EINTR))
            return TW_WORKER_ENDED;
        else if (errno == EAGAIN)
            return TW_WORKER_NOTHING;
    }
}

/* ---- its end ----------------------------------------------------------------------------------
 */

/* True once it has ended; its number stays taken until it is waited for. */
static bool gone_within(const struct tw_worker *w, double seconds)
{
    const double until = tw_worker_now() + seconds;
    struct timespec moment = { .tv_nsec = 200000 };

    for (;;) {
        siginfo_t info = { 0 };

        if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
            return errno == ECHILD;
        if (info.si_pid == w->pid)
            return true;
        if (tw_worker_now() > until)
            return false;
        (void)nanosleep(&moment, NULL);
        if (moment.tv_nsec < 10000000)
            moment.tv_nsec *= 2;
    }
}

void tw_worker_stop(struct tw_worker *w, double grace)
{
    int status = 0;
    bool alive = false;

    if (w->pid > 0) {
        (void)close(w->to); /* nothing more will be asked */
        alive = !gone_within(w, grace);
        (void)kill(-w->pid, SIGKILL); /* and what it has started */
        while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
            ;
        (void)close(w->from);
        (void)close(w->memory);
    }
    if (w->map)
        (void)munmap(w->map, w->size);
    free(w->in);
    *w = (struct tw_worker){ .status = status, .was_alive = alive };
}

void tw_worker_describe(const struct tw_worker *w, struct tw_str *out)
{
    const int code = WIFEXITED(w->status) ? WEXITSTATUS(w->status) : 0;
    const int sig = WIFSIGNALED(w->status) ? WTERMSIG(w->status) : code > 128 ? code - 128 : 0;

    if (w->was_alive)
        tw_str_addf(out, "closed its descriptor %d", TW_WORKER_OUT);
    else if (sig)
        tw_str_addf(out, "was killed by signal %d%s", sig,
                    sig == SIGKILL ? " (out of memory?)" : "");
    else if (code == 127)
        tw_str_add(out, "could not be run (exit code 127: no such command?)");
    else
        tw_str_addf(out, "ended with exit code %d", code);
}
