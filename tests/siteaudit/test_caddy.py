"""Faults behind a real Caddy: signals that it adds or removes, refusals and redirects."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.siteaudit.observations import OPTED_OUT, Document, audit_live, ids
from tests.siteaudit.servers import HEADERS, NO_TRAINING, PAGE, caddy, free_port

FAULTS = {
    "stripped": ("header-missing", "reverse_proxy ORIGIN {\n header_down -Content-Usage\n }"),
    "added": ("header-added", 'header Content-Signal "ai-train=yes"\n reverse_proxy ORIGIN'),
    "doubled": ("tdm-reservation-unreadable", "header +tdm-reservation 1\n reverse_proxy ORIGIN"),
    "blocked": (
        "robots-refused-to-crawlers",
        "@crawlers header User-Agent *GPTBot*\n respond @crawlers 403\n reverse_proxy ORIGIN",
    ),
    "missing": ("robots-missing", "respond /robots.txt 404\n reverse_proxy ORIGIN"),
    "down": ("robots-unreachable", "reverse_proxy /robots.txt 127.0.0.1:1\n reverse_proxy ORIGIN"),
    "elsewhere": (
        "robots-on-another-host",
        "redir /robots.txt http://clean.localhost:PORT/robots.txt\n reverse_proxy ORIGIN",
    ),
    "page-for-all": (
        "html-page",
        'header /robots.txt Content-Type text/html\n respond /robots.txt "<!doctype html><p>Hello"\n'
        " reverse_proxy ORIGIN",
    ),
}


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Document]]:
    folder, port = tmp_path_factory.mktemp("caddy"), free_port()
    root = write_site(folder)
    sent = "\n".join(f'header {name} "{value}"' for name, value in HEADERS)
    files = f"http://origin.localhost:{port} {{\nbind 127.0.0.1\nroot * {root}\n{sent}\nfile_server\n}}\n"
    hosts = {"clean": "reverse_proxy ORIGIN"} | {name: lines for name, (_, lines) in FAULTS.items()}
    for name, lines in hosts.items():
        lines = lines.replace("PORT", str(port))
        lines = lines.replace("reverse_proxy ORIGIN {", f"{PROXY.format(port=port)}")
        lines = lines.replace("reverse_proxy ORIGIN", f"{PROXY.format(port=port)}}}")
        files += f"http://{name}.localhost:{port} {{\nbind 127.0.0.1\n{lines}\n}}\n"
    with caddy(folder, port, files):
        yield audit_live((f"http://{name}.localhost:{port}/" for name in hosts), lambda host: OPTED_OUT)


PROXY = "reverse_proxy 127.0.0.1:{port} {{\nheader_up Host origin.localhost:{port}\n"


def write_site(folder: Path) -> Path:
    root = folder / "site"
    (root / ".well-known").mkdir(parents=True)
    (root / "robots.txt").write_bytes(NO_TRAINING.robots.body)
    (root / "index.html").write_text(PAGE)
    (root / ".well-known" / "tdmrep.json").write_bytes(NO_TRAINING.tdmrep.body if NO_TRAINING.tdmrep else b"")
    return root


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_named(sites: dict[str, Document], name: str) -> None:
    assert FAULTS[name][0] in ids(sites[f"{name}.localhost"])


def test_a_host_without_faults_has_no_findings(sites: dict[str, Document]) -> None:
    assert ids(sites["clean.localhost"]) == []
