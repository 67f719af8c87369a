"""What a language model is asked: which questions share a request, its body, and under which keys answers are stored.

An answer is stored under the hash of everything that shaped it.
"""

import json
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from sklearn_sae.annotation.llm._answers import check_answers
from sklearn_sae.annotation.llm._fields import NoLogprobsError, reply_logprobs, reply_text, was_cut, yes_probability
from sklearn_sae.annotation.llm._prompts import PAIR_ANSWERS, annotation_prompt
from sklearn_sae.annotation.llm._replies import (
    Interpretation,
    parse_annotations,
    parse_holds_for,
    parse_interpretation,
    parse_reasons,
)
from sklearn_sae.utils._pair_text import are_pairs, in_drawn_order, join_pair
from sklearn_sae.utils.store import digest

_TOP_LOGPROBS = 10
# Tokens that a reply may have, above what a model needs that keeps to the form. OpenAI takes no limit below 16.
_INTERPRETATION_TOKENS = 160
_ANSWER_TOKENS = 12
_REASON_TOKENS = 200
# The parts of a body that are not the user's to set.
_OWNED = ("model", "messages", "instructions", "input", "response_format", "logprobs", "include", "stream", "n")


class InterpretationQuestions:
    """One name for each prompt; some prompts are of the same neuron, and may be the same.

    Parameters
    ----------
    prompts : list of list of Prompt
        The prompts of each neuron.
    model : str
    params : dict or None
    connection : Connection
    """

    noun = "interpretation"
    params_name = "interpreter_params"
    answers = None
    logprobs = rationale = has_plain_form = False

    def __init__(self, prompts, *, model, params, connection):
        self.model = model
        self.params = params
        self.base_key = base_key(self.noun, model, params, connection)
        # A prompt that comes again for a neuron is asked again, and its answers are told apart by their number.
        numbered = [[(prompt, some[:i].count(prompt)) for i, prompt in enumerate(some)] for some in prompts]
        self._lengths = [len(some) for some in prompts]
        self._questions, self._rows = _distinct([question for some in numbered for question in some])
        self._answered = [None] * len(self._questions)
        self.places = np.arange(len(self._questions))
        self.refused = set()  # the places that the provider refuses for what a text says

    def keys(self, places):
        """Return the store's key of the answer at each place."""
        questions = (self._questions[place] for place in places)
        return [digest(self.base_key, *prompt, str(number)) for prompt, number in questions]

    def groups(self, places):
        """Return the places that share a request: each is alone."""
        return _Groups(places, np.arange(len(places)))

    def prompt(self, group):
        """Return the prompt of a group of places."""
        return self._questions[group[0]][0]

    def n_tokens(self, n_answers):
        """Return how many tokens a reply may have."""
        return _INTERPRETATION_TOKENS

    def parse(self, data, n_answers):
        """Return the answers in a reply, as bytes, or None."""
        text = reply_text(data)
        if was_cut(data):
            text = text.rpartition("\n")[0]  # because its last line is not whole
        phrase = parse_interpretation(text)
        return [None if phrase is None else json.dumps([phrase, parse_holds_for(text)]).encode()]

    def keep(self, places, values):
        """Take answers, as `parse` returns them."""
        for place, value in zip(places, values, strict=True):
            self._answered[place] = Interpretation(*json.loads(value))

    def candidates(self):
        """Return the interpretations for each neuron, None where there is no answer."""
        answers = iter([self._answered[row] for row in self._rows])
        return [[next(answers) for _ in range(length)] for length in self._lengths]

    def are_refused(self):
        """Return for each prompt, of one neuron after the other, whether the provider refuses it for what it says."""
        return [row in self.refused for row in self._rows.tolist()]


