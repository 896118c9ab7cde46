// planted bug: IFT_PLANT_NO_BARRIER_IN_SCATTER, race
#include "operands.h"

#include "../copy.cu"
#include "../rows.cu"

template <class T>
static void copy_case(int64_t y_offset, int64_t y_stride, int64_t x_offset, int64_t x_stride, int64_t rows, int64_t cols,
                      bool add) {
  using namespace test;
  const Case here(std::string(add ? "add " : "copy ") + dtype_name<T>() + " " + std::to_string(rows) + "x" +
                  std::to_string(cols) + " every " + std::to_string(x_stride) + " to every " + std::to_string(y_stride));
  if (!here.runs()) return;
  const size_t ny = y_offset + (rows - 1) * y_stride + cols, nx = x_offset + (rows - 1) * x_stride + cols;
  const auto x = normal<T>(nx), y = normal<T>(ny);
  auto expected = doubles(y);
  const auto vx = doubles(x);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      double& to = expected[y_offset + r * y_stride + c];
      to = vx[x_offset + r * x_stride + c] + (add ? double(host_float(host_round<T>(to))) : 0);
    }
  }
  const Operand<T> ox(x), oy(y);
  const bool in_order = y_stride < cols;
  TileLaunch l(rows, cols, lanes_of<T>());
  if (in_order) l.grid = dim3(1), l.block = dim3(256);
  const ift::CopyArgs a{static_cast<T*>(oy) + y_offset, static_cast<T*>(ox) + x_offset, y_stride, x_stride, rows, cols,
                        in_order,                       0};
  if (add) {
    IFT_LAUNCH_DTYPE(T, ift_add_2d, a, l.grid, l.block, 0);
  } else if (sizeof(T) == 4) {
    IFT_LAUNCH(ift_copy_2d_32, a, l.grid, l.block, 0);
  } else {
    IFT_LAUNCH(ift_copy_2d_16, a, l.grid, l.block, 0);
  }
  expect_close("y", oy.host(), expected, add ? rounding<T>() : 0);
}

template <class T>
static void gather_case(int table_rows, int cols, const std::vector<int32_t>& ids, int offset) {
  using namespace test;
  const Case here(std::string("gather ") + dtype_name<T>() + " " + std::to_string(ids.size()) + "x" +
                  std::to_string(cols) + " of " + std::to_string(table_rows) + ", " + std::to_string(ids.front()) +
                  " to " + std::to_string(ids.back()));
  if (!here.runs()) return;
  const auto table = normal<T>(size_t(table_rows) * cols);
  const int64_t rows = int64_t(ids.size());
  std::vector<double> expected(rows * cols, 7.0);
  const auto values = doubles(table);
  int64_t bad = -1;
  for (int64_t r = 0; r < rows; ++r) {
    if (ids[r] < 0 || ids[r] >= table_rows) {
      bad = r;
      continue;
    }
    for (int c = 0; c < cols; ++c) expected[r * cols + c] = values[size_t(ids[r]) * cols + c];
  }
  const Operand<T> ot(table, offset), oy(std::vector<T>(rows * cols, host_round<T>(7)), offset);
  const Operand<int32_t> oids(ids);
  const Operand<ErrorFlag> error(std::vector<ErrorFlag>(1));
  const TileLaunch l(rows, cols, lanes_of<T>());
  const ift::GatherArgs a{oy, ot, oids, reinterpret_cast<uint64_t>(error.data()), rows, table_rows, cols, 0};
  if (sizeof(T) == 4) IFT_LAUNCH(ift_gather_rows_32, a, l.grid, l.block, 0);
  if (sizeof(T) == 2) IFT_LAUNCH(ift_gather_rows_16, a, l.grid, l.block, 0);
  expect_close("y", oy.host(), expected, 0, {size_t(cols)});
  const ErrorFlag found = error.host()[0];
  if (bad < 0 ? found.code != 0 : found.code != INDEX_GATHER_IDS || found.index != bad || found.value != ids[bad]) {
    fail("error", "index " + std::to_string(found.index) + " with code " + std::to_string(found.code));
  }
}

