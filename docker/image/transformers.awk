# USERID_TRANSFORMERS, a JSON list of {"matches": REGEX, "replaces": TEXT} in Go's syntax: prints two
# lines for each, each after "=": a POSIX extended regular expression and its replacement. What
# cannot be expressed that way is reported on stderr, and the status is 1; notes are there too, with status 0.
# SPDX-License-Identifier: Apache-2.0

BEGIN {
    text = ENVIRON["USERID_TRANSFORMERS"]
    at = 1
    rules = 0
    for (i = 1; i < 256; i++)
        code[sprintf("%c", i)] = i
    skip()
    take("[")
    skip()
    if (peek() == "]") {
        at++
    } else {
        do {
            rule()
            skip()
        } while (accept(","))
        take("]")
    }
    skip()
    if (at <= length(text))
        bad("has something behind the list")
    printf "%s", output
    printf "%s", remarks >"/dev/stderr"
    exit 0
}

function bad(why) {
    print why >"/dev/stderr"
    exit 1
}

function peek() { return substr(text, at, 1) }

function skip() {
    while (at <= length(text) && index(" \t\r\n", peek()))
        at++
}

function accept(c) {
    skip()
    if (peek() != c)
        return 0
    at++
    return 1
}

function take(c) {
    if (!accept(c))
        bad("is not a JSON list of {\"matches\": REGEX, \"replaces\": TEXT}: '" c "' is missing at character " at)
}

function hex4(   value, i, digit) {
    value = 0
    for (i = 0; i < 4; i++) {
        digit = index("0123456789abcdef", tolower(peek()))
        if (!digit || peek() == "")
            bad("has a \\u without four hexadecimal digits at character " at)
        value = value * 16 + digit - 1
        at++
    }
    return value
}

function utf8(n) {
    if (n < 32 || n == 127)
        bad("has a control character, at character " at)
    if (n < 128)
        return sprintf("%c", n)
    if (n < 2048)
        return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
    if (n >= 55296 && n < 57344)
        bad("has half of a surrogate pair at character " at)
    if (n < 65536)
        return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
    return sprintf("%c%c%c%c", 240 + int(n / 262144), 128 + int(n / 4096) % 64, 128 + int(n / 64) % 64, 128 + n % 64)
}

function unescape(   c, n, low) {
    c = peek()
    at++
    if (c != "" && index("\"\\/", c))
        return c
    if (c != "u")
        bad("has an escape for a control character, or none that JSON knows, at character " at - 1)
    n = hex4()
    if (n >= 55296 && n < 56320 && substr(text, at, 2) == "\\u") {
        at += 2
        low = hex4()
        if (low < 56320 || low >= 57344)
            bad("has half of a surrogate pair at character " at)
        n = 65536 + (n - 55296) * 1024 + low - 56320
    }
    return utf8(n)
}

function string(   out, c) {
    take("\"")
    out = ""
    while ((c = peek()) != "\"") {
        if (c == "")
            bad("has a string without an end")
        at++
        if (c == "\\")
            c = unescape()
        else if (code[c] < 32 || code[c] == 127)
            bad("has a control character inside a string, at character " at - 1)
        out = out c
    }
    at++
    return out
}

function rule(   name, value, has_matches, has_replaces, matches, replaces) {
    take("{")
    do {
        skip()
        name = string()
        take(":")
        skip()
        value = string()
        if (name == "matches") {
            if (has_matches++)
                bad("has \"matches\" twice in one rule")
            matches = value
        } else if (name == "replaces") {
            if (has_replaces++)
                bad("has \"replaces\" twice in one rule")
            replaces = value
        }
    } while (accept(","))
    take("}")
    rules++
    if (!has_matches || !has_replaces)
        bad("needs \"matches\" and \"replaces\" in rule " rules)
    output = output "=" expression(matches) "\n=" replacement(replaces) "\n"
}

# ---------------- Go's expressions

function cannot(what) {
    bad("has in rule " rules " " what ", which a POSIX extended regular expression cannot say")
}

function remark(what) {
    remarks = remarks "has in rule " rules " " what "\n"
}

