"""Where sentences end, in reviews, posts, lists and other languages, and that nothing of a text is lost."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.utils._sentences import sentence_spans, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["The food was great.", "We waited 30 min...", "Then Mr. Smith paid, e.g. with 3.5 dollars. OK!"],
        ["I paid $4.50 for soup.", "It cost 1,000.00 in all."],
        ['He said "It was bad."', "Then we all left."],
        ["J.K. Rowling wrote it there.", "I'm from the U.S. government.", "At 5 p.m. we left."],
        ["THE WORST PLACE EVER.", "NEVER GO THERE AGAIN!", "DO NOT GO THERE"],
        ["it was so bad.", "the waiter was rude."],
        ["great little place :)", "i love it!!!", "will be back soon"],
        ["So it goes on…", "Then we left the place."],
        ["no punctuation here at all just words and words i think it is fine"],
        ["see http://a.example/c.D?x=1 for more.", "Write to a.b@c.example or call."],
        ["Das Essen war z. B. kalt.", "Am 3. Oktober kam Dr. Müller.", "Die Nr. 5 war usw. auch gut."],
        ["El Sr. García llegó tarde.", "¿Cómo está el señor?", "¡Muy bien fue todo!"],
        ["Это очень хороший тест.", "В 2020 г. было всё хорошо."],
    ],
)
def test_sentences_end_where_a_person_would_say_so(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["I paid $4.50 there.", "The soup was cold.", "Never again for us!!"],  # no space after the full stop
        ["这家餐厅很好。", "服务员很热情！", "我会再来？", "菜很好吃，价格便宜。"],
        ["美味しかったです。", "また来ます！"],
        ["यह अच्छा है। ", "वह बुरा है।"],
    ],
)
def test_sentences_need_no_space_between_them(sentences):
    assert split_sentences("".join(sentences)) == [sentence.strip() for sentence in sentences]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "What was good:\n- the warm soup\n- the nice staff",
            ["What was good:", "- the warm soup", "- the nice staff"],
        ),
        ("1. Too slow for us\n2. Too cold for us", ["1. Too slow for us", "2. Too cold for us"]),
        ("A title of it\n\nthe text begins", ["A title of it", "the text begins"]),
        ("a line that\ngoes on here", ["a line that\ngoes on here"]),
        ("We had a meal\r\nIt was very cold", ["We had a meal", "It was very cold"]),
        (
            "A line may end where the page does, and go on with\nNew York.",
            ["A line may end where the page does, and go on with\nNew York."],
        ),
        ("We liked it.<br /><br />The soup was cold", ["We liked it.<br /><br />", "The soup was cold"]),
    ],
)
def test_lines_and_lists_end_sentences_unless_the_page_broke_them(text, sentences):
    assert split_sentences(text) == sentences


def test_fragments_join_their_neighbour():
    assert split_sentences("Wow! Wow! The soup was cold. Never again.") == ["Wow! Wow! The soup was cold. Never again."]
    assert split_sentences("The soup was cold. OK. We left it there.") == [
        "The soup was cold.",
        "OK. We left it there.",
    ]
    assert split_sentences("No.") == ["No."]
    assert split_sentences("!!!") == ["!!!"]
    assert split_sentences(" \n ") == []


def test_run_on_text_is_cut_at_the_end_of_a_clause():
    parts = split_sentences("so " * 39 + "it was, " + "and then " * 20)
    assert parts[0].endswith("it was,")
    assert [len(part.split()) for part in split_sentences("word " * 150)] == [50, 50, 50]
    assert [len(part) for part in split_sentences("好" * 150)] == [50, 50, 50]
    thai = "อาหารอร่อยมาก บริการดี ราคาไม่แพง จะกลับมาอีก"
    assert all(part.endswith(tuple(thai.split())) for part in split_sentences(f"{thai} " * 4))


_PIECES = st.sampled_from(
    [
        *"aZé好か\u0e01 \n\t.!?…,;:()\"'*-1",
        " ",
        "...",
        "Mr. ",
        "e.g.",
        "3.5",
        ":) ",
        "<br>",
        "\r\n",
        "\u2028",
        "\ud800",
        "😀",
    ]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=300).map("".join), st.integers(0, 400).map("so, ".__mul__)))
def test_nothing_of_a_text_is_lost(text):
    spans = sentence_spans(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    gaps = [(0, 0), *spans, (len(text), len(text))]
    assert not "".join(text[before[1] : after[0]] for before, after in pairwise(gaps)).strip()
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    assert all(len(text[start:end].split()) <= 60 for start, end in spans)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "word ",
        ".",
        ". ",
        "Mr. ",
        "!",
        "! ",
        "…",
        '"',
        "(",
        "1.",
        "\n",
        " ",
        "好",
        "Hi! ",
        "a.b.",
        " :(",
        "<br ",
        "- \n",
    ],
    ids=repr,
)
def test_time_grows_with_the_length_of_hostile_text(piece):
    text = (piece * 100_000)[:100_000]
    begin = time.process_time()
    sentence_spans(text)
    assert time.process_time() - begin < 5  # a twentieth of that is usual; quadratic time is a minute
