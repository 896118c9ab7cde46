"""Makes fixtures/chatglm: tiny ChatGLM2, ChatGLM3 and GLM-4 models with logits, loss, gradients and a greedy continuation.

    python scripts/reference/make_chatglm.py

GLM-4 in transformers' layout is transformers' own GlmForCausalLM, GLM-4-0414 its Glm4ForCausalLM. transformers has no class for the layout of ChatGLM's own
code: its numbers are those of the PyTorch module below, which must agree with GlmForCausalLM on the same weights.
"""

from types import SimpleNamespace

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, GlmConfig, GlmForCausalLM

from tiny_llama import FIXTURES, golden, gradients, random_sequences, randomise, write_greedy, write_json, write_tensors

VOCAB = 48

CHATGLM = {
    'architectures': ['ChatGLMModel'],
    'model_type': 'chatglm',
    'padded_vocab_size': VOCAB,
    'hidden_size': 24,
    'ffn_hidden_size': 20,
    'num_layers': 3,
    'num_attention_heads': 6,
    'kv_channels': 8,
    'multi_query_attention': True,
    'multi_query_group_num': 2,
    'layernorm_epsilon': 1e-5,
    'seq_length': 64,
    'add_bias_linear': False,
    'add_qkv_bias': True,
    'apply_residual_connection_post_layernorm': False,
    'post_layer_norm': True,
    'rmsnorm': True,
    'tie_word_embeddings': False,
    'torch_dtype': 'float32',
    'eos_token_id': 2,
    'pad_token_id': 0,
}

GLM = {
    'architectures': ['GlmForCausalLM'],
    'model_type': 'glm',
    'vocab_size': VOCAB,
    'hidden_size': 24,
    'intermediate_size': 20,
    'num_hidden_layers': 3,
    'num_attention_heads': 6,
    'num_key_value_heads': 2,
    'head_dim': 8,
    'hidden_act': 'silu',
    'attention_bias': True,
    'max_position_embeddings': 64,
    'rms_norm_eps': 1.5625e-7,
    'tie_word_embeddings': False,
    'torch_dtype': 'float32',
    'eos_token_id': [2],
    'pad_token_id': 0,
}

OWN = {
    'chatglm2': {},
    # rope_ratio as the long-context versions have it, and other groups.
    'chatglm3-long': {'rope_ratio': 50, 'multi_query_group_num': 3},
}
TRANSFORMERS = {
    'glm': {'partial_rotary_factor': 0.5, 'rope_theta': 10000.0},
    'glm-parameters': {
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 5000000.0, 'partial_rotary_factor': 0.5},
        'attention_bias': False,
        'num_key_value_heads': 1,
    },
    # GLM-4-0414: two more norms a layer.
    'glm4': {
        'architectures': ['Glm4ForCausalLM'],
        'model_type': 'glm4',
        'partial_rotary_factor': 0.5,
        'rope_theta': 10000.0,
        'rms_norm_eps': 1e-5,
    },
    'glm4-plain': {
        'architectures': ['Glm4ForCausalLM'],
        'model_type': 'glm4',
        'attention_bias': False,
        'num_key_value_heads': 3,
        'rope_parameters': {'rope_type': 'default', 'rope_theta': 10000.0, 'partial_rotary_factor': 0.5},
    },
}


