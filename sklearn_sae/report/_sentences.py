"""What effects and scores say, in sentences that can be quoted."""

import numpy as np

from sklearn_sae.evaluation._separation import sides_of
from sklearn_sae.report._effects import signed
from sklearn_sae.report._wording import are_of_class, class_name, predicted, that_say
from sklearn_sae.utils._decimals import written

_MORE, _LESS = {"count": ("more", "fewer")}, ("higher", "lower")
_ALIKE = 0.3  # a correlation from which hypotheses are said to go together


def effect_sentence(own, annotation, target, code, words, form, confidence):
    """Return what a hypothesis says of the target, or of a class, as a sentence.

    Parameters
    ----------
    own : Estimate
    annotation : ndarray of shape (n_rows,)
    target : Target
    code : int or None
        The class.
    words : Wording
    form : str
        The format of the numbers.
    confidence : float
    """
    n_answered = np.count_nonzero(~np.isnan(annotation))
    n_holds = np.count_nonzero(np.abs(annotation) >= 0.5)
    how_often = f"{n_holds:,} of {n_answered:,} {words.noun}"
    if np.isnan(own.value):
        kind = "none" if n_holds == 0 else "all"
        return f"It holds for {kind} of the {n_answered:,} {words.noun}, so there is nothing to compare."
    if words.are_pairs:
        said, often = of_pairs(own, annotation, code, words, form, confidence), f"so in {how_often}"
    else:
        say = that_say(words)[0]
        often = f"{how_often} do" if say.endswith("say this") else f"it holds for {how_often}"
        if words.form == "class":
            said = _of_class(own, say, annotation, target, code, words, form, confidence)
        else:
            said = of_numbers(own, say, words, form, confidence)
    return f"{said}; {often}.{doubt(own)}"


def of_numbers(own, say, words, form, confidence):
    who = f"{words.noun[0].upper()}{words.noun[1:]} {say}"
    return f"{who} {_difference(own.value, words, form)} ({interval_in_words(own, words, form, confidence)})"


def _difference(value, words, form):
    """Return a difference of means as words: "have 1.3 stars fewer", "have a score that is 0.2 higher"."""
    size, way = written(abs(value), form), way_of(value, words)
    if words.form == "count":
        return f"have {size} {words.unit} {way}"
    if words.form == "place":
        return f"are {size} places {way} on the scale from {words.scale[0]} to {words.scale[-1]}"
    return f"have a {words.target} that is {size} {way}"


def way_of(value, words):
    """Return the direction of a difference: "more", "fewer", "higher" or "lower"."""
    return _MORE.get(words.form, _LESS)[value < 0]


def interval_in_words(own, words, form, confidence):
    """Return a confidence interval in words, with its signs where these are not clear."""
    if np.isnan(own.low):
        return f"too few {words.noun} for an interval"
    what = f"{100 * confidence:g}% interval"
    if words.form == "class":
        return f"{what} {signed(own.low, form)} to {signed(own.high, form)}"
    if own.low >= 0 or own.high <= 0:
        low, high = sorted((abs(own.low), abs(own.high)))
        return f"{what} {written(low, form)} to {written(high, form)}"
    ends = (f"{written(abs(end), form)} {way_of(end, words)}" for end in (own.low, own.high))
    return f"{what} {' to '.join(ends)}"


def _of_class(own, say, annotation, target, code, words, form, confidence):
    *sides, _ = sides_of(annotation)
    high, low = (f"{np.mean(target.values[side] == code):.{_decimals_of(form)}%}" for side in sides)
    points = f"{signed(own.value, form)} points, {interval_in_words(own, words, form, confidence)}"
    return f"{high} of the {words.noun} {say} {are_of_class(words, code)}, {low} of the others ({points})"


def _decimals_of(form):
    return int(form[2]) if form.endswith("f") else 1


