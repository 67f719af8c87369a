"""The work of `discover`: hypotheses are found on some of the texts and tested on the others."""

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression

from sklearn_sae._across_seeds import across_seeds
from sklearn_sae._baselines import WordPresence, n_words_in, predictions, ridge_score, score
from sklearn_sae._discovery import Discovery
from sklearn_sae._fit_once import fit_model, fit_once, leave_out_near_copies
from sklearn_sae._offset_scores import scores_with_offset
from sklearn_sae._residual_rounds import further_rounds, of_round
from sklearn_sae._text_pairs import annotator_of, embedded_pairs, is_of_pairs
from sklearn_sae.evaluation._evaluate import evaluate
from sklearn_sae.utils._in_batches import transform_in_batches
from sklearn_sae.utils._notes import noted
from sklearn_sae.utils._parquet_texts import ParquetTexts, sample_rows
from sklearn_sae.utils._targets import as_given
from sklearn_sae.utils._words import forget


def carry_out(plan):
    """Find hypotheses on some of the texts and test them on the others; return the `Discovery`."""
    texts, target, train, test, pipeline = plan.texts, plan.target, plan.train, plan.test, plan.pipeline
    of_train, held_out = (target._replace(values=target.values[rows]) for rows in (train, test))
    weights = (None, None) if plan.weights is None else (plan.weights[train], plan.weights[test])
    with noted() as said:
        by = None if plan.by is None else plan.by.take(train).of_rows()
        options = {"found_for": plan.found_for, "sample_weight": weights[0], "by": by}
        embedded, annotations_of_train = fit_once(pipeline, texts[train], as_given(of_train), **options)
        annotations_of_train = leave_out_near_copies(pipeline, annotations_of_train, as_given(of_train), weights[0])
        annotator, are_pairs = annotator_of(pipeline), is_of_pairs(pipeline)
        if plan.residual_rounds:
            annotations_of_train = further_rounds(
                annotator,
                texts[train],
                of_train.values.astype(np.float64) if plan.found_for is None else plan.found_for,
                annotations_of_train,
                n_rounds=plan.residual_rounds,
                n_hypotheses=plan.n_hypotheses,
                sample_weight=weights[0],
            )
            fit_model(pipeline, annotations_of_train, as_given(of_train), weights[0])
    with noted() as said_of_test:
        annotations = pipeline["hypotheses"].transform(texts[test])
        if are_pairs:
            embedded_test = embedded_pairs(pipeline, texts[test])
        else:
            embedded_test = transform_in_batches(annotator.encoder_[0], texts[test])
    if plan.residual_rounds:
        said[:] = [of_round(note, 1) for note in said]
    said += [f"In the texts held out: {note}" for note in said_of_test]
    names = annotator.get_feature_names_out()
    evaluation = evaluate(
        annotations,
        names.tolist(),
        held_out,
        alpha=plan.alpha,
        correction=plan.correction,
        groups=plan.clusters,
        controls=None if plan.controls is None else plan.controls.take(test),
        weights=weights[1],
        by=None if plan.by is None else plan.by.take(test),
        offset=None if plan.offset is None else plan.offset.take(test),
    )
    metric = "r2" if target.task == "regression" else "auc"
    some, of_some = slice(None), of_train
    if isinstance(texts, ParquetTexts):  # the baselines learn from as many texts as the names did
        some = sample_rows(len(train))
        of_some = of_train._replace(values=of_train.values[some])
    presence = WordPresence(texts[train][some], getattr(annotator, "tokenizer", None))
    linear = LinearRegression() if target.classes is None else LogisticRegression()
    scores = {
        "": score(held_out, predictions(pipeline[1:], annotations, target)),
        "_words": presence.score(plan.n_hypotheses, of_some, texts[test], held_out, model=linear),
        "_as_many_words": presence.score(n_words_in(names), of_some, texts[test], held_out, model=None),
        "_embedding" if "embed" in annotator.encoder.named_steps else "_neurons": ridge_score(
            embedded[some], embedded_test, of_some, held_out
        ),
    }
    if plan.offset is not None:
        offsets, both = map(plan.offset.take, (train, test)), (annotations_of_train, annotations)
        scores |= scores_with_offset(offsets, both, (of_train, held_out), weights[0])
    forget()  # the texts are the user's
    more = across_seeds(plan, annotations)
    table = evaluation.table.merge(annotator.hypotheses_.assign(hypothesis=names, **more), on="hypothesis")
    order = ["class", "separation_score"] if "class" in table else ["separation_score"]
    order = order if plan.offset is None else ["controlled_score"]
    return Discovery(
        table=table.sort_values(order, ascending=[True, False][-len(order) :], ignore_index=True),
        scores={f"{metric}{of}": value for of, value in scores.items()},
        pipeline=pipeline,
        notes=_in_order(plan.notes, said, evaluation.notes, n_first=len(target.notes)),
        evaluation=evaluation,
        train=train,
        test=test,
        target_name=plan.target_name,
        description=plan.description,
        scale=target.scale,
        settings=plan.settings,
        texts=texts[test].tolist(),
    )


def _in_order(planned, said, of_tests, *, n_first):
    """Return all notes, those first that one can act on, because the last are only counted where they are printed."""
    of_names = ("Neurons were passed over", "Hypotheses are left out", "Round ")
    on_markup = [note for note in said if note.endswith("which do not count as words.")]
    on_names = [note for note in said if note.startswith(of_names) or "neurons could not be named" in note]
    on_texts = [note for note in said if note not in [*on_markup, *on_names]]
    return list(dict.fromkeys([*planned[:n_first], *on_texts, *planned[n_first:], *on_markup, *on_names, *of_tests]))
