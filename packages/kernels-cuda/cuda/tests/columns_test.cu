// planted bug: IFT_PLANT_NO_BARRIER_IN_COLUMN_SUMS, race
#include "operands.h"

#include "../columns.cu"

template <class T>
static void sums_case(int rows, int cols, int parts, int offset, bool accumulate) {
  using namespace test;
  const Case here(std::string("column sums ") + dtype_name<T>() + " " + std::to_string(rows) + "x" + std::to_string(cols) +
                  " in " + std::to_string(parts));
  if (!here.runs()) return;
  const size_t n = size_t(rows) * cols;
  const auto x = normal<T>(n), dy = normal<T>(n);
  const auto mean = normal<float>(rows), rstd = normal<float>(rows), before = normal<float>(cols);
  const auto vx = doubles(x), vdy = doubles(dy);
  const Operand<T> ox(x, offset), ody(dy, offset);
  const Operand<float> omean(mean), orstd(rstd);
  const int per_part = (rows + parts - 1) / parts;
  const dim3 grid((cols + 32 * lanes_of<T>() - 1) / (32 * lanes_of<T>()), unsigned(parts)), block(32, 8);
  for (int kind = 0; kind < 4; ++kind) {
    std::vector<double> expected(cols, 0.0);
    for (size_t i = 0; i < n; ++i) {
      const size_t r = i / cols;
      const double normalised = (vx[i] - (kind == 3 ? double(mean[r]) : 0)) * double(rstd[r]);
      expected[i % cols] += kind == 0 ? vx[i] : kind == 1 ? vx[i] * vdy[i] : vdy[i] * normalised;
    }
    for (int c = 0; accumulate && c < cols; ++c) expected[c] += double(before[c]);
    const Operand<float> y(accumulate ? before : unwritten<float>(cols));
    const Operand<float> partial(unwritten<float>(size_t(parts) * cols));
    ift::ColumnSumArgs a{};
    a.y = y, a.partial = partial, a.x = ox;
    if (kind > 0) a.dy = ody;
    if (kind == 3) a.mean = omean;
    a.rstd = orstd, a.rows = rows, a.rows_per_part = per_part, a.cols = cols, a.accumulate = accumulate;
    if (kind == 0) IFT_LAUNCH_DTYPE(T, ift_sum_rows, a, grid, block, 0);
    if (kind == 1) IFT_LAUNCH_DTYPE(T, ift_sum_products, a, grid, block, 0);
    if (kind >= 2) IFT_LAUNCH_DTYPE(T, ift_sum_normalised, a, grid, block, 0);
    if (parts > 1) {
      const ift::PartSumArgs sum{y, partial, parts, cols, accumulate, 0};
      IFT_LAUNCH(ift_sum_parts, sum, dim3((cols + 255) / 256), dim3(256), 0);
    }
    // A single sum may be small beside what it sums.
    expect_close("kind " + std::to_string(kind), y.host(), expected, cols == 1 ? 3e-4 : 3e-6);
  }
}

template <class T>
static void scale_case(int rows, int cols, int offset, bool in_place) {
  using namespace test;
  const Case here(std::string("scale columns ") + dtype_name<T>() + " " + std::to_string(rows) + "x" + std::to_string(cols));
  if (!here.runs()) return;
  const size_t n = size_t(rows) * cols;
  const auto x = normal<T>(n);
  const auto s = normal<float>(cols);
  auto expected = doubles(x);
  for (size_t i = 0; i < n; ++i) expected[i] *= double(s[i % cols]);
  const Operand<T> ox(x, offset), oy(unwritten<T>(n), offset);
  const Operand<float> os(s, 1);
  const TileLaunch l(rows, cols, lanes_of<T>());
  const ift::ScaleColumnsArgs a{in_place ? ox : oy, ox, os, rows, cols, 0};
  IFT_LAUNCH_DTYPE(T, ift_scale_columns, a, l.grid, l.block, 0);
  expect_close("y", in_place ? ox.host() : oy.host(), expected, rounding<T>(), {size_t(cols)});
}

template <class T>
static void cases() {
  sums_case<T>(1, 1, 1, 0, false);
  sums_case<T>(19, 264, 1, 0, true);
  sums_case<T>(37, 65, 3, 1, false);
  scale_case<T>(3, 65, 0, true);
  scale_case<T>(5, 64, 0, false);
  if (test::small) return;
  sums_case<T>(300, 1, 5, 0, false);
  sums_case<T>(500, 1000, 8, 0, true);
  scale_case<T>(1100, 3, 0, true);
  scale_case<T>(3000, 8, 0, false);
  scale_case<T>(2, 5000, 1, false);
}

static void tests() {
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (!test::big) return;
  sums_case<bf16>(2048, 4096, 16, 0, true);
  scale_case<bf16>(2048, 4096, 0, true);
}

IFT_TEST_MAIN(tests)
