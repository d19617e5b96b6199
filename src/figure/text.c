/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text from files and from the user inside a script that gnuplot executes. Single quotes
 * switch off everything that runs (backquotes, macros, escapes); what is left to escape is
 * the markup of enhanced text, or of LaTeX. */
#include "fig.h"

#include <string.h>

#include "share.h"

/* Length of the valid UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates), 0 if
 * there is none: pango refuses a whole label for one bad byte. */
static size_t utf8_sequence(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;

    if (s[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

/* One character of enhanced text. gnuplot 5.4 reads a doubled quote at the start of a string
 * as an empty string and runs on, so no quote may stay: it is set as an apostrophe. */
static void add_enhanced(struct tw_str *out, char c)
{
    if (c == '\'') {
        tw_str_add(out, "’");
        return;
    }
    if (strchr("\\^_{}@&~", c))
        tw_str_add(out, "\\");
    tw_str_addn(out, &c, 1);
}

static void add_latex(struct tw_str *out, char c)
{
    if (c == '\\')
        tw_str_add(out, "\\textbackslash{}");
    else if (c == '^')
        tw_str_add(out, "\\textasciicircum{}");
    else if (c == '~')
        tw_str_add(out, "\\textasciitilde{}");
    else if (c == '\'')
        tw_str_add(out, "\\textquotesingle{}");
    else if (c == '`')
        tw_str_add(out, "\\textasciigrave{}");
    else if (c == '"')
        tw_str_add(out, "\\textquotedbl{}");
    else if (c == '<' || c == '>' || c == '|')
        tw_str_addf(out, "\\ensuremath{%c}", c);
    else if (strchr("#$%&_{}", c))
        tw_str_addf(out, "\\%c", c);
    else
        tw_str_addn(out, &c, 1);
}

static void add_text(struct tw_str *out, const char *s, void (*add)(struct tw_str *, char))
{
    while (*s) {
        size_t n = utf8_sequence((const unsigned char *)s);

        if (n > 1)
            tw_str_addn(out, s, n);
        else
            add(out, (char)(n == 0 ? '?' : (unsigned char)*s < 0x20 || *s == 0x7F ? ' ' : *s));
        s += n ? n : 1;
    }
}

void fig_quote(struct tw_str *out, const char *s, bool tex)
{
    tw_str_add(out, "'");
    add_text(out, s, tex ? add_latex : add_enhanced);
    tw_str_add(out, "'");
}

void fig_quote_raw(struct tw_str *out, const char *s)
{
    tw_str_add(out, "'");
    for (; *s; s++) {
        if (*s == '\'')
            tw_str_add(out, "'.\"'\".'");
        else
            tw_str_addn(out, s, 1);
    }
    tw_str_add(out, "'");
}

static void add_plain(struct tw_str *out, char c)
{
    tw_str_addn(out, &c, 1);
}

void fig_plain(struct tw_str *out, const char *s)
{
    add_text(out, s, add_plain);
}

void fig_comment(struct tw_str *out, const char *s)
{
    while (*s) {
        size_t n = strcspn(s, "\n");

        tw_str_add(out, "#   ");
        for (size_t i = 0; i < n; i++)
            add_plain(out, (char)((unsigned char)s[i] < 0x20 ? ' ' : s[i]));
        /* gnuplot joins lines at a backslash, comments too. */
        tw_str_add(out, n && s[n - 1] == '\\' ? " .\n" : "\n");
        s += n + (s[n] == '\n');
    }
}

/* ---- symbols ------------------------------------------------------------------------- */

static const struct {
    const char *name, *utf8;
} greek[] = {
    { "alpha", "α" }, { "beta", "β" },  { "gamma", "γ" }, { "delta", "δ" },  { "epsilon", "ε" },
    { "zeta", "ζ" },  { "eta", "η" },   { "theta", "θ" }, { "kappa", "κ" },  { "lambda", "λ" },
    { "mu", "μ" },    { "nu", "ν" },    { "xi", "ξ" },    { "rho", "ρ" },    { "sigma", "σ" },
    { "tau", "τ" },   { "phi", "φ" },   { "chi", "χ" },   { "psi", "ψ" },    { "omega", "ω" },
    { "Gamma", "Γ" }, { "Delta", "Δ" }, { "Theta", "Θ" }, { "Lambda", "Λ" }, { "Sigma", "Σ" },
    { "Phi", "Φ" },   { "Omega", "Ω" }, { "inf", "∞" },   { "infty", "∞" },
};

static size_t find_greek(const char *s, size_t n)
{
    size_t i = 0;

    while (i < sizeof greek / sizeof greek[0] &&
           (strncmp(greek[i].name, s, n) != 0 || greek[i].name[n] != '\0'))
        i++;
    return i;
}

static void add_letter(struct tw_str *out, const char *s, size_t n, bool tex)
{
    size_t g = find_greek(s, n);

    if (g == sizeof greek / sizeof greek[0])
        tw_str_addn(out, s, n);
    else if (tex)
        tw_str_addf(out, "\\%s", !strncmp(s, "inf", 3) ? "infty" : greek[g].name);
    else
        tw_str_add(out, greek[g].utf8);
}

static bool is_word(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9')))
            return false;
    return n > 0;
}

/* LETTER or LETTER_INDEX, where LETTER is one character or a Greek name, perhaps with an
 * index right behind it (L0, alpha2). */
void fig_symbol(struct tw_str *out, const char *name, bool tex)
{
    size_t n = strcspn(name, "_"), base = n, tail = n;

    if (name[n] == '_')
        tail = n + 1;
    else if (n == strlen(name) && find_greek(name, n) == sizeof greek / sizeof greek[0])
        for (tail = n; tail > 1 && name[tail - 1] >= '0' && name[tail - 1] <= '9'; tail--)
            base = tail - 1;
    if (!is_word(name, base) || (name[tail] && !is_word(name + tail, strlen(name + tail))) ||
        (base > 1 && find_greek(name, base) == sizeof greek / sizeof greek[0])) {
        fig_quote(out, name, tex);
        return;
    }
    tw_str_add(out, tex ? "'$" : "'{/:Italic ");
    add_letter(out, name, base, tex);
    tw_str_add(out, tex ? "" : "}");
    if (name[tail]) {
        tw_str_add(out, "_{");
        add_letter(out, name + tail, strlen(name + tail), tex);
        tw_str_add(out, "}");
    }
    tw_str_add(out, tex ? "$'" : "'");
}

void fig_share(struct tw_str *out, const char *name)
{
    for (size_t i = 0; i < sizeof share_lines / sizeof share_lines[0]; i++)
        if (!strcmp(share_lines[i].file, name))
            tw_str_add(out, share_lines[i].text);
}
