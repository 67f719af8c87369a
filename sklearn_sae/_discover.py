"""The whole way from texts and a target to tested hypotheses."""

from numbers import Integral, Real

from sklearn_sae._carry_out import carry_out
from sklearn_sae._plan_discovery import plan_discovery
from sklearn_sae.utils._notes import warn
from sklearn_sae.utils._sklearn_compat import HasMethods, Interval, StrOptions, validate_params
from sklearn_sae.utils._targets import TASKS

_POSITIVE = Interval(Integral, 1, None, closed="left")


@validate_params(
    {
        "texts": "no_validation",
        "y": "no_validation",
        "embedder": [str, HasMethods(["fit", "transform"]), None],
        "reader": [str, HasMethods(["fit", "transform", "word_activations"]), None],
        "unit": [StrOptions({"auto", "document", "sentence"})],
        "task": [StrOptions(set(TASKS))],
        "n_components": [_POSITIVE, StrOptions({"auto"})],
        "k": [_POSITIVE, StrOptions({"auto"})],
        "n_hypotheses": [_POSITIVE, StrOptions({"auto"})],
        "target_weight": [Interval(Real, 0, None, closed="left")],
        "naming": [
            StrOptions({"keywords", "quotes", "llm"}),
            HasMethods(["fit", "transform", "get_feature_names_out"]),
        ],
        "groups": "no_validation",
        "controls": "no_validation",
        "control_length": ["boolean", StrOptions({"auto"})],
        "sample_weight": "no_validation",
        "by": "no_validation",
        "offset": "no_validation",
        "residual_rounds": [Interval(Integral, 0, None, closed="left")],
        "test_size": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "correction": [StrOptions({"bonferroni", "holm", "fdr_bh", "benjamini-hochberg"})],
        "n_seeds": [_POSITIVE],
        "max_cost": [Interval(Real, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def discover(
    texts,
    y,
    *,
    embedder=None,
    reader=None,
    unit="auto",
    task="auto",
    n_components="auto",
    k="auto",
    n_hypotheses="auto",
    target_weight=0.2,
    naming="keywords",
    groups=None,
    controls=None,
    control_length="auto",
    sample_weight=None,
    by=None,
    offset=None,
    residual_rounds=0,
    test_size=0.2,
    alpha=0.05,
    correction="bonferroni",
    n_seeds=1,
    max_cost=None,
    random_state=None,
):
    """Find out, in plain language, what in the texts predicts the target, and test it on texts held out.

    Some of the texts are held out. The pipeline of `make_hypothesis_pipeline` is fitted on the others, which finds and
    names hypotheses. The texts held out are then annotated by the names, and the annotations are tested.

    Parameters
    ----------
    texts : sequence of str, 1-D array, Series, one-column frame, frame with a column "text", or ParquetTexts; or pairs
        The texts. Other columns of a frame can be named in the place of what they hold: ``discover(frame, "stars",
        controls=["age", "topic"], by="town")``. So can those of `ParquetTexts`, whose texts stay on disk, see
        docs/large.md. Pairs, such as two answers of which one was preferred, are a sequence of (str, str), or an array
        or frame of two columns besides those named, none of which is called "text"; of three columns the first, or the
        one called "prompt", is what both answer.

    y : array-like of shape (n_texts,)
        The target: numbers, also written as text ("4,5", "45%"), or classes. Its name, if it is a Series that has one,
        is used in what is printed. Of pairs it says which text wins, as labels that end in "first" and "second", "a"
        and "b" or 1 and 2, or as 1 (the first) and 0; or it is the lead of the first over the second.

    embedder : estimator, str or None, default=None
        What turns texts into dense vectors. A str is the model of an `EmbeddingTransformer`; None is TF-IDF followed by
        truncated SVD, which needs no download, and with quotes all-MiniLM-L6-v2 of the extra `minilm`.

    reader : ReaderSAETransformer, str or None, default=None
        What trains the autoencoder on the words of the texts, in place of one vector a text; it excludes `embedder`. A
        str is a model, such as "all-MiniLM-L6-v2". See `make_hypothesis_pipeline`.

    unit : {"auto", "document", "sentence"}, default="auto"
        Whether whole texts are embedded or their sentences. "auto": sentences, where `embedder` is a model of
        sentences and texts have several. See `make_hypothesis_pipeline`.

    task : {"auto", "regression", "binary", "multiclass", "ordinal"}, default="auto"
        What `y` is. "auto": two distinct values are two classes, of which the later is the positive one; more are
        classes, each against the rest, if they are strings or categories, else a regression. "ordinal" is a regression
        on the places 1, 2, ... of classes that have an order: ordered categories of pandas, a known scale such as
        "never" to "always", or numbers.

    n_components : int or "auto", default="auto"
        M, the number of neurons of the autoencoder. "auto" goes by the number of texts, sentences or words that are
        read, and is at least `n_hypotheses`.

    k : int or "auto", default="auto"
        K, the neurons active per text, sentence or word. "auto" is 8, or M / 4 if that is less, and 12
        where M is "auto" too and becomes 48; for sentences and with a `reader` see `make_hypothesis_pipeline`.

    n_hypotheses : int or "auto", default="auto"
        How many hypotheses to find. "auto" is 20, or fewer where there are few texts to test them on: one for every
        ten, of which copies and groups count once. Fewer come out if too few neurons have names that differ and fit.

    target_weight : float, default=0.2
        How much the training of the autoencoder attends to the target; 0 trains without it. See
        `make_hypothesis_pipeline`.

    naming : {"keywords", "quotes", "llm"} or annotator, default="keywords"
        What names the neurons: a `KeywordHypothesisAnnotator`, a `QuoteHypothesisAnnotator`, an
        `LLMHypothesisAnnotator`, or one of them with parameters of your own (its ``encoder`` is set here). Quotes are
        fragments of the texts, shown in the table and in reports; they need a sentence model.

    groups : array-like of shape (n_texts,), default=None
        Labels of what texts have in common, such as the author or the restaurant. The texts of a group are then never
        on both sides of the split, `test_size` is a share of the groups, and the tests are cluster-robust, as in
        `evaluate_hypotheses`. Groups that share a text are on the same side.

    controls : DataFrame, Series or array-like of shape (n_texts,) or (n_texts, n_controls), default=None
        What else may explain the target, such as the length of the text, the topic or the author; numbers and
        categories, as in `evaluate_hypotheses`. Hypotheses are found in what the controls leave of the target, of two
        classes in what they leave of the share of the second, and tested beyond them. Of more than two classes only
        the tests are beyond the controls. Scores and predictions are of the target itself.

    control_length : bool or "auto", default="auto"
        Whether the length of the text is one of the controls; of pairs, the difference in length. "auto": of pairs,
        because the longer answer often wins, whatever it says.

    sample_weight : array-like of shape (n_texts,), default=None
        How much each text counts, as in a survey: in the selection of neurons, in the tests, in the model that
        predicts, and in what controls leave. Neurons are trained and named from the texts as they are, and the scores
        are without weights. Texts of weight 0 are left out.

    by : array-like of shape (n_texts,), default=None
        A column of subgroups, such as the region, or of periods, such as ``dates.dt.to_period("M")``. The effect of
        each hypothesis is then tested in each of them, and whether it differs, as `evaluate_hypotheses` does; and
        hypotheses are also looked for that hold in one subgroup only, or turn their sign or grow over time, as
        `NeuronSelector` does (by an annotator that is not of this package, if its `fit` takes ``by``). Texts without a
        value are left out of that.

    offset : array-like of shape (n_texts,), default=None
        Predictions of a model of your own: numbers, or of two classes the probability of the second, between 0 and 1.
        Hypotheses are then found in what these leave of the target, and tested beyond them: what in the texts does your
        model miss? The predictions must be out-of-fold, as `sklearn.model_selection.cross_val_predict` makes them: a
        model leaves too little of texts that it was fitted to. More than two classes are refused. See
        docs/discover.md.

    residual_rounds : int, default=0
        In how many further rounds hypotheses are found for what those before leave of the target; the `n_hypotheses`
        are divided among all rounds, and tested together. `table` then has a column ``round``. For names of keywords or
        quotes, and a target of numbers or of two classes. A clone of the pipeline, fitted again, has one round, the
        first. See docs/discover.md.

    test_size : float, default=0.2
        Share of the texts to hold out, between 0 and 1. Copies of a text, near ones too, count once and are never on
        both sides; where there are any among the texts held out, the tests are cluster-robust as with `groups`. Without
        `groups`, classes keep their shares.

    alpha : float, default=0.05
        Level of significance, after the correction for the number of hypotheses.

    correction : {"bonferroni", "holm", "fdr_bh"}, default="bonferroni"
        The correction, as in `evaluate_hypotheses`.

    n_seeds : int, default=1
        With how many seeds hypotheses are found. Those with the first are tested; those with the others say how often
        each comes back, in the column `comes_back`. That takes `n_seeds` times as long. A language model is asked
        nothing more: what is compared are then the neurons that it names. Not for pairs. See `stability`.

    max_cost : float or None, default=None
        What the language model may cost, and the embedding where a server does it, in the currency of the `prices` of
        the `LLMHypothesisAnnotator` that `naming` is. A run that is estimated to cost more does not begin; see
        `estimate_cost` for what cannot be known before.

    random_state : int, RandomState instance or None, default=None
        Seeds the split and every stage that draws random numbers. An annotator or embedder of your own keeps its own
        seed. Pass an int for the same result at every call.

    Returns
    -------
    discovery : Discovery
        With `table`, `scores`, `notes` and the fitted `pipeline`; it prints as a table.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range; if a text is missing, empty or no str; if `y`, `groups`, `controls`,
        `sample_weight`, `by` or `offset` has another length, or the first two a missing value, `y` the index of `texts`
        in another order; if `offset` is no number, or no probability of two classes, or there are more; if `groups` are
        the texts or `y` themselves; if the target is constant, on one side of the split too, has nearly as many classes
        as there are texts, is a linear combination of the controls, or the offset itself; if there are too few texts
        (or groups) to split; if the run is estimated to cost more than `max_cost`, or no price is known; if `k` or
        `n_hypotheses` is larger than the number of neurons; if a language model is to be asked and there is no key. All
        of that is checked before the work begins.
    ConnectionError, PermissionError
        If the server of a language model cannot be reached, or rejects the key, and no answers of the model are stored.

    Warns
    -----
    UserWarning
        Once for each of the `notes`.

    See Also
    --------
    make_hypothesis_pipeline : The pipeline alone, for cross-validation and searches.
    evaluate_hypotheses : The tests alone, with more options.
    stability : How often hypotheses come back with other seeds, on other texts, in another order.
    show_neurons : Shows the texts that tell what each hypothesis is about.
    sklearn.model_selection.train_test_split : A split that may part the copies of a text.
    sklearn.model_selection.GroupShuffleSplit : A split of groups alone.

    Notes
    -----
    The held-out score is that of the pipeline's model: R² for a regression, AUC for classes (its mean over the
    classes where there are more than two, each against the rest). Beside it stands what others reach on the same texts:
    as many single words, chosen by lasso; as many words as the names have in all; and the embedding, or with a
    `reader` all neurons, both by ridge regression. See docs/discover.md.

    The command ``sklearn-sae discover`` calls this function.

    Examples
    --------
    >>> from sklearn_sae import discover
    >>> from sklearn_sae.datasets import make_concept_texts
    >>> reviews = make_concept_texts(1000, n_concepts=5, noise=0.1, random_state=2)
    >>> found = discover(reviews.data, reviews.target, n_hypotheses=6, random_state=0)
    >>> found.table[["hypothesis", "separation_score", "significant"]].shape
    (6, 3)
    >>> found.scores["r2"] > found.scores["r2_words"]
    True
    >>> found.pipeline.predict(["There was no end to the wait for our soup."]).shape
    (1,)
    """
    plan = plan_discovery(
        texts,
        y,
        embedder=embedder,
        reader=reader,
        unit=unit,
        task=task,
        n_components=n_components,
        k=k,
        n_hypotheses=n_hypotheses,
        target_weight=target_weight,
        naming=naming,
        groups=groups,
        controls=controls,
        control_length=control_length,
        sample_weight=sample_weight,
        by=by,
        offset=offset,
        residual_rounds=residual_rounds,
        test_size=test_size,
        alpha=alpha,
        correction=correction,
        n_seeds=n_seeds,
        max_cost=max_cost,
        random_state=random_state,
    )
    discovery = carry_out(plan)
    for note in discovery.notes:
        warn(note)
    return discovery
