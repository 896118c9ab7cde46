// Tiles of 16-bit elements in shared memory and their products on tensor cores.
//
// A tile's rows are HD elements apart by HD + 8, so that the eight rows of a matrix load fall on different banks. Rows
// past a sequence and columns past the head dimension are zeros.
#pragma once
#include "attention_sequence.h"
#include "element.h"

// Head dimensions that kernels are made for, ascending: those that a test names, or all.
#ifndef IFT_EACH_HEAD_DIM
  #ifdef IFT_FEW_SHAPES  // for sanitizers, which compile long
    #define IFT_EACH_HEAD_DIM(make) make(64)
  #else
    #define IFT_EACH_HEAD_DIM(make) make(64) make(80) make(96) make(128) make(192) make(256)
  #endif
#endif

template <int HD>
constexpr int TILE_STRIDE = HD + 8;

/// Starts the copy of ROWS rows into a tile; `row_of(r)` gives the address of row r or null for zeros.
template <class T, int HD, int ROWS, int THREADS, class RowOf>
__device__ __forceinline__ void load_tile(T* tile, int head_dim, int thread, const void* any, RowOf row_of) {
  // Lanes a row: a power of two, so that a thread keeps its column; with 10 or 12 vectors some lanes rest.
  constexpr int LANES = HD <= 64 ? 8 : HD <= 128 ? 16 : 32;
  constexpr int STEP = THREADS / LANES;
  static_assert(THREADS % LANES == 0 && ROWS % STEP == 0, "every thread has the same number of rows");
  const int c = thread % LANES * 8;
  if (HD % (8 * LANES) != 0 && c >= HD) return;
  T* to = tile + thread / LANES * TILE_STRIDE<HD> + c;
#pragma unroll 4
  for (int r = thread / LANES; r < ROWS; r += STEP) {
    const T* row = row_of(r);
    const bool there = row != nullptr && c < head_dim;
    cp_async_16(to, there ? static_cast<const void*>(row + c) : any, there ? 16 : 0);
    to += STEP * TILE_STRIDE<HD>;
  }
}

/// Rows first .. first + ROWS of keys or values of a head, the rows from `end` on as zeros.
template <class T, int HD, int ROWS, int THREADS, bool PAGED>
__device__ __forceinline__ void load_keys(T* tile, const AttentionArgs& a, const Sequence& s, const T* from, int head,
                                          int first, int end, int thread) {
  load_tile<T, HD, ROWS, THREADS>(tile, a.head_dim, thread, from, [&](int r) -> const T* {
    if (first + r >= end) return nullptr;
    const int64_t row = key_row<PAGED>(a, s, first + r);
    return row < 0 ? nullptr : from + (row * a.kv_heads + head) * a.head_dim;
  });
}

/// Rows first .. first + ROWS of a tensor shaped like q.
template <class T, int HD, int ROWS, int THREADS>
__device__ __forceinline__ void load_queries(T* tile, const AttentionArgs& a, const Sequence& s, const T* from,
                                             int head, int first, int thread) {
  load_tile<T, HD, ROWS, THREADS>(tile, a.head_dim, thread, from, [&](int r) -> const T* {
    if (first + r >= s.q_length) return nullptr;
    return from + (int64_t{s.q0 + first + r} * a.heads + head) * a.head_dim;
  });
}

/// The left factor: rows row .. row + 16, columns k .. k + 16 of a tile.
template <int HD, class T>
__device__ __forceinline__ void left_fragment(uint32_t (&f)[4], const T* tile, int row, int k) {
  const int lane = threadIdx.x % 32;
  ldmatrix_x4(f, tile + (row + lane % 16) * TILE_STRIDE<HD> + k + lane / 16 * 8);
}

/// The right factor of a product with a tile's transpose: its rows n .. n + 16 are columns of the product. Two
/// fragments of eight columns each: f[0], f[1] and f[2], f[3].
template <int HD, class T>
__device__ __forceinline__ void right_transposed(uint32_t (&f)[4], const T* tile, int n, int k) {
  const int lane = threadIdx.x % 32;
  ldmatrix_x4(f, tile + (n + lane / 16 * 8 + lane % 8) * TILE_STRIDE<HD> + k + lane / 8 % 2 * 8);
}

/// The right factor of a product with the tile itself: rows k .. k + 16, columns n .. n + 16.
template <int HD, class T>
__device__ __forceinline__ void right_fragment(uint32_t (&f)[4], const T* tile, int k, int n) {
  const int lane = threadIdx.x % 32;
  ldmatrix_x4_trans(f, tile + (k + lane % 16) * TILE_STRIDE<HD> + n + lane / 16 * 8);
}

