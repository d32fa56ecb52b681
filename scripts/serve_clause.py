"""Serve one clause of RFC 9309 without any code of aipolicy, and print what a crawler fetches.

    python scripts/serve_clause.py wildcard -- wget -q -r -P {dir} {url}
    python scripts/serve_clause.py own-group --token MyBot --port 8000

The second form serves until it is interrupted, for a crawler that is started elsewhere. Each request is
printed. Exit codes: 0 the crawler obeys, 1 it fetched a forbidden page, or skipped an allowed one, 2 invalid
arguments, 3 not tested: it did not fetch the pages that the test needs, or didn't end within --seconds.
--list prints the clauses.
"""

import argparse
import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

ALL = "User-agent: *\n"
NOTES = "# " + "-" * 97 + "\n"
MANY_RULES = "".join(f"Disallow: /elsewhere/{number:06d}/\n" for number in range(19_600))
MOVED = {"/go.html": "/b.html"}


@dataclass
class Clause:
    """A robots.txt, and the links on the first page; the last link is always allowed.

    Attributes:
        robots: The robots.txt. TOKEN is the crawler's product token, SHORTER a name that it begins with.
        forbidden: Links that must not be fetched.
        may: Links that an over-cautious crawler skips.
        status: The status of the robots.txt; 0 closes the connection.
        moved: Redirects.
        also: Paths that a crawler requests only if it misreads a link.
        second: The robots.txt of a second port, which is {second} in links.
        asked_for: A path that the crawler must request.
    """

    robots: str | bytes
    forbidden: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    status: int = 200
    moved: dict[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    second: str = ""
    asked_for: str = ""


B = ("/b.html",)
AB = ("/a.html", "/b.html")
HOPS = {
    "/robots.txt": "/1.txt",
    "/1.txt": "/2.txt",
    "/2.txt": "/3.txt",
    "/3.txt": "/4.txt",
    "/4.txt": "/5.txt",
}
CLAUSES: dict[str, Clause] = {
    "robots-first": Clause(ALL + "Disallow: /b.html\n", B),
    "own-group": Clause(
        "User-agent: *\nDisallow: /a.html\n\nUser-agent: TOKEN\nDisallow: /b.html\n", B, ("/a.html",)
    ),
    "star-group": Clause(
        "User-agent: Else\nDisallow: /a.html\n\n" + ALL + "Disallow: /b.html\n", B, ("/a.html",)
    ),
    "shared-group": Clause("User-agent: Else\nUser-agent: TOKEN\nUser-agent: More\nDisallow: /b.html\n", B),
    "merged-groups": Clause(
        "User-agent: TOKEN\nDisallow: /a.html\n\nUser-agent: TOKEN\nDisallow: /b.html\n", AB
    ),
    "many-groups": Clause(
        "".join(f"User-agent: Else-{a}{b}\nDisallow: /a.html\n\n" for a in "abcdef" for b in "stuvwxyz")
        + ALL
        + "Disallow: /b.html\n",
        B,
    ),
    "whole-token-longer": Clause(
        "User-agent: TOKEN-Extra\nDisallow: /a.html\n\n"
        + ALL
        + "Disallow: /b.html\n\nUser-agent: TOKEN-More\nDisallow: /c.html\n",
        B,
        ("/a.html", "/c.html"),
    ),
    "whole-token-shorter": Clause(
        "User-agent: SHORTER\nDisallow: /a.html\n\n" + ALL + "Disallow: /b.html\n", B, ("/a.html",)
    ),
    "token-case": Clause("User-agent: SWAPPED\nDisallow: /b.html\n", B),
    "empty-group": Clause(ALL + "Disallow: /a.html\n\nUser-agent: TOKEN\n", (), ("/a.html",)),
    "ungrouped-rules": Clause("Disallow: /a.html\n\n" + ALL + "Disallow: /b.html\n", B, ("/a.html",)),
    "longest-match": Clause(
        ALL + "Allow: /\nDisallow: /b.html\nDisallow: /d/\nAllow: /d/ok.html\n", B, ("/d/ok.html",)
    ),
    "ties": Clause(
        ALL + "Allow: /a.html\nDisallow: /a.html\nDisallow: /c.html\nAllow: /c.html\n",
        (),
        ("/a.html", "/c.html"),
    ),
    "empty-rule": Clause(ALL + "Disallow:\n", (), ("/", "/a.html")),
    "path-case": Clause(
        ALL + "Disallow: /Dir/\nDisallow: /low/\nAllow: /LOW/b.html\n",
        ("/Dir/b.html", "/low/b.html"),
        ("/dir/a.html",),
    ),
    "query": Clause(ALL + "Disallow: /f.html?q=\n", ("/f.html?q=1",), ("/f.html",)),
    "unicode-rule": Clause(ALL + "Disallow: /naïve.html\n", ("/na%C3%AFve.html",)),
    "unicode-link": Clause(ALL + "Disallow: /caf%C3%A9.html\n", ("/café.html",)),
    "unicode-encoded": Clause(ALL + "Disallow: /%C3%A9t%C3%A9.html\n", ("/%C3%A9t%C3%A9.html",)),
    "hex-case": Clause(ALL + "Disallow: /%c3%bcber.html\n", ("/%C3%BCber.html",)),
    "encoded-letter-link": Clause(ALL + "Disallow: /qux.html\n", ("/%71ux.html",)),
    "encoded-letter-rule": Clause(ALL + "Disallow: /%62%61%7A.html\n", ("/baz.html",)),
    "encoded-slash": Clause(ALL + "Disallow: /a%2Fb.html\n", ("/a%2Fb.html",), also=("/a/b.html",)),
    "encoded-slash-apart": Clause(
        ALL + "Disallow: /d/\nAllow: /d%2Fb.html\nDisallow: /a%2Fb.html\n", ("/d/b.html",), ("/a/b.html",)
    ),
    "redirected-page": Clause(ALL + "Disallow: /b.html\n", ("/b.html",), ("/go.html",), moved=MOVED),
    "wildcard": Clause(
        ALL + "Disallow: /w/*/no\nDisallow: /*.secret.html\n", ("/w/x/no.html", "/top.secret.html")
    ),
    "anchor": Clause(ALL + "Disallow: /end.htm$\n", ("/end.htm",), ("/end.html",)),
    "field-case": Clause("USER-AGENT: *\ndisallow: /a.html\nDISALLOW: /b.html\n", AB),
    "field-space": Clause(ALL + "Disallow : /a.html\nDisallow\t:\t/b.html\n", AB),
    "indented-line": Clause(ALL + "  Disallow: /a.html\n\tDisallow: /b.html\n", AB),
    "blank-line-after-name": Clause("User-agent: *\n\nDisallow: /b.html\n", B),
    "blank-line-between-rules": Clause(ALL + "Disallow: /a.html\n\nDisallow: /b.html\n", AB),
    "comment-line": Clause("# hi\n" + ALL + "# Disallow: /a.html\nDisallow: /b.html\n", B, ("/a.html",)),
    "comment-after-value": Clause("User-agent: * # all\nDisallow: /b.html # no\n", B),
    "comment-without-space": Clause(ALL + "Disallow: /b.html#no\n", B),
    "crlf": Clause(b"User-agent: *\r\nDisallow: /a.html\r\nDisallow: /b.html\r\n", AB),
    "cr": Clause(b"User-agent: *\rDisallow: /a.html\rDisallow: /b.html\r", AB),
    "no-last-newline": Clause("User-agent: *\nDisallow: /b.html", B),
    "sitemap-record": Clause(
        ALL + "Sitemap: /s.xml\nDisallow: /a.html\nSitemap: /t.xml\nDisallow: /b.html\n", AB
    ),
    "other-record": Clause(ALL + "Shoe-size: 42\nDisallow: /a.html\nHat: 7\nDisallow: /b.html\n", AB),
    "record-between-names": Clause(
        "User-agent: TOKEN\nShoe-size: 42\nUser-agent: Else\nDisallow: /b.html\n", B
    ),
    "parsing-errors": Clause("<!doctype html>\n" + ALL + "nothing\n: :\nDisallow: /b.html\n", B),
    "size": Clause(ALL + "Disallow: /a.html\n" + NOTES * 5_110 + "Disallow: /b.html\n", AB),
    "size-of-rules": Clause(ALL + "Disallow: /a.html\n" + MANY_RULES + "Disallow: /b.html\n", AB),
    "bom": Clause(b"\xef\xbb\xbfUser-agent: *\nDisallow: /b.html\n", B),
    "authority": Clause(
        ALL + "Disallow: /a.html\n",
        ("{second}/b.html",),
        ("{second}/a.html",),
        second=ALL + "Disallow: /b.html\n",
    ),
    "waiting-requests": Clause(
        ALL + "Allow: /\n",
        tuple(f"{{second}}/private/{number}.html" for number in range(5)),
        second=ALL + "Disallow: /private/\n",
    ),
    "redirect": Clause(
        "", moved={"/robots.txt": "{second}/robots.txt"}, second=ALL, asked_for="{second}/robots.txt"
    ),
    "redirect-rules": Clause(
        "", B, moved={"/robots.txt": "{second}/robots.txt"}, second=ALL + "Disallow: /b.html\n"
    ),
    "five-redirects": Clause("", moved=HOPS, asked_for="/5.txt"),
    "five-redirects-rules": Clause("", B, moved=HOPS),
    "status-404": Clause("", (), ("/", "/a.html"), status=404),
    "status-403": Clause("", (), ("/", "/a.html"), status=403),
    "status-500": Clause("", ("/", "/z.html"), status=500),
    "dropped": Clause("", ("/", "/z.html"), status=0),
    "refused": Clause("", ("/", "/z.html"), moved={"/robots.txt": "http://127.0.0.1:1/robots.txt"}),
}
NOTHING = ("status-500", "dropped", "refused")


class Site(http.server.ThreadingHTTPServer):
    """A server on one port, with its pages and the requests that it received, in order."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.came: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection."""


class Handler(http.server.BaseHTTPRequestHandler):
    """A handler that returns the site's pages."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        target = as_sent(self.path)
        self.server.came.append(target)
        print(f"  {self.command} {target} (port {self.server.server_port})", file=sys.stderr)
        status, headers, body = self.server.pages.get(spelt(target), (404, {}, b"no such page"))
        if not status:
            self.connection.shutdown(2)
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in ({"Content-Type": "text/html; charset=utf-8"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (http.server calls it so)

    def log_message(self, *_args: object) -> None:
        """Print nothing, because do_GET prints the requests."""


def as_sent(target: str) -> str:
    """Percent-encode the non-ASCII bytes of a target, which http.server decodes as Latin-1."""
    return re.sub(r"[^\x21-\x7e]", lambda match: f"%{ord(match[0]):02X}", target)


def spelt(target: str) -> str:
    """Normalise a path: decode unreserved characters, and write other escapes in upper case."""

    def one(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if re.fullmatch(r"[A-Za-z0-9._~-]", character) else escape[0].upper()

    quoted = re.sub(r"[^\x21-\x7e]", lambda match: urllib.parse.quote(match[0]), target)
    return re.sub("%([0-9A-Fa-f]{2})", one, quoted)


def page(links: Iterable[str]) -> tuple[int, dict[str, str], bytes]:
    items = "".join(f'<p><a href="{link}">{link}</a></p>' for link in links)
    return 200, {}, f"<!doctype html><meta charset=utf-8><title>x</title>{items}".encode()


def named(text: str | bytes, token: str) -> bytes:
    body = text.encode() if isinstance(text, str) else text
    names = {b"TOKEN": token, b"SHORTER": token[:-1] or "x", b"SWAPPED": token.swapcase()}
    for name, value in names.items():
        body = body.replace(name, value.encode())
    return body


def sites(clause: Clause, token: str, port: int) -> tuple[Site, Site | None]:
    """Start the site, and the one on the second port if there is one."""
    text = {"Content-Type": "text/plain; charset=utf-8"}
    second = Site(0) if clause.second else None
    site = Site(port)
    at = second.url if second else ""
    links = [link.replace("{second}", at) for link in (*clause.may, *clause.forbidden, "/z.html")]
    links = ["/go.html" if link in clause.moved.values() else link for link in links]
    own = [link for link in links if link.startswith("/") and link != "/"]
    for link in (*own, *clause.also, *clause.forbidden):
        site.pages[spelt(link)] = page(())
    site.pages["/"] = page(link for link in dict.fromkeys(links) if link != "/")
    site.pages["/robots.txt"] = (clause.status, text, named(clause.robots, token))
    if "/5.txt" in clause.moved.values():
        site.pages["/5.txt"] = (200, text, named(ALL + "Disallow: /b.html\n", token))
    for path, to in clause.moved.items():
        site.pages[path] = (302, {"Location": to.replace("{second}", at)}, b"")
    if second:
        second.pages["/robots.txt"] = (200, text, named(clause.second, token))
        second.pages["/"] = page(())
        for link in links:
            if link.startswith(at):
                second.pages[spelt(link.removeprefix(at))] = page(())
    return site, second


def outcome(clause: Clause, name: str, site: Site, second: Site | None, *, ended: bool) -> dict[str, Any]:
    """Return the forbidden paths that were fetched, and the allowed ones that were skipped."""

    def came(link: str) -> bool:
        on, path = (second, link.removeprefix("{second}")) if link.startswith("{second}") else (site, link)
        wanted = {spelt(path), *(map(spelt, clause.also) if link in clause.forbidden else ())}
        return on is not None and any(spelt(target) in wanted for target in on.came)

    reads = [number for number, target in enumerate(site.came) if target.partition("?")[0] == "/robots.txt"]
    if name in NOTHING:  # the start page counts only after the request for robots.txt
        site.came = site.came[reads[0] :] if reads else [target for target in site.came if target != "/"]
    early = name == "robots-first" and bool(site.came) and (not reads or reads[0] > 0)
    fetched = [link for link in clause.forbidden if came(link)] + ["before /robots.txt"] * early
    unread = clause.asked_for and not came(clause.asked_for)
    near = name in NOTHING or came("/z.html") or bool(fetched) or (bool(clause.may) and "/" in clause.may)
    left = [link for link in clause.may if not came(link)] if ended and near else []
    verdict = "not tested"
    if fetched or (unread and came("/z.html")):
        verdict = "disobeys"
    elif left:
        verdict = "over-cautious"
    elif near and ended:
        verdict = "obeys"
    return {"clause": name, "verdict": verdict, "fetched": fetched, "left": left}


def run(command: list[str], url: str, seconds: float) -> bool:
    """Run the crawler; False if it had to be stopped."""
    with tempfile.TemporaryDirectory(prefix="serve-clause-", ignore_cleanup_errors=True) as folder:
        words = [word.replace("{url}", url).replace("{dir}", folder) for word in command]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        try:
            process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False


def main() -> int:
    arguments = sys.argv[1:]
    begin = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clause", nargs="?", metavar="CLAUSE")
    parser.add_argument("--token", default="TestCrawler", help="product token of the crawler")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments[:begin])
    command = arguments[begin + 1 :]
    if options.list:
        print("\n".join(CLAUSES))
        return 0
    if options.clause not in CLAUSES:
        parser.error(f"{options.clause!r} is not among the clauses that --list shows")
    clause = CLAUSES[options.clause]
    site, second = sites(clause, options.token, options.port)
    ended = True
    print(f"{options.clause} on {site.url}/", file=sys.stderr)
    if command:
        ended = run(command, f"{site.url}/", options.seconds)
    else:
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    result = outcome(clause, options.clause, site, second, ended=ended)
    print(json.dumps(result))
    return {"obeys": 0, "not tested": 3}.get(result["verdict"], 1)


if __name__ == "__main__":
    sys.exit(main())
