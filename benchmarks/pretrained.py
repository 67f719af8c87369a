"""`PretrainedSAETransformer` beside the loops of InterpEmbed, in one run.

``python -m benchmarks.pretrained [speed memory] [--quick]`` prints a markdown table for each of the sections named, or
for both. Needs Linux, the extras ``benchmarks`` and ``pretrained`` and the data folder (see `_data.py`).

The readers have random weights, since speed does not depend on them, and a tokenizer trained on the texts. All run in
one process with the same number of threads (OMP_NUM_THREADS) and the same batch size, in turns.

The loops are those of InterpEmbed at commit 1f7e682 (github.com/nickjiang2378/interp_embed): `LocalSAE.encode` and
`GoodfireSAE.encode` of interp_embed/sae/local_sae.py, driven by `Dataset._compute_latents`, `DatasetRow.__init__` and
`Dataset.latents("max", compress=True)` of interp_embed/dataset_analysis.py. Its steps are kept in their order; its
progress bar, log and files are left out.
"""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack

from benchmarks._data import load
from benchmarks._measure import alone, in_turns, seconds
from benchmarks._peers import quiet
from benchmarks._report import machine, median, print_table, ratio
from sklearn_sae.pretrained import PretrainedSAETransformer
from sklearn_sae.utils._optional import require

BATCH = 8
CONTEXT = 512
VOCABULARY = 8000


class Size(NamedTuple):
    """Of a reader and its SAE."""

    width: int
    n_layers: int
    layer: int  # the SAE's, from 0
    n_latents: int
    n_active: int  # latents on a token, on average
    n_texts: int  # to read in one measurement


SIZES = {"tiny": Size(64, 4, 2, 512, 16, 512), "mid-sized": Size(384, 8, 4, 8192, 64, 192)}


def speed(repeats, share):
    """Documents a second, beside both loops."""
    rows = []
    for name, size in SIZES.items():
        texts = load("yelp")[0][: int(size.n_texts * share)].tolist()
        for kind, loop in (("gpt2", local_sae), ("llama", goodfire_sae)):
            with tempfile.TemporaryDirectory() as folder:
                reader, sae = make_reader(Path(folder) / "reader", kind, size), Path(folder) / "sae"
                make_sae(sae, reader, size, texts)
                ours = PretrainedSAETransformer(sae, model=reader, batch_size=BATCH, cache_dir=None)
                encode, tokenizer = loop(reader, sae, size)
                calls = {
                    "peer": lambda e=encode, t=tokenizer, some=texts: dataset_latents(some, e, t),
                    "ours": lambda ours=ours, some=texts: ours.transform(some),
                }
                with quiet():
                    dataset_latents(texts[:BATCH], encode, tokenizer)
                    ours.transform(texts[:BATCH])
                    taken = in_turns(calls, repeats)
                    ours.set_params(cache_dir=folder).transform(texts)
                    again = seconds(calls["ours"])
            rate = {who: [len(texts) / one for one in taken[who]] for who in calls}
            rows.append(
                {
                    "reader": f"{name} {kind}",
                    "loop": loop.__name__.replace("local_sae", "LocalSAE").replace("goodfire_sae", "GoodfireSAE"),
                    "its documents/s": median(rate["peer"], ".1f"),
                    "ours": median(rate["ours"], ".1f"),
                    "ratio": ratio(rate["ours"], rate["peer"]),
                    "ours, stored": f"{len(texts) / again:,.0f}",
                }
            )
    print_table(
        "Documents per second",
        rows,
        f"Yelp reviews, cut at {CONTEXT} tokens, batches of {BATCH}; the median of {repeats} (the range). Goals: 3 "
        f"times LocalSAE, 4 times GoodfireSAE. Both loops compute logits and ours does not: with the {VOCABULARY:,} "
        "tokens here they are a fifth of the work of the layers, in Llama 3.1 8B up to layer 19 an eighth, in GPT-2 "
        "small almost a half. Ours, stored: the same texts once more.",
    )


def memory(repeats, share):
    """Peak memory over the number of documents."""
    rows = []
    for n_texts in (1000, 3000, 9000):
        with tempfile.TemporaryDirectory() as folder:
            n = int(n_texts * share)
            one = alone(_prepare_memory, _read, folder, n)
        n_bytes = one.result
        rows.append(
            {
                "documents": f"{n:,}",
                "documents/s": f"{n / one.seconds:,.0f}",
                "peak, MB": f"{one.peak_bytes / 1e6:.0f}",
                "of it the result, MB": f"{n_bytes / 1e6:.0f}",
                "beside it, MB": f"{(one.peak_bytes - n_bytes) / 1e6:.0f}",
            }
        )
    print_table(
        "Memory",
        rows,
        "The tiny Llama reader, with a store on disk, in a process of its own that has the texts and has read a batch.",
    )


def _prepare_memory(folder, n):
    size, reviews = SIZES["tiny"], load("yelp")[0].tolist()
    reader, sae = make_reader(Path(folder) / "reader", "llama", size), Path(folder) / "sae"
    make_sae(sae, reader, size, reviews[:64])
    transformer = PretrainedSAETransformer(sae, model=reader, batch_size=BATCH, cache_dir=folder)
    texts = [f"{i} {reviews[i % len(reviews)][:200]}" for i in range(n)]
    transformer.transform(sorted(reviews, key=len)[-BATCH:])
    return transformer, texts


def _read(prepared):
    transformer, texts = prepared
    X = transformer.transform(texts)
    return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes


# --- readers and SAEs --------------------------------------------------------------------------------


