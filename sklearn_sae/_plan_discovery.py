"""What `discover` is to do: its parameters after all checks, the split and the pipeline."""

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from sklearn_sae._across_seeds import other_seeds, settings_of_seeds
from sklearn_sae._beyond_controls import target_to_find_for
from sklearn_sae._check_pipeline import check_pipeline
from sklearn_sae._describe import describe
from sklearn_sae._discovery_rows import check_rows
from sklearn_sae._fit_once import takes_for_selection
from sklearn_sae._pipeline import annotator_for, make_hypothesis_pipeline
from sklearn_sae._residual_rounds import per_round, refuse_beside_rounds
from sklearn_sae._sample_size import n_hypotheses_for, notes_on_classes, notes_on_copies, notes_on_size
from sklearn_sae._spending import check_cost
from sklearn_sae._split import joined, split
from sklearn_sae._text_pairs import annotator_of, over_pairs, texts_of, unit_of_pairs
from sklearn_sae.utils._controls import Controls
from sklearn_sae.utils._offset import Offset, names_beyond
from sklearn_sae.utils._parquet_texts import ParquetTexts
from sklearn_sae.utils._subgroups import Subgroups, refuse_one_subgroup
from sklearn_sae.utils._targets import Target


class Plan(NamedTuple):
    """The parameters of `discover` after all checks, the split and the pipeline that will be fitted."""

    # (n_texts,) of str; of pairs (n_pairs, 2) or, with prompts first, (n_pairs, 3)
    texts: np.ndarray | ParquetTexts
    target: Target
    target_name: str | None
    train: np.ndarray  # rows to find hypotheses on
    test: np.ndarray  # rows to test them on
    clusters: np.ndarray | None  # (n_test,) of int: which rows to test on belong together
    pipeline: Pipeline  # not fitted
    n_hypotheses: int
    residual_rounds: int
    controls: Controls | None  # of all texts
    weights: np.ndarray | None  # (n_texts,)
    by: Subgroups | None  # of all texts
    offset: Offset | None  # of all texts
    found_for: np.ndarray | None  # (n_train,) what controls and offset leave of the target, if that is looked at
    alpha: float
    correction: str
    description: str  # of the target and the split, as lines
    notes: tuple  # of str
    settings: dict  # parameters that are not of the pipeline
    seeds: tuple = ()  # of int: the other ones with which hypotheses are found again


class Parts(NamedTuple):
    """Which rows find hypotheses and which test them."""

    train: np.ndarray  # rows to find hypotheses on
    test: np.ndarray  # rows to test them on
    clusters: np.ndarray | None  # (n_test,) of int: which rows to test on belong together
    n_units: int  # different texts, or groups of them, to test on
    notes: list  # of str: on texts that are copies


def plan_discovery(
    texts,
    y,
    *,
    embedder,
    reader=None,
    unit="auto",
    task="auto",
    n_components,
    k,
    n_hypotheses="auto",
    target_weight,
    naming,
    groups=None,
    controls=None,
    control_length="auto",
    sample_weight=None,
    by=None,
    offset=None,
    residual_rounds=0,
    test_size,
    alpha=0.05,
    correction="bonferroni",
    n_seeds=1,
    max_cost=None,
    random_state,
):
    """Check the parameters of `discover`, split the texts and build the pipeline; return the `Plan`."""
    others = {"groups": groups, "controls": controls, "sample_weight": sample_weight, "by": by, "offset": offset}
    rows = check_rows(texts, y, task=task, control_length=control_length, **others)
    refuse_beside_rounds(residual_rounds, _beside_rounds(rows, n_seeds))
    parts = _split(rows, test_size, random_state)
    left = {"offset": rows.offset, "name": rows.target_phrase}
    found_for, on_classes = target_to_find_for(rows.target, rows.controls, rows.weights, parts.train, **left)
    notes = _notes(rows, parts, on_classes, n_hypotheses)
    n_hypotheses = _n_hypotheses(n_hypotheses, parts.n_units, n_components)
    pipeline = make_hypothesis_pipeline(
        embedder,
        reader=reader,
        unit=unit_of_pairs(unit, naming) if rows.are_pairs else unit,
        n_components=n_components,
        k=k,
        n_hypotheses=per_round(n_hypotheses, residual_rounds, rows.target, annotator_for(naming, random_state)),
        target_weight=target_weight,
        naming=naming,
        model=LinearRegression() if rows.target.task == "regression" else "auto",
        random_state=random_state,
    )
    pipeline = _for_target(pipeline, rows, found_for)
    check_pipeline(pipeline, _read_texts(rows, parts.train))
    asked_for = {"alpha": alpha, "correction": correction, "residual_rounds": residual_rounds}
    settings = {"n_hypotheses": n_hypotheses, "naming": naming, "test_size": test_size, "random_state": random_state}
    plan = Plan(
        texts=rows.texts,
        target=rows.target,
        target_name=rows.columns["y"],
        train=parts.train,
        test=parts.test,
        clusters=parts.clusters,
        pipeline=pipeline,
        n_hypotheses=n_hypotheses,
        controls=rows.controls,
        weights=rows.weights,
        by=rows.by,
        offset=rows.offset,
        found_for=found_for,
        description=_description(rows, parts, pipeline, residual_rounds),
        notes=tuple(notes),
        settings={**_settings(rows, **settings, **asked_for), **settings_of_seeds(n_seeds, pipeline)},
        seeds=other_seeds(n_seeds, random_state),
        **asked_for,
    )
    check_cost(plan, max_cost)
    return plan


