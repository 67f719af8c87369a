"""What rows, the target and its unit are called in sentences."""

from typing import NamedTuple

from sklearn_sae.report._effect import label
from sklearn_sae.report._excerpt import plain

_NOUNS = (
    *("abstract", "answer", "article", "comment", "description", "document", "email", "essay", "headline", "letter"),
    *("message", "note", "post", "question", "reply", "report", "review", "sentence", "speech", "story", "summary"),
    *("ticket", "title", "tweet"),
)
_RATINGS = ("star", "rating")
_MOST_STARS = 10  # A rating of 0 to 100 is one of points, say.
_NO_WORDS = ("yes", "no", "y", "n", "true", "false", "none")
_SECOND = ("second", "2", "b", "right")


class Wording(NamedTuple):
    """How a target and the rows are spoken of."""

    noun: str  # rows, in the plural
    texts: str  # what the two of a pair are
    target: str  # the name of the target
    unit: str  # of effects
    form: str  # "count" (have 2 stars more), "size" (have a higher score), "place" (on a scale) or "class"
    are_pairs: bool
    sign: int  # -1 where the target says of pairs that the second wins
    labels: tuple  # of str, the classes
    scale: tuple  # of str, of an ordinal target
    says: bool  # whether each name tells what a text says


def wording_of(target, target_name, text_name, names, *, are_pairs):
    """Return the `Wording` of a target.

    Parameters
    ----------
    target : Target
    target_name, text_name : str or None
        Names of columns.
    names : list of str
        Of the hypotheses.
    are_pairs : bool
    """
    noun = _noun(text_name)
    name = plain(target_name) if target_name else "target"
    labels = () if target.classes is None else tuple(plain(label(value)) for value in target.classes)
    form, unit = _unit(target, name)
    is_second = len(labels) == 2 and labels[1].lower() in _SECOND and labels[0].lower() not in ("0", "false")
    return Wording(
        noun="pairs" if are_pairs else noun,
        texts=noun,
        target=name,
        unit=unit,
        form=form,
        are_pairs=are_pairs,
        sign=-1 if are_pairs and is_second else 1,
        labels=labels,
        scale=tuple(map(plain, target.scale)),
        says=all(name.startswith(("mentions ", "says ")) for name in names),
    )


def _noun(name):
    """Return what texts are called: by the column that they stand in, if that is a usual noun."""
    name = "" if name is None else name.lower()
    known = {plural: one for one in _NOUNS for plural in (one, _plural(one))}
    return _plural(known.get(name, "text"))


def _plural(one):
    if one.endswith("y") and not one.endswith("ay"):
        return one[:-1] + "ies"
    return one + ("es" if one.endswith("ch") else "s")


def _unit(target, name):
    if target.scale:
        return "place", "places"
    if target.task != "regression":
        return "class", "points"
    lower = name.lower()
    is_rating = any(word in lower for word in _RATINGS) and lower.replace("_", "").isalpha()
    if is_rating and target.values.min() >= 0 and target.values.max() <= _MOST_STARS:
        return "count", "stars"
    last = lower.replace("_", " ").split(" ")[-1]
    is_plural = last.isalpha() and last.endswith("s") and not last.endswith(("ss", "us", "is"))
    return ("count" if is_plural else "size"), name.removeprefix("n_").replace("_", " ") if is_plural else name


def class_name(words, code):
    """Return what to call a class: “positive”, or where that is no telling word “recommended = yes”."""
    name = words.labels[code]
    return f"“{name}”" if _is_word(name) else f"“{words.target} = {name}”"


def _is_word(name):
    return any(sign.isalpha() for sign in name) and name.lower() not in _NO_WORDS


def quoted(name):
    """Return a name between quotation marks, with others in it."""
    return f"“{name.replace(chr(34), chr(39))}”"


def that_say(words):
    """Return how texts are told for which a hypothesis holds, in the plural and the singular."""
    return ("that say this", "says this") if words.says else ("for which this holds", "is so")


def are_of_class(words, code):
    """Return the words for being of a class: "are “positive”" or "have “recommended = yes”"."""
    return f"{'are' if _is_word(words.labels[code]) else 'have'} {class_name(words, code)}"


def predicted(words):
    """Return what is predicted, as the end of a sentence."""
    if words.target == "target" or (words.form == "size" and words.target.isalpha()):
        return f"the {words.target}"
    return words.target if words.form in ("count", "size") else f"“{words.target}”"


def is_share(words):
    """Whether effects are differences of shares, in points of percentage."""
    return words.form == "class"
