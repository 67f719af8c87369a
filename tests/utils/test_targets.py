"""Which values are numbers, which are classes, in what order, and what is said about it."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_sae._auto_linear_model import AutoLinearModel
from sklearn_sae.utils._targets import check_target, check_target_varies


@pytest.mark.parametrize(
    ("y", "task"),
    [
        ([0, 1, 1], "binary"),
        ([True, True, True], "binary"),
        (["no", "yes"], "binary"),
        ([1.0, 2.0, 2.0], "binary"),
        ([1, 2, 3], "regression"),
        ([1, 1, 1], "regression"),
        (["a", "b", "c"], "multiclass"),
        (pd.Series([1, 2, 3], dtype="category"), "multiclass"),
        (np.array([1, 2, 3], dtype=object), "regression"),
        (pd.Series(["1", "2", "3"]), "regression"),
        (np.array([1, "a", "b"], dtype=object), "multiclass"),
    ],
)
def test_the_task_of_a_target(y, task):
    assert check_target(y).task == task


def test_classes_are_in_order():
    target = check_target(["yes", "no", "yes"])
    assert target.values.tolist() == [1, 0, 1]
    assert target.classes.tolist() == ["no", "yes"]
    assert check_target(np.array([2, "b", 1], dtype=object), task="multiclass").classes.tolist() == [1, 2, "b"]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (None, {}, "y is required"),
        ([1, 2], {"n_samples": 3}, "2 values for 3 rows"),
        ([1.0, np.nan, 3.0], {}, "NaN"),
        ([1.0, np.inf, 3.0], {}, "infinity"),
        (["a", None, "b"], {}, "row 1 has no target"),
        (pd.Series(["a", pd.NA, "b"], dtype="string"), {}, "row 1 has no target"),
        (pd.Series(["a", None, "b"], index=[5, 7, 9]), {}, "row 7 has no target"),
        (pd.Series(["1", "2", "b"], index=[5, 7, 9]), {}, "'b' in row 9"),
        (["a", "b"], {"task": "regression"}, "not numeric"),
        ([1, 2, 3], {"task": "binary"}, "3 classes where a binary"),
        ([[1, 2], [3, 4]], {}, "1d array"),
    ],
)
def test_bad_targets(y, options, message):
    with pytest.raises(ValueError, match=message):
        check_target(y, **options)


@pytest.mark.parametrize("y", [[1.0, 1.0], ["a", "a"], [True, True]])
def test_a_constant_target(y):
    with pytest.raises(ValueError, match="constant: all 2 rows"):
        check_target_varies(check_target(y))


@given(st.lists(st.one_of(st.integers(-5, 5), st.floats(-2, 2), st.booleans()), min_size=1, max_size=30))
def test_codes_point_at_their_classes(y):
    target = check_target(y)
    if target.classes is None:
        np.testing.assert_array_equal(target.values, np.asarray(y, dtype=float))
    else:
        assert [target.classes[code] for code in target.values] == np.asarray(y).tolist()


STARS = [1.5, 2.0, 4.5, 3.0]


@pytest.mark.parametrize(
    "y",
    [
        pd.DataFrame({"text": list("abcd"), "stars": STARS}).to_numpy()[:, 1],
        [Decimal(str(value)) for value in STARS],
        [str(value) for value in STARS],
        [f" {value} " for value in STARS],
        np.array(["1.5", 2, "4.50", Decimal(3)], dtype=object),
        pd.Series(STARS, dtype="Float64"),
        pd.Series(STARS, dtype="double[pyarrow]"),
        pd.Series([Decimal(str(value)) for value in STARS], dtype=object),
    ],
)
def test_numbers_are_numbers_however_they_are_held(y):
    target = check_target(y)
    assert target.task == "regression"
    assert target.values.tolist() == STARS
    assert target.values.dtype == np.float64
    assert target.notes == ()


@pytest.mark.parametrize(
    ("y", "values", "note"),
    [
        (["4,5", "3", "1,25"], [4.5, 3, 1.25], "y has decimal commas ('4,5' is 4.5)."),
        (["1.204,25", "3,5", "7"], [1204.25, 3.5, 7], "y has decimal commas"),
        (["1,250", "80", "7"], [1250, 80, 7], "y has commas between thousands ('1,250' is 1250)."),
        (["45%", "7 %", "3.5%"], [45, 7, 3.5], "y has the sign '%', which is left out."),
        (["$3.50", "-$2", "$1,000"], [3.5, -2, 1000], "the sign '$', which is left out"),
        (["12,50 €", "3 €", "1 €"], [12.5, 3, 1], "decimal commas ('12,50 €' is 12.5) and the sign '€'"),
        (["1.2k", "3M", "500"], [1200, 3e6, 500], "y has powers of ten in letters ('1.2k' is 1200)."),
        (["1,2k", "3 Mio", "500"], [1200, 3e6, 500], "decimal commas ('1,2k' is 1200) and powers of ten in letters"),
        (["1.1M", "2m", "3"], [1.1e6, 2e6, 3], "powers of ten in letters ('1.1M' is 1100000)"),
        (["2 crore", "5 lakh", "7"], [2e7, 5e5, 7], "powers of ten in letters"),
        (["(4)", "3", "2"], [-4, 3, 2], "y has negative numbers in brackets ('(4)' is -4)."),
        (["($4)", "$(5)", "$3"], [-4, -5, 3], "negative numbers in brackets ('($4)' is -4) and the sign '$'"),
        (["USD 3", "usd 4.5", "5 USD"], [3, 4.5, 5], "y has the unit 'USD', which is left out."),
        (["3 EUR", "4,50 euros", "5EUR"], [3, 4.5, 5], "and the unit 'EUR', which is left out"),
        (["US$3", "US$4", "US$ 5"], [3, 4, 5], "the sign 'US$', which is left out"),
        (["Rs. 1,00,000", "Rs 500", "Rs 7"], [1e5, 500, 7], "commas between thousands ('Rs. 1,00,000' is 100000)"),
        (["1,00,000", "12,34,567.5", "500"], [1e5, 1234567.5, 500], "commas between thousands ('1,00,000' is 100000)"),
        (["00123", "00456", "01234"], [123, 456, 1234], "leading zeros ('00123' is 123), as IDs and postcodes have"),
    ],
)
def test_written_numbers_are_read_and_said(y, values, note):
    target = check_target(y)
    assert target.values.tolist() == values
    (said,) = target.notes
    assert note in said


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["4,5", "4.5", "3"], r"decimal comma, such as '4,5' in row 0, and .* decimal point, such as '4.5' in row 1"),
        (np.array([4.5, "3,5", 2.5], dtype=object), "decimal comma, such as '3,5' in row 1"),
        (["1", "2", "three"], r"2 numbers and 1 other value, the first 'three' in row 2; .* task=\"multiclass\""),
        (["$3", "€3", "$4"], "different units"),
        (["3%", "3", "4"], "different units"),
        (["1", "2", "inf"], "the first 'inf'"),
        ([Decimal("Infinity"), Decimal(1), Decimal(2)], "infinity"),
        (pd.to_datetime(["2024-01-01", "2024-01-02", None]), "dates"),
        (pd.Series([datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)]), r"dates.*\(y - y.min\(\)\).dt.days"),
        (["2024-01-01", "2024-01-31", "2023-12-01"], "dates"),
        (["01.02.2024", "3.4.2024", "31/12/2023"], "dates"),
        (["20200105", "20191231", "20200229"], r"dates \(all are written as '20200105' is\).*format=\"%Y%m%d\""),
        ([20200105, 20191231, 20200229], "dates"),
        ([20200105.0, 20191231.0, 20200229.0], "written as '20200105' is"),
        (["Jan 5, 2020", "March 7 2022", "Sept. 1, 2021"], "the year, y.dt.year, after y = pandas.to_datetime"),
        (["5 January 2020", "05-Feb-2021", "1st of May 2020"], "dates"),
        (["5. Januar 2020", "5 de enero de 2020", "5 janvier 2020"], "dates"),
        (["2020/01/05 10:30", "2020/01/06 9:00 PM"], "dates"),
        (["Sun, 5 Jan 2020 10:30:00 +0000", "Wed Oct 10 20:19:24 +0000 2018"], "dates"),
        (["3m", "4m", "5m"], r"may stand for millions or for a unit, such as '3m' in row 0; .* task=\"multiclass\""),
        (["(1)", "(2)", "(3)"], "in brackets, which may be negative ones or a numbering, such as '\\(1\\)' in row 0"),
        (["USD 3", "3 EUR", "USD 4"], "different units"),
        (["a", "", "b"], "row 1 has no target"),
        (["1", "\u200b ", "3"], "row 1 has no target"),
        (["2024-01-01T10:00:00Z", "2024-01-31 11:30", "2023-12-01"], "dates"),
        (pd.to_timedelta([1, 2, 3], unit="D"), "durations; pass them as numbers"),
        ([datetime.timedelta(1), datetime.timedelta(2)], "durations"),
        (pd.period_range("2024-01", periods=3, freq="M"), "dates"),
        ([["a"], ["a", "b"]], r"several values in row 0 \(a list\)"),
        (pd.Series([("a", "b"), ("c", "d")]), r"several values in row 0 \(a tuple\)"),
        ([{"a"}, {"b"}], r"several values in row 0 \(a set\)"),
        (np.eye(3), r"1d array, got an array of shape \(3, 3\) instead; 3 values a row"),
        ([1 + 2j, 3j, 4], "complex"),
    ],
)
def test_targets_that_are_none(y, message):
    with pytest.raises(ValueError, match=message) as error:
        check_target(y)
    assert "np." not in str(error.value)
    assert "inhomogeneous" not in str(error.value)


def test_dates_may_be_classes_where_that_is_asked_for():
    assert check_target(["2024-01-01", "2024-01-01", "2023-12-01"], task="binary").classes.tolist() == [
        "2023-12-01",
        "2024-01-01",
    ]


def test_classes_that_differ_by_case_and_spaces_are_one():
    target = check_target(["Yes", "yes ", "YES", "Yes", "no", "No", "no"])
    assert target.task == "binary"
    assert target.classes.tolist() == ["no", "Yes"]
    assert target.values.tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert target.notes == (
        "y spells classes in several ways, which are joined: 'No' is 'no', 'YES' is 'Yes', 'yes ' is 'Yes'.",
    )


@pytest.mark.parametrize(
    ("y", "classes", "joined"),
    [
        (["yes", "y", "no", "n", "YES", "yes"], ["no", "yes"], "'YES' is 'yes', 'n' is 'no', 'y' is 'yes'"),
        (["yes", "y", "Y", "n", "n"], ["n", "yes"], "'Y' is 'yes', 'y' is 'yes'"),
        (["true", "t", "F", "False"], ["False", "true"], "'F' is 'False', 't' is 'true'"),
        (["yes", "Y", "no", "maybe", "no"], ["maybe", "no", "yes"], "'Y' is 'yes'"),
        (["y", "n", "n"], ["n", "y"], None),
        (["y", "no", "no"], ["no", "y"], None),
        (["n", "no", "s", "y", "s"], ["n", "no", "s", "y"], None),
        (["f", "m", "true"], ["f", "m", "true"], None),
        (["yes\u200b", "yes", "no", "no\xa0", "\ufeffno"], ["no", "yes"], "'\\ufeffno' is 'no', 'no\\xa0' is 'no'"),
        (
            ["\u202ayes\u202c", "yes", "so\u00adso", "soso", "not\xa0yet"],
            ["not yet", "soso", "yes"],
            "'not\\xa0yet' is",
        ),
        (["İstanbul", "istanbul", "istanbul", "Ankara"], ["Ankara", "istanbul"], "'İstanbul' is 'istanbul'"),
    ],
)
def test_spellings_of_one_class_are_joined_where_they_are_unmistakable(y, classes, joined):
    target = check_target(y)
    assert target.classes.tolist() == classes
    assert (joined is None) == (target.notes == ())
    assert joined is None or joined in target.notes[0]


def test_a_score_joins_classes_as_the_fit_does():
    X = np.array([[0.0], [1.0]] * 20)
    model = AutoLinearModel().fit(X, ["no", "yes"] * 10 + ["n", "y"] * 10)
    assert model.score(X[:2], ["n", "y"]) == 1
    assert model.score(X[:2], ["Y", "N"]) == 0


def test_text_that_spells_two_numbers_keeps_its_classes():
    assert check_target(["0", "1", "1"]).classes.tolist() == ["0", "1"]
    assert check_target(["no", "None", "n/a", "null"]).classes.tolist() == ["n/a", "no", "None", "null"]


def test_an_ordered_category_keeps_its_order():
    mood = pd.Categorical(["mid", "high", "low", "mid"], categories=["low", "mid", "high"], ordered=True)
    target = check_target(pd.Series(mood))
    assert target.task == "multiclass"
    assert target.classes.tolist() == ["low", "mid", "high"]
    assert "ordered classes, low to high" in target.notes[0]
    binary = check_target(pd.Series(pd.Categorical(["small", "big"], ["small", "big"], ordered=True)))
    assert binary.task == "binary"
    assert binary.values.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("y", "scale", "places"),
    [
        (["often", "never", "Always", "often"], ("never", "often", "Always"), [2, 1, 3, 2]),
        (["2 - disagree", "1 - strongly disagree", "5 - agree"], None, [2, 1, 3]),
        (["Strongly agree", "agree", "Neutral"], ("Neutral", "agree", "Strongly agree"), [3, 2, 1]),
        ([10, 30, 20, 10], ("10", "20", "30"), [1, 3, 2, 1]),
        (["1", "5", "3"], ("1", "3", "5"), [1, 3, 2]),
        (pd.Series(pd.Categorical(["b", "a", "c"], ["c", "b", "a"], ordered=True)), ("c", "b", "a"), [2, 3, 1]),
    ],
)
def test_an_ordinal_target_is_the_place_on_its_scale(y, scale, places):
    target = check_target(y, task="ordinal")
    assert target.task == "regression"
    assert target.values.tolist() == places
    assert target.scale == scale or scale is None
    assert any("the place on the scale" in note for note in target.notes)


def test_an_answer_scale_is_noted_and_never_assumed():
    target = check_target(["agree", "neutral", "disagree", "agree"])
    assert target.task == "multiclass"
    assert target.classes.tolist() == ["agree", "disagree", "neutral"]
    assert 'disagree to agree, which are taken one by one; task="ordinal"' in target.notes[0]
    with pytest.raises(ValueError, match="no known order"):
        check_target(["soup", "bread", "fish"], task="ordinal")


def test_what_looks_odd_about_numbers_is_noted():
    rng = np.random.default_rng(0)
    (note,) = check_target(rng.integers(0, 3, 200)).notes
    assert "has 3 values (0, 1, 2) and counts as a number" in note
    assert 'task="multiclass"' in note
    (note,) = check_target(rng.permutation(np.arange(1000, 1200))).notes
    assert "row numbers and IDs" in note
    (note,) = check_target(np.exp(rng.normal(0, 3, 1000))).notes
    assert "long tail: 10 of 1,000 rows" in note
    assert check_target(rng.normal(size=1000)).notes == ()
    assert check_target(rng.integers(0, 100, 1000)).notes == ()


@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 2)), min_size=3, max_size=20))
def test_numbers_survive_being_written_in_other_lands(numbers):
    if len(set(numbers)) == 2:
        return
    english = [f"{value:,.2f}" for value in numbers]
    german = [text.translate(str.maketrans(".,", ",.")) for text in english]
    swiss = [text.replace(",", "’") for text in english]
    for written in (english, german, swiss):
        np.testing.assert_array_equal(check_target(written, task="regression").values, numbers)


def test_two_numbers_in_several_spellings_are_two_classes():
    target = check_target(["1", "0", "1.0", "0"])
    assert target.task == "binary"
    assert target.values.tolist() == [1, 0, 1, 0]
    assert target.classes.tolist() == [0, 1]


@pytest.mark.parametrize(
    "y",
    [
        [20200105, 20209999, 20191231],
        [15_000_000, 20_000_000, 18_500_000],
    ],
)
def test_numbers_that_are_no_days_stay_numbers(y):
    assert check_target(y).values.tolist() == y


@pytest.mark.parametrize(
    "y",
    [
        ["ICD 10", "ICD 11", "ICD 12"],
        ["1B", "2B", "SS"],
        ["(a)", "(b)", "(1)", "(2)"],
        ["5 stars", "4 stars", "3 stars"],
        ["Week 5 of 2020", "Week 6 of 2020", "Week 7 of 2020"],
        ["may", "june", "july"],
    ],
)
def test_names_with_numbers_stay_classes(y):
    assert check_target(y).classes.tolist() == sorted(y)


def test_masked_values_are_missing():
    with pytest.raises(ValueError, match="row 1 is masked"):
        check_target(np.ma.array([1.0, -999.0, 3.0], mask=[0, 1, 0]))
    with pytest.raises(ValueError, match="too large for float64"):
        check_target([10**400, 1, 2])


def test_points_that_may_stand_between_thousands_are_said():
    (note,) = check_target(["1.204", "2.500", "950"]).notes
    assert "decimal points ('1.204' is 1.204), each before three digits as between thousands" in note
    assert check_target(["0.204", "2.5", "950"]).notes == ()
