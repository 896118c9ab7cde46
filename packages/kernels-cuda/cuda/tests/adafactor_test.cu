#include "operands.h"

#include "../adafactor.cu"

template <class T>
static void adafactor_case(int rows, int cols, bool factored, bool momentum, bool by_parameter, float scale) {
  using namespace test;
  const Case here(std::string("adafactor ") + dtype_name<T>() + " " + std::to_string(rows) + "x" + std::to_string(cols) +
                  (factored ? " factored" : "") + (momentum ? " with a first moment" : "") +
                  (by_parameter ? " scaled by the parameter" : "") + " gradient times " + std::to_string(scale));
  if (!here.runs()) return;
  const size_t n = size_t(rows) * cols;
  const double lr = 1e-2, beta1 = 0.9, beta2 = 0.95, eps1 = 1e-30, eps2 = 1e-3, most = 0.8, decay = 0.1;
  const bool skipped = std::isnan(scale);
  const auto squares = [](std::vector<float> v) {
    for (float& x : v) x = x * x + 1e-2f;
    return v;
  };
  const auto param = normal<T>(n);
  const auto grad = normal<float>(n), m = normal<float>(n, 1e-2);
  const auto v = squares(normal<float>(factored ? rows : n)), column = squares(normal<float>(cols));
  std::vector<double> g = doubles(grad), w = doubles(param), vn = doubles(v), cn = doubles(column), mn = doubles(m);
  if (!skipped) {
    std::vector<double> row_sums(rows), column_sums(cols), u(n);
    for (size_t i = 0; i < n; ++i) {
      g[i] *= double(scale);
      row_sums[i / cols] += g[i] * g[i] + eps1, column_sums[i % cols] += g[i] * g[i] + eps1;
      if (!factored) vn[i] = beta2 * vn[i] + (1 - beta2) * (g[i] * g[i] + eps1);
    }
    double mean = 0, update = 0, size = 0;
    if (factored) {
      for (int r = 0; r < rows; ++r) vn[r] = beta2 * vn[r] + (1 - beta2) * row_sums[r] / cols, mean += vn[r] / rows;
      for (int c = 0; c < cols; ++c) cn[c] = beta2 * cn[c] + (1 - beta2) * column_sums[c] / rows;
    }
    for (size_t i = 0; i < n; ++i) {
      u[i] = g[i] / std::sqrt(factored ? vn[i / cols] / mean * cn[i % cols] : vn[i]);
      update += u[i] * u[i] / double(n), size += w[i] * w[i] / double(n);
    }
    const double scaled = by_parameter ? lr * std::max(eps2, std::sqrt(size)) : lr;
    const double rate = scaled / std::max(1.0, std::sqrt(update) / most);
    for (size_t i = 0; i < n; ++i) {
      double step = rate * u[i];
      if (momentum) step = mn[i] = beta1 * mn[i] + (1 - beta1) * step;
      w[i] = w[i] * (1 - scaled * decay) - step;
    }
  }
  const bool apart = !std::is_same<T, float>::value;
  std::vector<float> master_values(n);
  for (size_t i = 0; i < n; ++i) master_values[i] = host_float(param[i]);
  std::vector<float> sums(cols);
  for (int c = 0; c < cols; ++c) {
    double sum = 0;
    for (int r = 0; r < rows; ++r) sum += double(grad[size_t(r) * cols + c]) * double(grad[size_t(r) * cols + c]);
    sums[c] = float(sum);
  }
  const Operand<T> op(param);
  const Operand<float> master(apart ? master_values : std::vector<float>(1)), og(grad), ov(v), oc(column), om(m);
  const Operand<float> factor(std::vector<float>(1, scale)), columns(sums), sizes(unwritten<float>(2 * rows));
  const Operand<double> totals(std::vector<double>(2, NAN));
  ift::AdafactorArgs a{};
  a.param = op, a.grad = og, a.v = ov, a.columns = columns, a.sizes = sizes;
  a.totals = static_cast<ift::AdafactorTotals*>(totals.data());
  if (apart) a.master = master;
  if (factored) a.column = oc;
  if (momentum) a.m = om;
  if (scale != 1) a.grad_scale = factor;
  a.rows = rows, a.cols = cols, a.lr = lr, a.clip_threshold = most, a.weight_decay = decay;
  a.epsilon2 = by_parameter ? eps2 : -1, a.epsilon1 = float(eps1), a.apart = apart;
  a.beta1 = float(beta1), a.beta2 = float(beta2), a.rest1 = float(1 - beta1), a.rest2 = float(1 - beta2);
  const RowLaunch l(rows, cols, 4);
  IFT_LAUNCH(ift_adafactor_moments, a, l.grid, l.block, 0);
  if (factored) IFT_LAUNCH(ift_adafactor_roots, a, dim3(unsigned((cols + 255) / 256 + 1)), dim3(256), 0);
  IFT_LAUNCH(ift_adafactor_sizes, a, l.grid, l.block, 0);
  IFT_LAUNCH(ift_adafactor_totals, a, dim3(1), dim3(256), 0);
  IFT_LAUNCH_DTYPE(T, ift_adafactor_step, a, l.grid, l.block, 0);
  expect_close("param", op.host(), w, skipped ? 0 : rounding<T>());
  expect_close("v", ov.host(), vn, skipped ? 0 : 2e-6);
  if (factored) expect_close("column", oc.host(), cn, skipped ? 0 : 2e-6);
  if (momentum) expect_close("m", om.host(), mn, skipped ? 0 : 1e-5);
  if (apart) expect_close("master", master.host(), w, 2e-6);
}

template <class T>
static void cases() {
  for (const bool factored : {true, false}) {
    adafactor_case<T>(8, 300, factored, false, false, 1);
    adafactor_case<T>(70, 3, factored, true, true, 0.25f);
    adafactor_case<T>(5, 40, factored, true, false, NAN);
    if (test::small) continue;
    adafactor_case<T>(1, 1, factored, false, false, 1);
    adafactor_case<T>(300, 1, factored, false, true, 1);
    adafactor_case<T>(1, 700, factored, true, false, 0.25f);
    adafactor_case<T>(130, 513, factored, false, true, 1);
  }
}

static void tests() {
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (test::big) adafactor_case<bf16>(4096, 4096, true, false, true, 0.25f);
}

IFT_TEST_MAIN(tests)
