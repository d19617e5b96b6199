# SPDX-License-Identifier: GPL-3.0-or-later
# One JSON value into lines "path<TAB>value": result.curves[0].mae	0.0123. Texts lose their
# quotes, escapes stay. Exit code 1 and a line on stderr if the input is not one JSON value.
function fail(why) {
    if (!failed)
        print "json.awk: " why " at character " at > "/dev/stderr"
    failed = 1
}
function blank() {
    while (at <= n && index(" \t\n\r", substr(text, at, 1)))
        at++
}
function string(    from, c) {
    if (substr(text, at, 1) != "\"")
        return fail("expected a string")
    for (from = ++at; at <= n; at++) {
        c = substr(text, at, 1)
        if (c == "\"")
            return substr(text, from, at++ - from)
        if (c == "\\")
            at++
    }
    fail("a string does not end")
}
function value(path,    c, i, key) {
    blank()
    c = substr(text, at, 1)
    if (c == "{" || c == "[") {
        at++
        blank()
        if (index("}]", substr(text, at, 1))) {
            print path "\t" (c == "{" ? "{}" : "[]")
            at++
            return
        }
        for (i = 0; !failed; i++) {
            blank()
            if (c == "{") {
                key = string()
                if ((path, key) in seen)
                    fail("the key " key " again")
                seen[path, key] = 1
                blank()
                if (substr(text, at++, 1) != ":")
                    fail("expected a colon")
                value(path (path == "" ? "" : ".") key)
            } else
                value(path "[" i "]")
            blank()
            if (substr(text, at++, 1) == ",")
                continue
            if (substr(text, at - 1, 1) != (c == "{" ? "}" : "]"))
                fail("expected a comma or an end")
            return
        }
    } else if (c == "\"")
        print path "\t" string()
    else if (match(substr(text, at, 40), /^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null)/)) {
        print path "\t" substr(text, at, RLENGTH)
        at += RLENGTH
    } else
        fail("expected a value")
}
{ text = text $0 "\n" }
END {
    n = length(text)
    at = 1
    value("")
    blank()
    if (!failed && at <= n)
        fail("something after the value")
    exit failed
}
