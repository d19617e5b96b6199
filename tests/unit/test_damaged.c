/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Damaged HDF5 files through the command, as a user meets them: bits turned, bytes set,
 * blocks zeroed, ends cut off. Each command ends by itself within five seconds and less than
 * a GiB, with exit code 0, 3 or 4, and says why.
 *
 * TW_DAMAGED=N is the number of damaged files (300), TW_SEED=S makes others (1), TW_FIRST=I
 * leaves out those before number I (0); the file that
 * broke a command is kept as /tmp/thalweg-damaged.h5. (Five seconds of processor time, or thirty
 * by the clock: the machine may have other work.)
 */
#define _DEFAULT_SOURCE 1 /* for wait4 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "cmd.h"
#include "folder.h"
#include "thalweg/store_result.h"

enum { MAX_SEEDS = 12 };
static struct {
    const char *name;
    char *bytes;
    size_t n;
} seeds[MAX_SEEDS];
static size_t nseeds;

/* ---- the files --------------------------------------------------------------------------- */

static void keep(const char *name)
{
    seeds[nseeds].name = name;
    seeds[nseeds].bytes = slurp(in_folder(name), &seeds[nseeds].n);
    assert_non_null(seeds[nseeds].bytes);
    nseeds++;
}

static hid_t create(const char *name, bool latest)
{
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS), file;

    if (latest)
        (void)H5Pset_libver_bounds(fapl, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    file = H5Fcreate(in_folder(name), H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
    (void)H5Pclose(fapl);
    assert_true(file >= 0);
    return file;
}

static void put_numbers(hid_t file, const char *name, hsize_t n, bool packed)
{
    hid_t links = H5Pcreate(H5P_LINK_CREATE), plist = H5Pcreate(H5P_DATASET_CREATE), space, set;
    hsize_t chunk = 16;
    double x[256];

    for (size_t i = 0; i < 256; i++)
        x[i] = (double)i;
    (void)H5Pset_create_intermediate_group(links, 1);
    if (packed) {
        (void)H5Pset_chunk(plist, 1, &chunk);
        (void)H5Pset_shuffle(plist);
        (void)H5Pset_deflate(plist, 4);
        (void)H5Pset_fletcher32(plist);
    }
    space = H5Screate_simple(1, &n, NULL);
    set = H5Dcreate2(file, name, packed ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, space, links, plist,
                     H5P_DEFAULT);
    assert_true(set >= 0);
    (void)H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
    (void)H5Pclose(plist);
    (void)H5Pclose(links);
}

/* An attribute, or (with a rank) a data set, of text. */
static void put_text(hid_t object, const char *name, const char *text, size_t fixed, int rank)
{
    const char *list[] = { text, "", "two" };
    hid_t type = H5Tcopy(H5T_C_S1), space, a;
    hsize_t n = 3;

    (void)H5Tset_size(type, fixed ? fixed : H5T_VARIABLE);
    space = rank ? H5Screate_simple(1, &n, NULL) : H5Screate(H5S_SCALAR);
    if (rank) {
        a = H5Dcreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        (void)H5Dwrite(a, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, list);
        (void)H5Dclose(a);
    } else {
        a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
        (void)H5Awrite(a, type, fixed ? (const void *)text : list);
        (void)H5Aclose(a);
    }
    (void)H5Sclose(space);
    (void)H5Tclose(type);
}

/* What h5py writes by default (or with libver="latest"): every kind of thing that we read. */
static void make_tree(const char *name, bool latest)
{
    hid_t file = create(name, latest), group, pair;
    char link[16];

    put_text(file, "format", "thalweg", 0, 0);
    put_text(file, "kind", "fit", 0, 0);
    put_text(file, "note", "fixed text", 10, 0);
    put_numbers(file, "/runs/a/log/step", 100, true);
    put_numbers(file, "/runs/a/log/loss", 100, true);
    put_numbers(file, "/runs/b/log/step", 50, false);
    put_numbers(file, "/runs/b/log/loss", 50, false);
    put_text(file, "words", "one", 0, 1);
    group = H5Gcreate2(file, "many", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(link, sizeof link, "link%d", i);
        (void)H5Lcreate_soft("/words", group, link, H5P_DEFAULT, H5P_DEFAULT);
    }
    (void)H5Lcreate_external("other.h5", "/x", group, "far", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_hard(file, "/", group, "cycle", H5P_DEFAULT, H5P_DEFAULT);
    put_text(group, "unit", "nats", 0, 0);
    pair = H5Tcreate(H5T_COMPOUND, 16);
    (void)H5Tinsert(pair, "re", 0, H5T_NATIVE_DOUBLE);
    (void)H5Tinsert(pair, "im", 8, H5T_NATIVE_DOUBLE);
    (void)H5Tcommit2(file, "pair", pair, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Tclose(pair);
    (void)H5Gclose(group);
    (void)H5Fclose(file);
    keep(name);
}

static void make_log(const char *name)
{
    hid_t file = create(name, false);

    put_numbers(file, "/log/step", 100, true);
    put_numbers(file, "/log/lr", 100, false);
    put_numbers(file, "/log/loss", 100, true);
    (void)H5Fclose(file);
    keep(name);
}

/* ---- commands ----------------------------------------------------------------------------- */

static int quiet_main(int argc, char **argv)
{
    int fd = open(in_folder("said"), O_RDWR | O_CREAT | O_TRUNC, 0600);

    /* What is drawn is not the matter here: without gnuplot it takes a tenth of the time. */
    (void)setenv("PATH", folder, 1);
    (void)alarm(30);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        return 98;
    return tw_main(argc, argv);
}

/* The status that wait4 gives, of a command line whose words hold no blanks. */
static int command(const char *line, struct rusage *use)
{
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        char words[200], *argv[20] = { NULL }, *rest = words;
        int argc = 0, rc;

        (void)snprintf(words, sizeof words, "thalweg %s", line);
        while (argc < 19 && (argv[argc] = strtok_r(NULL, " ", &rest)))
            argc++;
        rc = quiet_main(argc, argv);
        (void)fflush(NULL);
        _exit(rc);
    }
    assert_true(pid > 0);
    assert_int_equal(wait4(pid, &status, 0, use), pid);
    return status;
}

/* Our own results, of a fit to two short curves. */
static void make_results(void)
{
    struct rusage use;

    for (int c = 0; c < 2; c++) {
        struct tw_str s = { 0 };
        double sum = 0;

        tw_str_add(&s, "step,lr,loss\n");
        for (int i = 1; i <= 40; i++) {
            double lr = c == 0 ? (40.0 - i) / 40.0 : i < 25 ? 1.0 : (40.0 - i) / 16.0;

            sum += lr;
            tw_str_addf(&s, "%d,%.9g,%.9g\n", i, lr, 2.0 + 3.0 / (1.0 + sum) + 0.1 * lr);
        }
        spill(in_folder(c ? "c1.csv" : "c0.csv"), s.s, s.n);
        tw_str_release(&s);
    }
    assert_int_equal(command("fit annealing c0.csv c1.csv -b0 --profile=none --no-model-error "
                             "--starts=1 -o fit.h5",
                             &use),
                     0);
    keep("fit.h5");
    assert_int_equal(command("forecast fit.h5 --points=9 --schedule=cosine:peak=1,total=30 "
                             "-o forecast.h5",
                             &use),
                     0);
    keep("forecast.h5");
}

/* A training run with its checkpoints. */
static void make_run(void)
{
    hid_t file = create("d.h5", false);
    struct rusage use;

    put_numbers(file, "/x", 20, false);
    put_numbers(file, "/y", 20, false);
    (void)H5Fclose(file);
    assert_int_equal(command("train mlp(1,2,1) -d d.h5 --scale=0.1 --validation=none --lr=1e-3 "
                             "--steps=3 -o run.h5",
                             &use),
                     0);
    keep("run.h5");
}

/* ... and of a plane, a line and steps through weights. */
static void make_scans(void)
{
    const size_t dims[2] = { 6, 4 };
    double x[24];
    uint8_t y[6];
    struct rusage use;
    struct tw_result *r;

    for (size_t i = 0; i < 24; i++)
        x[i] = (double)(i * i % 7) - 3.0;
    for (size_t i = 0; i < 6; i++)
        y[i] = i % 2;
    r = tw_result_create(in_folder("data.h5"), "data", TW_RESULT_ATOMIC, true, NULL, NULL);
    assert_int_equal(tw_result_put_reals(r, "/x", 2, dims, x, "", "", NULL), TW_OK);
    assert_int_equal(tw_result_put_bytes(r, "/y", 1, dims, y, "", NULL), TW_OK);
    assert_int_equal(tw_result_close(r, NULL), TW_OK);
    assert_int_equal(command("scan -m mlp(4,3,2) -d data.h5 --mesh 6x5 -o plane.h5", &use), 0);
    keep("plane.h5");
    assert_int_equal(command("scan -m mlp(4,3,2) -d data.h5 --mesh 9 --tol 0.1 -o line.h5", &use),
                     0);
    keep("line.h5");
    assert_int_equal(command("scan -m mlp(4,3,2) -d data.h5 --mesh 5x5 -o square.h5", &use), 0);
    assert_int_equal(command("export square.h5 --loss-landscape theirs.h5", &use), 0);
    keep("theirs.h5");
    assert_int_equal(
        command("ghost -m mlp(4,3,2) -d data.h5 --direction=random:2 --onset=loss*2 --true=2 "
                "-o ghost.h5",
                &use),
        0);
    keep("ghost.h5");
}

/* ---- damage ------------------------------------------------------------------------------- */

static size_t damage(struct tw_rng *rng, char *p, size_t n)
{
    static const unsigned char odd[] = { 0, 1, 0x7f, 0x80, 0xff };
    size_t times = tw_rng_below(rng, 4) ? 1 : 2 + tw_rng_below(rng, 3);

    for (size_t k = 0; k < times; k++) {
        /* Half of it where the file begins: what describes the rest is there. */
        size_t far = tw_rng_below(rng, 2) && n > 2048 ? 2048 : n, at = tw_rng_below(rng, far);
        size_t most = n - at;

        switch (tw_rng_below(rng, 10)) {
        case 0:
            return at; /* cut short */
        case 1:
            memset(p + at, (int)odd[tw_rng_below(rng, 5)], most < 8 ? most : 8);
            break;
        case 2:
            memset(p + at, 0, most < 64 ? most : 64);
            break;
        case 3:
            memmove(p + at, p + tw_rng_below(rng, n - (most < 16 ? most : 16) + 1),
                    most < 16 ? most : 16);
            break;
        case 4:
            p[at] = (char)odd[tw_rng_below(rng, 5)];
            break;
        default:
            p[at] = (char)(p[at] ^ (1 << tw_rng_below(rng, 8)));
        }
    }
    return n;
}

struct tally {
    size_t runs, by_exit[6], crashed, endless;
    long kilobytes;
    double slowest;
};

/* Why it is not as it should be; NULL if it is. */
static const char *try_command(const char *line, struct tally *t)
{
    struct rusage use;
    int status = command(line, &use), code = WIFEXITED(status) ? WEXITSTATUS(status) : 99;
    double used = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                  1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
    long kb = use.ru_maxrss;
    size_t n;
    char *said = slurp(in_folder("said"), &n);
    const char *why = NULL;

    said = realloc(said, n + 1);
    said[n] = '\0';
    t->runs++;
    t->by_exit[code < 6 ? code : 5]++;
    t->crashed += strstr(said, "library crashes on it") != NULL;
    t->endless += strstr(said, "comes to no end") != NULL;
    t->kilobytes = kb > t->kilobytes ? kb : t->kilobytes;
    t->slowest = used > t->slowest ? used : t->slowest;
    if (WIFSIGNALED(status))
        why = WTERMSIG(status) == SIGALRM ? "does not end" : "was ended by a signal";
    else if (used > 5.0)
        why = "takes longer than 5 s";
    else if (code != 0 && code != 3 && code != 4 &&
             !strstr(said, "give the figure more")) /* a long name: that is up to the user */
        why = "has another exit code than 0, 3 or 4";
    else if (code != 0 && !strstr(said, "thalweg "))
        why = "does not say what is wrong";
#ifndef __SANITIZE_ADDRESS__
    else if (kb >= 1 << 20)
        why = "takes more than a GiB";
#endif
    if (why)
        print_error("%s: it %s; exit code %d; it said: %.400s\n", line, why, code, said);
    free(said);
    return why;
}

static void no_damaged_file_breaks_a_command(void **state)
{
    const char *number = getenv("TW_DAMAGED"), *from = getenv("TW_SEED");
    const char *first = getenv("TW_FIRST");
    const size_t files = number              ? strtoull(number, NULL, 10)
                         : getenv("TW_WRAP") ? 30
                                             : 300; /* valgrind is slow */
    const uint64_t seed = from ? strtoull(from, NULL, 10) : 1;
    static const char *const commands[] = {
        "info bad.h5",
        "eval bad.h5:last -d d.h5",
        "log bad.h5",
        "plot bad.h5 -o out.svg",
        "export bad.h5 --csv out.csv --force",
        "forecast bad.h5 --points=9 --schedule=cosine:peak=1,total=30",
    };
    const size_t ncommands = sizeof commands / sizeof *commands;
    struct tally t = { 0 };
    size_t wrong = 0;

    (void)state;
    assert_int_equal(chdir(folder), 0);
    make_tree("tree.h5", false);
    make_tree("latest.h5", true);
    make_log("log.h5");
    make_results();
    make_run();
    make_scans();
    for (size_t i = first ? strtoull(first, NULL, 10) : 0; i < files; i++) {
        struct tw_rng rng = tw_rng_stream(seed, TW_RNG_TEST, i);
        size_t s = i % (nseeds + 2), n; /* the old format, which has no checksums, more often */
        char *p;

        s = s < nseeds ? s : s == nseeds ? 0 : 2;
        p = malloc(seeds[s].n);
        assert_non_null(p);
        memcpy(p, seeds[s].bytes, seeds[s].n);
        n = damage(&rng, p, seeds[s].n);
        spill("bad.h5", p, n);
        for (size_t c = 0; c < ncommands; c++) {
            /* A few hundred: each through two of the commands. */
            if (files < 1000 && c != i % ncommands &&
                c != (i + 1 + i / ncommands % (ncommands - 1)) % ncommands)
                continue;
            if (try_command(commands[c], &t)) {
                print_error("file %zu of seed %llu, from %s\n", i, (unsigned long long)seed,
                            seeds[s].name);
                if (wrong++ == 0)
                    spill("/tmp/thalweg-damaged.h5", p, n);
            }
        }
        free(p);
    }
    print_message("# %zu files, %zu commands: exit 0 %zu, 3 %zu, 4 %zu, other %zu; HDF5 crashed in "
                  "%zu, did not end in %zu; at most %.2f s, %ld MiB\n",
                  files, t.runs, t.by_exit[0], t.by_exit[3], t.by_exit[4],
                  t.by_exit[1] + t.by_exit[2] + t.by_exit[5], t.crashed, t.endless, t.slowest,
                  t.kilobytes >> 10);
    for (size_t i = 0; i < nseeds; i++)
        free(seeds[i].bytes);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(no_damaged_file_breaks_a_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
