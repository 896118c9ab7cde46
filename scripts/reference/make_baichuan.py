"""Makes fixtures/baichuan: tiny Baichuan models with logits, loss, gradients and a greedy continuation.

transformers has no Baichuan. The module below is ours; where the model is LLaMA in another layout (rotary positions), its
logits are checked against transformers' LLaMA, and its slopes against transformers' BLOOM.

    python scripts/reference/make_baichuan.py
"""

import json
import math
from types import SimpleNamespace

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

from tiny_llama import FIXTURES, golden, gradients, random_sequences, randomise, write_greedy, write_json, write_tensors

SMALL = {
    'architectures': ['BaichuanForCausalLM'],
    'model_type': 'baichuan',
    'vocab_size': 48,
    'hidden_size': 24,
    'intermediate_size': 32,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'hidden_act': 'silu',
    'model_max_length': 64,
    'rms_norm_eps': 1e-6,
    'tie_word_embeddings': False,
    'torch_dtype': 'float32',
    'bos_token_id': 1,
    'eos_token_id': 2,
}

# Six heads are no power of two.
VARIANTS = {
    'rotary': {'max_position_embeddings': 64},
    'alibi': {'num_attention_heads': 6},
    'rotary-norm-head': {'max_position_embeddings': 64, 'norm_head': True},
    'alibi-norm-head': {'num_attention_heads': 6, 'norm_head': True},
}


def slopes(heads: int) -> torch.Tensor:
    def powers(n: int) -> list[float]:
        base = 2.0 ** (-8.0 / n)
        return [base ** (k + 1) for k in range(n)]

    whole = 2 ** math.floor(math.log2(heads))
    return torch.tensor(powers(whole) + powers(2 * whole)[0::2][: heads - whole])


class RMSNorm(nn.Module):
    def __init__(self, dim: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        return self.weight * x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.eps)


class Attention(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        hidden = config['hidden_size']
        self.heads = config['num_attention_heads']
        self.rotary = 'max_position_embeddings' in config
        self.W_pack = nn.Linear(hidden, 3 * hidden, bias=False)
        self.o_proj = nn.Linear(hidden, hidden, bias=False)

    def forward(self, x):
        rows, hidden = x.shape
        dim = hidden // self.heads
        q, k, v = (part.view(rows, self.heads, dim).transpose(0, 1) for part in self.W_pack(x).split(hidden, dim=-1))
        at = torch.arange(rows)
        if self.rotary:
            angle = at[:, None] * (10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)).to(x.dtype)
            cos, sin = angle.cos(), angle.sin()

            def turn(t):
                a, b = t[..., : dim // 2], t[..., dim // 2 :]
                return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

            q, k = turn(q), turn(k)
        scores = q @ k.transpose(1, 2) / math.sqrt(dim)
        if not self.rotary:
            scores = scores + slopes(self.heads).to(x.dtype)[:, None, None] * (at[None, :] - at[:, None])
        scores = scores.masked_fill(at[None, :] > at[:, None], -math.inf)
        return self.o_proj((scores.softmax(-1) @ v).transpose(0, 1).reshape(rows, hidden))


class MLP(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        hidden, inner = config['hidden_size'], config['intermediate_size']
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config['hidden_size'], config['rms_norm_eps'])
        self.post_attention_layernorm = RMSNorm(config['hidden_size'], config['rms_norm_eps'])

    def forward(self, x):
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Baichuan(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        self.norm_head = config.get('norm_head', False)
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(config['vocab_size'], config['hidden_size'])
        self.model.layers = nn.ModuleList(Layer(config) for _ in range(config['num_hidden_layers']))
        self.model.norm = RMSNorm(config['hidden_size'], config['rms_norm_eps'])
        self.lm_head = nn.Linear(config['hidden_size'], config['vocab_size'], bias=False)

    def forward(self, input_ids, use_cache=False):
        x = self.model.embed_tokens(input_ids[0])
        for layer in self.model.layers:
            x = layer(x)
        weight = self.lm_head.weight
        if self.norm_head:
            weight = nn.functional.normalize(weight)
        return SimpleNamespace(logits=(self.model.norm(x) @ weight.T)[None])


def check_against_llama(model: Baichuan, config: dict, ids: list[int]) -> None:
    keys = ('vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'max_position_embeddings', 'rms_norm_eps')
    llama = LlamaForCausalLM(LlamaConfig(**{key: config[key] for key in keys}, attn_implementation='eager')).eval()
    weights = {}
    for name, value in model.state_dict().items():
        if 'W_pack' in name:
            for part, rows in zip('qkv', value.chunk(3), strict=True):
                weights[name.replace('W_pack', f'{part}_proj')] = rows
        else:
            weights[name] = value
    if config.get('norm_head'):
        weights['lm_head.weight'] = nn.functional.normalize(weights['lm_head.weight'])
    llama.load_state_dict(weights)
    with torch.no_grad():
        expected = llama(input_ids=torch.tensor([ids]), use_cache=False).logits
        torch.testing.assert_close(model(torch.tensor([ids])).logits, expected, atol=1e-5, rtol=1e-5)


def make(index: int, name: str, changes: dict) -> None:
    folder = FIXTURES / 'baichuan' / name
    config = {**SMALL, **changes}
    write_json(folder / 'config.json', config)
    model = Baichuan(config).eval()
    randomise(model, 700 + index)
    weights = dict(model.named_parameters())
    write_tensors(folder / 'model.safetensors', weights)
    sequences = random_sequences(800 + index, [11, 7, 19], SMALL['vocab_size'], [4, 0, 9])
    if 'max_position_embeddings' in config:
        check_against_llama(model, config, sequences[2].ids)
    tensors = golden(model, sequences)
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients(model)})
    write_greedy(folder / 'greedy.json', model, sequences[1].ids)
    if name == 'rotary':
        write_bin(FIXTURES / 'baichuan' / 'rotary-bin', config, weights)


def write_bin(folder, config: dict, weights: dict[str, torch.Tensor]) -> None:
    """Two shards as the checkpoints of 2023 are, with the frequencies that they hold."""
    write_json(folder / 'config.json', config)
    dim = config['hidden_size'] // config['num_attention_heads']
    frequencies = 10000.0 ** (-torch.arange(0, dim, 2) / dim)
    state = {name: value.detach().clone() for name, value in weights.items()}
    for layer in range(config['num_hidden_layers']):
        state[f'model.layers.{layer}.self_attn.rotary_emb.inv_freq'] = frequencies.clone()
    names = sorted(state)
    shards = [names[: len(names) // 2], names[len(names) // 2 :]]
    files = [f'pytorch_model-{i + 1:05d}-of-00002.bin' for i in range(2)]
    for file, part in zip(files, shards, strict=True):
        torch.save({name: state[name] for name in part}, folder / file)
    total = sum(value.numel() * value.element_size() for value in state.values())
    index = {name: file for file, part in zip(files, shards, strict=True) for name in part}
    text = json.dumps({'metadata': {'total_size': total}, 'weight_map': index}, indent=2)
    (folder / 'pytorch_model.bin.index.json').write_text(text + '\n')


if __name__ == '__main__':
    for heads in (4, 6, 8, 40):
        expected = build_alibi_tensor(torch.ones(1, 2), heads, torch.float32)[:, 0, 1]
        torch.testing.assert_close(slopes(heads), expected)
    for index, (name, changes) in enumerate(VARIANTS.items()):
        make(index, name, changes)
