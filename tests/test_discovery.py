"""What is printed of a discovery."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import wcwidth

from sklearn_sae import discover, evaluate_hypotheses
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts

WORDS = (
    *("delicious", "awesome", "friendly", "breakfast", "amazing", "loved"),
    *("fresh", "beyond", "wonderful", "phenomenal", "duck", "excellent"),
)


def of_words(i):
    """Eight words, of which a line of 100 characters holds the name."""
    return [f"{WORDS[(i + j) % len(WORDS)][:8]}{i:x}" for j in range(8)]


def listed(terms):
    return ", ".join(f'"{term}"' for term in terms[:-1]) + f' or "{terms[-1]}"'


NAMES = {
    "keywords": [f"mentions {listed(of_words(i))}" for i in range(20)],
    "mixed": [
        f"mentions more of {listed(of_words(i)[:4])} than of {listed(of_words(i)[6:])}"
        if i % 3
        else f"mentions {listed(of_words(i))}"
        for i in range(20)
    ],
    "sentences": [f"complains of rude staff at table {i} and asks for the manager at once" for i in range(20)],
    "chinese": [f'mentions "服务员 态度{i}", "等了很久" or "再也不来"' for i in range(20)],
    "quotes": [
        f'says something like "We waited {i} hours for our food and nobody came", "The soup was cold when it was '
        f'brought to table {i}" or "Nobody said that the kitchen closes at {i} and that we were too late for a dessert"'
        for i in range(20)
    ],
}


@pytest.fixture(scope="module")
def found():
    reviews = make_concept_texts(300, n_concepts=5, random_state=0)
    y = pd.Series(reviews.target.round(2), name="stars")
    return discover(reviews.data, y, n_components=8, k=2, n_hypotheses=3, random_state=0)


@pytest.fixture(scope="module")
def twenty(found):
    """The same with 20 hypotheses of given names, tested on a given target."""
    A = np.random.default_rng(0).integers(2, size=(400, 20))

    def named(names, scale=1.0):
        y = scale * (3 + A[:, :4] @ [1.0, 0.5, -0.5, -1.0] + np.random.default_rng(1).normal(size=400))
        evaluation = evaluate_hypotheses(A, y, hypotheses=names)
        table = evaluation.table.assign(fidelity_f1=0.5).sort_values("separation_score", ascending=False)
        return replace(found, table=table, evaluation=evaluation)

    return named


def is_in(name, text):
    """Whether a printed text has all words of a name, in order, on one line or on several."""
    words = re.sub(r'["“”]|\bor\b|,', " ", name).split()[1:]
    return " ".join(words) in " ".join(re.sub(r'["“”]|\bor\b|,', " ", text).split())


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_lines_are_no_wider_than_the_terminal_and_few(twenty, kind, width):
    discovery = twenty(NAMES[kind])
    for one in (discovery, discovery.evaluation):
        for options in ({}, {"wide": True}, {"full": True}):
            lines = one.to_text(width=width, **options).splitlines()
            assert max(map(wcwidth.width, lines)) <= width
        short = one.to_text(width=width).splitlines()
        assert len(short) <= (30 if width >= 100 else 50)


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "quotes"])
@pytest.mark.parametrize("width", [80, 100, 120])
def test_names_that_fit_a_page_are_whole(twenty, kind, width):
    discovery = twenty(NAMES[kind])
    for text in (discovery.to_text(width=width), discovery.evaluation.to_text(width=width)):
        assert "cut (…)" not in text
        assert all(is_in(name, text) for name in NAMES[kind])


def test_names_that_do_not_fit_are_cut_which_is_said_and_whole_in_full(twenty):
    names = NAMES["quotes"]
    discovery = twenty(names)
    for one in (discovery, discovery.evaluation):
        text = one.to_text(width=100)
        said = re.search(r"(\d+) names are cut \(…\), whole with \.to_text\(full=True\)\.", " ".join(text.split()))
        assert 10 < int(said[1]) == sum(not is_in(name.removeprefix("says something like"), text) for name in names)
        assert 26 <= len(text.splitlines()) <= 30
        assert "says something like\n" in text  # once, and not in each row
        assert text.count("says something like") == 1
        full = one.to_text(width=100, full=True)
        assert "cut" not in full
        assert all(is_in(name.removeprefix("says something like"), full) for name in names)


def test_twenty_hypotheses_of_keywords_are_a_page_of_thirty_lines(twenty):
    text = str(twenty(NAMES["keywords"]))
    assert len(text.splitlines()) <= 30
    assert '"' not in text.split("Note")[0].replace("'stars'", "")
    assert "mentions any of\n" in text


@pytest.mark.parametrize(
    ("scale", "form"), [(1, r"\d\.\d\d"), (1e6, r"[\d,]+"), (1e-5, r"\d\.\de-\d\d"), (0.01, r"0\.0\d\d\d")]
)
def test_effects_are_in_the_units_of_the_target(twenty, scale, form):
    discovery = twenty(NAMES["keywords"], scale)
    shown = re.findall(rf"^ *([+-]?{form})[ *] +\d+%", discovery.to_text(), re.MULTILINE)
    effects = np.array([float(effect.replace(",", "")) for effect in shown])
    np.testing.assert_allclose(effects, discovery.table["separation_score"], atol=0.0051 * scale, rtol=0.05)
    assert not any(effect.startswith("-") and float(effect.replace(",", "")) == 0 for effect in shown)


def test_shares_are_in_points(found):
    reviews = make_concept_texts(400, n_concepts=4, task="binary", random_state=0)
    y = pd.Series(reviews.target).map({0: "bad", 1: "good"})
    binary = discover(reviews.data, y, n_components=8, k=2, n_hypotheses=3, random_state=0)
    text = binary.to_text()
    assert "effect: share of good where it holds minus where not, in points of percentage" in " ".join(text.split())
    effects = [int(effect) for effect in re.findall(r"^ *([+-]?\d+)[ *] +\d+%", text, re.MULTILINE)]
    np.testing.assert_allclose(effects, 100 * binary.table["separation_score"], atol=0.501)


def test_wide_has_the_tests_and_full_all_else(found):
    short, wide, full = found.to_text(), found.to_text(wide=True), found.to_text(full=True)
    assert " ±" not in short.split("effect:")[0]
    for text in (wide, full):
        for (_, row), line in zip(found.table.iterrows(), re.findall(r"^.* ±.*%.*$", text, re.MULTILINE), strict=False):
            margin = (row["separation_ci_high"] - row["separation_ci_low"]) / 2
            assert f"{row['separation_score']:+.2f} ±{margin:.2f}" in line
            assert f"{row['regression_coef']:+.2f}" in line
            assert f"{row['fidelity_f1']:.2f}" in line
    assert f"{found.scores['r2']:6.3f}  these 3 hypotheses" in full
    assert f"Held-out R²: {found.scores['r2']:.2f} hypotheses" in short
    for note in found.notes:
        assert f"Note: {note}" in " ".join(full.split())


def test_it_is_as_wide_as_the_terminal_says_and_a_hundred_columns_without(twenty, monkeypatch):
    discovery = twenty(NAMES["keywords"])
    assert str(discovery) == discovery.to_text(width=100)
    for columns, width in (("80", 80), ("100", 100), ("300", 120)):
        monkeypatch.setenv("COLUMNS", columns)
        assert str(discovery) == discovery.to_text(width=width)
        assert repr(discovery.evaluation) == discovery.evaluation.to_text(width=width)


@pytest.mark.parametrize("option", ["--wide", "--full"])
def test_the_command_line_prints_the_same(tmp_path, capsys, option):
    reviews = make_concept_texts(300, n_concepts=5, random_state=0)
    table = pd.DataFrame({"review": reviews.data, "stars": reviews.target})
    table.to_json(tmp_path / "reviews.jsonl", orient="records", lines=True)
    file = [str(tmp_path / "reviews.jsonl"), "--text", "review", "--target", "stars"]
    assert main(["discover", *file, "-M", "8", "-K", "2", "--n-hypotheses", "3", option]) == 0
    y = pd.Series(reviews.target, name="stars")
    found = discover(reviews.data, y, n_components=8, k=2, n_hypotheses=3, random_state=0)
    assert capsys.readouterr().out == f"{found.to_text(**{option[2:]: True})}\n"


@pytest.mark.slow
def test_real_reviews_are_a_page_in_a_pipe(data_dir):
    """Names are whole, and no line is longer than 100 characters."""
    command = [sys.executable, "-m", "sklearn_sae", "discover", str(data_dir / "yelp.jsonl")]
    without = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    options = ["--text", "text", "--target", "target"]
    result = subprocess.run([*command, *options], capture_output=True, encoding="utf-8", env=without, check=True)
    lines = result.stdout.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100
    assert sum(bool(re.match(r"[+-]\d\.\d\d[* ] +\d+%  \w", line)) for line in lines) == 20
    assert "cut (…)" not in result.stdout
