# SPDX-License-Identifier: Apache-2.0
"""The rules that lint holds the tree to. Each takes a Tree and yields what is wrong, a line each."""

import os
import pathlib
import re
import subprocess

import comments
import compare
import links
import logs
import prose
import rows

RULES = []  # (name, function), in the order below

# The top level is fixed: what belongs to none of these has no place there.
TOP_LEVEL = set(
    "Makefile.in configure.ac src test conf doc docker ChangeLog README.md LICENSE CONTRIBUTING.md SECURITY.md"
    " autogen.sh demo check scripts .github .ci .clang-format .gitignore".split()
)
SOURCE_SUFFIXES = set(".c .h .def .py .sh .pl .pm .t .in .ac .conf .map".split())
HTTPD_HEADER = re.compile(r"^(httpd|ap_\w+|http_(config|connection|core|log|main|protocol|request|vhost)"
                          r"|mod_\w+|util_\w+|scoreboard|mpm_common)\.h$")
LIBRARIES = [  # whose headers, in which one file
    (re.compile(r"^openssl/"), "crypto/crypto.c"),
    (re.compile(r"^jansson(_config)?\.h$"), "base/json.c"),
    (re.compile(r"^cjose/"), "crypto/jose.c"),
    (re.compile(r"^curl/"), "http/http_curl.c"),
    (re.compile(r"^zlib\.h$"), "session/pack.c"),
    (re.compile(r"^libmemcached(-1\.0|util)?/"), "store/store_memcached.c"),
]
# The rooms of src/core in their order: a file includes its own room and those before it. Rooms in
# one set do not include each other.
ROOMS = [{"base"}, {"metrics"}, {"crypto"}, {"net"}, {"browser"}, {"http", "store"}, {"env"}, {"conf"}, {"provider"}, {"rp"}, {"audit"}, {"session"},
         {"login", "logout", "access"}, {"check"}]
MADE = set("MANIFEST build .cache .git __pycache__ configure Makefile config.log config.status obj".split())
BANNED = "strcpy strncpy strcat strncat sprintf vsprintf strtok atoi atol atoll atof rand srand gets alloca apr_pstrmemdup".split()
README_LINES = 150
README_COLUMNS = 100
FUNCTION_LINES = 45
FILE_LINES = 560


def rule(name):
    def add(function):
        RULES.append((name, function))
        return function

    return add


