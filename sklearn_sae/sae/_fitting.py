"""From checked rows to trained weights, by the parameters of an estimator: one fit, or one pass of `partial_fit`."""

import numpy as np
from sklearn.utils import check_random_state

from sklearn_sae.sae._blocks import choose_rows
from sklearn_sae.sae._checkpoint import open_checkpoint
from sklearn_sae.sae._initialization import continued_weights, new_weights
from sklearn_sae.sae._metric import learn_metric, second_moments
from sklearn_sae.sae._rows import Rows
from sklearn_sae.sae._scaling import center_and_scale, learn_further
from sklearn_sae.sae._schedule import anytime_schedule, resolve_schedule
from sklearn_sae.sae._shards import agree, check_same, in_all, shards_of
from sklearn_sae.sae._training import Run, State, one_epoch
from sklearn_sae.sae._weights import Weights
from sklearn_sae.utils._device import check_device
from sklearn_sae.utils._progress import progress

_NOT_SHARED = (
    "The processes of the torch.distributed group found different checkpoints; checkpoint_dir must be a folder that "
    "all of them share."
)


def fit(sae, X, X_val, encoding, values, n_components, settings, *, warm):
    """Train to the end, and return the `Run`, its `Scaling`, and its `Checkpoint` or None.

    Parameters
    ----------
    sae : TopKSAETransformer
        The estimator whose parameters say how to train. It is fitted if `warm`.
    X : ndarray of shape (n_samples, d)
    X_val : ndarray of shape (n_val, d) or None
        Rows to validate on, instead of some of `X`.
    encoding : TargetEncoding or None
    values : ndarray of shape (n_samples,) or None
        The target, encoded by `encoding`, or None if it has no weight.
    n_components : int
    settings : Settings
    warm : bool
        Whether to start from the fitted weights.
    """
    device, start, shards = check_device(sae.device), Weights.of(sae) if warm else (), shards_of(n_components)
    arrays = (X, values, X_val, *start)
    seed = agree(shards, sae, _draw_seed(sae), arrays)
    checkpoint, stored = in_all(shards, lambda: _stored_run(sae, seed, device, arrays))
    check_same(shards, 0 if stored is None else len(stored["history"]), _NOT_SHARED)
    data = X, X_val, encoding, values
    seed = seed if stored is None else int(stored["seed"])  # a resumed fit draws what the first one drew
    weights, scaling, rows, validation = in_all(
        shards, lambda: _prepare(sae, data, n_components, settings, stored, warm=warm, on=(device, seed))
    )
    weights = shards.start_of_first(weights)
    run = in_all(
        shards,
        lambda: (
            Run(State.start(weights, device, shards), seed)
            if stored is None
            else Run.from_arrays(stored, device, shards)
        ),
    )
    try:
        _train(sae, run, rows, validation, settings, checkpoint)
    except ConnectionError as error:
        helps = "pass a checkpoint_dir, so that it can go on" if checkpoint is None else "fit again to go on"
        raise ConnectionError(
            f"The fit ended in epoch {len(run.history) + 1}, because {error}; {helps} from the last whole epoch."
        ) from error
    return run, scaling, checkpoint


def _stored_run(sae, seed, device, arrays):
    """Return the `Checkpoint` of a fit and the arrays stored there, or None for either."""
    checkpoint = open_checkpoint(sae, seed=seed, device=device, arrays=arrays)
    return checkpoint, None if checkpoint is None else checkpoint.load()


def _prepare(sae, data, n_components, settings, stored, *, warm, on):
    """Return the starting weights, None of a stored run, the `Scaling`, and the `Rows` to train and to validate on.

    The last are None without validation.
    """
    (X, X_val, encoding, values), (device, seed) = data, on
    rng = np.random.default_rng(seed)
    index, held_out = choose_rows(len(X), sae.validation_fraction if X_val is None else None, rng)
    scaling = center_and_scale(X, index)
    if encoding is not None:
        moments = second_moments(X, index, values, encoding, scaling.mean, scaling.spread)
        scaling = scaling._replace(metric=learn_metric(moments, X.shape[1], sae.target_weight))
    rows, validation = Rows(X, scaling, device, index=index), None
    if X_val is not None:
        validation = Rows(X_val, scaling, device).check_range()
    elif held_out is not None:
        validation = rows.at(held_out).check_range()
    if stored is not None:
        return None, scaling, rows, validation
    of_classes = None if encoding is None or encoding.classes is None else values[np.asarray(index)]
    weights = _starting_weights(sae, rows, scaling, n_components, settings, rng, fitted=warm, of_classes=of_classes)
    return weights, scaling, rows, validation


