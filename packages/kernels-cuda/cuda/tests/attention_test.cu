// Attention over packed sequences on tensor cores, forward and backward.
// planted bug: IFT_PLANT_NO_WAIT
// planted bug: IFT_PLANT_NO_BARRIER_AFTER_SCORES, race
// planted bug: IFT_PLANT_NO_BARRIER_AFTER_TILE, race
#include "attention_launch.h"
#include "attention_reference.h"

#include "../attention_backward.cu"
#include "../attention_forward.cu"

template <class T>
static void run_case(const AttentionCase& c) {
  const test::Case here("attention " + case_name<T>(c));
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
  bool done = false;
  IFT_EACH_HEAD_DIM(IFT_ATTENTION_OF)
  const double limit = 2 * test::rounding<T>();
  test::expect_close("out", out.host(), data.out, limit, data.queries());
  test::expect_close("lse", lse.host(), data.lse, 1e-4, data.rows());
  test::expect_close("dq", dq.host(), data.dq, limit, data.queries());
  test::expect_close("dk", dk.host(), data.dk, limit, data.keys());
  test::expect_close("dv", dv.host(), data.dv, limit, data.keys());
  test::expect("error", error_code(error) == 0, "an index was reported");
}

/// Bounds that do not ascend are reported and nothing is touched outside the tensors.
static void bad_bounds() {
  const test::Case here("bad bounds");
  if (!here.runs()) return;
  AttentionCase c{"bad bounds", {40, 20}, {40, 20}, 1, 1, 64, true, {}, false};
  using T = bf16;
  const AttentionData<T> data(c);
  const test::Device<T> q(data.q), k(data.k), v(data.v), out(data.q);
  const test::Device<float> lse(data.lse.size(), 0.0f);
  const test::Device<int32_t> good(data.cu_q), bad(std::vector<int32_t>{0, 400, 60});
  for (const bool keys : {false, true}) {
    const test::Device<ErrorFlag> error(1, ErrorFlag{});
    AttentionArgs a{};
    a.q = q.address(), a.k = k.address(), a.v = v.address(), a.out = out.address(), a.lse = lse.address();
    a.cu_q = keys ? good.address() : bad.address(), a.cu_k = keys ? bad.address() : good.address();
    a.error = error.address();
    a.segments = 2, a.rows_q = a.rows_k = 60, a.heads = a.kv_heads = 1, a.head_dim = 64, a.causal = 1, a.scale = 1;
    using F = ForwardShape<64>;
    IFT_LAUNCH(ift_attention_forward_bf16_64, a, dim3(3), 128, (F::QUERIES + 2 * F::KEYS) * 72 * sizeof(T));
    const uint32_t expected = keys ? INDEX_ATTENTION_CU_K : INDEX_ATTENTION_CU_Q;
    test::expect(keys ? "cu_k" : "cu_q", error_code(error) == expected, "code " + std::to_string(error_code(error)));
  }
}

static void tests() {
  for (const AttentionCase& c : attention_cases({64, 8, 16, 32, 80, 96, 128, 192, 256})) {
    run_case<bf16>(c);
    if (c.head_dim <= 128) run_case<f16>(c);
  }
  bad_bounds();
}

IFT_TEST_MAIN(tests)
