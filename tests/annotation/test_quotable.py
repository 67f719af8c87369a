"""What may be quoted of a corpus, and how."""

import numpy as np
import pytest

from sklearn_sae.annotation._quotable import Quotable, overlap, show, write_sentence


def rank(sentence, *others, max_words=12):
    """Return the rank of a sentence in a corpus whose other sentences have its words too."""
    return Quotable([sentence, f"and {sentence.lower()}", *others], max_words).rank[0]


@pytest.mark.parametrize(
    "sentence",
    [
        "Write to me at jane.doe@example.org please.",
        "Call us at 415-555-0134 for a table.",
        "Call (415) 555 0134 for a table.",
        "Ring +44 20 7946 0958 any time.",
        "Follow me @jane_doe for more reviews.",
        "See https://example.org/menu for the menu.",
        "Order on www.example.org next time.",
        "Their site sushi-place.com was down again.",
        "Look at bit.ly/2abc for a photo.",
        "Look at my site janedoe.eu for more.",
        "Write to jane (at) posteo please.",
        "Write to jane at gmail dot com please.",
        "Call (030) – 12 34 56 for a table.",
        "Call 030 - 123 456 for a table.",
        "Call 555‑1234 for a table.",
        "My name there is jane_doe.",
        "Ask u/janedoe about it.",
        "I live at 12 Elm Street near here.",
        "We moved to 1420 W. Elm Ave last year.",
        "Ich wohne in der Hauptstraße 12 nebenan.",
        "J'habite 5 rue Cler, tout près.",
        "Too short.",
    ],
)
def test_never_quoted(sentence):
    assert rank(sentence) == 3


@pytest.mark.parametrize(
    "sentence",
    [
        "We waited over an hour for our food.",
        "It cost 12.50 for two, in 2019.",
        "We came at 7:30 on the 12th, in 2019.",
        "I love this place!",
        "菜很冷，服务员很粗鲁。",
        "Nous avons attendu une heure.",
        "We sat and sat... nothing came, until 10:30 or 11:00.",
        "It is 5 minutes down the road.",
        "It was _really_ good, i.e. hot.",
    ],
)
def test_quoted(sentence):
    assert rank(sentence) == 0


def test_long_sentences_come_last():
    assert rank("one two three four five", max_words=4) == 2
    assert rank("one two three four", max_words=4) == 0


def test_names_are_words_that_mostly_begin_with_a_capital_within_sentences():
    corpus = [
        "We met Chandana.",
        "Then we met Chandana.",
        "We Love it.",
        "Then we love it.",
        "So we love it.",
        "So, so.",
    ]
    assert Quotable(corpus, 12).rank.tolist() == [1, 1, 0, 0, 0, 3]
    # At the beginning of a sentence as well.
    assert Quotable(["Chandana met it.", "Love met it so.", "WE LOVE IT SO.", *corpus], 12).rank[:3].tolist() == [
        1,
        0,
        0,
    ]


def test_words_that_no_other_sentence_has_are_odd():
    corpus = ["The staff is attententive.", "The staff is attentive.", "Is the attentive staff here?", "He is here."]
    assert Quotable(corpus, 12).rank.tolist() == [1, 0, 0, 1]


def test_worse_ones_are_taken_where_there_are_too_few():
    good = [f"the soup number {i} was cold" for i in range(3)]
    named = ["we met Chandana", "and we met Chandana"]
    long = ["a b c d e f g h i", "a b c d e f g h i j"[:-4]]
    quotable = Quotable([*long, *named, *good, "mail a@b.org for it"], max_words=7)
    order = np.arange(8)
    assert quotable.best(order, 30).tolist() == [4, 5, 6, 2, 3, 1, 0]
    assert quotable.best(order[::-1], 2).tolist()[:2] == [6, 5]
    many = Quotable([*(f"the soup number {i} was cold" for i in range(25)), *named], max_words=7)
    assert many.best(np.arange(27)[::-1], 30).max() == 24


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("The pudding was dreadful.", "The pudding was dreadful"),
        ("  - The\n pudding  was dreadful!", "The pudding was dreadful!"),
        ("We waited...", "We waited..."),
        ('He said "no" to us.', "He said 'no' to us"),
        ("What “service”?", "What 'service'?"),
    ],
)
def test_show(sentence, shown):
    assert show(sentence) == shown


def test_what_is_shown_acts_on_no_terminal():
    assert show("A \x1b[31mred\x1b[0m roof\u202e and\n a\tdoor.") == "A [31mred[0m roof and a door"


def test_contact_data_are_found_behind_characters_that_cannot_be_seen():
    assert rank("Call 415\u200b555\u200b0134 for a table.") == 3


def test_write_sentence():
    assert write_sentence(["a"]) == 'says something like "a"'
    assert write_sentence(["a", "b"]) == 'says something like "a" or "b"'
    assert write_sentence(["a", "b", "c"]) == 'says something like "a", "b" or "c"'


def test_overlap():
    assert overlap("The soup was cold", "the SOUP was") == 1
    assert overlap("cold soup", "warm soup and bread") == 0.5
    assert overlap("cold soup", "rude waiter") == 0
    assert overlap("!!!", "cold soup") == 0
