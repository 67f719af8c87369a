"""What counts as a word, in many scripts, and where a phrase ends."""

import pickle
import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_sae.utils._words import CUT, WORD_IN_TEXT, TermAnalyzer, cut_text, plain_text, stretches, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Weight 62, height: 180", [["weight", "62"], ["height"], ["180"]]),
        ("Der Kellner.\nWir kamen", [["der", "kellner"], ["wir", "kamen"]]),
        ("Der Kellner\nWir kamen", [["der", "kellner"], ["wir", "kamen"]]),
        ("a line that\ngoes on", [["a", "line", "that", "goes", "on"]]),
        ("cold\tsoup | rude", [["cold"], ["soup"], ["rude"]]),
        ('a well-known "best food"', [["a", "well", "known", "best", "food"]]),
        ("260.5 or 1,000 or 45% at 10:30", [["260.5", "or", "1,000", "or", "45%", "at", "10:30"]]),
        ("my 3rd 4k tv", [["my", "3rd", "4k", "tv"]]),
        ("C++, C# and F#; ASP.NET", [["c++"], ["c#", "and", "f#"], ["asp"], ["net"]]),
        (".NET or .NET (an A+)", [[".net", "or", ".net"], ["an", "a+"]]),
        ("R&D at AT&amp;T, food&drinks", [["r&d", "at", "at&t"], ["food", "drinks"]]),
        ("1+1 a+b so good+++ end .And #1", [["1", "1", "a", "b", "so", "good", "end"], ["and"], ["#1"]]),
        ("İstanbul istanbul İSTANBUL", [["istanbul", "istanbul", "istanbul"]]),
        ("Great 😀😀 :-) #MeToo @user_1", [["great"], ["😀"], ["😀"], [":-)"], ["#metoo"], ["@user_1"]]),
        ("👍🏽👍 ❤️❤", [["👍"], ["👍"], ["❤"], ["❤"]]),
        ("🇩🇪🇫🇷👨‍👩‍👧", [["🇩🇪"], ["🇫🇷"], ["👨‍👩‍👧"]]),
        ("note:(see) 8) a<b (so):", [["note"], ["see"], ["8"], ["a"], ["b"], ["so"]]),
        ("Fast &amp; good&nbsp;food<br/>cheap", [["fast", "good", "food"], ["cheap"]]),
        ("see https://example.org/a?b=1 or www.x.org or me@x.org", [["see", "or", "or"]]),
        ("<p class='x'>one</p><!-- no --><p>two</p>", [["one"], ["two"]]),
        ("don’t can't l’été", [["don't", "can't", "l'été"]]),
        ("服务员态度很差，等了一个小时。", [["服务员", "态度", "很", "差"], ["等", "了", "一", "个", "小时"]]),
        ("服務員態度很差", [["服務員", "態度", "很", "差"]]),
        ("店員の態度がとても悪くて", [["店員の", "態度が", "とても", "悪くて"]]),
        ("iPhone手机很好", [["iphone", "手机", "很", "好"]]),
    ],
)
def test_words_and_phrases(text, expected):
    found = [stretch for stretch in stretches(text) if stretch]
    flat = [word for stretch in found for word in stretch]
    assert flat == [word for stretch in expected for word in stretch]
    together = {pair for stretch in expected for pair in pairwise(stretch)}
    joined = {pair for stretch in found for pair in pairwise(stretch)}
    are_emoji = {pair for pair in joined - together if not (pair[0].isalnum() and pair[1].isalnum())}
    assert joined - are_emoji == together  # whether emoji make phrases with their neighbors is left open


@pytest.mark.parametrize("text", ["مُمْتَاز", "מָקוֹם", "हिन्दी", "བཀྲ", "ការ", "ကောင်း", "é", "नमस्ते", "می‌خواهم"])
def test_marks_do_not_break_words(text):
    assert len(words(text)) == 1


def test_the_spellings_of_one_word_are_one():
    composed, decomposed = (unicodedata.normalize(form, "L’Été était glacé") for form in ("NFC", "NFD"))
    assert words(composed) == words(decomposed) == words(decomposed.replace("’", "'"))
    assert words("ΟΔΌΣ") == words("οδός")


def test_a_tokenizer_of_ones_own():
    assert stretches("a b-c", str.split) == (("a", "b-c"),)
    assert words("cold Soup", re.compile("[a-z]+").findall) == ["cold", "oup"]


def test_the_analyzer_in_a_vectorizer():
    analyzer = pickle.loads(pickle.dumps(TermAnalyzer((1, 2))))
    names = CountVectorizer(analyzer=analyzer).fit(["Cold soup. Rude staff!"]).get_feature_names_out().tolist()
    assert names == ["cold", "cold soup", "rude", "rude staff", "soup", "staff"]


@given(st.text())
def test_any_text_has_words_or_none(text):
    for word in words(text):
        assert word == word.strip() != ""
    assert plain_text(plain_text("<b>" + text)) is not None


@given(st.text(alphabet="ab é.,'-\n😀服务"), st.text(alphabet="ab é.,'-\n😀服务"))
def test_stretches_of_a_text_do_not_depend_on_what_follows_a_full_stop(left, right):
    assert stretches(left + ". " + right) == stretches(left + ".") + stretches(". " + right)


@given(st.text(alphabet="ab \n\t服务", max_size=60), st.integers(1, 12), st.sampled_from(["head", "middle", "tail"]))
def test_a_cut_text_keeps_whole_words_of_its_ends(text, max_words, keep):
    short = cut_text(text, max_words, keep)
    head, cut, tail = (part.strip() for part in short.partition(CUT))
    if not cut:
        assert short == text
        return
    assert text.strip().startswith(head)
    assert text.strip().endswith(tail)
    n_head, n_tail = (len(WORD_IN_TEXT.findall(part)) for part in (head, tail))
    assert n_head + n_tail == max_words < len(WORD_IN_TEXT.findall(text))
    assert {"head": n_tail == 0, "tail": n_head == 0, "middle": abs(n_head - n_tail) <= 1}[keep]


def test_a_short_text_is_not_cut():
    assert cut_text("one  two ", 2) == "one  two "
    assert cut_text("one two three", None) == "one two three"
    assert cut_text("店員の態度", 3) == "店員の […]"


def test_a_very_long_run_of_letters_is_read_in_one_go():
    """Encoded pictures, say; tried from each letter on as the beginning of an address, this would take an hour."""
    assert words("a" * 300_000 + " me@x.org good") == ["a" * 300_000, "good"]


def test_comparisons_are_no_tags_and_scripts_no_words():
    assert words("if a<b and c>d: x<y") == ["if", "a", "b", "and", "c", "d", "x", "y"]
    assert words("<script>var hidden = 1</script>hi <a href='x'>you</a><br />there") == ["hi", "you", "there"]


@pytest.mark.parametrize(
    "tokenizer", [lambda text: text, lambda text: None, lambda text: [1], lambda text: [("a", "NN")]]
)
def test_a_tokenizer_returns_a_list_of_words(tokenizer):
    with pytest.raises(TypeError, match="tokenizer must return a list of words"):
        words("some text", tokenizer)
