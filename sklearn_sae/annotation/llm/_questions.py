"""What a language model is asked: to interpret neurons and to annotate texts.

An answer is kept under the hash of everything that shaped it.
"""

import json
import math
import struct
import warnings
from collections.abc import Sequence

import numpy as np

from sklearn_sae.annotation.llm._answers import check_answers
from sklearn_sae.annotation.llm._prompts import annotation_prompt, truncate_words
from sklearn_sae.annotation.llm._replies import (
    NoLogprobsError,
    parse_annotations,
    parse_interpretation,
    reply_logprobs,
    reply_text,
    was_cut,
    yes_probability,
)
from sklearn_sae.utils.store import digest


class LLMClient:
    """Ask a language model for interpretations and annotations.

    Parameters
    ----------
    requester : Requester
        Gets the answers.
    on_error : {"nan", "raise"} or 0, default="nan"
        What becomes of an annotation without an answer.
    """

    def __init__(self, requester, *, on_error="nan"):
        self.requester = requester
        self.on_error = on_error

    def interpret(self, prompts, *, model, n_candidates, params=None):
        """Return the candidate phrases for each prompt.

        Parameters
        ----------
        prompts : list of Prompt
        model : str
        n_candidates : int
            Requests for each prompt.
        params : dict or None, default=None
            Added to the body of each request.

        Returns
        -------
        candidates : list of list of str
            In the order of the candidate numbers; without those that failed, so [] if all did.
        failures : str
            How many failed, and how; "" if none did.

        Raises
        ------
        RuntimeError
            `max_requests` is used up; or an answer failed and ``on_error="raise"``.
        ValueError, PermissionError, ConnectionError, TimeoutError
            As `Requester.answer`.
        """
        questions = InterpretationQuestions(
            prompts, n_candidates, model=model, params=params, connection=self.requester.connection
        )
        failures = self.requester.answer(questions)
        return questions.candidates(), self._in_words(failures, questions)

    def annotate(
        self,
        texts,
        concepts,
        mask=None,
        *,
        model,
        concepts_per_call=1,
        max_words=None,
        output="binary",
        answers=None,
        params=None,
    ):
        """Return whether, or how probably, each concept holds for each text.

        Parameters
        ----------
        texts, concepts : list of str
            Equal ones are asked for once.
        mask : ndarray of bool of shape (n_texts, n_concepts), default=None
            The annotations to ask for. None: all.
        model : str
        concepts_per_call : int, default=1
            Concepts of one text put into one request.
        max_words : int or None, default=None
            Words of a text that are sent.
        output : {"binary", "probability"}, default="binary"
        answers : dict of str -> float, or None, default=None
            The answers to choose from, with their values. None: yes is 1 and no is 0.
        params : dict or None, default=None
            Added to the body of each request.

        Returns
        -------
        annotations : ndarray of shape (n_texts, n_concepts), float64
            The value of each answer, or P(yes); where no answer came, NaN, or 0 with ``on_error=0``; NaN outside the
            mask.

        Raises
        ------
        RuntimeError
            `max_requests` is used up; or an answer failed and ``on_error="raise"``.
        ValueError
            ``output="probability"`` with `concepts_per_call` above 1, or from a server without
            log-probabilities; or as `Requester.answer`.
        PermissionError, ConnectionError, TimeoutError
            As `Requester.answer`.
        """
        if output == "probability" and concepts_per_call > 1:
            raise ValueError('output="probability" needs concepts_per_call=1: it uses the one word of the reply.')
        questions = AnnotationQuestions(
            [truncate_words(text, max_words) for text in texts],
            concepts,
            mask,
            model=model,
            params=params,
            connection=self.requester.connection,
            concepts_per_call=concepts_per_call,
            output=output,
            answers=answers,
        )
        failures = self._in_words(self.requester.answer(questions), questions)
        if failures:
            outcome = "count as 0" if self.on_error == 0 else "are NaN"
            warnings.warn(f"{failures}; they {outcome}. Run again to ask for these only.", RuntimeWarning, stacklevel=2)
        return questions.annotations(missing=0.0 if self.on_error == 0 else math.nan)

    def _in_words(self, failures, questions):
        """Return a sentence about the failures, "" if there are none; or raise it."""
        if not failures:
            return ""
        kinds = ", ".join(f"{count} x {kind}" for kind, count in failures.most_common())
        of_all = f"{failures.total()} of {len(questions.places)} {questions.noun}s"
        what = f"{of_all} have no answer after the retries ({kinds})"
        if self.on_error == "raise":
            raise RuntimeError(f'{what}. Run again to ask for these only, or pass on_error="nan".')
        return what