class Tree:
    """The project's files, and the build dir whose objects are looked at."""

    def __init__(self, root, build):
        self.root = pathlib.Path(root)
        self.build = pathlib.Path(build)
        self._texts = {}
        self.files = sorted(self._list())

    def _list(self):
        """What git knows or would add; without git, everything that is not made."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if listed.returncode == 0 and (self.root / ".git").exists():
            names = [name for name in listed.stdout.decode().split("\0") if name]
        else:
            names = []
            for folder, below, found in os.walk(self.root):
                below[:] = [name for name in below if name not in MADE]
                names += [os.path.relpath(os.path.join(folder, name), self.root)
                          for name in found if name not in MADE]
        return [name for name in names if (self.root / name).is_file()]

    def text(self, name):
        if name not in self._texts:
            data = (self.root / name).read_bytes()
            self._texts[name] = "" if b"\0" in data else data.decode("utf-8", "replace")
        return self._texts[name]

    def below(self, folder, *suffixes):
        return [name for name in self.files if name.startswith(folder)
                and (not suffixes or name.endswith(suffixes))]

    def written(self):
        """Everything written by hand: not the fuzz corpora, not the files of Kubeflow, not the licences."""
        return [name for name in self.files if not name.startswith(("test/fuzz/corpus/", "test/kubeflow/upstream/files/"))
                and os.path.basename(name) != "LICENSE"]

    def is_script(self, name, interpreter):
        first = self.text(name).split("\n", 1)[0]
        return first.startswith("#!") and interpreter in first

    def includes(self, name):
        found = re.finditer(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', self.text(name), re.M)
        return [match.group(1) for match in found]


@rule("the top level holds what it should and nothing else")
def top_level(tree):
    found = {name.split("/", 1)[0] for name in tree.files}
    for name in sorted(TOP_LEVEL - found):
        yield "%s is missing" % name
    for name in sorted(found - TOP_LEVEL):
        yield "%s has no place at the top level" % name


@rule("src/core knows nothing of httpd")
def core_without_httpd(tree):
    core = tree.below("src/core/")
    for name in core:
        for header in tree.includes(name):
            if HTTPD_HEADER.match(os.path.basename(header)) and not (
                    tree.root / "src/core" / header).exists():
                yield "%s includes %s" % (name, header)
            if "httpd/" in header:
                yield "%s reaches into src/httpd: %s" % (name, header)
    core_made = tree.build / "obj/core"
    made = sorted(core_made.rglob("*.d"))
    if not made:
        yield "no compiled core object in %s: build first" % tree.build.name
    for listing in made:
        for path in listing.read_text().replace("\\\n", " ").split():
            if path.endswith("/httpd.h") or "/apache2/" in path or "/src/httpd/" in path:
                yield "src/core/%s.c was compiled with %s" % (
                    listing.relative_to(core_made).with_suffix(""), os.path.basename(path))


def _room(name):
    """The room of a file below src/core: its folder there, or, without one, its own name."""
    return name[len("src/core/"):].split("/")[0].split(".")[0]


@rule("rooms of src/core include only rooms before them")
def rooms_in_order(tree):
    floor = {room: place for place, rooms in enumerate(ROOMS) for room in rooms}
    for name in tree.below("src/core/", ".c", ".h"):
        if _room(name) not in floor:
            yield "%s is in no room: rules.py has their order" % name
            continue
        for header in tree.includes(name):
            if "src/core/" + header not in tree.files:
                continue
            room = _room("src/core/" + header)
            if room != _room(name) and floor.get(room, len(ROOMS)) >= floor[_room(name)]:
                yield "%s includes %s, which is no room before its own" % (name, header)


@rule("no file of src includes one that includes it")
def no_circle(tree):
    """A source file and its header are one file here."""
    known = {}
    for name in tree.below("src/", ".h", ".c"):
        side = name.split("/")[1]
        here = known.setdefault((side, os.path.basename(name).split(".")[0]), set())
        for header in (header for header in tree.includes(name) if header.endswith(".h")):
            for path, owner in (("src/%s/%s" % (side, header), side), ("src/" + header, "core")):
                if path in tree.files:
                    here.add((owner, os.path.basename(header).split(".")[0]))
                    break
    reached = {}
    for file in known:
        found, ahead = set(), list(known[file] - {file})
        while ahead:
            one = ahead.pop()
            if one not in found:
                found.add(one)
                ahead += known.get(one, set()) - {one}
        reached[file] = found
    told = set()
    for file in sorted(known):
        circle = {other for other in reached[file] if file in reached.get(other, set())}
        if circle and file not in told:
            told |= circle
            yield "these include each other: " + ", ".join("src/%s %s" % one for one in sorted(circle))


@rule("each library is included in one core file")
def libraries_in_one_file(tree):
    for name in tree.below("src/", ".c", ".h", ".def"):
        for header in tree.includes(name):
            for library, home in LIBRARIES:
                if library.match(header) and name != "src/core/" + home:
                    yield "%s includes %s, which belongs to src/core/%s alone" % (name, header, home)


@rule("exported symbols carry the name of their file")
def symbols_carry_room(tree):
    for folder, prefix in (("core", "kc_"), ("httpd", "akc_")):
        made_below = tree.build / "obj" / folder
        made = sorted(made_below.rglob("*.o"))
        if not made:
            yield "no compiled object of src/%s in %s: build first" % (folder, tree.build.name)
        for made_object in made:
            source = "src/%s/%s.c" % (folder, made_object.relative_to(made_below).with_suffix(""))
            if not (tree.root / source).exists():
                continue  # its source was renamed since
            listed = subprocess.run(["nm", "--defined-only", "--extern-only", "--format=posix", made_object],
                                    stdout=subprocess.PIPE, check=True, universal_newlines=True)
            for line in listed.stdout.splitlines():
                symbol = line.split()[0]
                if symbol != "auth_keycloak_module" and not symbol.startswith(prefix + made_object.stem + "_"):
                    yield "%s exports %s; its name should begin with %s%s_" % (
                        source, symbol, prefix, made_object.stem)


@rule("types end in _t and enum values are KC_ or AKC_ in capitals")
def types_and_values(tree):
    for name in tree.below("src/", ".h"):
        text = rows.without_comments(tree.text(name), strings=False)
        text = re.sub(r"^\s*#(?:[^\n\\]|\\.|\\\n)*", "", text, flags=re.M)
        for made in rows.typedef_names(text):
            if not made.endswith("_t"):
                yield "%s: type %s does not end in _t" % (name, made)
        for body in re.findall(r"\benum\b\s*\w*\s*\{([^}]*)\}", text):
            for value in body.split(","):
                word = re.match(r"\s*(\w+)", value)
                if word and not re.match(r"^A?KC_[A-Z0-9_]+$", word.group(1)):
                    yield "%s: enum value %s" % (name, word.group(1))


def _map_rows(text):
    """Of CONTRIBUTING's map: (folder, name of a file without its suffix), as its tables list them."""
    folder = None
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if len(cells) != 2:
            folder = None
        elif re.match(r"src/[\w/]+$", cells[0]):
            folder = cells[0]
        elif folder and not cells[0].startswith("---"):
            for word in cells[0].split(","):
                yield folder, word.strip().split(".")[0]


