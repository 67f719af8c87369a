"""What the text of a reply says. It is parsed leniently, but refused where it could mean two things."""

import json
import re
from typing import NamedTuple

from sklearn_sae.annotation._candidates import UNCLEAR
from sklearn_sae.annotation.llm._answers import ANSWER, canonical, spellings_of

_MAX_WORDS = 40
_MAX_CHARACTERS = 300
_MAX_JSON_STARTS = 200  # because a reply of brackets only would take minutes

_THINKING_ENDS = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THINKING_STARTS = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_CODE_FENCE = re.compile(r"```(?:[a-zA-Z]*\n|(?:json|text)\b)?(.*?)```", re.DOTALL)

_NUMBERED = re.compile(r"^[ \t*_`#>(-]*(\d{1,4})[ \t*_`]*(?:[):=]|[.-](?!\d))[ \t*_`]*(.+)$", re.MULTILINE)
_FIRST_ITEM = re.compile(r"[ \t\r\n*_`\"'“”‘’(\[{#>-]*1[.):]\s+")  # "1. yes"; in "1.5" it is no number of a list
_ANSWER_KEY = re.compile(ANSWER, re.IGNORECASE)
_OPENING = re.compile(r"[\[{]")
_NUMBER_KEY = re.compile(r"\D{0,12}(\d{1,4})")  # "1", "property_1"

_BULLET = re.compile(r"^(?:[-*•–—]\s+|\d{1,2}[.)]\s+|#+\s+|>\s+)")
_EMPHASIS = re.compile(r"^(\*\*|__|\*|_|`)(.+)\1$", re.DOTALL)
_NAMED = re.compile(
    r"^[*_`]*(?:the\s+)?(?:feature|property|interpretation|hypothesis|concept|answer|output|response|phrase)\s*"
    r"(?:\d+|A)?[*_`]*\s*(?:(?:is\s*)?[:=]|is(?=\s*[\"“']))[*_`]*\s*",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"^(?:this|the)\s+text\s*(?:\.\.\.|…)?\s+|^(?:\.\.\.|…)\s*", re.IGNORECASE)
_PREAMBLE = re.compile(
    r"^(?:(?:sure|certainly|of\s+course|okay|absolutely)\b[!.,:]*\s+)?here(?:\s+is|['’]s)\b[^:]{0,80}:\s*"
    r"|^(?:sure|certainly|of\s+course|okay|absolutely)[!.](?:\s+|$)",
    re.IGNORECASE,
)
# A phrase in quotes before an explanation. In '"rude", "slow" or the like' the quotes are parts of the phrase.
_QUOTED_FIRST = re.compile(r"^[\"“]([^\"“”]+)[\"”]\s*(?:$|[.:–—-]|[,;(][^\"“”]*$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")
_REFUSAL = re.compile(
    r"^(?:i(?:'|’)?m\s+sorry|sorry|i\s+(?:cannot|can(?:'|’)t|could\s+not|couldn(?:'|’)t|do\s+not|don(?:'|’)t|am\s+unable)"
    r"|unable\s+to|as\s+an\s+ai|there\s+(?:is|are)\s+no\b|no\s+(?:clear|single|common|such)\b"
    r"|(?:none|null|n/?a|nothing|unknown)\W*$)",
    re.IGNORECASE,
)
_UNCLEAR = re.compile(r"^(?:is\s+|it\s+is\s+)?unclear\W*(?:$|[(,;:.–—-])", re.IGNORECASE)
_HOLDS_FOR = re.compile(
    r"(?:^|(?<=[.;,]\s))[\s*_`>#-]*holds\s+for[*_`\s]*[:=][*_`\s]*(\d{1,4})?.*$", re.IGNORECASE | re.MULTILINE
)
_HOLDS_FOR_IN_JSON = re.compile(r'"holds[ _]for"\s*:\s*"?(\d{1,4})', re.IGNORECASE)

