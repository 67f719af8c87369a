"""Find out, in plain language, what in a text predicts an outcome."""

from importlib import import_module

__version__ = "0.1.0"

# Public name -> the folder that exports it. Nothing is imported until it is first used, so that
# `import sklearn_sae` costs milliseconds and never loads torch, sentence-transformers or openai.
_EXPORTS = {
    "EmbeddingTransformer": "embedding",
    "TopKSAETransformer": "sae",
    "NeuronSelector": "selection",
    "LLMHypothesisAnnotator": "annotation",
    "KeywordHypothesisAnnotator": "annotation",
    "evaluate_hypotheses": "evaluation",
    "HypothesisEvaluation": "evaluation",
    "match_hypotheses": "evaluation",
    "HypothesisMatching": "evaluation",
    "PairTransformer": "compose",
    "ChunkTransformer": "compose",
    "PretrainedSAETransformer": "pretrained",
    "make_hypothesis_pipeline": "_pipeline",
}
_FOLDERS = (
    "analysis",
    "annotation",
    "compose",
    "datasets",
    "embedding",
    "evaluation",
    "pretrained",
    "sae",
    "selection",
)

__all__ = ["__version__", *_EXPORTS, *_FOLDERS]


def __getattr__(name):
    if name in _EXPORTS:
        value = getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    elif name in _FOLDERS:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))
