"""discover where effects differ by subgroup or period: in Python, on the command line and in reports."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_sae import KeywordHypothesisAnnotator, discover, evaluate_hypotheses
from sklearn_sae.cli import main
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.report._report_of import report_of_discovery

SMALL = {"n_components": 24, "k": 4, "n_hypotheses": 8, "random_state": 0, "test_size": 0.3}
OPTIONS = ["--n-hypotheses", "8", "-M", "24", "-K", "4", "--held-out", "0.3"]


@pytest.fixture(scope="module")
def reviews():
    """Reviews in which waits cost stars in one town and bring them in the other, and do more so every month."""
    reviews = make_concept_texts(2000, n_concepts=4, random_state=0)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"text": reviews.data, "town": rng.choice(["Trier", "Ulm"], size=2000)})
    others, waits = reviews.concepts[:, 1:].sum(axis=1), reviews.concepts[:, 0]
    table["stars"] = others + 3 * waits * np.where(table["town"] == "Ulm", 1, -1) + 0.3 * rng.normal(size=2000)
    table["later"] = others + waits * np.linspace(-3, 3, 2000) + 0.3 * rng.normal(size=2000)
    table["date"] = pd.date_range("2025-01-01", periods=2000, freq="250min").strftime("%Y-%m-%dT%H:%M")
    table["age"] = rng.integers(18, 80, size=2000)
    return table


@pytest.fixture(scope="module")
def found(reviews):
    return discover(reviews, "stars", by="town", **SMALL)


def test_what_cancels_on_the_whole_is_found_and_tested_as_by_the_evaluation(reviews, found):
    table = found.evaluation.table
    differs = table["significant_interaction"]
    assert table["hypothesis"][differs].str.contains(r"\bwaits?\b|minutes|hour").any()
    assert table["sign_turns"].any()
    plain = discover(reviews["text"], reviews["stars"], **SMALL)
    assert plain.evaluation.by is None
    assert "interaction_pvalue" not in plain.table
    assert "town" not in plain.to_text(full=True)
    test = found.test
    again = evaluate_hypotheses(
        found.pipeline["hypotheses"].transform(reviews["text"].to_numpy()[test]),
        reviews["stars"].to_numpy()[test],
        hypotheses=found.pipeline["hypotheses"].get_feature_names_out(),
        by=reviews["town"].iloc[test],
    )
    pd.testing.assert_frame_equal(again.by, found.evaluation.by)
    assert "They are also looked for where effects differ by town (2 subgroups), and tested by that." in str(found)


@pytest.mark.parametrize("width", [80, 100])
def test_the_part_by_subgroup_is_printed_in_lines_of_the_width(found, width):
    lines = found.to_text(width=width).splitlines()
    assert max(map(len, lines)) <= width
    start = next(i for i, line in enumerate(lines) if line.startswith("By town (Trier, Ulm): the effect of"))
    assert "Trier" in lines[start + 1]
    assert "Ulm" in lines[start + 1]
    n_differ = found.evaluation.metrics["n_significant_interaction"]
    assert f"the effect of {n_differ} differs" in lines[start]


def test_what_cannot_be_used_is_said_before_the_work(reviews):
    with pytest.raises(ValueError, match="by holds dates; pass periods"):
        discover(reviews, "stars", by=pd.to_datetime(reviews["date"]), **SMALL)
    for dates in ("date", [*pd.date_range("2025-01-01", periods=2000).date]):
        with pytest.raises(ValueError, match=r"by has 2,000 dates, .*: by=") as refused:
            discover(reviews, "stars", by=dates, **SMALL)
        advice = str(refused.value).partition(": by=")[2].removesuffix(".")
        periods = eval(advice, {"pandas": pd, "by": reviews["date"] if dates == "date" else dates})
        assert isinstance(periods.dtype, pd.PeriodDtype)
    with pytest.raises(ValueError, match="by names the column 'city'"):
        discover(reviews, "stars", by="city", **SMALL)
    with pytest.raises(ValueError, match="by has 62 values, too many"):
        discover(reviews, "stars", by="age", **SMALL)


def test_reports_have_a_part_by_subgroup(found, tmp_path):
    from sklearn_sae.report._write import write_report

    report = report_of_discovery(found)
    page = write_report(report, tmp_path / "a.html").read_text("utf-8")
    assert 'id="by"' in page
    assert page.count('<td class="panel">') >= 2 * 8
    told = [fact for one in report.hypotheses for fact in one.facts if fact.startswith("By town its effect differs")]
    assert len(told) >= found.evaluation.metrics["n_significant_interaction"]
    assert any(" in Trier" in fact and " in Ulm" in fact for fact in told)
    markdown = write_report(report, tmp_path / "a.md").read_text("utf-8")
    assert "## By town" in markdown
    assert "effect in Trier | effect in Ulm" in markdown
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(write_report(report, tmp_path / "a.xlsx"))["subgroups"]
    rows = list(sheet.values)
    assert len(rows) == 1 + 2 * len(report.hypotheses)
    by = found.evaluation.by
    assert sorted(row[rows[0].index("effect (stars)")] for row in rows[1:]) == pytest.approx(sorted(by["effect"]))


class Foreign(TransformerMixin, BaseEstimator):
    """An annotator that is not of this package, and selects as its encoder does."""

    def __init__(self, encoder=None):
        self.encoder = encoder

    def fit(self, X, y=None, **params):
        self.given_ = params
        self.named_ = KeywordHypothesisAnnotator(self.encoder, random_state=0).fit(X, y, **params)
        self.encoder_, self.hypotheses_ = self.named_.encoder_, self.named_.hypotheses_
        return self

    def fit_transform(self, X, y=None, **params):
        return self.fit(X, y, **params).transform(X)

    def transform(self, X):
        return self.named_.transform(X)

    def get_feature_names_out(self, input_features=None):
        return self.named_.get_feature_names_out()


class ForeignThatTakes(Foreign):
    def fit(self, X, y=None, by=None):
        return super().fit(X, y, by=by)


def test_a_foreign_annotator_is_given_the_subgroups_if_it_takes_them(reviews):
    some, options = reviews[:300], {**SMALL, "n_hypotheses": 3}
    takes = discover(some, "stars", by="town", naming=ForeignThatTakes(), **options)
    given = takes.pipeline["hypotheses"].given_["by"]
    assert given.tolist() == some["town"].iloc[takes.train].tolist()
    assert "also looked for where effects differ by town" in takes.description
    plain = discover(some, "stars", by="town", sample_weight=np.ones(300), naming=Foreign(), **options)
    assert plain.pipeline["hypotheses"].given_ == {}
    assert "looked for" not in plain.description
    assert "They are also tested by town (2 subgroups)." in plain.description
    note = "Neurons are selected without sample_weight and by, because fit of Foreign takes no such parameter."
    assert note in plain.notes


@pytest.mark.parametrize(
    ("name", "shown"), [("In which town do you live?", "In which town do you live?"), (None, "given")]
)
def test_settings_name_the_column(reviews, name, shown):
    some = reviews[:300]
    options = {"by": some["town"].rename(name), "groups": pd.Series(range(300)).rename(name), "n_hypotheses": 2}
    parameters = dict(report_of_discovery(discover(some["text"], some["stars"], **{**SMALL, **options})).parameters)
    assert (parameters["by"], parameters["groups"]) == (shown, shown)


def test_subgroups_on_the_command_line(reviews, tmp_path, capsys):
    file, out = tmp_path / "reviews.csv", tmp_path / "out.csv"
    day = pd.to_datetime(reviews["age"], unit="D").dt.strftime("%d.%m.%Y")
    reviews.assign(town=reviews["town"].where(reviews.index % 50 > 0), day=day).to_csv(file, index=False)
    command = ["discover", str(file), "--text", "text", *OPTIONS]
    assert main([*command, "--target", "stars", "--by", "town", "--output", str(out)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "By town (Trier, Ulm): the effect of" in printed
    assert "without town are left out of what is by town" in printed or "more" in printed
    assert pd.read_csv(out)["significant_interaction"].any()
    for options, message in (
        (["--by", "date"], "--by 'date' holds dates; say by which periods, such as --period month."),
        (["--by", "town", "--period", "month"], "--by 'town' holds no date in row"),
        (["--by", "age"], "--by has 62 values, too many for subgroups"),
        (["--by", "day"], "--by has 62 dates, too many for subgroups; with the year first, --period month"),
        (["--by", "stars"], "--by and --target name the same column, 'stars'"),
        (["--period", "month"], "--period is for --by"),
    ):
        assert main([*command, "--target", "stars", *options]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_periods_on_the_command_line(reviews, tmp_path, capsys):
    file, report = tmp_path / "reviews.csv", tmp_path / "report.html"
    reviews.to_csv(file, index=False)
    command = ["discover", str(file), "--text", "text", *OPTIONS, "--target", "later", "--by", "date"]
    assert main([*command, "--period", "month", "--report", str(report)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "By date (2025-01 to 2025-12): the effect of" in printed
    assert "a trend in the effect of" in printed
    page = report.read_text("utf-8")
    assert page.count('<svg class="along"') == 2 * 8
    assert ">2025-12</text>" in page
