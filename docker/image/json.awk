# Lines of the image's logs as JSON, one object each: stream=error (httpd's error log and the entrypoint's
# messages) or stream=access (fields separated by tabs, see httpd.conf).
# SPDX-License-Identifier: Apache-2.0

BEGIN {
    for (i = 1; i < 256; i++)
        code[sprintf("%c", i)] = i
    for (i = 0; i < 16; i++)
        hex[substr("0123456789abcdef", i + 1, 1)] = i
    split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", names, " ")
    for (i = 1; i <= 12; i++)
        month[names[i]] = sprintf("%02d", i)
}

# Texts end at this many bytes, as httpd's error log cuts its lines: the time for a text grows with the square of its length,
# and httpd waits for this program when the pipe is full.
function bounded(s) {
    return length(s) > 8192 ? substr(s, 1, 8192) "..." : s
}

# How many bytes the character at this place has (RFC 3629); 0: none of UTF-8.
function length_of(s, at,    first, second, count, i) {
    first = code[substr(s, at, 1)]
    if (first < 128)
        return 1
    if (first < 194 || first > 244)
        return 0
    count = first < 224 ? 2 : first < 240 ? 3 : 4
    second = code[substr(s, at + 1, 1)] + 0
    if (first == 224 && second < 160 || first == 237 && second > 159 || first == 240 && second < 144 || first == 244 && second > 143)
        return 0
    for (i = 1; i < count; i++) {
        second = code[substr(s, at + i, 1)] + 0
        if (second < 128 || second > 191)
            return 0
    }
    return count
}

function quoted(s,    out, at, size, c) {
    if (s == "")
        return "null"
    s = bounded(s)
    if (s !~ /[^ !#-\[\]-~]/)
        return "\"" s "\""
    out = ""
    for (at = 1; at <= length(s); at += size) {
        size = length_of(s, at)
        c = substr(s, at, size)
        if (!size) {
            c = "\\ufffd"
            size = 1
        } else if (c == "\"" || c == "\\") {
            c = "\\" c
        } else if (size == 1 && (code[c] < 32 || code[c] == 127)) {
            c = sprintf("\\u%04x", code[c])
        } else if (size == 2 && code[substr(c, 1, 1)] == 194 && code[substr(c, 2, 1)] < 160) {
            c = sprintf("\\u%04x", code[substr(c, 2, 1)])
        }
        out = out c
    }
    return "\"" out "\""
}

function number(s) {
    return s ~ /^(0|[1-9][0-9]*)$/ && length(s) < 16 ? s : "null"
}

# Takes a bracket that matches off the front of the line; "" when the next one does not.
function taken(pattern,    found) {
    if (!match(rest, "^\\[" pattern "\\] "))
        return ""
    found = substr(rest, 2, RLENGTH - 3)
    rest = substr(rest, RLENGTH + 1)
    return found
}

function date_of(s,    part) {
    if (s == "")
        return ""
    split(s, part, / +/)
    return sprintf("%s-%s-%02dT%sZ", part[5], month[part[2]], part[3], part[4])
}

# httpd writes \xhh and \c for bytes that could break an access line.
function bytes_of(s,    out, at, c) {
    if (s == "-")
        return ""
    s = bounded(s)
    out = ""
    while (at = index(s, "\\")) {
        out = out substr(s, 1, at - 1)
        c = substr(s, at + 1, 1)
        s = substr(s, at + 2)
        if (c == "x" && s ~ /^[0-9a-f][0-9a-f]/) {
            c = sprintf("%c", 16 * hex[substr(s, 1, 1)] + hex[substr(s, 2, 1)])
            s = substr(s, 3)
        } else if (c == "n" || c == "r" || c == "t" || c == "b" || c == "v") {
            c = c == "n" ? "\n" : c == "r" ? "\r" : c == "t" ? "\t" : c == "b" ? "\b" : "\v"
        }
        out = out c
    }
    return out s
}

# Takes a text that matches and ": " off the front of the line; "" when there is none.
function front(pattern,    found) {
    if (!match(rest, "^" pattern ": "))
        return ""
    found = substr(rest, 1, RLENGTH - 2)
    rest = substr(rest, RLENGTH + 1)
    return found
}

function error_line(    time, place, module, level, process, source, cause, client, tag) {
    rest = $0
    time = taken("[A-Z][a-z][a-z] [A-Z][a-z][a-z] [ 0-9][0-9] [0-9:.]+ [0-9]+")
    place = time == "" ? "" : taken("[a-z0-9_]*:[a-z0-9]+")
    module = level = place
    sub(/:.*/, "", module)
    sub(/.*:/, "", level)
    process = taken("pid [0-9]+(:tid [0-9]+)?")
    gsub(/^pid |:.*/, "", process)
    # At level debug the place in the source; then what the system says of a failure.
    source = process == "" ? "" : front("[A-Za-z0-9_.\\/-]+\\.c\\([0-9]+\\)")
    cause = process == "" ? "" : front("\\([0-9]+\\)[^:]*")
    client = taken("(client|remote) [^]]*(\\][^] ]*)?")
    sub(/^[a-z]+ /, "", client)
    if (sub(/^keycloak-image: /, "", rest)) {
        module = "keycloak-image"
        level = sub(/^warning: /, "", rest) ? "warn" : ""
    }
    if (match(rest, /^(KC[0-9][0-9][0-9][0-9]|AH[0-9][0-9][0-9][0-9][0-9]): /)) {
        tag = substr(rest, 1, RLENGTH - 2)
        rest = substr(rest, RLENGTH + 1)
    }
    if (cause != "")
        rest = cause ": " rest
    printf "{\"log\":\"error\",\"time\":%s,\"module\":%s,\"level\":%s,\"pid\":%s,\"source\":%s,\"client\":%s,\"tag\":%s,\"message\":%s}\n",
        quoted(date_of(time)), quoted(module), quoted(level), number(process), quoted(source), quoted(client), quoted(tag), quoted(rest)
}

function access_line(    part, count) {
    count = split($0, part, "\t")
    if (count != 9) {
        printf "{\"log\":\"access\",\"message\":%s}\n", quoted($0)
        return
    }
    printf "{\"log\":\"access\",\"time\":%s,\"client\":%s,\"user\":%s,\"method\":%s,\"path\":%s,\"status\":%s,\"microseconds\":%s,\"tag\":%s,\"request\":%s}\n",
        quoted(part[1]), quoted(bytes_of(part[2])), quoted(bytes_of(part[3])), quoted(bytes_of(part[4])), quoted(bytes_of(part[5])),
        number(part[6]), number(part[7]), quoted(bytes_of(part[8])), quoted(bytes_of(part[9]))
}

{
    if (stream == "access")
        access_line()
    else
        error_line()
    fflush()
}
