/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NAME.gp, NAME.dat and the picture. A picture is made in a folder of its own beside its
 * place and moved there, so that neither a failure nor a kill leaves half a figure. */
#include "fig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char SIGN[] = "# thalweg figure"; /* how a side file of ours begins */

void fig_locale_enter(struct fig_locale *l)
{
    l->c = newlocale(LC_NUMERIC_MASK, "C", duplocale(uselocale((locale_t)0)));
    l->old = l->c ? uselocale(l->c) : (locale_t)0;
}

void fig_locale_leave(struct fig_locale *l)
{
    if (!l->c)
        return;
    (void)uselocale(l->old);
    freelocale(l->c);
}

enum tw_status fig_files_init(struct fig_files *f, const char *path, struct tw_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    *f = (struct fig_files){ 0 };
    if (!dot || dot == name || strpbrk(path, "\n\r"))
        return tw_err_set(err, TW_EINVAL, "'%s' is not a name for a figure like loss.pdf", path);
    f->dir = slash == path ? tw_strdup("/")
             : slash       ? tw_strndup(path, (size_t)(slash - path))
                           : tw_strdup(".");
    f->stem = tw_strndup(name, (size_t)(dot - name));
    if (!f->dir || !f->stem) {
        fig_files_release(f);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    return TW_OK;
}

void fig_files_release(struct fig_files *f)
{
    free(f->dir);
    free(f->stem);
    tw_str_release(&f->gp);
    tw_str_release(&f->dat);
    tw_str_release(&f->bin);
    *f = (struct fig_files){ 0 };
}

void fig_head(struct fig_files *f, const struct fig_page *p, const struct tw_figure_opts *opts,
              const char *what, const char *vars)
{
    struct tw_str *gp = &f->gp;

    tw_str_addf(gp, "# %s, drawn by thalweg %s\n", what, tw_version());
    tw_str_add(gp, "# To change it, edit this file and run in this folder: gnuplot ");
    fig_plain(gp, f->stem);
    tw_str_add(gp, ".gp\n");
    if (opts && opts->command && *opts->command) {
        tw_str_add(gp, "# made by:\n");
        fig_comment(gp, opts->command);
    }
    if (opts && opts->inputs && *opts->inputs) {
        tw_str_add(gp, "# from (with SHA-256):\n");
        fig_comment(gp, opts->inputs);
    }
    tw_str_add(gp, "\nreset\n# ---- options: a value given on the command line with -e wins\n");
    if (p->tex)
        tw_str_add(gp, "if (!exists(\"TW_FORMAT\")) TW_FORMAT = \"tex\"    # labels are LaTeX\n");
    else
        tw_str_addf(gp, "if (!exists(\"TW_FORMAT\")) TW_FORMAT = \"%s\"    # pdf, png, svg, eps\n",
                    p->term);
    tw_str_add(gp, "if (!exists(\"TW_OUT\")) TW_OUT = ");
    fig_quote_raw(gp, f->stem);
    tw_str_add(gp,
               ".\".\".TW_FORMAT\nif (!exists(\"TW_IN\")) TW_IN = \"\"    # folder of the data, "
               "with its slash\nDATA = TW_IN.");
    fig_quote_raw(gp, f->stem);
    tw_str_addf(gp, ".\".dat\"\nTW_W = %.4g; TW_H = %.4g    # inches\nTW_FS = %.3g", p->w, p->h,
                p->fs);
    tw_str_add(gp, "                   # points: labels; ticks and key are one less\nTW_FONT = ");
    fig_quote_raw(gp, p->font);
    tw_str_addf(gp, "\nTW_LW = %.3g                  # line width scale\n%s\n", p->lw, vars);
    fig_share(gp, "style.gp");
    tw_str_add(gp, "\n# ---- this figure ------------------------------------------------------"
                   "----------------\nif (strlen(TW_OUT)) set output TW_OUT\n");
}

/* ---- writing ----------------------------------------------------------------------------- */

/* "DIR/NAMESUFFIX", for free(); NULL when out of memory. */
static char *join(const char *dir, const char *name, const char *suffix)
{
    struct tw_str t = { 0 };

    tw_str_addf(&t, "%s/%s%s", dir, name, suffix);
    if (t.failed)
        tw_str_release(&t);
    return t.s;
}

static void seal(const struct tw_str *body, char head[128])
{
    char hex[TW_DIGEST_HEX];

    tw_digest_mem(body->s, body->n, hex);
    (void)snprintf(head, 128, "%s; sha256 of the lines below as made: %s\n", SIGN, hex);
}

enum state { ABSENT, OURS, EDITED, FOREIGN };

/* What is at path now: a file that this module wrote says so in its first line, with the
 * digest of the rest. */
static enum state inspect(const char *path)
{
    FILE *in = fopen(path, "r");
    char line[128], want[128], buf[4096];
    struct tw_str body = { 0 };
    enum state state = FOREIGN;
    size_t n;

    if (!in)
        return errno == ENOENT ? ABSENT : FOREIGN;
    if (fgets(line, sizeof line, in) && !strncmp(line, SIGN, sizeof SIGN - 1)) {
        tw_str_add(&body, "");
        while ((n = fread(buf, 1, sizeof buf, in)) > 0)
            tw_str_addn(&body, buf, n);
        state = EDITED;
        if (!body.failed && body.s) {
            seal(&body, want);
            if (!strcmp(line, want))
                state = OURS;
        }
    }
    (void)fclose(in);
    tw_str_release(&body);
    return state;
}

/* The suffix of a temporary name; a second process must not take the same. */
static void temporary(char *suffix, size_t size)
{
    (void)snprintf(suffix, size, ".tmp%ld", (long)getpid());
}

/* Writes file `to`; messages call it by the name that it will have. */
static enum tw_status write_whole(const char *to, const char *path, const char *head,
                                  const struct tw_str *body, struct tw_err *err)
{
    FILE *out = fopen(to, "w");
    bool ok;

    if (!out)
        return tw_err_set(err, TW_EIO, "%s: cannot write (%s)", path, strerror(errno));
    ok = fputs(head, out) >= 0 && fwrite(body->s, 1, body->n, out) == body->n;
    ok = fclose(out) == 0 && ok;
    if (!ok)
        return tw_err_set(err, TW_EIO, "%s: cannot write (%s)", path, strerror(errno));
    return TW_OK;
}

/* Gives the file at `path` the first free name of path.~1~, path.~2~, ... as well. Links never
 * replace anything; where the file system has none, the check and the rename must do. */
static enum tw_status keep_edited(const char *path, struct tw_str *as, struct tw_err *err)
{
    enum { MOST = 100000 };

    for (int k = 1; k < MOST; k++) {
        tw_str_clear(as);
        tw_str_addf(as, "%s.~%d~", path, k);
        if (as->failed)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        if (link(path, as->s) == 0)
            return TW_OK;
        if (errno != EEXIST && access(as->s, F_OK) != 0)
            return rename(path, as->s) == 0
                       ? TW_OK
                       : tw_err_set(err, TW_EIO,
                                    "%s was edited and cannot be kept as %s (%s); nothing is drawn",
                                    path, as->s, strerror(errno));
    }
    return tw_err_set(err, TW_EIO, "%s was edited and has %d earlier versions beside it already",
                      path, MOST - 1);
}

/* NAME.gp or NAME.dat: never over a file that someone else wrote (a loss log may be called
 * NAME.dat); an edited one gets another name, and the caller is told. */
static enum tw_status write_side(const struct fig_files *f, const char *suffix,
                                 const struct tw_str *body, const struct tw_figure_opts *opts,
                                 struct tw_err *err)
{
    char head[128], tmp[32];
    char *path = join(f->dir, f->stem, suffix), *new = NULL;
    struct tw_str old = { 0 };
    enum tw_status st = TW_ENOMEM;
    enum state state;

    temporary(tmp, sizeof tmp);
    if (path)
        new = join(f->dir, f->stem, tmp);
    if (!path || !new || body->failed) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        goto out;
    }
    state = inspect(path);
    if (state == FOREIGN) {
        st = tw_err_set(err, TW_EIO,
                        "%s is there and is no figure's file of thalweg's; give the figure "
                        "another name",
                        path);
        goto out;
    }
    seal(body, head);
    st = write_whole(new, path, head, body, err);
    if (st == TW_OK && state == EDITED) {
        st = keep_edited(path, &old, err);
        if (st == TW_OK && opts && opts->kept)
            opts->kept(opts->kept_ctx, path, old.s);
    }
    if (st == TW_OK && rename(new, path) != 0)
        st = tw_err_set(err, TW_EIO, "%s: cannot write (%s)", path, strerror(errno));
    if (st != TW_OK)
        (void)unlink(new);
out:
    free(path);
    free(new);
    tw_str_release(&old);
    return st;
}

