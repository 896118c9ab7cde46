// Attention over paged keys and values: decoding with one and with several splits, long prompts, and the general kernel.
// planted bug: IFT_PLANT_NO_WAIT
// planted bug: IFT_PLANT_NO_BARRIER_BEFORE_COMBINE, race
#include "attention_reference.h"

#include "../attention_forward.cu"
#include "../attention_general.cu"
#include "../attention_paged.cu"

enum Way { DECODE, LONG, GENERAL };

#define IFT_PAGED_STEPS(name, dim)                                                                                  \
  {                                                                                                                 \
    const unsigned heads = unsigned(a.heads), kv_heads = unsigned(a.kv_heads);                                      \
    const auto tiles = [&](int rows, int of) { return unsigned(rows / of + a.segments); };                          \
    if (way == DECODE) {                                                                                            \
      IFT_LAUNCH(ift_attention_decode_##name##_##dim, a,                                                            \
                 dim3(tiles(a.rows_q * (a.heads / a.kv_heads), 16), kv_heads, unsigned(a.splits)),                  \
                 32 * DecodeShape<dim>::WARPS, (1 + 4 * DecodeShape<dim>::WARPS) * 16 * TILE_STRIDE<dim> * 2 + 512);                                                              \
      if (a.splits > 1) IFT_LAUNCH(ift_attention_combine_##name, a, unsigned(a.rows_q * a.heads + 3) / 4, 128, 0);  \
    } else {                                                                                                        \
      using F = ForwardShape<dim>;                                                                                  \
      IFT_LAUNCH(ift_attention_forward_paged_##name##_##dim, a, dim3(tiles(a.rows_q, F::QUERIES), heads), 128,      \
                 (F::QUERIES + 2 * F::KEYS) * TILE_STRIDE<dim> * 2);                                                \
    }                                                                                                               \
  }

template <class T>
static void run_case(const AttentionCase& c, Way way, int splits, int page_size) {
  const char* const ways[] = {"decode", "long", "general"};
  const test::Case here(std::string("paged attention ") + case_name<T>(c) + " " + ways[way] + " in " +
                        std::to_string(splits) + " splits, pages of " + std::to_string(page_size));
  if (!here.runs()) return;
  const AttentionData<T> data(c);
  int pages = 2, max_pages = 1;
  for (int length : c.k_lengths) {
    const int used = (length + page_size - 1) / page_size;
    pages += used, max_pages = std::max(max_pages, used);
  }
  const size_t row = size_t(c.kv_heads) * c.head_dim;
  std::vector<int32_t> table(c.k_lengths.size() * max_pages, -1);
  std::vector<T> kp = test::unwritten<T>(size_t(pages) * page_size * row), vp = kp;
  int next = pages - 1;
  for (size_t s = 0; s < c.k_lengths.size(); ++s) {
    for (int j = 0; j < c.k_lengths[s]; ++j) {
      if (j % page_size == 0) table[s * max_pages + j / page_size] = next--;
      const size_t to = (size_t(table[s * max_pages + j / page_size]) * page_size + j % page_size) * row;
      for (size_t i = 0; i < row; ++i) {
        kp[to + i] = data.k[(data.cu_k[s] + j) * row + i];
        vp[to + i] = data.v[(data.cu_k[s] + j) * row + i];
      }
    }
  }
  const test::Device<T> q(data.q), k(kp), v(vp), out(test::unwritten<T>(data.nq));
  const test::Device<float> slopes(data.slopes), partial(test::unwritten<float>(splits * data.nq)),
      sums(test::unwritten<float>(splits * data.lse.size() * 2));
  const test::Device<int32_t> cu_q(data.cu_q), lengths(std::vector<int32_t>(c.k_lengths.begin(), c.k_lengths.end())),
      dtable(table), prefix(std::vector<int32_t>(c.prefix.begin(), c.prefix.end()));
  const test::Device<ErrorFlag> error(1, ErrorFlag{});
  AttentionArgs a{};
  a.q = q.address(), a.k = k.address(), a.v = v.address(), a.out = out.address();
  a.cu_q = cu_q.address(), a.kv_lengths = lengths.address(), a.page_table = dtable.address();
  a.visible_prefix = c.prefix.empty() ? 0 : prefix.address();
  a.alibi_slopes = c.alibi ? slopes.address() : 0;
  a.partial = partial.address(), a.partial_sums = sums.address(), a.error = error.address();
  a.segments = int(c.q_lengths.size()), a.rows_q = int(data.rows_q);
  a.heads = c.heads, a.kv_heads = c.kv_heads, a.head_dim = c.head_dim;
  a.causal = c.causal;
  a.max_pages = max_pages, a.page_size = page_size, a.pages = pages, a.splits = splits;
  a.scale = float(data.scale);
  if constexpr (std::is_same<T, float>::value) {
    using S = GeneralShape<128>;
    const dim3 grid(unsigned(a.rows_q / S::R + a.segments), unsigned(a.heads));
    IFT_LAUNCH(ift_attention_general_paged_f32_128, a, grid, 128, (3 * S::TILE + S::R * (S::R + 1)) * 4);
  } else if constexpr (std::is_same<T, bf16>::value) {
#ifdef IFT_FEW_SHAPES
    IFT_PAGED_STEPS(bf16, 64)
  }
#else
    if (c.head_dim <= 64) IFT_PAGED_STEPS(bf16, 64)
    else if (c.head_dim <= 80) IFT_PAGED_STEPS(bf16, 80)
    else if (c.head_dim <= 96) IFT_PAGED_STEPS(bf16, 96)
    else if (c.head_dim <= 128) IFT_PAGED_STEPS(bf16, 128)
    else if (c.head_dim <= 192) IFT_PAGED_STEPS(bf16, 192)
    else IFT_PAGED_STEPS(bf16, 256)
  } else {
    if (c.head_dim <= 64) IFT_PAGED_STEPS(f16, 64) else IFT_PAGED_STEPS(f16, 128)
  }
#endif
  test::expect_close("out", out.host(), data.out, std::is_same<T, float>::value ? 5e-6 : 2 * test::rounding<T>(),
                     data.queries());
  test::expect("error", error_code(error) == 0, "an index was reported");
}

