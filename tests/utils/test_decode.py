"""Files as people have them."""

import gzip
import io
import json
import subprocess
import sys
from datetime import datetime

import pandas as pd
import pytest

from sklearn_sae.cli._read import read_columns
from sklearn_sae.utils._decode import read_table

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


def test_the_same_rows_in_every_kind_of_file(tmp_path):
    for package in ("openpyxl", "pyarrow"):
        pytest.importorskip(package)
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
    (tmp_path / "f.json").write_text(TABLE.to_json())
    (tmp_path / "g.json").write_text(TABLE.to_json(orient="split"))
    (tmp_path / "h.json").write_text(TABLE.to_json(orient="table"))
    (tmp_path / "i.json").write_text(json.dumps({"reviews": records, "page": 1, "tags": ["a", "b"]}))
    (tmp_path / "unicode.txt").write_bytes(("\ufeff" + TABLE.to_csv(index=False, sep="\t")).encode("utf-16-le"))
    TABLE.to_parquet(tmp_path / "a.parquet")
    TABLE.set_index("text").to_parquet(tmp_path / "indexed.parquet")
    TABLE.astype("category").to_parquet(tmp_path / "categories.parquet")
    TABLE.to_excel(tmp_path / "a.xlsx", index=False)
    for path in tmp_path.iterdir():
        table, notes = table_of(path)
        assert list(table[["text", "stars"]].itertuples(index=False, name=None)) == ROWS, path
        assert notes == [], path


