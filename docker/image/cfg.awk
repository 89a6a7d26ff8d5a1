# oauth2-proxy's configuration file: prints NAME=VALUE for each value, names in capitals, a line for
# each element of a list. Any other file is reported on stderr, and the status is 1.
# SPDX-License-Identifier: Apache-2.0

function bad(why) {
    print "has in line " NR " " why >"/dev/stderr"
    failed = 1
    exit 1
}

function trim(s) {
    gsub(/^[ \t\r]+|[ \t\r]+$/, "", s)
    return s
}

function put(value) {
    print name "=" value
}

# Takes one value off the front of rest.
function value(   c, i, out) {
    rest = trim(rest)
    c = substr(rest, 1, 1)
    if (c == "\"" || c == "'") {
        out = ""
        for (i = 2; i <= length(rest); i++) {
            if (substr(rest, i, 1) == c)
                break
            if (c == "\"" && substr(rest, i, 1) == "\\") {
                i++
                if (!index("\"\\", substr(rest, i, 1)))
                    bad("an escape that is not known here")
            }
            out = out substr(rest, i, 1)
        }
        if (i > length(rest))
            bad("text without an end")
        if (out ~ /[\001-\037\177]/)
            bad("a control character")
        rest = trim(substr(rest, i + 1))
        return out
    }
    if (!match(rest, /^[A-Za-z0-9_.+-]+/))
        bad("a value that is neither text, number nor true or false")
    out = substr(rest, 1, RLENGTH)
    rest = trim(substr(rest, RLENGTH + 1))
    return out
}

function elements() {
    for (;;) {
        rest = trim(rest)
        if (rest == "" || substr(rest, 1, 1) == "#")
            return
        if (substr(rest, 1, 1) == "]") {
            in_list = 0
            rest = trim(substr(rest, 2))
            if (rest != "" && rest !~ /^#/)
                bad("something behind a list")
            return
        }
        put(value())
        if (substr(rest, 1, 1) == ",")
            rest = substr(rest, 2)
        else if (rest != "" && rest !~ /^[]#]/)
            bad("a list without commas")
    }
}

{
    rest = trim($0)
    if (in_list) {
        elements()
        next
    }
    if (rest == "" || rest ~ /^#/)
        next
    if (!match(rest, /^[a-z][a-z0-9_]*[ \t]*=/))
        bad("neither NAME = VALUE nor a comment")
    name = toupper(trim(substr(rest, 1, RLENGTH - 1)))
    if (name in seen)
        bad("a name for the second time")
    seen[name] = 1
    rest = trim(substr(rest, RLENGTH + 1))
    if (substr(rest, 1, 1) == "[") {
        in_list = 1
        rest = substr(rest, 2)
        elements()
        next
    }
    put(value())
    if (rest != "" && rest !~ /^#/)
        bad("something behind a value")
}

END {
    if (!failed && in_list)
        bad("a list without an end")
    if (failed)
        exit 1
}
