/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The option parser on arbitrary words: the input is split at newlines. */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "help.h"

struct opts {
    bool flag;
    const char *text, *choice, *figure;
    struct tw_opt_list list;
    size_t points;
    uint64_t big;
    double real;
};

static const struct tw_opt table[] = {
    { TW_OPT_FLAG, 'f', "flag", TW_OPT_FIELD(struct opts, flag), NULL, "", 0, 0, NULL },
    { TW_OPT_STR, 's', "text", TW_OPT_FIELD(struct opts, text), "S", "", 0, 0, NULL },
    { .type = TW_OPT_HEAD, .name = "More" },
    { TW_OPT_LIST, 'l', "list", TW_OPT_FIELD(struct opts, list), "S", "", 0, 0, NULL },
    { TW_OPT_CHOICE, 'c', "choice", TW_OPT_FIELD(struct opts, choice), "C", "", 0, 0, "a|bc" },
    { TW_OPT_FIGURE, 'p', "plot", TW_OPT_FIELD(struct opts, figure), "FILE", "", 0, 0, NULL },
    { TW_OPT_SIZE, 'n', "points", TW_OPT_FIELD(struct opts, points), "N", "", 2, 1e6, NULL },
    { TW_OPT_U64, 0, "big", TW_OPT_FIELD(struct opts, big), "N", "", 0, 0, NULL },
    { TW_OPT_REAL, 'r', "real", TW_OPT_FIELD(struct opts, real), "X", "", 0, 0, NULL },
    { .type = TW_OPT_END },
};

static void require(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX = 64 };
    struct opts o = { .points = 5 };
    struct tw_common common = { 0 };
    struct tw_err err = { 0 };
    struct tw_str record = { 0 };
    char *text = tw_strndup((const char *)data, size), *argv[MAX + 1], program[] = "cmd";
    int argc = 0, operands = 0;
    unsigned uses = size ? data[0] & 15u : 0;

    require(text != NULL);
    argv[argc++] = program;
    for (char *word = text; word && argc < MAX;) {
        char *end = strchr(word, '\n');

        if (end)
            *end++ = '\0';
        argv[argc++] = word;
        word = end;
    }
    argv[argc] = NULL;
    if (tw_opt_parse(argc, argv, uses, table, &common, &o, &operands, &err) == TW_OK) {
        require(operands >= 0 && operands < argc);
        require(o.points >= 2 && o.points <= 1000000);
        require(!o.choice || !strcmp(o.choice, "a") || !strcmp(o.choice, "bc"));
        tw_opt_record(table, uses, &common, &o, &record);
    } else {
        require(err.code != TW_OK && err.msg[0] != '\0');
    }
    tw_str_release(&record);
    tw_opt_release(table, &o);
    free(text);
    return 0;
}