@rule("CONTRIBUTING's map has each source file in its room")
def map_complete(tree):
    mapped = set(_map_rows(tree.text("CONTRIBUTING.md") if "CONTRIBUTING.md" in tree.files else ""))
    there = {(os.path.dirname(name), os.path.basename(name).split(".")[0])
             for name in tree.below("src/", ".c", ".h", ".def")}
    for folder, name in sorted(there - mapped):
        yield "%s/%s is missing in the table of %s" % (folder, name, folder)
    for folder, name in sorted(mapped - there):
        yield "the table of %s names %s, which is not there" % (folder, name)


@rule("test/README.md has a row for each folder of test/")
def tests_mapped(tree):
    page = "test/README.md"
    text = tree.text(page) if page in tree.files else ""
    found = re.findall(r"^\| (test/[\w/]+) \|(.*)\|$", text, re.M)
    folders = {str(above) for name in tree.below("test/") for above in pathlib.PurePosixPath(name).parents}
    named = [folder for folder, _ in found]
    for folder in sorted(folders - set(named)):
        if folder.count("/") == 1:
            yield "%s has no row for %s" % (page, folder)
    for folder, cells in found:
        if folder not in folders:
            yield "%s names %s, which is not there" % (page, folder)
        if named.count(folder) > 1:
            yield "%s names %s more than once" % (page, folder)
        if len(cells.split("|")) != 5 or not all(cell.strip() for cell in cells.split("|")):
            yield "%s does not say of %s: language, real, fake, seconds, what to look for" % (page, folder)


