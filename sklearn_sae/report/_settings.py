"""With what parameters a result was made, without keys, prompts, texts and folders of the user."""

import re
from numbers import Number
from urllib.parse import urlsplit

from sklearn_sae._text_pairs import annotator_of

# Of these only whether they are set is shown, because they may hold a secret, a prompt, texts or a user's folder.
_PRIVATE = re.compile(r"(?:^|_)(?:key|token|password|secret|headers|kwargs|params|dir)$|prompt|instructions")
_NO_MATTER = ("verbose", "memory", "transform_input", "max_concurrency", "n_jobs", "batch_size", "prices", "timeout")
_COLUMNS = ("groups", "by", "offset")  # Of these a setting has the name of the column, as the page shows it elsewhere.
_KEY = re.compile(r"\b(?:sk|hf|pk|ghp|gsk|xai|AIza)[-_][\w-]{8,}|\bAIza[\w-]{20,}")
_FOLDER = re.compile(r"[/~.]|[A-Za-z]:\\")
_MOST_CHARACTERS, _MOST_WORDS = 80, 3  # A longer text may be a prompt.


def parameters_of(pipeline, settings):
    """Return the parameters of a discovery, those first that matter most.

    Parameters
    ----------
    pipeline : Pipeline
        As `make_hypothesis_pipeline` builds it, fitted.
    settings : dict of str to value
        Parameters of `discover` itself.

    Returns
    -------
    parameters : tuple of (str, str)
    """
    chosen = {
        name: value if name in _COLUMNS else shown_value(name, value)
        for name, value in {**settings, **sizes_of(pipeline)}.items()
        if name != "texts"
    }
    steps = {
        name: shown_value(name.rpartition("__")[2], value)
        for name, value in sorted(pipeline.get_params(deep=True).items(), key=lambda pair: _rank(pair[0]))
        if name not in ("steps", *_NO_MATTER)
        and name.rpartition("__")[2] not in ("steps", "transformer_list", *_NO_MATTER)
    }
    return tuple({**chosen, **steps}.items())


def sizes_of(pipeline):
    """Return M and K, as "auto" came out."""
    sae = trained_step(pipeline)
    sizes = {"M, neurons": "n_components_", "K, active neurons": "k_"}
    return {name: getattr(sae, attribute) for name, attribute in sizes.items() if hasattr(sae, attribute)}


def trained_step(pipeline):
    """Return the fitted step of a pipeline that is trained: the autoencoder, or the reader."""
    trained = annotator_of(pipeline).encoder_[-2]
    inner = getattr(trained, "transformer_", None)
    return inner["sae"] if hasattr(inner, "named_steps") else trained


def _rank(name):
    """Stages come in the order in which texts pass them: their encoder, their names, the model."""
    return not name.startswith("hypotheses__encoder"), not name.startswith("hypotheses"), name.count("__") > 3


def shown_value(name, value):
    """Return a parameter's value as it may be shown.

    Examples
    --------
    >>> shown_value("k", 8), shown_value("api_key", "sk-123"), shown_value("instructions", "The texts …")
    ('8', 'set', 'set')
    >>> shown_value("base_url", "https://me:pass@models.example.org/v1?key=1")
    'https://models.example.org/v1'
    """
    if value is None or isinstance(value, bool):
        return str(value)
    if _PRIVATE.search(name):
        return "set"
    if isinstance(value, Number):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, (tuple, list, set, frozenset)) or hasattr(value, "_fields"):
        return getattr(value, "__name__", type(value).__name__)
    if len(value) <= 8 and all(isinstance(one, (Number, type(None))) for one in value):
        return f"({', '.join(map(str, value))})"
    return f"{len(value):,} values"


def _text(value):
    if "://" in value:
        url = urlsplit(value)
        port = f":{url.port}" if url.port else ""
        return f"{url.scheme}://{url.hostname}{port}{url.path}"
    if _KEY.search(value) or len(value) > _MOST_CHARACTERS or len(value.split()) > _MOST_WORDS:
        return "set"
    return re.split(r"[/\\]", value)[-1] if _FOLDER.match(value) else value
