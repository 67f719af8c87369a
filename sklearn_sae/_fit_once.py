"""The fit of a pipeline that keeps the embedding of the texts, and what the stages have to say."""

import warnings


class _FirstOutput:
    """Stands in for the memory of a pipeline and keeps what its first step makes, so that it is made once."""

    location = None
    output = None

    def cache(self, function, **options):
        """Return `function`, which fits a step and transforms by it."""

        def call(*args, **kwargs):
            result = function(*args, **kwargs)
            self.output = result[0] if self.output is None else self.output
            return result

        return call


def fit_once(pipeline, texts, y):
    """Fit the pipeline; return the embedding of the texts, and what the stages had to say."""
    pipeline["hypotheses"].encoder.set_params(memory=_FirstOutput())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(texts, y)
    for warning in caught:
        if warning.category is not UserWarning:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    encoder = pipeline["hypotheses"].encoder_
    embedded = encoder.memory.output
    for each in (encoder, pipeline["hypotheses"].encoder):
        each.set_params(memory=None)
    return embedded, list(dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning))
