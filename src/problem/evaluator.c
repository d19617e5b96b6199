/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The problem of an evaluator process: a pool of workers, and who of them works on what. The
 * messages themselves are in messages.c. */
#include "thalweg/problem_evaluator.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evaluator.h"

enum { ATTEMPTS = 3 };

/* ---- a worker's life --------------------------------------------------------------------------
 */

static double deadline(const struct tw_pool *e)
{
    return e->timeout > 0.0 ? tw_worker_now() + e->timeout : (double)INFINITY;
}

/* The k-th of "a,b,c", beginning again after the last. */
static const char *device(const char *list, size_t k, size_t *n)
{
    size_t count = 1;
    const char *p = list;

    for (const char *c = list; *c; c++)
        count += *c == ',';
    for (k %= count; k > 0; k--)
        p += strcspn(p, ",") + 1;
    *n = strcspn(p, ",");
    return p;
}

static enum tw_status start(struct tw_pool *e, struct tw_member *m, struct tw_err *err)
{
    const size_t k = (size_t)(m - e->member);
    char text[8][64];
    struct tw_str cuda = { 0 };
    const char *extra[9] = { NULL };
    enum tw_status rc = TW_ENOMEM;
    size_t n = 0;

    (void)snprintf(text[n++], sizeof *text, "TWEP=1");
    (void)snprintf(text[n++], sizeof *text, "TWEP_IN_FD=%d", TW_WORKER_IN);
    (void)snprintf(text[n++], sizeof *text, "TWEP_OUT_FD=%d", TW_WORKER_OUT);
    (void)snprintf(text[n++], sizeof *text, "TWEP_MEM_FD=%d", TW_WORKER_MEMORY);
    (void)snprintf(text[n++], sizeof *text, "TWEP_WORKER=%zu", k);
    (void)snprintf(text[n++], sizeof *text, "TWEP_WORKERS=%zu", e->nmember);
    if (e->threads)
        (void)snprintf(text[n++], sizeof *text, "OMP_NUM_THREADS=%zu", e->threads);
    for (size_t i = 0; i < n; i++)
        extra[i] = text[i];
    if (e->devices) {
        size_t length;
        const char *d = device(e->devices, k, &length);

        tw_str_addf(&cuda, "CUDA_VISIBLE_DEVICES=%.*s", (int)length, d);
        extra[n] = cuda.s;
    }
    if (cuda.failed)
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    else
        rc = tw_worker_start(&m->w, e->command, extra, e->log, err);
    tw_str_release(&cuda);
    m->state = rc == TW_OK ? TW_GREETING : TW_DOWN;
    m->until = deadline(e);
    return rc;
}

/* What it did is the rest of a sentence whose subject is the evaluator. Its point is tried again
 * until the attempts are used up. */
static void lost(struct tw_batch *b, struct tw_member *m, const char *did)
{
    struct tw_pool *e = b->e;
    struct tw_err *err = &b->fatal;

    if (m->w.pid)
        tw_worker_stop(&m->w, 0.0);
    m->state = TW_DOWN;
    e->losses++;
    if (e->meeting) { /* the command may be wrong: no second attempt */
        (void)tw_err_set(err, TW_EIO, "the evaluator %s", did);
        return;
    }
    if (e->losses >= 2 * ATTEMPTS + ATTEMPTS * e->nmember) {
        (void)tw_err_set(err, TW_EIO,
                         "%zu times in a row a worker was lost, and no answer came: the evaluator "
                         "%s",
                         e->losses, did);
        return;
    }
    if (m->job && ++m->job->attempts >= ATTEMPTS) {
        struct tw_err failure = { 0 };

        (void)tw_err_set(&failure, TW_EDOMAIN, "%d times in a row the evaluator %s", ATTEMPTS, did);
        tw_batch_done(b, m, &failure);
    }
}

static void ended(struct tw_batch *b, struct tw_member *m)
{
    static const char *const before[] = { "", " before it greeted", " before it was ready", "",
                                          " over this point" };
    const bool half = m->w.n > 0;
    struct tw_str did = { 0 };
    const enum tw_member_state was = m->state;

    tw_worker_stop(&m->w, 1.0);
    tw_worker_describe(&m->w, &did);
    tw_str_addf(&did, "%s%s", half ? " in the middle of a line" : "", before[was]);
    lost(b, m, did.failed ? "ended" : did.s);
    tw_str_release(&did);
}

