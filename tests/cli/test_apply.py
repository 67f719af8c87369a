"""The command `apply`: models that were saved, and new texts."""

import io
import json
import sys

import numpy as np
import pandas as pd
import pytest

from sklearn_sae._persistence import load_model
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts

NEW = ["The staff were lovely.", "=2+3 and the soup was cold", "Nothing of the kind."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file of reviews, one of new texts, and models for several targets."""
    folder = tmp_path_factory.mktemp("apply")
    reviews = make_concept_texts(200, n_concepts=5, random_state=0)
    table = pd.DataFrame({"review": reviews.data, "stars": reviews.target.round(2)})
    table["likes"] = np.exp(table["stars"] * 2).round()
    table["mood"] = pd.cut(table["stars"], [-99, 2.5, 3.5, 99], labels=["bad", "fair", "good"])
    table.to_csv(folder / "reviews.csv", index=False)
    pd.DataFrame({"id": ["a", "b", "c", "d"], "text": [*NEW, ""], "prediction": [1, 2, 3, 4]}).to_csv(
        folder / "new.csv", index=False
    )
    for name, target, *options in (
        ("stars", "stars"),
        ("log1p", "likes", "--transform", "log1p"),
        ("rank", "likes", "--transform", "rank"),
        ("mood", "mood"),
    ):
        sizes = ["--n-hypotheses", "3", "-M", "8", "-K", "2", "--save", str(folder / name), *options]
        assert main(["discover", str(folder / "reviews.csv"), "--text", "review", "--target", target, *sizes]) == 0
    return folder


def test_new_texts_are_annotated_and_predicted(folder, capsys):
    assert main(["apply", str(folder / "stars"), str(folder / "new.csv"), "--text", "text"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "Note: Left out 1 of 4 rows: 1 without a text.\n"
    table = pd.read_csv(io.StringIO(captured.out))
    pipeline, facts = load_model(folder / "stars")
    names = pipeline["hypotheses"].get_feature_names_out().tolist()
    assert list(table.columns) == ["row", "id", "text", "prediction", *names, "prediction (2)"]
    assert table["row"].tolist() == [2, 3, 4]
    np.testing.assert_array_equal(table[names], pipeline["hypotheses"].transform(NEW))
    np.testing.assert_allclose(table["prediction (2)"], pipeline.predict(NEW))
    assert facts == {"name": "stars", "transform": None}


@pytest.mark.parametrize("how", ["log1p", "rank"])
def test_predictions_are_on_the_scale_of_the_file(how, folder, tmp_path, capsys):
    output = tmp_path / "found.csv"
    arguments = ["apply", str(folder / how), str(folder / "reviews.csv"), "--text", "review", "--output", str(output)]
    assert main(arguments) == 0
    assert "200 texts, annotated by 3 hypotheses: " in capsys.readouterr().out
    table, inside = (
        pd.read_csv(output),
        load_model(folder / how)[0].predict(pd.read_csv(folder / "reviews.csv")["review"]),
    )
    if how == "log1p":
        np.testing.assert_allclose(table["prediction"], np.expm1(inside))
    else:  # the number whose rank is nearest
        shares = [(table["likes"] <= number).mean() for number in table["prediction"]]
        np.testing.assert_allclose(shares, np.minimum(inside, 1), atol=0.02)


def test_classes_have_probabilities(folder, tmp_path, capsys):
    output = tmp_path / "found.json"
    arguments = ["apply", str(folder / "mood"), str(folder / "new.csv"), "--text", "text", "--output", str(output)]
    assert main(arguments) == 0
    capsys.readouterr()
    table = pd.DataFrame(json.loads(output.read_text("utf-8")))
    probabilities = table[[f"probability of {label}" for label in ("bad", "fair", "good")]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert table["prediction (2)"].tolist() == [name.split()[-1] for name in probabilities.idxmax(axis=1)]


def test_a_workbook_holds_texts_and_no_formulas(folder, tmp_path, capsys):
    openpyxl = pytest.importorskip("openpyxl")
    output = tmp_path / "found.xlsx"
    (tmp_path / "odd.csv").write_text(f'text\n"=1+1"\n"a\0b\x07c"\n{"x" * 40_000}\n')
    arguments = ["apply", str(folder / "stars"), str(tmp_path / "odd.csv"), "--text", "text", "--output", str(output)]
    assert main(arguments) == 0
    assert "1 text was cut: a cell of" in capsys.readouterr().err
    cells = [row[1] for row in openpyxl.load_workbook(output).active.iter_rows(min_row=2)]
    assert [cell.value[:5] for cell in cells] == ["=1+1", "abc", "xxxxx"]
    assert {cell.data_type for cell in cells} == {"s"}


def test_standard_input(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "The staff were lovely."}\n')))
    assert main(["apply", str(folder / "stars"), "-", "--text", "text"]) == 0
    assert len(pd.read_csv(io.StringIO(capsys.readouterr().out))) == 1


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        ("none", [], "none does not exist"),
        ("new.csv", [], "new.csv is not a model that sklearn-sae saved"),
        ("stars", ["--text", "txt"], "did you mean 'text'?"),
        (
            "stars",
            ["--base-url", "http://127.0.0.1:9"],
            "--base-url is for a model whose annotator is a language",
        ),
    ],
)
def test_a_wrong_argument_is_one_sentence(model, change, message, folder, capsys):
    assert main(["apply", str(folder / model), str(folder / "new.csv"), "--text", "text", *change]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_texts_go_to_no_server_that_only_the_file_names(folder, tmp_path, capsys, openai_server):
    openai_server.reply = lambda body: f"mentions it {len(str(body))} times" if body["model"] == "gpt-5.2" else "yes"
    sizes = ["--n-hypotheses", "2", "-M", "8", "-K", "2", "--held-out", "0.5"]
    pd.read_csv(folder / "reviews.csv")[:40].to_csv(tmp_path / "few.csv", index=False)
    arguments = [
        "--text",
        "review",
        "--target",
        "stars",
        *sizes,
        "--naming",
        "llm",
        "--base-url",
        openai_server.base_url,
    ]
    model = tmp_path / "model"
    assert main(["discover", str(tmp_path / "few.csv"), *arguments, "--save", str(model)]) == 0
    assert main(["apply", str(model), str(folder / "new.csv"), "--text", "text"]) == 0  # a server on this machine
    asked = len(openai_server.requests)
    model.write_text(model.read_text("utf-8").replace(openai_server.base_url, "https://example.org/v1"))
    capsys.readouterr()
    assert main(["apply", str(model), str(folder / "new.csv"), "--text", "text"]) == 1
    assert "to send the texts there, say so: --base-url https://example.org/v1" in capsys.readouterr().err
    assert len(openai_server.requests) == asked
    (tmp_path / "other.csv").write_text("text\nUnheard of.\nAlso new.\n")
    again = ["apply", str(model), str(tmp_path / "other.csv"), "--text", "text", "--base-url", openai_server.base_url]
    assert main(again) == 0
    assert len(openai_server.requests) > asked
    assert capsys.readouterr().out.count("\n") == 3