class RMSNorm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config['hidden_size']))
        self.eps = config['layernorm_epsilon']

    def forward(self, x):
        return self.weight * x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt()


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.groups, self.dim = (config[k] for k in ('num_attention_heads', 'multi_query_group_num', 'kv_channels'))
        self.base = 10000.0 * config.get('rope_ratio', 1)
        self.query_key_value = nn.Linear(config['hidden_size'], (self.heads + 2 * self.groups) * self.dim)
        self.dense = nn.Linear(self.heads * self.dim, config['hidden_size'], bias=False)

    def turned(self, x):
        """x [T, H, D] as complex numbers: pairs of neighbours in the first half of every head."""
        half = self.dim // 2
        frequency = self.base ** (-torch.arange(0, half, 2, dtype=x.dtype) / half)
        angle = torch.arange(len(x), dtype=x.dtype)[:, None] * frequency
        pairs = torch.view_as_complex(x[..., :half].reshape(*x.shape[:2], -1, 2).contiguous())
        pairs = pairs * torch.polar(torch.ones_like(angle), angle)[:, None]
        return torch.cat([torch.view_as_real(pairs).flatten(-2), x[..., half:]], -1)

    def forward(self, x):
        sizes = [self.heads * self.dim, self.groups * self.dim, self.groups * self.dim]
        q, k, v = (part.reshape(len(x), -1, self.dim) for part in self.query_key_value(x).split(sizes, -1))
        q, k = self.turned(q), self.turned(k)
        out = []
        for head in range(self.heads):
            group = head // (self.heads // self.groups)
            scores = q[:, head] @ k[:, group].T / self.dim**0.5
            hidden = torch.ones_like(scores, dtype=torch.bool).triu(1)
            out.append(scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v[:, group])
        return self.dense(torch.cat(out, -1))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense_h_to_4h = nn.Linear(config['hidden_size'], 2 * config['ffn_hidden_size'], bias=False)
        self.dense_4h_to_h = nn.Linear(config['ffn_hidden_size'], config['hidden_size'], bias=False)

    def forward(self, x):
        gate, up = self.dense_h_to_4h(x).chunk(2, -1)
        return self.dense_4h_to_h(gate * gate.sigmoid() * up)


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm = RMSNorm(config)
        self.self_attention = Attention(config)
        self.post_attention_layernorm = RMSNorm(config)
        self.mlp = MLP(config)

    def forward(self, x):
        x = x + self.self_attention(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class ChatGLM(nn.Module):
    """Parameters have the names of the published checkpoints."""

    def __init__(self, config):
        super().__init__()
        vocab, hidden = config['padded_vocab_size'], config['hidden_size']
        self.transformer = nn.Module()
        self.transformer.embedding = nn.Module()
        self.transformer.embedding.word_embeddings = nn.Embedding(vocab, hidden)
        self.transformer.encoder = nn.Module()
        self.transformer.encoder.layers = nn.ModuleList(Layer(config) for _ in range(config['num_layers']))
        self.transformer.encoder.final_layernorm = RMSNorm(config)
        self.transformer.output_layer = nn.Linear(hidden, vocab, bias=False)

    def forward(self, input_ids, use_cache=False):
        t = self.transformer
        x = t.embedding.word_embeddings(input_ids[0])
        for layer in t.encoder.layers:
            x = layer(x)
        return SimpleNamespace(logits=t.output_layer(t.encoder.final_layernorm(x))[None])


RENAMED = [
    ('transformer.output_layer', 'lm_head'),
    ('transformer.embedding.word_embeddings', 'model.embed_tokens'),
    ('transformer.encoder.layers', 'model.layers'),
    ('transformer.encoder.final_layernorm', 'model.norm'),
    ('self_attention', 'self_attn'),
    ('dense_h_to_4h', 'gate_up_proj'),
    ('dense_4h_to_h', 'down_proj'),
    ('dense', 'o_proj'),
]


def in_transformers(tensors, config):
    """Tensors under transformers' names, query_key_value split by rows."""
    dim, heads, groups = config['kv_channels'], config['num_attention_heads'], config['multi_query_group_num']
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in RENAMED:
            name = name.replace(old, new)
        if 'query_key_value' in name:
            for letter, part in zip('qkv', tensor.split([heads * dim, groups * dim, groups * dim]), strict=True):
                renamed[name.replace('query_key_value', f'{letter}_proj')] = part
        else:
            renamed[name] = tensor
    return renamed


def check(model, config, sequences):
    """Logits and gradients of `model`, whose gradients are in its parameters, are those of transformers' Glm."""
    parameters = dict(model.named_parameters())
    twin = GlmForCausalLM(
        GlmConfig(
            vocab_size=VOCAB,
            hidden_size=config['hidden_size'],
            intermediate_size=config['ffn_hidden_size'],
            num_hidden_layers=config['num_layers'],
            num_attention_heads=config['num_attention_heads'],
            num_key_value_heads=config['multi_query_group_num'],
            head_dim=config['kv_channels'],
            rms_norm_eps=config['layernorm_epsilon'],
            rope_parameters={
                'rope_type': 'default',
                'rope_theta': 10000.0 * config.get('rope_ratio', 1),
                'partial_rotary_factor': 0.5,
            },
            pad_token_id=0,
            eos_token_id=[2],
            attn_implementation='eager',
        )
    ).eval()
    twin.load_state_dict(in_transformers({n: p.detach() for n, p in parameters.items()}, config))
    mine = golden(model, sequences)
    theirs = golden(twin, sequences)
    torch.testing.assert_close(mine['logits'], theirs['logits'], rtol=1e-5, atol=1e-5)
    found = in_transformers({n: p.grad for n, p in parameters.items()}, config)
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-4, atol=1e-6, msg=name)
    return mine


def make_own(index, name, changes):
    folder = FIXTURES / 'chatglm' / name
    config = {**CHATGLM, **changes}
    write_json(folder / 'config.json', config)
    model = ChatGLM(config).eval()
    randomise(model, 700 + index)
    # A table that old checkpoints hold and that follows from the config.
    table = {'transformer.rotary_pos_emb.inv_freq': torch.ones(config['kv_channels'] // 4)} if index == 0 else {}
    write_tensors(folder / 'model.safetensors', {**dict(model.named_parameters()), **table})
    tensors = check(model, config, random_sequences(800 + index, [11, 7, 19], VOCAB, [4, 0, 9]))
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients(model)})
    write_greedy(folder / 'greedy.json', model, [1, 9, 30, 17, 5])


def make_transformers(index, name, changes):
    folder = FIXTURES / 'chatglm' / name
    write_json(folder / 'config.json', {**GLM, **changes})
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    randomise(model, 720 + index)
    write_tensors(folder / 'model.safetensors', dict(model.named_parameters()))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation='eager').eval()
    tensors = golden(model, random_sequences(820 + index, [11, 7, 19], VOCAB, [4, 0, 9]))
    write_tensors(folder / 'golden.safetensors', {**tensors, **gradients(model)})
    write_greedy(folder / 'greedy.json', model, [1, 9, 30, 17, 5])


if __name__ == '__main__':
    for index, (name, changes) in enumerate(OWN.items()):
        make_own(index, name, changes)
    for index, (name, changes) in enumerate(TRANSFORMERS.items()):
        make_transformers(index, name, changes)
