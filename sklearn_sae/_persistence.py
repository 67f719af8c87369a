"""Fitted pipelines as JSON, which holds no code: their hypotheses, how texts are annotated, and a linear model.

A pipeline predicts from its hypotheses alone. So its encoder, which found them, is not in the file; a pipeline that is
loaded annotates and predicts, and cannot be fitted again. Texts are quoted only where nearly all share their words, and
in the names of a `QuoteHypothesisAnnotator`, whose vectors are in the file too.
"""

import json
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_sae import __version__
from sklearn_sae._auto_linear_model import AutoLinearModel
from sklearn_sae.annotation import KeywordHypothesisAnnotator, LLMHypothesisAnnotator, QuoteHypothesisAnnotator
from sklearn_sae.annotation._quote_hypothesis_annotator import Rule
from sklearn_sae.embedding import EmbeddingTransformer
from sklearn_sae.utils._boilerplate import Boilerplate
from sklearn_sae.utils._notes import warn

_FORMAT, _FORMAT_VERSION = "sklearn-sae model", 1
_ANNOTATORS = {
    kind.__name__: kind for kind in (KeywordHypothesisAnnotator, LLMHypothesisAnnotator, QuoteHypothesisAnnotator)
}
# Parameters of fitting, or of the machine that it ran on. All others are kept.
_NOT_KEPT = (
    "encoder",
    "embedder",
    "hypotheses",
    "neurons",
    "random_state",
    "verbose",
    "cache_dir",
    "max_requests",
    "interpreter_prompt",
    "server",  # a file must not start one
    "api_key_env",  # a file must not say which of the environment's variables is sent
)
# What is fitted: kept, because `transform` needs it, and not kept. Anything else is refused, lest it be lost.
_FITTED = {"hypotheses_", "_boilerplate", "embedder_", "_center", "_rules"}
_FITTED_NOT_KEPT = {
    "encoder_",
    "candidates_",
    "examples_",
    "passed_over_",
    "usage_",
    "_sklearn_output_config",
}
# Parameters of the embedder that compares texts with quotes. A file names no server and lets no code be run, so those
# that could (`base_url`, `trust_remote_code`, `model_kwargs`) are never in it.
_OF_EMBEDDER = ("model", "backend", "prompt", "batch_size", "normalize", "truncate_dim", "max_seq_length", "revision")


