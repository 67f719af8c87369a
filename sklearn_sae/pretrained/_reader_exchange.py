"""The exchange of a `ReaderSAETransformer`: what it gives away, and what it is made of again."""

import numpy as np

from sklearn_sae.sae import TopKSAETransformer
from sklearn_sae.utils.exchange import (
    Exchanged,
    ExchangeMixin,
    check_weights,
    estimator_of,
    fold_affine,
    plain_parameters,
)

_NORMALIZATION = "constant_norm_rescale"  # SAELens' name of what is done to each state
_FOLDED = ("encoder_weight", "components", "bias")  # what SAELens has with the scale in it


class ReaderExchangeMixin(ExchangeMixin):
    """The exchange of a `ReaderSAETransformer`."""

    def _exchanged(self):
        parameters = plain_parameters(self)  # a loaded model is refused here
        autoencoder, of_sae, arrays, _, figures = self.sae_._exchanged()
        arrays = arrays | {"scale": self.scale_}
        if autoencoder.is_for_saelens:  # else it need not take the states as they are
            # As trained too, because unfolding rounds.
            arrays |= {f"trained_{name}": getattr(autoencoder, name) for name in _FOLDED}
            autoencoder = fold_affine(autoencoder, 0.0, 1 / self.scale_)._replace(normalization=_NORMALIZATION)
        facts = {
            "parameters": parameters,
            "sae": of_sae,
            "layer": self.layer_,
            "n_words": self.n_words_,
            "prepend_bos": self._prepend_bos,
        }
        metadata = {
            "model_name": parameters["model"],
            "hook_name": f"blocks.{self.layer_ - 1}.hook_resid_post",
            "prepend_bos": self._prepend_bos,
        }
        return Exchanged(autoencoder, facts, arrays, metadata, figures)

    @classmethod
    def _from_exchanged(cls, autoencoder, facts, arrays):
        transformer = estimator_of(cls, facts["parameters"])
        if autoencoder.is_for_saelens:
            as_trained = {name: arrays[f"trained_{name}"] for name in _FOLDED}
            autoencoder = autoencoder._replace(normalization="none", **as_trained)
            check_weights(autoencoder)
        transformer.scale_ = _checked_scale(arrays["scale"], autoencoder.bias.shape)
        transformer.sae_ = TopKSAETransformer._from_exchanged(autoencoder, facts["sae"], arrays)
        transformer.layer_, transformer.n_words_ = int(facts["layer"]), int(facts["n_words"])
        transformer.n_components_, transformer.k_ = transformer.sae_.n_components_, transformer.sae_.k_
        transformer._prepend_bos = True if facts["prepend_bos"] else None
        return transformer


def _checked_scale(scale, shape):
    if scale.shape != shape or scale.dtype != np.float32 or not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(f"the scale is not {shape[0]} finite float32 numbers above 0")
    return scale
