"""Texts in parquet files are read as they are needed, and say the same as a list."""

import pickle

import numpy as np
import pandas as pd
import pytest

from sklearn_sae.datasets import ParquetTexts
from sklearn_sae.utils import _parquet_texts
from sklearn_sae.utils._validation import check_texts

pytest.importorskip("pyarrow")
TEXTS = ["Cold soup.", "Café, schön 😀", "Rude staff!", "服务员态度很差", "So good"]


@pytest.fixture
def folder(tmp_path):
    for name, rows in (("b", slice(3, None)), ("a", slice(3))):
        table = pd.DataFrame({"text": TEXTS, "stars": range(5), "city": list("vwxyz")})[rows]
        table.to_parquet(tmp_path / f"{name}.parquet", index=False, row_group_size=2)
    return tmp_path


def test_files_are_read_in_the_order_of_their_names(folder):
    for path in (folder, f"{folder}/*.parquet", [folder / "a.parquet", folder / "b.parquet"]):
        texts = ParquetTexts(path, "text")
        assert texts.tolist() == list(texts) == TEXTS
        assert texts.read(["city", "stars"]).to_dict("list") == {"city": list("vwxyz"), "stars": list(range(5))}


def test_parts_stay_on_disk_and_are_those_of_a_list(folder):
    texts = ParquetTexts(folder, "text")
    assert texts[-1] == TEXTS[-1]
    assert texts[1:4].tolist() == TEXTS[1:4]
    part = texts[np.array([4, 0, 3])][np.array([False, True, True])]
    assert isinstance(part, ParquetTexts)
    assert part.tolist() == [TEXTS[0], TEXTS[3]]
    assert part.read(["stars"])["stars"].tolist() == [0, 3]
    assert (len(part), part.shape) == (2, (2,))
    assert pickle.loads(pickle.dumps(part)).tolist() == part.tolist()
    with pytest.raises(IndexError):
        _ = texts[5]


def test_few_are_a_list_and_many_are_not(folder, monkeypatch):
    texts = ParquetTexts(folder, "text")
    assert check_texts(texts) == TEXTS
    monkeypatch.setattr(_parquet_texts, "MOST_IN_MEMORY", 4)
    assert check_texts(texts) is texts
    assert check_texts(texts[:4]) == TEXTS[:4]
    rows = _parquet_texts.sample_rows(5)
    assert len(rows) == 4
    assert np.all(np.diff(rows) > 0)
    with pytest.raises(ValueError, match="is empty"):
        check_texts(texts[:0])


@pytest.mark.parametrize(("value", "what"), [(None, "a missing"), ("  \u200b", "an empty")])
def test_a_blank_is_refused_with_its_row_or_left_out(tmp_path, value, what):
    table = pd.DataFrame({"text": ["one", value, "three"], "stars": [1, 2, 3]})
    table.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=f"'text' has {what} text in row 1"):
        ParquetTexts(tmp_path, "text")
    texts = ParquetTexts.without_blanks(tmp_path, "text")
    assert texts.tolist() == ["one", "three"]
    assert texts.n_left_out == 1
    assert texts.read(["stars"])["stars"].tolist() == [1, 3]


def test_what_cannot_be_read_is_said(folder, tmp_path):
    with pytest.raises(ValueError, match="has no column 'review'; it has 'text', 'stars', 'city'"):
        ParquetTexts(folder, "review")
    with pytest.raises(TypeError, match="'stars' has a value of type int in row 0"):
        ParquetTexts(folder, "stars")
    with pytest.raises(FileNotFoundError, match="nor a folder or a pattern"):
        ParquetTexts(folder / "none*.parquet", "text")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"broken\.parquet cannot be read as parquet"):
        ParquetTexts(tmp_path / "broken.parquet", "text")
    with pytest.raises(TypeError, match="column must be the name"):
        ParquetTexts(folder, ["text"])


def test_folders_of_any_name_and_those_that_spark_writes_are_read(folder, tmp_path):
    place = tmp_path / "new [1]" / "year.parquet"  # Spark and Dask write a folder of this name
    place.mkdir(parents=True)
    for name in ("part-0.parquet", "_old.parquet", ".hidden.parquet"):
        (place / name).write_bytes((folder / "a.parquet").read_bytes())
    for path in (place.parent, f"{tmp_path}/new*", place):
        assert ParquetTexts(path, "text").files == [str(place / "part-0.parquet")]


def test_columns_are_found_whatever_else_the_file_holds(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    nested = pa.array([{"b": "no"}, {"b": "no"}])
    arrays = [nested, pa.array(["one", "two"]), pa.array([1, 2]), pa.array([3, 4])]
    pq.write_table(pa.table(arrays, names=["a", "a.b", "stars", "stars"]), tmp_path / "a.parquet")
    texts = ParquetTexts(tmp_path, "a.b")
    assert texts.tolist() == ["one", "two"]
    assert texts.read(["stars", "a.b"]).to_dict("list") == {"stars": [1, 2], "a.b": ["one", "two"]}
    table = pd.DataFrame({"text": ["one", "two"]}, index=pd.Index(["x", "y"], name="id"))
    table.to_parquet(tmp_path / "a.parquet")
    assert ParquetTexts(tmp_path, "text").read(["id"])["id"].tolist() == ["x", "y"]


def test_files_that_changed_or_are_damaged_are_named(folder, tmp_path):
    texts = ParquetTexts(folder, "text")
    pd.DataFrame({"text": ["new"], "stars": [1], "city": ["x"]}).to_parquet(folder / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet has changed since its texts were read"):
        texts.read(["stars"])
    damaged = tmp_path / "damaged.parquet"
    pd.DataFrame({"text": [f"number {i}" for i in range(5000)]}).to_parquet(damaged, compression="snappy")
    content = damaged.read_bytes()
    damaged.write_bytes(content[:2000] + b"\xff" * 7000 + content[9000:])
    with pytest.raises(ValueError, match=r"damaged\.parquet cannot be read as parquet"):
        ParquetTexts(damaged, "text")
