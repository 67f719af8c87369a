"""Copies of a text are found, and texts that only share a frame are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._copies import copies

FRAME = "the soup was cold and nobody came to ask whether we wanted anything else that evening"
WORDS = FRAME.split()


@pytest.mark.parametrize(
    ("one", "other", "are_copies"),
    [
        ("So good!", "so  GOOD", True),
        ("RT @user: what a day https://x.org/1", "What a day https://x.org/2", True),
        ("café au lait", "cafe\u0301 au lait", True),
        (" ".join(WORDS), " ".join(WORDS[:-1]), True),
        (" ".join(WORDS), " ".join([*WORDS, "again"]), True),
        (" ".join(WORDS), " ".join(reversed(WORDS)), False),
        (" ".join(WORDS), " ".join(WORDS[8:]), False),
        ("good food", "bad food", False),
        ("😀", "😀", True),
        ("😀", "😡", False),
        ("!!!", "???", False),
    ],
)
def test_pairs_of_texts(one, other, are_copies):
    groups = copies([one, other, "something else"])
    assert (groups[0] == groups[1]) == are_copies
    assert groups[2] not in groups[:2]


def test_copies_of_copies_and_the_order_of_groups():
    chain = [" ".join(WORDS[i : i + 12]) for i in (0, 1, 2, 3)]
    assert copies(["first", *chain, "last", "first"]).tolist() == [0, 1, 1, 1, 1, 2, 0]


def test_a_frame_that_all_texts_share_makes_no_copies():
    frame = " ".join(WORDS * 5)
    texts = [f"{frame} question {i}: what is {i} times {i + 1}" for i in range(50)]
    assert len(set(copies(texts))) == 50
    assert len(set(copies(texts * 2))) == 50


def test_texts_of_one_template_with_many_parts_are_no_copies():
    texts = make_concept_texts(2000, random_state=0).data
    assert len(set(copies(texts))) > 0.99 * len(set(texts))


@given(st.lists(st.sampled_from([*WORDS, "a b c d", "A b  c d", "😀 !"]), min_size=1, max_size=30))
def test_equal_texts_are_copies(texts):
    groups = copies(texts)
    assert groups.shape == (len(texts),)
    for text in set(texts):
        rows = [row for row, other in enumerate(texts) if other == text]
        assert len(np.unique(groups[rows])) == 1
    assert np.unique(groups, return_index=True)[1].tolist() == sorted(np.unique(groups, return_index=True)[1])


def test_copies_are_found_among_texts_of_a_few_frames():
    rng = np.random.default_rng(0)
    frames = [" ".join(rng.choice(WORDS, 30)) for _ in range(3)]
    texts = [f"{frames[i % 3]} {' '.join(f'w{n}' for n in rng.integers(0, 9000, 12))}" for i in range(900)]
    groups = copies([*texts, *(f"{text} again" for text in texts[:60])])
    assert np.mean(groups[900:] == groups[:60]) > 0.95
    assert len(set(groups[:900].tolist())) > 850