/* ---- what a worker says ------------------------------------------------------------------------
 */

/* The first greeting of all makes the problem; the others must be like it. */
static enum tw_status greeted(struct tw_pool *e, struct tw_member *m, struct tw_err *err)
{
    struct tw_twep_greeting g;
    enum tw_status rc = tw_twep_greet(&e->line, &g, err);

    if (rc == TW_OK && !e->known) {
        e->greeting = g;
        e->known = true;
        tw_pool_adopt(e);
        g = (struct tw_twep_greeting){ 0 };
    } else if (rc == TW_OK && !tw_twep_same(&e->greeting, &g)) {
        rc = tw_err_set(err, TW_EFORMAT,
                        "greets as another network, other data or other abilities than before");
    }
    tw_twep_greeting_release(&g);
    if (rc == TW_OK)
        rc = tw_worker_map(&m->w, e->places.size, err);
    if (rc == TW_OK)
        rc = tw_member_map(e, m, err);
    m->state = TW_MAPPING;
    m->until = deadline(e);
    return rc;
}

static void quote_line(const char *line, size_t n, struct tw_str *out)
{
    enum { SHOWN = 60 };

    tw_str_add(out, "answers what is no message (");
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        const char c = line[i] >= ' ' && line[i] <= '~' ? line[i] : '?';

        tw_str_addn(out, &c, 1);
    }
    tw_str_add(out, n > SHOWN ? "...)" : ")");
}

static void heard(struct tw_batch *b, struct tw_member *m, char *line, size_t n)
{
    struct tw_pool *e = b->e;
    struct tw_err wrong = { 0 };
    struct tw_str did = { 0 };
    enum tw_status rc;

    quote_line(line, n, &did); /* the parser changes it */
    rc = tw_twep_parse(&e->line, line, n, &wrong);
    if (rc != TW_OK) {
        tw_str_addf(&did, ": %s", wrong.msg);
        lost(b, m, did.failed ? "answers what is no message" : did.s);
        tw_str_release(&did);
        return;
    }
    tw_str_release(&did);
    if (m->state == TW_GREETING) {
        rc = greeted(e, m, &wrong);
    } else {
        rc = tw_member_answer(b, m, &wrong); /* TW_EDOMAIN: an answer, and a failed point */
        if (rc == TW_EDOMAIN) {
            e->losses = 0;
            tw_batch_done(b, m, &wrong);
            rc = TW_OK;
        }
    }
    if (rc == TW_ENOMEM)
        (void)tw_err_set(&b->fatal, rc, "%s", wrong.msg);
    else if (rc != TW_OK)
        lost(b, m, wrong.msg);
}

static void listen_to(struct tw_batch *b, struct tw_member *m)
{
    char *line;
    size_t n;

    while (m->w.pid)
        switch (tw_worker_receive(&m->w, &line, &n)) {
        case TW_WORKER_NOTHING:
            return;
        case TW_WORKER_LINE:
            if (m->state == TW_IDLE)
                lost(b, m, "speaks without being asked");
            else
                heard(b, m, line, n);
            break;
        case TW_WORKER_ENDED:
            ended(b, m);
            break;
        case TW_WORKER_TOO_LONG:
            lost(b, m, "sends a line of more than 16 MiB");
            break;
        }
}

/* ---- who works on what -------------------------------------------------------------------------
 */

void tw_batch_done(struct tw_batch *b, struct tw_member *m, const struct tw_err *failure)
{
    const size_t i = (size_t)(m->job - b->job);

    m->job = NULL;
    b->left--;
    if (b->done && !b->done(b->ctx, i, failure))
        b->stopped = true;
    else if (!b->done && failure)
        (void)tw_err_set(&b->fatal, failure->code, "%s", failure->msg);
}

/* A member without a job gets the next; one that is down and has something to do is started. */
static void give_work(struct tw_batch *b)
{
    struct tw_pool *e = b->e;

    for (size_t k = 0; k < e->nmember && b->fatal.code == TW_OK; k++) {
        struct tw_member *m = &e->member[k];
        struct tw_err err = { 0 };

        if (!m->job && b->next < b->n && !b->stopped)
            m->job = &b->job[b->next++];
        if (!m->job)
            continue;
        if (m->state == TW_DOWN) {
            e->restarts++;
            if (start(e, m, &err) != TW_OK)
                (void)tw_err_set(&b->fatal, err.code, "%s", err.msg);
        } else if (m->state == TW_IDLE) {
            m->state = TW_BUSY;
            m->step = 0;
            if (!tw_member_ask(e, m))
                ended(b, m);
            m->until = deadline(e);
        }
    }
}

