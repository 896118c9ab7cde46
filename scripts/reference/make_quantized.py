"""Makes fixtures/quantized: matrices in NF4 and int8 as bitsandbytes codes them on the CPU.

    python scripts/reference/make_quantized.py

Besides, the same format once more in NumPy, compared with bitsandbytes here. They differ in one thing: on the CPU
bitsandbytes takes a neighbour of the nearest level for about one scale in 600, where the two are almost equally near. The
scales of the NumPy form are in the file as `nearest`. (Matrices of an even size whose rows are not whole blocks are left
out: version 0.50.2 decodes them wrongly on the CPU.)
"""

import bitsandbytes.functional as bnb
import numpy as np
import torch

from tiny_llama import FIXTURES, write_tensors

BLOCK, GROUP = 64, 256
F = np.float32

NF4 = np.array([
    -1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.091050036, 0.0, 0.0795803, 0.1609302,
    0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0,
], dtype=F)


def nearest(levels, t):
    midpoints = ((levels[:-1] + levels[1:]) / F(2)).astype(F)
    return np.searchsorted(midpoints, t, side='left').astype(np.uint8)


def share(x, of):
    return np.divide(x, of, out=np.zeros_like(x), where=of != 0)


def blocks_of(x, size):
    padded = np.zeros(-(-x.size // size) * size, dtype=F)
    padded[:x.size] = x
    return padded.reshape(-1, size)


def reference_nf4(w, dynamic):
    blocks = blocks_of(w.reshape(-1), BLOCK)
    largest = np.abs(blocks).max(axis=1)
    codes = nearest(NF4, share(blocks, largest[:, None])).reshape(-1)[:w.size]
    if codes.size % 2:
        codes = np.append(codes, np.uint8(0))
    packed = codes[0::2] << 4 | codes[1::2]
    mean = F(largest.astype(np.float64).mean())
    groups = blocks_of(largest - mean, GROUP)
    factors = np.abs(groups).max(axis=1)
    scales = nearest(dynamic, share(groups, factors[:, None])).reshape(-1)[:largest.size]
    return {'codes': packed, 'scales': scales, 'groups': np.append(mean, factors).astype(F)}


def values_of(packed, scales, groups, dynamic, shape):
    n = shape[0] * shape[1]
    codes = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1)[:n]
    a = dynamic[scales] * np.repeat(groups[1:], GROUP)[:scales.size] + groups[0]
    return (blocks_of(NF4[codes], BLOCK) * a[:, None]).reshape(-1)[:n].reshape(shape)


def reference_int8(w):
    scales = np.abs(w).max(axis=1)
    factor = share(np.full_like(scales, 127), scales)
    codes = np.rint(w * factor[:, None]).astype(np.int8)
    values = codes.astype(F) * scales[:, None] * F(1 / 127)
    return {'codes': codes, 'scales': scales, 'values': values}


def matrix(rows, cols, seed):
    """Normal weights, the rows of different sizes, with a block of zeros and an outlier."""
    g = torch.Generator().manual_seed(seed)
    w = torch.randn(rows, cols, generator=g) * torch.logspace(-3, 0, rows)[:, None]
    flat = w.view(-1)
    flat[64:128] = 0
    flat[5] = 3.5
    return w


def same(name, found, expected, exact=True):
    if exact:
        assert np.array_equal(found, expected), (name, np.flatnonzero(found.reshape(-1) != expected.reshape(-1))[:5])
    else:
        np.testing.assert_allclose(found, expected, rtol=3e-7, atol=1e-9, err_msg=name)


if __name__ == '__main__':
    torch.set_num_threads(1)
    dynamic = bnb.create_dynamic_map().numpy()
    tensors = {'dynamic_levels': torch.from_numpy(dynamic), 'nf4_levels': torch.from_numpy(NF4)}
    for name, (rows, cols) in {'wide': (9, 2048), 'narrow': (40, 64), 'odd': (3, 43)}.items():
        w = matrix(rows, cols, len(name))
        tensors[f'{name}.weight'] = w
        packed, state = bnb.quantize_4bit(w, blocksize=BLOCK, compress_statistics=True, quant_type='nf4')
        assert np.array_equal(state.code.numpy(), NF4)
        assert state.state2.blocksize == GROUP and np.array_equal(state.state2.code.numpy(), dynamic)
        found = {
            'codes': packed.reshape(-1),
            'scales': state.absmax,
            'groups': torch.cat([state.offset.reshape(1), state.state2.absmax]),
            'values': bnb.dequantize_4bit(packed, state),
        }
        if w.numel() % 2:
            # It codes a number beyond the end, which is nobody's.
            found['codes'][-1] &= 0xF0
        expected = reference_nf4(w.numpy(), dynamic)
        same(f'{name}.nf4.codes', found['codes'].numpy(), expected['codes'])
        same(f'{name}.nf4.groups', found['groups'].numpy(), expected['groups'], exact=False)
        apart = found['scales'].numpy().astype(int) - expected['scales'].astype(int)
        assert np.abs(apart).max() <= 1 and (apart != 0).mean() < 0.01, apart
        values = values_of(expected['codes'], found['scales'].numpy(), found['groups'].numpy(), dynamic, w.shape)
        same(f'{name}.nf4.values', found['values'].numpy(), values)
        for part, tensor in found.items():
            tensors[f'{name}.nf4.{part}'] = tensor
        tensors[f'{name}.nf4.nearest'] = torch.from_numpy(expected['scales'])
        codes, scales, _ = bnb.int8_vectorwise_quant(w)
        found = {'codes': codes, 'scales': scales, 'values': bnb.int8_vectorwise_dequant(codes, scales)}
        for part, expected in reference_int8(w.numpy()).items():
            same(f'{name}.int8.{part}', found[part].numpy(), expected, part == 'codes')
            tensors[f'{name}.int8.{part}'] = found[part].view(torch.uint8) if part == 'codes' else found[part]
    write_tensors(FIXTURES / 'quantized' / 'golden.safetensors', tensors)
