"""Makes fixtures/checkpoint: one small model in every file format that ift reads, and files it must refuse.

    python scripts/reference/make_checkpoint.py

expected.safetensors has the float32 weights; a reader must find them in each form (rounded in the bf16 and f16 ones).
"""

import argparse
import builtins
import json
import os
import zipfile
from collections import OrderedDict

import torch
from safetensors.torch import save_file

from tiny_llama import FIXTURES, config_json, golden, make_model, random_sequences, write_json, write_tensors

OUT = FIXTURES / 'checkpoint'
SIZE = {
    'vocab_size': 40,
    'hidden_size': 16,
    'intermediate_size': 24,
    'num_hidden_layers': 2,
    'num_attention_heads': 2,
    'num_key_value_heads': 1,
    'head_dim': 8,
    'max_position_embeddings': 32,
}


def make_forms() -> None:
    model = make_model(OUT / 'single', seed=90, **SIZE)
    weights = model.state_dict()
    write_tensors(OUT / 'expected.safetensors', weights)
    with torch.no_grad():
        write_tensors(OUT / 'golden.safetensors', golden(model, random_sequences(91, [5, 8], 40, [1, 3])))

    names = sorted(weights)
    shards = [names[:5], names[5:12], names[12:]]
    write_sharded('sharded', 'model', 'safetensors', weights, shards)
    write_sharded('bin-sharded', 'pytorch_model', 'bin', weights, shards)
    for folder in ('bin', 'bin-legacy', 'bin-f16', 'bf16', 'f16'):
        write_json(OUT / folder / 'config.json', config_json(**SIZE))
    # The state dict is an OrderedDict with a _metadata attribute, as Module.state_dict() returns it.
    torch.save(weights, OUT / 'bin' / 'pytorch_model.bin')
    torch.save(weights, OUT / 'bin-legacy' / 'pytorch_model.bin', _use_new_zipfile_serialization=False)
    half = {name: weight.half() for name, weight in weights.items()}
    torch.save(half, OUT / 'bin-f16' / 'pytorch_model.bin')
    save_file(half, OUT / 'f16' / 'model.safetensors', metadata={'format': 'pt'})
    save_file({n: w.bfloat16() for n, w in weights.items()}, OUT / 'bf16' / 'model.safetensors', metadata={'format': 'pt'})


def write_sharded(folder: str, stem: str, suffix: str, weights: dict, shards: list[list[str]]) -> None:
    write_json(OUT / folder / 'config.json', config_json(**SIZE))
    weight_map = {}
    for i, names in enumerate(shards, start=1):
        file = f'{stem}-{i:05}-of-{len(shards):05}.{suffix}'
        part = {name: weights[name] for name in names}
        if suffix == 'bin':
            torch.save(part, OUT / folder / file)
        else:
            save_file(part, OUT / folder / file, metadata={'format': 'pt'})
        weight_map.update(dict.fromkeys(names, file))
    total = sum(w.numel() * w.element_size() for w in weights.values())
    index = {'metadata': {'total_size': total}, 'weight_map': weight_map}
    write_json(OUT / folder / f'{stem}.{suffix}.index.json', index)


