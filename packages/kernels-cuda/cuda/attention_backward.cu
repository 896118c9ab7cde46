// Gradients of attention over packed sequences on tensor cores: FlashAttention-2 (Dao 2023, arXiv:2307.08691) without
// atomics, so that results do not depend on the order of blocks. One kernel runs over keys for each tile of queries
// (dq), another over queries for each tile of keys (dk, dv); both recompute the weights from the log-sum-exp.
#include "attention_tile.h"

template <int HD>
struct DqShape {
  static constexpr int WARPS = 4;
  static constexpr int M = 1;
  static constexpr int QUERIES = 16 * M * WARPS;
  /// At most 99 KiB of shared memory, which is what the smaller GPUs of each generation give a block.
  static constexpr int KEYS = HD <= 96 ? 64 : HD <= 128 ? 32 : 16;
};

/// delta = sum of dout · out for the tile's rows.
template <class T, int QUERIES>
__device__ __forceinline__ void compute_delta(const AttentionArgs& a, const Sequence& s, int head) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  const T* dout = reinterpret_cast<const T*>(a.dout);
  const T* out = reinterpret_cast<const T*>(a.out);
  // Four lanes a row.
  for (int r = warp * 8 + lane / 4; r < QUERIES; r += warps * 8) {
    const int query = s.first + r;
    float sum = 0.0f;
    const int64_t row = int64_t{s.q0 + query} * a.heads + head;
    if (query < s.q_length) {
      for (int c = lane % 4 * 8; c < a.head_dim; c += 32) {
        float x[8], y[8];
        load16(x, dout + row * a.head_dim + c);
        load16(y, out + row * a.head_dim + c);
#pragma unroll
        for (int i = 0; i < 8; ++i) sum += x[i] * y[i];
      }
    }
    sum += __shfl_xor_sync(FULL_WARP, sum, 1);
    sum += __shfl_xor_sync(FULL_WARP, sum, 2);
    if (lane % 4 == 0 && query < s.q_length) reinterpret_cast<float*>(a.delta)[row] = sum;
  }
}

/// Log-sum-exp in units of log2, +infinity where there is no row or it saw no key: its weights come out as zero.
__device__ __forceinline__ float weight_base(const AttentionArgs& a, const Sequence& s, int head, int query) {
  if (query >= s.q_length) return INFINITY;
  const float lse = reinterpret_cast<const float*>(a.lse)[int64_t{s.q0 + query} * a.heads + head];
  return lse == -INFINITY ? INFINITY : lse * LOG2_E;
}

__device__ __forceinline__ float row_delta(const AttentionArgs& a, const Sequence& s, int head, int query) {
  if (query >= s.q_length) return 0.0f;
  return reinterpret_cast<const float*>(a.delta)[int64_t{s.q0 + query} * a.heads + head];
}

/// Grid: tiles of queries (at most rows_q / QUERIES + segments), heads.
template <class T, int HD>
__device__ __forceinline__ void attention_backward_dq(const AttentionArgs& a) {
  using Shape = DqShape<HD>;
  constexpr int M = Shape::M, QUERIES = Shape::QUERIES, KEYS = Shape::KEYS, THREADS = 32 * Shape::WARPS;
  constexpr int TILE = KEYS * TILE_STRIDE<HD>;
  IFT_SHARED(T, queries);
  T* douts = queries + QUERIES * TILE_STRIDE<HD>;
  T* keys = douts + QUERIES * TILE_STRIDE<HD>;
  T* values = keys + 2 * TILE;
  const int thread = threadIdx.x, lane = thread % 32, warp_row = thread / 32 * 16 * M;
  const int head = blockIdx.y, kv_head = head / (a.heads / a.kv_heads);
  Sequence s;
  if (!query_tile<false>(a, gridDim.x - 1 - blockIdx.x, 1, QUERIES, s)) return;
  const T* k = reinterpret_cast<const T*>(a.k);
  const T* v = reinterpret_cast<const T*>(a.v);
  const int end = s.visible_keys(a.causal, min(s.first + QUERIES, s.q_length) - 1);
  const float scale_log2 = a.scale * LOG2_E, slope = alibi_slope(a, head) * LOG2_E;

  load_queries<T, HD, QUERIES, THREADS>(queries, a, s, reinterpret_cast<const T*>(a.q), head, s.first, thread);
  load_queries<T, HD, QUERIES, THREADS>(douts, a, s, reinterpret_cast<const T*>(a.dout), head, s.first, thread);
  load_keys<T, HD, KEYS, THREADS, false>(keys, a, s, k, kv_head, 0, end, thread);
  load_keys<T, HD, KEYS, THREADS, false>(values, a, s, v, kv_head, 0, end, thread);
  cp_async_commit();
  compute_delta<T, QUERIES>(a, s, head);
  __syncthreads();

  float base[M][2], rest[M][2], sums[M][HD / 8][4];
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int query = s.first + warp_row + m * 16 + half * 8 + lane / 4;
      base[m][half] = weight_base(a, s, head, query);
      rest[m][half] = row_delta(a, s, head, query);
    }
