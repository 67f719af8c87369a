"""Pictures: where tests keep them, and whether their texts overlap; and reports made by hand."""

import importlib.util
import os
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

_SPEC = importlib.util.spec_from_file_location("reports", Path(__file__).with_name("reports.py"))
_REPORTS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_REPORTS)

# Names of which each is hard to draw in its own way, and which together are as many as a picture has.
HARD_NAMES = [
    "costs $5 to $10, as x_1^2 and \\frac{1}{2} say",
    "中文名字很长" * 12,
    "الحساء بارد جدا والخدمة بطيئة للغاية في هذا المكان",
    "寒い 😀👩‍👩‍👧 スープ, emoji and all",
    "a" * 150,
    "<script>alert(1)</script> & \"quoted\" 'single'",
    "controls \x00 \x1b[31m and \u202e turned around",
    *(
        f"mentions the staff, the kitchen, the tables, the bill and whatever else there is, number {i}"
        for i in range(33)
    ),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder that `SKLEARN_SAE_PICTURES` names, or one of pytest's."""
    named = os.environ.get("SKLEARN_SAE_PICTURES")
    if not named:
        return tmp_path_factory.mktemp("pictures")
    Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named)


@pytest.fixture
def keep(folder, request):
    """Draw and keep a picture under the name of the test."""
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    def save(figure, name=""):
        file = re.sub(r"\W+", "_", f"{request.node.name} {name}").strip("_")
        figure.savefig(folder / f"{file}.png")
        return figure

    yield save
    pyplot.close("all")


def texts_of(figure):
    """Return all texts that are drawn, with the box of each in pixels."""
    from matplotlib.text import Text

    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    of_ticks = {label for axis in axes for label in [*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)]}
    of_ticks |= {label for axis in axes for tick in axis.majorTicks for label in (tick.label1, tick.label2)}
    drawn = {
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis._update_ticks()  # those within the limits
        for label in (tick.label1, tick.label2)
        if ax.axison
    }
    renderer = figure.canvas.get_renderer()
    return [
        (text, Text.get_window_extent(text, renderer))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and (text in drawn or text not in of_ticks)
    ]


def assert_nothing_overlaps(figure, *, is_inside=True):
    """Fail if two texts overlap, a text is beyond the figure, or a name of a row is within the axes."""
    figure.canvas.draw()
    texts = texts_of(figure)
    assert len(texts) > 1
    for (one, box), (other, its_box) in combinations(texts, 2):
        overlap = np.minimum(box.max, its_box.max) - np.maximum(box.min, its_box.min)
        assert not (overlap > 1.0).all(), f"{one.get_text()!r} and {other.get_text()!r} overlap by {overlap} pixels"
    for text, box in texts:
        if is_inside:
            within = (box.min >= -1).all() and (box.max <= np.array(figure.bbox.size) + 1).all()
            assert within, f"{text.get_text()!r} is beyond the figure"
        for ax in figure.axes:
            frame = ax.get_window_extent()
            overlap = np.minimum(box.max, frame.max) - np.maximum(box.min, frame.min)
            if text in ax.get_yticklabels():
                assert not (overlap > 1.0).all(), f"{text.get_text()!r} is within the axes"


def texts_on(ax):
    """Return what is written beside the rows of axes."""
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.fixture(scope="session")
def make_report():
    """The function that makes a `Report` by hand (see reports.py)."""
    return _REPORTS.make_report
