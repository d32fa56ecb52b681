"""A change is known by its number and by all that is written of it."""

import pytest

from aipolicy.core.checkpoint import Checkpoint

FIRST = (1, 5, "ada", 1, "a.example", "{}", "[]", "[]")
SECOND = (2, 6, "bücher", 1, "a.example", "{}", "[]", "[]")


def test_a_change_has_the_same_checkpoint_with_every_driver() -> None:
    data = tuple(value.encode() if isinstance(value, str) else value for value in SECOND)
    assert Checkpoint.from_row(data) == Checkpoint.from_row(SECOND)
    assert Checkpoint.from_row(SECOND).seq == 2


@pytest.mark.parametrize("column", range(len(SECOND)))
def test_a_change_that_differs_in_any_column_has_another_checkpoint(column: int) -> None:
    other = tuple(f"{value}7" if number == column else value for number, value in enumerate(SECOND))
    assert Checkpoint.from_row(other) != Checkpoint.from_row(SECOND)


def test_changes_after_a_checkpoint_are_the_following_rows() -> None:
    assert Checkpoint.from_row(FIRST).changes_after([FIRST, SECOND]) == [SECOND]
    assert Checkpoint.from_row(FIRST).changes_after([FIRST]) == []


def test_after_a_change_that_was_replaced_or_removed_no_changes_are_known() -> None:
    assert Checkpoint.from_row(FIRST).changes_after([(1, 6, *FIRST[2:]), SECOND]) is None
    assert Checkpoint.from_row(FIRST).changes_after([]) is None
    assert Checkpoint(1).changes_after([FIRST]) is None


def test_changes_after_the_beginning_are_all_rows() -> None:
    assert Checkpoint.from_row((0, None)) == Checkpoint()
    assert Checkpoint().changes_after([FIRST, SECOND]) == [FIRST, SECOND]