def _train(sae, run, rows, validation, settings, checkpoint):
    """Train to the end. Of several processes the first writes the checkpoint and shows the progress."""
    schedule, is_first = _schedule(sae, rows, run.state, settings), run.state.shards.rank == 0
    limits = {"patience": sae.patience, "dead_after": sae.dead_after}
    shown = {"desc": "TopKSAETransformer", "verbose": sae.verbose and is_first, "unit": "epoch"}
    with progress(total=schedule.max_epochs, **shown) as bar:
        bar.update(len(run.history))
        for row in run.epochs(rows, validation, settings, schedule, **limits):
            if checkpoint is not None:
                arrays = run.to_arrays()
                if is_first:
                    checkpoint.save(arrays)
            bar.set_postfix({name: f"{row[name]:.3f}" for name in ("train_loss", "validation_loss")})
            bar.update()


def fit_pass(sae, X, encoding, values, n_components, settings, *, fitted):
    """Train by one pass, and return the `State`, its `Scaling`, the history, and the arrays that the next pass needs.

    The parameters are those of `fit`. `fitted` is whether to go on from the fitted weights.
    """
    device, carried = check_device(sae.device), getattr(sae, "_partial", None)
    scaling = sae._scaling if fitted else center_and_scale(X, np.arange(len(X)))
    moments = None if carried is None else carried.get("moments")
    scaling, moments = learn_further(scaling, moments, X, values, encoding, sae.target_weight)
    if carried is not None and sae._settings.pursuit != settings.pursuit:
        carried = None
    rows = Rows(X, scaling, device).check_range()
    seed, history = (_draw_seed(sae), []) if carried is None else (int(carried["seed"]), sae.history_)
    state = None if carried is None else State.from_arrays(carried, device)
    if state is None or scaling is not sae._scaling:
        rng = np.random.default_rng(seed)
        weights = _starting_weights(sae, rows, scaling, n_components, settings, rng, fitted=fitted)
        if state is None:
            state = State.start(weights, device)
        else:
            state.weights = weights.tensors(device)
    schedule = _schedule(sae, rows, state, settings, one_pass=True)
    row = one_epoch(
        state,
        rows,
        settings,
        epoch=len(history) + 1,
        order=np.random.default_rng([seed, state.step]).permutation(len(X)),
        batch_size=schedule.batch_size,
        rate=anytime_schedule(schedule.learning_rate),
        dead_after=sae.dead_after,
    )
    carried = state.to_arrays() | {"seed": np.int64(seed)} | ({} if moments is None else {"moments": moments})
    return state, scaling, [*history, {**row, "validation_loss": float("nan")}], carried


def fitted_attributes(trained, scaling, encoding, n_components, settings):
    """Return the attributes that training gives an estimator, by name. They are for rows as they are."""
    weights, threshold = trained.weights, 0.0
    if settings.pursuit:
        encoder_bias = np.zeros(n_components, np.float32)
        weights = weights._replace(encoder_weight=weights.components.copy(), encoder_bias=encoder_bias)
    if settings.batch_topk:
        threshold = scaling.scale * float(trained.threshold_sum) / (float(trained.threshold_weight) or 1)
    weights = scaling.unscale(weights)
    attributes = {f"{name}_": array for name, array in weights._asdict().items()}
    attributes |= {"threshold_": threshold, "n_components_": n_components, "k_": settings.k}
    if encoding is not None:
        coef, intercept = scaling.target_of_codes(encoding, weights.components, weights.bias)
        attributes |= {"task_": encoding.task, "classes_": encoding.classes}
        attributes |= {"target_coef_": coef, "target_intercept_": intercept}
    return attributes


def _draw_seed(sae):
    return int(check_random_state(sae.random_state).randint(2**31 - 1))


def _schedule(sae, rows, state, settings, *, one_pass=False):
    in_batches = one_pass or settings.batch_topk  # because the threshold is an average over many steps
    given = {name: getattr(sae, name) for name in ("batch_size", "learning_rate", "max_epochs")}
    return resolve_schedule(len(rows), state.n_neurons, **given, pursuit=settings.pursuit, in_batches=in_batches)


def _starting_weights(sae, rows, scaling, n_components, settings, rng, *, fitted, of_classes=None):
    """Return new weights to train from, or those of the fitted attributes; `of_classes` are the classes of the rows."""
    kind = {"pursuit": settings.pursuit, "signed": settings.signed}
    if not fitted:
        return new_weights(rows, n_components, settings.k, rng, **kind, of_classes=of_classes)
    weights = scaling.scaled(Weights.of(sae))
    return continued_weights(weights, rows, settings.k, **kind, pursued=sae._settings.pursuit)
