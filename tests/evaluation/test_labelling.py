"""The sheet that people fill in: drawn, written, filled in as people do, and read back."""

import datetime
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import correct_annotations, read_labels, sample_for_labelling
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.evaluation._sheet_key import Drawn, from_key, to_key

NAMES = ["praises the food", "complains of a wait", "-1 mentions parking"]


@pytest.fixture(scope="module")
def reviews():
    return make_concept_texts(1500, n_concepts=3, random_state=0)


@pytest.fixture
def sheet(reviews):
    return sample_for_labelling(reviews.data, reviews.concepts, n_texts=120, hypotheses=NAMES, random_state=0)


def _filled_in(sheet, reviews):
    """The sheet with the truth in it."""
    truth = dict(zip(reviews.data, reviews.concepts, strict=True))
    answers = np.array([truth[text] for text in sheet["text"]]).astype(int)
    return sheet.assign(**{name: answers[:, j].astype(object) for j, name in enumerate(NAMES)})


def test_a_draw_is_what_its_probabilities_say(reviews):
    counts, stands_for = np.zeros(300), []
    texts, annotations = reviews.data[:300], reviews.concepts[:300]
    for seed in range(200):
        sheet = sample_for_labelling(texts, annotations, n_texts=60, random_state=seed)
        rows = [from_key(key) for keys in sheet["key"] for key in keys.split()]
        counts[[one.row for one in rows]] += 1
        stands_for.append(sum(one.n_texts / one.n_drawn for one in rows))
        probability = {one.stratum: one.n_drawn / one.n_texts for one in rows}
    np.testing.assert_allclose(stands_for, 300)
    holds = annotations == 1
    rarest = np.argsort(holds.sum(axis=0))
    strata = np.select([holds[:, j] for j in rarest], range(3), 3)
    shares = sorted(counts[strata == stratum].mean() / 200 for stratum in range(4))
    np.testing.assert_allclose(shares, sorted(probability.values()), rtol=1e-9)
    assert counts.min() > 0  # every text could be drawn


def test_rare_hypotheses_have_labels(reviews):
    rare = np.zeros((1500, 1))
    rare[:30] = 1
    sheet = sample_for_labelling(reviews.data, rare, n_texts=50, random_state=0)
    drawn = [from_key(key).row for keys in sheet["key"] for key in keys.split()]
    assert sum(row < 30 for row in drawn) > 10
    assert len(drawn) == 50


def test_the_sheet_shows_no_annotation(reviews, sheet):
    assert list(sheet.columns) == ["key", "text", *NAMES, "comment"]
    assert sheet[NAMES].isna().all(axis=None)
    drawn = [from_key(key) for key in sheet["key"]]
    assert len({key[8:] for key in sheet["key"]}) == len(sheet)
    rows = [one.row for one in drawn]
    assert rows != sorted(rows)
    assert abs(np.corrcoef([one.stratum for one in drawn], range(len(drawn)))[0, 1]) < 0.3


def test_a_key_says_when_it_is_damaged():
    drawn = Drawn(123_456, 7, 30, 99_999)
    key = to_key(drawn)
    assert from_key(f" {key.lower()} ") == drawn
    assert re.fullmatch("T[A-Z2-7]+", key)
    for place in range(len(key)):
        changed = "A" if key[place] != "A" else "B"
        damaged = from_key(key[:place] + changed + key[place + 1 :])
        assert damaged is None or (place == len(key) - 1 and damaged == drawn)
    assert from_key("") is None
    assert from_key("1E5") is None


