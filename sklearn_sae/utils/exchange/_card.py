"""The model card of an autoencoder on the Hugging Face hub."""

_USE = """
## Use

```python
from sklearn_sae import {kind}

sae = {kind}.from_pretrained({repo_id!r})
```
"""
_USE_BY_SAELENS = """
SAELens reads it as well:

```python
from huggingface_hub import snapshot_download
from sae_lens import SAE

sae = SAE.load_from_disk(snapshot_download({repo_id!r}))
```
"""


def model_card(repo_id, autoencoder, *, kind, metadata=None, trained_on=None, figures=None):
    """Return the text of README.md: metadata in YAML, what the autoencoder is, how to load it, and what was measured.

    Parameters
    ----------
    repo_id : str
    autoencoder : Autoencoder
    kind : str
        The name of the estimator's class.
    metadata : dict or None, default=None
        The metadata of SAELens. A `model_name` of the form "owner/name" is named as the base model.
    trained_on : str or None, default=None
        What the rows were, in words.
    figures : dict of str to (int, float or str), or None, default=None
        What was measured, by its name in words.

    Returns
    -------
    card : str
    """
    from huggingface_hub import ModelCardData

    metadata, (n_components, n_features) = metadata or {}, autoencoder.components.shape
    model = metadata.get("model_name")
    tags = ["sparse-autoencoder", "scikit-learn", *(["saelens"] if autoencoder.is_for_saelens else [])]
    base_model = model if model and model.count("/") == 1 else None
    header = ModelCardData(library_name="sklearn-sae", tags=tags, base_model=base_model).to_yaml()
    facts = {
        "Neurons (M)": n_components,
        "Active neurons a row (K)": _active(autoencoder),
        "Features of a row": n_features,
        "Trained on": trained_on,
        "Reads the states of": model,
        "at": metadata.get("hook_name"),
        **(figures or {}),
    }
    table = [f"| {name} | {_cell(value)} |" for name, value in facts.items() if value is not None]
    lines = [
        "---",
        header.strip(),
        "---",
        "",
        f"# {repo_id.rpartition('/')[2]}",
        "",
        f"A sparse autoencoder that a `{kind}` of sklearn-sae learned.",
        "",
        "| | |",
        "| --- | --- |",
        *table,
    ]
    use = _USE + _USE_BY_SAELENS if autoencoder.is_for_saelens else _USE
    return "\n".join(lines) + "\n" + use.format(kind=kind, repo_id=repo_id)


def _active(autoencoder):
    if autoencoder.k is None:
        of_either_sign = " in magnitude" if autoencoder.signed else ""
        return f"those above {autoencoder.threshold:.4g}{of_either_sign}"
    how = ", by matching pursuit" if autoencoder.pursuit else ", of either sign" if autoencoder.signed else ""
    return f"at most {autoencoder.k}{how}"


def _cell(value):
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return " ".join(text.split()).replace("|", "\\|")
