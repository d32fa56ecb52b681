"""AIPREF statements: draft-ietf-aipref-vocab-08, in the Structured Fields of RFC 9651."""

import dataclasses
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.errors import PolicyError

ALLOW, DISALLOW, UNKNOWN = Preference.ALLOW, Preference.DISALLOW, Preference.UNKNOWN
EVERY = [Preferences(*three) for three in product(Preference, repeat=3)]
SILENT = Preferences()
NO_TRAINING = Preferences(train_ai=DISALLOW)

# Pieces of Structured Fields, right and wrong, so that random ones come near to what can be parsed.
WORDS = [b"train-ai", b"ai-use", b"search", b"other", b"*x", b"=y", b"=n", b"=?0", b'="n"', b"=(y n)", b"=1"]
SIGNS = [b";p", b";q=n", b",", b", ", b",\t", b" ", b"\t", b";", b"=", b"=(", b"\x00", b"\xff", b"\r\n", b'"']
VALUES = [b"=-0.0", b"=999999999999999", b"=1.125", b"=:aGk=:", b"=@1", b'=%"caf%c3%a9"', b"%", b"@", b"\\"]
pieces = st.sampled_from(WORDS + SIGNS + VALUES)
statements = st.one_of(st.binary(), st.lists(pieces, max_size=12).map(b"".join))
stated = st.sampled_from([preferences for preferences in EVERY if preferences])


@pytest.mark.parametrize(
    ("statement", "train_ai", "ai_use", "search"),
    [
        pytest.param("train-ai=n", DISALLOW, UNKNOWN, UNKNOWN, id="A1"),
        pytest.param("train-ai=n, ai-use=n, search=y", DISALLOW, DISALLOW, ALLOW, id="A2"),
        pytest.param("train-ai;allow=n, train-ai=y", ALLOW, UNKNOWN, UNKNOWN, id="A5"),
        pytest.param("train-ai=n;x=1", DISALLOW, UNKNOWN, UNKNOWN, id="A7"),
        pytest.param("train-ai=n,ai-use=n", DISALLOW, DISALLOW, UNKNOWN, id="no-space"),
        pytest.param("train-ai=n ,\tai-use=n", DISALLOW, DISALLOW, UNKNOWN, id="tab-after-comma"),
        pytest.param("  train-ai=n  ", DISALLOW, UNKNOWN, UNKNOWN, id="spaces-around"),
        pytest.param("other=(a b);q, train-ai=n", DISALLOW, UNKNOWN, UNKNOWN, id="other-labels"),
    ],
)
def test_aipref_vocab_6_5_a_known_label_with_token_y_or_n_is_a_preference(
    statement: str, train_ai: Preference, ai_use: Preference, search: Preference
) -> None:
    expected = Preferences(train_ai, ai_use, search)
    assert Preferences.parse(statement) == expected
    assert Preferences.parse(statement.encode()) == expected


@pytest.mark.parametrize(
    "statement",
    ["train-ai", 'train-ai="n"', "train-ai=no", "train-ai=N", "train-ai=?0", "train-ai=(n)", "train-ai=1"],
)
def test_aipref_vocab_6_5_any_other_value_is_unknown_and_no_error(statement: str) -> None:  # A4
    assert Preferences.parse(statement) == SILENT
    assert Preferences.parse(f"{statement}, search=n") == Preferences(search=DISALLOW)


@pytest.mark.parametrize(
    "statement", ["train-ai=n,", "Train-AI=n", "train-ai=n ai-use=n", "train-ai = n", "train-ai=n;", "=n"]
)
def test_aipref_vocab_6_5_what_cannot_be_parsed_says_nothing_at_all(statement: str) -> None:  # A3
    assert Preferences.parse(statement) == SILENT
    assert Preferences.parse(f"search=n, {statement}") == SILENT


@pytest.mark.parametrize("statement", ["", " ", b""])
def test_aipref_vocab_6_5_an_empty_statement_says_nothing(statement: str | bytes) -> None:  # A10
    assert Preferences.parse(statement) == SILENT


def test_aipref_vocab_6_5_of_one_label_twice_the_last_value_counts() -> None:  # A6
    assert Preferences.parse('train-ai=y, train-ai, search=n, search="n"') == SILENT
    assert Preferences.parse("train-ai=y, train-ai=n") == NO_TRAINING


def test_aipref_vocab_6_5_labels_of_older_drafts_are_ignored() -> None:  # A8
    assert Preferences.parse("bots=n, train-genai=n") == SILENT


def test_aipref_vocab_6_5_a_content_signal_by_mistake_says_nothing() -> None:  # A9
    assert Preferences.parse("search=yes, ai-train=no") == SILENT


