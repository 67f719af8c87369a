"""Pairs of texts as one text."""

import pytest

from sklearn_sae.utils._pair_text import are_pairs, in_drawn_order, join_pair, split_pair

PARTS = ["tea", "ends in \x1f\x1e", "\x1e\x1f begins", "\x1f\x1e\x1f", "\x1f\x1e\x1f\x1e\x1f", "\x1f"]


@pytest.mark.parametrize("prompt", [None, *PARTS], ids=range(1 + len(PARTS)))
def test_control_characters_make_no_further_part(prompt):
    for first in PARTS:
        for second in PARTS:
            parts = split_pair(join_pair(first, second, prompt))
            assert len(parts) == 2 + (prompt is not None)
            assert [part.replace("\x1e", " ") for part in (first, second)] == parts[-2:]


def test_a_text_with_a_separator_makes_no_pairs_of_the_others():
    assert not are_pairs(["some\x1f\x1e\x1ftext", "another"])
    assert are_pairs([join_pair("some", "text"), join_pair("an", "other")])


def test_the_order_is_that_of_the_pair_alone():
    """A pair is asked in one order whatever stands beside it, and whatever was given first."""
    for i in range(20):
        there, sign = in_drawn_order(join_pair(f"tea {i}", f"soup {i}", "What?"))
        back, other_sign = in_drawn_order(join_pair(f"soup {i}", f"tea {i}", "What?"))
        assert there == back
        assert sign == -other_sign != 0
