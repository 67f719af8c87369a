"""Find out, in plain language, what in a text predicts an outcome."""

import lazy_loader

__version__ = "0.1.0"

# The public names are those that the stub beside this file imports. Nothing is imported until it is first used, so that
# `import sklearn_sae` costs milliseconds and never loads torch, sentence-transformers or openai.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
