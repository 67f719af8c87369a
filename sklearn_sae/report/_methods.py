"""How a result was made, in the words of a paper's section on methods, which cites what was used."""

from typing import NamedTuple

from sklearn_sae import __version__
from sklearn_sae._beyond_controls import has_residual
from sklearn_sae._text_pairs import annotator_of, is_of_pairs
from sklearn_sae.annotation import KeywordHypothesisAnnotator, LLMHypothesisAnnotator, QuoteHypothesisAnnotator
from sklearn_sae.evaluation._by_lines import subgroups_in
from sklearn_sae.report._beyond import of_controls_weights_and_subgroups
from sklearn_sae.report._corrected import is_corrected, of_correction
from sklearn_sae.report._references import bibtex, bibtex_of_package, cited, reference
from sklearn_sae.report._settings import shown_value, sizes_of, trained_step
from sklearn_sae.report._wording import predicted
from sklearn_sae.utils._controls import named_controls
from sklearn_sae.utils._validation import counted


class Methods(NamedTuple):
    """Words for a section on methods, and what they cite."""

    text: str
    references: tuple  # of str
    bibtex: str


def methods_of(sentences):
    """Return the `Methods` of sentences in which ``[key]`` stands for a citation."""
    text = " ".join(sentences)
    parts = text.split("[[")
    keys, out = [], parts[0]
    for part in parts[1:]:
        inside, _, rest = part.partition("]]")
        some = inside.split(" ")
        keys += some
        out += f"({'; '.join(map(cited, some))}){rest}"
    keys = sorted(dict.fromkeys(keys))
    references = (*map(reference, keys), f"The sklearn_sae developers. sklearn_sae, version {__version__}.")
    return Methods(out, references, "\n\n".join([*map(bibtex, keys), bibtex_of_package(__version__)]))


def of_finding(discovery, words):
    """Return sentences on how hypotheses were found and held-out texts were chosen."""
    encoder = annotator_of(discovery.pipeline).encoder_
    n = discovery.evaluation.metrics["n_hypotheses"]
    return [
        f"Hypotheses on what in the texts predicts {predicted(words)} were generated with sklearn_sae {__version__}, "
        "on scikit-learn [[pedregosa2011]], after HypotheSAEs [[movva2025]].",
        _split(discovery, words),
        *_encoded(discovery, encoder, words),
        *_paired(discovery.pipeline),
        f"By {_selected(encoder[-1])}, neurons that predict {_looked_for(discovery, words)} were selected; "
        f"{counted(n, 'hypothesis is', 'hypotheses are')} reported.",
        *_named(annotator_of(discovery.pipeline), compares=_compares(discovery.pipeline)),
        *_in_rounds(discovery.settings.get("residual_rounds", 0)),
    ]


def _looked_for(discovery, words):
    """Return what neurons were selected for: the target, or what an offset and controls leave of it."""
    evaluation, target = discovery.evaluation, predicted(words)
    if evaluation.controls and has_residual(evaluation.target):
        target = f"what is left of {target} beyond {named_controls(evaluation.controls)}"
    if evaluation.by is not None:
        target += f", or do so differently by {subgroups_in(evaluation)[0]},"
    return target


def _in_rounds(n_further):
    if n_further:
        yield (
            f"This was done in {n_further + 1} rounds: after the first, neurons of the same autoencoder were selected "
            "and named for what least squares on the hypotheses before, cross-fitted, left of the target."
        )


def _compares(pipeline):
    """Return whether a language model compared the texts of pairs."""
    return is_of_pairs(pipeline) and pipeline["hypotheses"].judge == "pairs"


def _paired(pipeline):
    """Yield a sentence on pairs, if rows are some."""
    if not is_of_pairs(pipeline):
        return
    if _compares(pipeline):
        yield (
            "Rows are pairs of texts: the autoencoder, with signed activations, was trained on the differences of the "
            "embeddings of both."
        )
    else:
        yield (
            "Rows are pairs of texts: the autoencoder was trained on single texts, each with whether it won, and a "
            "hypothesis counts as 1 where it holds for the first text alone, −1 where for the second and else 0."
        )


