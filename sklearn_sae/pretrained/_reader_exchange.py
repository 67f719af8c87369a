"""The exchange of a `ReaderSAETransformer`: what it gives away, and what it is made of again."""

from sklearn_sae.sae import TopKSAETransformer
from sklearn_sae.utils.exchange import Exchanged, ExchangeMixin, estimator_of, fold_affine, plain_parameters

_NORMALIZATION = "constant_norm_rescale"  # SAELens' name of what is done to each state


class ReaderExchangeMixin(ExchangeMixin):
    """The exchange of a `ReaderSAETransformer`."""

    def _exchanged(self):
        parameters = plain_parameters(self)  # a loaded model is refused here
        autoencoder, of_sae, arrays, _, figures = self.sae_._exchanged()
        if not autoencoder.pursuit:  # of which SAELens has no form, so that it need not take the states as they are
            autoencoder = fold_affine(autoencoder, 0.0, 1 / self.scale_)._replace(normalization=_NORMALIZATION)
        facts = {"parameters": parameters, "sae": of_sae, "layer": self.layer_, "n_words": self.n_words_}
        metadata = {
            "model_name": parameters["model"],
            "hook_name": f"blocks.{self.layer_ - 1}.hook_resid_post",
            "prepend_bos": bool(self._reader().prepend_bos),
        }
        return Exchanged(autoencoder, facts, arrays | {"scale": self.scale_}, metadata, figures)

    @classmethod
    def _from_exchanged(cls, autoencoder, facts, arrays):
        transformer = estimator_of(cls, facts["parameters"])
        transformer.scale_ = arrays["scale"]
        if not autoencoder.pursuit:
            autoencoder = fold_affine(autoencoder._replace(normalization="none"), 0.0, transformer.scale_)
        transformer.sae_ = TopKSAETransformer._from_exchanged(autoencoder, facts["sae"], arrays)
        transformer.layer_, transformer.n_words_ = int(facts["layer"]), int(facts["n_words"])
        transformer.n_components_, transformer.k_ = transformer.sae_.n_components_, transformer.sae_.k_
        return transformer
