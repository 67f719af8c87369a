import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.report._excerpt import Marks, excerpt, marked, plain
from sklearn_sae.utils._validation import visible
from sklearn_sae.utils._words import WORD_IN_TEXT

MARKS = {"sentence": ("<<", ">>"), "word": ("*", "*")}
TEXT = " ".join(f"w{i}" for i in range(100))


def span(first, last):
    """The span of some words of TEXT."""
    return TEXT.index(f"w{first}"), TEXT.index(f"w{last}") + len(f"w{last}")


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        (Marks(), "w0 w1 w2 w3 w4 w5 …"),
        (Marks(words=(span(50, 50),)), "… w47 w48 w49 *w50* w51 w52 …"),
        (Marks(words=(span(99, 99),)), "… w94 w95 w96 w97 w98 *w99*"),
        (Marks(words=(span(40, 40), span(80, 80))), "… w39 *w40* w41 … w79 *w80* w81 …"),
        (Marks(sentences=(span(50, 53),)), "… w49 <<w50 w51 w52 w53>> w54 …"),
        (Marks(sentences=(span(50, 53), span(20, 30))), "… w49 <<w50 w51 w52 w53>> w54 …"),
        (Marks(sentences=(span(50, 59),)), "… <<w50 w51 w52 w53 w54 w55>> …"),
        (Marks(sentences=(span(50, 59),), words=(span(57, 57),)), "… <<w54 w55 w56 *w57* w58 w59>> …"),
    ],
)
def test_the_words_nearest_to_the_strongest_marks_are_kept(marks, expected):
    one = excerpt(TEXT, marks, 6)
    assert (one.n_shown, one.n_words) == (6, 100)
    assert marked(one, MARKS) == expected


def test_words_within_sentences_and_beside_them():
    text = "Cold soup. Rude staff, cold bread."
    marks = Marks(((0, 10),), ((0, 4), (23, 27)))
    assert marked(excerpt(text, marks, None), MARKS) == "<<*Cold* soup.>> Rude staff, *cold* bread."


@given(st.text(max_size=200).filter(visible), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=4))
def test_no_word_is_lost_or_made_up(text, spans):
    spans = tuple((start, end) for start, end in spans if start < end <= len(text))
    whole = excerpt(text, Marks(spans[:2], spans[2:]), None)
    shown = "".join(part.text for parts in whole.stretches for part in parts)
    assert "".join(shown.split()) == "".join(plain(text).split())
    short = excerpt(text, Marks(spans[:2], spans[2:]), 3)
    assert short.n_shown == min(3, len(WORD_IN_TEXT.findall(text)))
    assert re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", marked(short, MARKS)) is None
