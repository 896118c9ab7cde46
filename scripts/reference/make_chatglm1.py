"""Makes fixtures/chatglm/chatglm1: a tiny ChatGLM-6B (the first version) with logits, loss, gradients, a greedy continuation.

    python scripts/reference/make_chatglm1.py

transformers has no class for it: the numbers are those of the PyTorch module below in float64. Where the shared reference
folder is (IFT_SHARED, or ../shared beside the repository), its NumPy implementation, which was compared with the original
code, must give the same logits.
"""

import importlib.util
import math
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from tiny_llama import FIXTURES, Sequence, golden, gradients, randomise, write_greedy, write_json, write_tensors

MASK, GMASK, SOP, EOP = 40, 41, 44, 45
CONFIG = {
    'architectures': ['ChatGLMModel'],
    'model_type': 'chatglm',
    'vocab_size': 48,
    'hidden_size': 36,
    'inner_hidden_size': 30,
    'num_layers': 3,
    'num_attention_heads': 3,
    'layernorm_epsilon': 1e-5,
    'max_sequence_length': 64,
    'position_encoding_2d': True,
    'bos_token_id': SOP,
    'eos_token_id': EOP,
    'mask_token_id': MASK,
    'gmask_token_id': GMASK,
    'pad_token_id': 3,
    'torch_dtype': 'float32',
}


class Attention(nn.Module):
    # Keys and values [V, H, D] in front of those of the tokens, which all of them see (P-tuning v2).
    prefix = None

    def __init__(self, hidden, heads):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.dense = nn.Linear(hidden, hidden)

    def turned(self, x, positions):
        """x [T, H, D]: the first half of every head turns by positions[0], the second by positions[1]."""
        size = x.shape[-1] // 2
        frequency = torch.tensor(10000 ** (-np.arange(0, size, 2) / size)).half().to(x.dtype)
        parts = []
        for part, at in zip(x.split(size, -1), positions, strict=True):
            angle = (at[:, None].to(x.dtype) * frequency).repeat(1, 2)[:, None]
            first, second = part.chunk(2, -1)
            parts.append(part * angle.cos() + torch.cat([-second, first], -1) * angle.sin())
        return torch.cat(parts, -1)

    def forward(self, x, positions, visible):
        q, k, v = self.query_key_value(x).reshape(len(x), self.heads, -1).chunk(3, -1)
        q, k = self.turned(q, positions), self.turned(k, positions)
        if self.prefix is not None:
            k, v = (torch.cat([ahead, own]) for ahead, own in zip(self.prefix, (k, v), strict=True))
            visible = torch.cat([torch.ones(len(q), len(k) - len(q), dtype=torch.bool), visible], 1)
        scores = torch.einsum('ihd,jhd->hij', q, k) / q.shape[-1] ** 0.5
        weights = scores.masked_fill(~visible, -torch.inf).softmax(-1)
        return self.dense(torch.einsum('hij,jhd->ihd', weights, v).flatten(1))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, inner, eps = config['hidden_size'], config['inner_hidden_size'], config['layernorm_epsilon']
        self.input_layernorm = nn.LayerNorm(hidden, eps)
        self.attention = Attention(hidden, config['num_attention_heads'])
        self.post_attention_layernorm = nn.LayerNorm(hidden, eps)
        self.mlp = nn.Module()
        self.mlp.dense_h_to_4h = nn.Linear(hidden, inner)
        self.mlp.dense_4h_to_h = nn.Linear(inner, hidden)

    def forward(self, x, positions, visible):
        alpha = math.sqrt(2 * 28)
        x = self.input_layernorm(x)
        x = self.post_attention_layernorm(alpha * x + self.attention(x, positions, visible))
        inner = nn.functional.gelu(self.mlp.dense_h_to_4h(x), approximate='tanh')
        return alpha * x + self.mlp.dense_4h_to_h(inner)


