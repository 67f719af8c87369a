"""Texts are cut between sentences, and what an encoder marks is shown in its context."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_sae.annotation.llm._cut import cut_between_sentences, excerpt
from sklearn_sae.utils._words import CUT, WORD_IN_TEXT

SENTENCES = [
    "We waited for an hour.",
    "The soup was cold and thin.",
    "Nobody came to ask us.",
    "Will we go there again?",
    "It was a rainy day in May.",
    "The music was far too loud!",
]
TEXT = " ".join(SENTENCES)


@given(st.integers(6, 40), st.sampled_from(["head", "middle", "tail"]))
def test_only_whole_sentences_are_left(max_words, keep):
    short = cut_between_sentences(TEXT, max_words, keep)
    n_words = len(WORD_IN_TEXT.findall(short.replace(CUT, "")))
    assert n_words <= max_words
    if short == TEXT:
        assert n_words == len(TEXT.split())
        return
    head, _, tail = short.partition(CUT)
    if keep == "middle" and max_words < 12:  # no sentence fits into either half
        return
    for part in (head.strip(), tail.strip()):
        assert part == "" or any(part == " ".join(SENTENCES[i:j]) for i in range(6) for j in range(i + 1, 7))
    assert {"head": not tail, "tail": not head, "middle": bool(head and tail)}[keep]


def test_a_text_of_one_long_sentence_is_cut_after_a_word():
    assert cut_between_sentences("one two three four five", 3, "head") == "one two three […]"
    assert cut_between_sentences("one two three", None, "head") == "one two three"


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ([0], [0, 1, CUT]),
        ([5], [CUT, 4, 5]),
        ([2], [CUT, 1, 2, 3, CUT]),
        ([0, 5], [0, 1, CUT, 4, 5]),
        ([1, 3], [0, 1, 2, 3, 4, CUT]),
        ([], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_marked_sentences_are_shown_with_their_neighbors(marked, expected):
    some = [f"<<{one}>>" if i in marked else one for i, one in enumerate(SENTENCES)]
    assert excerpt(" ".join(some)) == " ".join(some[one] if one != CUT else CUT for one in expected)


def test_a_mark_across_sentences_shows_them_all():
    text = TEXT.replace("hour.", "<<hour.").replace("ask us", "ask>> us")
    start, _, end = excerpt(text).partition("us. ")
    assert start == "We waited for an <<hour. The soup was cold and thin. Nobody came to ask>> "
    assert end == f"Will we go there again? {CUT}"


@given(st.text(alphabet="ab .!<>\n服。"))
@example(">><<<")
@example("a<<>>>")
def test_what_is_left_out_is_marked(text):
    short = excerpt(text)
    parts = ["".join(part.split()) for part in short.split(CUT)]
    assert all(part in "".join(text.split()) for part in parts)
    assert "<<" in text or short == text
    assert CUT in short or "".join(short.split()) == "".join(text.split())