_REASON_KEY = re.compile("reason|rationale|quote|explanation|evidence|justification|why", re.IGNORECASE)
_REASON_BEFORE = re.compile(r'"reason"\s*:\s*"(.*?)"\s*,\s*"answer"', re.DOTALL)  # where quotes in it break the JSON
_MAX_REASON = 400  # characters


class Interpretation(NamedTuple):
    """What an interpreter said of one neuron."""

    phrase: str  # or UNCLEAR
    n_holds: int | None  # of the activating texts it was shown

    def share(self, n_shown):
        """Return the share of `n_shown` texts that it holds for, NaN if the reply did not say it, or more than all."""
        return float("nan") if self.n_holds is None or self.n_holds > n_shown else self.n_holds / n_shown


def parse_interpretation(reply):
    """Return the phrase in `reply` that names a property, or None if there is none.

    Parameters
    ----------
    reply : str

    Returns
    -------
    phrase : str or None
        On one line, without quotes, bullets, "Feature:" and the like; `UNCLEAR` if the reply says so; None if the
        reply is empty, a refusal, an unfinished thought, or longer than a phrase.
    """
    reply = _after_thinking(reply)
    if reply is None:
        return None
    if fenced := _CODE_FENCE.search(reply):
        reply = fenced.group(1)
    data = _load_json(reply)
    line = _only_string(data) if data is not None else _likely_line(_HOLDS_FOR.sub("", reply))
    phrase = _clean_phrase(line[: 10 * _MAX_CHARACTERS])  # a phrase that is far too long stays too long when it is cut
    if _UNCLEAR.match(phrase):
        return UNCLEAR
    too_long = len(phrase) > _MAX_CHARACTERS or len(phrase.split()) > _MAX_WORDS
    if too_long or _UNPRINTABLE.search(phrase) or not any(c.isalpha() for c in phrase) or _REFUSAL.match(phrase):
        return None
    return phrase


def parse_holds_for(reply):
    r"""Return the number of texts that a property holds for by `reply`, or None.

    Examples
    --------
    >>> parse_holds_for("Property: mentions a long wait\nHolds for: 8 of 10")
    8
    """
    reply = _after_thinking(reply) or ""
    found = _HOLDS_FOR_IN_JSON.search(reply) or _HOLDS_FOR.search(reply)
    return int(found.group(1)) if found and found.group(1) else None


def parse_annotations(reply, n_concepts, answers=None):
    r"""Return the answer for each concept, None where `reply` has none.

    Parameters
    ----------
    reply : str
    n_concepts : int
    answers : tuple of str or None, default=None
        The answers to choose from; None: yes and no.

    Returns
    -------
    annotations : list of (int or None), or None
        Positions in `answers`; for yes and no 1 and 0. None for a reply that makes no sense: no answer
        in it, an unfinished thought, or more answers than concepts.

    Examples
    --------
    >>> parse_annotations("1. Somewhat\n2. **Not at all**", 2, answers=("not at all", "somewhat", "strongly"))
    [1, 0]
    """
    spellings = spellings_of(answers)
    reply = _after_thinking(reply)
    if reply is None:
        return None
    for body in [*_CODE_FENCE.findall(reply), reply]:
        found = _parse_one(body, spellings) if n_concepts == 1 else _parse_many(body, n_concepts, spellings)
        if found is not None and any(answer is not None for answer in found):
            return found
    return None


def parse_reasons(reply, n_concepts):
    """Return the reason of the answer for each concept, "" where `reply` has none.

    Parameters
    ----------
    reply : str
        One that `parse_annotations` finds answers in.
    n_concepts : int

    Returns
    -------
    reasons : list of str
        On one line each. A reply for one concept that is no JSON is its reason as a whole.

    Examples
    --------
    >>> parse_reasons('{"1": {"reason": "we waited", "answer": "yes"}, "2": {"answer": "no"}}', 2)
    ['we waited', '']
    """
    reply = _after_thinking(reply) or ""
    objects = [value for value in _json_values(reply) if isinstance(value, dict)]
    if n_concepts > 1:
        found = {}
        for data in [*objects, *(inner for value in objects for inner in value.values() if isinstance(inner, dict))]:
            numbered = {key: _NUMBER_KEY.fullmatch(key) for key in data}
            found |= {int(number[1]): _reason_of(data[key]) for key, number in numbered.items() if number}
        return [_one_line(found.get(i + 1, "")) for i in range(n_concepts)]
    if objects:
        return [_one_line(_reason_of(objects[-1]))]
    before = _REASON_BEFORE.search(reply)
    return [_one_line(before[1] if before else reply)]