def _split(discovery, words):
    settings = discovery.settings
    n_train, n_test = len(discovery.train), len(discovery.test)
    seed = settings.get("random_state")
    drawn = f"drawn with seed {seed}" if seed is not None else "drawn without a fixed seed"
    together = ["copies of a text, near ones too,"]
    if settings.get("groups", "none") != "none":
        together.append(f"texts of one group{_of_name(settings['groups'])}")
    note = " found by MinHash [[broder1997]]" if any("have copies" in note for note in discovery.notes) else ""
    return (
        f"They were found on {n_train:,} {words.noun} and tested on {n_test:,} others, {drawn}; "
        f"{' and '.join(together)}{note} were never on both sides."
    )


def _of_name(groups):
    return "" if groups in ("", "given") else f" ({groups})"


def _encoded(discovery, encoder, words):
    trained = encoder[-2]
    sizes = list(sizes_of(discovery.pipeline).values())
    size = f"{sizes[0]:,} neurons, {sizes[1]} of them active" if len(sizes) == 2 else "neurons active"
    sae = trained_step(discovery.pipeline)
    kind = _kind_of_autoencoder(sae)
    weight = getattr(sae, "target_weight", 0)
    heeds = f"; its training also heeded the target (weight {weight:g})" if weight else ""
    if "read" in encoder.named_steps:
        yield (
            f"The words of the texts were read in context by {_model(trained.model)}, and on the states of words a "
            f"{kind} with {size} per word, was trained{heeds}. Texts as latents of their reader are after InterpEmbed "
            "[[jiang2025]]."
        )
        return
    unit = "text"
    embed = encoder[0]
    if hasattr(trained, "transformer_"):
        embed = trained.transformer_["embed"]
        unit = "sentence" if getattr(trained, "unit_", "sentence") == "sentence" else "text"
    yield f"The {'sentences of the ' * (unit == 'sentence')}texts were embedded by {_embedder(embed)}."
    pooled = " A neuron is as active in a text as in the sentence in which it is most." if unit == "sentence" else ""
    yield f"On the embeddings a {kind} with {size} per {unit}, was trained{heeds}.{pooled}"


def _kind_of_autoencoder(sae):
    sparsity = getattr(sae, "sparsity", "topk")
    kind = (
        "batch Top-K sparse autoencoder [[bussmann2024]]"
        if sparsity == "batch_topk"
        else ("Top-K sparse autoencoder [[gao2024]]")
    )
    params = getattr(sae, "sae_params", None) or {}
    prefixes = getattr(sae, "matryoshka_prefixes", None) or params.get("matryoshka_prefixes")
    return f"Matryoshka [[bussmann2025]] {kind}" if prefixes is not None else kind


def _embedder(embed):
    model = getattr(embed, "model", None)
    if isinstance(model, str):
        cites = ["reimers2019"] if embed.backend != "openai" and embed.base_url is None else []
        cites += ["wang2020"] if "minilm" in model.lower() else []
        return f"the model {_model(model)}{f' [[{chr(32).join(cites)}]]' if cites else ''}"
    steps = getattr(embed, "named_steps", {})
    if "wordtfidf" in steps:
        n = steps["featureunion"].transformer_list[0][1].n_components
        return f"TF-IDF of words and pairs of words, reduced to at most {n} dimensions by truncated SVD"
    return f"a {type(embed).__name__} of the user"


def _model(model):
    return shown_value("model", model)


def _selected(select):
    method = getattr(select, "method", None)
    if method == "lasso":
        return "the lasso [[tibshirani1996]]"
    return {
        "correlation": "their correlation with it",
        "separation": "the difference of its means",
        "stepwise": "stepwise selection",
    }.get(method, f"a {type(select).__name__}")


