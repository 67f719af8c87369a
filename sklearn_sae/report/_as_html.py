"""Neurons as HTML that needs nothing but itself, for a notebook."""

from html import escape

from sklearn_sae.report._excerpt import marked

# Colours are those of the page around, light or dark; marks are seen on both, and without colour too.
_STYLE = """
.sklearn-sae-neurons { line-height: 1.45; max-width: 80rem; overflow-wrap: anywhere; }
.sklearn-sae-neurons p { margin: 0.3em 0; }
.sklearn-sae-neurons details { border-top: 1px solid rgba(128, 128, 128, 0.5); padding: 0.5em 0; }
.sklearn-sae-neurons summary { cursor: pointer; }
.sklearn-sae-neurons .name { font-weight: 600; }
.sklearn-sae-neurons .facts, .sklearn-sae-neurons .head { font-size: 0.88em; opacity: 0.85; }
.sklearn-sae-neurons .groups { display: grid; gap: 0 1.5em;
  grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
.sklearn-sae-neurons h4 { font-size: 0.95em; font-weight: 600; margin: 0.7em 0 0.2em; }
.sklearn-sae-neurons ol { list-style: none; margin: 0; padding: 0; }
.sklearn-sae-neurons li { margin: 0 0 0.7em; }
.sklearn-sae-neurons .text { display: block; text-align: start; }
.sklearn-sae-neurons mark { background: rgba(255, 170, 0, 0.28); color: inherit; border-radius: 0.2em; }
.sklearn-sae-neurons b { font-weight: 700; text-decoration: underline; text-underline-offset: 0.15em; }
"""
_MARKS = {"sentence": ("<mark>", "</mark>"), "word": ("<b>", "</b>")}
_SIDE = '<span class="head">{}: </span>'


def html_of(view):
    """Return a `NeuronView` as HTML; every text in it is escaped."""
    legend = [f"{kind.join(_MARKS[kind])}: {escape(view.meaning[kind])}" for kind in view.marked]
    head = f"<p>{'; '.join([escape(view.what), *legend])}.</p>"
    neurons = "".join(map(_neuron, view.neurons))
    return f'<div class="sklearn-sae-neurons"><style>{_STYLE}</style>{head}{neurons}</div>'


def _neuron(neuron):
    title = f'<span class="name">{escape(neuron.short or neuron.name)}</span>'
    name = f"<p>{escape(neuron.name)}</p>" if neuron.short else ""
    facts = f'<p class="facts">{escape(" · ".join(neuron.facts))}</p>'
    groups = "".join(
        f"<section><h4>{escape(kind)}</h4><ol>{''.join(map(_row, rows))}</ol></section>"
        for kind, rows in neuron.groups.items()
    )
    return (
        f"<details open><summary>[{neuron.column}] {title}</summary>{name}{facts}"
        f'<div class="groups">{groups}</div></details>'
    )


def _row(shown):
    sides = ("",) if len(shown.excerpts) == 1 else map(_SIDE.format, ("first", "second"))
    texts = "".join(
        f'<span class="text">{side}<bdi dir="auto">{marked(one, _MARKS, escape)}</bdi>{_length(one)}</span>'
        for side, one in zip(sides, shown.excerpts, strict=True)
    )
    return f'<li><span class="head">{escape(shown.head)}</span>{texts}</li>'


def _length(one):
    return one.length and f' <span class="head">{one.length}</span>'