def test_only_empty_cells_are_missing(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text('text,answer\none,None\ntwo,NA\nthree,\nfour,null\nfive,"n/a"\n,yes\nseven\n')
    with pytest.warns(UserWarning, match="Left out 3 of 7 rows: 1 without a text and 2 without a target"):
        table = read_columns(path, "text", "answer")
    assert table["answer"].tolist() == ["None", "NA", "null", "n/a"]
    assert table.index.tolist() == [2, 3, 5, 6]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "text,stars\na,1\nb,c,2\n", "row 3 has 3 fields where the header has 2"),
        ("a.csv", 'text,stars\nx,1\n"a,1\nb,2\n', "opened and never closed; see row 3, or before"),
        ("a.csv", 'text,y\n"a \\" b",1\n"never closed,2\nx,3\nz,4\n', "opened and never closed"),
        ("a.csv", "", "it is empty"),
        ("a.csv", "\n \n", "it is empty"),
        ("a.jsonl", '{"text": "a"}\n\n{"text": \n', "line 3 is not JSON"),
        ("a.jsonl", '{"text": ' + "9" * 5000 + "}", "line 1 is not JSON"),
        ("a.json", "[1, 2]", "neither lines nor a list of objects"),
        ("a.json", "3", "neither lines nor a list of objects"),
        ("a.json", '[{"text": "a"},\n{"text": ', "line 2 is not JSON"),
        ("a.json", "[" * 200_000, "nested too deeply"),
        ("a.csv.gz", "text,stars\n", "cannot be read as csv: its end is missing, or it is not compressed by gzip"),
        ("a.csv.gz", gzip.compress(b"text,stars\n" * 99, mtime=0)[:-9], "its end is missing"),
        (
            "a.csv.gz",
            gzip.compress(bytes(range(256)) * 9, mtime=0)[:40] + bytes(300),
            "its end is missing, or it is not",
        ),
        ("a.xlsx", "text,stars\n", "cannot be read as xlsx: it is no workbook, or one with a password"),
        ("a.parquet", "text,stars\n", "cannot be read as parquet"),
        ("a.doc", "text", r"is not one of \.csv"),
    ],
)
def test_a_broken_file_is_one_sentence(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if path.suffix in (".xlsx", ".parquet"):
        pytest.importorskip({".xlsx": "openpyxl", ".parquet": "pyarrow"}[path.suffix])
    with pytest.raises(ValueError, match=message) as error:
        read_table(str(path))
    assert "C error" not in str(error.value)
    assert "\n" not in str(error.value)


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


def test_a_folder_and_a_path_of_another_system(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder, not a file"):
        read_table(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"C:\\Users\\me\\reviews\.csv does not exist"):
        read_table(r"C:\Users\me\reviews.csv")


def test_a_workbook_has_no_encoding(tmp_path):
    (tmp_path / "a.xlsx").write_text("")
    with pytest.raises(ValueError, match=r"a\.xlsx is no text file; leave --encoding out"):
        read_table(str(tmp_path / "a.xlsx"), encoding="utf-8")


def test_an_address_keeps_its_slashes():
    with pytest.raises(ValueError, match="is an address; download the file"):
        read_table("https://example.org/a.csv")


def test_text_after_a_closing_mark_and_very_long_cells(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text('text,stars\n"so" good,1\n' + "x" * 300_000 + ",2\n")
    table, _ = table_of(path)
    assert table["stars"].tolist() == ["1", "2"]


def test_quotation_marks_as_databases_write_them(tmp_path):
    path = tmp_path / "dump.csv"
    path.write_text('text,stars\n"He said \\"no, no\\"",1\n"and ""yes""",2\n')
    table, _ = table_of(path)
    assert table["text"].tolist() == ['He said "no, no"', 'and "yes"']
    assert table["stars"].tolist() == ["1", "2"]


def test_headers(tmp_path):
    """Blanks around names, a mark written twice, names that are missing or come again, separators at the ends."""
    path = tmp_path / "headers.csv"
    path.write_text("\ufeff\ufeff text , stars,,stars,,\na,1,x,2,,\nb,3,,4,,\n", encoding="utf-8")
    table, _ = table_of(path)
    assert list(table.columns) == ["text", "stars", "column 3", "stars (2)"]
    with pytest.warns(UserWarning, match=r"several columns 'stars'; the first was taken, the second is 'stars \(2\)'"):
        assert read_columns(path, "text", "stars")["stars"].tolist() == ["1", "3"]
    assert read_columns(path, "text ", "stars (2)")["stars (2)"].tolist() == ["2", "4"]


def test_short_rows_and_trailing_separators(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("text,stars\na,1,,\nb\nc,2\n")
    with pytest.warns(UserWarning, match="Left out 1 of 3 rows: 1 without a target"):
        assert read_columns(path, "text", "stars").index.tolist() == [2, 4]


def test_zero_bytes_stay_in_their_cell(tmp_path):
    path = tmp_path / "zero.csv"
    path.write_text("text,stars\na\0b,1\n")
    assert table_of(path)[0]["text"].tolist() == ["a\0b"]


def test_a_column_of_numbers_is_no_column_of_texts(tmp_path):
    """A number among texts is a text, in files that know numbers too."""
    for name, content in (
        ("a.csv", "text,n\n1,1\n2,2\n"),
        ("a.jsonl", '{"text": 1, "n": 1}\n{"text": 2.5, "n": 2}\n'),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match="The column 'text' holds only numbers; --text names the column"):
            read_columns(tmp_path / name, "text", "n")
    (tmp_path / "b.csv").write_text("text,n\n10,1\ngood,2\n")
    (tmp_path / "b.jsonl").write_text('{"text": 10, "n": 1}\n{"text": "good", "n": 2}\n')
    for name in ("b.csv", "b.jsonl"):
        assert read_columns(tmp_path / name, "text", "n")["text"].tolist() == ["10", "good"]


def test_standard_input():
    code = "from sklearn_sae.utils._decode import read_table; print(read_table('-')[0].to_dict('list'))"
    for data in ("text,stars\na,1\n", '{"text": "a", "stars": "1"}\n'):
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "{'text': ['a'], 'stars': ['1']}"


def test_several_sheets(tmp_path):
    pytest.importorskip("openpyxl")
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer) as book:
        TABLE.to_excel(book, sheet_name="answers", index=False)
        TABLE.to_excel(book, sheet_name="notes", index=False)
    (tmp_path / "book.xlsx").write_bytes(buffer.getvalue())
    _, (note,) = table_of(tmp_path / "book.xlsx")
    assert "has 2 sheets; the first, 'answers', was read" in note


def test_a_workbook_as_people_keep_them(tmp_path):
    """Empty rows, dates, percentages, formulas that were never calculated, blanks in cells and beside the table."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [
        ["text", "share", "when", "twice", None],
        ["good", 0.25, datetime(2024, 5, 1), "=B2*2", " "],
        [],
        ["  ", 0.5, datetime(2024, 5, 2), "=B4*2", None],
        ["bad", 0.75, datetime(2024, 5, 3), "=B5*2", None],
    ]:
        sheet.append(row)
    for cell in sheet["B"]:
        cell.number_format = "0%"
    book.save(tmp_path / "book.xlsx")
    table, (note,) = table_of(tmp_path / "book.xlsx")
    assert list(table.columns) == ["text", "share", "when", "twice"]
    assert table.index.tolist() == [2, 4, 5]
    assert table["share"].tolist() == [0.25, 0.5, 0.75]
    assert table["when"].iloc[0] == datetime(2024, 5, 1)
    assert "has 3 formulas whose results are not in it; open it in a spreadsheet and save it" in note
    with pytest.warns(UserWarning, match=r"Left out 1 of 3 rows: 1 without a text|3 formulas"):
        assert read_columns(tmp_path / "book.xlsx", "text", "share").index.tolist() == [2, 5]


def test_a_workbook_with_a_title_above_the_table(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["Survey"], ["text", "stars"], ["good", 5]):
        book.active.append(row)
    book.active.merge_cells("A1:B1")
    book.save(tmp_path / "book.xlsx")
    with pytest.raises(ValueError, match="has no column 'text'; it has 'Survey', 'column 2'"):
        read_columns(tmp_path / "book.xlsx", "text", "stars")
    openpyxl.Workbook().save(tmp_path / "empty.xlsx")
    with pytest.raises(ValueError, match="its sheet is empty"):
        read_table(str(tmp_path / "empty.xlsx"))


def test_what_an_object_within_a_row_holds_has_a_column_of_its_own(tmp_path):
    lines = [json.dumps({"id": i, "body": {"text": f"text {i}", "by": {"name": "Ann"}}, "no": {}}) for i in range(3)]
    file = tmp_path / "tickets.jsonl"
    file.write_text("\n".join(lines), "utf-8")
    table = read_columns(file, "body.text", "id", ["body.by.name"])
    assert table["body.text"].tolist() == ["text 0", "text 1", "text 2"]
    assert table["body.by.name"].tolist() == ["Ann"] * 3
    with pytest.raises(ValueError, match=r"no column 'body'; did you mean 'body\.text'"):
        read_columns(file, "body", "id")
