import json
import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sklearn_sae.annotation.llm._answers import check_answers
from sklearn_sae.annotation.llm._replies import (
    parse_annotations,
    parse_holds_for,
    parse_interpretation,
    parse_reasons,
)

any_speed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PHRASE = "mentions long waits for service"


@pytest.mark.parametrize(
    "reply",
    [
        PHRASE,
        f"{PHRASE}.",
        f'"{PHRASE}"',
        f'"{PHRASE}."',
        f"“{PHRASE}”",
        f"'{PHRASE}'",
        f"`{PHRASE}`",
        f"- {PHRASE}",
        f'- "{PHRASE}"',
        f"* {PHRASE}",
        f"1. {PHRASE}",
        f"**{PHRASE}**",
        f"**Feature:** {PHRASE}",
        f"Feature: {PHRASE}",
        f'The property is: "{PHRASE}"',
        f'The property is "{PHRASE}"',
        f"This text {PHRASE}.",
        f"This text ... {PHRASE}",
        f"... {PHRASE}",
        f"Here is the property:\n\n- {PHRASE}",
        f"Sure! Here is the property: {PHRASE}",
        f"Here's the phrase that fits: **{PHRASE}**",
        f"Certainly. {PHRASE}.",
        f"Sure!\n{PHRASE}",
        f"Sure!\nFeature: {PHRASE}\nReason: they all wait.",
        f"{PHRASE}\n\nExplanation: they all wait.",
        f'"{PHRASE}" - because they all wait',
        f"```\n{PHRASE}\n```",
        f'```json\n{{"feature": "{PHRASE}"}}\n```',
        f'{{"reason": "they wait", "property": "{PHRASE}"}}',
        f'["{PHRASE}"]',
        f"<think>Is it food? No.</think>\n{PHRASE}",
        f"Is it food? No.</think>{PHRASE}",
        f"<thinking>\nhm\n</thinking>\n\n{PHRASE}\n",
        f"  {PHRASE}  \n",
        PHRASE.replace(" ", "  "),
    ],
)
def test_interpretations(reply):
    assert parse_interpretation(reply) == PHRASE


@pytest.mark.parametrize(
    ("reply", "phrase"),
    [
        ('mentions "wait" times', 'mentions "wait" times'),
        ('"good" and "bad" are both used', '"good" and "bad" are both used'),
        ("'mentions the waiter's tip'", "mentions the waiter's tip"),
        ("erwähnt lange Wartezeiten", "erwähnt lange Wartezeiten"),
        ("提到等待时间很长", "提到等待时间很长"),
        ("ends with ...", "ends with ..."),
        ('"rude", "slow" or similar complaints', '"rude", "slow" or similar complaints'),
        ('"rude" (or "slow") staff', '"rude" (or "slow") staff'),
        (f'"{PHRASE}", because all do', PHRASE),
        ("here is where people wait", "here is where people wait"),
    ],
)
def test_interpretations_keep_what_belongs_to_them(reply, phrase):
    assert parse_interpretation(reply) == phrase


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n",
        "-",
        "...",
        "Sure!",
        "Here is the property:",
        "42",
        "{}",
        "[]",
        "null",
        '{"feature": 3}',
        "<think>they all wait for",
        "<think>a</think> <think>mentions",
        "I'm sorry, I cannot help with that.",
        "I cannot find a property.",
        "N/A",
        "none",
        "word " * 41,
        "x" * 301,
    ],
)
def test_interpretations_refused(reply):
    assert parse_interpretation(reply) is None


@pytest.mark.parametrize(
    ("reply", "phrase", "n"),
    [
        (f"Property: {PHRASE}\nHolds for: 8", PHRASE, 8),
        (f"**Property:** {PHRASE}\n**Holds for:** 8 of 10", PHRASE, 8),
        (f"{PHRASE}\nHolds for: 7/10", PHRASE, 7),
        (f"Property: {PHRASE}. Holds for: 10", PHRASE, 10),
        (f"Holds for: 8\n{PHRASE}", PHRASE, 8),
        (f"Property: {PHRASE}\nHolds for: most", PHRASE, None),
        (json.dumps({"Property": PHRASE, "Holds for": 8}), PHRASE, 8),
        (json.dumps({"property": PHRASE, "holds_for": "9"}), PHRASE, 9),
        (f"<think>Holds for: 3</think>Property: {PHRASE}\nHolds for: 6", PHRASE, 6),
        ("says the offer holds for 2 weeks", "says the offer holds for 2 weeks", None),
        (PHRASE, PHRASE, None),
        ("", None, None),
    ],
)
def test_a_name_and_for_how_many_it_holds(reply, phrase, n):
    assert parse_interpretation(reply) == phrase
    assert parse_holds_for(reply) == n


