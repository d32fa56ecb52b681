"""The CSV rows of the counters."""

import csv
import io
from typing import Any

from aipolicy.accesslog.report import csv_rows
from tests.accesslog.report.samples import HOSTILE, by, hostile, sample, without_crawlers


def read_back(document: dict[str, Any]) -> list[dict[str, str]]:
    """Read the CSV like a program would."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows(csv_rows(document))
    return list(csv.DictReader(io.StringIO(written.getvalue(), newline=""), strict=True))


def test_columns_are_named_as_in_json() -> None:
    heading, *_ = csv_rows(sample())
    assert heading == [
        "product_token", "operator", "purpose",
        "fetches", "allowed", "disallowed", "disallowed_spoofed", "in_grace",
        "exempt", "refused", "robots_txt_reads",
        "identity_verified", "identity_operator_verified", "identity_spoofed", "identity_unverifiable",
        "identity_check_failed",
        "disallowed_by_identity_verified", "disallowed_by_identity_operator_verified",
        "disallowed_by_identity_unverifiable", "disallowed_by_identity_check_failed",
        "first", "last", "first_disallowed", "last_disallowed",
        "robots_txt_first_read", "robots_txt_last_read", "robots_txt_seconds_before_first_disallowed",
        "rule", "rule_line", "rule_disallowed",
    ]  # fmt: skip


def test_each_crawler_is_a_row_with_the_numbers_of_the_document() -> None:
    document = sample()
    rows = read_back(document)
    assert [row["product_token"] for row in rows] == [c["product_token"] for c in document["crawlers"]]
    for row, crawler in zip(rows, document["crawlers"], strict=True):
        assert int(row["disallowed"]) == crawler["disallowed"]
        assert int(row["disallowed_spoofed"]) == crawler["disallowed_spoofed"]
        assert int(row["identity_spoofed"]) == crawler["identity"]["spoofed"]
        assert row["rule"] == (crawler["rules"][0]["rule"] if crawler["rules"] else "")
        assert row["first_disallowed"] == (crawler["first_disallowed"] or "")


def test_the_rows_of_by_take_the_place_of_the_crawlers() -> None:
    rows = read_back(sample(by=by("site", ("a.example", None))))
    assert [row["site"] for row in rows] == ["a.example", ""]
    assert set(rows[0]) >= {"fetches", "identity_verified", "first_disallowed"}
    assert "rule" not in rows[0]


def test_without_a_crawler_there_is_only_the_heading() -> None:
    assert len(list(csv_rows(without_crawlers()))) == 1


def test_no_cell_is_a_formula_or_contains_a_control_character() -> None:
    document = hostile("+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1")
    rows = read_back(document)
    assert len(rows) == len(document["by"]["rows"])
    cells = [row["path"] for row in rows]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))]
    assert all(cell.isprintable() for cell in cells)
    assert {"'=HYPERLINK(1)", "'+1", "'-1", "'@SUM(A1)", r"'\x09=1", r"'\x0d=1", "'\uff1d1"} <= set(cells)
    assert HOSTILE[0] in cells


def test_the_rule_of_a_crawler_is_no_formula_either() -> None:
    document = hostile()
    document["crawlers"][0]["rules"][0]["rule"] = "=1+1"
    row, _ = read_back(document | {"by": None})
    assert row["rule"] == "'=1+1"