@pytest.mark.parametrize("kind", [".csv", ".xlsx"])
def test_a_sheet_comes_back_in_any_order(reviews, sheet, kind, tmp_path):
    written = tmp_path / f"sheet{kind}"
    again = sample_for_labelling(reviews.data, reviews.concepts, written, n_texts=120, hypotheses=NAMES, random_state=0)
    pd.testing.assert_frame_equal(again, sheet)
    opened = (pd.read_csv if kind == ".csv" else pd.read_excel)(written).astype(object)
    opened = opened.rename(columns={"'-1 mentions parking": "-1 mentions parking"})
    filled = _filled_in(opened, reviews).sample(frac=1, random_state=1)[[*NAMES[::-1], "text", "comment", "key"]]
    saved = tmp_path / f"filled{kind}"
    if kind == ".csv":
        filled.to_csv(saved, index=False, sep=";", encoding="cp1252")  # as a spreadsheet may save it
    else:
        filled.to_excel(saved, index=False)
    human, sampled = read_labels(saved, reviews.data, hypotheses=NAMES)
    labelled = ~np.isnan(sampled)
    assert list(human.columns) == NAMES
    assert labelled.sum() == 120
    np.testing.assert_array_equal(human.to_numpy()[labelled], reviews.concepts[labelled])
    assert human[~labelled].isna().all(axis=None)
    assert np.nansum(1 / sampled) == pytest.approx(1500)
    corrected = correct_annotations(reviews.concepts, human, sampled, reviews.target, hypotheses=NAMES)
    assert corrected.metrics["n_labelled"] == 120


@pytest.mark.parametrize("kind", [".csv", ".xlsx"])
def test_no_text_runs_as_a_formula(kind, tmp_path):
    texts = ['=HYPERLINK("http://x.org")', "+1 for the food", "-5 stars", "@home", "'quoted'", "plain"]
    names = ["=1+1", "-sounds angry"]
    path = tmp_path / f"sheet{kind}"
    sample_for_labelling(texts, np.eye(6, 2), path, hypotheses=names, random_state=0)
    if kind == ".csv":
        opened = pd.read_csv(path)
        cells = [*opened.columns, *opened["text"]]
    else:
        import openpyxl

        rows = list(openpyxl.load_workbook(path).active.iter_rows())
        assert {cell.data_type for row in rows for cell in row} <= {"s", "n"}
        cells = []
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    opened = (pd.read_csv if kind == ".csv" else pd.read_excel)(path).astype(object)
    opened.iloc[:, 2:4] = 1
    opened.to_csv(tmp_path / "filled.csv", index=False)
    human, _ = read_labels(tmp_path / "filled.csv", texts, hypotheses=names)
    assert (human == 1).all(axis=None)


def test_copies_stand_once_and_have_one_label():
    texts = ["Good food", "good  food", "Slow service", "GOOD FOOD"]
    sheet = sample_for_labelling(texts, [[1], [1], [0], [1]], hypotheses=["praises"], random_state=0)
    assert len(sheet) == 2
    sheet["praises"] = [1 if "ood" in text.lower() else 0 for text in sheet["text"]]
    human, sampled = read_labels(sheet, texts)
    assert human["praises"].tolist() == [1, 1, 0, 1]
    assert sampled.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *[(cell, 1) for cell in ("yes", " Y ", "X", "1.0", True, 1.0, "✓", "ja", "WAHR")],
        *[(cell, 0) for cell in ("No", "n", 0, "FALSE", False, "nein")],
        *[(cell, np.nan) for cell in ("", None, "?", "n/a", np.nan)],
    ],
)
def test_answers_as_people_write_them(sheet, reviews, cell, expected):
    filled = _filled_in(sheet, reviews)
    filled.loc[0, NAMES[0]] = cell
    row = from_key(filled["key"][0]).row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        label = read_labels(filled, reviews.data).human[NAMES[0]][row]
    assert label == expected or (np.isnan(label) and np.isnan(expected))


def test_each_problem_has_a_sentence(sheet, reviews):
    filled = _filled_in(sheet, reviews)
    filled.loc[0, NAMES[0]] = "maybe"
    filled.loc[1, NAMES[1]] = datetime.datetime(2001, 1, 1)
    filled.loc[2, NAMES[1]] = 2
    filled.loc[3, "key"] = "TXYZ"
    filled.loc[4, "key"] = None
    filled.loc[5, "key"] = filled.loc[6, "key"]
    filled.loc[5, "text"] = filled.loc[6, "text"]
    filled.loc[7, "text"] = "A text that someone wrote"
    with pytest.raises(ValueError, match="The sheet cannot be read") as error:
        read_labels(filled, reviews.data)
    said = str(error.value).splitlines()[1:]
    assert len(said) == 7
    for part in (
        "Row 1, column 'praises the food': 'maybe' is neither 1 nor 0.",
        "Row 2, column 'complains of a wait': 2001-01-01 00:00:00, a date that the spreadsheet made,",
        "Row 3, column 'complains of a wait': '2'",
        "Row 4 has a damaged key, 'TXYZ'",
        "Row 5 has no key",
        "Rows 6 and 7 have the same key",
        "Row 8 has another text",
    ):
        assert sum(part in line for line in said) == 1, part
    assert not any(text in str(error.value) for text in reviews.data)