def _reason_of(data):
    """Return what a JSON object gives as its reason, "" if nothing."""
    if not isinstance(data, dict):
        return ""
    return next((value for key, value in data.items() if _REASON_KEY.search(key) and isinstance(value, str)), "")


def _one_line(text):
    text = " ".join(text.encode("utf-8", "replace").decode().split())
    return text if len(text) <= _MAX_REASON else text[: _MAX_REASON - 1] + "…"


def _after_thinking(reply):
    """Return what follows the model's thoughts; None if it never stopped thinking."""
    reply = _THINKING_ENDS.split(reply)[-1]
    return None if _THINKING_STARTS.search(reply) else reply.strip()


# The phrase of an interpretation


def _only_string(data):
    """Return the one phrase in a JSON value, or ""."""
    if isinstance(data, dict):
        named = [value for key, value in data.items() if _NAMED.match(f"{key}:")]
        data = (named or list(data.values()))[:1]
    if isinstance(data, list):
        data = data[0] if data else ""
    return data if isinstance(data, str) else ""


def _likely_line(reply):
    lines = [" ".join(line.split()) for line in reply.splitlines() if line.strip()]
    if not lines:
        return ""
    named = [line for line in lines if _NAMED.sub("", _BULLET.sub("", line)) not in ("", _BULLET.sub("", line))]
    if named:
        return named[0]
    is_preamble = lines[0].rstrip("*_` ").endswith(":") or not _PREAMBLE.sub("", lines[0])  # "Here it is:", "Sure!"
    return lines[1] if is_preamble and len(lines) > 1 else lines[0]


def _clean_phrase(phrase):
    phrase = " ".join(phrase.split())
    before = None
    while phrase != before:
        before = phrase
        phrase = _PREAMBLE.sub("", _BULLET.sub("", phrase))
        phrase = _EMPHASIS.sub(r"\2", phrase)
        phrase = _NAMED.sub("", phrase)
        if quoted := _QUOTED_FIRST.match(phrase):
            phrase = quoted.group(1)
        if len(phrase) > 2 and phrase[0] in "'‘`" and phrase[-1] in "'’`" and not re.search(r"['’]\s", phrase[1:-1]):
            phrase = phrase[1:-1]
        phrase = _SUBJECT.sub("", phrase).strip()
        if phrase.endswith(".") and not phrase.endswith(("..", "etc.")):
            phrase = phrase[:-1]
    return phrase


# The answers of an annotation


def _parse_one(body, spellings):
    if (answer := spellings.parse_alone(canonical(body))) is not None:
        return [answer]
    data = _load_json(body)
    return _answers_of_json(data, 1, spellings) if data is not None else [_answer_of_prose(canonical(body), spellings)]


def _parse_many(body, n_concepts, spellings):
    for data in reversed(_json_values(body)):  # the last value is the answer, the values before it are drafts
        if (answers := _answers_of_json(data, n_concepts, spellings)) is not None:
            return answers
    return _answers_of_json(dict(_NUMBERED.findall(body)), n_concepts, spellings)  # "1. yes", "2: No, because"


def _json_values(body):
    """Return the JSON objects and arrays in `body`, in order."""
    values, start, tries = [], 0, 0
    decoder = json.JSONDecoder()
    while (opening := _OPENING.search(body, start)) and tries < _MAX_JSON_STARTS:
        tries += 1
        try:
            value, start = decoder.raw_decode(body, opening.start())
            values.append(value)
        except (ValueError, RecursionError):
            start = opening.end()
    return values


