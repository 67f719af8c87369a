"""Name neurons by the words and phrases of the texts that activate them, and find those words in texts.

The sentence is the whole model: `mentions "rude" or "never again"` holds for a text that contains one of
the quoted terms, and `mentions more of "rude" or "never again" than of "great" or "love"` for a text that
contains more of the first than of the second. So a name says exactly what is annotated.
"""

from collections import defaultdict
from functools import partial

import numpy as np
import regex
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from sklearn_sae.utils._validation import listed
from sklearn_sae.utils._words import UNSPACED, fold, stretches

_NUMBER = regex.compile(r"\p{N}+(?:[.,:]\p{N}+)*")
_SPACE_WITHIN = regex.compile(rf"(?<={UNSPACED.pattern}) (?={UNSPACED.pattern})")

_N_CANDIDATES = 300  # terms of a neuron that are tried in a set
# The log-odds of a term that is tried differ from 0 by so many standard errors. Where few texts allow no z-score of
# that size, half the largest is enough for the first set.
_SURE_Z = 3.0
# The weight of the prior, as a share of the corpus. With less weight, a term of activating texts alone has a large
# standard error and looks unsure, and more rare terms pass by chance.
_PRIOR_SHARE = 0.1
# Is added to a set's share of texts in the denominator of its correlation, so that a rare set needs a stronger one.
_RARITY = 0.05
_OPPOSED = " than of "  # between the two sets of a sentence
_MOST_NEURONS = 3  # In the names of so many neurons a term may be.
_STEM_LENGTH = 4  # the least number of letters of a last word that stays the same word with an "s" at its end


def terms_of(text, *, tokenizer, ngram_range, stop_words=frozenset()):
    """Return the distinct words and phrases of `text`, folded, one space between words.

    Parameters
    ----------
    text : str
    tokenizer : callable or None
        As of `sklearn_sae.utils._words.stretches`.
    ngram_range : tuple of (int, int)
        The least and the largest number of words of a phrase.
    stop_words : frozenset of str, default=frozenset()
        No phrase starts or ends with one.

    Returns
    -------
    terms : list of str
        Without those that start and end with a number, or that start or end with a single ASCII letter.
    """
    least, largest = ngram_range
    terms = {}  # a dict keeps the order, so that nothing depends on the hashes of strings
    for words in stretches(text, tokenizer):
        number = [_NUMBER.fullmatch(word) is not None for word in words]
        edge = [word not in stop_words and not (len(word) == 1 and word.isascii() and word.isalpha()) for word in words]
        for n in range(least, largest + 1):
            for i in range(len(words) - n + 1):
                j = i + n - 1
                if edge[i] and edge[j] and not (number[i] and number[j]):
                    terms[" ".join(words[i : i + n])] = None
    return list(terms)


def find_terms(texts, *, tokenizer, ngram_range, stop_words, min_df):
    """Return which text has which term.

    Parameters
    ----------
    texts : list of str
    tokenizer, ngram_range, stop_words
        As in `terms_of`.
    min_df : int or float
        Terms in fewer texts (a float: a smaller share of them) are left out.

    Returns
    -------
    presence : csc_array of shape (n_texts, n_terms), float64
        1 where the text has the term in one of its `variants`.
    terms : ndarray of str of shape (n_terms,)
        Of "minute" and "minutes", which are one term, the one in more texts.
    """
    analyze = partial(terms_of, tokenizer=tokenizer, ngram_range=ngram_range, stop_words=stop_words)
    vectorizer = CountVectorizer(analyzer=analyze, dtype=np.float64)
    try:
        presence = sparse.csc_array(vectorizer.fit_transform(texts))
    except ValueError:  # an empty vocabulary
        return sparse.csc_array((len(texts), 0)), np.array([], dtype=object)
    terms = vectorizer.get_feature_names_out()
    column = {term: i for i, term in enumerate(terms)}
    n_texts = np.diff(presence.indptr)
    shown = np.arange(len(terms))
    for i, term in enumerate(terms):
        j = column.get(term[:-1], i) if term in variants(term[:-1]) else i
        shown[[i, j]] = i if n_texts[i] > n_texts[j] else j
    merge = sparse.csc_array((np.ones(len(terms)), (np.arange(len(terms)), shown)), shape=(len(terms),) * 2)
    presence = sparse.csc_array(presence @ merge)
    presence.data[:] = 1
    least = min_df if isinstance(min_df, (int, np.integer)) else np.ceil(min_df * len(texts))
    frequent = np.flatnonzero(np.diff(presence.indptr) >= max(least, 1))
    return presence[:, frequent], terms[frequent]


