/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reading process's part of h5_items.h: start the child, and trust nothing it says. */
#include "h5_items.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "file.h"
#include "h5.h"
#include "h5_filter.h"

bool tw_h5_in_process = false;
double tw_h5_patience = 60.0;

/* What a file may make us hold. */
static uint64_t budget(uint64_t file_size)
{
    const uint64_t least = UINT64_C(256) << 20, ratio = 64;

    return least + (file_size < UINT64_MAX / ratio / 4 ? file_size * ratio : UINT64_MAX / 4);
}

/* ---- the child -------------------------------------------------------------------------- */

static void limit(int what, uint64_t n)
{
    struct rlimit r;

    if (getrlimit(what, &r) != 0 || (r.rlim_max != RLIM_INFINITY && r.rlim_max < n))
        return;
    r.rlim_cur = (rlim_t)n;
    r.rlim_max = (rlim_t)(what == RLIMIT_CPU ? n + 1 : n); /* the signal, then the end */
    (void)setrlimit(what, &r);
}

/* What the address space measures now, in bytes: sanitizers take terabytes. 0: unknown. */
static uint64_t address_space(void)
{
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[64] = "";
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long page = sysconf(_SC_PAGESIZE);

    if (fd >= 0)
        (void)close(fd);
    return n > 0 && page > 0 ? strtoull(text, NULL, 10) * (uint64_t)page : 0;
}

/* Nothing else can be opened from here on: no other file by a link, no plug-in; nor can anything
 * be removed, started or sent. */
static void opened(void)
{
    limit(RLIMIT_NOFILE, 0);
    tw_h5_filter();
}

static void confine(uint64_t file_size)
{
    const uint64_t seconds = 1 + (file_size >> 24), used = address_space();
    const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGPIPE };
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#endif
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        (void)signal(deadly[i], SIG_DFL);
    /* Meant for the program, which decides what becomes of this process. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0)
        for (int fd = 0; fd <= 2; fd++)
            (void)dup2(null, fd);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CPU, seconds);
#ifdef RLIMIT_NPROC
    limit(RLIMIT_NPROC, 0);
#endif
    if (used)
        limit(RLIMIT_AS, used + 2 * budget(file_size));
}

/* ---- receiving -------------------------------------------------------------------------- */

struct source {
    int fd;
    uint64_t left;   /* of the budget */
    double deadline; /* by now() */
    enum { GOOD, ENDED, REFUSED, TOO_MUCH, NO_MEMORY, TOO_LATE } state;
    size_t at, have;
    char block[1 << 16];
};

static double now(void)
{
    struct timespec t = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* False, and the state says so, if nothing comes before the deadline. */
static bool wait_for_more(struct source *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    int ready;

    do {
        const double left = s->deadline - now();

        ready = left > 0.0 ? poll(&p, 1, (int)fmin(1e3 * left + 1.0, 1e9)) : 0;
    } while ((ready < 0 && errno == EINTR) || (ready == 0 && now() < s->deadline));
    if (ready == 0)
        s->state = TOO_LATE;
    return ready != 0;
}

static bool get(struct source *s, void *to, size_t n)
{
    char *p = to;

    while (n > 0) {
        size_t k = s->have - s->at < n ? s->have - s->at : n;

        memcpy(p, s->block + s->at, k);
        s->at += k;
        p += k;
        n -= k;
        if (n > 0) {
            /* Large arrays go straight to their place. */
            bool direct = n >= sizeof s->block;
            ssize_t got = !wait_for_more(s)
                              ? -2
                              : read(s->fd, direct ? p : s->block, direct ? n : sizeof s->block);

            if (got == -2)
                return false;
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0) {
                s->state = ENDED;
                return false;
            }
            s->at = 0;
            s->have = direct ? 0 : (size_t)got;
            p += direct ? got : 0;
            n -= direct ? (size_t)got : 0;
        }
    }
    return true;
}

/* n bytes in memory of their own, and a NUL. */
static void *get_new(struct source *s, uint64_t n)
{
    char *p;

    if (n >= s->left) {
        s->state = TOO_MUCH;
        return NULL;
    }
    s->left -= n + 1;
    p = tw_alloc((size_t)n + 1, 1);
    if (!p)
        s->state = NO_MEMORY;
    else if (!get(s, p, (size_t)n)) {
        free(p);
        p = NULL;
    }
    return p;
}

static bool refuse(struct source *s)
{
    s->state = REFUSED;
    return false;
}

