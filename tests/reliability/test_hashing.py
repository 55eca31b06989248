"""The bulk hash is the one hash of the records, only faster."""

from hypothesis import given
from hypothesis import strategies as st

from outgrow.core.hashing import sha256_text
from outgrow.reliability.hashing import digests, hash_order

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(st.lists(st.one_of(TEXT, st.integers(), st.none(), st.booleans()), max_size=3), st.lists(TEXT, max_size=4))
def test_digests_equal_the_hash_of_the_records(prefix, names):
    assert [d.hex() for d in digests(prefix, names)] == [sha256_text(*prefix, name) for name in names]
    assert [d.hex() for d in digests(prefix, names, names)] == [sha256_text(*prefix, name, name) for name in names]


def test_order_is_ascending_by_hash_and_equal_names_keep_their_order():
    names = ["b", "a", "c", "a"]
    expected = sorted(range(4), key=lambda i: (sha256_text("x", 7, names[i]), i))
    assert hash_order(["x", 7], names).tolist() == expected
    assert hash_order(["x", 8], []).tolist() == []