def log_odds(inside, outside, prior):
    """Return the z-score of each term's log-odds ratio, with an informative Dirichlet prior.

    Equations 15 to 22 of Monroe, Colaresi and Quinn (2008), "Fightin' Words", Political Analysis 16(4).

    Parameters
    ----------
    inside, outside : ndarray of shape (n_terms,)
        The (weighted) counts of each term in the texts that activate the neuron, and in the others.
    prior : ndarray of shape (n_terms,)
        Pseudo-counts, all above 0.

    Returns
    -------
    z : ndarray of shape (n_terms,)
        Above 0 for terms that are more usual inside.
    """
    a, b = inside + prior, outside + prior
    rest_a, rest_b = (np.maximum(counts.sum() - counts, 1e-12) for counts in (a, b))
    return (np.log(a / rest_a) - np.log(b / rest_b)) / np.sqrt(1 / a + 1 / b)


def find_candidates(presence, activations, uses):
    """Return for each neuron the terms that may be in its name: those that are sure to set its texts apart.

    A term that does so for many neurons is left to the few of which it is most telling, because words that half of all
    names share tell no name from the others.

    Parameters
    ----------
    presence : csc_array of shape (n_texts, n_terms)
    activations : list of ndarray of shape (n_texts,)
        Of each neuron, above 0 where it activates.
    uses : list of ndarray of bool of shape (n_texts,)
        The texts to look at for each neuron.

    Returns
    -------
    candidates : list of (ndarray of int, ndarray of int)
        For each neuron the terms that are more, and less, usual in the texts that activate it; the surest first.
    """
    found = [_candidates(presence, activation, use) for activation, use in zip(activations, uses, strict=True)]
    neuron = np.repeat(np.arange(len(found)), [len(more) for more, _, _ in found])
    term, z = (np.concatenate([one[part] for one in found]) for part in (0, 1))
    order = np.lexsort([-z, term])
    first = np.searchsorted(term[order], term[order])  # where the neurons of the same term begin
    is_kept = np.zeros(len(term), dtype=bool)
    is_kept[order] = np.arange(len(order)) - first < _MOST_NEURONS
    return [(more[is_kept[neuron == i]], less) for i, (more, _, less) in enumerate(found)]


def _candidates(presence, activation, use):
    """Return the terms that are more usual in the activating texts, how sure that is, and those that are less usual."""
    weight, used = _weigh(activation, use), use.astype(np.float64)
    none = np.array([], dtype=np.intp)
    if not weight.any() or not presence.shape[1]:
        return none, none.astype(np.float64), none
    inside, outside = presence.T @ weight, presence.T @ (used * (weight == 0))
    z = log_odds(inside, outside, _PRIOR_SHARE * np.diff(presence.indptr))
    more, less = (np.argsort(-side, kind="stable")[:_N_CANDIDATES] for side in (z, -z))
    more = more[z[more] > max(0, min(_SURE_Z, z.max() / 2))]
    return more, z[more], less[z[less] < -_SURE_Z]


def _weigh(activation, use):
    """Return the weight of each text, the square root of its activation, lest a few decide alone; 1 on average."""
    weight = np.sqrt(np.where(use, np.maximum(activation, 0), 0), dtype=np.float64)
    return weight / weight[weight > 0].mean() if weight.any() else weight


def choose_terms(presence, activation, n_keywords, *, use, more, less=(), target=None):
    """Choose two small sets of terms: a text with more of the first than of the second activates the neuron.

    From the candidates the sets grow, term by term, by the correlation of "has more of the first" with the activation
    (and the target), as long as that rises: the first set alone, then both. Chance words are kept out by the bar for
    candidates, not by a least gain: terms that add little each add much together, on other texts too.

    Parameters
    ----------
    presence : csc_array of shape (n_texts, n_terms)
    activation : ndarray of shape (n_texts,)
        Above 0 where the neuron activates.
    n_keywords : int
        The most terms in both sets together.
    use : ndarray of bool of shape (n_texts,)
        The texts to look at.
    more, less : array-like of int
        The candidates for the first and the second set, as columns of `presence`.
    target : ndarray of shape (n_texts, n_targets) or None, default=None
        What the sets are to go with beside the activation: the column that goes most with it. A column of standard
        deviation 1 counts as much as the activation.

    Returns
    -------
    chosen, opposed : list of int
        Columns of `presence`, best first; both [] if no term agrees with the neuron.
    """
    aim, used = _aim(_weigh(activation, use), use, target), use.astype(np.float64)
    more, less = (np.asarray(terms, dtype=np.intp) for terms in (more, less))
    if not aim.any() or not len(more):
        return [], []
    candidates, sign = np.concatenate([more, less]), np.repeat([1, -1], [len(more), len(less)])
    columns = sparse.block_diag((presence[:, more], presence[:, less]), format="csc")

    n = used.sum()
    surplus = np.zeros(len(aim), dtype=int)  # a text's terms of the first set, less those of the second

    def change(per_text):
        """Return by how much each candidate would change the mean of `per_text` where the name holds."""
        return columns.T @ np.concatenate([per_text * (surplus == 0), -per_text * (surplus == 1)]) / n

    sets = [], []
    best = share = held = 0.0
    for eligible in (sign > 0, sign != 0):
        free = eligible & ~np.isin(candidates, sets[0])
        while free.any() and sum(map(len, sets)) < n_keywords:
            shares, helds = share + change(used), held + change(aim)
            score = helds / np.sqrt((shares + _RARITY) * (1 - shares) + 1e-12)
            i = int(np.argmax(np.where(free, score, -np.inf)))
            if score[i] <= best + 1e-9:
                break
            best, share, held, free[i] = score[i], shares[i], helds[i], False
            term = int(candidates[i])
            surplus[presence.indices[presence.indptr[term] : presence.indptr[term + 1]]] += sign[i]
            sets[int(sign[i] < 0)].append(term)
    return sets


