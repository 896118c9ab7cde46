// Attention in f32 arithmetic without tensor cores: for f32, and for 16-bit elements where a head dimension is not a
// multiple of 8 or memory is not aligned. Any head dimension up to 256. Same algorithm as the tensor-core kernels.
#include "attention_sequence.h"
#include "element.h"

/// DIM is the largest head dimension, R the rows of a tile; LANES threads work on a row.
template <int DIM>
struct GeneralShape {
  static constexpr int THREADS = 128;
  static constexpr int R = DIM <= 128 ? 32 : 16;
  static constexpr int LANES = THREADS / R;
  static constexpr int STRIDE = DIM + 1;
  static constexpr int TILE = R * STRIDE;
  /// Keys a thread scores, and elements of an output row that it sums.
  static constexpr int SCORES = R / LANES;
  static constexpr int SUMS = DIM / LANES;
};

/// Row `row` of a tensor [rows, heads, head_dim] as floats into tile rows, zeros where `row_of(r)` is negative.
template <class T, int DIM, class RowOf>
__device__ __forceinline__ void load_floats(float* tile, const T* from, int heads, int head, int head_dim,
                                            RowOf row_of) {
  using Shape = GeneralShape<DIM>;
  for (int r = threadIdx.x / 32; r < Shape::R; r += Shape::THREADS / 32) {
    const int64_t row = row_of(r);
    for (int c = threadIdx.x % 32; c < head_dim; c += 32) {
      tile[r * Shape::STRIDE + c] = row < 0 ? 0.0f : to_float(from[(row * heads + head) * head_dim + c]);
    }
  }
}

template <int DIM>
__device__ __forceinline__ void dots(float (&out)[GeneralShape<DIM>::SCORES], const float* row, const float* others,
                                     int sub, int head_dim) {
  using Shape = GeneralShape<DIM>;
#pragma unroll
  for (int j = 0; j < Shape::SCORES; ++j) out[j] = 0.0f;
  for (int c = 0; c < head_dim; ++c) {
    const float x = row[c];
#pragma unroll
    for (int j = 0; j < Shape::SCORES; ++j) out[j] += x * others[(sub + j * Shape::LANES) * Shape::STRIDE + c];
  }
}

/// sum += sum over the tile's rows of weights[row] · rows.
template <int DIM>
__device__ __forceinline__ void add_rows(float (&sum)[GeneralShape<DIM>::SUMS], const float* weights,
                                         const float* rows, int sub, int head_dim) {
  using Shape = GeneralShape<DIM>;
  for (int r = 0; r < Shape::R; ++r) {
    const float w = weights[r];
#pragma unroll
    for (int j = 0; j < Shape::SUMS; ++j) {
      const int c = sub + j * Shape::LANES;
      if (c < head_dim) sum[j] += w * rows[r * Shape::STRIDE + c];
    }
  }
}

template <int LANES>
__device__ __forceinline__ float row_max(float v) {
#pragma unroll
  for (int d = 1; d < LANES; d *= 2) v = fmaxf(v, __shfl_xor_sync(FULL_WARP, v, d));
  return v;
}
template <int LANES>
__device__ __forceinline__ float row_sum(float v) {
#pragma unroll
  for (int d = 1; d < LANES; d *= 2) v += __shfl_xor_sync(FULL_WARP, v, d);
  return v;
}

/// Row of q of a query, or -1 past the end.
__device__ __forceinline__ int64_t query_row(const Sequence& s, int query) {
  return query < s.q_length ? int64_t{s.q0} + query : -1;
}

