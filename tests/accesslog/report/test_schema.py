"""The schema of the summary document."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from aipolicy.accesslog.report import schema
from tests.accesslog.report.samples import by, hostile, many, sample, without_crawlers


def validate(document: dict[str, Any]) -> None:
    Draft202012Validator(schema()).validate(document)


@pytest.mark.parametrize(
    "document",
    [
        sample(),
        sample(("GPTBot",)),
        sample(many(60)),
        without_crawlers(),
        sample(by=by("day", ("2026-11-01",))),
        sample(by=by("site", (None,), left_out=3)),
        hostile(),
    ],
)
def test_documents_of_every_kind_are_valid(document: dict[str, Any]) -> None:
    validate(document)


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(schema())


def test_further_keys_are_allowed_everywhere() -> None:
    document = sample() | {"more": 1}
    document["crawlers"][0] |= {"more": 1}
    validate(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("days"),
        lambda d: d.update(schema=1),
        lambda d: d["total"].pop("disallowed_spoofed"),
        lambda d: d.pop("unknown_crawlers"),
        lambda d: d["crawlers"][0].pop("spoofed_examples"),
        lambda d: d["lines"].pop("unreadable"),
        lambda d: d["total"].pop("refused"),
        lambda d: d["crawlers"][0].update(disallowed=-1),
        lambda d: d["crawlers"][0]["identity"].pop("spoofed"),
        lambda d: d["crawlers"][0].update(first="2026-11-01 00:00:00"),
        lambda d: d["crawlers"][0]["examples"][0].update(identity="fake"),
        lambda d: d["crawlers"][0]["examples"][0].update(sha256="0"),
        lambda d: d.update(by={"key": "host", "left_out": 0, "rows": []}),
    ],
)
def test_a_document_with_a_wrong_part_is_refused(change: Any) -> None:
    document = sample()
    change(document)
    with pytest.raises(ValidationError):
        validate(document)
