// Forward, dq and dkv of an `AttentionArgs a` with elements of type T: the kernels, grids and shared memory.
#pragma once
#include "harness.h"

// Kernels by head dimension: one of them runs, all are compiled.
#define IFT_ATTENTION_LAUNCH(kind, dim, grid, warps, shared)                                     \
  if constexpr (std::is_same<T, bf16>::value) {                                                  \
    IFT_LAUNCH(ift_attention_##kind##_bf16_##dim, a, grid, 32 * warps, (shared) * sizeof(T));    \
  } else {                                                                                       \
    IFT_LAUNCH(ift_attention_##kind##_f16_##dim, a, grid, 32 * warps, (shared) * sizeof(T));     \
  }
#define IFT_ATTENTION_STEPS(dim)                                                                                  \
  {                                                                                                               \
    using F = ForwardShape<dim>;                                                                                  \
    using Q = DqShape<dim>;                                                                                       \
    using K = DkvShape<dim>;                                                                                      \
    const int row = TILE_STRIDE<dim>;                                                                             \
    const unsigned heads = unsigned(a.heads), kv_heads = unsigned(a.kv_heads);                                    \
    const auto tiles = [&](int rows, int of) { return unsigned(rows / of + a.segments); };                        \
    IFT_ATTENTION_LAUNCH(forward, dim, dim3(tiles(a.rows_q, F::QUERIES), heads), F::WARPS, (F::QUERIES + 2 * F::KEYS) * row) \
    IFT_ATTENTION_LAUNCH(backward_dq, dim, dim3(tiles(a.rows_q, Q::QUERIES), heads), Q::WARPS,                              \
                         (2 * Q::QUERIES + 4 * Q::KEYS) * row)                                                    \
    IFT_ATTENTION_LAUNCH(backward_dkv, dim, dim3(tiles(a.rows_k, K::KEYS), kv_heads, dim / K::COLUMNS), K::WARPS,           \
                         (2 * K::KEYS + 4 * K::QUERIES) * row)                                                    \
  }
// The kernels of the first head dimension that is large enough; `done` says that there was one.
#define IFT_ATTENTION_OF(dim)       \
  if (a.head_dim <= dim && !done) { \
    done = true;                    \
    IFT_ATTENTION_STEPS(dim)        \
  }

// Those without tensor cores, of a dtype by name.
#define IFT_GENERAL_LAUNCH(kind, name, dim, grid, tiles, matrices)                                                 \
  {                                                                                                                \
    using S = GeneralShape<dim>;                                                                                   \
    IFT_LAUNCH(ift_attention_general_##kind##_##name##_##dim, a, grid, 128,                                        \
               (tiles * S::TILE + matrices * S::R * (S::R + 1)) * 4);                                              \
  }
#define IFT_GENERAL_STEPS(name, dim)                                                                               \
  {                                                                                                                \
    const unsigned heads = unsigned(a.heads), kv_heads = unsigned(a.kv_heads);                                     \
    const auto tiles = [&](int rows) { return unsigned(rows / GeneralShape<dim>::R + a.segments); };               \
    IFT_GENERAL_LAUNCH(forward, name, dim, dim3(tiles(a.rows_q), heads), 3, 1)                                     \
    IFT_GENERAL_LAUNCH(dq, name, dim, dim3(tiles(a.rows_q), heads), 4, 1)                                          \
    IFT_GENERAL_LAUNCH(dkv, name, dim, dim3(tiles(a.rows_k), kv_heads), 4, 2)                                      \
  }