template <class T, class Table>
static void scatter_case(int table_rows, int cols, const std::vector<int32_t>& ids, bool accumulate) {
  using namespace test;
  const Case here(std::string("scatter ") + dtype_name<T>() + " into " + dtype_name<Table>() + " " +
                  std::to_string(ids.size()) + "x" + std::to_string(cols) + (accumulate ? " added" : ""));
  if (!here.runs()) return;
  const int64_t rows = int64_t(ids.size());
  const auto table = normal<Table>(size_t(table_rows) * cols);
  const auto x = normal<T>(rows * cols);
  auto expected = doubles(table);
  const auto vx = doubles(x);
  for (int64_t r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      double& to = expected[size_t(ids[r]) * cols + c];
      to = vx[r * cols + c] + (accumulate ? to : 0);
    }
  }
  const Operand<Table> ot(table);
  const Operand<T> ox(x);
  const Operand<int32_t> oids(ids);
  const Operand<ErrorFlag> error(std::vector<ErrorFlag>(1));
  const int strip = 256 * lanes_of<T>();
  const dim3 grid(unsigned(rows), unsigned((cols + strip - 1) / strip));
  const uint64_t flag = reinterpret_cast<uint64_t>(error.data());
  const ift::ScatterArgs a{ot, ox, oids, flag, rows, table_rows, cols, accumulate};
  if constexpr (std::is_same<T, float>::value) IFT_LAUNCH_DTYPE(Table, ift_scatter_rows_f32, a, grid, dim3(256), 0);
  if constexpr (std::is_same<T, bf16>::value) IFT_LAUNCH_DTYPE(Table, ift_scatter_rows_bf16, a, grid, dim3(256), 0);
  if constexpr (std::is_same<T, f16>::value) IFT_LAUNCH_DTYPE(Table, ift_scatter_rows_f16, a, grid, dim3(256), 0);
  expect_close("table", ot.host(), expected, rounding<Table>(), {size_t(cols)});
  expect("error", error.host()[0].code == 0, "an index was reported");
}

template <class T>
static void cases() {
  for (const bool add : {false, true}) {
    copy_case<T>(0, 1, 0, 1, 1, 1, add);
    copy_case<T>(3, 65, 7, 80, 9, 63, add);
    copy_case<T>(0, 64, 0, 64, 5, 64, add);
    copy_case<T>(1, 10, 2, 0, 4, 5, add);
    copy_case<T>(8, 4001, 16, 4001, 1, 4001, add);
    copy_case<T>(0, 2, 0, 5, 6, 5, add);
  }
  gather_case<T>(9, 65, {8, 0, 8, 3}, 0);
  gather_case<T>(5, 64, {4, 4, 0}, 1);
  gather_case<T>(4, 16, {1, -1, 3}, 0);
  gather_case<T>(4, 16, {1, 3, 4}, 0);
  std::vector<int32_t> repeated(test::small ? 300 : 700);
  for (size_t i = 0; i < repeated.size(); ++i) repeated[i] = int32_t(i * i % 7);
  scatter_case<T, float>(7, 63, {4, 0, 6}, false);
  scatter_case<T, T>(7, 64, {4, 0, 6}, true);
  scatter_case<T, float>(7, 5, repeated, true);
  scatter_case<T, bf16>(7, 5, {5, 5, 1, 5}, true);
  scatter_case<T, f16>(7, 5, {5, 5, 1, 5}, true);
  if (!test::small) scatter_case<T, T>(3, 2100, {2, 2, 0}, true);
}

static void tests() {
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (!test::big) return;
  copy_case<bf16>(0, 4096, 0, 12288, 1024, 4096, false);
  copy_case<bf16>(0, 4096, 0, 4096, 2048, 4096, true);
  std::vector<int32_t> tokens(2048);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = int32_t(i * 7919 % 1000);
  gather_case<bf16>(1000, 4096, tokens, 0);
  scatter_case<bf16, float>(1000, 4096, tokens, true);
}

IFT_TEST_MAIN(tests)
