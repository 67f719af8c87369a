"""The parameters of an `LLMHypothesisAnnotator`, checked against each other before anything is paid for."""

from sklearn_sae.annotation.llm._answers import check_answers
from sklearn_sae.annotation.llm._questions import check_params
from sklearn_sae.annotation.llm._requests import check_prices
from sklearn_sae.annotation.llm._templates import read_template
from sklearn_sae.utils._pair_text import are_pairs
from sklearn_sae.utils.server import check_base_url


def check_parameters(annotator):
    """Raise a ValueError or TypeError if parameters exclude each other, or hold what cannot be sent."""
    if annotator.hypotheses is not None and annotator.encoder is not None:
        raise ValueError("encoder and hypotheses exclude each other: hypotheses are annotated without activations.")
    check_base_url(annotator.base_url)
    if annotator.server is not None and annotator.base_url is not None:
        raise ValueError("server and base_url exclude each other: server starts one on this machine.")
    is_probability = annotator.output == "probability"
    if is_probability and annotator.concepts_per_call > 1:
        raise ValueError('output="probability" needs concepts_per_call=1.')
    if annotator.min_label_score is not None and not annotator.n_scoring_examples:
        raise ValueError("min_label_score needs texts to score a label on; set n_scoring_examples to 2 or more.")
    check_answers(annotator.answers)
    if annotator.answers is not None and is_probability:
        raise ValueError('output="probability" is P(yes): it needs answers=None.')
    if annotator.rationale and is_probability:
        raise ValueError('output="probability" reads how sure the first word of a reply is: it needs rationale=False.')
    if annotator.cached_only and annotator.cache_dir is None:
        raise ValueError("cached_only=True needs the folder that answers are kept in, but cache_dir is None.")
    for name in ("interpreter_params", "annotator_params"):
        check_params(getattr(annotator, name), name)
    read_template(annotator.interpreter_prompt, "interpreter_prompt", instructions=annotator.instructions)
    read_template(annotator.annotator_prompt, "annotator_prompt", instructions=annotator.annotator_instructions)
    check_prices(annotator.prices)


def check_judges(annotator, texts):
    """Return texts; refuse pairs if parameters ask for something else than which of the two has more."""
    if not are_pairs(texts):
        return texts
    if annotator.answers is not None or annotator.output == "probability":
        raise ValueError('pairs are judged by A, B or neither: judge="pairs" needs answers=None and output="binary".')
    return texts
