"""Compares the golden logits of fixtures with a second implementation of each family, in NumPy and float64, that was compared
with the original code: model_refs.py of the shared reference folder (IFT_SHARED, or ../shared beside the repository).

    python scripts/reference/check_models.py
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / 'fixtures'
SHARED = Path(os.environ.get('IFT_SHARED', ROOT.parent / 'shared'))
LIMIT = 1e-5

sys.path.insert(0, str(SHARED / 'reference'))
import model_refs as refs  # noqa: E402


def first(config, *names):
    return next(config[name] for name in names if config.get(name) is not None)


def llama(weights, ids, c):
    sizes = c['num_hidden_layers'], c['num_attention_heads'], c['num_key_value_heads']
    return refs.llama(weights, ids, *sizes, c['rms_norm_eps'], c.get('rope_theta', 10000.0))


def chatglm1(weights, ids, c):
    blank = c['gmask_token_id'] if c['gmask_token_id'] in ids else c['mask_token_id']
    return refs.chatglm1(weights, ids, c['num_layers'], c['num_attention_heads'], c['bos_token_id'], blank, c['layernorm_epsilon'])


def chatglm2(weights, ids, c):
    sizes = c['num_layers'], c['num_attention_heads'], c['multi_query_group_num'], c['kv_channels']
    return refs.chatglm2(weights, ids, *sizes, c['layernorm_epsilon'], c.get('rope_ratio', 1.0))


def bloom(weights, ids, c):
    named = {name.removeprefix('transformer.'): value for name, value in weights.items()}
    sizes = first(c, 'n_layer', 'num_hidden_layers'), first(c, 'n_head', 'num_attention_heads')
    return refs.bloom(named, ids, *sizes, c['layer_norm_epsilon'])


def moss(weights, ids, c):
    return refs.moss(weights, ids, c['n_layer'], c['n_head'], c['rotary_dim'], c['layer_norm_epsilon'])


MODELS = {
    'llama-tiny': llama,
    'chatglm/chatglm1': chatglm1,
    'chatglm/chatglm2': chatglm2,
    'chatglm/chatglm3-long': chatglm2,
    'bloom/tiny': bloom,
    'bloom/heads-6': bloom,
    'moss/codegen': moss,
    'moss/codegen-whole': moss,
}

if __name__ == '__main__':
    for name, logits in MODELS.items():
        folder = FIXTURES / name
        config = json.loads((folder / 'config.json').read_text())
        weights = {key: value.astype(np.float64) for key, value in load_file(folder / 'model.safetensors').items()}
        golden = load_file(folder / 'golden.safetensors')
        ids, ends = golden['input_ids'].tolist(), golden['cu_seqlens'].tolist()
        found = np.concatenate([logits(weights, ids[a:b], config) for a, b in zip(ends, ends[1:])])
        expected = golden['logits'].reshape(found.shape)
        error = float(np.max(np.abs(found - expected) / (1 + np.abs(expected))))
        print(f'{name}: {error:.1e}')
        assert error < LIMIT, name
