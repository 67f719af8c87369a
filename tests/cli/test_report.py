"""The option --report of the command line."""

from pathlib import Path

import pandas as pd
import pytest

from sklearn_sae.__main__ import main
from sklearn_sae.datasets import make_concept_texts


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """The path of a file of 300 reviews, two of which lack something."""
    reviews = make_concept_texts(300, n_concepts=5, random_state=0)
    table = pd.DataFrame({"review": reviews.data, "stars": reviews.target.round(2)})
    table.loc[4, "review"] = ""
    table.loc[7, "stars"] = None
    path = tmp_path_factory.mktemp("files") / "my reviews.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def command(reviews):
    small = ["--n-hypotheses", "3", "-M", "8", "-K", "2"]
    return ["discover", str(reviews), "--text", "review", "--target", "stars", *small]


def test_a_report_says_what_file_it_is_of(command, reviews, tmp_path, capsys):
    assert main([*command, "--report", str(tmp_path / "out.md")]) == 0
    printed = capsys.readouterr().out
    assert f"Written to {tmp_path / 'out.md'}." in printed
    assert "out.md shows up to 30 words of " in printed
    said = (tmp_path / "out.md").read_text("utf-8")
    assert "What in the reviews predicts stars?" in said
    assert "The texts are the column 'review' of my reviews.csv, the target is the column 'stars'." in said
    assert "Left out 2 of 300 rows: 1 without a text and 1 without a target." in said
    assert str(reviews.parent) not in said
    table = pd.read_csv(reviews)
    row, target = said.split("- row ")[1].split("): ")[0].split(" (")
    assert table["stars"][int(row) - 2] == float(target)  # rows as a spreadsheet counts them


def test_no_text_in_a_report(command, reviews, tmp_path, capsys):
    assert main([*command, "--report", str(tmp_path / "out.md"), "--report-texts", "none"]) == 0
    assert "out.md shows no text." in capsys.readouterr().out
    said = (tmp_path / "out.md").read_text("utf-8")
    assert "- row " not in said
    for text in pd.read_csv(reviews)["review"].dropna():
        words = text.split()
        assert not any(" ".join(words[i : i + 4]) in said for i in range(len(words) - 3))


def test_the_demo_has_a_report(tmp_path, capsys):
    path = tmp_path / "demo.xlsx"
    small = ["--n-texts", "200", "--n-hypotheses", "3", "-M", "8", "-K", "2"]
    assert main(["demo", *small, "--report", str(path), "--report-texts", "all"]) == 0
    assert "demo.xlsx shows " in capsys.readouterr().out
    settings = pd.read_excel(path, sheet_name="settings", header=None)
    assert "The reviews are made up, with concepts planted in them." in settings[1].tolist()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which nobody can make a file")
def test_what_was_written_is_said_where_a_report_cannot_be(command, tmp_path, capsys):
    table = tmp_path / "out.csv"
    assert main([*command, "--output", str(table), "--report", "/proc/out.md"]) == 1
    said = capsys.readouterr()
    assert f"Written to {table}." in said.out
    assert "/proc/out.md" in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--report", "out.pdf"], "out.pdf must end in .html, .md or .xlsx"),
        (["--report", "none/out.md"], "the folder none does not exist"),
        (["--report-texts", "all"], "--report-texts is for --report."),
        (["--report", "out.xlsx", "--output", "out.xlsx"], "--report names out.xlsx, which is written too"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(options, message, command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sklearn_sae.cli._discover.read_columns", None)
    for start in (command, ["demo", "--n-texts", "200"]):
        try:
            status = main([*start, *options])
        except SystemExit as error:
            status = error.code
        assert status > 0
        assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
