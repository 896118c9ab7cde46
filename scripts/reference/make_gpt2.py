"""Makes the fixtures of examples/plugin-model: tiny GPT-2 models with logits, loss and gradients.

    python scripts/reference/make_gpt2.py

gpt2-tiny has the layout of OpenAI's checkpoint (no prefix, causal masks as buffers, tied head) and a tokenizer of
vocab.json and merges.txt; gpt2-untied what transformers saves, with the options that few models set.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

from tiny_llama import golden, gradients, random_sequences, write_json, write_tensors

EXAMPLE = Path(__file__).resolve().parents[2] / 'examples' / 'plugin-model'
FIXTURES = EXAMPLE / 'fixtures'
END = '<|endoftext|>'

CONFIG = {
    'activation_function': 'gelu_new',
    'architectures': ['GPT2LMHeadModel'],
    'attn_pdrop': 0.1,
    'bos_token_id': 319,
    'embd_pdrop': 0.1,
    'eos_token_id': 319,
    'initializer_range': 0.02,
    'layer_norm_epsilon': 1e-5,
    'model_type': 'gpt2',
    'n_ctx': 128,
    'n_embd': 16,
    'n_head': 2,
    'n_layer': 2,
    'n_positions': 128,
    'resid_pdrop': 0.1,
    'vocab_size': 320,
}

UNTIED = {
    **CONFIG,
    'activation_function': 'gelu',
    'bos_token_id': 1,
    'eos_token_id': 1,
    'layer_norm_epsilon': 1e-3,
    'n_ctx': 32,
    'n_embd': 12,
    'n_head': 3,
    'n_inner': 20,
    'n_positions': 32,
    'scale_attn_by_inverse_layer_idx': True,
    'tie_word_embeddings': False,
    'vocab_size': 40,
}


def randomise(model: GPT2LMHeadModel, seed: int) -> None:
    """Everything N(0, 0.2), norm weights around 1; an untied head N(0, 0.3) so that logits are not flat."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if 'ln_' in name and name.endswith('.weight'):
                parameter.copy_(1 + 0.1 * noise)
            else:
                parameter.copy_((0.3 if 'lm_head' in name else 0.2) * noise)


def make(name: str, config: dict, seed: int, published: bool) -> None:
    folder = FIXTURES / name
    write_json(folder / 'config.json', config)
    model = GPT2LMHeadModel(GPT2Config.from_pretrained(folder))
    randomise(model, seed)
    tensors = dict(model.named_parameters())
    if published:
        tensors = {name.removeprefix('transformer.'): tensor for name, tensor in tensors.items()}
        mask = torch.tril(torch.ones(config['n_positions'], config['n_positions'], dtype=torch.uint8))
        tensors |= {f'h.{layer}.attn.bias': mask[None, None] for layer in range(config['n_layer'])}
    write_tensors(folder / 'model.safetensors', tensors)
    # As transformers reads it back.
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()
    # The second sequence is trained from its first token, whose label must not count.
    sequences = random_sequences(seed + 1, [11, 7, 19], config['vocab_size'], [4, 0, 9])
    values = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**values, **gradients(model)})


def make_tokenizer(folder: Path) -> None:
    """Byte-level BPE on the texts of the example dataset; <|endoftext|> is the last id, as in GPT-2."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=CONFIG['vocab_size'] - 1,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
    )
    text = (EXAMPLE.parent / 'plugin-dataset' / 'data' / 'kitchen.csv').read_text(encoding='utf-8')
    tokenizer.train_from_iterator(text.splitlines(), trainer)
    tokenizer.model.save(str(folder))
    vocab = {token: id for token, id in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])}
    assert len(vocab) == CONFIG['vocab_size'] - 1
    write_json(folder / 'vocab.json', {**vocab, END: len(vocab)})


if __name__ == '__main__':
    make('gpt2-tiny', CONFIG, seed=31, published=True)
    make_tokenizer(FIXTURES / 'gpt2-tiny')
    make('gpt2-untied', UNTIED, seed=41, published=False)