def _named(annotator, *, compares=False):
    if isinstance(annotator, KeywordHypothesisAnnotator):
        yield (
            "Each neuron was named by words and phrases that set apart the texts in which it is active (log-odds with "
            "an informative prior [[monroe2008]]); such a name holds for a text that has one of them."
            if annotator.judge == "words"
            else "Each neuron was named by words on which it is active, and holds for a text in which it is active."
        )
    elif isinstance(annotator, QuoteHypothesisAnnotator):
        yield (
            f"Each neuron was named by up to {annotator.n_quotes} quotes of the texts; such a name holds for a text of "
            "which a sentence comes close to their mean in the space of the sentence model."
        )
    elif compares:
        yield (
            f"The language model {_model(annotator.interpreter)} named each neuron from pairs of which the first text "
            f"has more of it and others; the model {_model(annotator.annotator)} then said for each pair which text "
            "has more of what the name says, or neither, with both shown in an order drawn by lot."
        )
    elif isinstance(annotator, LLMHypothesisAnnotator):
        yield (
            f"The language model {_model(annotator.interpreter)} named each neuron from texts in which it is active "
            f"and others; the model {_model(annotator.annotator)} then judged for each text whether the name holds."
        )


def of_tests(evaluation, words, *, held_out):
    """Return sentences on how hypotheses were tested."""
    if is_corrected(evaluation):
        yield from of_correction(evaluation, words)
        yield _corrected(evaluation)
        return
    m = evaluation.metrics
    rows = f"{m['n_samples']:,} {words.noun}"
    on = f"the {rows} held out" if held_out else rows
    if words.are_pairs:
        compared = "half the difference between pairs of which only the first and only the second text shows it"
    else:
        compared = f"the difference between {words.noun} for which it holds and the others"
    of_what = "in the share of the class" if words.form == "class" else f"in the mean of {predicted(words)}"
    is_clustered = evaluation.standard_errors == "clustered"
    test = "a t-test with HC3 errors [[long2000]]" if "n_effective" in m else "Welch's t-test [[welch1947]]"
    test = "a cluster-robust t-test [[cameron2015]]" if is_clustered else test
    of_shares = evaluation.task != "regression" and not is_clustered and "n_effective" not in m
    intervals = "Newcombe's intervals [[newcombe1998]]" if of_shares else "intervals"
    yield f"On {on} the effect of a hypothesis is {compared} {of_what}."
    yield (
        f"Its p-value is the larger one of {test} and a permutation test [[mielke2007]], or that of the latter where "
        f"the former is not reliable; {intervals} are of {100 * evaluation.confidence:g}%."
    )
    yield from of_controls_weights_and_subgroups(evaluation)
    yield _jointly(evaluation)
    yield _corrected(evaluation)


def _jointly(evaluation):
    model = "least squares" if evaluation.task == "regression" else "logistic regression"
    errors = {
        "clustered": "cluster-robust standard errors",
        "HC3": "HC3 standard errors [[long2000]]",
    }.get(evaluation.standard_errors, "classical standard errors")
    firth = any("Firth" in note for note in evaluation.notes)
    return (
        f"What a hypothesis adds to all the others is its coefficient in {model} on all of them, with {errors}"
        + (", of Firth's penalized form where hypotheses separate classes [[heinze2002]]" if firth else "")
        + ", tested by the larger p-value of that and of a permutation test."
    )


def _corrected(evaluation):
    name = {
        "bonferroni": "Bonferroni [[dunn1961]]",
        "holm": "Holm [[holm1979]]",
    }.get(evaluation.correction, "Benjamini and Hochberg [[benjamini1995]]")
    return (
        f"The p-values of either question were corrected for {counted(len(evaluation.table), 'test')} after {name}, at "
        f"a level of {evaluation.alpha:g}."
    )
