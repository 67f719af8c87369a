"""A report as Markdown, in which nothing of a text is taken for Markdown or HTML."""

import re

import numpy as np

from sklearn_sae.report._effects import form_of, signed
from sklearn_sae.report._excerpt import marked
from sklearn_sae.report._items import SIDES
from sklearn_sae.utils._decimals import written
from sklearn_sae.utils._tables import pvalue

_SPECIAL = re.compile(r"([\\`*\[\]|~$]|(?<!\S)#)")
_UNDERSCORES = re.compile(r"(?<![^\W_])(?<!_)_++|_++(?![^\W_])")  # those inside a word are shown as they are
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_TAGS = re.compile(r"&(?=#?\w+;)|<(?=[A-Za-z/!?])|(?<=[\w\"'/-])>")  # what can begin or end a tag or an entity
_LINKS = re.compile(r"(?i)(?<=[a-z])(?=://)|(?<=www)(?=\.)")
_LINE = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+]\s|[-\s]+$|\+$|>))")  # what would begin a list, a rule or a quote
_MARKS = {"sentence": ("*", "*"), "word": ("**", "**")}
_HOW = {"sentence": "in italics", "word": "in bold"}
_MOST_LABELS = 6  # subgroups that have a column each


def markdown_of(report):
    """Return a report as Markdown."""
    parts = [
        f"# {escaped(report.title)}",
        _paragraph(report.question),
        "## The answer",
        _paragraph(report.answer),
        _scores(report),
        "## The hypotheses",
        _hypotheses(report),
        _paragraph([report.level]),
        *_by(report),
        "## One by one",
        _legend(report),
        *(_in_full(one) for one in report.hypotheses),
        *(["## Predictions explained"] if report.explained else []),
        *(_explained(one) for one in report.explained),
        *(["## Notes", _list(report.notes)] if report.notes else []),
        "## How it was made",
        _paragraph([report.methods]),
        "### References",
        _list(report.references),
        f"```bibtex\n{report.bibtex}\n```",
        "### Parameters",
        _table(["parameter", "value"], report.parameters),
        "### Versions",
        _table(["package", "version"], report.versions),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def escaped(text, *, begins=False):
    r"""Return a text as Markdown that shows it as it is, in one line.

    Parameters
    ----------
    text : str
    begins : bool, default=False
        Whether it begins a line or what an item of a list says.

    Examples
    --------
    >>> print(escaped("1. <b>*Good*</b> | see www.example.org", begins=True))
    1\. &lt;b&gt;\*Good\*&lt;/b&gt; \| see www\.example.org
    """
    text = " ".join(text.split())
    text = _SPECIAL.sub(r"\\\1", text)
    text = _LINKS.sub(r"\\", _UNDERSCORES.sub(lambda some: r"\_" * len(some[0]), text))
    text = _TAGS.sub(lambda sign: _ENTITIES[sign[0]], text)
    return _LINE.sub(r"\1\\", text) if begins else text


def _paragraph(sentences):
    return escaped(" ".join(sentences), begins=True)


def _list(items):
    return "\n".join(f"- {_paragraph([one])}" for one in items)


def _table(heads, rows):
    lines = [heads, ["---"] * len(heads), *([escaped(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _scores(report):
    rows = [(one.label, "-" if np.isnan(one.value) else f"{one.value:.3f}") for one in report.scores]
    return _table(["what predicts", report.metric], rows)


def _hypotheses(report):
    effects = [effect for one in report.hypotheses for effect in one.effects]
    own, joint = (form_of([effect[side] for effect in effects]) for side in (1, 2))
    has_classes = any(effect.of for effect in effects)
    level = f"{100 * report.confidence:g}% interval"
    joint_unit = "log-odds" if report.metric == "AUC" else report.unit
    heads = ["", "hypothesis", *["class"] * has_classes, f"effect ({escaped(report.unit)})", level, "p", "significant"]
    has_seeds = any(one.back for one in report.hypotheses)
    heads += [f"beside all others ({escaped(joint_unit)})", "p", "significant", "holds for", "fidelity (F1)"]
    heads += ["comes back"] * has_seeds
    rows = []
    for one in report.hypotheses:
        for effect in one.effects:
            row = [one.number, one.short, *[effect.of] * has_classes, signed(effect.own.value, own)]
            row += [_interval(effect.own, own), pvalue(effect.own.pvalue), _yes(effect.own.significant)]
            row += [
                signed(effect.joint.value, joint),
                pvalue(effect.joint.pvalue),
                _yes(effect.joint.significant),
            ]
            row += [f"{one.n_holds:,} of {one.n_answered:,}", written(one.fidelity, ".2f")]
            rows.append([*row, *[one.back] * has_seeds])
    return _table(heads, rows)


def _by(report):
    """Return the part on subgroups or periods, if these were asked for; of many only the ends are shown."""
    by = report.by
    if by is None:
        return []
    form = form_of([part.effect for row in by.rows for part in row.parts])
    shown = list(enumerate(by.labels))
    if len(shown) > _MOST_LABELS:
        shown = [shown[0], shown[-1]] if by.are_periods else []
    has_classes = any(row.of for row in by.rows)
    heads = ["", "hypothesis", *["class"] * has_classes, *(f"effect in {escaped(label)}" for _, label in shown)]
    heads += ["lowest", "highest"] * (not shown) + ["change a period", "p"] * by.are_periods
    heads += ["p that all are the same", "differs"]
    rows = []
    for row in by.rows:
        cells = [signed(row.parts[place].effect.value, form) for place, _ in shown] or _ends(row, by, form)
        trend = [(signed(one.value, form), pvalue(one.pvalue)) for one in row.trends[:1]]
        cells += [*(cell for pair in trend for cell in pair), pvalue(row.pvalue), _yes(row.differs)]
        rows.append([row.number, row.short, *[row.of] * has_classes, *cells])
    return [f"## By {escaped(by.name)}", _paragraph([by.said]), _table(heads, rows)]


def _ends(row, by, form):
    known = [
        (part.effect.value, label)
        for part, label in zip(row.parts, by.labels, strict=True)
        if not np.isnan(part.effect.value)
    ]
    ends = (min(known), max(known)) if known else ()
    return [f"{signed(value, form)} in {label}" for value, label in ends] or ["-", "-"]


def _interval(one, form):
    return "-" if np.isnan(one.low) else f"{signed(one.low, form)} to {signed(one.high, form)}"


def _yes(flag):
    return "yes" if flag else "no"


def _legend(report):
    if report.texts == "none":
        return ""
    what = f"Shown are {report.noun} " + ("in full" if report.texts == "all" else "in part")
    return "; ".join([what, *(f"{_HOW[kind]}: {escaped(meaning)}" for kind, meaning in report.marks.items())]) + "."


def _in_full(one):
    lines = [f"### {one.number}. {escaped(one.short)}"]
    if one.name != one.short:
        lines.append(_paragraph([one.name]))
    lines += [_paragraph(effect.sentence for effect in one.effects), _paragraph(one.facts)]
    for kind, examples in one.examples.items():
        lines.append("\n".join([f"**{escaped(kind)}**", "", *(_example(example) for example in examples)]))
    return "\n\n".join(lines)


def _explained(one):
    parts = "\n".join(f"- {adds}: {number}\\. {escaped(short)}" for adds, number, short in one.parts)
    text = _example(one.example) if one.example.excerpts else f"Row {one.example.row}."
    return "\n\n".join(filter(None, [f"### {one.title}", _paragraph([one.said]), parts, text]))


def _example(example):
    n = len(example.excerpts)
    sides = ("",) if n == 1 else [f"{side}: " for side in SIDES[-n:]]
    texts = " / ".join(
        f"{side}{marked(part, _MARKS, _piece)} {part.length}".rstrip()
        for side, part in zip(sides, example.excerpts, strict=True)
    )
    return f"- row {example.row} ({escaped(example.target)}): {texts}"


def _piece(text):
    """Return a piece of a text escaped, with the blanks at its ends."""
    inner = text.strip()
    before = text[: len(text) - len(text.lstrip())]
    return before + escaped(inner) + text[len(before) + len(inner) :] if inner else text
