"""Makes fixtures/checkpoint/gguf-quants.safetensors: values and what they become in the types that ift writes to GGUF files.

    python scripts/reference/make_gguf_quants.py

F16, BF16, Q4_0, Q5_0, Q5_1 and Q8_0 are those of the package gguf. It only reads Q4_K, Q5_K and Q6_K: here is llama.cpp's search for their
scales without importance weights (ggml-quants.c: quantize_row_q4_K_ref, quantize_row_q5_K_ref, quantize_row_q6_K_ref), in NumPy, and what the
package reads of the result.
"""

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q

from tiny_llama import FIXTURES, write_tensors

F = np.float32


def samples() -> np.ndarray:
    random = np.random.default_rng(3001)
    rows = [random.normal(0, scale, 256) for scale in (1, 0.02, 1e-4, 30)]
    rows += [random.standard_t(2, 256) * 0.05 for _ in range(4)]
    rows += [np.zeros(256), np.full(256, 0.25), np.abs(random.normal(0, 1, 256)), -np.abs(random.normal(0, 1, 256))]
    # Groups of one value, of one outlier, and values that lie half way between two numbers.
    rows += [np.repeat(random.normal(0, 1, 8), 32), np.where(np.arange(256) % 32 == 7, 5.0, 0.0), np.arange(256) / 127 - 1]
    rows += [np.where(np.arange(256) < 128, 0, random.normal(0, 1, 256)), np.round(random.normal(0, 3, 256)) / 2]
    return np.stack(rows).astype(F)


def nearest(values: np.ndarray) -> np.ndarray:
    return np.rint(values.astype(F)).astype(np.int32)


