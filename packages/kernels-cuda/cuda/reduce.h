// Sums and maxima over the threads that share a row, in one fixed order.
#pragma once
#include "element.h"

namespace ift {

// Totals of K values over the threads of a row: a warp when blockDim.x is 32 (blockDim.y rows share the block then), the
// whole block otherwise. Every thread of the row gets them, and all threads of the block must call it together in the
// second case.
template <int K>
__device__ __forceinline__ void row_totals(float (&v)[K]) {
#pragma unroll
  for (int k = 0; k < K; ++k) v[k] = warp_sum(v[k]);
  if (blockDim.x == 32) return;
  __shared__ float partial[K][32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) {
#pragma unroll
    for (int k = 0; k < K; ++k) partial[k][warp] = v[k];
  }
#ifndef IFT_PLANT_NO_BARRIER_IN_TOTALS
  __syncthreads();
#endif
#pragma unroll
  for (int k = 0; k < K; ++k) v[k] = warp_sum(lane < static_cast<int>(blockDim.x) / 32 ? partial[k][lane] : 0.0f);
  // The next totals reuse the memory.
  __syncthreads();
}

__device__ __forceinline__ float row_total(float v) {
  float values[1] = {v};
  row_totals(values);
  return values[0];
}

// The maximum over a block.
__device__ __forceinline__ float block_maximum(float v) {
  v = warp_max(v);
  __shared__ float partial[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  v = warp_max(lane < static_cast<int>(blockDim.x) / 32 ? partial[lane] : -INFINITY);
  __syncthreads();
  return v;
}

}  // namespace ift
