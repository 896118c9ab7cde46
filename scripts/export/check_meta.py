"""Opens what `npx ift export meta` wrote as PyTorch does without running code, and compares it with the safetensors file of the base.

    python scripts/export/check_meta.py META_FOLDER MODEL_FOLDER
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

meta, base = (Path(one) for one in sys.argv[1:3])
held = torch.load(meta / 'consolidated.00.pth', weights_only=True)
mapped = torch.load(meta / 'consolidated.00.pth', weights_only=True, mmap=True)
params = json.loads((meta / 'params.json').read_text())
weights = load_file(base / 'model.safetensors')


def turned(rows: torch.Tensor, heads: int) -> torch.Tensor:
    return rows.view(heads, 2, len(rows) // heads // 2, -1).transpose(1, 2).reshape(rows.shape)


names = {'wq': 'self_attn.q_proj', 'wk': 'self_attn.k_proj', 'wv': 'self_attn.v_proj', 'wo': 'self_attn.o_proj',
         'w1': 'mlp.gate_proj', 'w2': 'mlp.down_proj', 'w3': 'mlp.up_proj'}
checked = 0
for name, tensor in held.items():
    parts = name.split('.')
    assert torch.equal(tensor, mapped[name]), name
    if parts[0] != 'layers' or parts[3] not in names:
        continue
    source = weights[f'model.layers.{parts[1]}.{names[parts[3]]}.weight']
    heads = {'wq': params['n_heads'], 'wk': params.get('n_kv_heads', params['n_heads'])}.get(parts[3])
    expected = source if heads is None else turned(source, heads)
    assert torch.equal(tensor, expected.to(tensor.dtype)), name
    checked += 1
print(f'{len(held)} tensors, {checked} matrices as in {base}')