@pytest.mark.parametrize(
    "reply",
    ["unclear", "Unclear.", "Property: unclear\nHolds for: 3", "**Property:** unclear (two topics)", "It is unclear."],
)
def test_unclear_is_an_answer(reply):
    assert parse_interpretation(reply) == "unclear"


@pytest.mark.parametrize("phrase", ["is unclear about the price", "unclear directions are given"])
def test_unclear_may_be_part_of_a_name(phrase):
    assert parse_interpretation(phrase) == phrase


@pytest.mark.parametrize(
    ("reply", "reasons"),
    [
        ('{"reason": "we  waited\\nlong", "answer": "yes"}', ["we waited long"]),
        ('```json\n{"reason": "no wait", "answer": "no"}\n```', ["no wait"]),
        ('{"quote": "we waited", "answer": "yes"}', ["we waited"]),
        ('{"answer": "yes"}', [""]),
        ('{"reason": "says "cold" soup", "answer": "yes"}', ['says "cold" soup']),
        ("No one waited. No", ["No one waited. No"]),
        ('{"1": {"reason": "a", "answer": "yes"}, "2": {"answer": "no"}}', ["a", ""]),
        ('{"answers": {"1": {"reason": "a", "answer": "yes"}, "2": {"why": "b", "answer": "no"}}}', ["a", "b"]),
        ('{"1": "yes", "2": "no"}', ["", ""]),
        ("1. yes\n2. no", ["", ""]),
        ('{"reason": "\\ud83d", "answer": "yes"}', ["?"]),
    ],
)
def test_the_reason_of_each_answer(reply, reasons):
    assert None not in parse_annotations(reply, len(reasons))
    assert parse_reasons(reply, len(reasons)) == reasons


@any_speed
@given(st.text(), st.integers(1, 4))
def test_reasons_are_lines_that_can_be_kept(reply, n_concepts):
    reasons = parse_reasons(reply, n_concepts)
    assert len(reasons) == n_concepts
    assert all(len(reason) <= 400 and "\n" not in reason and reason.encode() is not None for reason in reasons)


words = st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=2, max_size=8).map(
    lambda some: " ".join(["mentions", *some])
)
wrappings = st.sampled_from(
    ["{}", '"{}"', "- {}", '- "{}"', "**{}**", "Feature: {}", "{}.", "<think>x</think>{}", "```\n{}\n```"]
)


@any_speed
@given(words, wrappings)
def test_interpretation_round_trip(phrase, wrapping):
    assert parse_interpretation(wrapping.format(phrase)) == phrase


@any_speed
@given(st.text())
def test_interpretation_is_a_phrase_or_nothing(reply):
    phrase = parse_interpretation(reply)
    assert phrase is None or (phrase.strip() == phrase != "" and "\n" not in phrase and len(phrase) <= 300)


@pytest.mark.parametrize(
    ("reply", "annotation"),
    [
        ("yes", 1),
        ("No", 0),
        ("YES.", 1),
        (" no\n", 0),
        ("Yes. 'Sun sets' is clearly a natural scene, no doubt.", 1),
        ("Yes. No doubt about it.", 1),
        ("No. It says yes to everything, but not to this.", 0),
        ("No, it does not.", 0),
        ("**No**", 0),
        ("**Yes** - it does", 1),
        ('"Yes"', 1),
        ("- yes", 1),
        ("1. yes", 1),
        ("Answer: yes", 1),
        ("**Answer:** No", 0),
        ("Final answer: Yes", 1),
        ("The answer is no.", 0),
        ("The text says that service was slow.\n\nAnswer: **No**", 0),
        ("They waited an hour.\nyes", 1),
        ("true", 1),
        ("False", 0),
        ("1", 1),
        ("0", 0),
        ('{"answer": "yes"}', 1),
        ('{"answer": "no", "reason": "yes-men only"}', 0),
        ('{"1": "yes"}', 1),
        ('{"1": {"answer": "no", "reason": "none"}}', 0),
        ("[true]", 1),
        ("```json\n{\"1\": \"no\"}\n```", 0),
        ("```\nyes\n```", 1),
        ("<think>no, no, no</think>\n\nyes", 1),
        ("no, no, no</think>yes", 1),
        ("No [1] [2].", 0),
    ],
)  # fmt: skip
def test_one_annotation(reply, annotation):
    assert parse_annotations(reply, 1) == [annotation]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "yes and no",
        "Yes/No",
        "no or yes",
        "Yes\nNo",
        "Answer: yes or no",
        "Answer: yes. On second thought, answer: no",
        "I cannot tell",
        "No idea",
        "No doubt, yes",
        "Not sure.",
        "maybe",
        "0.5",
        "10",
        "2",
        "<think>yes",
        "<think>yes</think>",
        "<think>a</think><think>yes",
        "null",
        "{}",
        "[]",
        '{"2": "yes"}',
        '["yes", "yes"]',
        '{"yes": 0.4, "no": 0.6}',
    ],
)
def test_one_annotation_refused(reply):
    assert parse_annotations(reply, 1) is None


