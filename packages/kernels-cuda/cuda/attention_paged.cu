// Decoding over paged keys and values: the few new queries of all heads that share a key head form the rows of one
// product, so that each key is read once; the keys are split over blocks, and a second kernel combines the splits
// ("Flash-Decoding"). Within a block every warp runs over its own 16 of each 64 keys with its own copies under way.
#include "attention_softmax.h"
#include "attention_tile.h"

template <int HD>
struct DecodeShape {
  /// At most 99 KiB of shared memory.
  static constexpr int WARPS = HD <= 128 ? 4 : 2;
  static constexpr int ROWS = 16;
  static constexpr int KEYS = 16;
  static constexpr int TILE = KEYS * TILE_STRIDE<HD>;
};

/// Grid: tiles of packed rows (at most rows_q · group / 16 + segments), kv_heads, splits. scale must be positive. Shared
/// memory: 16 · (HD + 8) elements for the queries, WARPS · 4 · 16 · (HD + 8) for keys and values, 128 floats.
template <class T, int HD>
__device__ __forceinline__ void attention_decode(const AttentionArgs& a) {
  using Shape = DecodeShape<HD>;
  constexpr int WARPS = Shape::WARPS, ROWS = Shape::ROWS, KEYS = Shape::KEYS, TILE = Shape::TILE;
  IFT_SHARED(T, queries);
  T* buffers = queries + ROWS * TILE_STRIDE<HD>;
  float* parts = reinterpret_cast<float*>(buffers + WARPS * 4 * TILE);
  const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  T* keys = buffers + warp * 4 * TILE;
  T* values = keys + 2 * TILE;
  const int kv_head = blockIdx.y, group = a.heads / a.kv_heads;
  Sequence s;
  if (!query_tile<true>(a, blockIdx.x, group, ROWS, s)) return;
  const T* k = reinterpret_cast<const T*>(a.k);
  const T* v = reinterpret_cast<const T*>(a.v);
  const T* q = reinterpret_cast<const T*>(a.q);
  const int rows = s.q_length * group;
  const int last = (min(s.first + ROWS, rows) - 1) / group;
  const int visible = s.visible_keys(a.causal, last);
  // This split's share of the keys, in steps of all warps.
  const int steps = (max(visible, 0) + WARPS * KEYS - 1) / (WARPS * KEYS);
  const int share = (steps + a.splits - 1) / a.splits;
  const int begin = blockIdx.z * share * WARPS * KEYS;
  const int end = min(visible, begin + share * WARPS * KEYS);

  const auto row_of = [&](int r) -> int64_t {
    const int n = s.first + r;
    return n < rows ? int64_t{s.q0 + n / group} * a.heads + kv_head * group + n % group : -1;
  };
  load_tile<T, HD, ROWS, 32 * WARPS>(queries, a.head_dim, thread, q, [&](int r) -> const T* {
    const int64_t row = row_of(r);
    return row < 0 ? nullptr : q + row * a.head_dim;
  });
  cp_async_commit();
  const auto load_step = [&](int first, int stage) {
    load_keys<T, HD, KEYS, 32, true>(keys + stage * TILE, a, s, k, kv_head, first, end, lane);
    load_keys<T, HD, KEYS, 32, true>(values + stage * TILE, a, s, v, kv_head, first, end, lane);
  };
  int first = begin + warp * KEYS;
  if (first < end) load_step(first, 0);
  cp_async_commit();
  cp_async_wait<1>();
  __syncthreads();

  float sums[1][HD / 8][4], slope[2];
  int query[2];
#pragma unroll
  for (int n = 0; n < HD / 8; ++n) sums[0][n][0] = sums[0][n][1] = sums[0][n][2] = sums[0][n][3] = 0.0f;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int n = s.first + half * 8 + lane / 4;
    query[half] = n / group;
    slope[half] = n < rows ? alibi_slope(a, kv_head * group + n % group) / a.scale : 0.0f;
  }
  RunningSoftmax<1> softmax;
  softmax.reset();
  const float scale_log2 = a.scale * LOG2_E;
  for (int stage = 0; first < end; first += WARPS * KEYS, stage ^= 1) {
    if (first + WARPS * KEYS < end) load_step(first + WARPS * KEYS, stage ^ 1);
    cp_async_commit();
#ifndef IFT_PLANT_NO_WAIT
    cp_async_wait<1>();
#endif
    __syncwarp();
    float score[1][KEYS / 8][4];
    multiply_transposed<T, HD, 1, KEYS>(score, queries, 0, keys + stage * TILE);
#pragma unroll
    for (int n = 0; n < KEYS / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int key = first + n * 8 + lane % 4 * 2 + e % 2;
        const float biased = score[0][n][e] + slope[e / 2] * static_cast<float>(key - query[e / 2] - s.offset);
        score[0][n][e] = s.sees(a.causal, query[e / 2], key) && key < end ? biased : -INFINITY;
      }
    }
    softmax.update(score, sums, scale_log2);
    multiply_add<T, HD, HD, 1, KEYS>(sums, score, values + stage * TILE, 0);
    __syncwarp();
  }
  cp_async_wait<0>();
  softmax.finish();

  // The warps' parts, over the keys and values: largest score and sum of weights of each row, then the sums.
  __syncthreads();
  float* part_sums = reinterpret_cast<float*>(buffers);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int r = half * 8 + lane / 4;
    if (lane % 4 == 0) {
      parts[(warp * ROWS + r) * 2] = softmax.largest[0][half] * scale_log2;
      parts[(warp * ROWS + r) * 2 + 1] = softmax.sum[0][half];
    }
