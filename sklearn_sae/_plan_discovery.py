"""What `discover` is to do: its parameters after all checks, the split and the pipeline."""

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from sklearn_sae._across_seeds import other_seeds, settings_of_seeds
from sklearn_sae._beyond_controls import target_to_find_for
from sklearn_sae._check_discovery import check_discovery_target, refuse_useless_groups
from sklearn_sae._check_pipeline import check_pipeline
from sklearn_sae._describe import describe
from sklearn_sae._fit_once import takes_for_selection
from sklearn_sae._pipeline import annotator_for, make_hypothesis_pipeline
from sklearn_sae._residual_rounds import per_round, refuse_beside_rounds
from sklearn_sae._sample_size import (
    n_hypotheses_for,
    notes_on_classes,
    notes_on_copies,
    notes_on_size,
    notes_on_weights,
)
from sklearn_sae._spending import check_cost
from sklearn_sae._split import joined, split
from sklearn_sae._text_pairs import (
    BY_OF_PAIRS,
    NOTE_ON_LENGTH,
    annotator_of,
    check_winner,
    copies_of_pairs,
    over_pairs,
    texts_of,
    unit_of_pairs,
    with_length,
)
from sklearn_sae.utils._controls import Controls, check_controls, check_weights
from sklearn_sae.utils._copies import copies
from sklearn_sae.utils._frames import TEXT, columns_named, is_frame, note_on_columns, without_named
from sklearn_sae.utils._many_copies import copies_of_many
from sklearn_sae.utils._notes import noted
from sklearn_sae.utils._offset import Offset, check_offset, names_beyond
from sklearn_sae.utils._pair_text import table_of_pairs
from sklearn_sae.utils._parquet_texts import ParquetTexts
from sklearn_sae.utils._subgroups import Subgroups, check_by, refuse_one_subgroup
from sklearn_sae.utils._targets import Target
from sklearn_sae.utils._validation import check_alignment, check_groups, check_texts


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
    named = {"y": y, **others}
    y, groups, controls, sample_weight, by, offset = columns_named(texts, **named)
    texts = without_named(texts, named)
    by_name = getattr(by, "name", None)
    with noted() as on_rows:
        check_alignment(texts, y, name="texts")
        check_alignment(texts, groups, name="texts", other_name="groups")
        check_alignment(texts, sample_weight, name="texts", other_name="sample_weight")
        check_alignment(texts, offset, name="texts", other_name="offset")
        controls = check_controls(controls, len(texts), X=texts, X_name="texts")
        by = check_by(by, len(texts), texts, "texts")
    texts_name, target_name, groups_name = (getattr(some, "name", None) for some in (texts, y, groups))
    texts_name, target_name = (name if isinstance(name, str) else None for name in (texts_name, target_name))
    groups_name = "none" if groups is None else groups_name if isinstance(groups_name, str) else "given"
    are_single = isinstance(texts, ParquetTexts) or (is_frame(texts) and TEXT in list(texts.columns))
    on_rows += note_on_columns(texts)
    pairs = None if are_single else table_of_pairs(texts, name="texts")
    are_pairs, noun = (pairs is not None), ("text" if pairs is None else "pair")
    texts = pairs if are_pairs else check_texts(texts, name="texts")
    texts = texts if isinstance(texts, ParquetTexts) else np.array(texts, dtype=object)
    name = "y" if target_name is None else f"the target {target_name!r}"
    target = check_discovery_target(y, task, len(texts), name)
    refuse_useless_groups(groups, texts, y)
    groups = check_groups(groups, len(texts))
    beside = {"pairs of texts": are_pairs, "texts on disk": isinstance(texts, ParquetTexts), "by": by is not None}
    refuse_beside_rounds(residual_rounds, beside | {"n_seeds": n_seeds > 1})
    if are_pairs and by is not None:
        raise ValueError(BY_OF_PAIRS)
    if are_pairs:
        target, of_copies = check_winner(target, name), copies_of_pairs(pairs)
    else:
        of_copies = copies_of_many(texts) if isinstance(texts, ParquetTexts) else copies(texts.tolist())
    units = joined(of_copies, groups)
    what = (f"different {noun}", f"different {noun}s")
    what = what if groups is None else (f"group of {noun}s", f"groups of {noun}s")
    on_copies = list(notes_on_copies(of_copies, groups, len(np.unique(units)), noun=noun))
    if control_length is True or (control_length == "auto" and are_pairs):
        controls = with_length(controls, texts)
        on_rows += [NOTE_ON_LENGTH] * are_pairs
    options = {"name": name, "what": what, "why": on_copies}
    train, test = split(units, target, groups is None, test_size, random_state, **options)
    weights = check_weights(sample_weight, len(texts))
    if weights is not None:
        train, test = (rows[weights[rows] > 0] for rows in (train, test))
        on_rows += notes_on_weights(weights)
    refuse_one_subgroup(by, train)
    offset = check_offset(offset, target)
    found_for, on_classes = target_to_find_for(target, controls, weights, train, offset=offset, name=name)
    on_rows += on_classes
    n_units = len(np.unique(units[test]))
    notes = [note.replace("the target", "The target", 1) for note in target.notes]
    notes += [*on_rows, *notes_on_size(n_hypotheses, len(texts), n_units, what, noun=noun)]
    notes += notes_on_classes(target, test, noun=noun)
    notes += on_copies
    if n_hypotheses == "auto":
        n_hypotheses = n_hypotheses_for(n_units)
        n_hypotheses = n_hypotheses if n_components == "auto" else min(n_hypotheses, n_components)
    is_regression = target.task == "regression"
    pipeline = make_hypothesis_pipeline(
        embedder,
        reader=reader,
        unit=unit_of_pairs(unit, naming) if are_pairs else unit,
        n_components=n_components,
        k=k,
        n_hypotheses=per_round(n_hypotheses, residual_rounds, target, annotator_for(naming, random_state)),
        target_weight=target_weight,
        naming=naming,
        model=LinearRegression() if is_regression else "auto",
        random_state=random_state,
    )
    if are_pairs:
        pipeline = over_pairs(pipeline, target.task)
    else:
        pipeline["hypotheses"].encoder["select"].set_params(task=target.task if found_for is None else "regression")
    of_train = texts_of(texts[train]) if are_pairs else texts[train]
    check_pipeline(pipeline, of_train.tolist() if isinstance(of_train, np.ndarray) else of_train)
    plan = Plan(
        texts=texts,
        target=target,
        target_name=target_name,
        train=train,
        test=test,
        clusters=units[test] if groups is not None or n_units < len(test) else None,
        pipeline=pipeline,
        n_hypotheses=n_hypotheses,
        residual_rounds=residual_rounds,
        controls=controls,
        weights=weights,
        by=by,
        offset=offset,
        found_for=found_for,
        alpha=alpha,
        correction=correction,
        description=describe(
            target,
            target_name,
            len(train),
            len(test),
            annotator_of(pipeline).encoder,
            controls=names_beyond(controls, offset),
            by=by,
            looks_by=takes_for_selection(annotator_of(pipeline), "by"),
            n_rounds=1 + residual_rounds,
            noun=noun,
        ),
        notes=tuple(notes),
        settings={
            "n_hypotheses": n_hypotheses,
            **({"residual_rounds": residual_rounds} if residual_rounds else {}),
            "naming": naming if isinstance(naming, str) else type(naming).__name__,
            "test_size": test_size,
            "random_state": random_state,
            "groups": groups_name,
            **({} if offset is None else {"offset": offset.name or "given"}),
            "alpha": alpha,
            "correction": correction,
            **({} if by is None else {"by": by_name if isinstance(by_name, str) else "given"}),
            "task": target.task if not target.scale else "ordinal",
            "texts": texts_name,
            **settings_of_seeds(n_seeds, pipeline),
        },
        seeds=other_seeds(n_seeds, random_state),
    )
    check_cost(plan, max_cost)
    return plan
