// Attention at the sizes of 7B models, where a multiprocessor has many blocks and a sequence many tiles: the kernels in bf16
// against those without tensor cores on f32 copies, on the device, and 20 runs with the same bits, which a race or a block
// that reads what another writes would not give. `big` has these sizes; the other cases take the same way with fewer rows.
// planted bug: IFT_PLANT_NO_WAIT
#ifdef IFT_FEW_SHAPES
  #define IFT_EACH_HEAD_DIM(make) make(64)
#else
  #define IFT_EACH_HEAD_DIM(make) make(128)
#endif
#include "attention_launch.h"
#include "attention_reference.h"
#include "device_compare.h"

#include "../attention_backward.cu"
#include "../attention_forward.cu"
#include "../attention_general.cu"
#include "../random.cu"

#ifdef IFT_FEW_SHAPES
constexpr int HEAD_DIM = 64;
#else
constexpr int HEAD_DIM = 128;
#endif

/// What forward and backward write.
template <class T>
struct Results {
  test::Device<T> out, dq, dk, dv;
  test::Device<float> lse, delta;
  Results(size_t nq, size_t nk, size_t rows)
      : out(nq, T()), dq(nq, T()), dk(nk, T()), dv(nk, T()), lse(rows, 0.0f), delta(rows, 0.0f) {}

  void set(AttentionArgs& a) const {
    a.out = out.address(), a.lse = lse.address(), a.delta = delta.address();
    a.dq = dq.address(), a.dk = dk.address(), a.dv = dv.address();
  }
  /// Not-a-number: what a run leaves out shows.
  void forget() {
    out.fill(0xFF), dq.fill(0xFF), dk.fill(0xFF), dv.fill(0xFF), lse.fill(0xFF), delta.fill(0xFF);
  }
};

static void draw(const test::Device<bf16>& y, uint32_t stream) {
  ift::RandomArgs a{};
  a.y = reinterpret_cast<void*>(y.address()), a.n = int64_t(y.size()), a.key[0] = 7, a.stream = stream, a.normal = 1;
  IFT_LAUNCH(ift_random_bf16, a, unsigned((y.size() + 2047) / 2048), 256, 0);
}

static void large_case(int sequences, int length, int heads, int kv_heads, int runs) {
  const test::Case here(std::to_string(sequences) + "x" + std::to_string(length) + " rows, " + std::to_string(heads) +
                        " heads of " + std::to_string(HEAD_DIM) + ", " + std::to_string(kv_heads) + " of keys, " +
                        std::to_string(runs) + " runs");
  if (!here.runs()) return;
  using T = bf16;
  const std::vector<int32_t> starts = cumulative(std::vector<int>(sequences, length));
  const size_t rows = size_t(starts.back()), nq = rows * heads * HEAD_DIM, nk = rows * kv_heads * HEAD_DIM;
  const test::Device<T> q(nq, T()), k(nk, T()), v(nk, T()), dout(nq, T());
  draw(q, 1), draw(k, 2), draw(v, 3), draw(dout, 4);
  const test::Device<int32_t> cu(starts);
  const test::Device<ErrorFlag> error(1, ErrorFlag{});
  AttentionArgs a{};
  a.cu_q = a.cu_k = cu.address(), a.error = error.address();
  a.segments = sequences, a.rows_q = a.rows_k = int(rows);
  a.heads = heads, a.kv_heads = kv_heads, a.head_dim = HEAD_DIM;
  a.causal = 1, a.scale = 1 / std::sqrt(float(HEAD_DIM));
  const auto run = [&](Results<T>& results) {
    results.forget();
    a.q = q.address(), a.k = k.address(), a.v = v.address(), a.dout = dout.address();
    results.set(a);
    bool done = false;
    IFT_EACH_HEAD_DIM(IFT_ATTENTION_OF)
  };

  Results<T> first(nq, nk, rows * heads);
  run(first);
  {
    const test::Device<float> wide_q(nq, 0.0f), wide_k(nk, 0.0f), wide_v(nk, 0.0f), wide_dout(nq, 0.0f);
    test::widen_on_device(wide_q, q), test::widen_on_device(wide_k, k);
    test::widen_on_device(wide_v, v), test::widen_on_device(wide_dout, dout);
    Results<float> expected(nq, nk, rows * heads);
    expected.forget();
    a.q = wide_q.address(), a.k = wide_k.address(), a.v = wide_v.address(), a.dout = wide_dout.address();
    expected.set(a);
    IFT_GENERAL_STEPS(f32, 128)
    const test::Layout queries{size_t(heads) * HEAD_DIM, starts}, keys{size_t(kv_heads) * HEAD_DIM, starts};
    const double limit = 2 * test::rounding<T>();
    test::expect_close_on_device("out", first.out, expected.out, limit, queries);
    test::expect_close_on_device("lse", first.lse, expected.lse, 1e-4, {size_t(heads), starts});
    test::expect_close_on_device("dq", first.dq, expected.dq, limit, queries);
    test::expect_close_on_device("dk", first.dk, expected.dk, limit, keys);
    test::expect_close_on_device("dv", first.dv, expected.dv, limit, keys);
  }
  Results<T> again(nq, nk, rows * heads);
  const auto expect_same = [&](const std::string& name, const auto& one, const auto& other, size_t cols) {
    test::check();
    if (!test::same_on_device(one, other)) test::expect_same(name, other.host(), one.host(), {cols, starts});
  };
  for (int i = 2; i <= runs; ++i) {
    run(again);
    const std::string of = " of run " + std::to_string(i);
    expect_same("out" + of, first.out, again.out, size_t(heads) * HEAD_DIM);
    expect_same("lse" + of, first.lse, again.lse, size_t(heads));
    expect_same("dq" + of, first.dq, again.dq, size_t(heads) * HEAD_DIM);
    expect_same("dk" + of, first.dk, again.dk, size_t(kv_heads) * HEAD_DIM);
    expect_same("dv" + of, first.dv, again.dv, size_t(kv_heads) * HEAD_DIM);
  }
  test::expect("error", error_code(error) == 0, "an index was reported");
}

static void tests() {
  if (test::small) return large_case(2, 70, 2, 1, 2);
  // The share of a processor: several tiles and heads, a second of work.
  large_case(3, 150, 4, 4, 2);
  large_case(1, 300, 4, 1, 2);
  if (!test::big) return;
  for (const int kv_heads : {32, 8}) {
    large_case(4, 512, 32, kv_heads, 20);
    large_case(1, 4096, 32, kv_heads, 20);
  }
}

IFT_TEST_MAIN(tests)
