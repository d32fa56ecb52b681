"""The whole command against the oracle, with every form of a log: no false accusation, and none missing."""

from pathlib import Path

import pytest

from tests.accesslog.labelled import linewise, objects, tables
from tests.accesslog.labelled.command import Outcome, check_logs
from tests.accesslog.labelled.forms import Form
from tests.accesslog.labelled.oracle import Choice
from tests.accesslog.labelled.results import contradictions, observed
from tests.accesslog.labelled.worlds import World, make_world

ALL = ("--json", "--top", "100000")

WORLDS: list[tuple[int, dict[str, Form], str]] = [
    (1, {"access.log": linewise.VCOMBINED}, "policies"),
    (2, {"access.log.gz": linewise.VCOMBINED_APACHE}, "registry"),
    (3, {"access.log": linewise.VCOMBINED_NAMED}, "policies"),
    (4, {"access.log": linewise.COMBINED}, "policies"),
    (5, {"access.log.zst": linewise.COMBINED_APACHE}, "registry"),
    (6, {"access.log": linewise.COMBINED_NAMED}, "policies"),
    (8, {"access.log": objects.CADDY}, "policies"),
    (9, {"access.log.gz": objects.CADDY_NAMED}, "registry"),
    (10, {"access.log": objects.NGINX_JSON}, "policies"),
    (11, {"access.log": objects.CLOUDFLARE}, "policies"),
    (12, {"access.log.gz": objects.CLOUDFLARE_NANOSECONDS}, "policies"),
    (13, {"access.log": objects.CLOUDFLARE_SECONDS}, "registry"),
    (14, {"u_ex.log": tables.W3C}, "policies"),
    (15, {"u_ex.log.zst": tables.W3C_NAMED}, "policies"),
    (16, {"E2EXAMPLE.gz": tables.CLOUDFRONT}, "policies"),
    (17, {"alb.log": tables.ALB}, "registry"),
    (18, {"alb.log.gz": tables.ALB_NAMED}, "policies"),
    (19, {"access.log": linewise.APACHE_OWN}, "policies"),
    (20, {"access.log": linewise.NGINX_OWN}, "policies"),
    (21, {"access.log": linewise.GOACCESS_OWN}, "policies"),
    (22, dict.fromkeys(("a.log", "a.log.1", "a.log.2.gz"), linewise.VCOMBINED), "policies"),
    (23, {"a.json": objects.CADDY, "b.zst": tables.CLOUDFRONT, "c.gz": linewise.VCOMBINED}, "policies"),
]  # fmt: skip


def assert_exact(outcome: Outcome, world: World, choice: Choice | None = None) -> None:
    wanted = world.expected(choice)
    document = outcome.document
    assert contradictions(document) == []
    assert observed(document) == wanted
    assert outcome.code == (1 if wanted["total"]["disallowed"] else 0)


@pytest.mark.parametrize(
    ("seed", "forms", "source"),
    WORLDS,
    ids=[f"{seed}-{next(iter(f.values())).name}" for seed, f, _ in WORLDS],
)
def test_every_number_agrees_with_the_labels(
    tmp_path: Path, seed: int, forms: dict[str, Form], source: str
) -> None:
    world = make_world(tmp_path, seed, forms, requests=2000)
    policies = world.registry if source == "registry" else world.policies
    assert_exact(check_logs(tmp_path, *world.names, *world.options, *policies, *ALL), world)


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_policies_and_registry_give_the_same_result(tmp_path: Path, seed: int) -> None:
    world = make_world(tmp_path, seed, {"access.log": linewise.VCOMBINED}, sites=5, requests=1500)
    for source in (world.policies, world.registry):
        assert_exact(check_logs(tmp_path, *world.names, *source, *ALL), world)


@pytest.mark.parametrize("seed", [41, 42, 43, 44])
def test_a_robots_txt_is_always_in_force(tmp_path: Path, seed: int) -> None:
    world = make_world(tmp_path, seed, {"access.log": linewise.COMBINED}, requests=1500, unchanging=True)
    outcome = check_logs(tmp_path, *world.names, *world.options, *world.robots, *ALL)
    assert_exact(outcome, world)
    assert outcome.document["total"]["in_grace"] == 0


def test_a_log_comes_from_standard_input(tmp_path: Path) -> None:
    world = make_world(tmp_path, 51, {"access.log": linewise.VCOMBINED}, requests=1500)
    stdin = (tmp_path / "access.log").read_bytes()
    outcome = check_logs(tmp_path, "-", *world.policies, *ALL, stdin=stdin)
    document = outcome.document
    document["files"][0]["file"] = "access.log"  # it has no name of its own
    wanted = world.expected()
    assert observed(document) == wanted


@pytest.mark.parametrize("hours", [0.5, 36, 0])
def test_the_grace_period_is_the_longer_of_the_option_and_the_operators(tmp_path: Path, hours: float) -> None:
    world = make_world(tmp_path, 52, {"access.log": linewise.VCOMBINED}, requests=1500, grace_hours=hours)
    outcome = check_logs(tmp_path, *world.names, *world.policies, *ALL, "--grace", str(hours))
    assert_exact(outcome, world)
    assert outcome.document["method"]["grace_hours"] == hours


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "forms", "sites"),
    [
        (61, {"access.log": linewise.VCOMBINED}, 300),
        (62, {f"access.log.{n}.gz": linewise.VCOMBINED_APACHE for n in range(1, 9)}, 300),
        (63, {"access.log.zst": objects.CADDY}, 300),
        (64, {"access.log": linewise.COMBINED}, 1),
        (65, {"u_ex.log": tables.W3C}, 100),
    ],
)  # fmt: skip
def test_large_logs_are_as_exact(tmp_path: Path, seed: int, forms: dict[str, Form], sites: int) -> None:
    world = make_world(tmp_path, seed, forms, sites=sites, requests=100_000, hostile=2000)
    assert_exact(
        check_logs(tmp_path, *world.names, *world.options, *world.policies, *ALL, timeout=600), world
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_small_worlds_are_exact(tmp_path: Path, seed: int) -> None:
    _, forms, _ = WORLDS[seed % len(WORLDS)]
    world = make_world(tmp_path, seed, forms, sites=1 + seed % 7, requests=1000, hostile=100)
    source = world.policies if seed % 2 else world.registry
    assert_exact(check_logs(tmp_path, *world.names, *world.options, *source, *ALL), world)
