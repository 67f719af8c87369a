"""The command `apply` on several parquet files."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import KeywordHypothesisAnnotator
from sklearn_sae.cli import main
from sklearn_sae.cli._read_folder import is_folder
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.utils.store._sqlite import try_lock

pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

REVIEWS = make_concept_texts(240, n_concepts=5, random_state=0)
SIZES = ["--n-hypotheses", "3", "-M", "8", "-K", "2"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of two classes."""
    folder = tmp_path_factory.mktemp("model")
    mood = np.where(REVIEWS.target > 3, "good", "bad")
    pd.DataFrame({"review": REVIEWS.data, "mood": mood}).to_csv(folder / "reviews.csv", index=False)
    model = folder / "mood.model"
    arguments = ["discover", str(folder / "reviews.csv"), "--text", "review", "--target", "mood", *SIZES]
    assert main([*arguments, "--save", str(model)]) == 0
    return model


@pytest.fixture
def source(tmp_path):
    """A folder of three files."""
    table = pd.DataFrame({"review": REVIEWS.data, "stars": REVIEWS.target, "id": np.arange(240)})
    for part in range(3):
        place = tmp_path / "in" / f"year={part // 2}" / f"part-{part}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        table[part * 80 : part * 80 + 80].to_parquet(place, index=part == 1, row_group_size=30)
    return tmp_path / "in"


def apply(model, output, *files, text="review", options=()):
    return main(["apply", str(model), *map(str, files), "--text", text, "--output", str(output), *options])


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_come_out_as_one_file_does(model, source, tmp_path, capsys):
    out = tmp_path / "out"
    assert apply(model, out, source) == 0
    assert capsys.readouterr().out == f"240 texts of 3 files, annotated by 3 hypotheses: {out}\n"
    for path in source.rglob("*.parquet"):
        assert apply(model, tmp_path / "one.csv", path) == 0
        one, found = pd.read_csv(tmp_path / "one.csv"), pd.read_parquet(out / path.relative_to(source))
        assert list(found.columns) == list(one.columns)
        pd.testing.assert_frame_equal(found, one, check_dtype=False)
    assert found.dtypes.iloc[4:7].tolist() == [np.int64] * 3
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("form", ["pattern", "files"])
def test_files_may_be_named_in_other_ways(form, model, source, tmp_path, capsys):
    paths = sorted(source.rglob("*.parquet"))[:2]
    files = [source / "*" / "part-[01].parquet"] if form == "pattern" else paths
    assert apply(model, tmp_path / "out", *files) == 0
    capsys.readouterr()
    found = sorted(path.name for path in (tmp_path / "out").rglob("*.parquet"))
    assert found == ["part-0.parquet", "part-1.parquet"]


def test_what_is_finished_is_not_done_again_unless_it_has_changed(model, source, tmp_path, capsys):
    out = tmp_path / "out"
    assert apply(model, out, source) == 0
    before, times = contents(out), {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    capsys.readouterr()
    assert apply(model, out, source) == 0
    assert capsys.readouterr().out == (
        f"0 texts of 0 files, annotated by 3 hypotheses: {out}; 3 files were finished before\n"
    )
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}

    changed = source / "year=0" / "part-0.parquet"
    pd.read_parquet(changed)[:50].to_parquet(changed)
    damaged = out / "year=0" / "part-1.parquet"
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert apply(model, out, source) == 0
    assert "130 texts of 2 files" in capsys.readouterr().out
    assert contents(out)[damaged.relative_to(out)] == before[damaged.relative_to(out)]

    other = tmp_path / "other.model"
    other.write_text(json.dumps(json.loads(model.read_text("utf-8")) | {"note": 1}), encoding="utf-8")
    assert apply(other, out, source) == 0
    assert "210 texts of 3 files" in capsys.readouterr().out


def test_a_file_that_cannot_be_read_does_not_stop_the_others(model, source, tmp_path, capsys):
    (source / "broken.parquet").write_text("no parquet")
    pd.DataFrame({"text": REVIEWS.data}).to_parquet(source / "other.parquet")
    pd.DataFrame({"review": [1, 2]}).to_parquet(source / "numbers.parquet")
    assert apply(model, tmp_path / "out", source) == 1
    *notes, last = capsys.readouterr().err.splitlines()
    assert [note.partition(" cannot be read as parquet")[0] for note in notes] == [
        f"Note: {source / 'broken.parquet'}",
        f"Note: {source / 'numbers.parquet'} has int64 in the column 'review'; --text names the column that holds the "
        "texts.",
        f"Note: {source / 'other.parquet'} has no column 'review'; it has 'text'.",
    ]
    assert last == (
        f"sklearn-sae: 3 of 6 files could not be read, {source / 'broken.parquet'} first; the others are done."
    )
    assert len(list((tmp_path / "out").rglob("*.parquet"))) == 3