@rule("unit tests have the name of what they test, and each source file has some")
def unit_tests_named(tree):
    page, core, unit = "test/README.md", "src/core/", "test/unit/"
    text = tree.text(page) if page in tree.files else ""
    sources = {name[len(core):-2] for name in tree.below(core, ".c")}
    tests = [name[len(unit):-2] for name in tree.below(unit, ".c") if os.path.basename(name).startswith("test_")]
    tested = set()
    for test in tests:
        folder, name = os.path.split(test)
        words = name[len("test_"):].split("_")
        mine = {os.path.join(folder, "_".join(words[:count])) for count in range(1, len(words) + 1)} & sources
        tested |= {max(mine, key=len)} if mine else set()
        if not mine and not re.search(r"^\| %s%s\.c \|" % (unit, test), text, re.M):
            yield "%s%s.c: there is no file of src/core/%s that it is named by" % (unit, test, folder)
    elsewhere = {}
    for files, test in re.findall(r"^\| src/core/([\w/]+(?:, \w+)*) \| (test/unit/[\w/]+\.c) \|$", text, re.M):
        folder = os.path.dirname(files)
        for name in os.path.basename(files).split(", "):
            elsewhere[os.path.join(folder, name)] = test
    for name in sorted(sources - tested - set(elsewhere)):
        yield "src/core/%s.c has no unit tests of its name, and %s does not say where they are" % (name, page)
    for name, test in sorted(elsewhere.items()):
        if name not in sources or name in tested:
            yield "%s says where the tests of src/core/%s.c are: %s" % (
                page, name, "they have its name" if name in tested else "it is not there")
        if test not in tree.files:
            yield "%s names %s, which is not there" % (page, test)


@rule("directives and the reference configuration name each other")
def reference_complete(tree):
    defined = {values[2] for _, values, _ in
               rows.read(tree.root / "src/core/conf/conf.def", "KC_CONF", "KC_CONF_DIR")}
    reference = "conf/reference.conf"
    mentioned = set()
    if reference in tree.files:
        mentioned = set(re.findall(r"^\s*#?\s*(Keycloak[A-Z]\w*)", tree.text(reference), re.M))
    if not defined:
        yield "src/core/conf/conf.def has no rows"
    for name in sorted(defined - mentioned):
        yield "%s is missing in %s" % (name, reference)


@rule("no list is keyed by directives: their rows say it")
def directives_in_rows(tree):
    """Code may name a directive to blame it in a message: its position, its name, and which one it was."""
    blamed = re.compile(r"position\[KC_CONF_ROW_\w+\]|kc_conf_table_row\(KC_CONF_ROW_\w+\)->name"
                        r"|\bakc_config_is_own\([^;{}]*?KC_CONF_ROW_\w+\)|\bindex = [^;{}]*;|KC_CONF_ROW_##member")
    for name in tree.below("src/", ".c", ".h", ".def"):
        text = blamed.sub(lambda found: re.sub(r"[^\n]", " ", found.group(0)), rows.without_comments(tree.text(name)))
        for match in re.finditer(r"\bKC_CONF_ROW_\w+", text):
            yield "%s:%d: %s: put what is asked of it into its row in conf.def" % (
                name, text.count("\n", 0, match.start()) + 1, match.group(0))


@rule("no directive is named that does not exist")
def directives_exist(tree):
    known = {"KeycloakRealmImport"}  # a kind of the Keycloak operator
    for name in tree.below("src/", ".c", ".h", ".def"):
        known |= set(re.findall(r'"(Keycloak[A-Z]\w*)"', tree.text(name)))
    pages = tree.below("conf/") + tree.below("doc/") + tree.below("docker/") + ["README.md", "CONTRIBUTING.md"]
    for name in pages:
        if name not in tree.files:
            continue
        for number, line in enumerate(tree.text(name).split("\n"), 1):
            for word in re.findall(r"(?<![\w.])(Keycloak[A-Z]\w+)", line):
                if word not in known:
                    yield "%s:%d: %s" % (name, number, word)


@rule("the manual's tables are those that make reference writes")
def made_tables(tree):
    for name, page, _ in rows.TABLES:
        text = tree.text(page) if page in tree.files else ""
        try:
            if text != rows.filled(tree.root, name, text):
                yield "%s: the table differs from conf.def, err.def or metrics.def: run make reference" % page
        except ValueError as error:
            yield str(error)


def manual(tree):
    """The pages that administrators read."""
    return [name for name in tree.files
            if name in ("README.md", "SECURITY.md") or name.startswith(("doc/", "docker/")) and name.endswith(".md")]


@rule("links between pages lead to a file and a heading that are there")
def links_lead_somewhere(tree):
    for name in manual(tree) + [name for name in tree.files if name in ("CONTRIBUTING.md", "test/README.md")]:
        yield from links.faults(name, tree)