/* ---- the picture -------------------------------------------------------------------------- */

/* gnuplot's last line that says something: "line 12: undefined variable: x". */
static void last_line(const struct tw_str *log, char *out, size_t size)
{
    const char *end, *start;

    out[0] = '\0';
    if (!log->s)
        return;
    end = log->s + log->n;
    while (end > log->s && !out[0]) {
        while (end > log->s && (end[-1] == '\n' || end[-1] == ' '))
            end--;
        for (start = end; start > log->s && start[-1] != '\n';)
            start--;
        (void)snprintf(out, size, "%.*s", (int)(end - start), start);
        end = start;
    }
}

static enum tw_status run_gnuplot(const struct fig_files *f, const char *work, struct tw_err *err)
{
    struct tw_str script = { 0 }, out = { 0 }, log = { 0 };
    struct tw_err inner = { 0 };
    char said[300];
    enum tw_status st;

    tw_str_addf(&script, "../%s.gp", f->stem);
    if (script.failed)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    /* -d: no start-up file of the user's or the system's; ours is style.gp. */
    st = fig_run((const char *const[]){ "gnuplot", "-d", "-e", "TW_IN = '../'", script.s, NULL },
                 work, &out, &log, &inner);
    last_line(&log, said, sizeof said);
    if (st != TW_OK && !log.n)
        st = tw_err_set(err, st,
                        "%s; the script %s/%s.gp and its data are kept; is gnuplot "
                        "there (apt-get install gnuplot-nox)?",
                        inner.msg, f->dir, f->stem);
    else if (st != TW_OK)
        st = tw_err_set(err, st,
                        "gnuplot could not draw %s/%s.gp: %s (if a terminal is missing: "
                        "apt-get install gnuplot-nox)",
                        f->dir, f->stem, said);
    tw_str_release(&script);
    tw_str_release(&out);
    tw_str_release(&log);
    return st;
}

