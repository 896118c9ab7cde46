// planted bug: IFT_PLANT_NO_BARRIER_IN_TOTALS, race
#include "operands.h"

#include "../layer_norm.cu"
#include "../norms.cu"
#include "../rms_norm.cu"

template <class T>
static void norm_case(int rows, int cols, int offset, bool layer, bool accumulate) {
  using namespace test;
  const Case here(std::string(layer ? "layer norm " : "rms norm ") + dtype_name<T>() + " " + std::to_string(rows) + "x" +
                  std::to_string(cols) + " at " + std::to_string(offset) + (accumulate ? " added" : ""));
  if (!here.runs()) return;
  const size_t n = size_t(rows) * cols;
  const double eps = 1e-5;
  const auto x = normal<T>(n, 2), w = normal<T>(cols), b = normal<T>(cols), dy = normal<T>(n), before = normal<T>(n);
  std::vector<double> y(n), dx(n), means(rows), rstds(rows);
  std::vector<float> mean_in(rows), rstd_in(rows);
  const auto vx = doubles(x), vw = doubles(w), vb = doubles(b), vdy = doubles(dy), vbefore = doubles(before);
  for (int r = 0; r < rows; ++r) {
    const double* row = &vx[size_t(r) * cols];
    double sum = 0, squares = 0;
    for (int c = 0; c < cols; ++c) sum += row[c];
    const double mean = layer ? sum / cols : 0;
    for (int c = 0; c < cols; ++c) squares += (row[c] - mean) * (row[c] - mean);
    const double rstd = 1 / std::sqrt(squares / cols + eps);
    means[r] = mean, rstds[r] = rstd;
    mean_in[r] = float(mean), rstd_in[r] = float(rstd);
    double dot = 0, total = 0;
    for (int c = 0; c < cols; ++c) {
      const size_t i = size_t(r) * cols + c;
      const double normalised = (row[c] - mean) * rstd;
      y[i] = normalised * vw[c] + (layer ? vb[c] : 0);
      dot += vdy[i] * vw[c] * normalised;
      total += vdy[i] * vw[c];
    }
    for (int c = 0; c < cols; ++c) {
      const size_t i = size_t(r) * cols + c;
      const double normalised = (row[c] - mean) * rstd;
      dx[i] = rstd * (vdy[i] * vw[c] - normalised * dot / cols - (layer ? total / cols : 0));
      if (accumulate) dx[i] += vbefore[i];
    }
  }
  const Operand<T> ox(x, offset), ow(w, offset), ob(b, offset), ody(dy, offset), oy(unwritten<T>(n), offset);
  const Operand<T> odx(accumulate ? before : unwritten<T>(n), offset);
  const Operand<float> mean_out(unwritten<float>(rows)), rstd_out(unwritten<float>(rows));
  const Operand<float> mean_given(mean_in), rstd_given(rstd_in);
  const RowLaunch l(rows, cols, lanes_of<T>());
  const ift::NormArgs forward{oy, mean_out, rstd_out, ox, ow, ob, rows, cols, float(eps)};
  const ift::NormBackwardArgs backward{odx, ody, ox, ow, mean_given, rstd_given, rows, cols, accumulate};
  if (layer) {
    IFT_LAUNCH_DTYPE(T, ift_layer_norm, forward, l.grid, l.block, 0);
    IFT_LAUNCH_DTYPE(T, ift_layer_norm_backward, backward, l.grid, l.block, 0);
    if (cols > 1) expect_close("mean", mean_out.host(), means, 1e-5, {1});
  } else {
    IFT_LAUNCH_DTYPE(T, ift_rms_norm, forward, l.grid, l.block, 0);
    IFT_LAUNCH_DTYPE(T, ift_rms_norm_backward, backward, l.grid, l.block, 0);
  }
  expect_close("y", oy.host(), y, rounding<T>(), {size_t(cols)});
  expect_close("rstd", rstd_out.host(), rstds, 2e-6, {1});
  // A single column has nothing but cancellation.
  if (cols > 1) expect_close("dx", odx.host(), dx, 2 * rounding<T>(), {size_t(cols)});
}