#pragma unroll
    for (int n = 0; n < HD / 8; ++n) sums[m][n][0] = sums[m][n][1] = sums[m][n][2] = sums[m][n][3] = 0.0f;
  }

  int stage = 0;
  for (int first = 0; first < end; first += KEYS, stage ^= 1) {
    const int next = first + KEYS;
    if (next < end) {
      load_keys<T, HD, KEYS, THREADS, false>(keys + (stage ^ 1) * TILE, a, s, k, kv_head, next, end, thread);
      load_keys<T, HD, KEYS, THREADS, false>(values + (stage ^ 1) * TILE, a, s, v, kv_head, next, end, thread);
    }
    cp_async_commit();
#ifndef IFT_PLANT_NO_WAIT
    cp_async_wait<1>();
#endif
    __syncthreads();
    float weight[M][KEYS / 8][4], grad[M][KEYS / 8][4];
    multiply_transposed<T, HD, M, KEYS>(weight, queries, warp_row, keys + stage * TILE);
    multiply_transposed<T, HD, M, KEYS>(grad, douts, warp_row, values + stage * TILE);
    const bool whole = slope == 0.0f && next <= end &&
                       (!a.causal || next - 1 <= s.first + warp_row + s.offset || next <= s.prefix);
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int n = 0; n < KEYS / 8; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          float exponent = weight[m][n][e] * scale_log2 - base[m][e / 2];
          if (!whole) {
            const int query = s.first + warp_row + m * 16 + e / 2 * 8 + lane / 4;
            const int key = first + n * 8 + lane % 4 * 2 + e % 2;
            exponent += slope * static_cast<float>(key - query - s.offset);
            if (!s.sees(a.causal, query, key)) exponent = -INFINITY;
          }
          grad[m][n][e] = exp2_approximate(exponent) * (grad[m][n][e] - rest[m][e / 2]);
        }
      }
    }
    multiply_add<T, HD, HD, M, KEYS>(sums, grad, keys + stage * TILE, 0);
#ifndef IFT_PLANT_NO_BARRIER_AFTER_TILE
    __syncthreads();
#endif
  }
  cp_async_wait<0>();
  if (end <= 0) __syncthreads();

  float factor[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m) factor[m][0] = factor[m][1] = a.scale;
  __syncwarp();
  round_into<T, HD, HD, M>(queries, warp_row, 0, sums, factor);
  __syncwarp();
  T* dq = reinterpret_cast<T*>(a.dq);
  store_rows<T, HD, 16 * M, HD>(queries, warp_row, 0, a.head_dim, [&](int r) -> T* {
    const int query = s.first + warp_row + r;
    return query < s.q_length ? dq + (int64_t{s.q0 + query} * a.heads + head) * a.head_dim : nullptr;
  });
}