def test_other_texts_are_told_in_one_sentence(sheet, reviews):
    with pytest.raises(ValueError, match=r"120 rows, the first of them row 1, .* in the order") as error:
        read_labels(_filled_in(sheet, reviews), reviews.data[::-1])
    assert len(str(error.value).splitlines()) == 2


def test_marks_and_blanks_alone_are_ambiguous(sheet, reviews):
    filled = _filled_in(sheet, reviews)
    marked = filled.assign(**{name: ["x" if value else None for value in filled[name]] for name in NAMES})
    with pytest.raises(ValueError, match="has marks and blank cells only; write 0 where it does not hold, or"):
        read_labels(marked, reviews.data)
    with pytest.warns(UserWarning, match="each counts as no"):
        read = read_labels(marked, reviews.data, blank="no")
    full = read_labels(filled, reviews.data)
    pd.testing.assert_frame_equal(read.human, full.human)
    np.testing.assert_array_equal(read.sampled, full.sampled)


def test_rows_that_are_gone_are_stood_for(sheet, reviews):
    filled = _filled_in(sheet, reviews).drop(index=range(0, 120, 3))
    filled.loc[1, NAMES] = None
    filled.loc[2, NAMES[0]] = None
    with pytest.warns(UserWarning, match="The sheet") as caught:
        human, sampled = read_labels(filled, reviews.data)
    said = " ".join(str(one.message) for one in caught)
    assert (
        "The sheet lacks 40 texts that were drawn and has 1 text without an answer; the others stand for them." in said
    )
    assert "1 blank cell in rows with answers; each counts as no label" in said
    assert np.nansum(1 / sampled) == pytest.approx(1500)
    assert (~np.isnan(sampled)).sum() == 79
    corrected = correct_annotations(reviews.concepts, human, sampled, reviews.target)
    assert corrected.table["n_labels"].tolist() == [78, 79, 79]


def test_a_stratum_without_labels_is_said(sheet, reviews):
    filled = _filled_in(sheet, reviews)
    strata = np.array([from_key(key).stratum for key in filled["key"]])
    with pytest.warns(UserWarning, match="has no label of the strata of"):
        _, sampled = read_labels(filled[strata != 0], reviews.data)
    assert np.nansum(1 / sampled) == pytest.approx(1500)


def test_what_a_sheet_must_have(sheet, reviews):
    filled = _filled_in(sheet, reviews)
    with pytest.raises(ValueError, match="The sheet has no column 'key'"):
        read_labels(filled.drop(columns="key"), reviews.data)
    with pytest.raises(ValueError, match="has no column 'another'"):
        read_labels(filled, reviews.data, hypotheses=["another"])
    with pytest.raises(ValueError, match="has no label: every cell to fill in is blank"):
        read_labels(sheet, reviews.data)


def test_the_labels_have_the_index_of_the_texts(sheet, reviews):
    texts = pd.Series(reviews.data, index=[f"r{i}" for i in range(1500)])
    assert read_labels(_filled_in(sheet, reviews), texts).human.index.equals(texts.index)


def test_a_sheet_that_is_there_is_not_replaced(reviews, tmp_path):
    path = tmp_path / "sheet.csv"
    sample_for_labelling(reviews.data, reviews.concepts, path)
    with pytest.raises(FileExistsError, match="may hold labels"):
        sample_for_labelling(reviews.data, reviews.concepts, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": ["a"]}, "texts has 1 text and annotations 1,500 rows"),
        ({"path": "sheet.txt"}, r"path must end in .csv or .xlsx"),
        ({"hypotheses": ["text", "b", "c"]}, "heading 'text' of a hypothesis is taken or empty"),
        ({"hypotheses": ["b", "b ", "c"]}, "heading 'b' of a hypothesis is taken or empty"),
    ],
)
def test_what_is_wrong_is_said(reviews, change, message):
    arguments = {"texts": reviews.data, "annotations": reviews.concepts, **change}
    with pytest.raises(ValueError, match=message):
        sample_for_labelling(**arguments)
