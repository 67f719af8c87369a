"""What a language model is asked: to interpret neurons and to annotate texts.

An answer is kept under the hash of everything that shaped it.
"""

import json
import math
import struct
import warnings
from collections import Counter

import numpy as np

from sklearn_sae.annotation._answer_buyer import AnswerBuyer, Job, NoLogprobsError
from sklearn_sae.annotation._labels import check_labels
from sklearn_sae.annotation._prompts import annotation_prompt, interpretation_prompt, truncate_words
from sklearn_sae.annotation._protocols import reply_logprobs, reply_text, was_cut, yes_probability
from sklearn_sae.annotation._replies import parse_annotations, parse_interpretation
from sklearn_sae.utils.store import digest

_CHARACTERS_PER_TOKEN = 4  # English prose with the tokenizers of 2024 and later; other scripts take more tokens


class LLMClient(AnswerBuyer):
    """Ask a language model for interpretations and annotations; the parameters are those of `AnswerBuyer`."""

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
        ValueError, PermissionError, ConnectionError
            As `AnswerBuyer.answers`.
        """
        base = self._base_key("interpretation", model, params)
        keys = {(prompt, i): digest(base, *prompt, str(i)) for prompt in prompts for i in range(n_candidates)}

        def read(data, n_items):
            text = reply_text(data)
            if was_cut(data):
                text = text.rpartition("\n")[0]  # its last line is not whole
            phrase = parse_interpretation(text)
            return [None if phrase is None else phrase.encode()]

        found, failures = self.answers(
            Job(
                "interpretation",
                model,
                params or {},
                keys,
                arrange=lambda missing: [[item] for item in missing],
                build=lambda group: group[0][0],
                read=read,
            )
        )
        candidates = [
            [found[keys[prompt, i]].decode() for i in range(n_candidates) if keys[prompt, i] in found]
            for prompt in prompts
        ]
        return candidates, failures

    def annotate(self, pairs, *, model, concepts_per_call=1, max_words=None, output="binary", labels=None, params=None):
        """Return whether, or how probably, each concept holds for its text.

        Parameters
        ----------
        pairs : list of (text, concept)
            Equal pairs are asked for once. The pairs of one text are sent together.
        model : str
        concepts_per_call : int, default=1
            Concepts of one text put into one request.
        max_words : int or None, default=None
            Words of a text that are sent.
        output : {"binary", "probability"}, default="binary"
        labels : dict of str -> float, or None, default=None
            The answers to choose from, with their values. None: yes is 1 and no is 0.
        params : dict or None, default=None
            Added to the body of each request.

        Returns
        -------
        annotations : ndarray of shape (n_pairs,), float64
            The value of each answer, or P(yes); where no answer came, NaN, or 0 with ``on_error=0``.

        Raises
        ------
        RuntimeError
            `max_requests` is used up; or an answer failed and ``on_error="raise"``.
        ValueError
            ``output="probability"`` with `concepts_per_call` above 1, or from a server without
            log-probabilities; or as `AnswerBuyer.answers`.
        PermissionError, ConnectionError
            As `AnswerBuyer.answers`.
        """
        if output == "probability" and concepts_per_call > 1:
            raise ValueError('output="probability" needs concepts_per_call=1: it reads the one word of the reply.')
        short = {text: truncate_words(text, max_words) for text in {text for text, _ in pairs}}
        pairs = [(short[text], concept) for text, concept in pairs]
        names, values_of = check_labels(labels)
        keys = self._annotation_keys(pairs, model, params, concepts_per_call, output, names)

        def read(data, n_items):
            if output == "probability":
                answers = [self._probability(data)]
            else:
                answers = parse_annotations(reply_text(data), n_items, names) or [None] * n_items
            return [None if answer is None else struct.pack("<d", answer) for answer in answers]

        found, failures = self.answers(
            Job(
                "annotation",
                model,
                params or {},
                keys,
                arrange=lambda missing: _by_text(missing, concepts_per_call),
                build=lambda group: annotation_prompt(group[0][0], [concept for _, concept in group], names),
                read=read,
                labels=names,
                logprobs=output == "probability",
            )
        )
        if failures:
            outcome = "count as 0" if self.on_error == 0 else "are NaN"
            warnings.warn(f"{failures}; they {outcome}. Run again to ask for these only.", RuntimeWarning, stacklevel=2)
        missing = struct.pack("<d", math.nan)
        answers = np.frombuffer(b"".join(found.get(keys[pair], missing) for pair in pairs), dtype="<f8")
        values = answers.astype(np.float64)
        has_answer = ~np.isnan(values)
        if output == "binary":  # what is kept is the place of the answer: another value for it costs nothing
            values[has_answer] = np.array(values_of)[answers[has_answer].astype(np.intp)]
        values[~has_answer] = 0 if self.on_error == 0 else math.nan
        return values

    @staticmethod
    def count(
        *,
        n_interpretations=0,
        n_candidates=1,
        n_examples=40,
        instructions=None,
        n_texts=0,
        concepts=(),
        concepts_per_call=1,
        words_per_text=256,
        labels=None,
    ):
        """Return how many requests and tokens a run takes, without sending anything.

        Tokens are estimated at four characters each and six characters a word, with answers as short as the
        prompts ask for; the hidden thoughts of a reasoning model, which only the bill shows, are not counted,
        and neither is what the cache saves.

        Parameters
        ----------
        n_interpretations, n_candidates : int
        n_examples : int
            Texts in each interpretation prompt, both groups together.
        instructions : str or None
        n_texts : int
            Texts to annotate.
        concepts : sequence of str
            Put to each of them.
        concepts_per_call : int
        words_per_text : int
        labels : dict of str -> float, or None, default=None

        Returns
        -------
        count : dict
            ``requests``, ``prompt_tokens``, ``completion_tokens``.
        """
        text = "words " * words_per_text
        total = Counter(requests=0, prompt_tokens=0, completion_tokens=0)

        def add(n, prompt, completion_tokens):
            prompt_tokens = math.ceil(len("".join(prompt)) / _CHARACTERS_PER_TOKEN)
            total.update(requests=n, prompt_tokens=n * prompt_tokens, completion_tokens=n * completion_tokens)

        half = n_examples // 2
        naming = interpretation_prompt([text] * (n_examples - half), [text] * half, instructions=instructions)
        add(n_interpretations * n_candidates, naming, 15)
        names, _ = check_labels(labels)
        answer_tokens = math.ceil(max(map(len, names or ["yes"])) / _CHARACTERS_PER_TOKEN)
        for start in range(0, len(concepts), concepts_per_call):
            some = concepts[start : start + concepts_per_call]
            completion_tokens = answer_tokens if len(some) == 1 else (5 + answer_tokens) * len(some)
            add(n_texts, annotation_prompt(text, list(some), names), completion_tokens)
        return dict(total)

    # What is asked, what it is kept under

    def _base_key(self, kind, model, params):
        more = [json.dumps(params, sort_keys=True)] if params else []
        return digest(kind, model, self.base_url, self.api, *more)

    def _annotation_keys(self, pairs, model, params, concepts_per_call, output, labels):
        """Return {pair: key}, in order of first appearance.

        The key holds all that shapes a pair's own prompt: both templates, the whole (truncated) text and the
        concept; and the size of group it is asked in, since company may sway an answer. It leaves out the
        other concepts of the group: after a crash, or for one concept more, only the pairs without an answer
        are grouped anew, and none is paid for twice.
        """
        templates = [*annotation_prompt("", [""], labels), *annotation_prompt("", ["", ""], labels)]
        base = digest(self._base_key("annotation", model, params), output, str(concepts_per_call), *templates)
        text_keys = {text: digest(base, text) for text in {text for text, _ in pairs}}
        return {(text, concept): digest(text_keys[text], concept) for text, concept in dict.fromkeys(pairs)}

    def _probability(self, data):
        logprobs = reply_logprobs(data)
        if not logprobs and reply_text(data):
            raise NoLogprobsError
        return yes_probability(logprobs)


def _by_text(pairs, size):
    """Return groups of at most `size` pairs of one text; the groups of a text follow one another."""
    texts = {}
    for pair in pairs:
        texts.setdefault(pair[0], []).append(pair)
    return [some[i : i + size] for some in texts.values() for i in range(0, len(some), size)]
