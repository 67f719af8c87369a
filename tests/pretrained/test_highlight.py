"""Highlights in prompts and for people."""

import re
from html import unescape

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae.pretrained._highlight import highlight_html, highlight_text


def words(text):
    return [match.span() for match in re.finditer(r"\s*\S+", text)]


@st.composite
def tokens(draw):
    """A text, spans that start in order and may share characters, and activations."""
    text = draw(st.text(alphabet="ab <>&\"'\n😀", min_size=1, max_size=20))
    cuts = sorted(draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=8)))
    spans = [(start, draw(st.integers(start + 1, len(text)))) for start in cuts]
    activations = draw(st.lists(st.sampled_from([0.0, 0.25, 3.0]), min_size=len(cuts), max_size=len(cuts)))
    return text, np.array(spans), np.array(activations)


def test_a_run_of_active_tokens_is_one_highlight():
    text = "the soup was cold again"
    assert highlight_text(text, words(text), [0, 1, 1, 0, 2]) == "the <<soup was>> cold <<again>>"
    assert highlight_text(text, words(text), np.zeros(5)) == text
    assert highlight_text(text, words(text), np.ones(5)) == f"<<{text}>>"


def test_tokens_that_share_a_character_are_one():
    text = "a 😀 b"  # of the four bytes of the face, one is a token, and three are another
    spans, activations = [(0, 1), (1, 3), (2, 3), (3, 5)], [0.0, 0.5, 2.0, 0.0]
    assert highlight_text(text, spans, activations) == "a <<😀>> b"
    html = highlight_html(text, spans, activations)
    assert html.count("<mark") == 1
    assert 'title="2"' in html


def test_the_shade_follows_the_activation():
    html = highlight_html("low high none", [(0, 3), (4, 8), (9, 13)], [1.0, 4.0, 0.0])
    shades = [float(shade) for shade in re.findall(r"160, 0, ([\d.]+)", html)]
    assert shades == sorted(shades)
    assert len(shades) == 2
    weaker = highlight_html("low high none", [(0, 3), (4, 8), (9, 13)], [1.0, 4.0, 0.0], strongest=40.0)
    assert max(float(shade) for shade in re.findall(r"160, 0, ([\d.]+)", weaker)) < shades[-1]


def test_html_in_a_text_is_escaped():
    text = '<script>alert("x")</script> & more'
    html = highlight_html(text, words(text), np.ones(3))
    assert "<script" not in html
    assert set(re.findall(r"</?(\w+)", html)) == {"span", "mark"}


def test_white_space_stays_outside_unless_it_is_all_there_is():
    assert highlight_text("a\n\nb c", [(0, 1), (1, 3), (3, 4), (4, 6)], [0, 1, 0, 1]) == "a<<\n\n>>b <<c>>"


@given(tokens())
def test_the_text_is_kept(example):
    text, spans, activations = example
    without = highlight_text(text.replace("<", "(").replace(">", ")"), spans, activations)
    assert without.replace("<<", "").replace(">>", "") == text.replace("<", "(").replace(">", ")")
    assert unescape(re.sub(r"<[^>]*>", "", highlight_html(text, spans, activations))) == text


@given(tokens())
def test_what_is_marked_is_active(example):
    text, spans, activations = example
    plain = "".join(chr(0x4E00 + i) if not c.isspace() else c for i, c in enumerate(text))  # each character its own
    active = {c for (start, end), a in zip(spans, activations, strict=True) if a > 0 for c in plain[start:end]}
    marked = {c for part in re.findall("<<(.*?)>>", highlight_text(plain, spans, activations), re.S) for c in part}
    html = highlight_html(plain, spans, activations)
    shaded = {c for part in re.findall("<mark[^>]*>(.*?)</mark>", html, re.S) for c in part}
    seen = {c for c in active if not c.isspace()}
    assert seen <= marked
    assert seen <= shaded