@rule("the comparison names its sources, and has the benchmark's figures")
def comparison_sourced(tree):
    if compare.PAGE in tree.files:
        for number, what in compare.faults(tree.text(compare.PAGE), tree.text(compare.FIGURES)):
            yield "%s:%d: %s" % (compare.PAGE, number, what)


@rule("README is a front page of at most %d lines and %d columns" % (README_LINES, README_COLUMNS))
def front_page(tree):
    lines = tree.text("README.md").splitlines() if "README.md" in tree.files else []
    if len(lines) > README_LINES:
        yield "README.md has %d lines" % len(lines)
    for number, line in enumerate(lines, 1):
        if len(line) > README_COLUMNS:
            yield "README.md:%d has %d columns" % (number, len(line))


@rule("sentences of the manual are short: half of them up to %d words, none over %d" % (prose.MEDIAN, prose.LONGEST))
def sentences_short(tree):
    for name in manual(tree):
        yield from prose.faults(name, tree.text(name))


@rule("each log line has a tag")
def log_lines_tagged(tree):
    yield from logs.untagged(tree)


@rule("comments in src have short sentences: half of them up to %d words, none over %d" % (prose.MEDIAN, prose.LONGEST))
def comments_short(tree):
    for name in tree.below("src/", ".c", ".h", ".def"):
        yield from comments.faults(name, tree.text(name))


@rule("comments in src use no word that the field's term has replaced")
def comments_in_terms(tree):
    for name in tree.below("src/", ".c", ".h", ".def"):
        yield from comments.old_words(name, tree.text(name))


