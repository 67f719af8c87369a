"""How an `LLMHypothesisAnnotator` asks: over which connection, and what is said of answers that do not come."""

from sklearn_sae.annotation.llm._questions import AnnotationQuestions, InterpretationQuestions
from sklearn_sae.annotation.llm._requests import Requester, in_words, new_usage
from sklearn_sae.annotation.llm._templates import read_template
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils.server import Connection


def connection_of(annotator):
    """Return the connection to the server of an annotator."""
    return Connection(
        base_url=annotator.base_url,
        server=annotator.server,
        api_key_env=annotator.api_key_env,
        api=annotator.api,
        max_concurrency=annotator.max_concurrency,
        requests_per_minute=annotator.requests_per_minute,
        tokens_per_minute=annotator.tokens_per_minute,
        timeout=annotator.timeout,
        max_retries=annotator.max_retries,
    )


def start(annotator):
    """Begin to count. One count serves `fit` and every later `transform`."""
    annotator.usage_ = new_usage()


def interpret(annotator, prompts):
    """Return the `InterpretationQuestions` of each neuron's prompts, and a Counter of why answers are missing."""
    questions = InterpretationQuestions(
        prompts,
        model=annotator.interpreter,
        params=annotator.interpreter_params,
        connection=connection_of(annotator),
    )
    return questions, _answer(annotator, questions)


def annotate(annotator, texts, hypotheses, mask=None):
    """Return the `AnnotationQuestions`, with the answers that came; warn of those that did not."""
    questions = AnnotationQuestions(
        texts,
        hypotheses,
        mask,
        model=annotator.annotator,
        params=annotator.annotator_params,
        connection=connection_of(annotator),
        concepts_per_call=annotator.concepts_per_call,
        output=annotator.output,
        answers=annotator.answers,
        rationale=annotator.rationale,
        instructions=annotator.annotator_instructions,
        template=read_template(annotator.annotator_prompt, "annotator_prompt"),
    )
    failures = missing_in_words(annotator, _answer(annotator, questions), questions)
    if failures and annotator.cached_only:
        warn(f"{failures}; they are NaN.")
    elif failures:
        outcome = "count as 0" if annotator.on_error == 0 else "are NaN"
        warn(f"{failures}; they {outcome}. Run again to ask for these only.", RuntimeWarning)
    return questions


def missing_in_words(annotator, failures, questions):
    """Return in words how many answers are missing, or raise it."""
    failures = in_words(failures, questions)
    if failures and annotator.on_error == "raise" and not annotator.cached_only:
        raise RuntimeError(f'{failures}. Run again to ask for these only, or pass on_error="nan".')
    return failures


def _answer(annotator, questions):
    if not hasattr(annotator, "usage_"):  # the first transform of given hypotheses, which need no fit
        start(annotator)
    requester = Requester(
        connection_of(annotator),
        cache_dir=annotator.cache_dir,
        cached_only=annotator.cached_only,
        max_requests=annotator.max_requests,
        batch=annotator.batch,
        prices=annotator.prices,
        verbose=annotator.verbose,
        usage=annotator.usage_,
    )
    return requester.answer(questions)
