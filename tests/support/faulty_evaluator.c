/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The example evaluator with a fault:
 *
 *     faulty_evaluator FAULT [FILE [INPUTS SAMPLES]]
 *
 * With a FILE other than "-" only the process that creates it is faulty: who comes after the
 * restart is well. Of the faults "meet", "single", "three" and "gap" (the last two with three
 * checkpoints) the FILE is where the workers write what they were asked. */
#define main example_main
int example_main(int argc, char **argv);
#include "../../analyses/evaluator/evaluator.c"
#undef main

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

struct reply {
    char *text;
    size_t n;
};

static size_t asked; /* requests so far but "map" */
static double last;  /* w[0] of the request before */

static int is(const char *fault, const char *name)
{
    return !strcmp(fault, name);
}

static void quit(FILE *out, const char *text)
{
    fputs(text, out);
    fflush(out);
    kill(getpid(), SIGKILL);
}

static double *memory(const struct model *m, const char *line, const char *key)
{
    double *p = place(m, line, key);
    static double nothing[64];

    return p ? p : nothing;
}

/* Sends another number than the one behind "loss": or "slope":. */
static void other_loss(FILE *out, const struct reply *r, const char *key, double factor, double add)
{
    const char *p = strstr(r->text, key);

    if (!p) {
        fputs(r->text, out);
        return;
    }
    p += strlen(key);
    fprintf(out, "%.*s%.17g}\n", (int)(p - r->text), r->text, factor * strtod(p, NULL) + add);
}

/* Faults of the answer itself. False: it is no such fault. */
static int spoil(const char *fault, const char *line, const struct reply *r, FILE *out)
{
    if (is(fault, "garbage"))
        fputs("loss = 0.3\n", out);
    else if (is(fault, "half"))
        quit(out, "{\"id\":3,\"lo");
    else if (is(fault, "id"))
        fprintf(out, "{\"id\":%ld,\"loss\":0.5}\n", number(line, "id", 0) + 1);
    else if (is(fault, "empty"))
        fprintf(out, "{\"id\":%ld}\n", number(line, "id", 0));
    else if (is(fault, "twice"))
        fprintf(out, "%s%s", r->text, r->text);
    else if (is(fault, "nan"))
        fprintf(out, "{\"id\":%ld,\"loss\":NaN,\"unknown\":[{\"x\":null}]}\n",
                number(line, "id", 0));
    else if (is(fault, "huge"))
        for (int i = 0; i < 17 << 10; i++)
            fprintf(out, "%1024s", "x");
    else if (is(fault, "kill"))
        quit(out, "");
    else if (is(fault, "exit"))
        exit(3);
    else if (is(fault, "hang"))
        pause();
    else
        return 0;
    return 1;
}

/* Faults of the numbers. */
static int mislead(const char *fault, const struct model *m, const char *line,
                   const struct reply *r, FILE *out)
{
    const int grad = asks(line, "grad"), hvp = asks(line, "hvp");

    if (is(fault, "gradient") && grad)
        memory(m, line, "out")[m->inputs] *= 1.01; /* one layer of two */
    else if (is(fault, "missing") && grad)
        for (size_t j = 0; j < m->inputs; j += 2)
            memory(m, line, "out")[j] = 0.0;
    else if (is(fault, "asymmetric") && hvp)
        memory(m, line, "out")[0] += 0.3 * memory(m, line, "vec")[1];
    else if (is(fault, "scaled") && hvp)
        for (size_t j = 0; j <= m->inputs; j++)
            memory(m, line, "out")[j] *= 40.0;
    else if (is(fault, "logits") && asks(line, "logit_jvp"))
        memory(m, line, "slopes")[1] *= 2.0; /* of one sample */
    else if (is(fault, "slope") && asks(line, "jvp"))
        other_loss(out, r, "\"slope\":", 1.01, 0.0);
    else if (is(fault, "penalty") && (grad || asks(line, "loss")))
        other_loss(out, r, "\"loss\":", 1.0, 0.01);
    else if (is(fault, "random") && (grad || asks(line, "loss")))
        other_loss(out, r, "\"loss\":", 1.0, 1e-4 * (double)(asked % 7));
    else if (is(fault, "stateful") && (grad || asks(line, "loss")))
        other_loss(out, r, "\"loss\":", 1.0, 1e-4 * last);
    else if (is(fault, "deaf") && asks(line, "loss"))
        fprintf(out, "{\"id\":%ld,\"loss\":0.5}\n", number(line, "id", 0));
    else if (is(fault, "oom") && m->at[0] > 0.0)
        fprintf(out, "{\"id\":%ld,\"error\":\"CUDA out of memory\"}\n", number(line, "id", 0));
    else if (is(fault, "gap") && m->at[0] > -0.45 && m->at[0] < -0.3) /* on the last pair alone */
        fprintf(out, "{\"id\":%ld,\"error\":\"a gap\"}\n", number(line, "id", 0));
    else
        return 0;
    if (grad || hvp || is(fault, "logits"))
        if (!is(fault, "penalty") && !is(fault, "random") && !is(fault, "stateful") &&
            !is(fault, "oom"))
            fputs(r->text, out);
    last = m->at ? m->at[0] : 0.0;
    return 1;
}