template <int HD>
struct DkvShape {
  static constexpr int WARPS = HD <= 192 ? 4 : 2;
  static constexpr int M = 1;
  static constexpr int KEYS = 16 * M * WARPS;
  static constexpr int QUERIES = HD <= 64 ? 64 : HD <= 128 ? 32 : 16;
  /// Columns of dk and dv that a block sums up; wide heads take two blocks, since both sums stay in registers.
  static constexpr int COLUMNS = HD <= 128 ? HD : HD / 2;
};

/// Grid: tiles of keys (at most rows_k / KEYS + segments), kv_heads, HD / COLUMNS. Runs after the dq kernel.
template <class T, int HD>
__device__ __forceinline__ void attention_backward_dkv(const AttentionArgs& a) {
  using Shape = DkvShape<HD>;
  constexpr int M = Shape::M, KEYS = Shape::KEYS, QUERIES = Shape::QUERIES, COLUMNS = Shape::COLUMNS;
  constexpr int THREADS = 32 * Shape::WARPS, TILE = QUERIES * TILE_STRIDE<HD>;
  IFT_SHARED(T, keys);
  T* values = keys + KEYS * TILE_STRIDE<HD>;
  T* queries = values + KEYS * TILE_STRIDE<HD>;
  T* douts = queries + 2 * TILE;
  __shared__ __align__(8) float bases[2][QUERIES];
  __shared__ __align__(8) float deltas[2][QUERIES];
  const int thread = threadIdx.x, lane = thread % 32, warp_row = thread / 32 * 16 * M;
  const int kv_head = blockIdx.y, group = a.heads / a.kv_heads, column = blockIdx.z * COLUMNS;
  const int32_t* cu_k = reinterpret_cast<const int32_t*>(a.cu_k);
  Sequence s;
  if (!find_tile(cu_k, a.segments, 1, KEYS, blockIdx.x, s.segment, s.first) || !read_sequence<false>(a, s)) return;
  const T* q = reinterpret_cast<const T*>(a.q);
  const T* dout = reinterpret_cast<const T*>(a.dout);
  const float scale_log2 = a.scale * LOG2_E;

  // Queries before it see none of these keys.
  int begin = a.causal && s.first >= s.prefix ? max(s.first - s.offset, 0) : 0;
  begin = begin / QUERIES * QUERIES;
  const int tiles = max(s.q_length - begin + QUERIES - 1, 0) / QUERIES, steps = tiles * group;

  const auto load_step = [&](int step, int stage) {
    const int head = kv_head * group + step / tiles, first = begin + step % tiles * QUERIES;
    load_queries<T, HD, QUERIES, THREADS>(queries + stage * TILE, a, s, q, head, first, thread);
    load_queries<T, HD, QUERIES, THREADS>(douts + stage * TILE, a, s, dout, head, first, thread);
    if (thread < QUERIES) {
      const int query = first + thread;
      bases[stage][thread] = weight_base(a, s, head, query);
      deltas[stage][thread] = row_delta(a, s, head, query);
    }
  };

  load_keys<T, HD, KEYS, THREADS, false>(keys, a, s, reinterpret_cast<const T*>(a.k), kv_head, s.first, s.k_length,
                                         thread);
  load_keys<T, HD, KEYS, THREADS, false>(values, a, s, reinterpret_cast<const T*>(a.v), kv_head, s.first, s.k_length,
                                         thread);
  if (steps > 0) load_step(0, 0);
  cp_async_commit();

  float dk[M][COLUMNS / 8][4], dv[M][COLUMNS / 8][4];
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; ++n) {
      dk[m][n][0] = dk[m][n][1] = dk[m][n][2] = dk[m][n][3] = 0.0f;
      dv[m][n][0] = dv[m][n][1] = dv[m][n][2] = dv[m][n][3] = 0.0f;
    }
  }

  for (int step = 0; step < steps; ++step) {
    const int stage = step & 1;
    if (step + 1 < steps) load_step(step + 1, stage ^ 1);
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    const int head = kv_head * group + step / tiles, first = begin + step % tiles * QUERIES;
    const float slope = alibi_slope(a, head) * LOG2_E;
    // Transposed: rows are keys, columns are queries.
    float weight[M][QUERIES / 8][4], grad[M][QUERIES / 8][4];
    multiply_transposed<T, HD, M, QUERIES>(weight, keys, warp_row, queries + stage * TILE);
    const int last_key = s.first + warp_row + 16 * M - 1;
    const bool whole = slope == 0.0f && last_key < s.k_length &&
                       (!a.causal || last_key <= first + s.offset || last_key < s.prefix);
#pragma unroll
    for (int n = 0; n < QUERIES / 8; ++n) {
      const float2 base = *reinterpret_cast<const float2*>(&bases[stage][n * 8 + lane % 4 * 2]);
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          float exponent = weight[m][n][e] * scale_log2 - (e % 2 == 0 ? base.x : base.y);
          if (!whole) {
            const int key = s.first + warp_row + m * 16 + e / 2 * 8 + lane / 4;
            const int query = first + n * 8 + lane % 4 * 2 + e % 2;
            exponent += slope * static_cast<float>(key - query - s.offset);
            if (!s.sees(a.causal, query, key)) exponent = -INFINITY;
          }
          weight[m][n][e] = exp2_approximate(exponent);
        }
      }
    }
    multiply_add<T, HD, COLUMNS, M, QUERIES>(dv, weight, douts + stage * TILE, column);
    multiply_transposed<T, HD, M, QUERIES>(grad, values, warp_row, douts + stage * TILE);
