// Attention without tensor cores: f32 and head dimensions that tensor cores do not take, packed and paged.
#include "attention_launch.h"
#include "attention_reference.h"

#include "../attention_general.cu"

template <class T>
static void run_case(const AttentionCase& c) {
  const test::Case here("general attention " + case_name<T>(c));
  if (!here.runs()) return;
  const AttentionData<T> data(c);
  const test::Device<T> q(data.q), k(data.k), v(data.v), dout(data.dout), out(test::unwritten<T>(data.nq)),
      dq(test::unwritten<T>(data.nq)), dk(test::unwritten<T>(data.nk)), dv(test::unwritten<T>(data.nk));
  const test::Device<float> lse(test::unwritten<float>(data.lse.size())), slopes(data.slopes),
      delta(test::unwritten<float>(data.lse.size()));
  const test::Device<int32_t> cu_q(data.cu_q), cu_k(data.cu_k), prefix(std::vector<int32_t>(c.prefix.begin(), c.prefix.end()));
  const test::Device<ErrorFlag> error(1, ErrorFlag{});
  AttentionArgs a{};
  a.q = q.address(), a.k = k.address(), a.v = v.address(), a.out = out.address(), a.lse = lse.address();
  a.dout = dout.address(), a.delta = delta.address();
  a.dq = dq.address(), a.dk = dk.address(), a.dv = dv.address();
  a.cu_q = cu_q.address(), a.cu_k = cu_k.address();
  a.visible_prefix = c.prefix.empty() ? 0 : prefix.address();
  a.alibi_slopes = c.alibi ? slopes.address() : 0;
  a.error = error.address();
  a.segments = int(c.q_lengths.size()), a.rows_q = int(data.rows_q), a.rows_k = int(data.rows_k);
  a.heads = c.heads, a.kv_heads = c.kv_heads, a.head_dim = c.head_dim;
  a.causal = c.causal;
  a.scale = float(data.scale);
#ifdef IFT_FEW_SHAPES
  IFT_GENERAL_STEPS(f32, 128)
#else
  if constexpr (std::is_same<T, float>::value) {
    if (c.head_dim <= 128) IFT_GENERAL_STEPS(f32, 128) else IFT_GENERAL_STEPS(f32, 256)
  } else {
    if (c.head_dim <= 128) IFT_GENERAL_STEPS(bf16, 128) else IFT_GENERAL_STEPS(bf16, 256)
  }
#endif
  const double limit = std::is_same<T, float>::value ? 5e-6 : 2 * test::rounding<T>();
  test::expect_close("out", out.host(), data.out, limit, data.queries());
  test::expect_close("lse", lse.host(), data.lse, 1e-5, data.rows());
  test::expect_close("dq", dq.host(), data.dq, limit, data.queries());
  test::expect_close("dk", dk.host(), data.dk, limit, data.keys());
  test::expect_close("dv", dv.host(), data.dv, limit, data.keys());
  test::expect("error", error_code(error) == 0, "an index was reported");
}

static void tests() {
  for (const AttentionCase& c : attention_cases({64, 1, 7, 128, 192, 250})) run_case<float>(c);
#ifndef IFT_FEW_SHAPES
  run_case<bf16>({"odd", {70, 3}, {70, 40}, 2, 1, 37, true, {}, false});
#endif
}

IFT_TEST_MAIN(tests)
