"""Names for columns."""

import pytest

from sklearn_sae.annotation._short_names import short_names


@pytest.mark.parametrize(
    ("sentence", "short"),
    [
        ('mentions "rude"', "rude"),
        ('mentions "rude", "never again" or "slow"', "rude, never again, slow"),
        ('mentions "rude", "never again", "waited an hour", "bland" or "slow"', "rude, never again, waited an hour …"),
        ('mentions more of "rude" or "slow" than of "great"', "rude, slow not great"),
        (
            'mentions more of "rude", "never again", "slow" or "bland" than of "great", "love", "superb" or "best"',
            "rude, never again … not great, love …",
        ),
        ('says something like "We waited about 30 minutes and our food"', '"We waited about 30 minutes and our …'),
        ("praises the staff", "praises the staff"),
        ("praises  the staff, the kitchen,\nand others too", "praises the staff, the kitchen, and …"),
    ],
)
def test_short_names_are_whole_words(sentence, short):
    assert short_names([sentence]) == [short]


def test_short_names_differ_and_fit_whatever_the_words_are():
    sentences = ["mentions a long wait"] * 12 + [
        "x" * 100,
        "x" * 99,
        "今日は本当に良い天気ですね" * 5,
        f'mentions "{"y " * 50}z"',
    ]
    sentences += [f'mentions more of "{"a" * 50}" than of "{"b" * 50}"', "mentions a long wait (2)"]
    names = short_names(sentences)
    assert len(set(names)) == len(sentences)
    assert all(0 < len(name) <= 40 for name in names)
