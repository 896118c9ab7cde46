// What the attention kernels share whatever their arithmetic: which sequence a block works on, which keys a query sees,
// where keys lie.
#pragma once
#include "args/attention.h"
#include "report.h"

constexpr float LOG2_E = 1.4426950408889634f;
constexpr float LN_2 = 0.6931471805599453f;

/// Rows of one sequence and the tile of them that a block works on.
struct Sequence {
  int segment;
  /// First row of the tile, within the sequence.
  int first;
  int q0, q_length, k0, k_length;
  /// Keys below it are visible to every query.
  int prefix;
  /// Query i stands at key i + offset.
  int offset;

  __device__ __forceinline__ bool sees(bool causal, int query, int key) const {
    return key < k_length && (!causal || key <= query + offset || key < prefix);
  }
  /// Keys that any of the queries up to `last` may see.
  __device__ __forceinline__ int visible_keys(bool causal, int last) const {
    if (!causal) return k_length;
    return min(k_length, max(last + offset + 1, prefix));
  }
};

/// Finds the tile-th group of `rows` rows, counted over all sequences, each row counted `times` times. False past the
/// last tile. Every lane of the warp must call; all warps come to the same result.
__device__ __forceinline__ bool find_tile(const int32_t* cu, int segments, int times, int rows, int tile,
                                          int& segment, int& first) {
  const int lane = threadIdx.x % 32;
  for (int base = 0; base < segments; base += 32) {
    const int s = base + lane;
    int tiles = 0;
    if (s < segments) tiles = (max(cu[s + 1] - cu[s], 0) * times + rows - 1) / rows;
    int sum = tiles;
#pragma unroll
    for (int d = 1; d < 32; d *= 2) {
      const int below = __shfl_up_sync(FULL_WARP, sum, d);
      if (lane >= d) sum += below;
    }
    const unsigned past = __ballot_sync(FULL_WARP, sum > tile);
    if (past != 0) {
      const int found = __ffs(past) - 1;
      segment = base + found;
      first = (tile - __shfl_sync(FULL_WARP, sum - tiles, found)) * rows;
      return true;
    }
    tile -= __shfl_sync(FULL_WARP, sum, 31);
  }
  return false;
}

/// Reports bounds that do not ascend from 0 to `rows`; called by one block.
__device__ __forceinline__ void check_bounds(const AttentionArgs& a, const int32_t* cu, int rows, IndexError code) {
  for (int s = threadIdx.x; s <= a.segments; s += blockDim.x) {
    const bool ends = (s > 0 || cu[0] == 0) && (s < a.segments || cu[s] == rows);
    if (!ends || (s > 0 && cu[s] < cu[s - 1])) report_index(a.error, code, s, cu[s], rows);
  }
}

/// The sequence of a segment, false when its bounds are unusable (and reported).
template <bool PAGED>
__device__ __forceinline__ bool read_sequence(const AttentionArgs& a, Sequence& s) {
  const int32_t* cu_q = reinterpret_cast<const int32_t*>(a.cu_q);
  const int q0 = cu_q[s.segment], q1 = cu_q[s.segment + 1];
  if (q0 < 0 || q1 < q0 || q1 > a.rows_q) return false;
  s.q0 = q0;
  s.q_length = q1 - q0;
  if (PAGED) {
    s.k0 = 0;
    s.k_length = reinterpret_cast<const int32_t*>(a.kv_lengths)[s.segment];
    if (s.k_length < 0 || s.k_length > int64_t{a.max_pages} * a.page_size) {
      if (threadIdx.x == 0) {
        report_index(a.error, INDEX_ATTENTION_KV_LENGTHS, s.segment, s.k_length, int64_t{a.max_pages} * a.page_size);
      }
      return false;
    }
  } else {
    const int32_t* cu_k = reinterpret_cast<const int32_t*>(a.cu_k);
    const int k0 = cu_k[s.segment], k1 = cu_k[s.segment + 1];
    if (k0 < 0 || k1 < k0 || k1 > a.rows_k) return false;
    s.k0 = k0;
    s.k_length = k1 - k0;
  }
  s.prefix = a.visible_prefix == 0 ? 0 : reinterpret_cast<const int32_t*>(a.visible_prefix)[s.segment];
  s.offset = s.k_length - s.q_length;
  return true;
}

/// The tile of queries of this block. `times` query heads are packed into rows when it is not 1.
template <bool PAGED>
__device__ __forceinline__ bool query_tile(const AttentionArgs& a, int tile, int times, int rows, Sequence& s) {
  const int32_t* cu_q = reinterpret_cast<const int32_t*>(a.cu_q);
  if (blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0) {
    check_bounds(a, cu_q, a.rows_q, INDEX_ATTENTION_CU_Q);
    if (!PAGED) check_bounds(a, reinterpret_cast<const int32_t*>(a.cu_k), a.rows_k, INDEX_ATTENTION_CU_K);
  }
  return find_tile(cu_q, a.segments, times, rows, tile, s.segment, s.first) && read_sequence<PAGED>(a, s);
}

/// The row of a key in k and v as [rows, kv_heads, head_dim], or -1 when its page is not in the pool (and reported).
template <bool PAGED>
__device__ __forceinline__ int64_t key_row(const AttentionArgs& a, const Sequence& s, int key) {
  if (!PAGED) return s.k0 + key;
  const int slot = key / a.page_size;
  const int64_t entry = int64_t{s.segment} * a.max_pages + slot;
  const int page = reinterpret_cast<const int32_t*>(a.page_table)[entry];
  if (page < 0 || page >= a.pages) {
    report_index(a.error, INDEX_ATTENTION_PAGE_TABLE, entry, page, a.pages);
    return -1;
  }
  return int64_t{page} * a.page_size + (key - slot * a.page_size);
}

/// ALiBi's slope of a head, 0 without.
__device__ __forceinline__ float alibi_slope(const AttentionArgs& a, int head) {
  return a.alibi_slopes == 0 ? 0.0f : reinterpret_cast<const float*>(a.alibi_slopes)[head];
}
