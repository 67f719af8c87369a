"""A reader of random weights, its tokenizer and an SAE for it, made on the spot."""

import torch


def make_tokenizer(texts):
    """Return a byte-level BPE trained on the texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    end = "<|endoftext|>"
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=4000, special_tokens=[end], initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=end, eos_token=end, model_max_length=1024)


def make_reader(width, n_layers, device, dtype):
    """Return a Llama of random weights."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=4096,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=n_layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        max_position_embeddings=1024,
    )
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


@torch.no_grad()
def save_sae(path, model, tokenizer, n_latents, texts):
    """Save a random SAE in Goodfire's layout for the layer in its name; its latents are active on 1 of 250 tokens."""
    device, layer = model.device, int(path.stem.rpartition("-l")[2])
    ids = [i for text in texts[:64] for i in tokenizer(text).input_ids][:2048]
    ids = torch.tensor(ids[: len(ids) // 4 * 4], device=device).view(4, -1)
    states = model.model(ids, output_hidden_states=True).hidden_states[layer + 1]
    states = states.flatten(0, 1).float().cpu()
    weight = torch.randn(n_latents, states.shape[1], generator=torch.Generator().manual_seed(0)) / len(states[0]) ** 0.5
    bias = -(states @ weight.T).kthvalue(len(states) - len(states) // 250, dim=0).values
    decoder = {"decoder_linear.weight": weight.T, "decoder_linear.bias": torch.zeros(states.shape[1])}
    torch.save({"encoder_linear.weight": weight, "encoder_linear.bias": bias, **decoder}, path)