@pytest.mark.parametrize(
    ("reply", "annotations"),
    [
        ('{"1": "yes", "2": "no", "3": "yes"}', [1, 0, 1]),
        ('{"3": true, "1": 1, "2": "No, because"}', [1, 0, 1]),
        ('{"answers": {"1": "yes", "2": "no", "3": "yes"}}', [1, 0, 1]),
        ('{"property_1": "yes", "property_2": "no", "property_3": "yes"}', [1, 0, 1]),
        ('["yes", false, 1]', [1, 0, 1]),
        ('{"answers": ["yes", "no", "yes"]}', [1, 0, 1]),
        ('[{"number": 1, "answer": "yes"}, {"number": 2, "answer": "no"}, {"number": 3, "answer": "yes"}]', [1, 0, 1]),
        ('[{"1": "yes"}, {"2": "no"}, {"3": "yes"}]', [1, 0, 1]),
        ('Of these [1]:\n```json\n{"1": "yes", "2": "no", "3": "yes"}\n```\nDone.', [1, 0, 1]),
        ('I think {"1": "yes", "2": "no", "3": "yes"} is right [2].', [1, 0, 1]),
        ('Draft {"1": "no", "2": "no", "3": "no"}. Better: {"1": "yes", "2": "no", "3": "yes"}', [1, 0, 1]),
        ('<think>{"1": "no"}</think>{"1": "yes", "2": "no", "3": "yes"}', [1, 0, 1]),
        ("1. yes\n2. No, because\n3: **yes**", [1, 0, 1]),
        ("**1.** Yes\n**2.** no\n**3.** Yes", [1, 0, 1]),
        ('{"1": "yes", "3": "no"}', [1, None, 0]),
        ('{"1": "yes", "2": "cannot tell", "3": "no"}', [1, None, 0]),
    ],
)
def test_several_annotations(reply, annotations):
    assert parse_annotations(reply, 3) == annotations


@pytest.mark.parametrize(
    "reply",
    [
        "yes",
        '{"0": "yes", "1": "no", "2": "no"}',  # counted from 0
        '{"1": "yes", "2": "no", "3": "no", "4": "yes"}',
        '["yes", "no"]',
        '{"1": "maybe"}',
        '{"1": "yes", "2": "n',
        "<think>1. yes 2. no",
    ],
)
def test_several_annotations_refused(reply):
    assert parse_annotations(reply, 3) is None


@any_speed
@given(st.lists(st.sampled_from([0, 1]), min_size=2, max_size=30), st.sampled_from(["object", "array", "lines"]))
def test_annotations_round_trip(annotations, form):
    answers = [("no", "yes")[annotation] for annotation in annotations]
    numbered = {str(i): answer for i, answer in enumerate(answers, 1)}
    reply = {
        "object": json.dumps(numbered),
        "array": json.dumps(answers),
        "lines": "\n".join(f"{number}. {answer}" for number, answer in numbered.items()),
    }[form]
    assert parse_annotations(reply, len(annotations)) == annotations


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["yes", "no"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("0123") | st.text(max_size=3), inner),
    max_leaves=10,
)


@any_speed
@given(st.text() | json_values.map(json.dumps) | st.from_regex(r"([\[{}\],:\"1-3]|yes|no| ){,20}"), st.integers(1, 5))
def test_annotations_fit_the_question_or_are_refused(reply, n_concepts):
    annotations = parse_annotations(reply, n_concepts)
    assert annotations is None or (
        len(annotations) == n_concepts and set(annotations) <= {0, 1, None} and set(annotations) != {None}
    )
    parse_interpretation(reply)


