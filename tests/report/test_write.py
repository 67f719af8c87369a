"""Reports as files: Markdown, workbooks, and where they are written."""

import os
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import discover, evaluate_hypotheses
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.report._excerpt import marked
from sklearn_sae.report._markdown import escaped, markdown_of
from sklearn_sae.report._report_of import report_of_evaluation
from sklearn_sae.report._settings import shown_value
from sklearn_sae.report._write import write_report

ATTACKS = [
    "<script>alert(1)</script> cold",
    "</td></tr><img src=x onerror=alert(1)> cold & \"quoted\" 'single' &amp;",
    '=HYPERLINK("http://evil.example";"cold")',
    "+cmd|' /C calc'!A0 cold",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "| cold | `code` | **bold** | [link](http://evil.example) ![image](http://evil.example/x.png)",
    "# heading cold\n\n- item\n1. one\n> quote\n```\ncode\n```",
    "bell \x07 null \x00 cold \ufffe",
    "https://evil.example/cold www.evil.example <https://evil.example>",
    "الحساء بارد cold 寒い 😀",
]


@pytest.fixture(scope="module")
def report():
    texts = ATTACKS * 6
    texts = [f"{text} number {i}" for i, text in enumerate(texts)]
    annotations = np.array([["cold" in text, i % 3 == 0] for i, text in enumerate(texts)], dtype=float)
    y = pd.Series(np.arange(60) % 7 + 2 * annotations[:, 1], name="<b>likes</b>|`x`")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        evaluation = evaluate_hypotheses(annotations, y, hypotheses=['mentions "cold"', "=1+1 <i>*says*</i> | `x`"])
    return report_of_evaluation(evaluation, texts, max_words=None)


def shown_texts(report):
    return [one for h in report.hypotheses for some in h.examples.values() for x in some for one in x.excerpts]


def test_no_text_is_taken_for_markdown_or_html(report):
    assert len(shown_texts(report)) >= 8
    said, _, code = markdown_of(report).partition("```bibtex")
    assert not re.search(r"<[a-zA-Z/!]", said)
    assert not re.search(r"(?<!\\)`", said)
    assert "](" not in said.replace("\\]", "")
    assert not re.search(r"(?i)https?://(?!\S*arxiv)", said)
    assert not re.search(r"(?<!\\)www\.", said)
    assert said.count("**cold**") >= 2
    assert code.count("```") == 1
    headings = [line for line in said.splitlines() if line.startswith("#")]
    assert all(re.match(r"#{1,3} (What in|The |One by one|Notes|How it|References|\d+\. )", line) for line in headings)
    for table in re.findall(r"(?:^\|.*\n)+", said, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1  # no bar of a text makes a cell


def test_a_browser_shows_what_was_written(report):
    """Python's escapes and entities undone, the text is there again."""
    said = markdown_of(report)
    plain = re.sub(r"(?<!\\)\*\*", "", said)
    plain = re.sub(r"\\([\\`*_{}\[\]#|~$.:+=)-])", r"\1", plain)
    plain = plain.replace("\\://", "://").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    for one in shown_texts(report):
        assert f": {marked(one, {'sentence': ('', ''), 'word': ('', '')})}" in plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b*c", r"a_b\*c"),
        ("_under_ a__b_c__ __init__", r"\_under\_ a__b_c\_\_ \_\_init\_\_"),
        ("0.431", "0.431"),
        ("+1.03 to -2", "+1.03 to -2"),
        ("-0.31", "-0.31"),
        ("--wide", "--wide"),
        ("- - -", r"\- - -"),
        ("---", r"\---"),
        ("+", r"\+"),
        ("> quote", r"\> quote"),
        ("p < 0.001 & so > 1", "p < 0.001 & so > 1"),
        ("&amp; &#60;", "&amp;amp; &amp;#60;"),
        ("{x} C# 5", "{x} C# 5"),
        ("- item", r"\- item"),
        ("12. item", r"12\. item"),
        ("<script>", "&lt;script&gt;"),
        ("<a href='x'>b</a>", "&lt;a href='x'&gt;b&lt;/a&gt;"),
        ("x\n# y", r"x \# y"),
    ],
)
def test_escaped(text, expected):
    assert escaped(text, begins=True) == expected