def make_layouts() -> None:
    """Storages that several tensors share, views, odd shapes and every dtype, in both torch.save formats."""
    generator = torch.Generator().manual_seed(92)
    base = torch.randn(6, 8, generator=generator)
    tensors = OrderedDict(
        tied_a=base,
        tied_b=base,
        rows=base[2:5],
        columns=base[:, 3:6],
        transposed=base.t(),
        every_other=base[::2, 1::3],
        expanded=base[0, :1].expand(3, 4),
        permuted=torch.randn(2, 3, 4, generator=generator).permute(2, 0, 1),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 4),
        parameter=torch.nn.Parameter(torch.randn(5, generator=generator)),
        buffer_i64=torch.tensor([-1, 2**40, 3]),
        i32=torch.tensor([1, -(2**31), 2**31 - 1], dtype=torch.int32),
        i16=torch.tensor([-300, 300], dtype=torch.int16),
        i8=torch.tensor([-128, 127], dtype=torch.int8),
        u8=torch.arange(250, 256, dtype=torch.uint8),
        boolean=torch.tensor([True, False, True]),
        f64=torch.tensor([1 / 3, 1e300], dtype=torch.float64),
        f16=torch.tensor([1 / 3, 65504, 6e-8], dtype=torch.float16),
        bf16=torch.tensor([1 / 3, 3e38, 1e-40], dtype=torch.bfloat16),
    )
    tensors['parameter'].requires_grad_(True)
    folder = OUT / 'layouts'
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, folder / 'zip.bin')
    torch.save(tensors, folder / 'legacy.bin', _use_new_zipfile_serialization=False)
    nested = {'epoch': 3, 'lr': 1e-4, 'name': 'run', 'flags': [True, None, (1, 2)], 'state_dict': tensors}
    torch.save(nested, folder / 'nested.pt')
    write_tensors(folder / 'expected.safetensors', tensors)


class Call:
    """Pickles as a call of function(*arguments), which an ordinary unpickler makes while it reads the file."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def make_refused() -> None:
    """Each would create the file ift-pickle-executed in the working folder if a reader ran it."""
    folder = OUT / 'refused'
    folder.mkdir(parents=True, exist_ok=True)
    good = torch.arange(4.0)
    system = {'weight': good, 'extra': Call(os.system, 'touch ift-pickle-executed')}
    torch.save(system, folder / 'os-system.bin')
    torch.save(system, folder / 'os-system-legacy.bin', _use_new_zipfile_serialization=False)
    code = "open('ift-pickle-executed', 'w').close()"
    torch.save({'weight': good, 'extra': Call(builtins.exec, code)}, folder / 'builtins-exec.bin')
    torch.save({'weight': good, 'extra': Call(getattr, good, 'shape')}, folder / 'getattr.bin')
    # Harmless, but not tensors: an object of a class that no checkpoint reader should import.
    torch.save({'weight': good, 'arguments': argparse.Namespace(lr=1e-4)}, folder / 'namespace.bin')

    whole = (OUT / 'bin' / 'pytorch_model.bin').read_bytes()
    (folder / 'truncated.bin').write_bytes(whole[: len(whole) * 2 // 3])
    # A zip that has the pickle but lacks the storages it points to.
    with zipfile.ZipFile(OUT / 'bin' / 'pytorch_model.bin') as source, zipfile.ZipFile(folder / 'no-storages.bin', 'w') as target:
        for info in source.infolist():
            if '/data/' not in info.filename:
                target.writestr(zipfile.ZipInfo(info.filename), source.read(info))
    make_refused_safetensors(folder)


def make_refused_safetensors(folder) -> None:
    whole = (OUT / 'single' / 'model.safetensors').read_bytes()
    (folder / 'truncated.safetensors').write_bytes(whole[: len(whole) // 2])
    (folder / 'header-too-long.safetensors').write_bytes((2**60).to_bytes(8, 'little') + whole[8:200])
    bad_headers = {
        'not-json': b'{"a": ',
        'overlap': {'a': ['F32', [2], [0, 8]], 'b': ['F32', [2], [4, 12]]},
        'hole': {'a': ['F32', [1], [0, 4]], 'b': ['F32', [1], [8, 12]]},
        'beyond-end': {'a': ['F32', [4], [0, 16]]},
        'shape-mismatch': {'a': ['F32', [5], [0, 12]]},
        'unknown-dtype': {'a': ['Q7', [3], [0, 12]]},
        'overflow': {'a': ['F32', [2**33, 2**33], [0, 12]]},
    }
    for name, header in bad_headers.items():
        if isinstance(header, dict):
            entries = {k: dict(zip(('dtype', 'shape', 'data_offsets'), v, strict=True)) for k, v in header.items()}
            header = json.dumps(entries).encode()
        (folder / f'{name}.safetensors').write_bytes(len(header).to_bytes(8, 'little') + header + bytes(12))


if __name__ == '__main__':
    make_forms()
    make_layouts()
    make_refused()