@pytest.mark.parametrize(
    "reply",
    [
        *(
            unit * 30_000
            for unit in ("[", "{", '{"1":', "<think>", "1. ", "no ", "x\n", "*", "answer: ", "``` ", "no\t")
        ),
        "x" + " " * 30_000 + "y",
        "x" + "\n" * 30_000 + "y",
        "answer" + " " * 30_000 + "y",
        "1" + " " * 30_000 + "y",
        "property" + "*" * 30_000 + "y",
        '{"answer' + " " * 3_000 + 'y": 1}',
    ],
)
def test_hostile_replies_are_read_quickly(reply):
    parse_annotations(reply, 1)
    parse_annotations(reply, 3)
    parse_interpretation(reply)
    for choices in [THIRD, SCALE, DIGITS, PREFIXES, ("answer x", "no no")]:
        parse_annotations(reply, 1, choices)
        parse_annotations(reply, 3, choices)


# Other answers than yes and no

THIRD = ("yes", "no", "cannot tell")
SCALE = ("not at all", "somewhat", "strongly")
DIGITS = ("1", "2", "3", "4", "5")
SIGNED = ("-1", "0", "1")
HALVES = ("0.5", "1.50", "2")
PREFIXES = ("not", "not at all", "not at all clear", "clear")
GRADES = ("A", "A+", "A-", "C#", "(b)")
GERMAN = ("trifft überhaupt nicht zu", "weiß nicht", "trifft zu")
CHINESE = ("是", "不是", "看不出来")
HINDI = ("हाँ", "नहीं", "पता नहीं")
EMOJI = ("👍", "👎")
ANSWER_SETS = [THIRD, SCALE, DIGITS, SIGNED, HALVES, PREFIXES, GRADES, GERMAN, CHINESE, HINDI, EMOJI]

DECORATIONS = [
    "{}", "{}.", " {}\n", "**{}**", "_{}_", "*{}*.", '"{}"', "'{}'", "“{}”", "‘{}’", "`{}`", "- {}", "* {}", "> {}",
    "# {}", "- **{}**", "1. {}", "1) **{}**", "```\n{}\n```", "```{}```", "```json\n\"{}\"\n```",
    "<think>{other}</think>{}", "{other}\n</thinking>\n\n{}", "Answer: {}", "**Answer:** {}", "Answer: **{}**",
    "The answer is {}.", 'Final answer: "{}"', "It says so.\n\nAnswer: {}", "It says so.\n{}", "{}\nIt says so.",
    "{}, because it says so.", "{} because it says so.", "{}: it says so", "{} (it says so)", "{} - it says so", '"{}"',
    '{{"answer": "{}"}}', '{{"1": "{}"}}', '["{}"]',
    '{{"1": {{"answer": "{}", "reason": "it says so"}}}}', '{{"reason": "it says so", "answer": "{}"}}',
]  # fmt: skip
cases = st.sampled_from([str, str.upper, str.title, lambda choice: choice.replace(" ", "_")])


@st.composite
def choice_sets(draw):
    """Some answers of one to three words or numbers, in one of several scripts."""
    alphabet = draw(st.sampled_from(["abceny", "0123456789", "абвньшя", "ßäéñoi", "是不出来看", "가나다라", "ابتث"]))
    word = st.text(alphabet, min_size=1, max_size=4)
    choice = st.lists(word, min_size=1, max_size=3).map(" ".join)
    return tuple(draw(st.lists(choice, min_size=2, max_size=6, unique_by=str.casefold)))


any_choices = st.sampled_from(ANSWER_SETS) | choice_sets()


@st.composite
def choice_and_another(draw):
    choices = draw(any_choices)
    place = draw(st.integers(0, len(choices) - 1))
    return choices, place, draw(st.sampled_from([choice for i, choice in enumerate(choices) if i != place]))


@any_speed
@given(choice_and_another(), st.sampled_from(DECORATIONS), cases)
def test_any_answer_in_any_decoration_is_read_back(asked, decoration, case):
    choices, place, other = asked
    assert parse_annotations(decoration.format(case(choices[place]), other=other), 1, choices) == [place]


