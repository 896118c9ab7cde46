#include "operands.h"

#include "../lion.cu"

template <class T>
static void lion_case(int64_t n, int offset, bool apart, float scale) {
  using namespace test;
  const Case here(std::string("lion ") + dtype_name<T>() + " " + std::to_string(n) + " at " + std::to_string(offset) +
                  " scaled by " + std::to_string(scale));
  if (!here.runs()) return;
  const double lr = 1e-2, beta1 = 0.9, beta2 = 0.99, decay = 0.1;
  const auto param = normal<T>(n);
  auto grad = normal<float>(n), m = normal<float>(n, 0.1);
  // Neither gradient nor momentum.
  grad[n / 2] = m[n / 2] = 0;
  const bool skipped = std::isnan(scale);
  std::vector<double> w(n), next(n);
  for (int64_t i = 0; i < n; ++i) {
    const double g = double(grad[i]) * double(scale);
    const double direction = beta1 * double(m[i]) + (1 - beta1) * g;
    const double sign = direction > 0 ? 1 : direction < 0 ? -1 : 0;
    const double value = double(host_float(param[i]));
    next[i] = skipped ? double(m[i]) : beta2 * double(m[i]) + (1 - beta2) * g;
    w[i] = skipped ? value : value * (1 - lr * decay) - lr * sign;
  }
  std::vector<float> master_values(n);
  for (int64_t i = 0; i < n; ++i) master_values[i] = host_float(param[i]);
  const Operand<T> op(param, offset);
  const Operand<float> master(apart ? master_values : std::vector<float>(1)), og(grad, offset), om(m);
  const Operand<float> factor(std::vector<float>(1, scale));
  ift::LionArgs a{};
  a.param = op, a.grad = og, a.m = om, a.n = n, a.apart = apart;
  if (apart) a.master = master;
  if (scale != 1) a.grad_scale = factor;
  a.keep = float(1 - lr * decay), a.lr = float(lr);
  a.beta1 = float(beta1), a.beta2 = float(beta2), a.rest1 = float(1 - beta1), a.rest2 = float(1 - beta2);
  IFT_LAUNCH_DTYPE(T, ift_lion, a, blocks_of(n, 4), dim3(256), 0);
  expect_close("param", op.host(), w, rounding<T>());
  expect_close("m", om.host(), next, n == 1 ? 1e-4 : 1e-6);
  if (apart) expect_close("master", master.host(), w, 1e-6);
}

static void tests() {
  for (const float scale : {1.0f, 0.25f, NAN}) {
    for (const int64_t n : {1, 65, 3000}) {
      for (const int offset : {0, 1}) {
        lion_case<float>(n, offset, false, scale);
        lion_case<bf16>(n, offset, true, scale);
        lion_case<f16>(n, offset, true, scale);
      }
    }
  }
  if (test::big) lion_case<bf16>(1 << 22, 0, true, 0.25f);
}

IFT_TEST_MAIN(tests)