@rule("troubleshooting has cause and cure of each log tag")
def tags_explained(tree):
    page = "doc/troubleshooting.md"
    text = tree.text(page) if page in tree.files else ""
    found = re.findall(r"^\| `KC(\d{4})` \| ([\w-]+) \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    explained = {tag: word for tag, word, cause, cure in found if cause.strip() and cure.strip()}
    for _, (_, tag, slug, *_), _ in rows.read(tree.root / "src/core/base/err.def", "KC_ERR"):
        if explained.pop(tag, None) != slug:
            yield "%s has no row `KC%s` | %s | cause | cure" % (page, tag, slug)
    for tag in explained:
        yield "%s explains KC%s, which src/core/base/err.def does not have" % (page, tag)


@rule("monitoring names metrics of the table, and each alert has its runbook")
def monitoring(tree):
    known = set()
    for name, kind, _, _ in rows.metric_rows(tree.root):
        known |= {name + end for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
    for name in tree.below("conf/monitoring/"):
        for metric in sorted(set(re.findall(r"\bmod_auth_keycloak_\w+", tree.text(name))) - known):
            yield "%s: %s is no metric of src/core/metrics/metrics.def" % (name, metric)
        for alert in re.split(r"^ *- (?=alert:|record:)", tree.text(name), flags=re.M)[1:]:
            page, _, anchor = (re.findall(r"runbook_url: (\S+)", alert) or [""])[0].partition("#")
            if alert.startswith("alert:") and (page not in tree.files or anchor not in links.anchors(tree.text(page))):
                yield "%s: %s has no runbook that is there" % (name, alert.split("\n", 1)[0])


@rule("the fields of the audit log are those that doc/audit.md explains, in their order and with their sizes")
def audit_fields_explained(tree):
    source, page = "src/core/audit/audit_line.c", "doc/audit.md"
    if source not in tree.files:
        return
    written = re.findall(r"\bFIELD\((\w+), (\d+)\)", tree.text(source))
    text = tree.text(page) if page in tree.files else ""
    explained = re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+) \|$", text, re.M)
    for field in written:
        if field not in explained:
            yield "%s has no row `%s` | what it is | %s" % (page, *field)
    for field in explained:
        if field not in written:
            yield "%s explains `%s` with %s bytes, which %s does not write" % (page, *field, source)
    if not written or sorted(written) == sorted(explained) and written != explained:
        yield "%s has the fields in another order than %s" % (page, source)


def _numbers(text):
    """The numbers in a list such as `J 132, 134, K 149-151 and 155`: of a range its ends."""
    return [int(number) for number in re.findall(r"(?<![\w.])\d+", text)]


@rule("threats that tests cite, and tests that the list of threats names, are there")
def threats_tested(tree):
    page = "doc/threats.md"
    rows_found = re.findall(r"^\| ([\dA-Z][\d–]*) \|.*\| ([^|]+) \|$", tree.text(page), re.M) if page in tree.files else []
    known = set()
    tests = {os.path.basename(name) for name in tree.below("test/")}
    for number, named in rows_found:
        ends = [int(end) for end in number.split("–") if end.isdigit()]
        known |= set(range(ends[0], ends[-1] + 1)) if ends else set()
        for test in re.split(r",\s*", named.strip()):
            if test not in tests:
                yield "%s: %s names %s, which is no test" % (page, number, test)
    if not known:
        yield "%s lists no threats" % page
    for name in tree.below("test/"):
        for cited in re.finditer(r"\bthreats\.md ([A-R\d][^:;*\n\"']*)", tree.text(name)):
            for number in _numbers(cited.group(1)):
                if number not in known:
                    yield "%s cites %d, which %s does not have" % (name, number, page)


@rule("error tags and slugs are unique, and a test names each error")
def errors_tested(tree):
    tests = [tree.text(name) for folder in ("test/unit/", "test/t/", "test/e2e/")
             for name in tree.below(folder)]
    if not tests:
        yield "there are no tests"
    everything = "\n".join(tests)
    tags, slugs, count = {}, {}, 0
    for _, (reason, tag, slug, *_), line in rows.read(tree.root / "src/core/base/err.def", "KC_ERR"):
        count += 1
        for kind, value, seen in (("tag", tag, tags), ("slug", slug, slugs)):
            if value in seen:
                yield "src/core/base/err.def:%d: %s %s is that of %s already" % (line, kind, value, seen[value])
            seen[value] = reason
        names = r"\bKC_ERR_%s\b|\bKC%s\b|[\"']%s[\"']" % (reason, tag, re.escape(slug))
        if "-" in slug:
            names += r"|(?<![\w-])%s(?![\w-])" % re.escape(slug)
        if not re.search(names, everything):
            yield "src/core/base/err.def:%d: no test names %s (KC%s, %s)" % (line, reason, tag, slug)
    if count == 0:
        yield "src/core/base/err.def has no rows"


def clang_format():
    """The pinned one, fetched when it is not there."""
    run = subprocess.run(["bash", "-c", ". test/support/shell/format.sh && format_fetch && format_home && echo \"$CLANG_FORMAT\""],
                         cwd=pathlib.Path(__file__).resolve().parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         check=False, universal_newlines=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip())
    return run.stdout.strip()


@rule("C files have the form that clang-format gives")
def formatted(tree):
    program = clang_format()
    files = tree.below("src/", ".c", ".h") + tree.below("test/", ".c", ".h")
    for name in files:
        run = subprocess.run([program, "--dry-run", "-Werror", name], cwd=tree.root,
                             stderr=subprocess.PIPE, check=False, universal_newlines=True)
        if run.returncode != 0:
            yield "%s (make format mends it)" % (run.stderr.split("\n", 1)[0] or name)


@rule("no function is used that invites overruns")
def no_banned_function(tree):
    pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
    for name in tree.below("src/", ".c", ".h") + tree.below("test/", ".c", ".h"):
        text = rows.without_comments(tree.text(name), strings=False)
        for match in pattern.finditer(text):
            yield "%s:%d: %s" % (name, text.count("\n", 0, match.start()) + 1, match.group(1))


@rule("no hook reads a field of the client's request that is not there before its line is read")
def line_not_assumed(tree):
    """akc_request_path is the one place that may; what follows from the path being there may, too."""
    fields = r"uri|unparsed_uri|method|method_number|the_request|protocol|hostname|filename|handler"
    pattern = re.compile(r"\b(?:first|origin\(r\))->(?:%s)\b" % fields)
    sound = {"src/httpd/request.c": "akc_request_path", "src/httpd/export.c": "hide_query"}
    for name in tree.below("src/httpd/", ".c"):
        text = rows.without_comments(tree.text(name), strings=False)
        for match in pattern.finditer(text):
            opened = text.rfind("\n{\n", 0, match.start())
            head = text[text.rfind("\n", 0, opened) + 1:opened]
            if name not in sound or "%s(" % sound[name] not in head:
                yield "%s:%d: %s" % (name, text.count("\n", 0, match.start()) + 1, match.group(0))


@rule("each source file names its licence")
def licence_named(tree):
    for name in tree.written():
        base = os.path.basename(name)
        source = (os.path.splitext(base)[1] in SOURCE_SUFFIXES or base.startswith("Dockerfile")
                  or tree.text(name).startswith("#!"))
        if source and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(
                tree.text(name).split("\n")[:6]):
            yield "%s has no SPDX line at its top" % name


@rule("no path of one machine and no unfinished work")
def nothing_private(tree):
    paths = re.compile(r"(?<![\w.~}-])/(?:work|root|home)/")
    marks = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X{3})\b")
    for name in tree.written():
        for number, line in enumerate(tree.text(name).split("\n"), 1):
            if paths.search(line):
                yield "%s:%d: path of a machine: %s" % (name, number, line.strip()[:80])
            if marks.search(line):
                yield "%s:%d: unfinished: %s" % (name, number, line.strip()[:80])