def test_aipref_vocab_6_5_the_drafts_example_with_a_semicolon_at_its_end_says_nothing() -> None:  # A11
    assert Preferences.parse('train-ai;has;parameters="?";') == SILENT


def test_rfc_9651_4_2_two_header_lines_are_one_dictionary_and_the_last_value_counts() -> None:  # A12
    assert Preferences.parse(", ".join(["train-ai=n", "train-ai=y"])) == Preferences(train_ai=ALLOW)


@pytest.mark.parametrize("preferences", EVERY, ids=str)
def test_a_written_statement_is_read_back_the_same(preferences: Preferences) -> None:
    assert Preferences.parse(str(preferences)) == preferences


def test_only_stated_preferences_are_written_in_the_drafts_order() -> None:
    assert str(Preferences(DISALLOW, UNKNOWN, ALLOW)) == "train-ai=n, search=y"
    assert str(SILENT) == ""


@given(statements)
def test_aipref_vocab_6_5_reading_never_raises(statement: bytes) -> None:
    assert Preferences.parse(statement) in EVERY
    assert Preferences.parse(statement.decode("utf-8", "surrogateescape")) == Preferences.parse(statement)


def test_reading_never_raises_on_a_lone_surrogate() -> None:
    assert Preferences.parse("train-ai=n\ud800") == SILENT


MOST_RESTRICTIVE = {
    (ALLOW, ALLOW): ALLOW,
    (ALLOW, DISALLOW): DISALLOW,
    (ALLOW, UNKNOWN): ALLOW,
    (DISALLOW, DISALLOW): DISALLOW,
    (DISALLOW, UNKNOWN): DISALLOW,
    (UNKNOWN, UNKNOWN): UNKNOWN,
}


@pytest.mark.parametrize(("pair", "result"), MOST_RESTRICTIVE.items())
@pytest.mark.parametrize("category", Category)
def test_aipref_vocab_5_1_the_most_restrictive_statement_wins_a_category(
    pair: tuple[Preference, Preference], result: Preference, category: Category
) -> None:
    one, other = (Preferences.parse(statement_of(category, preference)) for preference in pair)
    assert one.combined(other) == other.combined(one)
    assert one.combined(other)[category] is result
    assert all(one.combined(other)[c] is UNKNOWN for c in Category if c is not category)


def statement_of(category: Category, preference: Preference) -> str:
    return {ALLOW: f"{category}=y", DISALLOW: f"{category}=n", UNKNOWN: ""}[preference]


def test_aipref_vocab_5_1_no_carrier_outranks_another() -> None:
    for one, other, third in product(EVERY[::4], repeat=3):
        assert one.combined(other).combined(third) == one.combined(other.combined(third))
    assert all(one.combined(SILENT) == one.combined(one) == one for one in EVERY)


def test_house_what_is_unknown_of_a_path_is_taken_from_the_site() -> None:
    path, site = Preferences(ALLOW, UNKNOWN, UNKNOWN), Preferences(DISALLOW, DISALLOW, UNKNOWN)
    assert path.over(site) == Preferences(ALLOW, DISALLOW, UNKNOWN)
    for one, other in product(EVERY, repeat=2):
        assert all(one.over(other)[c] is (other[c] if p is UNKNOWN else p) for c, p in one)


def test_preferences_are_true_only_if_one_is_stated() -> None:
    assert [p for p in EVERY if not p] == [SILENT]


def test_a_list_of_categories_is_disallowed_where_any_of_them_is() -> None:
    assert NO_TRAINING.disallows(Category.AI_USE, Category.TRAIN_AI)
    assert not NO_TRAINING.disallows(Category.AI_USE, Category.SEARCH)
    assert not NO_TRAINING.disallows()
    assert not Preferences(train_ai=ALLOW).disallows(*Category)


def test_a_wrong_preference_is_refused_by_name_with_the_choices() -> None:
    with pytest.raises(PolicyError, match=r"^ai-use is 'n'; choose one of allow, disallow, unknown$"):
        Preferences(ai_use="n")  # type: ignore[arg-type]


def test_the_name_of_a_preference_will_do() -> None:
    assert Preferences(train_ai="disallow") == NO_TRAINING  # type: ignore[arg-type]


def test_preferences_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        NO_TRAINING.search = ALLOW  # type: ignore[misc]


def test_what_two_readings_grant_is_what_both_do() -> None:
    for one, other in product(EVERY, repeat=2):
        both = one.restricted_by(other)
        assert both == other.restricted_by(one)
        assert both.restricted_by(one) == both
        for category in Category:
            stated = {one[category], other[category]}
            assert both.disallows(category) is (Preference.DISALLOW in stated)
            assert (both[category] is Preference.ALLOW) is (stated == {Preference.ALLOW})
