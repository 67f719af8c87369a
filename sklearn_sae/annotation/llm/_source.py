"""Where answers come from, the server or the store, checked before anything is paid for."""

from sklearn_sae.annotation.llm._questions import AnnotationQuestions, InterpretationQuestions, base_key
from sklearn_sae.annotation.llm._requests import STORE
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils.server import check_server
from sklearn_sae.utils.store import open_store


def check_source(annotator, connection):
    """Raise if the server of an `LLMHypothesisAnnotator` cannot answer and no answers are stored; warn if some are.

    Raises
    ------
    ValueError, PermissionError, ConnectionError
        As `check_server`.

    Warns
    -----
    RuntimeWarning
        If only answers that are stored can be used.
    """
    if annotator.max_requests == 0 or annotator.cached_only:  # nothing is asked
        return
    try:
        check_server(connection)
    except (ValueError, OSError) as error:
        missing = _models_without_answers(annotator, connection)
        if missing:
            no_answers = f"No answers of {' and '.join(missing)} are stored, so nothing is embedded."
            raise type(error)(f"{error} {no_answers}") from None
        warn(f"{error} Only answers that are stored can be used.", RuntimeWarning)


def _models_without_answers(annotator, connection):
    """Return the models that `fit` needs answers of and that have none in the store."""
    models = []
    if annotator.min_label_score is None:  # else labels may do for all neurons
        models.append((InterpretationQuestions.noun, annotator.interpreter, annotator.interpreter_params))
    if annotator.n_scoring_examples:
        models.append((AnnotationQuestions.noun, annotator.annotator, annotator.annotator_params))
    keys = {base_key(*model, connection): repr(model[1]) for model in models}
    with open_store(annotator.cache_dir, STORE) as store:
        stored = store.stored(keys)
    return list(dict.fromkeys(name for key, name in keys.items() if key not in stored))