/* Are there as many values as the record says? */
static bool consistent(const struct tw_h5_item *it)
{
    uint64_t n = it->empty ? 0 : 1, ends = 0;

    for (int i = 0; i < it->rank; i++) {
        if (it->dims[i] && n > UINT64_MAX / 16 / it->dims[i])
            return it->values == TW_H5_NONE;
        n *= it->dims[i];
    }
    if (it->values == TW_H5_NONE)
        return it->bytes == 0;
    if (it->n != n)
        return false;
    if (it->values == TW_H5_RAW)
        return it->bytes == n * tw_dtype_size(it->element);
    if (it->values == TW_H5_FLOATS)
        return it->class == TW_H5_REALS && it->bytes == n * sizeof(float);
    if (it->values != it->class)
        return false;
    if (it->values == TW_H5_BYTES)
        return it->bytes == n;
    if (it->values != TW_H5_TEXTS)
        return it->bytes == n * sizeof(double);
    for (const char *p = it->data, *e = p + it->bytes; p < e && (p = memchr(p, 0, (size_t)(e - p)));
         p++)
        ends++;
    return ends == n;
}

static bool get_item(struct source *s, const struct tw_h5_head *h, struct tw_h5_item *it)
{
    if (h->kind >= TW_H5_END || h->rank > TW_H5_MAX_RANK || h->class > TW_H5_TEXTS ||
        h->values > TW_H5_FLOATS || h->element >= TW_NDTYPES)
        return refuse(s);
    *it = (struct tw_h5_item){ .kind = (enum tw_h5_kind)h->kind,
                               .class = (enum tw_h5_values)h->class,
                               .values = (enum tw_h5_values)h->values,
                               .empty = h->empty != 0,
                               .in_one_piece = h->in_one_piece != 0,
                               .element = (enum tw_dtype)h->element,
                               .plain = h->plain != 0,
                               .rank = (int)h->rank,
                               .n = h->n,
                               .size = h->size,
                               .offset = h->offset,
                               .bytes = (size_t)h->ndata };
    if (s->left < sizeof *it) {
        s->state = TOO_MUCH;
        return false;
    }
    s->left -= sizeof *it;
    if (get(s, it->dims, h->rank * sizeof *it->dims) && (it->path = get_new(s, h->npath)) &&
        (it->type = get_new(s, h->ntype)) && (it->note = get_new(s, h->nnote)) &&
        (it->data = get_new(s, h->ndata)))
        return consistent(it) || refuse(s);
    return false;
}

/* Items up to the last record, whose status is returned. */
static enum tw_status get_items(struct source *s, struct tw_h5_items *items, struct tw_err *err)
{
    const double patience = s->deadline - now();
    struct tw_h5_head h;
    char *msg;

    while (get(s, &h, sizeof h)) {
        if (h.kind == TW_H5_END) {
            msg = h.n > TW_ESTOP ? NULL : get_new(s, h.nnote);
            if (!msg && s->state == GOOD)
                s->state = REFUSED;
            else if (msg && h.n != TW_OK)
                (void)tw_err_set(err, (enum tw_status)h.n, "%s", msg);
            free(msg);
            if (s->state == GOOD)
                return (enum tw_status)h.n;
            break;
        }
        if (!tw_grow(&items->v, items->n, &items->cap, sizeof *items->v)) {
            s->state = NO_MEMORY;
            break;
        }
        items->v[items->n] = (struct tw_h5_item){ 0 };
        if (!get_item(s, &h, &items->v[items->n++]))
            break;
    }
    if (s->state == NO_MEMORY)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    if (s->state == TOO_LATE)
        return tw_err_set(
            err, TW_EIO,
            "it was not read in %.0f seconds: the disk does not answer, or the file is "
            "damaged and the HDF5 library comes to no end with it",
            patience);
    if (s->state == TOO_MUCH)
        return tw_err_set(err, TW_EFORMAT,
                          "it holds more than 256 MiB and 64 times its size, which is not read");
    return TW_EFORMAT; /* the caller knows what became of the child */
}

enum tw_status tw_h5_items_receive(int fd, uint64_t file_size, struct tw_h5_items *items,
                                   struct tw_err *err)
{
    struct source *s = tw_alloc(1, sizeof *s);
    enum tw_status rc;

    if (!s)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    s->fd = fd;
    s->left = budget(file_size);
    /* A network's disk at its slowest, 1 MiB a second. */
    s->deadline = now() + tw_h5_patience + (double)file_size / 1048576.0;
    rc = get_items(s, items, err);
    free(s);
    return rc;
}

/* ---- both -------------------------------------------------------------------------------- */

static enum tw_status read_here(const struct tw_h5_request *q, struct tw_h5_items *items,
                                struct tw_err *err)
{
    FILE *fp = tmpfile();
    enum tw_status rc = TW_EIO;

    if (fp) {
        tw_h5_walk(q, fileno(fp), NULL);
        if (lseek(fileno(fp), 0, SEEK_SET) == 0)
            rc = tw_h5_items_receive(fileno(fp), q->file_size, items, err);
        (void)fclose(fp);
    }
    if (rc != TW_OK)
        (void)tw_err_set(err, rc, "it cannot be read");
    return rc;
}

static const char damaged[] = "copy it again, or save what h5py still reads into a new file";

