// One row of a matrix held in registers by the threads that share it.
#pragma once
#include "reduce.h"
#include "vector.h"

namespace ift {

// Packs of a row one thread holds; a longer row is read again instead.
inline constexpr int kHeld = 4;

// The place of this thread in the rows of a [rows, cols] matrix. Launch: blockDim (threads, 1) with a block a row, or
// (32, R) with a warp a row.
struct RowPlace {
  int64_t row;
  bool outside;
  __device__ __forceinline__ explicit RowPlace(int64_t rows)
      : row(static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y), outside(row >= rows) {}
};

// Whether the packs of a row of `cols` elements fit in the registers of its threads, at any row.
template <int N>
__device__ __forceinline__ bool fits_held(int cols) {
  return cols % N == 0 && cols / N <= kHeld * static_cast<int>(blockDim.x);
}

// Calls f(k, column) for the packs of this thread, k-th of its own.
template <int N, class F>
__device__ __forceinline__ void for_held(int cols, F f) {
#pragma unroll
  for (int k = 0; k < kHeld; ++k) {
    const int column = (k * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * N;
    if (column < cols) f(k, column);
  }
}

template <class F>
__device__ __forceinline__ void for_columns(int cols, F f) {
  for (int column = threadIdx.x; column < cols; column += blockDim.x) f(column);
}

}  // namespace ift
