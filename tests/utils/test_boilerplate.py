"""What nearly all texts share at either end is found, once, and nothing else is taken for it."""

from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._boilerplate import Boilerplate, shared_boilerplate

SHOTS = " ".join(f"Question {i}: is {i} even? Answer: {'yes' if i % 2 == 0 else 'no'}." for i in range(20))


def test_a_shared_beginning_and_end_are_left_out():
    asked = "Think step by step and then give the answer ."
    texts = [f"{SHOTS}\nQuestion: what is {i} times {i}?\n{asked}" for i in range(50)]
    boilerplate = shared_boilerplate(texts)
    assert boilerplate.start[:3] == ("Question", "0:", "is")
    assert boilerplate.without(texts[3]) == "3 times 3?"
    assert f"{len(boilerplate.start):,} words" in boilerplate.note
    assert "end with the same 10 words" in boilerplate.note
    assert boilerplate.without("another text") == "another text"


def test_texts_without_boilerplate_have_none():
    reviews = make_concept_texts(500, random_state=0).data
    assert shared_boilerplate(reviews) == Boilerplate()
    assert shared_boilerplate(reviews).note == ""
    assert shared_boilerplate([SHOTS] * 100) == Boilerplate()
    assert shared_boilerplate([f"{SHOTS} {i}" for i in range(10)]) == Boilerplate()  # too few texts to tell


def test_a_few_texts_may_lack_the_frame():
    texts = [f"{SHOTS} {i}" for i in range(97)] + ["one", "two", "three"]
    boilerplate = shared_boilerplate(texts)
    assert " ".join(boilerplate.start) == SHOTS
    assert [boilerplate.without(text) for text in texts] == [*map(str, range(97)), "one", "two", "three"]


@given(st.lists(st.text(alphabet="ab \n", min_size=1, max_size=12), min_size=20, max_size=40))
def test_what_is_left_is_a_part_of_the_text_and_never_blank(tails):
    texts = [f"{SHOTS} {tail}" for tail in tails]
    boilerplate = shared_boilerplate(texts)
    for text in texts:
        left = boilerplate.without(text)
        assert left in text
        assert left.strip()