# Counts groups for the replacement.
function expression(regex,   i, c, next_one, out, before) {
    groups = 0
    out = ""
    before = ""
    if (regex == "")
        cannot("an empty expression")
    for (i = 1; i <= length(regex); i++) {
        c = substr(regex, i, 1)
        next_one = substr(regex, i + 1, 1)
        if (c == "\\") {
            if (next_one == "" || next_one ~ /[A-Za-z0-9]/)
                cannot("\\" next_one)
            # POSIX has no escape for characters that are not special.
            out = out (index("\\^$.|?*+()[]{}", next_one) && next_one != "]" && next_one != "}" ? "\\" next_one : next_one)
            i++
            before = "x"
            continue
        }
        if (c == "[") {
            bracket_end = 0
            out = out bracket(regex, i)
            i = bracket_end
            before = "x"
            continue
        }
        if (c == "(") {
            if (next_one == "?")
                cannot("(?")
            groups++
        } else if (c == "|") {
            if (before == "" || before == "(" || before == "|" || next_one == "" || next_one == ")" || next_one == "|")
                cannot("an empty alternative")
            remark("an alternative (|): Go takes the first that matches, here the longest does")
        } else if (c == ")" && (before == "(" || before == "|")) {
            cannot("an empty group")
        } else if (index("*+?", c)) {
            if (before == "" || index("(|*+?{^", before))
                cannot("'" before c "'")
        } else if (c == "{") {
            if (before == "" || index("(|*+?{^", before) || !match(substr(regex, i), /^\{[0-9]+(,[0-9]*)?\}/))
                cannot("'{' that is no count")
            out = out substr(regex, i, RLENGTH)
            i += RLENGTH - 1
            before = "{"
            continue
        }
        out = out c
        before = c
    }
    if (substr(regex, 1, 1) != "^" && substr(regex, length(regex)) != "$" && !index(regex, "@"))
        remark("an expression without ^ or $: Go replaces each match, here the first one is")
    return out
}

# A bracket expression that begins at start: in Go a backslash escapes, in POSIX it is itself.
function bracket(regex, start,   i, c, out, count) {
    out = "["
    i = start + 1
    if (substr(regex, i, 1) == "^") {
        out = "[^"
        i++
    }
    for (count = 0; (c = substr(regex, i, 1)) != "]" || count == 0; count++) {
        if (c == "")
            cannot("'[' without an end")
        if (substr(regex, i, 2) == "[:") {
            if (!match(substr(regex, i), /^\[:(alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit):\]/))
                cannot("a class that POSIX does not have")
            out = out substr(regex, i, RLENGTH)
            i += RLENGTH
            continue
        }
        if (substr(regex, i, 2) == "[." || substr(regex, i, 2) == "[=" || (c == "&" && substr(regex, i + 1, 1) == "&"))
            cannot("'" substr(regex, i, 2) "' inside brackets")
        if (c == "\\") {
            i++
            c = substr(regex, i, 1)
            if (c == "" || c ~ /[A-Za-z0-9]/ || index("]^-[\\", c))
                cannot("'\\" c "' inside brackets")
        }
        out = out c
        i++
    }
    bracket_end = i
    return out "]"
}

function replacement(template,   i, c, name, out) {
    out = ""
    for (i = 1; i <= length(template); i++) {
        c = substr(template, i, 1)
        if (c == "\\") {
            out = out "\\\\"
        } else if (c != "$") {
            out = out c
        } else if (substr(template, i + 1, 1) == "$") {
            out = out "$"
            i++
        } else if (match(substr(template, i + 1), /^\{[A-Za-z0-9_]+\}/)) {
            name = substr(template, i + 2, RLENGTH - 2)
            i += RLENGTH
            out = out group(name)
        } else if (match(substr(template, i + 1), /^[A-Za-z0-9_]+/)) {
            name = substr(template, i + 1, RLENGTH)
            i += RLENGTH
            out = out group(name)
        } else {
            out = out "$"
        }
    }
    return out
}

# A group that does not exist is empty in Go.
function group(name) {
    if (name !~ /^[0-9]$/)
        cannot("$" name " (for group 1 before a letter write ${1})")
    if (name + 0 > groups)
        return ""
    return "\\" name
}
