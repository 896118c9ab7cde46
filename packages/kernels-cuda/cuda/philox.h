// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
#pragma once
#include "ift_cuda.h"

namespace ift {

// Words i mod 4 of the block with counter (i div 4, 0, stream, 0): those of elements 4 · block .. 4 · block + 3.
__device__ __forceinline__ void philox(uint32_t (&words)[4], uint32_t block, uint32_t stream, const uint32_t (&key)[2]) {
  uint32_t c0 = block, c1 = 0, c2 = stream, c3 = 0, k0 = key[0], k1 = key[1];
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = static_cast<uint64_t>(0xd2511f53u) * c0, b = static_cast<uint64_t>(0xcd9e8d57u) * c2;
    c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(b);
    c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(a);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  words[0] = c0, words[1] = c1, words[2] = c2, words[3] = c3;
}

}  // namespace ift
