// planted bug: IFT_PLANT_NO_BARRIER_IN_SORT, race
#include <algorithm>
#include <numeric>

#include "operands.h"

#include "../top_rows.cu"

/// Entries as scores in 16 bits are: many of them equal.
enum class Kind { fine, coarse, masked };

template <class T>
static void top_case(int rows, int cols, int k, Kind kind, int offset, int threads) {
  using namespace test;
  const Case here(std::string("top rows ") + dtype_name<T>() + " " + std::to_string(k) + " of " + std::to_string(rows) +
                  "x" + std::to_string(cols) + (kind == Kind::coarse ? " coarse" : kind == Kind::masked ? " masked" : ""));
  if (!here.runs()) return;
  auto x = normal<T>(int64_t(rows) * cols, 6);
  for (size_t i = 0; i < x.size(); ++i) {
    const double value = doubles(std::vector<T>{x[i]})[0];
    if (kind == Kind::coarse) x[i] = host_round<T>(std::round(value));
    if (kind == Kind::masked) x[i] = host_round<T>(i % 5 == 0 ? NAN : i % 7 != 0 ? -INFINITY : value);
  }
  const auto all = doubles(x);
  std::vector<double> values, sums;
  std::vector<int32_t> columns;
  const double scale = 0.7;
  const auto below = [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; };
  for (int r = 0; r < rows; ++r) {
    const double* row = &all[int64_t(r) * cols];
    std::vector<int32_t> order(cols);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return below(row[b], row[a]); });
    for (int i = 0; i < k; ++i) columns.push_back(order[i]), values.push_back(row[order[i]]);
    double total = 0;
    for (int c = 0; c < cols; ++c) total += std::exp(scale * (row[c] - row[order[0]]));
    sums.push_back(scale * row[order[0]] + std::log(total));
  }
  const Operand<T> ox(x, offset);
  const Operand<float> ovalues(unwritten<float>(rows * k)), osum(unwritten<float>(rows));
  const Operand<int32_t> oindices(std::vector<int32_t>(rows * k, -1));
  ift::TopRowsArgs a{};
  a.values = ovalues, a.indices = oindices, a.x = ox.data();
  if (kind != Kind::masked) a.log_sum = osum;
  a.cols = cols, a.k = k, a.scale = float(scale);
  IFT_LAUNCH_DTYPE(T, ift_top_rows, a, dim3(unsigned(rows)), dim3(unsigned(threads)), 0);
  expect_same("columns", oindices.host(), columns, {size_t(k)});
  auto found = ovalues.host();
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) values[i] = found[i] = 0;
  }
  expect_close("values", found, values, 0, {size_t(k)});
  if (kind != Kind::masked) expect_close("sums", osum.host(), sums, 2e-6, {1});
}

template <class T>
static void cases() {
  top_case<T>(1, 1, 1, Kind::fine, 0, 32);
  top_case<T>(2, 65, 65, Kind::fine, 1, 32);
  top_case<T>(2, 300, 7, Kind::coarse, 0, 96);
  top_case<T>(1, 300, 64, Kind::masked, 3, 64);
  top_case<T>(3, 641, 1, Kind::coarse, 0, 160);
  if (test::small) return;
  top_case<T>(1, 50257, 40, Kind::fine, 0, 1024);
  top_case<T>(2, 32003, 1024, Kind::coarse, 1, 1024);
  top_case<T>(1, 250881, 512, Kind::coarse, 0, 1024);
}

static void tests() {
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (test::big) top_case<bf16>(64, 32000, 40, Kind::fine, 0, 1024);
}

IFT_TEST_MAIN(tests)