def _load_json(reply):
    try:
        return json.loads(reply)
    except (ValueError, RecursionError):
        return None


def _answers_of_json(data, n_concepts, spellings):
    """Return one answer for each concept, or None where `data` does not say which is whose."""
    if isinstance(data, dict):
        numbered = {}
        for key, value in data.items():
            if number := _NUMBER_KEY.fullmatch(key):
                numbered[int(number.group(1))] = _answer_of_value(value, spellings)
        if numbered:
            # A number that no concept has shows that no number can be trusted: the model may have counted from 0.
            in_range = all(1 <= number <= n_concepts for number in numbered)
            return [numbered.get(i + 1) for i in range(n_concepts)] if in_range else None
        if n_concepts == 1:
            values = _answer_values(data) or list(data.values())
            said_by_key = _has_answer_as_key(data, spellings)
            return [_answer_of_value(values[0], spellings)] if len(values) == 1 and not said_by_key else None
        inner = [value for value in data.values() if isinstance(value, (dict, list))]  # {"answers": ...}
        return _answers_of_json(inner[0], n_concepts, spellings) if len(inner) == 1 else None
    if isinstance(data, list):
        if data and all(isinstance(row, dict) for row in data):  # [{"number": 1, "answer": "yes"}, ...]
            return _answers_of_rows(data, n_concepts, spellings)
        return [_answer_of_value(value, spellings) for value in data] if len(data) == n_concepts else None
    return [_answer_of_value(data, spellings)] if n_concepts == 1 and data is not None else None


def _answers_of_rows(rows, n_concepts, spellings):
    merged = {}
    for row in rows:
        named = _answer_values(row)
        numbers = [value for key, value in row.items() if type(value) is int and not _ANSWER_KEY.search(key)]
        answers = named or [value for value in row.values() if isinstance(value, (str, bool))]
        answers = [value for value in answers if _answer_of_value(value, spellings) is not None]
        if len(numbers) == 1 and len(answers) == 1:
            merged[str(numbers[0])] = answers[0]
        else:
            merged.update(row)  # [{"1": "yes"}, {"2": "no"}]
    return _answers_of_json(merged, n_concepts, spellings) if any(map(_NUMBER_KEY.fullmatch, merged)) else None


def _answer_of_value(value, spellings):
    if isinstance(value, dict):  # {"answer": "yes", "why": "..."}
        if _has_answer_as_key(value, spellings):
            return None
        values = _answer_values(value) or list(value.values())
        answers = {_answer_of_value(v, spellings) for v in values if not isinstance(v, (dict, list))} - {None}
        return answers.pop() if len(answers) == 1 else None
    if isinstance(value, (bool, int, float)):
        return spellings.parse_alone(json.dumps(value))
    return spellings.parse_start(canonical(value)) if isinstance(value, str) else None


def _has_answer_as_key(data, spellings):
    """Return whether `data` is like {"no": true} or {"yes": 0.4}, where the value is not the answer."""
    return any(spellings.opening.fullmatch(canonical(key)) for key in data)


def _answer_values(data):
    return [value for key, value in data.items() if _ANSWER_KEY.search(key)]


def _answer_of_prose(reply, spellings):
    """Return the answer that `reply` starts with, else the one that it announces, else that of its last line."""
    item = _FIRST_ITEM.match(reply)
    rest = reply[item.end() :] if item else reply
    if spellings.starts(rest):
        return spellings.parse_start(rest)
    if item and spellings.opening.match(reply) and not spellings.anywhere.search(rest):
        return spellings.parse_start(reply)  # "1. Because": an answer that looks like the number of a list
    announced = {spellings.parse_start(reply[match.end() :]) for match in spellings.announced.finditer(reply)}
    if announced:
        return announced.pop() if len(announced) == 1 else None
    return spellings.parse_line(reply.splitlines()[-1]) if reply else None
