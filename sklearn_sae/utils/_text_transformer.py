"""What all transformers of texts share."""

from sklearn.base import TransformerMixin


class TextTransformerMixin(TransformerMixin):
    """Mixin for transformers whose X is a sequence of texts."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags
