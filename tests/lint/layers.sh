#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Report every include that src/layers.txt does not allow, and every call that belongs to
# another layer.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck disable=SC2016  # awk's own variables
find src -name '*.[ch]' | sort | xargs awk '
function complain(what) {
    print FILENAME ":" FNR ": " what
    bad = 1
}
# The module of a public header: NAME.h or NAME_part.h.
function owner(header) {
    sub(/^.*\//, "", header)
    sub(/\.h.*$/, "", header)
    sub(/_.*$/, "", header)
    return header
}
# A header of another project may be included by the modules listed, and by library, which
# starts them all and asks their versions.
function reserved(pattern, name, modules) {
    if ($0 ~ pattern && index(" library " modules " ", " " module " ") == 0)
        complain("only" (modules ~ / / ? " one of " : " ") modules " may include " name)
}
FILENAME == "src/layers.txt" {
    if ($0 !~ /^#/ && split($0, p, ":") == 2)
        allowed[p[1]] = p[2] " "
    next
}
FNR == 1 {
    split(FILENAME, d, "/")
    module = d[2] == "include" ? owner(FILENAME) : d[2]
    everything = FILENAME ~ /thalweg\/thalweg\.h$/
    if (!everything && !(module in allowed))
        complain("module " module " is not in src/layers.txt")
}
/^#[ ]*include/ {
    if (match($0, /"thalweg\/[a-z_]+\.h/)) {
        n = owner(substr($0, RSTART + 1, RLENGTH - 1))
        if (n == "thalweg" && module != "cli")
            complain("include the headers that are used, not all of them")
        else if (!everything && n != "thalweg" && n != module && !index(allowed[module], " " n " "))
            complain(module " may not use " n)
    } else if (/"[^"]*\//) {
        complain("reaches into a folder of another module")
    }
    reserved("<(hdf5|H5)", "HDF5", "store")
    reserved("<json", "json-c", "store")
    reserved("<pcre2", "PCRE2", "store")
    reserved("<zlib", "zlib", "store")
    reserved("<zip", "libzip", "store")
    reserved("<protobuf", "protobuf-c", "store")
    reserved("<nettle", "nettle", "base")
    reserved("<gsl", "GSL", "fit law schedule landscape figure")
    next
}
{
    code = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
    sub(/\/[*\/].*/, "", code)
    if (code ~ /^ \* /)
        next
    if (module != "cli") {
        if (code ~ /(^|[^a-z_])(v?printf|puts|putchar|perror)[ ]*\(/ || code ~ /(^|[^a-z_])std(out|err)([^a-z_]|$)/)
            complain("only cli may print")
        if (code ~ /(^|[^a-z_])(exit|abort|quick_exit)[ ]*\(/)
            complain("only cli may end the program")
        if (module != "figure" && FILENAME != "src/problem/worker.c" && code ~ /(^|[^a-z_])(popen|system|exec[lv]p?e?|posix_spawnp?)[ ]*\(/)
            complain("only figure, cli and worker.c of problem may run programs")
    }
    if (module != "figure" && /popen|exec[lv]|system/ && /gnuplot/)
        complain("only figure may run gnuplot")
}
END { exit bad }' src/layers.txt