def of_pairs(own, annotation, code, words, form, confidence):
    says = that_say(words)[1]
    only = f"Where only one of the two {words.texts} {says}"
    if words.form != "class":
        size = written(abs(own.value), form)
        way = "leads" if own.value >= 0 else "trails"
        of = f"{size} {words.unit}" if words.form in ("count", "place") else f"{size} ({predicted(words)})"
        return f"{only}, it {way} the other by {of} ({interval_in_words(own, words, form, confidence)})"
    points = f"{signed(own.value, form)} points, {interval_in_words(own, words, form, confidence)}"
    if len(words.labels) > 2:
        return f"{only} and that is the first, {class_name(words, code)} is more or less frequent ({points})"
    if sides_of(annotation).share == 1:  # no pair of the one side or of the other
        return f"{only}, its chances to win are other than where neither or both do ({points})"
    decimals = _decimals_of(form)
    return f"{only}, it wins in {0.5 + own.value / 100:.{decimals}%} of the pairs instead of 50% ({points})"


def doubt(own):
    """Say that a difference may be chance, if it is not significant."""
    if own.significant:
        return ""
    known = "" if np.isnan(own.pvalue) else f" ({in_words(own.pvalue)} before the correction)"
    return f" That may be chance{known}."


def in_words(pvalue):
    """Return a p-value as "p = 0.03" or "p < 0.001"."""
    return "p < 0.001" if pvalue < 1e-3 else f"p = {float(f'{pvalue:.2g}'):g}"


def facts_of(number, effects, fidelity, correlations, numbers, annotation, target, words, forms, confidence):
    """Return further sentences on a hypothesis: what it adds, its fidelity, and with what it goes together.

    Parameters
    ----------
    number : int
        Its place among the columns of `correlations`.
    effects : tuple of Effect
    fidelity : float
    correlations : ndarray of shape (n_hypotheses, n_hypotheses)
    numbers : list of int
        The number of each hypothesis in the report.
    annotation : ndarray of shape (n_rows,)
    target : Target
    words : Wording
    forms : tuple of (str, str)
        The formats of effects on their own, and beside the others.
    confidence : float
    """
    facts = [_added(effect, words, forms[1], confidence) for effect in effects]
    if not np.isnan(fidelity):
        facts.append(
            f"Its name agrees with the neuron it stands for with an F1 of {fidelity:.2f}, on texts held back from the "
            "naming."
        )
    if not words.are_pairs and words.form != "class" and not np.isnan(effects[0].own.value):
        facts.insert(0, _means(annotation, target, words, forms[0]))
    others = np.where(np.arange(len(numbers)) == number, 0, np.nan_to_num(correlations[number]))
    nearest = int(np.abs(others).argmax())
    if abs(others[nearest]) >= _ALIKE:
        how = "goes together with" if others[nearest] > 0 else "excludes, more often than not,"
        facts.append(f"It {how} hypothesis {numbers[nearest]} (correlation {signed(others[nearest], '.2f')}).")
    return tuple(facts)


def _means(annotation, target, words, form):
    *sides, _ = sides_of(annotation)
    high, low = (written(target.values[side].mean(), form) for side in sides)
    if words.form == "count":
        return f"The mean is {high} {words.unit} where it holds and {low} elsewhere."
    what = "place" if words.form == "place" else f"of {predicted(words)}"
    return f"The mean {what} is {high} where it holds and {low} elsewhere."


def _added(effect, words, form, confidence):
    joint, of = effect.joint, f" of “{effect.of}”" if effect.of else ""
    if np.isnan(joint.value):
        return f"What it adds to all the other hypotheses{of} is not known."
    unit = {"class": " log-odds", "size": ""}.get(words.form, f" {words.unit}")
    said = f"Beside all the other hypotheses: {signed(joint.value, form)}{unit}{of}"
    if not np.isnan(joint.low):
        limits = (signed(limit, form) for limit in (joint.low, joint.high))
        said += f", {100 * confidence:g}% interval {' to '.join(limits)}"
    if not joint.significant:
        said += "; not significant" + ("" if np.isnan(joint.pvalue) else f" ({in_words(joint.pvalue)})")
    return f"{said}."
