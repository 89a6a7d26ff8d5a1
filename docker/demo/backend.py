#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands for a web application of Kubeflow: shows the identity and the headers that it gets."""

import argparse
import html
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USER_HEADER = "kubeflow-userid"
GROUPS_HEADER = "kubeflow-groups"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
  :root {{ color-scheme: light dark; --ink: #1f2937; --soft: #6b7280; --paper: #fff; --line: #e5e7eb;
           --ground: #f3f6fb; --blue: #1967d2; --chip: #e8f0fe; }}
  @media (prefers-color-scheme: dark) {{ :root {{ --ink: #e5e7eb; --soft: #9ca3af; --paper: #1f2530;
           --line: #333c4a; --ground: #12161d; --blue: #8ab4f8; --chip: #26344d; }} }}
  * {{ box-sizing: border-box; }}
  body {{ margin: 0; background: var(--ground); color: var(--ink);
          font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }}
  header {{ background: var(--paper); border-bottom: 1px solid var(--line); }}
  header div, main {{ max-width: 60rem; margin: 0 auto; padding: 1rem 1.5rem; }}
  header div {{ display: flex; align-items: center; gap: 1rem; }}
  header strong {{ flex: 1; font-size: 1.1rem; }}
  .face {{ width: 4rem; height: 4rem; border-radius: 50%; background: var(--blue);
           color: var(--paper); display: grid; place-items: center; font-size: 1.8rem; }}
  .card {{ background: var(--paper); border: 1px solid var(--line); border-radius: .75rem;
           padding: 1.5rem; margin: 1.5rem 0; overflow-x: auto; }}
  .who {{ display: flex; gap: 1.25rem; align-items: center; }}
  h1 {{ margin: 0; font-size: 1.5rem; overflow-wrap: anywhere; }}
  h2 {{ margin: 0 0 .75rem; font-size: 1.05rem; }}
  p {{ margin: .25rem 0 0; color: var(--soft); }}
  .chip {{ display: inline-block; background: var(--chip); border-radius: 1rem; color: var(--ink);
           padding: .1rem .7rem; margin: .3rem .3rem 0 0; font-size: .9rem; }}
  .button {{ background: var(--blue); color: var(--paper); padding: .45rem 1.1rem;
             border-radius: .5rem; text-decoration: none; font-weight: 600; }}
  table {{ border-collapse: collapse; width: 100%; font: .85rem/1.5 ui-monospace, monospace; }}
  td {{ border-top: 1px solid var(--line); padding: .3rem .75rem .3rem 0; vertical-align: top;
        overflow-wrap: anywhere; }}
  td:first-child {{ color: var(--soft); white-space: nowrap; }}
  tr.identity td {{ color: var(--blue); font-weight: 600; }}
  a {{ color: var(--blue); }}
</style>
</head>
<body>
<header><div><strong>{name}</strong>{links}
  <a class="button" href="/authservice/logout" id="logout">Log out</a></div></header>
<main>
<section class="card who">
  <div class="face" aria-hidden="true">{initial}</div>
  <div><h1 id="user">{user}</h1><p>{remark}</p><div id="groups">{groups}</div></div>
</section>
<section class="card">
  <h2>What reached this page: {request}</h2>
  <table>{rows}</table>
  <p>The same as JSON: <a href="/api/identity">/api/identity</a></p>
</section>
</main>
<script>{script}</script>
</body>
</html>
"""


class _Recorder:
    """Remembers the lines read, so that headers are shown exactly as they came."""

    def __init__(self, stream):
        self.stream, self.lines = stream, []

    def readline(self, *size):
        line = self.stream.readline(*size)
        self.lines.append(line)
        return line

    def __getattr__(self, name):
        return getattr(self.stream, name)


def parse_lines(lines):
    """Name and value of each header line."""
    pairs = []
    for line in lines[1:]:
        text = line.decode("latin-1").rstrip("\r\n")
        if not text:
            break
        name, _, value = text.partition(":")
        pairs.append([name, value.strip()])
    return pairs


def values(headers, name):
    return [value for key, value in headers if key.lower() == name]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "dashboard"
    sys_version = ""
    timeout = 60

    def setup(self):
        super().setup()
        self.rfile = _Recorder(self.rfile)

    def handle_one_request(self):
        self.rfile.lines = []
        super().handle_one_request()

    def answer(self):
        headers = parse_lines(self.rfile.lines)
        length = values(headers, "content-length")
        body = self.rfile.read(int(length[0])) if length else b""
        users, groups = values(headers, USER_HEADER), values(headers, GROUPS_HEADER)
        seen = {"method": self.command, "path": self.path, "user": users[0] if users else None,
                "groups": groups[0].split(",") if groups and groups[0] else [],
                "headers": headers, "body_bytes": len(body)}
        self.server.backend.requests.append(seen)
        if self.path.startswith("/api/"):
            content, kind = json.dumps(seen, indent=2).encode() + b"\n", "application/json"
        else:
            content, kind = self.server.backend.page(seen).encode(), "text/html; charset=utf-8"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Backend", self.server.backend.name)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *arguments):
        pass


class Backend:
    """The server in a thread; `requests` holds what reached it, oldest first.

    `links`: address and text of each, for the top of its pages; `script`: JavaScript for them."""

    def __init__(self, port=0, name="dashboard", links=(), script=""):
        self.requests, self.name, self.links, self.script = [], name, links, script
        self.server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self.server.daemon_threads = True
        self.server.backend = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={
            "poll_interval": 0.1}, daemon=True)
        self.thread.start()

    def page(self, seen):
        user = seen["user"] or "nobody"
        rows = "".join(
            "<tr{}><td>{}</td><td>{}</td></tr>".format(
                ' class="identity"' if name.lower() in (USER_HEADER, GROUPS_HEADER) else "",
                html.escape(name), html.escape(value)) for name, value in seen["headers"])
        return PAGE.format(
            name=html.escape(self.name.capitalize()), script=self.script,
            links="".join(f'<a href="{html.escape(url)}">{html.escape(text)}</a>' for url, text in self.links),
            initial=html.escape(user[:1].upper()), user=html.escape(user),
            remark=f"from the header {USER_HEADER}" if seen["user"] else
            f"no header {USER_HEADER} came: nothing authenticates this request",
            groups="".join(f'<span class="chip">{html.escape(group)}</span>'
                           for group in seen["groups"]),
            request=html.escape(f"{seen['method']} {seen['path']}"), rows=rows)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8081)
    backend = Backend(parser.parse_args().port)
    print(f"http://127.0.0.1:{backend.port}/")
    try:
        backend.thread.join()
    except KeyboardInterrupt:
        backend.stop()


if __name__ == "__main__":
    main()