/// Grid: tiles of R queries (at most rows_q / R + segments), heads. Shared memory: 3 tiles and R · (R + 1) floats.
template <class T, int DIM, bool PAGED>
__device__ __forceinline__ void attention_general_forward(const AttentionArgs& a) {
  using Shape = GeneralShape<DIM>;
  constexpr int R = Shape::R, LANES = Shape::LANES;
  IFT_SHARED(float, queries);
  float* keys = queries + Shape::TILE;
  float* values = keys + Shape::TILE;
  const int row = threadIdx.x / LANES, sub = threadIdx.x % LANES;
  float* weights = values + Shape::TILE + row * (R + 1);
  const int head = blockIdx.y, kv_head = head / (a.heads / a.kv_heads);
  Sequence s;
  if (!query_tile<PAGED>(a, gridDim.x - 1 - blockIdx.x, 1, R, s)) return;
  const int query = s.first + row;
  const int end = s.visible_keys(a.causal, min(s.first + R, s.q_length) - 1);
  const float slope = alibi_slope(a, head);
  load_floats<T, DIM>(queries, reinterpret_cast<const T*>(a.q), a.heads, head, a.head_dim,
                      [&](int r) { return query_row(s, s.first + r); });
  float largest = -INFINITY, total = 0.0f, sum[Shape::SUMS];
#pragma unroll
  for (int j = 0; j < Shape::SUMS; ++j) sum[j] = 0.0f;
  for (int first = 0; first < end; first += R) {
    __syncthreads();
    const auto row_of = [&](int r) { return first + r < end ? key_row<PAGED>(a, s, first + r) : int64_t{-1}; };
    load_floats<T, DIM>(keys, reinterpret_cast<const T*>(a.k), a.kv_heads, kv_head, a.head_dim, row_of);
    load_floats<T, DIM>(values, reinterpret_cast<const T*>(a.v), a.kv_heads, kv_head, a.head_dim, row_of);
    __syncthreads();
    float score[Shape::SCORES];
    dots<DIM>(score, queries + row * Shape::STRIDE, keys, sub, a.head_dim);
    float top = largest;
#pragma unroll
    for (int j = 0; j < Shape::SCORES; ++j) {
      const int key = first + sub + j * LANES;
      const float biased = score[j] * a.scale + slope * static_cast<float>(key - query - s.offset);
      score[j] = s.sees(a.causal, query, key) ? biased : -INFINITY;
      top = fmaxf(top, score[j]);
    }
    top = row_max<LANES>(top);
    const float base = top == -INFINITY ? 0.0f : top;
    const float shrink = expf(largest - base);
    largest = top;
    total *= shrink;
#pragma unroll
    for (int j = 0; j < Shape::SCORES; ++j) {
      const float w = expf(score[j] - base);
      total += w;
      weights[sub + j * LANES] = w;
    }
    __syncwarp();
#pragma unroll
    for (int j = 0; j < Shape::SUMS; ++j) sum[j] *= shrink;
    add_rows<DIM>(sum, weights, values, sub, a.head_dim);
    __syncwarp();
  }
  total = row_sum<LANES>(total);
  if (query >= s.q_length) return;
  const int64_t at = (int64_t{s.q0} + query) * a.heads + head;
  if (sub == 0 && a.lse != 0) {
    reinterpret_cast<float*>(a.lse)[at] = total > 0.0f ? largest + logf(total) : -INFINITY;
  }
  const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
#pragma unroll
  for (int j = 0; j < Shape::SUMS; ++j) {
    const int c = sub + j * LANES;
    if (c < a.head_dim) reinterpret_cast<T*>(a.out)[at * a.head_dim + c] = from_float<T>(sum[j] * inverse);
  }
}

/// The weight of a key from the row's log-sum-exp.
__device__ __forceinline__ float general_weight(const AttentionArgs& a, const Sequence& s, int query, int key,
                                                float dot, float slope, float lse) {
  if (query >= s.q_length || lse == -INFINITY || !s.sees(a.causal, query, key)) return 0.0f;
  return expf(dot * a.scale + slope * static_cast<float>(key - query - s.offset) - lse);
}

