#include "operands.h"

#include "../adamw.cu"

template <class T>
static void adamw_case(int64_t n, int offset, bool apart, bool clipped, int step) {
  using namespace test;
  const Case here(std::string("adamw ") + dtype_name<T>() + " " + std::to_string(n) + " at " + std::to_string(offset) +
                  " step " + std::to_string(step) + (clipped ? " clipped" : ""));
  if (!here.runs()) return;
  const double lr = 1e-2, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0.1;
  const auto param = normal<T>(n);
  const auto grad = normal<float>(n), m = normal<float>(n, 0.1);
  auto v = normal<float>(n);
  for (float& x : v) x = x * x + 1e-4f;
  const double scale = clipped ? 0.25 : 1;
  std::vector<double> w(n), next_m(n), next_v(n);
  for (int64_t i = 0; i < n; ++i) {
    const double g = double(grad[i]) * scale;
    next_m[i] = beta1 * double(m[i]) + (1 - beta1) * g;
    next_v[i] = beta2 * double(v[i]) + (1 - beta2) * g * g;
    const double corrected = next_m[i] / (1 - std::pow(beta1, step));
    const double root = std::sqrt(next_v[i] / (1 - std::pow(beta2, step)));
    w[i] = double(host_float(param[i])) * (1 - lr * decay) - lr * corrected / (root + eps);
  }
  std::vector<float> master_values(n);
  for (int64_t i = 0; i < n; ++i) master_values[i] = host_float(param[i]);
  const Operand<T> op(param, offset);
  const Operand<float> master(apart ? master_values : std::vector<float>(1)), og(grad, offset), om(m), ov(v);
  const Operand<float> factor(std::vector<float>(1, 0.25f));
  ift::AdamWArgs a{};
  a.param = op, a.grad = og, a.m = om, a.v = ov, a.n = n, a.apart = apart;
  if (apart) a.master = master;
  if (clipped) a.grad_scale = factor;
  a.keep = float(1 - lr * decay), a.rate = float(lr / (1 - std::pow(beta1, step)));
  a.correction = float(1 / std::sqrt(1 - std::pow(beta2, step)));
  a.beta1 = float(beta1), a.beta2 = float(beta2), a.rest1 = float(1 - beta1), a.rest2 = float(1 - beta2);
  a.eps = float(eps);
  IFT_LAUNCH_DTYPE(T, ift_adamw, a, blocks_of(n, 4), dim3(256), 0);
  expect_close("param", op.host(), w, rounding<T>());
  // The two parts of a single one may cancel.
  expect_close("m", om.host(), next_m, n == 1 ? 1e-4 : 1e-6);
  expect_close("v", ov.host(), next_v, 1e-6);
  if (apart) expect_close("master", master.host(), w, 1e-6);
}

/// A gradient that is not finite, with a scale of NaN: nothing changes.
static void skipped_case() {
  using namespace test;
  const Case here("adamw skipped");
  if (!here.runs()) return;
  const auto param = normal<bf16>(70);
  const auto master = normal<float>(70), m = normal<float>(70), v = normal<float>(70);
  const Operand<bf16> op(param);
  const Operand<float> ow(master), og(std::vector<float>(70, INFINITY)), om(m), ov(v);
  const Operand<float> factor(std::vector<float>(1, NAN));
  ift::AdamWArgs a{};
  a.param = op, a.master = ow, a.grad = og, a.m = om, a.v = ov, a.grad_scale = factor;
  a.n = 70, a.apart = 1, a.keep = 0.9f, a.rate = 0.1f, a.correction = 1, a.eps = 1;
  IFT_LAUNCH(ift_adamw_bf16, a, blocks_of(70, 4), dim3(256), 0);
  expect_close("param", op.host(), doubles(param), 0);
  expect_close("master", ow.host(), doubles(master), 0);
  expect_close("m", om.host(), doubles(m), 0);
  expect_close("v", ov.host(), doubles(v), 0);
}

static void tests() {
  skipped_case();
  for (const bool clipped : {false, true}) {
    for (const int step : {1, 1000}) {
      for (const int64_t n : {1, 65, 3000}) {
        for (const int offset : {0, 1}) {
          adamw_case<float>(n, offset, false, clipped, step);
          adamw_case<bf16>(n, offset, true, clipped, step);
          adamw_case<f16>(n, offset, true, clipped, step);
        }
      }
    }
  }
  if (test::big) adamw_case<bf16>(1 << 22, 0, true, true, 10);
}

IFT_TEST_MAIN(tests)