@any_speed
@given(
    choice_and_another(),
    st.sampled_from(["{} or {}", "{}/{}", "{} / {}", "{}, {}", "{},{}", "{}\n{}", "{} and {}", "Answer: {} or {}",
                     "**{}** or **{}**", "{}, or maybe {}", '["{}", "{}"]',
                     '{{"{}": 0.4, "{}": 0.6}}', '{{"answer": "{}", "label": "{}"}}',
                     '{{"1": {{"answer": "{} / {}"}}}}', "Answer: {}. No, answer: {}"]),
)  # fmt: skip
def test_two_answers_are_no_answer(asked, form):
    choices, place, other = asked
    assume(f"{choices[place]} {other}" not in choices)
    reply = form.format(choices[place], other)
    assert parse_annotations(reply, 1, choices) is None


numbered_forms = st.sampled_from(["object", "fenced", "array", "nested", "keys", "rows", "lines", "brackets", "bold"])


def numbered_reply(answers, form):
    numbered = {str(i): answer for i, answer in enumerate(answers, 1)}
    return {
        "object": json.dumps(numbered),
        "fenced": f"Here:\n```json\n{json.dumps(numbered, ensure_ascii=False, indent=1)}\n```",
        "array": json.dumps(answers),
        "nested": json.dumps({"answers": numbered}),
        "keys": json.dumps({f"property_{i}": answer for i, answer in reversed(numbered.items())}),
        "rows": json.dumps([{"number": int(i), "answer": answer} for i, answer in numbered.items()]),
        "lines": "\n".join(f"{i}. {answer}" for i, answer in numbered.items()),
        "brackets": "\n".join(f"{i}) {answer}, because" for i, answer in numbered.items()),
        "bold": "\n".join(f"**{i}:** {answer}" for i, answer in reversed(numbered.items())),
    }[form]


@any_speed
@given(any_choices, st.data(), numbered_forms)
def test_answers_of_several_concepts_round_trip(choices, data, form):
    places = data.draw(st.lists(st.integers(0, len(choices) - 1), min_size=2, max_size=20))
    assert parse_annotations(numbered_reply([choices[i] for i in places], form), len(places), choices) == places


@any_speed
@given(any_choices, st.data(), numbered_forms.filter(lambda form: form != "array"))
def test_an_answer_that_was_not_asked_for_leaves_the_others_alone(choices, data, form):
    places = data.draw(st.lists(st.integers(0, len(choices) - 1), min_size=2, max_size=8))
    stranger = data.draw(st.integers(0, len(places) - 1))
    answers = [choices[i] for i in places]
    answers[stranger] = "certainly maybe"
    expected = [None if i == stranger else place for i, place in enumerate(places)]
    assert parse_annotations(numbered_reply(answers, form), len(places), choices) == expected


@any_speed
@given(st.data(), any_choices, st.integers(1, 5))
def test_answers_fit_the_question_or_are_refused(data, choices, n_concepts):
    pieces = [
        *choices,
        *"[]{}\"',:.-*_ \n0123456789",
        "answer",
        '"answer": ',
        "true",
        "because",
        "Answer: ",
        "1. ",
        "2) ",
    ]
    reply = data.draw(
        st.lists(st.sampled_from(pieces), max_size=12).map("".join)
        | st.recursive(
            st.sampled_from([*choices, True, False, None, 0, 1, 3, 0.5, math.nan]),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*choices, *"0123x"]), inner),
            max_leaves=8,
        ).map(json.dumps)
    )
    answers = parse_annotations(reply, n_concepts, choices)
    places = {None, *range(len(choices))}
    assert answers is None or (len(answers) == n_concepts and set(answers) <= places and set(answers) != {None})


@pytest.mark.parametrize(
    ("choices", "reply", "choice"),
    [
        (DIGITS, "4", "4"),
        (DIGITS, "1. 4", "4"),
        (DIGITS, "1. Because it is mild.", "1"),
        (DIGITS, "4. Because it is hot.", "4"),
        (DIGITS, '{"1": 4}', "4"),
        (DIGITS, "[5]", "5"),
        (DIGITS, '{"1": {"answer": 4, "confidence": 5}}', "4"),
        (SIGNED, "-1", "-1"),
        (SIGNED, "- 1", "1"),
        (SIGNED, "Answer: -1", "-1"),
        (SIGNED, "[-1]", "-1"),
        (HALVES, "1.50", "1.50"),
        (HALVES, "[0.5]", "0.5"),
        (PREFIXES, "not at all.", "not at all"),
        (PREFIXES, "```not at all clear```", "not at all clear"),
        (THIRD, "true", "yes"),
        (THIRD, "[false]", "no"),
        (THIRD, '"Cannot tell."', "cannot tell"),
        (THIRD, "1", "yes"),
        (("true", "false"), "true", "true"),
        (("can't tell", "clear"), "Can’t tell", "can't tell"),
    ],
)
def test_one_answer(choices, reply, choice):
    assert parse_annotations(reply, 1, choices) == [choices.index(choice)]