static void wait_for_news(struct tw_batch *b)
{
    struct tw_pool *e = b->e;
    double first = INFINITY;
    int milliseconds = -1;

    for (size_t k = 0; k < e->nmember; k++) {
        const struct tw_member *m = &e->member[k];

        e->poll[k] =
            (struct pollfd){ .fd = m->state == TW_DOWN ? -1 : m->w.from, .events = POLLIN };
        if (m->state != TW_DOWN && m->state != TW_IDLE)
            first = fmin(first, m->until);
    }
    if (isfinite(first))
        milliseconds = (int)fmin(fmax(ceil(1e3 * (first - tw_worker_now())), 0.0), 1e6);
    if (poll(e->poll, (nfds_t)e->nmember, milliseconds) < 0)
        return; /* a signal: whoever sent it asks in `done` */
    for (size_t k = 0; k < e->nmember && b->fatal.code == TW_OK; k++) {
        struct tw_member *m = &e->member[k];
        char did[80];

        if (e->poll[k].revents)
            listen_to(b, m);
        else if (m->state != TW_DOWN && m->state != TW_IDLE && tw_worker_now() >= m->until) {
            (void)snprintf(did, sizeof did, "said nothing for %g seconds, the timeout", e->timeout);
            lost(b, m, did);
        }
    }
}

static bool anybody_works(const struct tw_pool *e)
{
    for (size_t k = 0; k < e->nmember; k++)
        if (e->member[k].job)
            return true;
    return false;
}

/* After a failure of all: what is half done is dropped with its worker. */
static void drop_work(struct tw_pool *e)
{
    for (size_t k = 0; k < e->nmember; k++) {
        struct tw_member *m = &e->member[k];

        if (m->job && m->w.pid)
            tw_worker_stop(&m->w, 0.0);
        if (m->job)
            m->state = TW_DOWN;
        m->job = NULL;
    }
}

static enum tw_status work(struct tw_pool *e, struct tw_batch *b, struct tw_err *err)
{
    b->e = e;
    b->left = b->n;
    while (b->fatal.code == TW_OK && (b->stopped ? anybody_works(e) : b->left > 0)) {
        give_work(b);
        if (b->fatal.code == TW_OK && anybody_works(e))
            wait_for_news(b);
    }
    if (b->fatal.code != TW_OK) {
        drop_work(e);
        return tw_err_set(err, b->fatal.code, "%s", b->fatal.msg);
    }
    return b->left ? tw_err_set(err, TW_ESTOP, "stopped") : TW_OK;
}

/* ---- as a problem ------------------------------------------------------------------------------
 */

static enum tw_status eval_many(struct tw_problem *p, size_t n, const struct tw_request *r,
                                tw_problem_done_fn *done, void *ctx, struct tw_err *err)
{
    struct tw_pool *e = (struct tw_pool *)p;
    struct tw_batch b = { .n = n, .done = done, .ctx = ctx };
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < n && rc == TW_OK; i++)
        rc = tw_pool_can(e, &r[i], err);
    if (rc != TW_OK)
        return rc;
    b.job = tw_alloc(n, sizeof *b.job);
    if (!b.job)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        b.job[i].r = &r[i];
    rc = work(e, &b, err);
    free(b.job);
    return rc;
}

static enum tw_status eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct tw_pool *e = (struct tw_pool *)p;
    struct tw_job job = { .r = r };
    struct tw_batch b = { .n = 1, .job = &job };
    enum tw_status rc = tw_pool_can(e, r, err);

    return rc == TW_OK ? work(e, &b, err) : rc;
}