class InterpretationQuestions:
    """Some candidates for each prompt. A question has a place: the prompt's number times `n_candidates`, and its own.

    Parameters
    ----------
    prompts : list of Prompt
    n_candidates : int
    model : str
    params : dict or None
    connection : Connection
    """

    noun = "interpretation"
    answers = None
    logprobs = False

    def __init__(self, prompts, n_candidates, *, model, params, connection):
        self.model = model
        self.params = params
        self._base_key = _base_key(self.noun, model, params, connection)
        self._prompts, self._rows = _distinct(prompts)
        self._n_candidates = n_candidates
        self._phrases = [None] * (len(self._prompts) * n_candidates)
        self.places = np.arange(len(self._phrases))

    def keys(self, places):
        """Return the store's key of the answer at each place."""
        rows, numbers = np.divmod(places, self._n_candidates)
        return [
            digest(self._base_key, *self._prompts[row], str(number))
            for row, number in zip(rows.tolist(), numbers.tolist(), strict=True)
        ]

    def groups(self, places):
        """Return the places that share a request: each is alone."""
        return _Groups(places, np.arange(len(places)))

    def prompt(self, group):
        """Return the prompt of a group of places."""
        return self._prompts[group[0] // self._n_candidates]

    def parse(self, data, n_answers):
        """Return the answers in a reply, as bytes, or None."""
        text = reply_text(data)
        if was_cut(data):
            text = text.rpartition("\n")[0]  # because its last line is not whole
        phrase = parse_interpretation(text)
        return [None if phrase is None else phrase.encode()]

    def keep(self, places, values):
        """Take answers, as `parse` returns them."""
        for place, value in zip(places, values, strict=True):
            self._phrases[place] = value.decode()

    def candidates(self):
        """Return the phrases for each prompt."""
        starts = (self._n_candidates * self._rows).tolist()
        phrases = [self._phrases[start : start + self._n_candidates] for start in starts]
        return [[phrase for phrase in some if phrase is not None] for some in phrases]


class AnnotationQuestions:
    """Which answer each concept gets for each text. A question has a place in the matrix of distinct ones, row by row.

    Parameters
    ----------
    texts, concepts : list of str
    mask : ndarray of bool of shape (n_texts, n_concepts) or None
    model : str
    params : dict or None
    connection : Connection
    concepts_per_call : int
    output : {"binary", "probability"}
    answers : dict of str -> float, or None
    """

    noun = "annotation"

    def __init__(
        self, texts, concepts, mask, *, model, params, connection, concepts_per_call=1, output="binary", answers=None
    ):
        self.model = model
        self.params = params
        self.answers, self._values = check_answers(answers)
        self.logprobs = output == "probability"
        self._size = concepts_per_call
        self._mask = mask
        self._texts, self._rows = _distinct(texts)
        self._concepts, self._columns = _distinct(concepts)
        asked = np.full((len(self._texts), len(self._concepts)), mask is None)
        if mask is not None:
            rows, columns = np.nonzero(mask)
            asked[self._rows[rows], self._columns[columns]] = True
        self.places = np.flatnonzero(asked)
        self._answered = np.full(asked.shape, np.nan)
        # A key is the hash of both templates, of the whole (truncated) text, of the concept, and of the size of the
        # group, because the other concepts of a group may sway an answer. It is no hash of these other concepts, so
        # that after a crash, or for one concept more, only questions without an answer are grouped anew.
        templates = [*annotation_prompt("", [""], self.answers), *annotation_prompt("", ["", ""], self.answers)]
        base_key = digest(_base_key(self.noun, model, params, connection), output, str(concepts_per_call), *templates)
        self._text_keys = [digest(base_key, text) for text in self._texts]

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

    def prompt(self, group):
        """Return the prompt of a group of places."""
        rows, columns = np.divmod(group, len(self._concepts))
        return annotation_prompt(self._texts[rows[0]], [self._concepts[column] for column in columns], self.answers)

    def parse(self, data, n_answers):
        """Return the answers in a reply, as bytes, or None; an answer is its position or P(yes)."""
        text = reply_text(data)
        if self.logprobs:
            logprobs = reply_logprobs(data)
            if text and not logprobs:
                raise NoLogprobsError
            answers = [yes_probability(logprobs)]
        else:
            answers = parse_annotations(text, n_answers, self.answers) or [None] * n_answers
        return [None if answer is None else struct.pack("<d", answer) for answer in answers]

    def keep(self, places, values):
        """Take answers, as `parse` returns them."""
        self._answered.flat[places] = np.frombuffer(b"".join(values), dtype="<f8")

    def annotations(self, *, missing):
        """Return the values of the answers, `missing` where there is none, and NaN outside the mask."""
        is_answered = ~np.isnan(self._answered)
        annotations = np.full(is_answered.shape, missing)
        answered = self._answered[is_answered]
        # The store has the position of an answer, so that another value for the answer costs nothing.
        annotations[is_answered] = answered if self.logprobs else np.array(self._values)[answered.astype(np.intp)]
        annotations = annotations[self._rows[:, np.newaxis], self._columns]
        return annotations if self._mask is None else np.where(self._mask, annotations, np.nan)


class _Groups(Sequence):
    """Slices of `places`, each made when it is asked for; `starts` are their beginnings."""

    def __init__(self, places, starts):
        self._places = places
        self._bounds = np.append(starts, len(places))

    def __len__(self):
        return len(self._bounds) - 1

    def __getitem__(self, i):
        return self._places[self._bounds[i] : self._bounds[i + 1]]


def _base_key(kind, model, params, connection):
    more = [json.dumps(params, sort_keys=True)] if params else []
    return digest(kind, model, connection.base_url, connection.api, *more)


def _distinct(values):
    """Return the distinct values, in order, and the position of each value among them."""
    positions = {}
    places = [positions.setdefault(value, len(positions)) for value in values]
    return list(positions), np.array(places, dtype=np.intp)
