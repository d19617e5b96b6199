/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A preview in the terminal: the same script once more, drawn for what the terminal can
 * show. kitty and iTerm2 take a PNG in an escape sequence, others sixel graphics or text. */
#include "fig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum way { WAY_TEXT, WAY_SIXEL, WAY_KITTY, WAY_ITERM };

/* Does the terminal's answer to "what are you" (DA1, CSI ? 62 ; 4 ; ... c) list sixel? */
static bool lists_sixel(const char *answer)
{
    for (const char *s = answer; (s = strpbrk(s, "?;")) != NULL; s++)
        if (s[1] == '4' && (s[2] == ';' || s[2] == 'c'))
            return true;
    return false;
}

static bool has_sixel(void)
{
    char answer[128] = "";
    struct termios old, raw;
    size_t n = 0;
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (tty < 0)
        return false;
    if (tcgetattr(tty, &old) == 0) {
        raw = old;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(tty, TCSANOW, &raw);
        if (write(tty, "\033[c", 3) == 3)
            while (n + 1 < sizeof answer && !strchr(answer, 'c')) {
                struct pollfd p = { tty, POLLIN, 0 };
                ssize_t got = poll(&p, 1, 300) > 0 ? read(tty, answer + n, 1) : 0;

                if (got <= 0)
                    break;
                answer[++n] = '\0';
            }
        (void)tcsetattr(tty, TCSANOW, &old);
    }
    (void)close(tty);
    return lists_sixel(answer);
}

static enum way best_way(void)
{
    const char *term = getenv("TERM"), *program = getenv("TERM_PROGRAM");

    if ((term && strstr(term, "kitty")) || getenv("KITTY_WINDOW_ID") ||
        (program && !strcmp(program, "ghostty")))
        return WAY_KITTY;
    if (program && (!strcmp(program, "iTerm.app") || !strcmp(program, "WezTerm")))
        return WAY_ITERM;
    if (term && !strcmp(term, "dumb"))
        return WAY_TEXT;
    return has_sixel() ? WAY_SIXEL : WAY_TEXT;
}

/* ---- a PNG in escape sequences --------------------------------------------------------- */

static void base64(const unsigned char *in, size_t n, struct tw_str *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)in[i] << 16 | (i + 1 < n ? (unsigned)in[i + 1] << 8 : 0) |
                     (i + 2 < n ? in[i + 2] : 0);
        char four[4] = { digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63],
                         digits[v & 63] };

        if (i + 1 >= n)
            four[2] = '=';
        if (i + 2 >= n)
            four[3] = '=';

        tw_str_addn(out, four, 4);
    }
}

static void send_png(const struct tw_str *png, enum way way, struct tw_str *out)
{
    struct tw_str code = { 0 };

    base64((const unsigned char *)png->s, png->n, &code);
    if (way == WAY_ITERM)
        tw_str_addf(out, "\033]1337;File=inline=1;size=%zu:%s\a\n", png->n, code.s ? code.s : "");
    /* kitty takes 4096 bytes at a time; m=1 says that more follow. */
    for (size_t at = 0; way == WAY_KITTY && at < code.n; at += 4096) {
        size_t n = code.n - at < 4096 ? code.n - at : 4096;

        tw_str_addf(out, "\033_G%sm=%d;", at ? "" : "a=T,f=100,", at + n < code.n);
        tw_str_addn(out, code.s + at, n);
        tw_str_add(out, "\033\\");
    }
    if (way == WAY_KITTY)
        tw_str_add(out, "\n");
    out->failed = out->failed || code.failed;
    tw_str_release(&code);
}

static bool send_all(const char *s, size_t n)
{
    while (n > 0) {
        ssize_t k = write(STDOUT_FILENO, s, n);

        if (k < 0 && errno != EINTR)
            return false;
        if (k > 0) {
            s += k;
            n -= (size_t)k;
        }
    }
    return true;
}

/* ---- drawing ----------------------------------------------------------------------------- */

/* What gnuplot writes to its output comes back in *out. */
static enum tw_status draw(const struct fig_files *f, enum way way, struct tw_str *out,
                           struct tw_err *err)
{
    static const char *const format[] = { "dumb", "sixel", "png", "png" };
    struct tw_str log = { 0 }, script = { 0 };
    struct winsize w = { 0 };
    char set[160];
    int cols, rows, px;
    enum tw_status st;

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
    cols = w.ws_col >= 40 ? w.ws_col - 1 : 79;
    rows = w.ws_row >= 15 ? w.ws_row - 2 : 23;
    rows = rows < cols * 2 / 5 ? rows : cols * 2 / 5;
    px = w.ws_xpixel >= 400 ? w.ws_xpixel * 9 / 10 : 800;
    px = px < 1000 ? px : 1000;
    (void)snprintf(set, sizeof set,
                   "TW_FORMAT = '%s'; TW_OUT = ''; TW_COLS = %d; TW_ROWS = %d; TW_PX = %d",
                   format[way], cols, rows, px);
    tw_str_addf(&script, "./%s.gp", f->stem);
    if (script.failed)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    st = fig_run((const char *const[]){ "gnuplot", "-d", "-e", set, script.s, NULL }, f->dir, out,
                 &log, err);
    if (st != TW_OK)
        (void)tw_err_ctx(err, st, "%s/%s.gp", f->dir, f->stem);
    tw_str_release(&log);
    tw_str_release(&script);
    return st;
}

enum tw_status tw_figure_show(const char *path, struct tw_err *err)
{
    struct fig_files f = { 0 };
    struct tw_str drawn = { 0 }, sent = { 0 };
    enum way way;
    enum tw_status st;

    if (!isatty(STDOUT_FILENO))
        return tw_err_set(err, TW_EINVAL, "a preview needs a terminal on standard output");
    st = fig_files_init(&f, path, err);
    if (st != TW_OK)
        return st;
    way = best_way();
    st = draw(&f, way, &drawn, err);
    if (st == TW_OK && (way == WAY_KITTY || way == WAY_ITERM))
        send_png(&drawn, way, &sent);
    else if (st == TW_OK) {
        tw_str_addn(&sent, drawn.s ? drawn.s : "", drawn.n);
        tw_str_add(&sent, "\n");
    }
    if (st == TW_OK && (sent.failed || drawn.failed))
        st = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (st == TW_OK && !send_all(sent.s, sent.n))
        st = tw_err_set(err, TW_EIO, "standard output: cannot write (%s)", strerror(errno));
    tw_str_release(&drawn);
    tw_str_release(&sent);
    fig_files_release(&f);
    return st;
}