/* What was asked of whom, a line in the file and in `mine`. */
static int note(const char *file, const char *line, char mine[64])
{
    const char *op = strstr(line, "\"op\""), *me = getenv("TWEP_WORKER");
    FILE *fp = fopen(file, "a");

    if (!fp || !op || !me)
        return 0;
    snprintf(mine, 64, "%.12s %s\n", op, me);
    fputs(mine, fp);
    return fclose(fp) == 0;
}

/* Whoever is asked for something waits until another worker was asked for the same kind of thing.
 * 0: nobody was, for so long that nobody will be. */
static int meets(const char *file, const char *line)
{
    static int alone; /* nor will anybody the next time */
    char mine[64], text[64];

    if (alone || !note(file, line, mine))
        return 0;
    for (int i = 0; i < 20000; i++) {
        FILE *fp = fopen(file, "r");

        while (fp && fgets(text, sizeof text, fp))
            if (!strncmp(text, mine, 12) && strcmp(text, mine)) {
                fclose(fp);
                return 1;
            }
        if (fp)
            fclose(fp);
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    alone = 1;
    return 0;
}

/* The example has a formula for any number of checkpoints, and says that there are two. */
static void greet_as(const struct model *m, char checkpoints, FILE *out)
{
    static const char two[] = "\"checkpoints\":2";
    struct reply r = { 0 };
    FILE *fp = open_memstream(&r.text, &r.n);
    char *p;

    if (!fp)
        return;
    greet(m, fp);
    fclose(fp);
    p = strstr(r.text, two);
    if (p)
        p[sizeof two - 2] = checkpoints;
    fputs(r.text, out);
    fflush(out);
    free(r.text);
}

static int once(const char *file)
{
    const int fd = open(file, O_CREAT | O_EXCL | O_WRONLY, 0600);
    char pid[32];
    int n;

    if (fd < 0)
        return 0;
    n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (write(fd, pid, (size_t)n) != n)
        return 0;
    return close(fd) == 0;
}

int main(int argc, char **argv)
{
    struct model m = { argc > 3 ? strtoul(argv[3], NULL, 10) : 5,
                       argc > 4 ? strtoul(argv[4], NULL, 10) : 40, NULL, NULL, 1.0 };
    const char *fault = argc > 1 ? argv[1] : "";
    FILE *in = fdopen(3, "r"), *out = fdopen(4, "w");
    const int single = is(fault, "single"), three = is(fault, "three") || is(fault, "gap");
    const int meet = is(fault, "meet") || single;
    const int faulty = argc < 3 || meet || three || is(argv[2], "-") || once(argv[2]);
    const size_t life = 1 + (size_t)getpid() * 2654435761U % 8; /* of "mortal": requests */
    char *line = NULL, text[64];
    size_t size = 0;

    if (!in || !out)
        return 2;
    greet_as(&m, single ? '1' : three ? '3' : '2', out);
    while (getline(&line, &size, in) > 0) {
        struct reply r = { 0 };
        FILE *fp = open_memstream(&r.text, &r.n);

        if (!fp || !answer(&m, line, fp) || fclose(fp) != 0)
            break;
        asked += m.memory != NULL && !asks(line, "map");
        if (is(fault, "shrink") && ftruncate(5, 0) == 0)
            fputs("the memory was cut short\n", stderr);
        if (is(fault, "slow"))
            nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        if (is(fault, "chatter"))
            for (int i = 0; i < 30; i++)
                printf("{\"id\":%d,\"loss\":7} chatter\n", i);
        fflush(stdout);
        if (is(fault, "mortal") && asked > life)
            quit(out, "");
        if (three && !asks(line, "map") && !asks(line, "get") && !note(argv[2], line, text))
            break;
        if (meet && !asks(line, "map") && !asks(line, "get") && !meets(argv[2], line)) {
            fprintf(out, "{\"id\":%ld,\"error\":\"nobody else is asked\"}\n",
                    number(line, "id", 0));
            r.text[0] = '\0';
        }
        if (!faulty || asks(line, "map") || asks(line, "get") ||
            (!spoil(fault, line, &r, out) && !mislead(fault, &m, line, &r, out))) {
            fputs(r.text, out);
            last = m.at ? m.at[0] : 0.0;
        }
        free(r.text);
        if (fflush(out) != 0)
            break;
    }
    free(line);
    return 0;
}
