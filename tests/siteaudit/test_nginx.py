"""Faults behind a real nginx: each is found, and the same host without the fault has no finding."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.siteaudit.observations import OPTED_OUT, Document, audit_live, ids
from tests.siteaudit.servers import HEADERS, NO_TRAINING, PAGE, free_port, nginx

ROBOTS = NO_TRAINING.robots.body
TDMREP = NO_TRAINING.tdmrep.body if NO_TRAINING.tdmrep else b""
OPEN = b"User-agent: *\nAllow: /\n"
MANAGED = (
    b"# BEGIN Cloudflare Managed content\n\n"
    b"User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /\n\n"
    b"User-agent: Googlebot\nDisallow: /\n# END Cloudflare Managed Content\n\n"
)


@dataclass(frozen=True)
class Site:
    """A host: the files that it serves, and further directives. The default has no fault."""

    robots: bytes = ROBOTS
    robots_with: str = ""
    page: str = PAGE
    page_with: str = ""
    headers: tuple[tuple[str, str], ...] = HEADERS
    tdmrep: bytes | None = TDMREP
    proxied: str = ""  # directives of a proxy in front


CLEAN = Site()
SENT = dict(HEADERS)


def headers(**changed: str | None) -> tuple[tuple[str, str], ...]:
    """Return the headers of a site that opted out, with changes: ``Content_Usage="train-ai=y"``."""
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    return tuple((name, value) for name, value in (SENT | named).items() if value is not None)


FAULTS: dict[str, tuple[str, Site]] = {
    "missing": ("robots-missing", Site(robots_with="return 404;")),
    "forbidden": ("robots-refused", Site(robots_with="return 403;")),
    "limited": ("robots-rate-limited", Site(robots_with="return 429;")),
    "down": ("robots-unreachable", Site(robots_with="return 503;")),
    "elsewhere": ("robots-on-another-host", Site(robots_with="return 301 http://clean.localhost:PORT$uri;")),
    "circle": ("robots-redirects", Site(robots_with="return 302 /robots.txt;")),
    "two-groups": ("duplicate-group", Site(robots=ROBOTS + b"\nUser-agent: GPTBot\nDisallow: /x\n")),
    "signal-only": (
        "group-without-rules",
        Site(robots=b"User-agent: Googlebot\nContent-Signal: ai-train=no\n\n" + ROBOTS),
    ),
    "bom": ("byte-order-mark", Site(robots=b"\xef\xbb\xbf" + ROBOTS[ROBOTS.index(b"User-agent") :])),
    "html": ("html-page", Site(robots=PAGE.encode(), robots_with="default_type text/html;")),
    "large": ("file-too-large", Site(robots=ROBOTS + b"# 34567\n" * 65_000)),
    "octets": ("robots-content-type", Site(robots_with="types { } default_type application/octet-stream;")),
    "week": ("robots-cached-long", Site(robots_with="add_header Cache-Control max-age=604800;")),
    "aged": ("robots-old-copy", Site(robots_with="add_header Age 172800;")),
    "managed": ("cdn-adds-rules", Site(robots=MANAGED + ROBOTS)),
    "by-client": (
        "robots-differs-by-client",
        Site(robots_with="if ($http_user_agent ~ GPTBot) { rewrite ^ /open.txt last; }"),
    ),
    "blocked": (
        "robots-refused-to-crawlers",
        Site(robots_with="if ($http_user_agent ~ GPTBot) { return 403; }"),
    ),
    "page-by-client": (
        "page-differs-by-client",
        Site(page_with='if ($http_user_agent ~ GPTBot) { add_header X-Robots-Tag "noai"; }'),
    ),
    "stripped": ("header-missing", Site(proxied="proxy_hide_header X-Robots-Tag;")),
    "overwritten": (
        "header-differs",
        Site(proxied='proxy_hide_header Content-Usage; add_header Content-Usage "train-ai=y";'),
    ),
    "added": ("header-added", Site(proxied='add_header Content-Signal "ai-train=yes, search=yes";')),
    "contradicting": ("signals-contradict", Site(proxied='add_header Content-Signal "ai-train=yes";')),
    "doubled": ("tdm-reservation-unreadable", Site(proxied="add_header tdm-reservation 1;")),
    "repeated": ("content-usage-repeated", Site(proxied='add_header Content-Usage "train-ai=y";')),
    "slip": ("content-usage-unreadable", Site(headers=headers(Content_Usage="train-ai=n,"))),
    "capitals": ("noai-unread", Site(headers=headers(X_Robots_Tag="NoAI, NoImageAI"))),
    "tagged": (
        "signals-contradict",
        Site(page=PAGE.replace("<title>", '<meta name="tdm-reservation" content="0"><title>')),
    ),
    "headers-alone": ("opt-out-not-in-robots", Site(robots=OPEN)),
    "no-file": ("tdmrep-missing", Site(tdmrep=None)),
    "object": ("tdmrep-unreadable", Site(tdmrep=b'{"location": "/", "tdm-reservation": 1}')),
    "string": ("tdmrep-entry-unreadable", Site(tdmrep=b'[{"location": "/", "tdm-reservation": "1"}]')),
    "shadowed": (
        "tdmrep-entry-never-decides",
        Site(tdmrep=TDMREP.rstrip(b"\n]") + b', {"location": "/open/", "tdm-reservation": 0}]'),
    ),
    "unreserved": ("tdmrep-differs", Site(tdmrep=b'[{"location": "/", "tdm-reservation": 0}]')),
    "other-rules": (
        "robots-differs",
        Site(robots=ROBOTS.replace(b"User-agent: GPTBot\n", b"").replace(b"User-agent: *", b"User-agent: *")),
    ),
}
# Caches: what they hold was another site's saying, before it changed.
CACHE = "proxy_cache zone; proxy_cache_valid 200 1h;"
TOLD = f"{CACHE} add_header X-Cache-Status $upstream_cache_status;"
STALE = {"stale": ("robots-stale-copy", CACHE), "stale-page": ("page-stale-copy", TOLD)}


def server(port: int, host: str, site: Site, folder: Path) -> str:
    root = folder / host
    (root / ".well-known").mkdir(parents=True)
    (root / "robots.txt").write_bytes(site.robots)
    (root / "open.txt").write_bytes(OPEN)
    (root / "index.html").write_text(site.page)
    if site.tdmrep is not None:
        (root / ".well-known" / "tdmrep.json").write_bytes(site.tdmrep)
    sent = "".join(f'add_header {name} "{value}" always;\n' for name, value in site.headers)
    name = host if not site.proxied else f"origin.{host}"
    locations = (
        f"location = /robots.txt {{ {site.robots_with.replace('PORT', str(port))} }}\n"
        f"location = /open.txt {{ }}\n"
        f"location / {{ {sent} {site.page_with} }}\n"
    )
    listen = f"listen 127.0.0.1:{port};"
    blocks = f"server {{ {listen} server_name {name}; root {root}; index index.html;\n{locations}}}"
    if site.proxied:
        blocks += (
            f"\nserver {{ {listen} server_name {host};\nlocation / {{ proxy_pass http://127.0.0.1:{port}; "
            f"proxy_set_header Host {name}; {site.proxied} }}}}"
        )
    return blocks


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Document]]:
    """The documents of all hosts: ``NAME.localhost``, and ``clean-NAME.localhost`` without the fault."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    hosts = {"clean": CLEAN, "clean-proxied": Site(proxied="proxy_buffering on;")}
    hosts |= {name: site for name, (_, site) in FAULTS.items()}
    hosts |= {name: Site(proxied=proxied) for name, (_, proxied) in STALE.items()}
    hosts |= {f"clean-{name}": Site(proxied="proxy_buffering on;") for name in STALE}
    zone = f"proxy_cache_path {folder}/cache keys_zone=zone:1m;\n"
    blocks = (server(port, f"{name}.localhost", site, folder) for name, site in hosts.items())
    urls = [f"http://{name}.localhost:{port}/" for name in hosts]
    with nginx(folder, port, zone + "\n".join(blocks)):
        stale = [url for url in urls if "stale" in url]
        for name in STALE:  # what the caches keep is from before the owner opted out
            for prefix in ("", "clean-"):
                (folder / f"{prefix}{name}.localhost" / "robots.txt").write_bytes(OPEN)
                (folder / f"{prefix}{name}.localhost" / "index.html").write_text(
                    PAGE.replace("<title>", '<meta name="content-signal" content="ai-input=no"><title>')
                )
        audit_live(stale)
        for name in STALE:
            for prefix in ("", "clean-"):
                (folder / f"{prefix}{name}.localhost" / "robots.txt").write_bytes(ROBOTS)
                (folder / f"{prefix}{name}.localhost" / "index.html").write_text(PAGE)
        yield audit_live(urls, lambda host: OPTED_OUT)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_named(sites: dict[str, Document], name: str) -> None:
    assert FAULTS[name][0] in ids(sites[f"{name}.localhost"])


