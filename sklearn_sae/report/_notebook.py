"""Results as HTML that stands in a notebook: small, in the colours of the page around, without scripts."""

from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from sklearn_sae._text_pairs import annotator_of
from sklearn_sae.evaluation._more_lines import unit_of
from sklearn_sae.report._excerpt import plain
from sklearn_sae.report._explanation import parts_of, rest_of
from sklearn_sae.report._report_of import notes_without_texts
from sklearn_sae.report._templates import environment, source
from sklearn_sae.utils._decimals import number_form, written
from sklearn_sae.utils._tables import numbers, percent, pvalue

_LEGEND = (
    "separation: {}, with its interval; * significant. coef: the same beside all other hypotheses{}; + significant."
)


class Part(NamedTuple):
    """A table with lines of text before it, behind its title if it has one."""

    lines: tuple[str, ...] = ()
    columns: tuple[tuple[str, list[str]], ...] = ()  # headings and cells; a cell may have several lines
    title: str = ""


def evaluation_html(evaluation):
    """Return a `HypothesisEvaluation` as HTML."""
    notes = Part(tuple(f"Note: {note}" for note in evaluation.notes))
    return _html([Part(tuple(evaluation.summary().splitlines())), *_tests(evaluation.table, evaluation), notes])


def discovery_html(discovery):
    """Return a `Discovery` as HTML, without any text of the corpus but the names of hypotheses."""
    from sklearn_sae._discovery import labelled_scores

    evaluation, annotator = discovery.evaluation, annotator_of(discovery.pipeline)
    metric, scores = labelled_scores(discovery)
    values = [written(score, ".3f") for score in scores.values()]
    notes = notes_without_texts(discovery.notes, annotator)
    return _html(
        [
            Part(tuple(discovery.description.splitlines())),
            *_tests(discovery.table, evaluation),
            Part(columns=((f"held-out {metric.upper().replace('R2', 'R²')}", values), ("of", list(scores)))),
            Part(tuple(evaluation.summary().splitlines()[:1])),
            Part(tuple(f"Note: {note}" for note in notes)),
        ]
    )


def annotator_html(annotator):
    """Return the hypotheses of a fitted annotator as HTML."""
    table = annotator.hypotheses_
    columns = [("neuron", [str(neuron) for neuron in table["neuron"]])] * bool(table["neuron"].notna().all())
    columns.append(("hypothesis", table["interpretation"].tolist()))
    for head, name in (("selected by", "selection_score"), ("fidelity", "fidelity_f1")):
        if table[name].notna().any():
            columns.append((head, [written(value, ".2f") for value in table[name]]))
    if table["density"].notna().any():
        columns.append(("active in", [percent(share) for share in table["density"]]))
    return _html([Part(columns=tuple(columns))])


def explanation_html(explanation):
    """Return an `Explanation` as HTML."""
    parts = parts_of(explanation)
    cells = [adds.strip() for adds, _, _ in parts], [f"{name}\n{evidence}".strip() for _, name, evidence in parts]
    columns = (("adds", cells[0]), ("hypothesis", cells[1]))
    return _html([Part((explanation.summary(),), columns), Part(tuple(rest_of(explanation)))])


def neurons_html(view):
    """Return a `NeuronView` as HTML."""
    return environment().get_template("neurons.html.jinja").render(view=view, style=_style())


def _html(parts):
    return environment().get_template("notebook.html.jinja").render(parts=parts, style=_style())


def _style():
    return Markup(source("notebook.css"))


def _tests(table, evaluation):
    """Return the parts that show tests: of several classes a table of all, and all numbers behind each class."""
    what = {
        "regression": ("mean target where the hypothesis holds, minus where it does not", ""),
        "binary": (
            "points of percentage of the positive class where it holds, minus where it does not",
            ", in log-odds",
        ),
        "multiclass": ("points of percentage of the class where it holds, minus where it does not", ", in log-odds"),
    }[evaluation.task]
    legend = Part((_LEGEND.format(*what),))
    if evaluation.task != "multiclass":
        return [Part(columns=_in_full(table, evaluation)), legend]
    classes = table.groupby("class", sort=False)
    return [
        Part(columns=_overview(table, evaluation)),
        legend,
        *(Part((), _in_full(block, evaluation), f"{label} against the rest") for label, block in classes),
    ]


def _in_full(table, evaluation):
    """Return the columns of one table of tests."""
    separations = _separations(table, evaluation)
    level = f"{100 * evaluation.confidence:g}% CI"
    coefs = table["regression_coef"]
    columns = [
        ("hypothesis", table["hypothesis"].tolist()),
        ("separation", _marked(separations["score"], table["significant"], "*")),
        (f"{level} (separation)", _intervals(separations["ci_low"], separations["ci_high"])),
        ("p", [pvalue(value) for value in table["pvalue"]]),
        ("coef", _marked(numbers(coefs), table["significant_jointly"], "+")),
        (f"{level} (coef)", _intervals(*(numbers(table[f"regression_ci_{side}"]) for side in ("low", "high")))),
        ("p (coef)", [pvalue(value) for value in table["joint_pvalue"]]),
        ("effect size", numbers(table["effect_size"])),
        ("holds", [percent(share) for share in table["prevalence"]]),
    ]
    if "fidelity_f1" in table:
        columns.append(("fidelity", [written(value, ".2f") for value in table["fidelity_f1"]]))
    return tuple(columns)


def _overview(table, evaluation):
    """Return a row a hypothesis and a column a class: its separation, and its coefficient below."""
    cells = [
        f"{separation}\n{coef}"
        for separation, coef in zip(
            _marked(_separations(table, evaluation)["score"], table["significant"], "*"),
            _marked(numbers(table["regression_coef"]), table["significant_jointly"], "+"),
            strict=True,
        )
    ]
    codes, classes = pd.factorize(table["class"])
    again = table.groupby([codes, "hypothesis"]).cumcount()  # tells hypotheses of one name apart
    row = table.groupby(["hypothesis", again], sort=False).ngroup().to_numpy()
    wide = pd.DataFrame({"row": row, "class": codes, "cell": cells}).pivot(index="row", columns="class", values="cell")
    first = table.loc[~pd.Series(row, index=table.index).duplicated()]
    return (
        ("hypothesis", first["hypothesis"].tolist()),
        *((plain(str(label)), wide[code].tolist()) for code, label in enumerate(classes)),
        ("holds", [percent(share, 0) for share in first["prevalence"]]),
    )


def _separations(table, evaluation):
    """Return separations and the ends of their intervals as str, shares in points of percentage."""
    unit = unit_of(evaluation.task)
    values = {name: unit * table[f"separation_{name}"] for name in ("score", "ci_low", "ci_high")}
    form = f"+{number_form(values['score'], (values['ci_high'] - values['ci_low']) / 2)}"
    return {name: [written(value, form) for value in column] for name, column in values.items()}


def _marked(cells, found, mark):
    return [f"{cell}{mark if one else ''}" for cell, one in zip(cells, found, strict=True)]


def _intervals(lows, highs):
    return [
        "-" if low == "-" else f"{low} to {high}".replace(" ", "\u00a0") for low, high in zip(lows, highs, strict=True)
    ]
