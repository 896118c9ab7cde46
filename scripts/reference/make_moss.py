"""Makes fixtures/moss: tiny CodeGen and GPT-J models with logits, loss, gradients and greedy generations.

    python scripts/reference/make_moss.py
"""

import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
from transformers.utils import logging

from tiny_llama import FIXTURES, golden, gradients, random_sequences, write_json, write_tensors

OUT = FIXTURES / 'moss'

# Reports the causal mask, which is there to be passed over.
logging.set_verbosity_error()

COMMON = {
    'activation_function': 'gelu_new',
    'attn_pdrop': 0.0,
    'bos_token_id': 1,
    'embd_pdrop': 0.0,
    'eos_token_id': 2,
    'initializer_range': 0.02,
    'layer_norm_epsilon': 1e-5,
    'n_ctx': 64,
    'n_inner': None,
    'n_positions': 64,
    'resid_pdrop': 0.0,
    'tie_word_embeddings': False,
    'vocab_size': 48,
}
CODEGEN = {'architectures': ['CodeGenForCausalLM'], 'model_type': 'codegen'}

VARIANTS = {
    # Two heads in each of the four groups; a part of a head is rotated; another width of the feed-forward.
    'codegen': {**CODEGEN, 'n_embd': 48, 'n_head': 8, 'n_layer': 1, 'rotary_dim': 4, 'n_inner': 32},
    # One head in a group, all of it rotated; another epsilon.
    'codegen-whole': {**CODEGEN, 'n_embd': 16, 'n_head': 4, 'n_layer': 2, 'rotary_dim': 4, 'layer_norm_epsilon': 1e-3},
    'gptj': {'architectures': ['GPTJForCausalLM'], 'model_type': 'gptj', 'n_embd': 24, 'n_head': 3, 'n_layer': 2, 'rotary_dim': 6},
}


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Embedding and head N(0, 0.4), the rest N(0, 0.2), norm weights around 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if 'ln_' in name and name.endswith('.weight'):
                parameter.copy_(1 + 0.1 * noise)
            else:
                parameter.copy_((0.4 if 'wte' in name or 'lm_head' in name else 0.2) * noise)


def load(folder: Path, dtype: torch.dtype = torch.float32):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation='eager').eval()


def make(name: str, config: dict, seed: int) -> None:
    folder = OUT / name
    write_json(folder / 'config.json', config)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    randomise(model, seed)
    tensors = dict(model.named_parameters())
    if name == 'codegen':
        # As the files of MOSS and of CodeGen's first release have it.
        tensors['transformer.h.0.attn.causal_mask'] = torch.tril(torch.ones(1, 1, 8, 8, dtype=torch.uint8))
    write_tensors(folder / 'model.safetensors', tensors)
    model = load(folder)
    # The second sequence is trained from its first token, whose label must not count.
    sequences = random_sequences(seed + 1, [11, 7, 19], config['vocab_size'], [4, 0, 9])
    values = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**values, **gradients(model)})


def make_greedy() -> None:
    """Generated ids after each prompt, the same in float32 and float64."""
    cases = []
    for name in VARIANTS:
        for prompt in [[1, 17, 41, 42], [5]]:
            found = []
            for dtype in (torch.float32, torch.float64):
                settings = GenerationConfig(do_sample=False, max_new_tokens=24, eos_token_id=None, pad_token_id=0)
                ids = torch.tensor([prompt])
                out = load(OUT / name, dtype).generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
                found.append(out[0, len(prompt) :].tolist())
            if found[0] != found[1]:
                sys.exit(f'float32 and float64 disagree: {name} {prompt}')
            cases.append({'model': name, 'prompt': prompt, 'ids': found[0]})
    write_json(OUT / 'greedy.json', {'cases': cases})


if __name__ == '__main__':
    for seed, (name, changes) in enumerate(VARIANTS.items()):
        make(name, {**COMMON, **changes}, 600 + 10 * seed)
    make_greedy()