@pytest.mark.parametrize(
    ("choices", "reply"),
    [
        (DIGITS, "1. I would say 4"),
        (DIGITS, "4.5"),
        (DIGITS, "-4"),
        (DIGITS, "4%"),
        (DIGITS, "4 dishes were cold"),
        (DIGITS, "45"),
        (DIGITS, "true"),
        (DIGITS, '{"4": true}'),
        (DIGITS, '{"1": {"4": true}}'),
        (DIGITS, '{"1": {"answer": "unsure", "confidence": 4}}'),
        (PREFIXES, "not clear"),
        (PREFIXES, "not sure"),
        (PREFIXES, "clearly"),
        (THIRD, "No clear sign of it, so hard to say"),
        (THIRD, '{"cannot tell": true}'),
        (THIRD, "Yes and no"),
        (SCALE, "yes"),
        (SCALE, "true"),
        (SCALE, "[true]"),
        (SCALE, "1"),
        (CHINESE, "是不是"),
        (CHINESE, "是，或不是"),
        (("ha", "no"), "ha\u0301"),
        (GRADES, "A#"),
    ],
)
def test_one_answer_refused(choices, reply):
    assert parse_annotations(reply, 1, choices) is None


def test_numbers_are_told_from_answers_that_are_numbers():
    assert parse_annotations("3. 1\n1. 4\n2: **2**", 3, DIGITS) == [3, 1, 0]
    assert parse_annotations('{"1": 2, "2": "5", "3": 1}', 3, DIGITS) == [1, 4, 0]
    assert parse_annotations('[{"number": 2, "answer": 1}, {"number": 1, "answer": 2}]', 2, DIGITS) == [1, 0]
    assert parse_annotations("1.4\n2.3", 2, DIGITS) is None  # decimals, or a list without spaces
    assert parse_annotations("1 -1\n2 -1", 2, SIGNED) is None


def test_the_order_of_answers_moves_their_places_only():
    for choices in permutations(SCALE):
        assert choices[parse_annotations("Somewhat.", 1, choices)[0]] == "somewhat"


def test_answers_are_checked():
    names, values = check_answers(
        {"not at all": 0, "somewhat": Fraction(1, 2), "strongly": np.float32(1), "?!x": math.nan}
    )
    assert names == ("not at all", "somewhat", "strongly", "?!x")
    assert values[:3] == (0.0, 0.5, 1.0)
    assert math.isnan(values[3])
    assert all(type(value) is float for value in values)
    assert check_answers(None) == (None, (0.0, 1.0))
    for choices in ANSWER_SETS:
        assert check_answers({choice: i for i, choice in enumerate(choices)})[0] == choices


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"yes": 1},
        {str(i): i for i in range(21)},
        {"yes": 1, " ": 0},
        {"yes": 1, "": 0},
        {"yes": 1, "--": 0},
        {"yes": 1, "YES": 0},
        {"cannot tell": 1, "cannot  tell": 0},
        {"cannot tell": 1, "cannot_tell": 0},
        {"yes": 1, '"yes".': 0},
        {"straße": 1, "STRASSE": 0},
        {"caf\u00e9": 1, "cafe\u0301": 0},
        {"yes": 1, "no\nway": 0},
        {"yes": 1, "no\u2028way": 0},
        {"yes": 1, "\ud800": 0},
        {"yes": 1, "n" * 41: 0},
        {"yes": 1, "no": 1},
        {"yes": 1, "no": math.nan},
        {"yes": 1, "no": math.inf},
        {"yes": 1, "no": 10**400},
    ],
)
def test_answers_that_cannot_be_told_apart_or_used(choices):
    with pytest.raises(ValueError, match=r"^answers "):
        check_answers(choices)


@pytest.mark.parametrize(
    "choices", [["yes", "no"], "yes", 1, {1: 1, 0: 0}, {"yes": "1", "no": 0}, {"a": 1j, "b": None}]
)
def test_answers_of_the_wrong_type(choices):
    with pytest.raises(TypeError, match=r"^answers "):
        check_answers(choices)