def make_reader(folder, kind, size):
    """Save a random reader with a tokenizer of the reviews, and return its folder."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    end = "<|endoftext|>"
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[end], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(load("yelp")[0].tolist(), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=end, eos_token=end, model_max_length=CONTEXT
    )
    tokenizer.save_pretrained(folder)
    n_heads = size.width // 64 or 1
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=VOCABULARY, n_embd=size.width, n_layer=size.n_layers, n_head=n_heads, n_positions=CONTEXT
        )
        model = GPT2LMHeadModel(config)
    else:
        config = LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=size.width,
            intermediate_size=4 * size.width,
            num_hidden_layers=size.n_layers,
            num_attention_heads=n_heads,
            max_position_embeddings=CONTEXT,
        )
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return str(folder)


def make_sae(folder, reader, size, texts):
    """Save a random ReLU SAE with sae-lens, its biases such that each latent is active on as many tokens."""
    with quiet():
        lens = require("sae_lens", extra="pretrained", purpose="The comparison")
    from sklearn_sae.pretrained._reader import Reader

    metadata = {"model_name": "random", "hook_name": f"blocks.{size.layer}.hook_resid_post", "prepend_bos": False}
    sae = lens.StandardSAE(
        lens.StandardSAEConfig(
            d_in=size.width,
            d_sae=size.n_latents,
            apply_b_dec_to_input=False,
            metadata=lens.saes.sae.SAEMetadata(**metadata),
        )
    )
    model = Reader(reader, layer=size.layer, site="resid_post")
    ids = torch.tensor([model.tokenizer(text).input_ids[:60] for text in texts if len(text) > 400][:50])
    states = model.states(ids, torch.ones_like(ids)).reshape(-1, size.width)
    with torch.no_grad():
        sae.W_enc.normal_()
        before = states @ sae.W_enc
        rank = max(1, round(len(states) * (1 - size.n_active / size.n_latents)))
        sae.b_enc.copy_(-before.kthvalue(rank, dim=0).values)
    sae.save_model(folder)


# --- the loops of InterpEmbed ------------------------------------------------------------------------


def local_sae(reader, sae, size):
    """`LocalSAE`: TransformerLens runs the whole model and keeps every activation."""
    from sae_lens import SAE
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reader)
    n_heads = size.width // 64 or 1
    config = HookedTransformerConfig(
        n_layers=size.n_layers,
        d_model=size.width,
        n_heads=n_heads,
        d_head=size.width // n_heads,
        d_mlp=4 * size.width,
        d_vocab=VOCABULARY,
        n_ctx=CONTEXT,
        act_fn="gelu_new",
        normalization_type="LN",
        device="cpu",
    )
    with quiet():
        model = HookedTransformer(config)
        model.load_and_process_state_dict(
            convert_gpt2_weights(AutoModelForCausalLM.from_pretrained(reader), config)
        )  # as from_pretrained does
        sae = SAE.load_from_disk(sae, device="cpu")
    sae.eval()
    tokenizer.pad_token = tokenizer.eos_token

    @torch.no_grad()
    def encode(texts):
        tokens = tokenizer(texts, padding="longest", truncation=True, return_tensors="pt")
        _, cache = model.run_with_cache(tokens["input_ids"], prepend_bos=True)
        activations = sae.encode(cache[sae.cfg.metadata.hook_name])
        activations = activations.detach().cpu().numpy()
        mask = tokens["attention_mask"].numpy().astype(bool)
        return [csr_matrix(activations[i][mask[i]]) for i in range(activations.shape[0])]

    return encode, tokenizer


def goodfire_sae(reader, sae, size):
    """`GoodfireSAE`: transformers runs the layers up to the SAE's, and the output layer."""
    from sae_lens import SAE
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(reader)
    model.model.layers = torch.nn.ModuleList(model.model.layers[: size.layer + 1])
    tokenizer = AutoTokenizer.from_pretrained(reader)
    tokenizer.pad_token = tokenizer.eos_token
    sae = SAE.load_from_disk(sae, device="cpu")
    found = {}

    def hook(module, inputs, output):
        found["internal"] = output[0].detach().cpu() if isinstance(output, tuple) else output.detach().cpu()

    model.model.layers[size.layer].register_forward_hook(hook)

    def encode(texts):
        inputs = tokenizer(texts, truncation=True, add_special_tokens=True, padding=True)
        with torch.no_grad():
            model(
                input_ids=torch.tensor(inputs["input_ids"]),
                attention_mask=torch.tensor(inputs["attention_mask"]),
            )
            activations = sae.encode(found["internal"])
        activations = activations.float().detach().cpu().numpy()
        mask = np.array(inputs["attention_mask"]).astype(bool)
        return [csr_matrix(activations[i][mask[i]]) for i in range(activations.shape[0])]

    return encode, tokenizer


def dataset_latents(texts, encode, tokenizer):
    """`Dataset`: batches in the order given, tokens once more as text, each document's tokens densely to its rows."""
    rows = []
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        activations = encode(batch)
        tokens = tokenizer(batch, truncation=True, add_special_tokens=True, padding=False)["input_ids"]
        documents = [[tokenizer.decode([token]) for token in document] for document in tokens]
        for of_tokens, document in zip(activations, documents, strict=True):
            assert of_tokens.shape[0] == len(document)
            dense = of_tokens.toarray()
            aggregated = {"max": csr_matrix(dense.max(axis=0)), "sum": csr_matrix(dense.sum(axis=0))}
            rows.append((document, of_tokens, aggregated))
    return vstack([aggregated["max"] for *_, aggregated in rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", choices=["speed", "memory", []], metavar="section")
    parser.add_argument("--quick", action="store_true", help="a quarter of the texts")
    arguments = parser.parse_args()
    print(f"Measured on {machine()}")
    for section in arguments.sections or ["speed", "memory"]:
        globals()[section](3, 0.25 if arguments.quick else 1)


if __name__ == "__main__":
    main()