template <class T>
static void row_norm_case(int rows, int cols, int offset) {
  using namespace test;
  const Case here(std::string("row norms ") + dtype_name<T>() + " " + std::to_string(rows) + "x" + std::to_string(cols));
  if (!here.runs()) return;
  const auto x = normal<T>(size_t(rows) * cols);
  const auto vx = doubles(x);
  std::vector<double> expected(rows);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) expected[r] += vx[size_t(r) * cols + c] * vx[size_t(r) * cols + c];
    expected[r] = std::sqrt(expected[r]);
  }
  const Operand<T> ox(x, offset);
  const Operand<float> oy(unwritten<float>(rows));
  const RowLaunch l(rows, cols, lanes_of<T>());
  const ift::RowNormArgs a{oy, ox, rows, cols, 0};
  IFT_LAUNCH_DTYPE(T, ift_row_norms, a, l.grid, l.block, 0);
  expect_close("norms", oy.host(), expected, 2e-6, {1});
}

template <class T>
static void squared_norm_case(int64_t n, int offset, bool accumulate) {
  using namespace test;
  const Case here(std::string("squared norm ") + dtype_name<T>() + " " + std::to_string(n));
  if (!here.runs()) return;
  const auto x = normal<T>(n);
  double expected = accumulate ? 3 : 0;
  for (double v : doubles(x)) expected += v * v;
  const Operand<T> ox(x, offset);
  const int parts = int((n + ift::kSquaresPiece - 1) / ift::kSquaresPiece);
  const Operand<double> partial(std::vector<double>(parts, NAN));
  const Operand<float> y(std::vector<float>(1, 3.0f)), factor(unwritten<float>(1));
  const ift::SquaresArgs pieces{partial, ox, n};
  IFT_LAUNCH_DTYPE(T, ift_squares, pieces, dim3(parts), dim3(256), 0);
  const ift::SquaredNormArgs whole{y, partial, parts, accumulate};
  IFT_LAUNCH(ift_squared_norm, whole, dim3(1), dim3(256), 0);
  const ift::ClipFactorArgs clip{factor, y, 0.75};
  IFT_LAUNCH(ift_clip_factor, clip, dim3(1), dim3(1), 0);
  expect_close("sum", y.host(), {expected}, 1e-6);
  expect_close("clip factor", factor.host(), {std::min(1.0, 0.75 / (std::sqrt(expected) + 1e-6))}, 1e-6);
}

static void clip_case(float squared, double most, float expected) {
  using namespace test;
  const Case here("clip factor of " + std::to_string(squared) + " at most " + std::to_string(most));
  if (!here.runs()) return;
  const Operand<float> y(std::vector<float>(1, squared)), factor(unwritten<float>(1));
  const ift::ClipFactorArgs clip{factor, y, most};
  IFT_LAUNCH(ift_clip_factor, clip, dim3(1), dim3(1), 0);
  const float found = factor.host()[0];
  check();
  if (!(found == expected || (std::isnan(found) && std::isnan(expected)))) fail("factor", std::to_string(found));
}

template <class T>
static void cases() {
  for (const bool layer : {false, true}) {
    norm_case<T>(3, 64, 0, layer, false);
    norm_case<T>(5, 65, 1, layer, true);
    norm_case<T>(2, 1032, 0, layer, true);
    norm_case<T>(2, 1032, 3, layer, false);
    if (test::small) continue;
    norm_case<T>(1, 1, 0, layer, false);
    norm_case<T>(7, 576, 0, layer, false);
    norm_case<T>(70, 16, 0, layer, true);
    norm_case<T>(4, 4096, 0, layer, false);
    norm_case<T>(2, 12288, 0, layer, true);
    norm_case<T>(1, 20000, 0, layer, false);
    norm_case<T>(3, 4097, 0, layer, false);
  }
  row_norm_case<T>(3, 65, 0);
  row_norm_case<T>(2, 2048, 0);
  row_norm_case<T>(9, 1, 1);
  squared_norm_case<T>(5, 1, false);
  squared_norm_case<T>(20001, 0, true);
  if (!test::small) squared_norm_case<T>(100000, 3, false);
}

static void tests() {
  cases<float>();
  cases<bf16>();
  cases<f16>();
  clip_case(NAN, 1, NAN);
  clip_case(INFINITY, 1, NAN);
  clip_case(4, INFINITY, 1);
  clip_case(0, 0.5, 1);
  if (!test::big) return;
  for (const bool layer : {false, true}) norm_case<bf16>(2048, 4096, 0, layer, false);
  row_norm_case<bf16>(4096, 4096, 0);
  squared_norm_case<float>(1 << 23, 0, false);
}

IFT_TEST_MAIN(tests)