/// Lengths over the table and pages out of the pool are reported.
static void bad_pages() {
  const test::Case here("bad pages");
  if (!here.runs()) return;
  using T = bf16;
  const std::vector<T> row = test::normal<T>(64 * 64);
  const test::Device<T> q(row), k(row), v(row), out(row);
  const test::Device<int32_t> cu_q(std::vector<int32_t>{0, 1});
  for (const bool lengths : {false, true}) {
    const test::Device<int32_t> kv(1, lengths ? 33 : 32), table(std::vector<int32_t>{1, lengths ? 0 : 4});
    const test::Device<ErrorFlag> error(1, ErrorFlag{});
    AttentionArgs a{};
    a.q = q.address(), a.k = k.address(), a.v = v.address(), a.out = out.address();
    a.cu_q = cu_q.address(), a.kv_lengths = kv.address(), a.page_table = table.address(), a.error = error.address();
    a.segments = a.rows_q = a.heads = a.kv_heads = a.splits = 1, a.head_dim = 64, a.causal = 1, a.scale = 1;
    a.max_pages = 2, a.page_size = 16, a.pages = 4;
    IFT_LAUNCH(ift_attention_decode_bf16_64, a, dim3(2), 128, 17 * 16 * 72 * 2 + 512);
    const ErrorFlag found = error.host()[0];
    test::expect(lengths ? "kv_lengths" : "page_table",
                 found.code == (lengths ? INDEX_ATTENTION_KV_LENGTHS : INDEX_ATTENTION_PAGE_TABLE) &&
                     found.value == (lengths ? 33 : 4) && found.index == (lengths ? 0 : 1),
                 "code " + std::to_string(found.code) + " of value " + std::to_string(found.value) + " at " +
                     std::to_string(found.index));
  }
}

static void tests() {
  for (const AttentionCase& c : attention_cases({64, 8, 80, 96, 128, 192, 256})) {
    run_case<bf16>(c, DECODE, 1, 16);
    run_case<bf16>(c, DECODE, 3, 7);
    run_case<bf16>(c, LONG, 1, 16);
    if (c.head_dim > 128) continue;
    run_case<float>(c, GENERAL, 1, 7);
#ifndef IFT_FEW_SHAPES
    if (c.head_dim == 64 || c.head_dim == 128) run_case<f16>(c, DECODE, 2, 16);
#endif
  }
  bad_pages();
  if (!test::big) return;
  const AttentionCase decoding{"decoding", std::vector<int>(16, 1), std::vector<int>(16, 700), 32, 8, 128, true, {}, false};
  const AttentionCase prompt{"prompt", {300, 211}, {300, 211}, 32, 8, 128, true, {}, false};
  for (const int splits : {1, 4}) run_case<bf16>(decoding, DECODE, splits, 16);
  run_case<bf16>(prompt, LONG, 1, 16);
}

IFT_TEST_MAIN(tests)
