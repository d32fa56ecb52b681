"""The order of counts by key."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.accesslog.fetch_table import FETCHES
from aipolicy.accesslog.summary.counters import by_key, ranked, top_keys
from aipolicy.identity import Identity

rows = st.lists(
    st.tuples(
        st.none() | st.sampled_from(["/", "/a", "/b", "/ä", "/\U0001f600", "/~", ""]),
        st.sampled_from([str(verdict) for verdict in FETCHES]),
        st.sampled_from([str(identity) for identity in Identity]),
        st.integers(1, 3),
        st.just(0),
        st.just(0),
    ),
    unique_by=lambda row: row[:3],
).map(lambda found: [row for row in found if row[1:3] != ("disallowed", "spoofed")])  # a class of its own


@given(rows, st.integers(1, 4))
def test_the_highest_keys_are_the_first_of_all_of_them_in_order(
    counted: list[tuple[str | None, str, str, int, int, int]], most: int
) -> None:
    schema = {"key": pl.String, "verdict": pl.String, "identity": pl.String, "count": pl.UInt32}
    frame = pl.DataFrame(counted, schema={**schema, "first": pl.Int64, "last": pl.Int64}, orient="row")
    everything = ranked(by_key(frame).items())
    assert ranked(by_key(top_keys(frame, most)).items()) == everything[:most]
