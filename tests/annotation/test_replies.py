import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_sae.annotation._replies import parse_annotations, parse_interpretation

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
    ("reply", "label"),
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
def test_one_annotation(reply, label):
    assert parse_annotations(reply, 1) == [label]


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
    ("reply", "labels"),
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
def test_several_annotations(reply, labels):
    assert parse_annotations(reply, 3) == labels


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
def test_annotations_round_trip(labels, form):
    answers = [("no", "yes")[label] for label in labels]
    numbered = {str(i): answer for i, answer in enumerate(answers, 1)}
    reply = {
        "object": json.dumps(numbered),
        "array": json.dumps(answers),
        "lines": "\n".join(f"{number}. {answer}" for number, answer in numbered.items()),
    }[form]
    assert parse_annotations(reply, len(labels)) == labels


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["yes", "no"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("0123") | st.text(max_size=3), inner),
    max_leaves=10,
)


@any_speed
@given(st.text() | json_values.map(json.dumps) | st.from_regex(r"([\[{}\],:\"1-3]|yes|no| ){,20}"), st.integers(1, 5))
def test_annotations_fit_the_question_or_are_refused(reply, n_concepts):
    labels = parse_annotations(reply, n_concepts)
    assert labels is None or (len(labels) == n_concepts and set(labels) <= {0, 1, None} and set(labels) != {None})
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
