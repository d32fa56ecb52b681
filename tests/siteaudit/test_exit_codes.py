"""Exit codes of ``aipolicy check site`` for sites that can't be reached, read or audited."""

import json
from typing import Any

import jsonschema
import pytest

from aipolicy.siteaudit import runner
from aipolicy.siteaudit.audit import SiteReport, audit
from aipolicy.siteaudit.observation import Observation
from aipolicy.siteaudit.report import schema
from tests.siteaudit.commands import SENT, TEXT, check
from tests.siteaudit.servers import NO_TRAINING
from tests.web.server import Server, answer


def test_unknown_headers_exit_with_1_if_a_policy_is_expected(server: Server) -> None:
    server.answers["/"] = b""  # the connection is dropped
    assert check(server.origin, "--allow-private").exit_code == 0
    for fail_on in ("error", "difference"):
        done = check(server.origin, "--allow-private", "--expect", "no-training", "--fail-on", fail_on)
        assert done.exit_code == 1
        assert "headers-unknown" in done.stdout


def test_an_unreachable_site_among_others_exits_with_1_if_a_policy_is_expected(
    server: Server,
) -> None:
    sites = [server.origin, "http://127.0.0.1:1", "--allow-private"]
    assert check(*sites).exit_code == 0
    assert check(*sites, "--expect", "no-training").exit_code == 1
    assert check(*sites, "--expect", "no-training", "--fail-on", "difference").exit_code == 1
    assert check(*sites, "--expect", "no-training", "--fail-on", "never").exit_code == 0


def test_headers_are_compared_whatever_coding_the_body_is_in(server: Server) -> None:
    coded = ["Content-Type: text/html", "Content-Encoding: br"]
    server.answers["/"] = answer(b"\x0b\x02\x80abc\x03", *coded, *SENT)
    done = check(server.origin, "--allow-private", "--expect", "no-training")
    assert done.exit_code == 0, done.stdout
    assert "page-unreadable" in done.stdout
    server.answers["/"] = answer(b"\x0b\x02\x80abc\x03", *coded, *SENT[1:])
    done = check(server.origin, "--allow-private", "--expect", "no-training")
    assert done.exit_code == 1
    assert "noai, noimageai' is missing from the response" in done.stdout


def test_a_robots_txt_in_an_unrequested_coding_is_reported_as_such(server: Server) -> None:
    server.answers["/robots.txt"] = answer(NO_TRAINING.robots.body, TEXT, "Content-Encoding: utf-8")
    done = check(server.origin, "--allow-private", "--json")
    (site,) = json.loads(done.stdout)["sites"]
    jsonschema.validate(json.loads(done.stdout), schema())
    assert done.exit_code == 1
    assert (site["robots_txt"]["access"], site["robots_txt"]["failure"]) == ("no rules", "coding")
    assert "robots-unreadable" in {found["id"] for found in site["findings"]}
    assert check(server.origin, "--allow-private", "--expect", "no-training").exit_code == 1


def test_a_page_made_by_a_word_processor_is_read(server: Server) -> None:
    body = b"<html><![if !mso]><![endif--]><![foo[x]]><meta name=robots content=noai></html>"
    server.answers["/"] = answer(body, "Content-Type: text/html", *SENT[1:])
    done = check(server.origin, "--allow-private", "--expect", "no-training", "--json")
    (site,) = json.loads(done.stdout)["sites"]
    assert "meta tag robots" in json.dumps(site["crawlers"])


def test_a_bug_on_one_sites_answers_does_not_end_the_audit_of_others(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(observation: Observation, **options: Any) -> SiteReport:
        if observation.url.endswith("/bad"):
            raise AssertionError("unknown \x1b[31m")
        return audit(observation, **options)

    monkeypatch.setattr(runner, "audit", failing)
    urls = [f"{server.origin}/{name}" for name in ("a", "bad", "z")]
    server.answers |= {f"/{name}": server.answers["/"] for name in ("a", "bad", "z")}
    for fail_on, code in (("error", 1), ("difference", 1), ("never", 0)):
        done = check(*urls, "--allow-private", "--json", "--fail-on", fail_on)
        assert done.exit_code == code
        document = json.loads(done.stdout)
        jsonschema.validate(document, schema())
        found = {site["url"]: [one["id"] for one in site["findings"]] for site in document["sites"]}
        assert found == {urls[0]: [], urls[1]: ["not-judged"], urls[2]: []}
        total = document["total"]
        assert (total["sites"], total["clean"], total["with_errors"], total["not_audited"]) == (3, 2, 0, 1)
    assert "/bad can't be audited" in caplog.text
    assert "Traceback" in caplog.text
    assert "\x1b" not in caplog.text