@rule("functions have at most %d lines, files at most %d" % (FUNCTION_LINES, FILE_LINES))
def sizes(tree):
    for name in tree.below("src/", ".c", ".h"):
        lines = tree.text(name).split("\n")
        if len(lines) - 1 > FILE_LINES:
            yield "%s has %d lines" % (name, len(lines) - 1)
        opened = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                opened = number
            elif line.startswith("}") and opened:
                if number - opened - 1 > FUNCTION_LINES:
                    yield "%s:%d: a function of %d lines" % (name, opened, number - opened - 1)
                opened = None


@rule("Python files compile")
def python_compiles(tree):
    for name in tree.written():
        if name.endswith(".py") or tree.is_script(name, "python"):
            try:
                compile(tree.text(name), name, "exec")
            except SyntaxError as error:
                yield "%s:%s: %s" % (name, error.lineno, error.msg)


@rule("workflows name actions by commit and version, and may do no more than they say")
def workflows_pinned(tree):
    for name in tree.below(".github/workflows/"):
        text = tree.text(name)
        for number, line in enumerate(text.split("\n"), 1):
            used = re.match(r"\s*(?:- )?uses:\s*(\S.*)$", line)
            if used and not re.match(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+){2}$", used.group(1)):
                yield "%s:%d: %s" % (name, number, used.group(1))
        if not re.search(r"^permissions:\n  contents: read\n(?! )", text, re.M):
            yield "%s: the permissions of the whole are not contents: read alone" % name
        if len(re.findall(r"^    runs-on:", text, re.M)) != len(re.findall(r"^    timeout-minutes:", text, re.M)):
            yield "%s: a job has no timeout-minutes" % name


@rule("shellcheck finds no fault in shell scripts")
def shell_checked(tree):
    scripts = [name for name in tree.written()
               if tree.is_script(name, "bash") or tree.is_script(name, "/sh")
               or name.endswith(".sh")]
    if not scripts:
        yield "there is no shell script"
        return
    # SC1091: files sourced by a path known at run time are among those given anyway.
    run = subprocess.run(["shellcheck", "-s", "bash", "-S", "warning", "-e", "SC1090,SC1091", "-f", "gcc", *scripts],
                         cwd=tree.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                         universal_newlines=True)
    if run.returncode != 0:
        yield from run.stdout.splitlines() or ["shellcheck failed"]
