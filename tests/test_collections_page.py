"""The examples of the page on large collections, run one after the other."""

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "collections.md").read_text("utf-8")


def examples(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_python():
    for module in ("distributed", "dask.dataframe", "ray.data"):
        pytest.importorskip(module)
    names = {}
    first, dask, ray = examples("python")
    exec(first, names)
    expected = names["annotator"].transform(names["reviews"].data)
    exec(dask, names)
    assert (names["table"].to_numpy() == expected).all()
    exec(ray, names)
    assert [list(row.values()) for row in names["rows"]] == expected[:3].tolist()


@pytest.mark.slow
def test_commands(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    reviews = make_concept_texts(200, n_concepts=5, random_state=0)
    table = pd.DataFrame({"review": reviews.data, "stars": reviews.target})
    table.to_csv("reviews.csv", index=False)
    Path("new").mkdir()
    table[:50].to_parquet("new/a.parquet")
    (commands,) = examples("sh")
    for command in commands.splitlines():
        assert main(shlex.split(command)[1:]) == 0
    assert "50 texts of 1 file" in capsys.readouterr().out
    assert len(pd.read_parquet("annotated/a.parquet")) == 50