def save_model(pipeline, path, facts):
    """Save what a pipeline needs to annotate and predict.

    Parameters
    ----------
    pipeline : Pipeline
        As `make_hypothesis_pipeline` builds it, fitted.
    path : path-like
    facts : dict
        Of values that JSON has; `load_model` returns them.

    Raises
    ------
    TypeError
        If the pipeline holds a function, such as a tokenizer, or steps of other kinds.
    OSError
        If the file cannot be written.
    """
    check_is_fitted(pipeline)
    content = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "sklearn_sae": __version__,
        "facts": facts,
        "annotator": _annotator_content(pipeline["hypotheses"]),
        "model": _model_content(pipeline),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def load_model(path):
    """Load a pipeline that `save_model` saved; no code is run from the file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    pipeline : Pipeline
        It annotates and predicts as the one that was saved.
    facts : dict

    Warns
    -----
    UserWarning
        If another version of this package saved the file.

    Raises
    ------
    OSError, ValueError
        If there is no such file, or it is not one that `save_model` wrote.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist, or is no file.")
    try:
        content = json.loads(Path(path).read_text("utf-8"))
        is_model = content["format"] == _FORMAT
    except (ValueError, KeyError, TypeError, RecursionError):
        is_model = False
    if not is_model:
        raise ValueError(f"{path} is not a model that sklearn-sae saved.")
    if content.get("format_version") != _FORMAT_VERSION:
        raise ValueError(
            f"{path} was saved in a form that sklearn-sae {__version__} does not know; install a newer one."
        )
    try:
        annotator = _annotator_of(content["annotator"])
        model = _model_of(content["model"], len(annotator.hypotheses_))
        version, facts = str(content["sklearn_sae"]), dict(content["facts"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} is damaged, or was changed by hand ({type(error).__name__}: {error}).") from None
    if version != __version__:
        warn(f"{path} was saved by sklearn-sae {version[:20]} and is loaded by {__version__}: annotations may differ.")
    steps = [("hypotheses", annotator), ("impute", _imputer(len(annotator.hypotheses_))), ("model", model)]
    return Pipeline(steps), facts


class _NotSaved(BaseEstimator):
    """In the place of an encoder, which is not in the file of a model."""

    def fit(self, X, y=None):
        raise ValueError("This pipeline was loaded from a file, which has no encoder; it cannot be fitted again.")

    transform = fit


# The annotator


def _annotator_content(annotator):
    kind = type(annotator).__name__
    if _ANNOTATORS.get(kind) is not type(annotator) or not annotator.__sklearn_tags__().input_tags.string:
        raise TypeError(
            f"A pipeline whose first step is this {kind} cannot be saved: its annotators are of another kind."
        )
    parameters = annotator.get_params(deep=False)
    if parameters.get("judge") == "neuron":
        raise TypeError(
            'A pipeline with judge="neuron" cannot be saved, because the file has no encoder to judge with.'
        )
    unknown = set(vars(annotator)) - set(parameters) - _FITTED - _FITTED_NOT_KEPT
    if unknown:
        raise TypeError(f"A {kind} with {', '.join(sorted(unknown))} cannot be saved.")
    return {
        "kind": kind,
        "parameters": {
            name: _plain(value, f"{name} of the {kind}") for name, value in parameters.items() if name not in _NOT_KEPT
        },
        "hypotheses": {str(name): _plain(values, name) for name, values in annotator.hypotheses_.items()},
        "boilerplate": _plain(getattr(annotator, "_boilerplate", Boilerplate())._asdict(), "boilerplate"),
        **({"quotes": _quotes_content(annotator)} if hasattr(annotator, "_rules") else {}),
    }


def _quotes_content(annotator):
    """Return how texts are compared with quotes: what embeds them, the center, and of each name its `Rule`."""
    embedder = annotator.embedder_
    if type(embedder) is not EmbeddingTransformer:
        raise TypeError(
            f"A pipeline whose quotes are compared by a {type(embedder).__name__} cannot be saved: only an "
            "EmbeddingTransformer can be named in a file."
        )
    for name in ("base_url", "trust_remote_code", "model_kwargs"):
        if getattr(embedder, name):
            raise TypeError(f"A pipeline whose embedder has {name} cannot be saved, because a file must not set that.")
    return {
        "embedder": {name: _plain(getattr(embedder, name), f"{name} of the embedder") for name in _OF_EMBEDDER},
        "center": annotator._center.tolist(),
        "rules": {
            name: {"direction": r.direction.tolist(), "threshold": r.threshold} for name, r in annotator._rules.items()
        },
    }


def _restore_quotes(annotator, content):
    embedder = EmbeddingTransformer(**{name: content["embedder"][name] for name in _OF_EMBEDDER})
    embedder._validate_params()
    annotator.embedder = annotator.embedder_ = embedder
    annotator._center = np.array(content["center"], dtype=np.float32)
    annotator._rules = {
        name: Rule(np.array(rule["direction"], dtype=np.float32), float(rule["threshold"]))
        for name, rule in content["rules"].items()
    }
    shapes = {annotator._center.shape} | {rule.direction.shape for rule in annotator._rules.values()}
    if len(shapes) > 1 or not set(annotator.hypotheses_["interpretation"]) <= set(annotator._rules):
        raise ValueError("quotes without their vectors")


def _annotator_of(content):
    defaults = _ANNOTATORS[content["kind"]]().get_params(deep=False)
    parameters = {
        name: tuple(value) if isinstance(defaults[name], tuple) else value
        for name, value in content["parameters"].items()
        if name not in _NOT_KEPT
    }
    annotator = _ANNOTATORS[content["kind"]](encoder=_NotSaved(), **parameters)
    table = pd.DataFrame(content["hypotheses"])
    table = table.where(table.notna(), np.nan).infer_objects()
    if not len(table) or not all(isinstance(name, str) and name.strip() for name in table["interpretation"]):
        raise ValueError("a hypothesis is missing")
    annotator.hypotheses_ = table
    annotator._boilerplate = Boilerplate(
        *(tuple(map(str, content["boilerplate"][side])) for side in Boilerplate._fields)
    )
    if "quotes" in content:
        _restore_quotes(annotator, content["quotes"])
    annotator._validate_params()
    annotator._check_parameters()
    return annotator


# The model


def _imputer(n_hypotheses):
    imputer = SimpleImputer(strategy="constant", fill_value=0, keep_empty_features=True)
    return imputer.fit(np.zeros((2, n_hypotheses)))


def _model_content(pipeline):
    linear = getattr(pipeline["model"], "model_", pipeline["model"])
    if type(linear) not in (LinearRegression, LogisticRegression):
        raise TypeError("Only a pipeline whose model is LinearRegression or LogisticRegression can be saved.")
    classes = getattr(pipeline["model"], "classes_", None)
    return {
        "coef": np.atleast_2d(linear.coef_).tolist(),
        "intercept": np.atleast_1d(linear.intercept_).tolist(),
        "classes": None if classes is None else _plain(classes, "the classes"),
        "dtype": None if classes is None else classes.dtype.str,
    }


def _model_of(content, n_hypotheses):
    coef, intercept = (np.array(content[name], dtype=np.float64) for name in ("coef", "intercept"))
    auto, classes = AutoLinearModel(), content["classes"]
    n_rows = 1 if classes is None or len(classes) == 2 else len(classes)
    if coef.shape != (n_rows, n_hypotheses) or intercept.shape != (n_rows,):
        raise ValueError(f"{n_hypotheses} hypotheses with coefficients of shape {coef.shape}")
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise ValueError("a coefficient is not finite")
    if classes is None:
        auto.model_ = LinearRegression()
        auto.model_.coef_, auto.model_.intercept_ = coef[0], float(intercept[0])
    else:
        auto.model_ = LogisticRegression()
        auto.model_.coef_, auto.model_.intercept_ = coef, intercept
        auto.model_.classes_ = np.arange(len(classes))
        dtype = np.dtype(content["dtype"])
        if dtype.kind not in "OUbiuf" or any(not isinstance(label, (str, bool, int, float)) for label in classes):
            raise ValueError("a class of another kind")
        auto.classes_ = np.array(classes, dtype=dtype)
    auto.model_.n_features_in_ = n_hypotheses
    return auto


def _plain(value, what):
    """Return a value as JSON has it; NaN is None."""
    if isinstance(value, (np.ndarray, np.generic, pd.Series)):
        value = value.tolist()
    if isinstance(value, PathLike):  # of a prompt, which another machine does not have
        value = Path(value).read_text("utf-8")
    if isinstance(value, (list, tuple)):
        return [_plain(one, what) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, dict):
        return {name: _plain(one, what) for name, one in value.items()}
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return None if np.isnan(value) else value
    why = "a function, and a file without code cannot hold one" if callable(value) else f"a {type(value).__name__}"
    raise TypeError(f"The model cannot be saved: {what} is {why}.")
