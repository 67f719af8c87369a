"""Answers that have an order: "never" to "always", "1 star" to "5 stars"."""

import re

# Each line is one scale, from its lower end; answers that share a place are parted by "|".
_SCALES = """
strongly disagree, disagree, somewhat disagree|slightly disagree|tend to disagree, neutral|neither agree nor disagree|neither|undecided|not sure, somewhat agree|slightly agree|tend to agree, agree, strongly agree
very dissatisfied|extremely dissatisfied, dissatisfied, somewhat dissatisfied|slightly dissatisfied, neutral|neither satisfied nor dissatisfied|neither, somewhat satisfied|slightly satisfied, satisfied, very satisfied|extremely satisfied
very negative, negative, somewhat negative|slightly negative, neutral|mixed, somewhat positive|slightly positive, positive, very positive
never, rarely|seldom|hardly ever, sometimes|occasionally, often|frequently, usually|mostly, always
terrible|very poor|very bad|awful, poor|bad, fair|average|ok|okay|acceptable, good, very good, excellent|outstanding
very unlikely|extremely unlikely, unlikely, somewhat unlikely, neutral|neither, somewhat likely, likely, very likely|extremely likely
none|no, very low, low, medium|moderate|middle, high, very high
none, mild, moderate, severe, very severe
not at all, slightly|a little|a bit, somewhat|moderately, very|quite|very much|a lot, extremely|completely
very small, small, medium, large, very large
much worse, worse, about the same|the same|same, better, much better
primary|primary school, secondary|secondary school, bachelor|bachelor's degree, master|master's degree, doctorate|phd
"""  # noqa: E501
_PLACES = [
    {answer: place for place, answers in enumerate(line.split(", ")) for answer in answers.split("|")}
    for line in _SCALES.strip().splitlines()
]
_LEADING_NUMBER = re.compile(r"(\d+)\b")


def scale_of(answers):
    """Return `answers` in the order of the scale that they belong to, or None if they belong to none.

    Parameters
    ----------
    answers : sequence of str
        Three or more, each once.

    Examples
    --------
    >>> scale_of(["Often", "Never", "Sometimes"])
    ['Never', 'Sometimes', 'Often']
    >>> scale_of(["5 stars", "1 star", "3 stars"])
    ['1 star', '3 stars', '5 stars']
    >>> scale_of(["soup", "bread", "fish"])
    """
    if len(answers) < 3 or not all(isinstance(answer, str) for answer in answers):
        return None
    plain = [" ".join(answer.replace("-", " ").split()).casefold() for answer in answers]
    numbers = [_LEADING_NUMBER.match(answer) for answer in plain]
    candidates = [[scale.get(answer) for answer in plain] for scale in _PLACES]
    if all(numbers):
        candidates.append([int(number[1]) for number in numbers])
    for places in candidates:
        if None not in places and len(set(places)) == len(places):
            return [answer for _, answer in sorted(zip(places, answers, strict=True))]
    return None