def scale_and_min(x: np.ndarray, most: int, first: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """make_qkx2_quants over groups [n, 32]."""
    w = np.sqrt((x * x).sum(-1, keepdims=True, dtype=F) / F(32)) + np.abs(x)
    least, largest = np.minimum(x.min(-1), 0), x.max(-1)
    sum_w, sum_x = w.sum(-1, dtype=F), (w * x).sum(-1, dtype=F)
    flat = largest == least
    span = np.where(flat, 1, largest - least).astype(F)
    scale, low = span / F(most), least.copy()
    q = np.clip(nearest((F(most) / span)[:, None] * (x - least[:, None])), 0, most)
    best = (w * (scale[:, None] * q + low[:, None] - x) ** 2).sum(-1, dtype=F)
    for step in range(steps + 1):
        inverse = (F(first) + F(0.1) * F(step) + F(most)) / span
        q = np.clip(nearest(inverse[:, None] * (x - least[:, None])), 0, most).astype(F)
        sum_q, sum_q2, sum_xq = (w * q).sum(-1, dtype=F), (w * q * q).sum(-1, dtype=F), (w * q * x).sum(-1, dtype=F)
        determinant = sum_w * sum_q2 - sum_q * sum_q
        with np.errstate(divide='ignore', invalid='ignore'):
            new_scale = (sum_w * sum_xq - sum_x * sum_q) / determinant
            new_low = (sum_q2 * sum_x - sum_q * sum_xq) / determinant
            above = new_low > 0
            new_scale = np.where(above, sum_xq / sum_q2, new_scale)
            new_low = np.where(above, 0, new_low)
            error = (w * (new_scale[:, None] * q + new_low[:, None] - x) ** 2).sum(-1, dtype=F)
        better = (determinant > 0) & (error < best)
        best, scale, low = np.where(better, error, best), np.where(better, new_scale, scale), np.where(better, new_low, low)
    return np.where(flat, 0, scale).astype(F), -low.astype(F)


def halves(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16)


def grouped(rows: np.ndarray, most: int, first: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The 16 bytes before the numbers of Q4_K and Q5_K, and the numbers [n, 8, 32]."""
    x = rows.reshape(-1, 32)
    scales, mins = (part.reshape(-1, 8) for part in scale_and_min(x, most, first, steps))
    top, low = scales.max(-1), np.maximum(mins.max(-1), 0)
    with np.errstate(divide='ignore'):
        ls = np.clip(nearest(np.where(top > 0, F(63) / top, 0)[:, None] * scales), 0, 63).astype(np.uint8)
        lm = np.clip(nearest(np.where(low > 0, F(63) / low, 0)[:, None] * mins), 0, 63).astype(np.uint8)
    d, dmin = halves(top / F(63)), halves(low / F(63))
    packed = np.zeros((len(rows), 12), np.uint8)
    packed[:, :4], packed[:, 4:8] = ls[:, :4], lm[:, :4]
    packed[:, 8:] = (ls[:, 4:] & 15) | ((lm[:, 4:] & 15) << 4)
    packed[:, :4] |= (ls[:, 4:] >> 4) << 6
    packed[:, 4:8] |= (lm[:, 4:] >> 4) << 6
    scale = d.astype(F)[:, None] * ls
    least = dmin.astype(F)[:, None] * lm
    x = rows.reshape(-1, 8, 32)
    with np.errstate(divide='ignore', invalid='ignore'):
        q = np.clip(np.rint((x + least[..., None]) / scale[..., None]), 0, most)
    q = np.where(scale[..., None] == 0, 0, q).astype(np.uint8)
    head = np.concatenate([d[:, None].view(np.uint8), dmin[:, None].view(np.uint8), packed], -1)
    return head, q


def q4_k(rows: np.ndarray) -> np.ndarray:
    head, q = grouped(rows, 15, -1, 20)
    return np.concatenate([head, (q[:, ::2] | (q[:, 1::2] << 4)).reshape(len(rows), 128)], -1)


def q5_k(rows: np.ndarray) -> np.ndarray:
    head, q = grouped(rows, 31, -0.5, 15)
    high = np.zeros((len(rows), 32), np.uint8)
    for group in range(8):
        high |= (q[:, group] >> 4) << group
    low = q & 15
    return np.concatenate([head, high, (low[:, ::2] | (low[:, 1::2] << 4)).reshape(len(rows), 128)], -1)


def q6_k(rows: np.ndarray) -> np.ndarray:
    x = rows.reshape(-1, 16)
    largest = np.take_along_axis(x, np.abs(x).argmax(-1)[:, None], -1)[:, 0]
    zero = np.abs(largest) < 1e-15
    safe = np.where(zero, 1, largest).astype(F)
    scale, best = np.zeros(len(x), F), np.zeros(len(x), F)
    for step in (0, *range(-9, 0), *range(1, 10)):
        inverse = -(F(32) + F(0.1) * F(step)) / safe
        q = np.clip(nearest(inverse[:, None] * x), -32, 31).astype(F)
        sum_xq, sum_q2 = (x * x * x * q).sum(-1, dtype=F), (x * x * q * q).sum(-1, dtype=F)
        with np.errstate(divide='ignore', invalid='ignore'):
            better = (sum_q2 > 0) & ((step == 0) | (sum_xq * sum_xq > best * sum_q2))
            scale = np.where(better, sum_xq / sum_q2, scale)
        best = np.where(better, scale * sum_xq, best)
    scales = np.where(zero, 0, scale).reshape(-1, 16)
    top = np.take_along_axis(scales, np.abs(scales).argmax(-1)[:, None], -1)[:, 0]
    empty = np.abs(top) < 1e-15
    inverse = F(-128) / np.where(empty, 1, top).astype(F)
    d = np.where(empty, 0, halves(F(1) / inverse)).astype(np.float16)
    ls = np.where(empty[:, None], 0, np.minimum(127, nearest(inverse[:, None] * scales))).astype(np.int8)
    step = d.astype(F)[:, None] * ls
    with np.errstate(divide='ignore', invalid='ignore'):
        q = np.clip(np.rint(rows.reshape(-1, 16, 16) / step[..., None]), -32, 31)
    q = (np.where(step[..., None] == 0, 0, q) + 32).astype(np.uint8)
    q = np.where(empty[:, None, None], 0, q).reshape(-1, 2, 4, 32)
    low = q & 15
    high = q >> 4
    ql = np.concatenate([low[:, :, :2] | (low[:, :, 2:] << 4)], 2).reshape(len(rows), 128)
    qh = (high[:, :, 0] | (high[:, :, 1] << 2) | (high[:, :, 2] << 4) | (high[:, :, 3] << 6)).reshape(len(rows), 64)
    return np.concatenate([ql, qh, ls.view(np.uint8), d[:, None].view(np.uint8)], -1)


def main() -> None:
    rows = samples()
    tensors = {'values': torch.from_numpy(rows)}
    tensors['F16.blocks'] = torch.from_numpy(rows.astype(np.float16).view(np.uint8))
    for kind in (Q.BF16, Q.Q4_0, Q.Q5_0, Q.Q5_1, Q.Q8_0):
        tensors[f'{kind.name}.blocks'] = torch.from_numpy(gguf.quants.quantize(rows, kind).view(np.uint8))
    for kind, make in ((Q.Q4_K, q4_k), (Q.Q5_K, q5_k), (Q.Q6_K, q6_k)):
        blocks = make(rows)
        tensors[f'{kind.name}.blocks'] = torch.from_numpy(blocks)
        found = gguf.quants.dequantize(blocks, kind).reshape(rows.shape)
        error = np.sqrt(((found - rows) ** 2).mean(-1)) / np.maximum(np.abs(rows).max(-1), 1e-30)
        print(kind.name, error.round(4))
    write_tensors(FIXTURES / 'checkpoint' / 'gguf-quants.safetensors', tensors)


if __name__ == '__main__':
    main()