def test_no_formula_of_a_text_runs_in_a_workbook(report, tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(write_report(report, tmp_path / "out.xlsx"))
    assert book.sheetnames == ["hypotheses", "examples", "settings"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert any(str(cell.value).startswith("=") for cell in cells)  # shown as it is
    heads = [cell.value for cell in next(book["hypotheses"].iter_rows())]
    assert heads[:3] == ["number", "hypothesis", f"effect ({report.unit})"]
    for row, one in zip(book["hypotheses"].iter_rows(min_row=2, values_only=True), report.hypotheses, strict=True):
        assert row[:2] == (one.number, one.name)
        assert row[2] == pytest.approx(one.effects[0].own.value)
        assert row[6] == one.effects[0].own.significant
    assert book["examples"].max_row == 1 + len(shown_texts(report))
    settings = [row[0].value for row in book["settings"].iter_rows()]
    assert {"title", "methods", "BibTeX", "version of scikit-learn", "parameter alpha"} <= set(settings)


def test_a_file_is_replaced_whole_or_not_at_all(report, tmp_path, monkeypatch):
    path = tmp_path / "out.md"
    path.write_text("before")
    assert write_report(report, str(path)) == path
    assert path.read_text("utf-8").startswith("# What in 60 texts predicts")
    path.write_text("before")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/out\.md'$"):
        write_report(report, path)
    assert [file.name for file in tmp_path.iterdir()] == ["out.md"]
    assert path.read_text() == "before"


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        (
            "out.pdf",
            ValueError,
            r"out\.pdf must end in \.html, \.md or \.xlsx, which say what kind of report to write\.$",
        ),
        ("none/out.md", FileNotFoundError, r"^the folder .*none does not exist; make it first\.$"),
    ],
)
def test_where_a_report_cannot_be_written(name, kind, message, report, tmp_path):
    with pytest.raises(kind, match=message):
        write_report(report, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_pages(tmp_path):
    reviews = make_concept_texts(200, n_concepts=4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = discover(reviews.data, reviews.target, n_components=8, k=2, n_hypotheses=3, random_state=0)
    path = tmp_path / "found.html"
    assert found.to_html(str(path)) == path
    assert path.read_text("utf-8").lstrip().lower().startswith("<!doctype html>")
    assert found.evaluation.to_html(path, texts=found.texts) == path
    with pytest.raises(FileNotFoundError, match=r"none does not exist; make it first\.$"):
        found.to_html(tmp_path / "none" / "found.html")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("api_key", "abc", "set"),
        ("interpreter_params", {"headers": "x"}, "set"),
        ("model_kwargs", {"token": "x"}, "set"),
        ("cache_dir", "/home/me", "set"),
        ("annotator_prompt", "Judge this.", "set"),
        ("suffix", "Say whether the text is rude.", "set"),
        ("model", "sk-abcdefgh12345678", "set"),
        ("model", "/home/me/models/secret-project", "secret-project"),
        ("model", "sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
        ("base_url", "https://me:pass@host.example:8000/v1?key=1#x", "https://host.example:8000/v1"),
        ("n_keywords", "auto", "auto"),
        ("token_pattern", r"(?u)\b\w\w+\b", r"(?u)\b\w\w+\b"),
        ("stop_words", ["the", "a"], "2 values"),
        ("ngram_range", (1, 2), "(1, 2)"),
        ("tokenizer", str.split, "split"),
        ("random_state", np.random.RandomState(0), "RandomState"),
        ("tol", 1e-06, "1e-06"),
        ("prompt", None, "None"),
    ],
)
def test_a_parameter_shows_no_secret(name, value, shown):
    assert shown_value(name, value) == shown
