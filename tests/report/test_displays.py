"""What all displays have in common."""

import inspect
import sys

import numpy as np
import pytest

from sklearn_sae import report

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402

rng = np.random.default_rng(0)
EFFECTS = np.linspace(-1, 1, 6)[:, None] + [0, -0.3, 0.2]
NAMES = [f"costs ${i}, says x_{i}^2" for i in range(6)]
EXAMPLES = {
    report.HypothesisDisplay: {"hypotheses": NAMES, "own": EFFECTS, "joint": 0.5 * EFFECTS, "target_name": "y_$1$"},
    report.SizeSearchDisplay: {
        "n_components": [8, 8, 16, 16],
        "k": [2, 4, 2, 4],
        "scores": rng.random((4, 3)),
        "best": 1,
    },
    report.TrainingHistoryDisplay: {
        "epochs": np.arange(1, 6),
        "train_loss": 1 / np.arange(1, 6),
        "validation_loss": 1.1 / np.arange(1, 6),
        "dead_fraction": np.linspace(0.2, 0, 5),
    },
    report.NeuronDisplay: {
        "activations": np.maximum(rng.normal(size=50), 0),
        "examples": [0, 1, 2],
        "texts": ["It cost $5 or $6.", "x_1^2", "A text. " * 30],
        "name": "mentions $x$",
    },
    report.NeuronMapDisplay: {"positions": rng.normal(size=(6, 2)), "names": NAMES, "effects": EFFECTS[:, 0]},
    report.SubgroupDisplay: {
        "hypotheses": NAMES,
        "subgroups": ["costs $5", "x_1^2", "none"],
        "effect": np.stack([EFFECTS, EFFECTS + 0.2, np.full_like(EFFECTS, np.nan)], axis=1),
        "significant": np.tile([True, False, False], (6, 1)),
        "unit": "difference of y_$1$",
    },
    report.PredictionPathDisplay: {
        "n_hypotheses": [1, 2, 5],
        "scores": rng.random((3, 4)),
        "word_scores": rng.random((3, 4)),
        "score_name": "R²",
        "reference": 0.8,
        "reference_name": "an $embedding_1$",
    },
}
ALL = list(EXAMPLES)


@pytest.fixture(autouse=True)
def _nothing_is_shown_or_set(monkeypatch):
    monkeypatch.setattr(pyplot, "show", lambda *args, **options: pytest.fail("a display must not show itself"))
    before = matplotlib.rcParams.copy()
    yield
    assert matplotlib.rcParams == before
    pyplot.close("all")


def test_every_display_is_tested_here():
    public = {getattr(report, name) for name in report.__all__ if name.endswith("Display")}
    assert public == set(ALL)


@pytest.mark.parametrize("cls", ALL)
def test_the_constructor_stores_what_it_gets(cls):
    display = cls(**EXAMPLES[cls])
    for name, parameter in inspect.signature(cls).parameters.items():
        assert parameter.kind == inspect.Parameter.KEYWORD_ONLY
        assert getattr(display, name) is EXAMPLES[cls].get(name, parameter.default)
    assert not [name for name in vars(display) if name.endswith("_")]


@pytest.mark.parametrize("cls", ALL)
def test_it_draws_on_new_axes_each_time(cls, keep):
    display = cls(**EXAMPLES[cls])
    before = dict(vars(display))
    assert display.plot() is display
    first = display.figure_
    assert display.ax_.figure is first
    display.plot()
    assert display.figure_ is not first
    assert all(getattr(display, name) is value for name, value in before.items())
    keep(display.figure_)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_it_draws_on_given_axes(cls, layout, keep):
    figure, (ax, other) = pyplot.subplots(1, 2, figsize=(14, 5), layout=layout)
    n_figures = len(pyplot.get_fignums())
    display = cls(**EXAMPLES[cls]).plot(ax=ax)
    assert display.figure_ is figure
    assert display.ax_ is ax or display.ax_.get_subplotspec().get_topmost_subplotspec() == ax.get_subplotspec()
    assert len(pyplot.get_fignums()) == n_figures
    assert not other.has_data()
    keep(figure)


@pytest.mark.parametrize("cls", ALL)
def test_its_words_are_no_formulas(cls):
    figure = cls(**EXAMPLES[cls]).plot().figure_
    figure.canvas.draw()
    texts = [text for text in figure.findobj(matplotlib.text.Text) if set("$_^") & set(text.get_text())]
    assert not any(text.get_parse_math() or text.get_usetex() for text in texts)
    if cls not in (report.SizeSearchDisplay, report.TrainingHistoryDisplay):  # these have no names
        assert texts


@pytest.mark.parametrize("cls", ALL)
def test_the_docstring_has_every_parameter_and_attribute(cls):
    doc = pytest.importorskip("numpydoc.docscrape").ClassDoc(cls)
    assert {name for p in doc["Parameters"] for name in p.name.split(", ")} == set(inspect.signature(cls).parameters)
    display = cls(**EXAMPLES[cls]).plot()
    attributes = {name for name in vars(display) if name.endswith("_") and not name.startswith("_")}
    assert {name for attribute in doc["Attributes"] for name in attribute.name.split(", ")} == attributes - {"class_"}


@pytest.mark.parametrize("cls", ALL)
def test_without_matplotlib_it_says_what_to_install(cls, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"matplotlib.*sklearn-sae\[plot\]"):
        cls(**EXAMPLES[cls]).plot()
