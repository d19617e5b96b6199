/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg convert: a checkpoint of any format as safetensors or HDF5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netload.h"
#include "thalweg/store_weights.h"

struct convert_opts {
    const char *to, *state_key, *dtype;
    bool all, force;
};

static const struct tw_opt opts[] = {
    { TW_OPT_STR, 0, "to", TW_OPT_FIELD(struct convert_opts, to), "FORMAT",
      "safetensors or hdf5 [what the suffix of OUT says]", 0, 0, NULL },
    { TW_OPT_STR, 0, "state-key", TW_OPT_FIELD(struct convert_opts, state_key), "KEY",
      "the part of the checkpoint to take [where a nested one keeps its weights]", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "all", TW_OPT_FIELD(struct convert_opts, all), NULL,
      "take every part, an optimizer's state too", 0, 0, NULL },
    { TW_OPT_STR, 0, "dtype", TW_OPT_FIELD(struct convert_opts, dtype), "TYPE",
      "what reals become: f32, f16 or bf16 [as they are]", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "force", TW_OPT_FIELD(struct convert_opts, force), NULL, "overwrite OUT", 0,
      0, NULL },
    { .type = TW_OPT_END },
};

/* The format by name or, if none is given, by suffix; false: none that we write. */
static bool find_format(const char *name, const char *path, enum tw_weights_format *format)
{
    static const struct {
        const char *name;
        enum tw_weights_format format;
    } formats[] = { { "safetensors", TW_WEIGHTS_SAFETENSORS },
                    { "hdf5", TW_WEIGHTS_HDF5 },
                    { "h5", TW_WEIGHTS_HDF5 } };
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    const char *what = name ? name : dot ? dot + 1 : "";

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (!strcmp(what, formats[i].name)) {
            *format = formats[i].format;
            return true;
        }
    return false;
}

static bool find_dtype(const char *name, enum tw_dtype *dtype)
{
    static const struct {
        const char *name;
        enum tw_dtype dtype;
    } types[] = { { "f32", TW_F32 },     { "float32", TW_F32 }, { "f16", TW_F16 },
                  { "float16", TW_F16 }, { "bf16", TW_BF16 },   { "bfloat16", TW_BF16 } };

    *dtype = TW_NONE;
    for (size_t i = 0; name && i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(name, types[i].name))
            *dtype = types[i].dtype;
    return !name || *dtype != TW_NONE;
}

static bool on_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct tw_progress *p = ctx;

    p->total = (size_t)(all >> 20) + 1;
    tw_progress_step(p, (size_t)(done >> 20), NULL);
    return !tw_stop_requested();
}

/* A nested checkpoint: the part that holds the weights. */
static enum tw_status take_part(struct tw_call *call, struct tw_weights_file *f)
{
    const struct convert_opts *o = call->opts;
    const size_t all = f->n;
    enum tw_status rc;
    char *part;

    if (!f->part || o->state_key || o->all)
        return TW_OK;
    part = tw_strdup(f->part);
    if (!part)
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    tw_json_text(&call->json, "part", part);
    rc = tw_weights_choose(f, part, &call->err);
    if (rc == TW_OK)
        tw_cmd_note(call,
                    "%s: took what is under '%s', %zu of %zu tensors (--state-key takes another "
                    "part, --all everything)",
                    f->path, part, f->n, all);
    free(part);
    return rc;
}

static int report(struct tw_call *call, const struct tw_weights_file *f, const char *out)
{
    uint64_t numbers = 0;

    for (size_t i = 0; i < f->n; i++)
        numbers += f->v[i].n;
    tw_json_text(&call->json, "file", f->path);
    tw_json_text(&call->json, "format", f->format);
    tw_json_text(&call->json, "output", out);
    tw_json_size(&call->json, "tensors", f->n);
    tw_json_size(&call->json, "numbers", (size_t)numbers);
    if (!call->common.json)
        printf("%s: %zu tensor%s, %llu numbers\n", out, f->n, tw_plural(f->n),
               (unsigned long long)numbers);
    return TW_EXIT_OK;
}

static int convert(struct tw_call *call, struct tw_weights_file *f, struct tw_weights_write w)
{
    const char *out = call->argv[1];
    char keys[][16] = { "thalweg_command", "thalweg_version", "model" }, version[64];
    struct tw_weights_note notes[] = { { keys[0], call->command_line.s },
                                       { keys[1], version },
                                       { keys[2], tw_load_model(call, call->argv[0]) } };
    struct tw_progress progress;
    size_t overflowed = 0;
    enum tw_status rc = call->err.code;

    (void)snprintf(version, sizeof version, "%s", tw_version());
    tw_progress_start(&progress, call, "MiB", 1);
    w.nnote = notes[2].value ? 3 : 2;
    w.note = notes;
    w.overflowed = &overflowed;
    w.progress = on_progress;
    w.ctx = &progress;
    if (rc == TW_OK)
        rc = take_part(call, f);
    if (rc == TW_OK)
        rc = tw_weights_write(f, out, &w, &call->err);
    tw_progress_end(&progress);
    free(notes[2].value);
    if (rc != TW_OK)
        return tw_cmd_fail(call);
    if (overflowed)
        tw_cmd_warn(call, "%zu number%s beyond the range of %s became infinite", overflowed,
                    tw_plural(overflowed), tw_dtype_name(w.reals));
    tw_json_size(&call->json, "overflowed", overflowed);
    return report(call, f, out);
}

static int run(struct tw_call *call)
{
    const struct convert_opts *o = call->opts;
    struct tw_weights_write w = { .force = o->force };
    struct tw_str remarks = { 0 };
    struct tw_weights_file *f;
    int rc;

    if (call->argc != 2)
        return tw_cmd_usage(call, "expected IN and OUT");
    if (!find_format(o->to, call->argv[1], &w.format))
        return o->to ? tw_cmd_usage(call, "--to is safetensors or hdf5, not '%s'", o->to)
                     : tw_cmd_usage(call,
                                    "the suffix of '%s' is neither .safetensors nor .h5; give --to",
                                    call->argv[1]);
    if (!find_dtype(o->dtype, &w.reals))
        return tw_cmd_usage(call, "--dtype is f32, f16 or bf16, not '%s'", o->dtype);
    f = tw_load_file(call, call->argv[0], o->state_key, &remarks);
    tw_load_remarks(call, call->argv[0], &remarks, false);
    tw_str_release(&remarks);
    if (!f)
        return tw_cmd_fail(call);
    rc = convert(call, f, w);
    tw_weights_close(f);
    return rc;
}

static const struct convert_opts defaults = { 0 };
const struct tw_cmd tw_cmd_convert = {
    "convert",       "Networks",   "a checkpoint of any format as safetensors or HDF5",
    "IN OUT",        TW_USES_JSON, opts,
    sizeof defaults, &defaults,    run,
};