def _aim(weight, use, target):
    """Return what a name should agree with: a number for each text, of mean 0 over the texts used, and 0 elsewhere."""
    spread = weight[use].std()
    if spread == 0:
        return np.zeros(len(weight))
    aim = np.where(use, (weight - weight[use].mean()) / spread, 0)
    if target is not None:
        pulls = aim @ target
        i = np.argmax(np.abs(pulls))
        pull = np.sign(pulls[i]) * target[:, i]
        aim += np.where(use, pull - pull[use].mean(), 0)
    return aim


def write_sentence(terms, opposed=(), *, tokenizer=None):
    """Return `mentions "a", "b" or "c"`, or with a second set `mentions more of "a" or "b" than of "c"`."""
    if not len(opposed):
        return f"mentions {_listed(_without_contained(terms), tokenizer)}"
    return f"mentions more of {_listed(terms, tokenizer)}{_OPPOSED}{_listed(opposed, tokenizer)}"


def match_sentences(texts, sentences, *, tokenizer):
    """Return which sentence holds for which text: it has more of the first terms than of the second.

    Each quoted term counts once, however often the text has it.

    Parameters
    ----------
    texts : list of str
    sentences : list of str
        As `write_sentence` writes them from terms found with the same `tokenizer`.
    tokenizer : callable or None

    Returns
    -------
    holds : ndarray of bool of shape (n_texts, n_sentences)
    """
    phrases = defaultdict(list)  # first word -> (words, term) of each quoted term that starts with it
    counts = {}  # term, as (sentence, position) -> 1 in the first set, -1 in the second
    for i, sentence in enumerate(sentences):
        parts = sentence.split('"')
        count = 1
        for term, (before, quoted) in enumerate(zip(parts[::2], parts[1::2], strict=False)):
            count = -1 if before == _OPPOSED else count
            counts[i, term] = count
            for *some, last in _readings(quoted, tokenizer):
                for variant in variants(last):
                    phrase = (*some, variant)
                    phrases[phrase[0]].append((phrase, (i, term)))
    surplus = np.zeros((len(texts), len(sentences)), dtype=np.int16)
    for row, text in enumerate(texts):
        found = set()
        for words in stretches(text, tokenizer):
            for start, word in enumerate(words):
                for phrase, term in phrases.get(word, ()):
                    if len(phrase) == 1 or words[start : start + len(phrase)] == phrase:
                        found.add(term)
        for term in found:
            surplus[row, term[0]] += counts[term]
    return surplus > 0


def _readings(quoted, tokenizer):
    """Return the lists of words that a quoted term may be: as it is spaced, and as a text would be divided."""
    spaced = [fold(word) for word in quoted.split()]
    divided = [word for words in stretches(quoted, tokenizer) for word in words]
    return [words for words in ([spaced] if spaced == divided else [spaced, divided]) if words]


def variants(term):
    """Return the term, and what it is with an "s" more or less at the end, unless its last word is short."""
    variants = {term, term + "s"}
    if term.endswith("s") and not term.endswith("ss"):
        variants.add(term[:-1])
    return {one for one in variants if one == term or len(one.rpartition(" ")[2].removesuffix("s")) >= _STEM_LENGTH}


def _show(term, tokenizer):
    """Return the term without the spaces that its script does not have, if it is then still divided as it was."""
    shown = _SPACE_WITHIN.sub("", term)
    return shown if shown == term or _readings(shown, tokenizer)[-1] == term.split() else term


def _listed(terms, tokenizer):
    return listed([f'"{_show(term, tokenizer)}"' for term in terms], "or")


def _without_contained(terms):
    """Leave out terms that contain another, which add nothing: "great food" beside "great"."""
    return [t for t in terms if not any(o != t and f" {o} " in f" {t} " for o in terms)]