class AnnotationQuestions:
    """Which answer each concept gets for each text. A question has a place in the matrix of distinct ones, row by row.

    Parameters
    ----------
    texts, concepts : list of str
        Texts may be pairs, joined by `join_pair`; an answer is then which of the two has more of the concept. Of two
        equal texts neither has, which is not asked.
    mask : ndarray of bool of shape (n_texts, n_concepts) or None
    model : str
    params : dict or None
    connection : Connection
    concepts_per_call : int
    output : {"binary", "probability"}
    answers : dict of str -> float, or None
    rationale : bool
    instructions, template : str or None
        As `annotation_prompt` takes them.
    """

    noun = "annotation"
    params_name = "annotator_params"

    def __init__(
        self,
        texts,
        concepts,
        mask,
        *,
        model,
        params,
        connection,
        concepts_per_call=1,
        output="binary",
        answers=None,
        rationale=False,
        instructions=None,
        template=None,
    ):
        self.model = model
        self.params = params
        self._signs = None
        if are_pairs(texts):
            texts, signs = zip(*map(in_drawn_order, texts), strict=True)
            self._signs, answers = np.array(signs, dtype=np.float64), PAIR_ANSWERS
        self.answers, self._values = check_answers(answers)
        self.logprobs = output == "probability"
        self.rationale = rationale
        # P(yes) in other words is another number, and a reason or a template asks for its own form.
        self.has_plain_form = not (self.logprobs or rationale or template)
        self._words = {"rationale": rationale, "instructions": instructions, "template": template}
        self._size = concepts_per_call
        self._mask = mask
        self._texts, self._rows = _distinct(texts)
        self._concepts, self._columns = _distinct(concepts)
        asked = np.full((len(self._texts), len(self._concepts)), mask is None)
        if mask is not None:
            rows, columns = np.nonzero(mask)
            asked[self._rows[rows], self._columns[columns]] = True
        if self._signs is not None:
            asked[self._rows[self._signs == 0]] = False
        self.places = np.flatnonzero(asked)
        self.refused = set()  # as in `InterpretationQuestions`
        self._answered = np.full(asked.shape, np.nan)
        self._reasons = {}  # from a place to the reason of its answer
        # A key is the hash of both templates, of the whole (truncated) text, of the concept, and of the size of the
        # group, because the other concepts of a group may sway an answer. It is no hash of these other concepts, so
        # that after a crash, or for one concept more, only questions without an answer are grouped anew.
        blank = "" if self._signs is None else join_pair("", "")
        templates = [*self._prompt(blank, [""]), *self._prompt(blank, ["", ""])]
        self.base_key = base_key(self.noun, model, params, connection)
        shared_key = digest(self.base_key, output, str(concepts_per_call), *templates)
        self._text_keys = [digest(shared_key, text) for text in self._texts]

    def keys(self, places):
        """Return the store's key of the answer at each place."""
        rows, columns = np.divmod(places, len(self._concepts))
        return [
            digest(self._text_keys[row], self._concepts[column])
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]

    def groups(self, places):
        """Return the places that share a request, `concepts_per_call` of one text; those of a text follow one another.

        `places` are in ascending order.
        """
        rows = places // max(len(self._concepts), 1)
        within = np.arange(len(rows)) - np.searchsorted(rows, rows)  # the number of each place in its row
        return _Groups(places, np.flatnonzero(within % self._size == 0))

    def prompt(self, group, *, is_plain=False):
        """Return the prompt of a group of places, in the plain form if asked for."""
        rows, columns = np.divmod(group, len(self._concepts))
        return self._prompt(self._texts[rows[0]], [self._concepts[column] for column in columns], is_plain=is_plain)

    def n_tokens(self, n_answers):
        """Return how many tokens a reply may have."""
        longest = max(len(answer.encode()) for answer in self.answers or ("true",))  # a token has a byte at least
        each = _ANSWER_TOKENS + longest + _REASON_TOKENS * self.rationale
        return each * n_answers if n_answers == 1 else each * n_answers + _ANSWER_TOKENS

    def parse(self, data, n_answers):
        """Return the answers in a reply, as bytes, or None: the position of an answer or P(yes), then its reason."""
        text = reply_text(data)
        if self.logprobs:
            logprobs = reply_logprobs(data)
            if text and not logprobs:
                raise NoLogprobsError
            answers = [yes_probability(logprobs)]
        else:
            answers = parse_annotations(text, n_answers, self.answers) or [None] * n_answers
        reasons = parse_reasons(text, n_answers) if self.rationale else [""] * n_answers
        return [
            None if answer is None else struct.pack("<d", answer) + reason.encode()
            for answer, reason in zip(answers, reasons, strict=True)
        ]

    def keep(self, places, values):
        """Take answers, as `parse` returns them."""
        self._answered.flat[places] = np.frombuffer(b"".join(value[:8] for value in values), dtype="<f8")
        if self.rationale:
            self._reasons.update(zip(places, (value[8:].decode() for value in values), strict=True))

    def annotations(self, *, missing):
        """Return the values of the answers, `missing` where there is none, and NaN outside the mask."""
        is_answered = ~np.isnan(self._answered)
        annotations = np.full(is_answered.shape, missing)
        answered = self._answered[is_answered]
        # The store has the position of an answer, so that another value for the answer costs nothing.
        annotations[is_answered] = answered if self.logprobs else np.array(self._values)[answered.astype(np.intp)]
        annotations = annotations[self._rows[:, np.newaxis], self._columns]
        if self._signs is not None:
            signs = self._signs[:, np.newaxis]
            annotations = np.where(signs == 0, 0.0, annotations * signs) + 0.0  # which takes the sign from zeros
        return annotations if self._mask is None else np.where(self._mask, annotations, np.nan)

    def reasons(self):
        """Return the reason of each answer, "" where there is none, as a list of rows."""
        n_concepts = len(self._concepts)
        return [[self._reasons.get(row * n_concepts + column, "") for column in self._columns] for row in self._rows]

    def _prompt(self, text, concepts, *, is_plain=False):
        return annotation_prompt(text, concepts, self.answers, **self._words, is_plain=is_plain)