/* Moves work/NAME.ext to its place. */
static enum tw_status deliver(const struct fig_files *f, const char *work, const char *ext,
                              const char *to, struct tw_err *err)
{
    char *from = join(work, f->stem, ext);
    enum tw_status st = TW_OK;
    struct stat info;

    if (!from)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    if (stat(from, &info) != 0 || info.st_size == 0)
        st = tw_err_set(err, TW_EIO, "gnuplot wrote no figure for %s", to);
    else if (rename(from, to) != 0)
        st = tw_err_set(err, TW_EIO, "%s: cannot write (%s)", to, strerror(errno));
    if (st != TW_OK)
        (void)unlink(from);
    free(from);
    return st;
}

enum tw_status fig_make(struct fig_files *f, const struct fig_page *p, const char *path,
                        const struct tw_figure_opts *opts, struct tw_err *err)
{
    char *work = NULL, *pdf = NULL;
    char ext[8];
    enum tw_status st = write_side(f, ".gp", &f->gp, opts, err);

    if (st == TW_OK)
        st = write_side(f, ".dat", &f->dat, opts, err);
    if (st == TW_OK && f->bin.n)
        st = write_side(f, ".bin", &f->bin, opts, err);
    if (st != TW_OK)
        return st;
    work = join(f->dir, ".thalweg-", "XXXXXX");
    pdf = join(f->dir, f->stem, ".pdf"); /* what a .tex figure includes */
    if (!work || !pdf)
        st = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (!mkdtemp(work))
        st = tw_err_set(err, TW_EIO, "%s: cannot write there (%s)", f->dir, strerror(errno));
    if (st == TW_OK) {
        (void)snprintf(ext, sizeof ext, ".%s", p->term);
        st = run_gnuplot(f, work, err);
        if (st == TW_OK && p->tex)
            st = deliver(f, work, ".pdf", pdf, err);
        if (st == TW_OK)
            st = deliver(f, work, ext, path, err);
        /* What a failed run left. */
        for (int i = 0; i < 2; i++) {
            char *left = join(work, f->stem, i ? ".pdf" : ext);

            if (left)
                (void)unlink(left);
            free(left);
        }
        (void)rmdir(work);
    }
    free(work);
    free(pdf);
    return st;
}