enum tw_status tw_evaluator_get(struct tw_problem *p, size_t i, float *params, double *real_params,
                                float *buffers, struct tw_err *err)
{
    struct tw_pool *e = (struct tw_pool *)p;
    struct tw_job job = {
        .index = i, .params = params, .real_params = real_params, .buffers = buffers
    };
    struct tw_batch b = { .n = 1, .job = &job };

    if (i >= e->greeting.ncheckpoint)
        return tw_err_set(err, TW_EINVAL,
                          "the evaluator has %zu checkpoints; there is no number %zu",
                          e->greeting.ncheckpoint, i);
    return work(e, &b, err);
}

enum tw_status tw_evaluator_labels(struct tw_problem *p, double *labels, struct tw_err *err)
{
    struct tw_pool *e = (struct tw_pool *)p;
    struct tw_job job = { .labels = labels };
    struct tw_batch b = { .n = 1, .job = &job };

    if (!(e->greeting.can & TW_TWEP_LABELS) || !p->width)
        return tw_err_set(err, TW_EINVAL, "the evaluator does not offer labels");
    return work(e, &b, err);
}

static void release(struct tw_problem *p)
{
    struct tw_pool *e = (struct tw_pool *)p;

    for (size_t k = 0; k < e->nmember; k++)
        if (e->member[k].state != TW_DOWN)
            tw_member_bye(&e->member[k]);
    for (size_t k = 0; k < e->nmember; k++) {
        struct tw_member *m = &e->member[k];

        /* Whoever still computes has nobody to tell. */
        if (m->w.pid)
            tw_worker_stop(&m->w, m->state == TW_IDLE ? 2.0 : 0.0);
    }
    tw_twep_greeting_release(&e->greeting);
    tw_twep_line_release(&e->line);
    tw_str_release(&e->text);
    if (e->log >= 0)
        (void)close(e->log);
    free(e->member);
    free(e->poll);
    free(e->command);
    free(e->devices);
    free(e);
}

static const struct tw_problem_ops ops = { eval, release, eval_many };

/* ---- making --------------------------------------------------------------------------------- */

/* Where the workers print to. */
static enum tw_status open_log(struct tw_pool *e, const char *path, struct tw_err *err)
{
    if (path) {
        e->log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        return e->log >= 0
                   ? TW_OK
                   : tw_err_set(err, TW_EIO, "%s: cannot be written: %s", path, strerror(errno));
    } else {
        FILE *fp = tmpfile();

        e->log = fp ? fcntl(fileno(fp), F_DUPFD_CLOEXEC, 3) : -1;
        if (fp)
            (void)fclose(fp);
        if (e->log < 0 || fcntl(e->log, F_SETFL, O_APPEND) != 0)
            return tw_err_set(err, TW_EIO, "no temporary file for what the evaluator prints: %s",
                              strerror(errno));
    }
    return TW_OK;
}

/* Until the first of all is ready. */
static enum tw_status meet(struct tw_pool *e, struct tw_err *err)
{
    struct tw_batch b = { .e = e };

    e->meeting = true;
    for (size_t k = 0; k < e->nmember && b.fatal.code == TW_OK; k++)
        (void)start(e, &e->member[k], &b.fatal);
    while (b.fatal.code == TW_OK && e->member[0].state != TW_IDLE)
        wait_for_news(&b);
    e->meeting = false;
    return b.fatal.code == TW_OK ? TW_OK : tw_err_set(err, b.fatal.code, "%s", b.fatal.msg);
}

struct tw_problem *tw_problem_evaluator(const struct tw_evaluator_options *o, struct tw_err *err)
{
    struct tw_pool *e = tw_alloc(1, sizeof *e);
    enum tw_status rc;

    if (!e) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    e->base.ops = &ops;
    e->log = -1;
    e->nmember = o->workers ? o->workers : 1;
    e->threads = o->threads;
    e->timeout = o->timeout;
    e->member = tw_alloc(e->nmember, sizeof *e->member);
    e->poll = tw_alloc(e->nmember, sizeof *e->poll);
    e->command = tw_strdup(o->command);
    e->devices = tw_strdup(o->devices);
    if (!e->member || !e->poll || !e->command || (o->devices && !e->devices)) {
        e->nmember = e->member ? e->nmember : 0;
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    } else {
        rc = open_log(e, o->log, err);
    }
    if (rc == TW_OK)
        rc = meet(e, err);
    if (rc == TW_OK)
        return &e->base;
    if (o->said && e->log >= 0)
        tw_evaluator_tail(&e->base, o->said);
    release(&e->base);
    return NULL;
}
