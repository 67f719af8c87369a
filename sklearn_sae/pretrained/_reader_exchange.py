"""The exchange of a `ReaderSAETransformer`: what it gives away, and what it is made of again."""

from sklearn_sae.sae import TopKSAETransformer
from sklearn_sae.utils.exchange import (
    Autoencoder,
    Exchanged,
    ExchangeMixin,
    estimator_of,
    fold_affine,
    plain_parameters,
)

_NORMALIZATION = "constant_norm_rescale"  # SAELens' name of what is done to each state


class ReaderExchangeMixin(ExchangeMixin):
    """The exchange of a `ReaderSAETransformer`."""

    def _exchanged(self):
        _, facts, arrays, _, figures = self.sae_._exchanged()
        reader = self._reader()
        autoencoder = fold_affine(Autoencoder.of(self.sae_, k=self.k_), 0.0, 1 / self.scale_)
        facts = {
            "parameters": plain_parameters(self),
            "sae": facts,
            "layer": self.layer_,
            "n_words": self.n_words_,
        }
        metadata = {
            "model_name": str(self.model),
            "hook_name": f"blocks.{self.layer_ - 1}.hook_resid_post",
            "prepend_bos": bool(reader.prepend_bos),
        }
        return Exchanged(
            autoencoder._replace(normalization=_NORMALIZATION),
            facts,
            arrays | {"scale": self.scale_},
            metadata,
            figures,
        )

    @classmethod
    def _from_exchanged(cls, autoencoder, facts, arrays):
        transformer = estimator_of(cls, facts["parameters"])
        transformer.scale_ = arrays["scale"]
        inner = fold_affine(autoencoder._replace(normalization="none"), 0.0, transformer.scale_)
        transformer.sae_ = TopKSAETransformer._from_exchanged(inner, facts["sae"], arrays)
        transformer.layer_, transformer.n_words_ = int(facts["layer"]), int(facts["n_words"])
        transformer.n_components_, transformer.k_ = transformer.sae_.n_components_, transformer.sae_.k_
        return transformer