/// Grid: tiles of R queries, heads. Shared memory: 4 tiles and R · (R + 1) floats.
template <class T, int DIM>
__device__ __forceinline__ void attention_general_dq(const AttentionArgs& a) {
  using Shape = GeneralShape<DIM>;
  constexpr int R = Shape::R, LANES = Shape::LANES;
  IFT_SHARED(float, queries);
  float* douts = queries + Shape::TILE;
  float* keys = douts + Shape::TILE;
  float* values = keys + Shape::TILE;
  const int row = threadIdx.x / LANES, sub = threadIdx.x % LANES;
  float* grads = values + Shape::TILE + row * (R + 1);
  const int head = blockIdx.y, kv_head = head / (a.heads / a.kv_heads);
  Sequence s;
  if (!query_tile<false>(a, gridDim.x - 1 - blockIdx.x, 1, R, s)) return;
  const int query = s.first + row;
  const int end = s.visible_keys(a.causal, min(s.first + R, s.q_length) - 1);
  const float slope = alibi_slope(a, head);
  const auto queries_of = [&](int r) { return query_row(s, s.first + r); };
  load_floats<T, DIM>(queries, reinterpret_cast<const T*>(a.q), a.heads, head, a.head_dim, queries_of);
  load_floats<T, DIM>(douts, reinterpret_cast<const T*>(a.dout), a.heads, head, a.head_dim, queries_of);
  __syncthreads();
  const int64_t at = (int64_t{s.q0} + query) * a.heads + head;
  float delta = 0.0f, lse = -INFINITY;
  if (query < s.q_length) {
    lse = reinterpret_cast<const float*>(a.lse)[at];
    for (int c = sub; c < a.head_dim; c += LANES) {
      delta += douts[row * Shape::STRIDE + c] * to_float(reinterpret_cast<const T*>(a.out)[at * a.head_dim + c]);
    }
  }
  delta = row_sum<LANES>(delta);
  if (query < s.q_length && sub == 0) reinterpret_cast<float*>(a.delta)[at] = delta;
  float sum[Shape::SUMS];
#pragma unroll
  for (int j = 0; j < Shape::SUMS; ++j) sum[j] = 0.0f;
  for (int first = 0; first < end; first += R) {
    __syncthreads();
    const auto row_of = [&](int r) { return first + r < end ? int64_t{s.k0} + first + r : int64_t{-1}; };
    load_floats<T, DIM>(keys, reinterpret_cast<const T*>(a.k), a.kv_heads, kv_head, a.head_dim, row_of);
    load_floats<T, DIM>(values, reinterpret_cast<const T*>(a.v), a.kv_heads, kv_head, a.head_dim, row_of);
    __syncthreads();
    float score[Shape::SCORES], grad[Shape::SCORES];
    dots<DIM>(score, queries + row * Shape::STRIDE, keys, sub, a.head_dim);
    dots<DIM>(grad, douts + row * Shape::STRIDE, values, sub, a.head_dim);
#pragma unroll
    for (int j = 0; j < Shape::SCORES; ++j) {
      const float w = general_weight(a, s, query, first + sub + j * LANES, score[j], slope, lse);
      grads[sub + j * LANES] = w * (grad[j] - delta);
    }
    __syncwarp();
    add_rows<DIM>(sum, grads, keys, sub, a.head_dim);
    __syncwarp();
  }
  if (query >= s.q_length) return;
#pragma unroll
  for (int j = 0; j < Shape::SUMS; ++j) {
    const int c = sub + j * LANES;
    if (c < a.head_dim) reinterpret_cast<T*>(a.dq)[at * a.head_dim + c] = from_float<T>(sum[j] * a.scale);
  }
}