@pytest.mark.parametrize("name", STALE)
def test_a_cache_with_an_old_copy_is_found(sites: dict[str, Document], name: str) -> None:
    assert STALE[name][0] in ids(sites[f"{name}.localhost"])


def test_hosts_without_faults_have_no_findings(sites: dict[str, Document]) -> None:
    clean = {host: ids(document) for host, document in sites.items() if host.startswith("clean")}
    assert len(clean) == 2 + len(STALE)
    assert not any(clean.values()), clean


def test_a_fault_causes_only_its_own_findings(sites: dict[str, Document]) -> None:
    """Check that no finding is made about the fault of another."""
    follows = {
        "missing": {"robots-differs"},
        "forbidden": {"robots-differs"},
        "limited": {"robots-differs"},
        "circle": {"robots-differs"},
        "html": {"robots-differs", "opt-out-not-in-robots"},
        "two-groups": {"robots-differs"},
        "by-client": {"robots-differs"},
        "page-by-client": {"header-missing", "header-differs"},
        "signal-only": {"robots-differs", "search-engine-blocked", "read-differently"},
        "large": {"robots-differs"},  # no crawler reads to its end, and neither do we
        "bom": {"read-differently"},
        "managed": {"robots-differs", "duplicate-group", "search-engine-blocked"},
        "headers-alone": {"robots-differs"},
        "overwritten": {"signals-contradict", "grant-to-the-shut-out"},
        "added": {"signals-contradict", "grant-to-the-shut-out"},
        "contradicting": {"header-added", "grant-to-the-shut-out"},
        "doubled": {"header-differs"},
        "repeated": {"header-differs", "signals-contradict", "grant-to-the-shut-out"},
        "slip": {"header-differs"},
        "tagged": {"grant-to-the-shut-out"},
        "object": {"tdmrep-missing"},
        "string": {"tdmrep-differs"},
        "unreserved": {"signals-contradict"},
    }
    others = {
        name: set(ids(sites[f"{name}.localhost"])) - {code} - follows.get(name, set())
        for name, (code, _) in FAULTS.items()
    }
    assert {name: more for name, more in others.items() if more} == {}