def _beside_rounds(rows, n_seeds):
    """Return by name what further rounds do not go with, and whether it is asked for."""
    return {
        "pairs of texts": rows.are_pairs,
        "texts on disk": rows.are_on_disk,
        "by": rows.by is not None,
        "n_seeds": n_seeds > 1,
    }


def _split(rows, test_size, random_state):
    """Return the `Parts`: copies and members of a group stay together, and rows of weight 0 are in neither part."""
    of_copies = rows.copies()
    units = joined(of_copies, rows.groups)
    notes = list(notes_on_copies(of_copies, rows.groups, len(np.unique(units)), noun=rows.noun))
    options = {"name": rows.target_phrase, "what": rows.what, "why": notes}
    train, test = split(units, rows.target, rows.groups is None, test_size, random_state, **options)
    if rows.weights is not None:
        train, test = (part[rows.weights[part] > 0] for part in (train, test))
    refuse_one_subgroup(rows.by, train)
    n_units = len(np.unique(units[test]))
    clusters = units[test] if rows.groups is not None or n_units < len(test) else None
    return Parts(train, test, clusters, n_units, notes)


def _n_hypotheses(n_hypotheses, n_units, n_components):
    """Return how many hypotheses are looked for."""
    if n_hypotheses != "auto":
        return n_hypotheses
    n_hypotheses = n_hypotheses_for(n_units)
    return n_hypotheses if n_components == "auto" else min(n_hypotheses, n_components)


def _notes(rows, parts, on_classes, n_hypotheses):
    """Return what is said before the work, what is on the target first."""
    notes = [note.replace("the target", "The target", 1) for note in rows.target.notes]
    notes += [*rows.notes, *on_classes]
    notes += notes_on_size(n_hypotheses, len(rows.texts), parts.n_units, rows.what, noun=rows.noun)
    notes += notes_on_classes(rows.target, parts.test, noun=rows.noun)
    return [*notes, *parts.notes]


def _for_target(pipeline, rows, found_for):
    """Return the pipeline for pairs, or for a target that may be what controls leave of another."""
    if rows.are_pairs:
        return over_pairs(pipeline, rows.target.task)
    task = rows.target.task if found_for is None else "regression"
    pipeline["hypotheses"].encoder["select"].set_params(task=task)
    return pipeline


def _read_texts(rows, train):
    """Return the texts that the encoder reads, those of pairs in turn."""
    texts = rows.texts[train]
    texts = texts_of(texts) if rows.are_pairs else texts
    return texts.tolist() if isinstance(texts, np.ndarray) else texts


def _description(rows, parts, pipeline, residual_rounds):
    """Return the target and the split in words."""
    annotator = annotator_of(pipeline)
    return describe(
        rows.target,
        rows.columns["y"],
        len(parts.train),
        len(parts.test),
        annotator.encoder,
        controls=names_beyond(rows.controls, rows.offset),
        by=rows.by,
        looks_by=takes_for_selection(annotator, "by"),
        n_rounds=1 + residual_rounds,
        noun=rows.noun,
    )


def _settings(rows, *, n_hypotheses, residual_rounds, naming, test_size, random_state, alpha, correction):
    """Return the parameters that are not of the pipeline, for a report; what was not asked for does not show."""
    columns = {name: rows.columns[name] or "given" for name in ("groups", "offset", "by")}
    return {
        "n_hypotheses": n_hypotheses,
        **({"residual_rounds": residual_rounds} if residual_rounds else {}),
        "naming": naming if isinstance(naming, str) else type(naming).__name__,
        "test_size": test_size,
        "random_state": random_state,
        "groups": "none" if rows.groups is None else columns["groups"],
        **({} if rows.offset is None else {"offset": columns["offset"]}),
        "alpha": alpha,
        "correction": correction,
        **({} if rows.by is None else {"by": columns["by"]}),
        "task": rows.target.task if not rows.target.scale else "ordinal",
        "texts": rows.columns["texts"],
    }
