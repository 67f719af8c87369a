"""Neurons as lines of text."""

from functools import partial

import wcwidth

from sklearn_sae.report._excerpt import marked
from sklearn_sae.report._items import SIDES

_LEAST = 40  # characters of a line
_MARKS = {"sentence": ("<<", ">>"), "word": ("*", "*")}  # around what is marked


def text_of(view, width):
    """Return a `NeuronView` as text, no line of which is wider than `width`, unless that is less than 40."""
    width = max(width, _LEAST)
    legend = [f"{kind.join(_MARKS[kind])}: {view.meaning[kind]}" for kind in view.marked]
    head = _wrap(f"{'; '.join([view.what, *legend])}.", width)
    return "\n\n".join("\n".join(lines) for lines in [head, *(_lines(neuron, width) for neuron in view.neurons)])


def _lines(neuron, width):
    title = f"[{neuron.column}] {neuron.short or neuron.name}"
    lines = [*_wrap(title, width, rest="    ")]
    if neuron.short:
        lines += _wrap(neuron.name, width, "    ")
    lines += _wrap(" · ".join(neuron.facts), width, "    ")
    for name, rows in neuron.groups.items():
        lines.append(f"  {name}")
        for shown in rows:
            lines += _row_lines(shown, width)
    return lines


def _row_lines(shown, width):
    """Return a text after its facts; of a pair, each text on lines of its own."""
    texts = [f"{marked(one, _MARKS)} {one.length}".strip() for one in shown.excerpts]
    if len(texts) == 1:
        return _wrap(f"{shown.head}: {texts[0]}", width, "    - ", "      ")
    lines = _wrap(f"{shown.head}:", width, "    - ", "      ")
    for place, text in zip(SIDES[-len(texts) :], texts, strict=True):
        lines += _wrap(f"{place}: {text}", width, "      ", "        ")
    return lines


def _wrap(text, width, first="", rest=None):
    """Return the lines of a text, the first after `first` and the others after `rest`."""
    rest = first if rest is None else rest
    wrap = partial(wcwidth.wrap, break_on_hyphens=False)
    return wrap(text, width, initial_indent=first, subsequent_indent=rest)