#pragma unroll
    for (int n = 0; n < QUERIES / 8; ++n) {
      const float2 rest = *reinterpret_cast<const float2*>(&deltas[stage][n * 8 + lane % 4 * 2]);
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int e = 0; e < 4; ++e) grad[m][n][e] = weight[m][n][e] * (grad[m][n][e] - (e % 2 == 0 ? rest.x : rest.y));
      }
    }
    multiply_add<T, HD, COLUMNS, M, QUERIES>(dk, grad, queries + stage * TILE, column);
    __syncthreads();
  }
  cp_async_wait<0>();
  __syncthreads();

  float factor[M][2], one[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m) {
    factor[m][0] = factor[m][1] = a.scale;
    one[m][0] = one[m][1] = 1.0f;
  }
  // Each warp's keys and values are read by no other: their places take the gradients.
  round_into<T, HD, COLUMNS, M>(keys, warp_row, column, dk, factor);
  round_into<T, HD, COLUMNS, M>(values, warp_row, column, dv, one);
  __syncwarp();
  const auto row_of = [&](uint64_t to) {
    return [&, to](int r) -> T* {
      const int key = s.first + warp_row + r;
      if (key >= s.k_length) return nullptr;
      return reinterpret_cast<T*>(to) + (int64_t{s.k0 + key} * a.kv_heads + kv_head) * a.head_dim;
    };
  };
  store_rows<T, HD, 16 * M, COLUMNS>(keys, warp_row, column, a.head_dim, row_of(a.dk));
  store_rows<T, HD, 16 * M, COLUMNS>(values, warp_row, column, a.head_dim, row_of(a.dv));
}

#define IFT_BACKWARD(dim)                                                                              \
  IFT_KERNEL(ift_attention_backward_dq_bf16_##dim, AttentionArgs, (attention_backward_dq<bf16, dim>), 128)   \
  IFT_KERNEL(ift_attention_backward_dq_f16_##dim, AttentionArgs, (attention_backward_dq<f16, dim>), 128)     \
  IFT_KERNEL(ift_attention_backward_dkv_bf16_##dim, AttentionArgs, (attention_backward_dkv<bf16, dim>),     \
             32 * DkvShape<dim>::WARPS)                                                                      \
  IFT_KERNEL(ift_attention_backward_dkv_f16_##dim, AttentionArgs, (attention_backward_dkv<f16, dim>),       \
             32 * DkvShape<dim>::WARPS)

IFT_EACH_HEAD_DIM(IFT_BACKWARD)
