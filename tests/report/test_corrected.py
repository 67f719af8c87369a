"""Pages of effects that labels of people corrected."""

import re

import numpy as np
import pandas as pd
import pytest

from sklearn_sae import agreement, correct_annotations, evaluate_hypotheses
from sklearn_sae.datasets import make_concept_texts
from sklearn_sae.report._report_of import report_of_evaluation

NAMES = ["praises the staff", "complains of a wait", "mentions parking"]


def made(pairs=False):
    rng = np.random.default_rng(0)
    truth = rng.integers(-1 if pairs else 0, 2, size=(1500, 3)).astype(float)
    stars = truth @ [1.0, -0.5, 0.0] + rng.normal(size=1500)
    wrong = rng.random(truth.shape) < 0.35 * (stars > 0.5)[:, None]
    annotations = np.where(wrong, 1.0, truth)
    drawn = rng.permutation(1500) < 300
    return annotations, np.where(drawn[:, None], truth, np.nan), drawn, stars


def targets(stars):
    return {
        "regression": pd.Series(stars, name="stars"),
        "binary": pd.Series(np.where(stars > 0.5, "good", "bad"), name="verdict"),
        "multiclass": pd.Series(pd.cut(stars, [-9, 0, 1, 9], labels=["low", "mid", "high"]), name="verdict"),
    }


@pytest.mark.parametrize("target", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("method", ["dsl", "ppi"])
def test_the_page_has_naive_beside_corrected_effects(target, method, tmp_path):
    annotations, human, drawn, stars = made()
    y = targets(stars)[target]
    corrected = correct_annotations(annotations, human, drawn, y, hypotheses=NAMES, method=method)
    naive = evaluate_hypotheses(annotations, y, hypotheses=NAMES)
    texts = make_concept_texts(1500, random_state=0).data
    report = report_of_evaluation(corrected, texts)
    factor = 1 if target == "regression" else 100
    agreed = agreement(annotations, human, drawn, hypotheses=NAMES).set_index("hypothesis")
    assert len(report.beside) == len(corrected.table)
    for one in report.beside:
        rows = []
        for table in (corrected.table, naive.table):
            of_class = table[table["class"] == one.of] if one.of else table
            rows.append(of_class[of_class["hypothesis"].str.contains(one.short)].iloc[0])
        for estimate, row in zip((one.corrected, one.naive), rows, strict=True):
            assert estimate.value == pytest.approx(factor * row["separation_score"])
            assert estimate.low == pytest.approx(factor * row["separation_ci_low"])
            assert estimate.high == pytest.approx(factor * row["separation_ci_high"])
            assert estimate.significant == row["significant"]
        kappa = agreed.loc[rows[0]["hypothesis"]]
        assert one.kappa == f"{kappa['kappa']:.2f} ({kappa['kappa_low']:.2f} to {kappa['kappa_high']:.2f})"
        assert one.n_labels == 300
    parking = next(one for one in report.hypotheses if "parking" in one.name)
    assert any(fact.startswith("The annotations alone, taken for the truth, give +") for fact in parking.facts)
    assert {"dsl": "Egami et al., 2023", "ppi": "Angelopoulos et al., 2023"}[method] in report.methods
    assert "people labelled 300, which were drawn at random" in report.methods
    assert "Welch" not in report.methods
    assert "The texts that are shown are chosen by their annotations, which may be wrong." in report.notes
    page = corrected.to_html(tmp_path / "page.html", texts=texts).read_text("utf-8")
    assert "Corrected, and by the annotations alone" in page
    # The legend is of the drawing, so that nothing stands between.
    assert page.index('class="legend"') < page.index('class="forest') < page.index("Corrected, and by the annotations")
    assert len(re.findall(r"<td>300</td>", page)) == len(corrected.table)
    assert "Corrected, and by the annotations alone" not in naive.to_html(tmp_path / "naive.html").read_text("utf-8")


def test_prevalences_are_those_that_people_would_give():
    annotations, human, drawn, stars = made()
    corrected = correct_annotations(annotations, human, drawn, stars, hypotheses=NAMES)
    for one in report_of_evaluation(corrected).hypotheses:
        row = corrected.table[corrected.table["hypothesis"] == one.name].iloc[0]
        assert one.n_holds == round(1500 * row["prevalence"])
        assert f"people would say so of about {row['prevalence']:.0%} of the texts" in one.effects[0].sentence


def test_pairs():
    annotations, human, drawn, stars = made(pairs=True)
    wins = np.where(stars > 0, "answer a", "answer b")
    corrected = correct_annotations(annotations, human, drawn, wins, hypotheses=NAMES)
    assert corrected.table["separation_score"][0] > 0.1
    report = report_of_evaluation(corrected)
    assert "it wins in" in report.hypotheses[0].effects[0].sentence
    said = re.search(r"([0-9]+) say that it holds for the first text", " ".join(report.hypotheses[0].facts))
    assert int(said[1]) == (human[:, NAMES.index(report.hypotheses[0].name)] == 1).sum()
    text = " ".join(corrected.to_text(width=80).split())
    assert "win rate above 50%" in text


@pytest.mark.parametrize("width", [80, 100])
def test_the_printed_table_has_both(width):
    annotations, human, drawn, stars = made()
    text = correct_annotations(annotations, human, drawn, stars, hypotheses=NAMES).to_text(width=width)
    assert max(map(len, text.splitlines())) <= width
    assert re.search(r"^separation +naive +holds +hypothesis$", text, re.MULTILINE)
    assert "naive: by the annotations alone." in " ".join(text.split())
