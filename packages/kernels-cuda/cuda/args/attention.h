// Arguments of the attention kernels; the host mirrors them field by field. Addresses that a kernel does not use are 0.
#pragma once
#include <stdint.h>

struct AttentionArgs {
  /// q, out [rows_q, heads, head_dim]; k, v [rows_k, kv_heads, head_dim], or pages
  /// [pages, page_size, kv_heads, head_dim].
  uint64_t q, k, v, out;
  /// f32 [rows_q, heads]: log-sum-exp of the scores. The paged kernels leave it out when 0.
  uint64_t lse;
  /// Backward: dout, dq like q; dk, dv like k; delta f32 [rows_q, heads] is scratch that the dq kernel fills.
  uint64_t dout, delta, dq, dk, dv;
  /// i32 [segments + 1]; cu_k is 0 when keys lie in pages.
  uint64_t cu_q, cu_k;
  /// i32 [segments] or 0.
  uint64_t visible_prefix;
  /// f32 [heads] or 0.
  uint64_t alibi_slopes;
  /// Paged: i32 [segments], i32 [segments, max_pages].
  uint64_t kv_lengths, page_table;
  /// Decoding over several splits: f32 [splits, rows_q, heads, head_dim] and f32 [splits, rows_q, heads, 2], the
  /// weighted sum of values, the largest score (times log2 e) and the sum of weights of each split.
  uint64_t partial, partial_sums;
  /// ErrorFlag.
  uint64_t error;
  int32_t segments, rows_q, rows_k, heads, kv_heads, head_dim;
  int32_t causal;
  int32_t max_pages, page_size, pages;
  int32_t splits;
  float scale;
};
