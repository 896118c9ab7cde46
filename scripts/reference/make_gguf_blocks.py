"""Makes fixtures/checkpoint/gguf-blocks.safetensors: blocks of every quantised type that is read, and the values that they hold.

    python scripts/reference/make_gguf_blocks.py

NAME.blocks u8 [blocks, bytes], NAME.values f32 [blocks, elements] as the package gguf dequantises them. Blocks of random bytes, then
blocks of zeros and of ones, then random ones whose scales (and minima) are 0, -0, the largest and the least half, the largest and the least
subnormal one, infinities and NaN.
"""

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q

from tiny_llama import FIXTURES, write_tensors

# Byte offsets of the f16 scales in a block.
SCALES = {
    Q.Q4_0: [0],
    Q.Q4_1: [0, 2],
    Q.Q5_0: [0],
    Q.Q5_1: [0, 2],
    Q.Q8_0: [0],
    Q.Q2_K: [80, 82],
    Q.Q3_K: [108],
    Q.Q4_K: [0, 2],
    Q.Q5_K: [0, 2],
    Q.Q6_K: [208],
    Q.IQ4_NL: [0],
    Q.IQ4_XS: [0],
}
HALVES = [0x0000, 0x8000, 0x7BFF, 0xFBFF, 0x03FF, 0x0001, 0x8001, 0x7C00, 0xFC00, 0x7E00]
FLOATS = [0.0, -0.0, 3.4028235e38, 1.1754942e-38, 1e-45, np.inf, -np.inf, np.nan]


def half_blocks(kind: Q, offsets: list[int], random: np.random.Generator) -> np.ndarray:
    _, size = gguf.GGML_QUANT_SIZES[kind]
    rows = [random.integers(0, 256, size, dtype=np.uint8) for _ in range(3)]
    # Random bytes are NaN or infinite once in 32 times: published scales are small.
    for row in rows:
        for at in offsets:
            row[at : at + 2] = np.float16(random.normal(0, 0.01)).reshape(1).view(np.uint8)
    rows += [np.zeros(size, np.uint8), np.full(size, 255, np.uint8)]
    for i, bits in enumerate(HALVES):
        row = random.integers(0, 256, size, dtype=np.uint8)
        for j, at in enumerate(offsets):
            row[at : at + 2] = np.array([HALVES[(i + 3 * j) % len(HALVES)]], "<u2").view(np.uint8)
        rows.append(row)
    return np.stack(rows)


def main() -> None:
    random = np.random.default_rng(29)
    tensors = {}
    with np.errstate(all="ignore"):
        for kind, offsets in SCALES.items():
            blocks = half_blocks(kind, offsets, random)
            values = gguf.quants.dequantize(blocks, kind)
            tensors[f"{kind.name}.blocks"] = torch.from_numpy(blocks)
            tensors[f"{kind.name}.values"] = torch.from_numpy(values.astype(np.float32))
        # The package has no Q8_K: f32 scale, 256 i8, sums.
        rows = []
        for scale in [0.01, -3.5, *FLOATS]:
            row = random.integers(0, 256, 292, dtype=np.uint8)
            row[:4] = np.array([scale], "<f4").view(np.uint8)
            rows.append(row)
        blocks = np.stack(rows)
        values = blocks[:, :4].copy().view("<f4") * blocks[:, 4:260].copy().view(np.int8).astype(np.float32)
        tensors["Q8_K.blocks"] = torch.from_numpy(blocks)
        tensors["Q8_K.values"] = torch.from_numpy(values.astype(np.float32))
    write_tensors(FIXTURES / "checkpoint" / "gguf-blocks.safetensors", tensors)


if __name__ == "__main__":
    main()
