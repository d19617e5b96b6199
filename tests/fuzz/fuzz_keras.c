/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Models of Keras, as the first byte says: configurations and lists of weights; archives; what an
 * HDF5 file may hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/keras.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A text up to the next NUL; *p moves behind it. */
static char *text(const uint8_t **p, const uint8_t *end)
{
    const uint8_t *nul = memchr(*p, 0, (size_t)(end - *p));
    char *s;

    if (!nul)
        nul = end;
    s = tw_strndup((const char *)*p, (size_t)(nul - *p));
    *p = nul < end ? nul + 1 : end;
    return s;
}

static struct json_object *json(const uint8_t **p, const uint8_t *end)
{
    char *s = text(p, end);
    struct json_object *o = s ? json_tokener_parse(s) : NULL;

    free(s);
    if (o && !json_object_is_type(o, json_type_object)) {
        (void)json_object_put(o);
        o = NULL;
    }
    return o;
}

/* "NAME EXTENT EXTENT" */
static void add_weight(struct tw_named_list *list, char *line)
{
    size_t dims[4], n = 1;
    struct tw_array a = { 0 };
    int rank = 0;
    char *save = NULL;
    const char *name = strtok_r(line, " ", &save), *word;

    while (rank < 4 && (word = strtok_r(NULL, " ", &save)) != NULL) {
        dims[rank] = (size_t)strtoul(word, NULL, 10) % 100;
        n *= dims[rank++];
    }
    if (!name || n > 10000)
        return;
    if (tw_array_make(&a, rank == 3 && n == 7 ? TW_I32 : TW_F32, rank, dims, NULL) == TW_OK)
        (void)tw_named_add(list, name, &a, NULL);
    tw_array_release(&a);
}

static void check(enum tw_status rc, const struct tw_err *err, struct tw_net *net)
{
    if (rc != TW_OK && (err->code != rc || !err->msg[0] || net))
        abort();
    if (rc == TW_OK && (!net || net->ninput < 1 || net->noutput != 1))
        abort();
    tw_net_free(net);
}

static void both(struct keras_file *f, bool weights)
{
    struct tw_named_list list = { 0 };
    struct tw_str remarks = { 0 };
    struct tw_err err = { 0 };
    struct tw_net *net = NULL;
    enum tw_status rc;

    if (weights) {
        rc = keras_weights(f, "fuzz", &list, &err);
        if (rc != TW_OK && (err.code != rc || !err.msg[0]))
            abort();
    } else {
        rc = keras_net(f, "fuzz", &net, &remarks, &err);
        check(rc, &err, net);
    }
    tw_named_release(&list);
    tw_str_release(&remarks);
}

static void config(const uint8_t *p, const uint8_t *end, bool by_class)
{
    struct keras_file f = { .by_class = by_class, .version = by_class ? 3 : 2 };

    f.model = json(&p, end);
    f.training = json(&p, end);
    while (p < end && f.weights.n < 300) {
        const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
        char *line = tw_strndup((const char *)p, (size_t)((nl ? nl : end) - p));

        if (line)
            add_weight(&f.weights, line);
        free(line);
        p = nl ? nl + 1 : end;
    }
    both(&f, false);
    keras_release(&f);
}

static void archive(const uint8_t *p, size_t n)
{
    struct tw_bytes b = { malloc(n ? n : 1), n };
    struct keras_file f = { 0 };
    struct tw_err err = { 0 };
    bool is_keras;
    enum tw_status rc;

    memcpy(b.p, p, n);
    rc = keras_read_zip(NULL, &b, &is_keras, &f, &err);
    if (rc != TW_OK && (err.code != rc || !err.msg[0]))
        abort();
    if (rc == TW_OK && is_keras)
        both(&f, true);
    keras_release(&f);
    free(b.p);
}

/* Lines "PATH=TEXT|TEXT" are attributes of texts, "PATH" data sets of four floats. */
static void items(const uint8_t *p, const uint8_t *end)
{
    struct tw_h5_items all = { 0 };
    struct keras_file f = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc;

    while (p < end && all.n < 100) {
        const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
        const size_t n = (size_t)((nl ? nl : end) - p);
        char *line = tw_strndup((const char *)p, n), *eq = line ? strchr(line, '=') : NULL;
        struct tw_h5_item it = { .kind = TW_H5_SET, .class = TW_H5_REALS, .values = TW_H5_FLOATS };

        if (!line || !tw_grow(&all.v, all.n, &all.cap, sizeof *all.v))
            abort();
        it.rank = 1;
        it.dims[0] = it.n = 4;
        it.type = tw_strdup("float32");
        it.note = tw_strdup("");
        if (eq) {
            *eq = '\0';
            it.kind = TW_H5_ATTR;
            it.class = it.values = TW_H5_TEXTS;
            it.bytes = strlen(eq + 1) + 1;
            it.data = tw_strdup(eq + 1);
            it.n = 1;
            for (char *c = it.data; *c; c++)
                if (*c == '|') {
                    *c = '\0';
                    it.n++;
                    c++;
                    if (!*c)
                        break;
                }
            /* A text that ends in a bar is one more, empty. */
            it.n = 0;
            for (size_t i = 0; i < it.bytes; i++)
                it.n += ((char *)it.data)[i] == '\0';
        } else {
            it.bytes = 16;
            it.data = calloc(4, 4);
        }
        it.path = tw_strdup(line);
        all.v[all.n++] = it;
        free(line);
        p = nl ? nl + 1 : end;
    }
    if (!tw_h5_items_sort(&all))
        abort();
    if (keras_wrote(&all)) {
        rc = keras_read_h5(&all, &f, &err);
        if (rc != TW_OK && (err.code != rc || !err.msg[0]))
            abort();
        if (rc == TW_OK)
            both(&f, false);
    }
    keras_release(&f);
    tw_h5_items_release(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_library_init();
    tw_h5_in_process = true;
    if (size == 0)
        return 0;
    if (data[0] == 'z') {
        /* HDF5 itself crashes on damaged files, which is why it reads elsewhere. */
        for (size_t i = 1; i + 4 <= size; i++)
            if (!memcmp(data + i, "\211HDF", 4))
                return 0;
        archive(data + 1, size - 1);
    } else if (data[0] == 'h') {
        items(data + 1, data + size);
    } else {
        config(data + 1, data + size, data[0] == 'c');
    }
    return 0;
}