/// Grid: tiles of R keys (at most rows_k / R + segments), kv_heads. Runs after the dq kernel, which fills delta. Shared
/// memory: 4 tiles and 2 · R · (R + 1) floats.
template <class T, int DIM>
__device__ __forceinline__ void attention_general_dkv(const AttentionArgs& a) {
  using Shape = GeneralShape<DIM>;
  constexpr int R = Shape::R, LANES = Shape::LANES;
  IFT_SHARED(float, keys);
  float* values = keys + Shape::TILE;
  float* queries = values + Shape::TILE;
  float* douts = queries + Shape::TILE;
  const int row = threadIdx.x / LANES, sub = threadIdx.x % LANES;
  float* weights = douts + Shape::TILE + row * (R + 1);
  float* grads = weights + R * (R + 1);
  const int kv_head = blockIdx.y, group = a.heads / a.kv_heads;
  Sequence s;
  if (!find_tile(reinterpret_cast<const int32_t*>(a.cu_k), a.segments, 1, R, blockIdx.x, s.segment, s.first)) return;
  if (!read_sequence<false>(a, s)) return;
  const int key = s.first + row;
  const auto keys_of = [&](int r) { return s.first + r < s.k_length ? int64_t{s.k0} + s.first + r : int64_t{-1}; };
  load_floats<T, DIM>(keys, reinterpret_cast<const T*>(a.k), a.kv_heads, kv_head, a.head_dim, keys_of);
  load_floats<T, DIM>(values, reinterpret_cast<const T*>(a.v), a.kv_heads, kv_head, a.head_dim, keys_of);
  float dk[Shape::SUMS], dv[Shape::SUMS];
#pragma unroll
  for (int j = 0; j < Shape::SUMS; ++j) dk[j] = dv[j] = 0.0f;
  const int begin = a.causal && s.first >= s.prefix ? max(s.first - s.offset, 0) : 0;
  for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    const float slope = alibi_slope(a, head);
    for (int first = begin; first < s.q_length; first += R) {
      __syncthreads();
      const auto queries_of = [&](int r) { return query_row(s, first + r); };
      load_floats<T, DIM>(queries, reinterpret_cast<const T*>(a.q), a.heads, head, a.head_dim, queries_of);
      load_floats<T, DIM>(douts, reinterpret_cast<const T*>(a.dout), a.heads, head, a.head_dim, queries_of);
      __syncthreads();
      float score[Shape::SCORES], grad[Shape::SCORES];
      dots<DIM>(score, keys + row * Shape::STRIDE, queries, sub, a.head_dim);
      dots<DIM>(grad, values + row * Shape::STRIDE, douts, sub, a.head_dim);
#pragma unroll
      for (int j = 0; j < Shape::SCORES; ++j) {
        const int query = first + sub + j * LANES;
        const int64_t at = (int64_t{s.q0} + query) * a.heads + head;
        float w = 0.0f, delta = 0.0f;
        if (query < s.q_length) {
          w = general_weight(a, s, query, key, score[j], slope, reinterpret_cast<const float*>(a.lse)[at]);
          delta = reinterpret_cast<const float*>(a.delta)[at];
        }
        weights[sub + j * LANES] = w;
        grads[sub + j * LANES] = w * (grad[j] - delta);
      }
      __syncwarp();
      add_rows<DIM>(dv, weights, douts, sub, a.head_dim);
      add_rows<DIM>(dk, grads, queries, sub, a.head_dim);
      __syncwarp();
    }
  }
  if (key >= s.k_length) return;
  const int64_t at = ((int64_t{s.k0} + key) * a.kv_heads + kv_head) * a.head_dim;
#pragma unroll
  for (int j = 0; j < Shape::SUMS; ++j) {
    const int c = sub + j * LANES;
    if (c >= a.head_dim) continue;
    reinterpret_cast<T*>(a.dk)[at + c] = from_float<T>(dk[j] * a.scale);
    reinterpret_cast<T*>(a.dv)[at + c] = from_float<T>(dv[j]);
  }
}

#define IFT_GENERAL_OF(name, T, dim)                                                                                \
  IFT_KERNEL_RESIDENT(ift_attention_general_forward_##name##_##dim, AttentionArgs, (attention_general_forward<T, dim, false>), 128, 1) \
  IFT_KERNEL_RESIDENT(ift_attention_general_paged_##name##_##dim, AttentionArgs, (attention_general_forward<T, dim, true>), 128, 1)    \
  IFT_KERNEL_RESIDENT(ift_attention_general_dq_##name##_##dim, AttentionArgs, (attention_general_dq<T, dim>), 128, 1)            \
  IFT_KERNEL_RESIDENT(ift_attention_general_dkv_##name##_##dim, AttentionArgs, (attention_general_dkv<T, dim>), 128, 1)
#define IFT_GENERAL(dim)            \
  IFT_GENERAL_OF(f32, float, dim)   \
  IFT_GENERAL_OF(bf16, bf16, dim)   \
  IFT_GENERAL_OF(f16, f16, dim)

IFT_GENERAL(128)
#ifndef IFT_FEW_SHAPES  // for sanitizers, which compile long
IFT_GENERAL(256)
#endif
