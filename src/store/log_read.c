/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a path or bytes to the right reader. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_reader.h"

/* Tried in this order: the line rules know their lines for certain, CSV is the loosest. A
 * reader may set a name of its own among these. */
const struct tw_log_format tw_log_formats[] = {
    { "hdf5", "training run in HDF5: /runs/NAME/log/SERIES or /log/SERIES", NULL },
    { "tensorboard", "TensorBoard event file (events.out.tfevents...)", &log_reader_tfevents },
    { "trainer-state", "Hugging Face trainer_state.json", NULL },
    { "json", "array of objects, or object of arrays (Keras History)", NULL },
    { "jsonl", "one JSON object a line", &log_reader_json },
    { "nanogpt", "nanoGPT's printed lines: iter 10: loss 3.1, ...", &log_reader_nanogpt },
    { "llm.c", "llm.c's main.log: s:12 trl:3.1 lr:0.0006", &log_reader_llmc },
    { "megatron", "Megatron-LM's printed lines: iteration 10/ 500 | lm loss: ...",
      &log_reader_megatron },
    { "olmo", "OLMo's printed blocks: [step=10/739328] then key=value", &log_reader_olmo },
    { "wandb-csv", "Weights & Biases CSV export, a column per run and metric", NULL },
    { "csv",
      "comma, semicolon, tab or blank separated columns (Lightning, litgpt, Keras CSVLogger)",
      &log_reader_csv },
    { "regex", "any text, by a rule of yours (--regex)", NULL },
    { NULL, NULL, NULL },
};

/* "dir/run.csv.gz" gives "run". */
static enum tw_status base_name(const char *path, char **out, struct tw_err *err)
{
    const char *base = strrchr(path, '/');
    size_t n;

    base = base ? base + 1 : path;
    if (!strcmp(path, "-"))
        base = "stdin";
    n = strlen(base);
    if (n > 3 && !strcmp(base + n - 3, ".gz"))
        n -= 3;
    for (size_t i = n; i > 1; i--)
        if (base[i - 1] == '.') {
            n = i - 1;
            break;
        }
    *out = tw_strndup(base, n);
    return *out ? TW_OK : log_out_of_memory(err);
}

static enum tw_status begin(struct log_table *t, const char *path, struct tw_err *err)
{
    char *name = NULL;
    enum tw_status rc = base_name(path, &name, err);

    if (rc != TW_OK)
        return rc;
    t->log->path = tw_strdup(path);
    rc = t->log->path ? log_table_run(t, name, strlen(name), err) : log_out_of_memory(err);
    free(name);
    return rc;
}

static enum tw_status finish(struct log_table *t, struct tw_err *err)
{
    enum tw_status rc = log_table_finish(t, err);

    if (rc != TW_OK)
        return rc;
    if (!t->notes.s)
        tw_str_add(&t->notes, "");
    if (t->notes.failed)
        return log_out_of_memory(err);
    t->log->notes = t->notes.s;
    t->notes = (struct tw_str){ 0 };
    return TW_OK;
}

static enum tw_status unknown_format(const struct log_text *text, struct tw_err *err)
{
    struct log_text line = { text->s, 0 };
    char quoted[LOG_QUOTE];
    size_t at = 0, number = 0;
    bool blank = true;

    while (blank && log_line_next(text, &at, &line)) {
        number++;
        for (size_t i = 0; i < line.n && blank; i++)
            blank = line.s[i] == ' ' || line.s[i] == '\t';
    }
    if (blank)
        return tw_err_set(err, TW_EFORMAT,
                          text->n ? "there are only blank lines in it" : "the file is empty");
    return tw_err_set(err, TW_EFORMAT,
                      "line %zu, '%s': not a log of a known format ('thalweg log --formats' lists "
                      "them); --regex reads any text by a rule of yours",
                      number, log_quote(&line, quoted));
}

static enum tw_status read_text(struct log_table *t, const struct log_text *text,
                                struct tw_err *err)
{
    if (text->n == 0)
        return unknown_format(text, err);
    if (t->opts && t->opts->regex) {
        t->log->format = "regex";
        return log_regex_read(t, text, err);
    }
    for (const struct tw_log_format *f = tw_log_formats; f->name; f++)
        if (f->reader && f->reader->sniff(text)) {
            t->log->format = f->name;
            return f->reader->read(t, text, err);
        }
    return unknown_format(text, err);
}

static enum tw_status read_bytes(struct log_table *t, struct log_text text, struct tw_err *err)
{
    struct log_bytes plain = { 0 };
    enum tw_status rc = TW_OK;

    if (log_is_gzip(text.s, text.n)) {
        rc = log_bytes_unpack(&text, &plain, err);
        text = (struct log_text){ plain.s, plain.n };
    }
    if (rc == TW_OK && log_is_hdf5(&text)) {
        t->log->format = "hdf5";
        rc = log_hdf5_read(t, NULL, &text, err);
        free(plain.s);
        return rc;
    }
    if (rc == TW_OK)
        rc = log_refuse_foreign(text.s, text.n, err);
    if (rc == TW_OK && text.n >= 3 && !memcmp(text.s, "\xEF\xBB\xBF", 3)) {
        text.s += 3; /* the byte order mark that some editors put before UTF-8 */
        text.n -= 3;
    }
    if (rc == TW_OK)
        rc = read_text(t, &text, err);
    free(plain.s);
    return rc;
}

/* An HDF5 file may hold gigabytes of checkpoints beside its log: it is never read whole. */
static bool is_hdf5_path(const char *path)
{
    char head[8];
    struct stat st;
    bool yes;
    int fd;

    /* Only a regular file is opened twice: a pipe's writer would see its reader leave. */
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    yes = read(fd, head, sizeof head) == (ssize_t)sizeof head &&
          log_is_hdf5(&(struct log_text){ head, sizeof head });
    (void)close(fd);
    return yes;
}

enum tw_status tw_log_read(const char *path, const struct tw_log_opts *opts, struct tw_log *log,
                           struct tw_err *err)
{
    struct log_table t = { .log = log, .opts = opts };
    struct log_bytes b = { 0 };
    enum tw_status rc = begin(&t, path, err);

    if (rc == TW_OK && strcmp(path, "-") != 0 && is_hdf5_path(path)) {
        log->format = "hdf5";
        rc = tw_digest_file(path, log->digest, err);
        if (rc == TW_OK)
            rc = log_hdf5_read(&t, path, NULL, err);
    } else if (rc == TW_OK) {
        rc = log_bytes_read(path, &b, err);
        if (rc == TW_OK) {
            tw_digest_mem(b.s, b.n, log->digest);
            rc = read_bytes(&t, (struct log_text){ b.s, b.n }, err);
        }
    }
    if (rc == TW_OK)
        rc = finish(&t, err);
    free(b.s);
    tw_str_release(&t.notes);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", strcmp(path, "-") ? path : "stdin");
}

enum tw_status tw_log_read_mem(const void *text, size_t n, const char *name,
                               const struct tw_log_opts *opts, struct tw_log *log,
                               struct tw_err *err)
{
    struct log_table t = { .log = log, .opts = opts };
    enum tw_status rc = begin(&t, name, err);

    if (rc == TW_OK) {
        tw_digest_mem(text, n, log->digest);
        rc = read_bytes(&t, (struct log_text){ text, n }, err);
    }
    if (rc == TW_OK)
        rc = finish(&t, err);
    tw_str_release(&t.notes);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", name);
}
