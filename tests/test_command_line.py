"""The command line, from a shell."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from sklearn_sae.__main__ import main
from sklearn_sae.datasets import make_concept_texts


@pytest.fixture(scope="module")
def reviews():
    reviews = make_concept_texts(300, n_concepts=5, random_state=0)
    return pd.DataFrame({"review": reviews.data, "stars": reviews.target.round(2)})


@pytest.fixture
def small():
    return ["--text", "review", "--target", "stars", "--n-hypotheses", "3", "-M", "8", "-K", "2"]


def write(table, path):
    writers = {
        ".csv": lambda: table.to_csv(path, index=False),
        ".tsv": lambda: table.to_csv(path, sep="\t", index=False),
        ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
        ".parquet": lambda: table.to_parquet(path),
    }
    writers[path.suffix]()
    return str(path)


def test_the_demo_in_a_shell():
    command = [sys.executable, "-m", "sklearn_sae", "demo", "--n-texts", "400", "--n-hypotheses", "4"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert "Planted in them" in result.stdout
    assert result.stdout.count("mentions") >= 4
    assert re.search(
        r"Held-out R2.*\n +-?\d\.\d+  these 4 hypotheses\n +-?\d\.\d+  4 words chosen by lasso", result.stdout
    )


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same(suffix, reviews, small, tmp_path, capsys):
    assert main(["discover", write(reviews, tmp_path / f"reviews{suffix}"), *small]) == 0
    printed = capsys.readouterr().out
    assert main(["discover", write(reviews, tmp_path / "again.csv"), *small]) == 0
    assert capsys.readouterr().out == printed


def test_the_table_as_json_and_as_csv(reviews, small, tmp_path, capsys):
    file = write(reviews, tmp_path / "reviews.csv")
    assert main(["discover", file, *small, "--output", str(tmp_path / "found.json")]) == 0
    assert main(["discover", file, *small, "--output", str(tmp_path / "found.csv")]) == 0
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    table = pd.read_csv(tmp_path / "found.csv")
    assert [row["hypothesis"] for row in found["hypotheses"]] == table["hypothesis"].tolist()
    assert {"separation_score", "regression_pvalue", "fidelity_f1", "neuron"} <= set(table)
    assert found["metrics"]["n_hypotheses"] == 3
    assert f"{found['held_out_r2']['these 3 hypotheses']:.3f}" in capsys.readouterr().out


def test_classes(reviews, small, tmp_path, capsys):
    binary = reviews.assign(stars=(reviews["stars"] > 3).map({True: "good", False: "bad"}))
    assert main(["discover", write(binary, tmp_path / "binary.csv"), *small]) == 0
    assert "is good (effects are on its share" in capsys.readouterr().out
    three = reviews.assign(stars=reviews["stars"].clip(2, 4).round().astype(int))
    assert main(["discover", write(three, tmp_path / "three.csv"), *small, "--classes"]) == 0
    printed = capsys.readouterr().out
    assert "is 3 classes, each against the rest" in printed
    assert "Held-out AUC" in printed


def test_rows_that_lack_something_are_left_out_and_counted(reviews, small, tmp_path, capsys):
    messy = reviews.astype({"review": object})
    messy.loc[0, "review"], messy.loc[1, "review"], messy.loc[2, "stars"] = None, "  ", None
    assert main(["discover", write(messy, tmp_path / "messy.csv"), *small]) == 0
    captured = capsys.readouterr()
    assert "Left out 3 of 300 rows: 2 without a text, 1 without a target." in captured.err
    assert captured.out.startswith("297 texts")


def test_equal_texts_stand_on_one_side(reviews, small, tmp_path, capsys):
    twice = pd.concat([reviews, reviews])
    assert main(["discover", write(twice, tmp_path / "twice.csv"), *small, "--held-out", "0.25"]) == 0
    assert "on 450 texts and tested on the other 150" in capsys.readouterr().out


def test_naming_by_a_server(reviews, small, tmp_path, capsys, openai_server):
    def reply(body):
        return '- "mentions the staff"' if "gpt-5.2" in body["model"] else "yes" if "staff" in str(body) else "no"

    openai_server.reply = reply
    arguments = [*small, "--naming", "llm", "--base-url", openai_server.base_url, "--instructions", "Reviews."]
    assert main(["discover", write(reviews[:80], tmp_path / "reviews.csv"), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "mentions the staff" in printed
    assert re.search(r"To be asked, at most:.*requests", printed)
    assert re.search(r"Used: \d+ requests", printed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--text", "body"], "has no column 'body'; it has 'review', 'stars'."),
        (["--target", "rating"], "has no column 'rating'"),
        (["--n-hypotheses", "9"], "n_neurons=9 is more than the 8 neurons"),
        (["-K", "9"], "k=9 is larger than n_components=8"),
        (["--embedder", "no/such-model"], "no/such-model"),
    ],
)
def test_a_wrong_argument_is_one_sentence(change, message, reviews, small, tmp_path, capsys):
    assert main(["discover", write(reviews, tmp_path / "reviews.csv"), *small, *change]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sklearn-sae: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "none.csv does not exist"),
        ("old.xls", "", "is not one of .csv"),
        ("empty.csv", "", "cannot be read as csv"),
        ("broken.jsonl", "{", "cannot be read as jsonl"),
        ("constant.csv", "review,stars\ngood,1\nbad,1\n", "the target 'stars' is constant"),
        ("one.csv", "review,stars\ngood,1\ngood,2\n", "1 distinct texts"),
        ("numbers.csv", "review,stars\n1,1\n2,2\n3,5\n", "int in row 0 where a text"),
        ("headers.csv", "review,stars\n", "no row with both a text and a target"),
    ],
)
def test_a_wrong_file_is_one_sentence(name, content, message, small, tmp_path, capsys):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert main(["discover", str(path), *small]) == 1
    assert message in capsys.readouterr().err


def test_no_key_is_said_before_anything_is_done(reviews, small, tmp_path, capsys, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["discover", write(reviews, tmp_path / "reviews.csv"), *small, "--naming", "llm"]) == 1
    assert "OPENAI_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "found.xlsx"], "ends neither in .csv nor in .json"),
        (["--output", "/no/such/folder/found.csv"], "does not exist"),
        (["--held-out", "1"], "not between 0 and 1"),
        (["-M", "0"], "not a positive whole number"),
    ],
)
def test_a_wrong_option_is_refused_before_the_work(arguments, message, small, capsys):
    with pytest.raises(SystemExit):
        main(["discover", "reviews.csv", *small, *arguments])
    assert message in capsys.readouterr().err
