"""The exchange of a `TopKSAETransformer`: what it gives away, and what it is made of again."""

import math

import numpy as np

from sklearn_sae.sae._hypothesaes import read_hypothesaes
from sklearn_sae.sae._metric import Metric
from sklearn_sae.sae._scaling import Scaling
from sklearn_sae.sae._settings import Settings
from sklearn_sae.sae._target import TargetEncoding
from sklearn_sae.utils.exchange import Autoencoder, Exchanged, ExchangeMixin, estimator_of, plain_parameters


class TopKExchangeMixin(ExchangeMixin):
    """The exchange of a `TopKSAETransformer`."""

    @classmethod
    def from_hypothesaes(cls, path):
        """Load an autoencoder that the package hypothesaes saved.

        Only tensors and numbers are read from the file, and no code is run; hypothesaes need not be installed. Top-K
        and batch Top-K are read, each with Matryoshka prefixes or without.

        Parameters
        ----------
        path : path-like
            The ``.pt`` file that `SparseAutoencoder.save` of hypothesaes wrote.

        Returns
        -------
        sae : TopKSAETransformer
            Fitted, with the activations that the other has for inference. `history_` is empty and `density_` is NaN,
            because the file does not say them. Parameters that it does not have are the defaults.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is of another kind or damaged, would run code when opened, or holds an autoencoder of a kind
            that has no equal here.
        """
        parameters, autoencoder = read_hypothesaes(path)
        sae = estimator_of(cls, parameters)
        settings = Settings(parameters["k"], parameters["sparsity"] == "batch_topk")
        density = np.full(parameters["n_components"], np.nan, np.float32)
        scaling = Scaling(autoencoder.bias, 1.0)  # the file does not say how the rows of its training were scaled
        return _with_state(sae, autoencoder, settings, scaling, density=density, history=[])

    def _exchanged(self):
        settings, scaling, encoding = self._settings, self._scaling, self._target_encoding
        facts = {
            "parameters": plain_parameters(self),
            "settings": settings._asdict(),
            "spread": float(scaling.spread),
            "feature_names": getattr(self, "feature_names_in_", np.array([])).tolist(),
            "history": [
                {name: None if math.isnan(value) else value for name, value in row.items()} for row in self.history_
            ],
        }
        arrays = {"density": self.density_, "mean": scaling.mean}
        if scaling.metric is not None:
            *of_metric, facts["metric_spread"] = scaling.metric
            arrays |= {f"metric_{name}": array for name, array in zip(Metric._fields, of_metric, strict=False)}
        if encoding is not None:
            facts["target"] = _target_facts(encoding)
            arrays |= {"target_coef": self.target_coef_, "target_intercept": self.target_intercept_}
        k = None if settings.batch_topk else self.k_
        autoencoder = Autoencoder.of(self, k=k, pursuit=settings.pursuit, signed=settings.signed)
        return Exchanged(autoencoder, facts, arrays, {}, _figures(self))

    @classmethod
    def _from_exchanged(cls, autoencoder, facts, arrays):
        sae = estimator_of(cls, facts["parameters"])
        settings = Settings(**facts["settings"])
        settings = settings._replace(prefixes=None if settings.prefixes is None else tuple(settings.prefixes))
        k = None if settings.batch_topk else settings.k
        of_file = autoencoder.k, autoencoder.pursuit, autoencoder.signed
        if of_file != (k, settings.pursuit, settings.signed):
            raise ValueError("its settings contradict each other")
        metric = None
        if "metric_spread" in facts:
            of_metric = (arrays[f"metric_{name}"] for name in Metric._fields[:-1])
            metric = Metric(*of_metric, float(facts["metric_spread"]))
        history = [
            {name: math.nan if value is None else value for name, value in row.items()} for row in facts["history"]
        ]
        sae = _with_state(
            sae,
            autoencoder,
            settings,
            Scaling(arrays["mean"], float(facts["spread"]), metric),
            density=arrays["density"],
            history=history,
        )
        if facts["feature_names"]:
            sae.feature_names_in_ = np.array(facts["feature_names"], dtype=object)
        if "target" in facts:
            sae._target_encoding = encoding = _target_encoding(facts["target"])
            sae.task_, sae.classes_ = encoding.task, encoding.classes
            sae.target_coef_, sae.target_intercept_ = arrays["target_coef"], arrays["target_intercept"]
        _check_state(sae)
        return sae


def _with_state(sae, autoencoder, settings, scaling, *, density, history):
    """Return an estimator with the fitted attributes of a model without a target."""
    vars(sae).update(autoencoder.attributes())
    sae.n_components_, sae.n_features_in_ = (int(n) for n in autoencoder.components.shape)
    sae.k_, sae.density_, sae.history_, sae.n_iter_ = settings.k, density, history, len(history)
    sae._scaling, sae._settings, sae._target_encoding, sae._partial = scaling, settings, None, None
    return sae


def _check_state(sae):
    """Raise ValueError if parts of a loaded state do not fit together, because `transform` would fail or be wrong."""
    m, d = sae.components_.shape
    settings, metric = sae._settings, sae._scaling.metric
    expected = {"density": (sae.density_, (m,)), "mean": (sae._scaling.mean, (d,))}
    if metric is not None:
        expected["metric_directions"] = metric.directions, (len(metric.factors), d)
        expected["metric_coef"] = metric.coef, (len(metric.intercept), d)
    if sae._target_encoding is not None:
        expected["target_coef"] = sae.target_coef_, (len(sae.target_intercept_), m)
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise ValueError(f"{name} is of shape {array.shape} instead of {shape}")
    if type(settings.k) is not int or not 1 <= settings.k <= m:
        raise ValueError(f"k is {settings.k!r} of {m} neurons")
    if len(getattr(sae, "feature_names_in_", range(d))) != d:
        raise ValueError(f"{len(sae.feature_names_in_)} names of {d} features")


def _target_facts(encoding):
    facts = encoding._asdict()
    if encoding.classes is not None:
        facts |= {"classes": encoding.classes.tolist(), "dtype": encoding.classes.dtype.str}
        if not _are_plain(encoding.classes.dtype, facts["classes"]):
            raise TypeError("This TopKSAETransformer cannot be saved: its classes are neither texts nor numbers.")
    return facts


def _target_encoding(facts):
    classes = facts["classes"]
    if classes is not None:
        dtype = np.dtype(facts["dtype"])
        if not _are_plain(dtype, classes):
            raise ValueError("a class of another kind")
        classes = np.array(classes, dtype=dtype)
    return TargetEncoding(str(facts["task"]), classes, float(facts["mean"]), float(facts["scale"]))


def _are_plain(dtype, classes):
    return dtype.kind in "OUbiuf" and all(isinstance(label, (str, bool, int, float)) for label in classes)


def _figures(sae):
    figures, losses = {}, [row["validation_loss"] for row in sae.history_]
    if sae._settings.batch_topk:
        figures["K, the average over a batch in training"] = sae.k_
    if not np.isnan(sae.density_).any():
        figures["Neurons active in a row of the training data, on average"] = float(sae.density_.sum())
        figures["Neurons active in none of these rows"] = int((sae.density_ == 0).sum())
    if losses and not np.isnan(losses).all():
        over = "" if sae._settings.prefixes is None else ", the mean over the Matryoshka prefixes"
        metric = "" if sae._scaling.metric is None else ", in the metric of the target"
        figures[f"R2 of the reconstruction of rows held out in training{over}{metric}"] = 1 - float(np.nanmin(losses))
    return figures
