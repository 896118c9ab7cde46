// Attention over packed sequences on tensor cores, and over pages for long prompts: FlashAttention-2 (Dao 2023,
// arXiv:2307.08691). A block takes a tile of queries of one head; each warp has 16·M of its rows and runs over the keys
// with scores in registers. The next keys are on their way while values are multiplied, and the values while scores are.
#include "attention_softmax.h"
#include "attention_tile.h"

template <int HD>
struct ForwardShape {
  static constexpr int WARPS = 4;
  /// Tiles of 16 rows a warp: two share each load of keys and values where the registers allow it.
  static constexpr int M = HD <= 128 ? 2 : 1;
  static constexpr int QUERIES = 16 * M * WARPS;
  static constexpr int KEYS = HD <= 64 ? 64 : 32;
};

/// Grid: tiles of queries (at most rows_q / QUERIES + segments), heads. scale must be positive.
template <class T, int HD, bool PAGED>
__device__ __forceinline__ void attention_forward(const AttentionArgs& a) {
  using Shape = ForwardShape<HD>;
  constexpr int M = Shape::M, QUERIES = Shape::QUERIES, KEYS = Shape::KEYS, THREADS = 32 * Shape::WARPS;
  IFT_SHARED(T, queries);
  T* keys = queries + QUERIES * TILE_STRIDE<HD>;
  T* values = keys + KEYS * TILE_STRIDE<HD>;
  const int thread = threadIdx.x, lane = thread % 32, warp_row = thread / 32 * 16 * M;
  const int head = blockIdx.y, kv_head = head / (a.heads / a.kv_heads);
  Sequence s;
  // The last tiles of a causal sequence have the most keys: they start first.
  if (!query_tile<PAGED>(a, gridDim.x - 1 - blockIdx.x, 1, QUERIES, s)) return;
  const T* k = reinterpret_cast<const T*>(a.k);
  const T* v = reinterpret_cast<const T*>(a.v);
  const int last = min(s.first + QUERIES, s.q_length) - 1;
  const int end = s.visible_keys(a.causal, last);
  const float scale_log2 = a.scale * LOG2_E;
  // Biases are added to raw scores.
  const float slope = alibi_slope(a, head) / a.scale;

  load_queries<T, HD, QUERIES, THREADS>(queries, a, s, reinterpret_cast<const T*>(a.q), head, s.first, thread);
  load_keys<T, HD, KEYS, THREADS, PAGED>(keys, a, s, k, kv_head, 0, end, thread);
  cp_async_commit();

  float sums[M][HD / 8][4];
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int n = 0; n < HD / 8; ++n) sums[m][n][0] = sums[m][n][1] = sums[m][n][2] = sums[m][n][3] = 0.0f;
  }
  RunningSoftmax<M> softmax;
  softmax.reset();

  for (int first = 0; first < end; first += KEYS) {
    cp_async_wait<0>();
    __syncthreads();
    load_keys<T, HD, KEYS, THREADS, PAGED>(values, a, s, v, kv_head, first, end, thread);
    cp_async_commit();

    float score[M][KEYS / 8][4];
    multiply_transposed<T, HD, M, KEYS>(score, queries, warp_row, keys);

    const int from = s.first + warp_row + lane / 4;
    const bool whole = first + KEYS <= end && (!a.causal || first + KEYS - 1 <= s.first + warp_row + s.offset ||
                                               first + KEYS <= s.prefix);
    if (!whole || slope != 0.0f) {
#pragma unroll
      for (int m = 0; m < M; ++m) {
#pragma unroll
        for (int n = 0; n < KEYS / 8; ++n) {
#pragma unroll
          for (int e = 0; e < 4; ++e) {
            const int query = from + m * 16 + e / 2 * 8, key = first + n * 8 + lane % 4 * 2 + e % 2;
            const float biased = score[m][n][e] + slope * static_cast<float>(key - query - s.offset);
            score[m][n][e] = s.sees(a.causal, query, key) ? biased : -INFINITY;
          }
        }
      }
    }
#ifndef IFT_PLANT_NO_WAIT
    cp_async_wait<0>();
#endif
#ifndef IFT_PLANT_NO_BARRIER_AFTER_SCORES
    __syncthreads();
#endif
    if (first + KEYS < end) {
      load_keys<T, HD, KEYS, THREADS, PAGED>(keys, a, s, k, kv_head, first + KEYS, end, thread);
      cp_async_commit();
    }
    softmax.update(score, sums, scale_log2);
    multiply_add<T, HD, HD, M, KEYS>(sums, score, values, 0);
  }
  // A tile without keys still has its queries under way.
  cp_async_wait<0>();

  softmax.finish();
  float inverse[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = softmax.sum[m][half];
      inverse[m][half] = sum > 0.0f ? 1.0f / sum : 0.0f;
      const int query = s.first + warp_row + m * 16 + half * 8 + lane / 4;
      if (lane % 4 != 0 || query >= s.q_length || (PAGED && a.lse == 0)) continue;
      float* lse = reinterpret_cast<float*>(a.lse) + int64_t{s.q0 + query} * a.heads + head;
      *lse = sum > 0.0f ? softmax.largest[m][half] * a.scale + logf(sum) : -INFINITY;
    }
  }
  // Each warp's queries are read by no other: their place takes its output.
  if (end <= 0) __syncthreads();
  __syncwarp();
  round_into<T, HD, HD, M>(queries, warp_row, 0, sums, inverse);
  __syncwarp();
  T* out = reinterpret_cast<T*>(a.out);
  store_rows<T, HD, 16 * M, HD>(queries, warp_row, 0, a.head_dim, [&](int r) -> T* {
    const int query = s.first + warp_row + r;
    return query < s.q_length ? out + (int64_t{s.q0 + query} * a.heads + head) * a.head_dim : nullptr;
  });
}

#define IFT_FORWARD(dim)                                                                                      \
  IFT_KERNEL(ift_attention_forward_bf16_##dim, AttentionArgs, (attention_forward<bf16, dim, false>), 128)     \
  IFT_KERNEL(ift_attention_forward_f16_##dim, AttentionArgs, (attention_forward<f16, dim, false>), 128)       \
  IFT_KERNEL(ift_attention_forward_paged_bf16_##dim, AttentionArgs, (attention_forward<bf16, dim, true>), 128) \
  IFT_KERNEL(ift_attention_forward_paged_f16_##dim, AttentionArgs, (attention_forward<f16, dim, true>), 128)

IFT_EACH_HEAD_DIM(IFT_FORWARD)