/// Two neighbouring products of eight columns with the same left factor.
template <class T>
__device__ __forceinline__ void multiply_pair(float (&even)[4], float (&odd)[4], const uint32_t (&left)[4],
                                              const uint32_t (&right)[4]) {
  const uint32_t low[2] = {right[0], right[1]}, high[2] = {right[2], right[3]};
  mma_16816(even, left, low, T());
  mma_16816(odd, left, high, T());
}

/// c [M][N / 8] = rows of `left` from `row` on, times the transpose of the first N rows of `right`.
template <class T, int HD, int M, int N>
__device__ __forceinline__ void multiply_transposed(float (&c)[M][N / 8][4], const T* left, int row, const T* right) {
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < N / 8; ++n) c[m][n][0] = c[m][n][1] = c[m][n][2] = c[m][n][3] = 0.0f;
  }
#pragma unroll
  for (int k = 0; k < HD; k += 16) {
    uint32_t l[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m) left_fragment<HD>(l[m], left, row + m * 16, k);
#pragma unroll
    for (int n = 0; n < N; n += 16) {
      uint32_t r[4];
      right_transposed<HD>(r, right, n, k);
#pragma unroll
      for (int m = 0; m < M; ++m) multiply_pair<T>(c[m][n / 8], c[m][n / 8 + 1], l[m], r);
    }
  }
}

/// A block of 16 columns of accumulators, rounded, as a left factor.
template <class T>
__device__ __forceinline__ void as_left(uint32_t (&f)[4], const float (&even)[4], const float (&odd)[4]) {
  f[0] = pack2<T>(even[0], even[1]);
  f[1] = pack2<T>(even[2], even[3]);
  f[2] = pack2<T>(odd[0], odd[1]);
  f[3] = pack2<T>(odd[2], odd[3]);
}

/// sum [M][COLUMNS / 8] += weights [M][K / 8], rounded, times columns column .. column + COLUMNS of the first K rows of
/// `right`.
template <class T, int HD, int COLUMNS, int M, int K>
__device__ __forceinline__ void multiply_add(float (&sum)[M][COLUMNS / 8][4], const float (&weights)[M][K / 8][4],
                                             const T* right, int column) {
#pragma unroll
  for (int k = 0; k < K; k += 16) {
    uint32_t l[M][4];
#pragma unroll
    for (int m = 0; m < M; ++m) as_left<T>(l[m], weights[m][k / 8], weights[m][k / 8 + 1]);
#pragma unroll
    for (int n = 0; n < COLUMNS; n += 16) {
      uint32_t r[4];
      right_fragment<HD>(r, right, k, column + n);
#pragma unroll
      for (int m = 0; m < M; ++m) multiply_pair<T>(sum[m][n / 8], sum[m][n / 8 + 1], l[m], r);
    }
  }
}

/// Rounds accumulators times `factor[m][half]` into the warp's own rows of a tile, from column `column` on.
template <class T, int HD, int COLUMNS, int M>
__device__ __forceinline__ void round_into(T* tile, int row, int column, const float (&sum)[M][COLUMNS / 8][4],
                                           const float (&factor)[M][2]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; ++n) {
      T* at = tile + (row + m * 16 + lane / 4) * TILE_STRIDE<HD> + column + n * 8 + lane % 4 * 2;
      *reinterpret_cast<uint32_t*>(at) = pack2<T>(sum[m][n][0] * factor[m][0], sum[m][n][1] * factor[m][0]);
      *reinterpret_cast<uint32_t*>(at + 8 * TILE_STRIDE<HD>) =
          pack2<T>(sum[m][n][2] * factor[m][1], sum[m][n][3] * factor[m][1]);
    }
  }
}

/// Copies ROWS rows of a tile from `row` on to memory by one warp; `row_of(r)` is the address of row r or null.
template <class T, int HD, int ROWS, int COLUMNS, class RowOf>
__device__ __forceinline__ void store_rows(const T* tile, int row, int column, int head_dim, RowOf row_of) {
  constexpr int VECTORS = COLUMNS / 8;
  for (int n = threadIdx.x % 32; n < ROWS * VECTORS; n += 32) {
    const int r = n / VECTORS, c = column + n % VECTORS * 8;
    T* to = row_of(r);
    if (to == nullptr || c >= head_dim) continue;
    *reinterpret_cast<uint4*>(to + c) = *reinterpret_cast<const uint4*>(tile + (row + r) * TILE_STRIDE<HD> + c);
  }
}
