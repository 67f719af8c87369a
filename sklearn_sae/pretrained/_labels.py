"""The labels of the latents of a published SAE."""

import json
import os
from collections.abc import Mapping
from operator import index

from sklearn_sae.utils._hub import download
from sklearn_sae.utils._notes import warn

_DATASET = "nickjiang/feature_labels"


def load_feature_labels(labels, encoder):
    """Return the labels of an SAE's latents.

    Parameters
    ----------
    labels : "auto", mapping, path-like or None
        "auto": Goodfire's labels from the hub, if the encoder is one of theirs, else none. A mapping goes from latent
        (an int, or its digits) to label (a str). A path names a JSON file of such a mapping, of a list of all labels,
        or of explanations that Neuronpedia exported. None: no labels.
    encoder : SparseEncoder

    Returns
    -------
    labels : dict of int to str
        In the order of latents. Latents without a label are left out.

    Raises
    ------
    TypeError
        If `labels` is of another type, or a label is not a str.
    ValueError
        If they are labels for other latents: for a latent that the encoder does not have, for another number of
        latents, or for another SAE of Neuronpedia. If the file holds other JSON, or none.
    OSError
        If there is no such file.

    Warns
    -----
    RuntimeWarning
        If Goodfire's labels cannot be had; the result is then empty.
    """
    if labels is None or (isinstance(labels, str) and labels == "auto"):
        path = None if labels is None else _download(encoder)
        return {} if path is None else _check(_load_json(path), encoder)
    if isinstance(labels, Mapping):
        return _check(labels, encoder)
    if isinstance(labels, str | os.PathLike):
        return _check(_load_json(labels), encoder)
    raise TypeError(f"feature_labels must be 'auto', a mapping, a path or None, not {type(labels).__name__}.")


def _download(encoder):
    if encoder.labels_file is None:
        return None
    try:
        return download(_DATASET, encoder.labels_file, what=f"The data set {_DATASET!r}", repo_type="dataset")
    except OSError as error:
        warn(f"There are no labels: {error} Pass feature_labels=None to do without.", RuntimeWarning)
        return None


def _load_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"feature_labels is {str(path)!r}, but there is no such file.") from None
    except ValueError:
        raise ValueError(f"The file of labels {path} is not JSON.") from None


def _check(labels, encoder):
    if isinstance(labels, list):
        labels = _from_list(labels, encoder)
    if not isinstance(labels, Mapping):
        raise ValueError("The labels must be a mapping from latent to label, or a list of all labels.")
    checked = {}
    for key, label in labels.items():
        latent = _latent(key)
        if not 0 <= latent < len(encoder.bias):
            raise ValueError(
                f"These are labels for other latents: one is for latent {latent}, but the SAE {encoder.source} "
                f"has latents 0 to {len(encoder.bias) - 1}."
            )
        if label is None:
            continue
        if not isinstance(label, str):
            raise TypeError(f"The label of latent {latent} is of type {type(label).__name__}; it must be a str.")
        checked[latent] = label
    return dict(sorted(checked.items()))


def _latent(key):
    try:
        return int(key) if isinstance(key, str) else index(key)
    except (TypeError, ValueError):
        raise ValueError(f"The labels have the key {key!r} where the number of a latent is needed.") from None


def _from_list(labels, encoder):
    if labels and all(isinstance(record, Mapping) for record in labels):
        return _from_neuronpedia(labels, encoder)
    if len(labels) != len(encoder.bias):
        raise ValueError(
            f"These are labels for other latents: {len(labels)} in a list, but the SAE {encoder.source} "
            f"has {len(encoder.bias)} latents."
        )
    return dict(enumerate(labels))


def _from_neuronpedia(records, encoder):
    """Return the first explanation of each latent in an export."""
    labels = {}
    for record in records:
        try:
            latent, label = record["index"], record["description"]
        except KeyError as missing:
            raise ValueError(f"A record of the labels has no {missing}, as an export of Neuronpedia has.") from None
        name = f"{record.get('modelId')}/{record.get('layer')}"
        if encoder.neuronpedia_id and "modelId" in record and name != encoder.neuronpedia_id:
            raise ValueError(
                f"These are labels for other latents: those of {name!r} at Neuronpedia, but the SAE {encoder.source} "
                f"is {encoder.neuronpedia_id!r} there."
            )
        labels.setdefault(latent, label)
    return labels
