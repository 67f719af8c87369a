"""The rows of a discovery: texts, or pairs of these, with all that is given of each, after all checks."""

from typing import NamedTuple

import numpy as np

from sklearn_sae._check_discovery import check_discovery_target, refuse_useless_groups
from sklearn_sae._sample_size import notes_on_weights
from sklearn_sae._text_pairs import BY_OF_PAIRS, NOTE_ON_LENGTH, check_winner, copies_of_pairs, with_length
from sklearn_sae.utils._controls import Controls, check_controls, check_weights
from sklearn_sae.utils._copies import copies
from sklearn_sae.utils._frames import TEXT, columns_named, is_frame, note_on_columns, without_named
from sklearn_sae.utils._many_copies import copies_of_many
from sklearn_sae.utils._notes import noted
from sklearn_sae.utils._offset import Offset, check_offset
from sklearn_sae.utils._pair_text import table_of_pairs
from sklearn_sae.utils._parquet_texts import ParquetTexts
from sklearn_sae.utils._subgroups import Subgroups, check_by
from sklearn_sae.utils._targets import Target
from sklearn_sae.utils._validation import check_alignment, check_groups, check_texts


class Rows(NamedTuple):
    """Texts, or pairs of these, and what is given of each."""

    # (n_texts,) of str; of pairs (n_pairs, 2) or, with prompts first, (n_pairs, 3)
    texts: np.ndarray | ParquetTexts
    target: Target
    groups: np.ndarray | None  # (n_texts,) of int
    controls: Controls | None
    weights: np.ndarray | None  # (n_texts,)
    by: Subgroups | None
    offset: Offset | None
    columns: dict  # from a parameter of `discover` to the name of what was given, or None
    notes: list  # of str

    @property
    def are_pairs(self):
        """Whether a row is a pair of texts."""
        return len(self.texts.shape) == 2

    @property
    def are_on_disk(self):
        """Whether the texts are not in memory."""
        return isinstance(self.texts, ParquetTexts)

    @property
    def noun(self):
        """What to call a row."""
        return "pair" if self.are_pairs else "text"

    @property
    def target_phrase(self):
        """What to call the target in an error."""
        return phrase_of_target(self.columns)

    @property
    def what(self):
        """What to call one and several of what is split: groups, or different texts."""
        if self.groups is not None:
            return f"group of {self.noun}s", f"groups of {self.noun}s"
        return f"different {self.noun}", f"different {self.noun}s"

    def copies(self):
        """Return the group of copies that each row is in, as a number."""
        if self.are_pairs:
            return copies_of_pairs(self.texts)
        return copies_of_many(self.texts) if self.are_on_disk else copies(self.texts.tolist())


def check_rows(texts, y, *, task, control_length, **others):
    """Return the `Rows`.

    Parameters
    ----------
    texts, y, task, control_length
        As `discover` takes them.
    **others
        ``groups``, ``controls``, ``sample_weight``, ``by`` and ``offset``, as `discover` takes them.
    """
    named = {"y": y, **others}
    given = dict(zip(named, columns_named(texts, **named), strict=True))
    texts = without_named(texts, named)
    columns = {name: _name_of(values) for name, values in {"texts": texts, **given}.items()}
    controls, by, notes = _check_beside(texts, given)
    notes += note_on_columns(texts)
    texts = _texts_or_pairs(texts)
    name, groups = phrase_of_target(columns), given["groups"]
    target = check_discovery_target(given["y"], task, len(texts), name)
    refuse_useless_groups(groups, texts, given["y"])
    rows = Rows(
        texts=texts,
        target=target,
        groups=check_groups(groups, len(texts)),
        controls=controls,
        weights=check_weights(given["sample_weight"], len(texts)),
        by=by,
        offset=None,
        columns=columns,
        notes=notes,
    )
    if rows.are_pairs:
        rows = _of_pairs(rows)
    rows = rows._replace(offset=check_offset(given["offset"], rows.target))
    if control_length is True or (control_length == "auto" and rows.are_pairs):
        rows = _with_length(rows)
    if rows.weights is None:
        return rows
    return rows._replace(notes=[*rows.notes, *notes_on_weights(rows.weights, noun=rows.noun)])


def phrase_of_target(columns):
    """Return what to call the target in an error."""
    return "y" if columns["y"] is None else f"the target {columns['y']!r}"


def _name_of(values):
    """Return the name of a column, or None where values have none."""
    name = getattr(values, "name", None)
    return name if isinstance(name, str) else None


def _check_beside(texts, given):
    """Return checked controls and subgroups, and notes; refuse what pandas names as rows in another order."""
    with noted() as notes:
        for name in ("y", "groups", "sample_weight", "offset"):
            check_alignment(texts, given[name], name="texts", other_name=name)
        controls = check_controls(given["controls"], len(texts), X=texts, X_name="texts")
        by = check_by(given["by"], len(texts), texts, "texts")
    return controls, by, notes


def _texts_or_pairs(texts):
    """Return checked texts as an array or as they lie on disk, or a table of pairs."""
    are_single = isinstance(texts, ParquetTexts) or (is_frame(texts) and TEXT in list(texts.columns))
    pairs = None if are_single else table_of_pairs(texts, name="texts")
    if pairs is not None:
        return pairs
    texts = check_texts(texts, name="texts")
    return texts if isinstance(texts, ParquetTexts) else np.array(texts, dtype=object)


def _of_pairs(rows):
    """Return rows whose target says which text of a pair wins."""
    if rows.by is not None:
        raise ValueError(BY_OF_PAIRS)
    return rows._replace(target=check_winner(rows.target, rows.target_phrase))


def _with_length(rows):
    """Return rows that have the length of texts, of pairs its difference, among their controls."""
    note = [NOTE_ON_LENGTH] * rows.are_pairs
    return rows._replace(controls=with_length(rows.controls, rows.texts), notes=[*rows.notes, *note])