def test_a_finding_names_the_place_and_quotes_what_was_sent(sites: dict[str, Document]) -> None:
    (one,) = [f for f in sites["overwritten.localhost"]["findings"] if f["id"] == "header-differs"]
    assert one["where"] == "header Content-Usage"
    assert "the header says 'train-ai=y'" in one["found"]
    others = [f for f in sites["tagged.localhost"]["findings"] if f["id"] == "signals-contradict"]
    assert {other["where"] for other in others} == {"meta tag tdm-reservation"}
    assert all('<meta name="tdm-reservation" content="0">' in other["found"] for other in others)
    (by_itself,) = [f for f in others if "tdmrep.json (" in f["found"]]
    assert "header tdm-reservation (tdm-reservation: 1)" in by_itself["found"]
    assert by_itself["effect"] == "the meta tag is more specific, so the page is not reserved (TDMRep §4)"


def test_the_lines_that_a_cdn_added_are_reported(sites: dict[str, Document]) -> None:
    document = sites["managed.localhost"]
    assert document["robots_txt"]["added"] == [{"by": "Cloudflare", "lines": [1, 9]}]
    (differs,) = [f for f in document["findings"] if f["id"] == "robots-differs"]
    assert "Googlebot" in differs["found"]


def test_the_view_of_each_crawler_follows_the_broken_site(sites: dict[str, Document]) -> None:
    assert all(row["may_fetch"] for row in sites["headers-alone.localhost"]["crawlers"])
    assert not any(row["may_fetch"] for row in sites["down.localhost"]["crawlers"])
    assert all(row["may_fetch"] for row in sites["missing.localhost"]["crawlers"])
    (first, *_) = sites["clean.localhost"]["crawlers"]
    assert "GPTBot" in first["crawlers"]
    assert first["decided_by"]["text"] == "Disallow: /"
