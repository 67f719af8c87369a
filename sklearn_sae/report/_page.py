"""A report as one page of HTML that needs nothing but itself."""

from base64 import b64encode
from hashlib import sha256

from markupsafe import Markup

from sklearn_sae.report._bars import bars_of
from sklearn_sae.report._effects import form_of
from sklearn_sae.report._forest import MOST_CLASSES, forests_of, has_classes, strength
from sklearn_sae.report._matrix import MOST_IN_MATRIX, matrix_of, strongest_pairs
from sklearn_sae.report._strips import forest_by, strips_by
from sklearn_sae.report._templates import environment, source

_MOST_OPEN_IN_PRINT = 60  # hypotheses; the texts of more would be a book


def page_of(report):
    """Return a `Report` as a page of HTML; every text in it is escaped, and nothing is loaded.

    Parameters
    ----------
    report : Report

    Returns
    -------
    page : str
    """
    style, script = (source(name) for name in ("style.css", "script.js"))
    n_classes = len(report.hypotheses[0].effects)
    shows_classes = 1 < n_classes <= MOST_CLASSES
    effects = [effect for one in report.hypotheses for effect in one.effects]
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
            bars=bars_of(report.scores),
            forests=forests_of(report),
            forest_by=None if report.by is None else forest_by(report),
            strips_by=None if report.by is None else strips_by(report),
            forms={kind: form_of([getattr(effect, kind) for effect in effects]) for kind in ("own", "joint")},
            has_classes=has_classes(report),
            shows_classes=shows_classes,
            n_columns=3 + (n_classes if shows_classes else 4 if n_classes == 1 else 5),
            strongest=lambda one: max(one.effects, key=lambda effect: strength(effect.own)),
            holds_in="Differs in" if report.noun == "pairs" else "Holds in",
            parameters=[[one for one in report.parameters if ("__" in one[0]) == deep] for deep in (False, True)],
            matrix=matrix_of(report),
            most_in_matrix=MOST_IN_MATRIX,
            pairs=strongest_pairs(report),
            opens_in_print=len(report.hypotheses) <= _MOST_OPEN_IN_PRINT,
        )
    )


def _policy(style, script):
    """Return the policy under which a browser loads nothing, and runs this style and this script alone."""
    of_style, of_script = (b64encode(sha256(text.encode()).digest()).decode() for text in (style, script))
    return (
        f"default-src 'none'; style-src 'sha256-{of_style}'; script-src 'sha256-{of_script}'; base-uri 'none'; "
        "form-action 'none'"
    )
