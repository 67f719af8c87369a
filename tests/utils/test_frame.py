"""What nearly all texts share at either end is found, once, and nothing else is taken for it."""

from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._frame import Frame, shared_frame

SHOTS = " ".join(f"Question {i}: is {i} even? Answer: {'yes' if i % 2 == 0 else 'no'}." for i in range(20))


def test_a_shared_beginning_and_end_are_left_out():
    asked = "Think step by step and then give the answer ."
    texts = [f"{SHOTS}\nQuestion: what is {i} times {i}?\n{asked}" for i in range(50)]
    frame = shared_frame(texts)
    assert frame.start[:3] == ("Question", "0:", "is")
    assert frame.without(texts[3]) == "3 times 3?"
    assert f"{len(frame.start):,} words" in frame.note
    assert "end with the same 10 words" in frame.note
    assert frame.without("another text") == "another text"


def test_texts_without_a_frame_have_none():
    reviews = make_concept_texts(500, random_state=0).data
    assert shared_frame(reviews) == Frame()
    assert shared_frame(reviews).note == ""
    assert shared_frame([SHOTS] * 100) == Frame()
    assert shared_frame([f"{SHOTS} {i}" for i in range(10)]) == Frame()  # too few texts to tell


def test_a_few_texts_may_lack_the_frame():
    texts = [f"{SHOTS} {i}" for i in range(97)] + ["one", "two", "three"]
    frame = shared_frame(texts)
    assert " ".join(frame.start) == SHOTS
    assert [frame.without(text) for text in texts] == [*map(str, range(97)), "one", "two", "three"]


@given(st.lists(st.text(alphabet="ab \n", min_size=1, max_size=12), min_size=20, max_size=40))
def test_what_is_left_is_a_part_of_the_text_and_never_blank(tails):
    texts = [f"{SHOTS} {tail}" for tail in tails]
    frame = shared_frame(texts)
    for text in texts:
        left = frame.without(text)
        assert left in text
        assert left.strip()