class ChatGLM(nn.Module):
    """Parameters have the names of the published checkpoint."""

    def __init__(self, config):
        super().__init__()
        hidden = config['hidden_size']
        self.transformer = nn.Module()
        self.transformer.word_embeddings = nn.Embedding(config['vocab_size'], hidden)
        self.transformer.layers = nn.ModuleList(Layer(config) for _ in range(config['num_layers']))
        self.transformer.final_layernorm = nn.LayerNorm(hidden, config['layernorm_epsilon'])
        self.lm_head = nn.Linear(hidden, config['vocab_size'], bias=False)

    def forward(self, input_ids, use_cache=False):
        ids = input_ids[0].tolist()
        rows = torch.arange(len(ids))
        context = ids.index(SOP)
        blank = ids.index(GMASK if GMASK in ids else MASK)
        positions = torch.stack([rows.where(rows < context, torch.tensor(blank)), (rows - context + 1).clamp(min=0)])
        visible = (rows[None] <= rows[:, None]) | (rows[None] < context)
        x = self.transformer.word_embeddings(input_ids[0])
        for layer in self.transformer.layers:
            x = layer(x, positions, visible)
        return SimpleNamespace(logits=self.lm_head(self.transformer.final_layernorm(x))[None])


def sequences():
    """Prompt, [gMASK], <sop>, answer, <eop>: learned is what follows <sop>. One fills a [MASK] in its middle."""
    generator = torch.Generator().manual_seed(915)
    made = []
    for prompt, answer in ([6, 4], [9, 8], [0, 5]):
        before = [*torch.randint(4, 40, (prompt,), generator=generator).tolist(), GMASK]
        after = [*torch.randint(4, 40, (answer,), generator=generator).tolist(), EOP]
        made.append(Sequence([*before, SOP, *after], [-100] * (len(before) + 1) + after))
    blank = [5, 17, MASK, 23, 8]
    made.append(Sequence([*blank, SOP, 9, 30, EOP], [-100] * (len(blank) + 1) + [9, 30, EOP]))
    return made


def check(model, found):
    shared = Path(os.environ.get('IFT_SHARED', FIXTURES.parents[1] / 'shared')) / 'reference' / 'model_refs.py'
    if not shared.exists():
        print(f'{shared} is not there: the logits were not compared with it')
        return
    spec = importlib.util.spec_from_file_location('model_refs', shared)
    refs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(refs)
    weights = {name: p.detach().numpy() for name, p in model.named_parameters()}
    start = 0
    for s in sequences():
        blank = GMASK if GMASK in s.ids else MASK
        expected = refs.chatglm1(weights, s.ids, CONFIG['num_layers'], CONFIG['num_attention_heads'], SOP, blank)
        np.testing.assert_allclose(found[start : start + len(s.ids)], expected, rtol=1e-6, atol=1e-6)
        start += len(s.ids)


if __name__ == '__main__':
    folder = FIXTURES / 'chatglm' / 'chatglm1'
    write_json(folder / 'config.json', CONFIG)
    model = ChatGLM(CONFIG).eval()
    randomise(model, 910)
    # What the norm gives is seven times as large as what is added to it: the layers must still matter.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if '.dense' in name or 'query_key_value' in name:
                parameter.mul_(4)
    # A table that the published checkpoint holds and that follows from the config.
    table = {f'transformer.layers.{i}.attention.rotary_emb.inv_freq': torch.ones(3) for i in range(CONFIG['num_layers'])}
    write_tensors(folder / 'model.safetensors', {**dict(model.named_parameters()), **table})
    model = model.double()
    tensors = golden(model, sequences())
    check(model, tensors['logits'].numpy())
    write_tensors(folder / 'golden.safetensors', {**tensors, **{n: g.float() for n, g in gradients(model).items()}})
    write_greedy(folder / 'greedy.json', model.float(), [9, 30, 17, 5, GMASK, SOP])