def test_rows_without_a_text_and_files_without_rows(model, tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    pd.DataFrame({"review": ["Cold soup.", None, " "], "prediction": [1, 2, 3]}).to_parquet(source / "a.parquet")
    pd.DataFrame({"review": pd.Series([], dtype="str")}).to_parquet(source / "b.parquet")
    pd.DataFrame({"review": ["Cold soup."]}).to_parquet(source / "_metadata.parquet")
    assert apply(model, tmp_path / "out", source) == 0
    captured = capsys.readouterr()
    assert captured.err == f"Note: Left out 2 of 3 rows of {source / 'a.parquet'}: they have no text.\n"
    found = pd.read_parquet(tmp_path / "out" / "a.parquet")
    assert found["row"].tolist() == [1]
    assert found["prediction"].tolist() == [1]
    assert found["prediction (2)"].isin(["good", "bad"]).all()
    assert pd.read_parquet(tmp_path / "out" / "b.parquet").shape == (0, 8)


def test_files_that_have_no_texts_at_all_give_results_without_rows(model, tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    pd.DataFrame({"review": [None, None]}).to_parquet(source / "a.parquet")  # of a type of its own
    pd.DataFrame({"review": pd.Series([], dtype=object)}).to_parquet(source / "b.parquet")
    assert apply(model, tmp_path / "out", source) == 0
    assert "Left out 2 of 2 rows" in capsys.readouterr().err
    assert [len(pd.read_parquet(path)) for path in (tmp_path / "out").iterdir()] == [0, 0]


def test_folders_are_read_however_they_are_named(model, tmp_path, capsys, monkeypatch):
    table = pd.DataFrame({"review": ["Cold soup.", "Rude staff!"]})
    for name in ("a/one.parquet", "b/two.parquet", "s/year.parquet/part.parquet"):  # the last as Spark writes it
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        table.to_parquet(path)
    monkeypatch.chdir(tmp_path / "b")
    forms = {
        ("../a", "../b"): ["a/one.parquet", "b/two.parquet"],
        ("../a/one.parquet", "two.parquet", tmp_path / "b" / "two.parquet"): ["a/one.parquet", "b/two.parquet"],
        ("../s/*.parquet",): ["year.parquet/part.parquet"],
        ("../s",): ["year.parquet/part.parquet"],
    }
    for number, (files, expected) in enumerate(forms.items()):
        out = tmp_path / f"out{number}"
        assert apply(model, out, *files) == 0
        assert sorted(map(str, contents(out))) == expected
    capsys.readouterr()


def test_results_in_a_folder_of_what_is_read_are_not_read(model, source, tmp_path, capsys):
    for _ in range(2):
        assert apply(model, source / "found", source) == 0
    assert "0 texts of 0 files" in capsys.readouterr().out
    assert len(list((source / "found").rglob("*.parquet"))) == 3
    texts = source / "year=1" / "more"
    texts.mkdir()
    pd.DataFrame({"review": ["Cold soup."]}).to_parquet(texts / "new.parquet")
    assert apply(model, texts, source / "year=1") == 0  # which has a result, but the texts are none
    assert (texts / "more" / "new.parquet").exists()


def test_a_file_that_goes_is_named_and_no_lock_is_left(model, source, tmp_path, capsys, monkeypatch):
    first, *_, last = sorted(source.rglob("*.parquet"))
    transform = KeywordHypothesisAnnotator.transform

    def lose_the_last(self, X):
        last.unlink(missing_ok=True)
        return transform(self, X)

    def stop(self, X):
        raise KeyboardInterrupt

    monkeypatch.setattr(KeywordHypothesisAnnotator, "transform", lose_the_last)
    assert apply(model, tmp_path / "out", source) == 1
    error = capsys.readouterr().err
    assert f"Note: {last} cannot be read as parquet: No such file" in error
    assert "1 of 3 files could not be read" in error
    monkeypatch.setattr(KeywordHypothesisAnnotator, "transform", stop)
    assert apply(model, tmp_path / "stopped", first) == 130
    assert not contents(tmp_path / "stopped")


def test_a_server_that_is_out_of_reach_is_not_taken_for_a_disk(asking_model, source, tmp_path, capsys):
    assert apply(asking_model, tmp_path / "out", source, options=["--base-url", "http://127.0.0.1:9/v1"]) == 1
    error = capsys.readouterr().err
    assert "127.0.0.1:9" in error
    assert "cannot be written" not in error


@pytest.mark.parametrize(
    ("files", "output", "message"),
    [
        (["in"], "in", "which is read too; name another folder"),
        (["in"], "found.csv", "--output names the folder for them"),
        (["in", "reviews.csv"], "out", "reviews.csv is no .parquet file"),
        (["none/*.parquet"], "out", "none/*.parquet does not exist"),
        (["empty"], "out", "empty has no .parquet file"),
        (["in"], "taken", "taken cannot be written: File exists"),
    ],
)
def test_a_wrong_argument_is_one_sentence_before_the_work(
    files, output, message, model, source, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").write_text("")
    (tmp_path / "reviews.csv").write_text("review\n")
    assert apply(model, output, *files) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_that_another_process_works_on_is_left_to_it(model, source, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "year=0").mkdir(parents=True)
    with try_lock(out / "year=0" / ".part-0.parquet.lock") as is_ours:
        assert is_ours
        assert apply(model, out, source) == 0
    assert capsys.readouterr().out.endswith(f"{out}; another process works on 1 file\n")
    assert apply(model, out, source) == 0
    assert "80 texts of 1 file, annotated" in capsys.readouterr().out


@pytest.fixture
def asking_model(tmp_path, openai_server):
    """A model whose annotator is a language model, and the command to apply it."""
    openai_server.reply = lambda body: f"mentions it {len(str(body))} times" if body["model"] == "gpt-5.2" else "yes"
    mood = np.where(REVIEWS.target > 3, "good", "bad")
    few = tmp_path / "few.csv"
    pd.DataFrame({"text": [f"Few: {text}" for text in REVIEWS.data[:40]], "mood": mood[:40]}).to_csv(few, index=False)
    sizes = ["--n-hypotheses", "2", "-M", "8", "-K", "2", "--held-out", "0.5"]
    url = ["--naming", "llm", "--base-url", openai_server.base_url]
    model = tmp_path / "asking.model"
    assert main(["discover", str(few), "--text", "text", "--target", "mood", *sizes, *url, "--save", str(model)]) == 0
    openai_server.requests.clear()
    return model


def asked(server):
    return [json.dumps(request["body"], sort_keys=True) for request in server.requests]


def test_a_file_with_missing_answers_is_done_again(asking_model, source, tmp_path, capsys, openai_server):
    openai_server.fail = lambda body, n: (400, {"error": {"message": "no"}}, {}) if n % 7 == 3 else None
    apply(asking_model, tmp_path / "out", source)
    n_missing = sum(int(pd.read_parquet(path).isna().sum().sum()) for path in (tmp_path / "out").rglob("*.parquet"))
    openai_server.fail = None
    n_asked = len(openai_server.requests)
    assert apply(asking_model, tmp_path / "out", source) == 0
    assert n_missing
    assert len(openai_server.requests) - n_asked == n_missing
    assert not any(pd.read_parquet(path).isna().any(axis=None) for path in (tmp_path / "out").rglob("*.parquet"))
    capsys.readouterr()


@pytest.mark.slow
def test_nothing_is_asked_twice_after_a_kill(asking_model, source, tmp_path, openai_server):
    openai_server.latency = 0.02
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sklearn_sae", "apply", str(asking_model), str(source), "--text", "review"]
    process = subprocess.Popen([*command, "--output", str(out)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(openai_server.requests) < 230 and time.monotonic() < deadline:  # 160 a file
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = contents(out)
    whole = [path for path in finished if not path.name.startswith(".")]
    assert [path.name for path in whole] == ["part-0.parquet"]
    assert any(path.name == ".part-1.parquet.partial" for path in finished)
    n_asked = len(openai_server.requests)
    assert 230 <= n_asked < 480

    done = subprocess.run([*command, "--output", str(out)], capture_output=True, text=True, check=True)
    assert done.stdout == f"160 texts of 2 files, annotated by 2 hypotheses: {out}; 1 file was finished before\n"
    assert contents(out)[whole[0]] == finished[whole[0]]
    assert not [path for path in contents(out) if path.name.startswith(".")]
    requests = asked(openai_server)
    assert set(requests[n_asked:]) - set(requests[:n_asked])
    # What was in flight at the kill was sent, and its answer not received; all else is asked once.
    assert len(requests) - len(set(requests)) <= 32

    again = tmp_path / "again"
    assert apply(asking_model, again, source) == 0
    assert contents(again) == contents(out)


@pytest.mark.slow
def test_two_processes_share_a_folder(model, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for part in range(12):
        texts = make_concept_texts(300, n_concepts=5, random_state=part).data
        pd.DataFrame({"review": texts}).to_parquet(source / f"{part}.parquet")
    command = [sys.executable, "-m", "sklearn_sae", "apply", str(model), str(source), "--text", "review"]
    both = [subprocess.Popen([*command, "--output", str(out)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(int(sentence.partition(" texts")[0].replace(",", "")) for sentence in said) == 3600
    assert len(contents(out)) == 12


def test_a_pattern_is_one_whatever_its_signs(tmp_path):
    (tmp_path / "year [1].parquet").write_bytes(b"")
    assert is_folder(str(tmp_path / "part-?.parquet"))
    assert is_folder(str(tmp_path / "part-[01].parquet"))
    assert not is_folder(str(tmp_path / "year [1].parquet"))  # a file of this name
