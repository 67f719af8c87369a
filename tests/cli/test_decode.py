"""Files as people have them."""

import gzip
import io
import json
import subprocess
import sys

import pandas as pd
import pytest

from sklearn_sae.cli._decode import read_table
from sklearn_sae.cli._read import read_columns

ROWS = [("Good, really", "4,5"), ('He said "no"', "3"), ("Zwei\nZeilen", "None"), ("Straße", "n/a")]
TABLE = pd.DataFrame(ROWS, columns=["text", "stars"])


def table_of(path, **options):
    table, notes = read_table(str(path), **options)
    return table, notes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("separator", list(",;\t|"))
def test_separators_and_marked_encodings(separator, encoding, tmp_path):
    text = TABLE.to_csv(sep=separator, index=False)
    if encoding == "utf-16-le":
        text = "\ufeff" + text
    path = tmp_path / "reviews.csv"
    path.write_bytes(text.encode(encoding))
    table, notes = table_of(path)
    assert notes == []
    assert list(table.columns) == ["text", "stars"]
    assert list(table.itertuples(index=False, name=None)) == ROWS
    assert table.index.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings_and_the_sep_line_of_excel(ending, tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_bytes(f"sep=;{ending}text;stars{ending}a, b;1{ending}{ending}c;2{ending}".encode())
    table, _ = table_of(path)
    assert table["text"].tolist() == ["a, b", "c"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Die Bedienung war unfreundlich, und das Essen kühl. Für den Preis erwarte ich größere Portionen. "),
        ("cp1251", "Обслуживание было медленным, а еда холодной. Больше сюда не придём никогда. "),
        ("gb18030", "服务员态度很差，等了一个小时才上菜，菜已经凉了。以后再也不来这家餐厅了。"),
        ("shift_jis", "店員の態度がとても悪くて、料理も冷めていました。もう二度と行きません。"),
    ],
)
def test_an_encoding_is_guessed_and_said(encoding, text, tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes(pd.DataFrame({"text": [text * 3] * 9, "stars": range(9)}).to_csv(index=False).encode(encoding))
    table, (note,) = table_of(path)
    assert table["text"].tolist() == [text * 3] * 9
    assert "is a guess; --encoding names another" in note
    named, notes = table_of(path, encoding=encoding)
    assert named.equals(table)
    assert notes == []


def test_the_same_rows_in_every_kind_of_file(tmp_path):
    text = TABLE.to_csv(index=False)
    records = TABLE.to_dict(orient="records")
    lines = "".join(json.dumps(row) + "\n" for row in records)
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "a.tsv").write_text(TABLE.to_csv(index=False, sep="\t"))
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "b.json").write_text(lines)
    (tmp_path / "c.json").write_text(json.dumps(records, indent=1))
    (tmp_path / "d.json").write_text(json.dumps({"data": records}))
    (tmp_path / "e.json").write_text(json.dumps(TABLE.to_dict(orient="list")))
    TABLE.to_parquet(tmp_path / "a.parquet")
    TABLE.to_excel(tmp_path / "a.xlsx", index=False)
    for path in tmp_path.iterdir():
        table, notes = table_of(path)
        assert list(table[["text", "stars"]].itertuples(index=False, name=None)) == ROWS, path
        assert notes == [], path


def test_only_empty_cells_are_missing(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text('text,answer\none,None\ntwo,NA\nthree,\nfour,null\nfive,"n/a"\n,yes\nseven\n')
    with pytest.warns(UserWarning, match="Left out 3 of 7 rows: 1 without a text, 2 without a target"):
        table = read_columns(path, "text", "answer")
    assert table["answer"].tolist() == ["None", "NA", "null", "n/a"]
    assert table.index.tolist() == [2, 3, 5, 6]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,stars\na,1\nb,c,2\n", "row 3 has 3 fields where the header has 2"),
        ("a.csv", 'text,stars\n"a,1\nb,2\n', "opened and never closed"),
        ("a.csv", "", "it is empty"),
        ("a.jsonl", '{"text": "a"}\n\n{"text": \n', "line 3 is not JSON"),
        ("a.json", "[1, 2]", "neither lines nor a list of objects"),
        ("a.csv.gz", "text,stars\n", "cannot be read as csv"),
        ("a.xlsx", "text,stars\n", "cannot be read as xlsx"),
        ("a.parquet", "text,stars\n", "cannot be read as parquet"),
        ("a.doc", "text", r"is not one of \.csv"),
    ],
)
def test_a_broken_file_is_one_sentence(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        read_table(str(path))
    assert "C error" not in str(error.value)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("Text ", "did you mean 'text'"),
        ("reviewtext", "did you mean 'review text'"),
        ("strs", "did you mean 'stars'"),
        ("xyz", "it has 'text', 'review text', 'a, b', 'stars'"),
    ],
)
def test_a_column_that_is_not_there(column, message, tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text('text, review text ,"a, b",stars\na,b,c,1\n')
    with pytest.raises(ValueError, match=message):
        read_columns(path, column, "stars")


def test_half_a_surrogate_names_its_line(tmp_path):
    path = tmp_path / "tweets.jsonl"
    path.write_text('{"text": "fine", "y": 1}\n\n{"text": "half \\ud83d", "y": 2}\n')
    with pytest.raises(ValueError, match="text in row 3 that is not valid Unicode"):
        read_columns(path, "text", "y")


def test_an_address_keeps_its_slashes():
    with pytest.raises(ValueError, match="is an address; download the file"):
        read_table("https://example.org/a.csv")


def test_text_after_a_closing_mark_and_very_long_cells(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text('text,stars\n"so" good,1\n' + "x" * 300_000 + ",2\n")
    table, _ = table_of(path)
    assert table["stars"].tolist() == ["1", "2"]


def test_standard_input():
    code = "from sklearn_sae.cli._decode import read_table; print(read_table('-')[0].to_dict('list'))"
    for data in ("text,stars\na,1\n", '{"text": "a", "stars": "1"}\n'):
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "{'text': ['a'], 'stars': ['1']}"


def test_several_sheets(tmp_path):
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer) as book:
        TABLE.to_excel(book, sheet_name="answers", index=False)
        TABLE.to_excel(book, sheet_name="notes", index=False)
    (tmp_path / "book.xlsx").write_bytes(buffer.getvalue())
    _, (note,) = table_of(tmp_path / "book.xlsx")
    assert "has 2 sheets; the first, 'answers', was read" in note
