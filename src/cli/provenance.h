/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/provenance.h - what a result file says about how it came to be. */
#ifndef TW_CLI_PROVENANCE_H
#define TW_CLI_PROVENANCE_H

#include "cmd.h"
#include "thalweg/store_result.h"

/* Starts as {0}. `record` is what tw_result_create takes; it points into the rest, so it is
 * good until the release and no longer than the call. */
struct tw_cmd_provenance {
    struct tw_provenance record;
    struct tw_str options, libraries;
    char **paths, **digests;
    size_t cap;
    struct digest_ahead *ahead; /* one that is being computed beside other work */
};

/* The command line, options, seed and threads of this call; inputs come one by one. */
enum tw_status tw_cmd_provenance_start(struct tw_cmd_provenance *p, const struct tw_call *call,
                                       struct tw_err *err) TW_CHECKED;

/* An input and its SHA-256; digest NULL: read the file for it. A path given again is recorded
 * once. TW_EIO: cannot be read. */
enum tw_status tw_cmd_provenance_input(struct tw_cmd_provenance *p, const char *path,
                                       const char *digest, struct tw_err *err) TW_CHECKED;

/* The same will be said of this file: begins to compute its digest while it is read. Does nothing
 * where that cannot be, or only one thread is wanted. */
void tw_cmd_provenance_ahead(struct tw_cmd_provenance *p, const char *path);

/* The digest of an input of this path; NULL: there is none. */
const char *tw_cmd_provenance_digest(const struct tw_cmd_provenance *p, const char *path);

/* The inputs as "path sha256" lines, for a figure's head. */
void tw_cmd_provenance_lines(const struct tw_cmd_provenance *p, struct tw_str *out);

/* The file named by -o is written, or rc says that this failed: closes it and says so, or drops it.
 * Takes the file. */
enum tw_status tw_cmd_result_end(struct tw_call *call, struct tw_result *r,
                                 enum tw_status rc) TW_CHECKED;

void tw_cmd_provenance_release(struct tw_cmd_provenance *p);

#endif