class _Groups(Sequence):
    """Slices of `places`, each made when it is asked for; `starts` are their beginnings."""

    def __init__(self, places, starts):
        self._places = places
        self._bounds = np.append(starts, len(places))

    def __len__(self):
        return len(self._bounds) - 1

    def __getitem__(self, i):
        return self._places[self._bounds[i] : self._bounds[i + 1]]


def base_key(noun, model, params, connection):
    """Return what the keys of all answers of a model begin from; it is itself a key if an answer of it is stored."""
    more = [json.dumps(params, sort_keys=True)] if params else []
    return digest(noun, connection.full_name(model), connection.base_url, connection.api, *more)


def _distinct(values):
    """Return the distinct values, in order, and the position of each value among them."""
    positions = {}
    places = [positions.setdefault(value, len(positions)) for value in values]
    return list(positions), np.array(places, dtype=np.intp)


# The body of a request


def check_params(params, name):
    """Refuse parameters that cannot go into a request body, or would change what a request is.

    Parameters
    ----------
    params : mapping of str to JSON value, or None
        As `request_body` takes them.
    name : str
        What to call them in an error.

    Raises
    ------
    TypeError
        If `params` is neither a mapping nor None.
    ValueError
        If a key is no str or is set by the annotator, or JSON cannot hold a value.
    """
    if params is None:
        return
    if not isinstance(params, Mapping):
        raise TypeError(f"{name} must be a mapping of request parameters, or None; got {type(params).__name__}.")
    for key, value in params.items():
        if not isinstance(key, str):
            raise ValueError(f"{name} must have str as keys; got {key!r}.")
        if key in _OWNED:
            raise ValueError(f"{name} cannot set {key!r}, which the annotator sets itself; leave it out.")
        if key == "text" and (not isinstance(value, Mapping) or "format" in value):
            raise ValueError(f"{name} can set 'text' only to a mapping without 'format', which is set where needed.")
        try:
            json.dumps({key: value}, allow_nan=False, ensure_ascii=False, sort_keys=True).encode("utf-8")
        except (TypeError, ValueError, RecursionError):
            raise ValueError(f"{name} has a value under {key!r} that JSON cannot hold.") from None


def request_body(api, prompt, *, model, n_answers=None, answers=None, rationale=False, logprobs=False, params=None):
    """Return the JSON body of a request.

    It has no temperature unless `params` has one, because reasoning models refuse it.

    Parameters
    ----------
    api : {"chat", "responses"}
    prompt : Prompt
    model : str
    n_answers : int or None, default=None
        Ask the server to hold the reply to a JSON object with this many numbered answers.
    answers : tuple of str or None, default=None
        The answers to hold it to; None: yes and no.
    rationale : bool, default=False
        Whether each answer comes in an object, after a reason.
    logprobs : bool, default=False
    params : mapping or None, default=None
        What the user adds, as `check_params` lets it pass.
    """
    params = dict(params or {})
    schema = None
    if n_answers is not None:
        schema = {"name": "answers", "strict": True, "schema": _schema(n_answers, answers or ("yes", "no"), rationale)}
    if api == "chat":
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        body = {"model": model, "messages": messages}
        if schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if logprobs:
            body |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        return body | params
    # The provider need not keep the request. Some servers stream unless they are told not to.
    body = {"model": model, "instructions": prompt.system, "input": prompt.user, "store": False, "stream": False}
    if schema is not None:
        body["text"] = {**params.pop("text", {}), "format": {"type": "json_schema", **schema}}
    if logprobs:
        body |= {"include": ["message.output_text.logprobs"], "top_logprobs": _TOP_LOGPROBS}
    return body | params


def _schema(n_answers, answers, rationale):
    answer = {"type": "string", "enum": list(answers)}
    if rationale:
        answer = _object({"reason": {"type": "string"}, "answer": answer})
    return _object({str(i + 1): answer for i in range(n_answers)})


def _object(properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