static enum tw_status explain(int status, struct tw_err *err)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        return tw_err_set(err, TW_EFORMAT,
                          "a damaged HDF5 file: the HDF5 library comes to no end with it; %s",
                          damaged);
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        return tw_err_set(err, TW_EFORMAT,
                          "a damaged HDF5 file: the HDF5 library crashes on it (signal %d); %s",
                          WTERMSIG(status), damaged);
    return tw_err_set(err, TW_EFORMAT, "a damaged HDF5 file: the HDF5 library cannot read it; %s",
                      damaged);
}

/* Its status. It has ended, or has more to say than we want to hear; one that came too late may
 * wait for a disk that keeps it even from dying, and is waited for five seconds. */
static int end_child(pid_t pid, bool late)
{
    const struct timespec moment = { .tv_nsec = 10000000 };
    pid_t ended = 0;
    int status = 0;

    (void)kill(pid, SIGKILL);
    for (int i = 0; i < 500 && (ended == 0 || (ended < 0 && errno == EINTR)); i++) {
        ended = waitpid(pid, &status, late ? WNOHANG : 0);
        if (ended == 0)
            (void)nanosleep(&moment, NULL);
    }
    return ended == pid ? status : 0;
}

static enum tw_status read_by_child(const struct tw_h5_request *q, struct tw_h5_items *items,
                                    struct tw_err *err)
{
    enum tw_status rc;
    int ends[2], status;
    struct tw_err said = { 0 };
    pid_t pid;

    if (pipe(ends) != 0)
        return tw_err_set(err, TW_EIO, "no pipe to read it through: %s", strerror(errno));
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid = fork();
    if (pid == 0) {
        int out = fcntl(ends[1], F_DUPFD_CLOEXEC, 3); /* 0 to 2 are about to be replaced */

        /* A reader of its own would let it wait for ever, should the program be killed before
         * confine() says that this must not outlive it. */
        (void)close(ends[0]);
        confine(q->file_size);
        tw_h5_walk(q, out, opened);
        _exit(0);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return tw_err_set(err, TW_EIO, "no process to read it with: %s", strerror(errno));
    }
    rc = tw_h5_items_receive(ends[0], q->file_size, items, &said);
    (void)close(ends[0]);
    status = end_child(pid, rc == TW_EIO);
    if (rc != TW_OK && said.code == TW_OK)
        return explain(status, err);
    return rc == TW_OK ? rc : tw_err_set(err, rc, "%s", said.msg);
}

static enum tw_status check_file(const char *path, uint64_t *size, struct tw_err *err)
{
    int fd = tw_file_open(path, size, err);
    enum tw_status rc = TW_OK;

    if (fd < 0)
        return TW_EIO;
    if (!tw_h5_signature(fd))
        rc = tw_err_set(err, TW_EFORMAT, "%s",
                        *size == 0 ? "the file is empty" : "this is not an HDF5 file");
    (void)close(fd);
    return rc;
}

/* ---- all --------------------------------------------------------------------------------- */

static enum tw_status read_request(struct tw_h5_request *q, struct tw_h5_items *items,
                                   struct tw_err *err)
{
    struct tw_err own = { 0 };
    enum tw_status rc = TW_OK;

    err = err ? err : &own;
    *items = (struct tw_h5_items){ 0 };
    if (q->path)
        rc = check_file(q->path, &q->file_size, err);
    if (rc != TW_OK)
        return rc;
    items->file_size = q->file_size;
    rc = tw_h5_in_process ? read_here(q, items, err) : read_by_child(q, items, err);
    if (rc == TW_OK && !tw_h5_items_sort(items))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    return rc;
}

enum tw_status tw_h5_items_read(const char *path, const void *image, size_t image_size,
                                enum tw_h5_scope scope, struct tw_h5_items *items,
                                struct tw_err *err)
{
    struct tw_h5_request q = { path, image, image_size, image_size, scope, NULL };

    return read_request(&q, items, err);
}

enum tw_status tw_h5_items_read_one(const char *path, const char *set, struct tw_h5_items *items,
                                    struct tw_err *err)
{
    struct tw_h5_request q = { path, NULL, 0, 0, TW_H5_ONE, set };

    return read_request(&q, items, err);
}

enum tw_status tw_h5_items_read_run(const char *path, const char *part, struct tw_h5_items *items,
                                    struct tw_err *err)
{
    struct tw_h5_request q = { path, NULL, 0, 0, TW_H5_RUN, part };

    return read_request(&q, items, err);
}

void tw_h5_items_release(struct tw_h5_items *items)
{
    for (size_t i = 0; i < items->n; i++) {
        free(items->v[i].path);
        free(items->v[i].type);
        free(items->v[i].note);
        free(items->v[i].data);
    }
    free(items->v);
    free(items->sorted);
    *items = (struct tw_h5_items){ 0 };
}