#pragma unroll
    for (int n = 0; n < HD / 8; ++n) {
      *reinterpret_cast<float2*>(part_sums + (warp * ROWS + r) * HD + n * 8 + lane % 4 * 2) =
          make_float2(sums[0][n][2 * half], sums[0][n][2 * half + 1]);
    }
  }
#ifndef IFT_PLANT_NO_BARRIER_BEFORE_COMBINE
  __syncthreads();
#endif
  for (int r = warp; r < ROWS; r += WARPS) {
    const int64_t row = row_of(r);
    if (row < 0) continue;
    float top = -INFINITY;
#pragma unroll
    for (int w = 0; w < WARPS; ++w) top = fmaxf(top, parts[(w * ROWS + r) * 2]);
    const float base = top == -INFINITY ? 0.0f : top;
    float factor[WARPS], total = 0.0f;
#pragma unroll
    for (int w = 0; w < WARPS; ++w) {
      factor[w] = exp2_approximate(parts[(w * ROWS + r) * 2] - base);
      total += factor[w] * parts[(w * ROWS + r) * 2 + 1];
    }
    const int64_t split_row = int64_t{blockIdx.z} * a.rows_q * a.heads + row;
    const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
    if (a.splits > 1 && lane == 0) {
      reinterpret_cast<float2*>(a.partial_sums)[split_row] = make_float2(top, total);
    }
    for (int c = lane; c < a.head_dim; c += 32) {
      float sum = 0.0f;
#pragma unroll
      for (int w = 0; w < WARPS; ++w) sum += factor[w] * part_sums[(w * ROWS + r) * HD + c];
      if (a.splits > 1) {
        reinterpret_cast<float*>(a.partial)[split_row * a.head_dim + c] = sum;
      } else {
        reinterpret_cast<T*>(a.out)[row * a.head_dim + c] = from_float<T>(sum * inverse);
      }
    }
  }
}

/// Grid: rows_q · heads / 4, rounded up; a warp takes a row. Adds the splits' parts in their order.
template <class T>
__device__ __forceinline__ void attention_combine(const AttentionArgs& a) {
  const int64_t rows = int64_t{a.rows_q} * a.heads, row = int64_t{blockIdx.x} * 4 + threadIdx.x / 32;
  if (row >= rows) return;
  const float2* parts = reinterpret_cast<const float2*>(a.partial_sums);
  const float* partial = reinterpret_cast<const float*>(a.partial);
  const int lane = threadIdx.x % 32;
  float top = -INFINITY;
  for (int i = 0; i < a.splits; ++i) top = fmaxf(top, parts[i * rows + row].x);
  const float base = top == -INFINITY ? 0.0f : top;
  float total = 0.0f;
  for (int i = 0; i < a.splits; ++i) total += exp2_approximate(parts[i * rows + row].x - base) * parts[i * rows + row].y;
  const float inverse = total > 0.0f ? 1.0f / total : 0.0f;
  for (int c = lane; c < a.head_dim; c += 32) {
    float sum = 0.0f;
    for (int i = 0; i < a.splits; ++i) {
      const float2 part = parts[i * rows + row];
      if (part.y > 0.0f) sum += exp2_approximate(part.x - base) * partial[(i * rows + row) * a.head_dim + c];
    }
    reinterpret_cast<T*>(a.out)[row * a.head_dim + c] = from_float<T>(sum * inverse);
  }
}

#define IFT_DECODE(dim)                                                                     \
  IFT_KERNEL_RESIDENT(ift_attention_decode_bf16_##dim, AttentionArgs, (attention_decode<bf16, dim>),     \
                      32 * DecodeShape<dim>::WARPS, 1)                                          \
  IFT_KERNEL_RESIDENT(ift_attention_decode_f16_##dim, AttentionArgs, (attention_decode<f16, dim>),       \
                      32 * DecodeShape<dim>::WARPS, 1)

IFT_EACH_HEAD_DIM(IFT_DECODE)

IFT_KERNEL(ift_attention_combine_bf16, AttentionArgs, attention_combine<bf16>, 128)
IFT_KERNEL(ift_attention_combine_f16, AttentionArgs, attention_combine<f16>, 128)
