"""Neurons as they are shown: in a terminal as text, in a notebook as HTML."""

from dataclasses import dataclass
from typing import NamedTuple

from sklearn_sae.report._as_text import text_of
from sklearn_sae.utils._tables import terminal_width


class Shown(NamedTuple):
    """A row that is shown of a neuron."""

    row: int
    activation: float
    target: str  # its value of the target with the name, or ""
    excerpts: tuple  # of Excerpt: one, or the two texts of a pair, after its prompt if there is one

    @property
    def head(self):
        """What stands before the text."""
        return f"row {self.row}" + (f", {self.target}" if self.target else "")


class Neuron(NamedTuple):
    """What is shown of a neuron."""

    column: int
    feature: str
    name: str
    short: str  # "" where the name is as short
    facts: tuple  # of str: the share of texts, the effect, how well the name agrees
    groups: dict  # of str to list of Shown


@dataclass(frozen=True, eq=False, repr=False)
class NeuronView:
    """Neurons with texts that show what they are about, as `show_neurons` returns them.

    It prints as text as wide as the terminal, at most 120 columns (100 where there is none), and shows as HTML in a
    notebook.

    Parameters
    ----------
    neurons : list of Neuron
        In the order in which they are shown.
    what : str
        How many neurons are shown, on how many texts.
    meaning : dict of str to str
        What it means if a "sentence" or a "word" is marked.
    """

    neurons: list
    what: str
    meaning: dict

    @property
    def marked(self):
        """Those of "sentence" and "word" that are marked anywhere."""
        rows = (row for neuron in self.neurons for some in neuron.groups.values() for row in some)
        parts = [part for row in rows for one in row.excerpts for parts in one.stretches for part in parts]
        is_marked = {"sentence": any(part.in_sentence for part in parts), "word": any(part.is_word for part in parts)}
        return [kind for kind, there in is_marked.items() if there]

    def __repr__(self):
        return text_of(self, terminal_width())

    def _repr_html_(self):
        from sklearn_sae.report._notebook import neurons_html

        return neurons_html(self)
