// planted bug: IFT_PLANT_NO_BARRIER_IN_PRODUCT, race
#include <algorithm>

#include "operands.h"

#include "../quantize.cu"
#include "../quantized_product.cu"

struct Quantized {
  std::vector<uint8_t> codes, scales;
  std::vector<float> row_scales, groups;
  // What the codes stand for, in f32.
  std::vector<float> values;
};

struct LevelArgs {
  /// f32 [16], f32 [256]
  uint64_t nf4, dynamic;
};
__device__ __forceinline__ void read_levels(const LevelArgs& a) {
  const int i = threadIdx.x;
  if (i < 16) reinterpret_cast<float*>(a.nf4)[i] = ift::kNf4Levels[i];
  reinterpret_cast<float*>(a.dynamic)[i] = ift::kDynamicLevels[i];
}
IFT_KERNEL(test_read_levels, LevelArgs, read_levels, 256)

struct Levels {
  std::vector<float> nf4, dynamic;
};

// The tables of the device, which the host of a GPU does not see.
static const Levels& levels() {
  static const Levels read = [] {
    const test::Device<float> nf4(16, NAN), dynamic(256, NAN);
    const LevelArgs a{nf4.address(), dynamic.address()};
    IFT_LAUNCH(test_read_levels, a, 1, 256, 0);
    return Levels{nf4.host(), dynamic.host()};
  }();
  return read;
}

// The level whose distance is smallest; of two equally near ones, by the midpoint rounded to f32, the lower.
static int nearest_level(const std::vector<float>& levels, float t) {
  int code = 0;
  for (size_t i = 0; i + 1 < levels.size(); ++i) {
    const float sum = levels[i] + levels[i + 1];
    code += t > sum / 2;
  }
  return code;
}

static Quantized nf4_of(const std::vector<float>& x) {
  Quantized q;
  const size_t n = x.size(), blocks = (n + 63) / 64;
  std::vector<float> largest(blocks, 0.0f);
  for (size_t i = 0; i < n; ++i) largest[i / 64] = std::max(largest[i / 64], std::fabs(x[i]));
  q.codes.assign((n + 1) / 2, 0);
  double sum = 0;
  for (float a : largest) sum += a;
  const float mean = float(sum / double(blocks));
  q.groups.assign(1 + (blocks + 255) / 256, 0.0f);
  q.groups[0] = mean;
  std::vector<float> rest(blocks);
  for (size_t b = 0; b < blocks; ++b) {
    rest[b] = largest[b] - mean;
    float& most = q.groups[1 + b / 256];
    most = std::max(most, std::fabs(rest[b]));
  }
  for (size_t b = 0; b < blocks; ++b) {
    const float most = q.groups[1 + b / 256];
    q.scales.push_back(uint8_t(nearest_level(levels().dynamic, most == 0 ? 0 : rest[b] / most)));
  }
  for (size_t i = 0; i < n; ++i) {
    const float a = largest[i / 64];
    const int code = nearest_level(levels().nf4, a == 0 ? 0 : x[i] / a);
    q.codes[i / 2] |= uint8_t(i % 2 == 0 ? code << 4 : code);
    const float product = levels().dynamic[q.scales[i / 64]] * q.groups[1 + i / 64 / 256];
    const float scale = product + mean;
    q.values.push_back(levels().nf4[code] * scale);
  }
  return q;
}

static Quantized int8_of(const std::vector<float>& x, size_t cols) {
  Quantized q;
  q.row_scales.assign(x.size() / cols, 0.0f);
  for (size_t i = 0; i < x.size(); ++i) q.row_scales[i / cols] = std::max(q.row_scales[i / cols], std::fabs(x[i]));
  for (size_t i = 0; i < x.size(); ++i) {
    const float scale = q.row_scales[i / cols];
    const float factor = 127.0f / scale, product = x[i] * factor;
    const int code = scale == 0 ? 0 : int(std::nearbyint(product));
    q.codes.push_back(uint8_t(int8_t(code)));
    const float scaled = float(code) * scale;
    q.values.push_back(scaled * (1.0f / 127.0f));
  }
  return q;
}

template <class T>
static void launch_product(bool nf4, int m, const ift::QuantizedProductArgs& a, dim3 grid, dim3 block) {
#define IFT_LAUNCH_PRODUCT(top)                                                                     \
  if (m == top && nf4) IFT_LAUNCH_DTYPE(T, ift_nf4_product_##top, a, grid, block, 0);               \
  if (m == top && !nf4) IFT_LAUNCH_DTYPE(T, ift_int8_product_##top, a, grid, block, 0)
  IFT_LAUNCH_PRODUCT(1);
  IFT_LAUNCH_PRODUCT(2);
  IFT_LAUNCH_PRODUCT(4);
  IFT_LAUNCH_PRODUCT(8);
  IFT_LAUNCH_PRODUCT(16);
}

template <class T>
static void quantized_case(bool nf4, int rows, int cols, int offset) {
  using namespace test;
  const Case here(std::string(nf4 ? "nf4 " : "int8 ") + dtype_name<T>() + " " + std::to_string(rows) + "x" +
                  std::to_string(cols) + " at " + std::to_string(offset));
  if (!here.runs()) return;
  const size_t n = size_t(rows) * cols;
  auto x = normal<T>(n);
  for (size_t i = 0; i < n; ++i) {
    const size_t block = i / 64;
    x[i] = host_round<T>(block % 9 == 4 ? 0 : host_float(x[i]) * std::pow(10.0, double(block % 5) - 3));
  }
  std::vector<float> values;
  for (const T v : x) values.push_back(host_float(v));
  const Quantized q = nf4 ? nf4_of(values) : int8_of(values, cols);
  const int64_t blocks = int64_t(n + 63) / 64, parts = (blocks + ift::kMeanPiece - 1) / ift::kMeanPiece;
  // Quantise.
  const Operand<T> ox(x, offset);
  const Operand<uint8_t> codes(std::vector<uint8_t>(q.codes.size(), 3), offset);
  const Operand<uint8_t> scales(std::vector<uint8_t>(q.scales.size(), 3));
  const Operand<float> row_scales(unwritten<float>(q.row_scales.size())), groups(unwritten<float>(q.groups.size()));
  const Operand<float> largest(unwritten<float>(blocks));
  const Operand<double> partial(std::vector<double>(parts, NAN));
  ift::QuantizedArgs w{codes, nf4 ? scales.data() : row_scales.data(), nullptr, rows, cols};
  if (nf4) w.groups = groups;
  const ift::QuantizeArgs quantize{w, ox, largest};
  if (nf4) {
    IFT_LAUNCH_DTYPE(T, ift_quantize_nf4, quantize, blocks_of(int64_t(n), ift::kChunk), dim3(256), 0);
    const ift::QuantizeScalesArgs s{w, largest, partial, blocks, parts};
    IFT_LAUNCH(ift_sum_largest, s, dim3(unsigned(parts)), dim3(256), 0);
    IFT_LAUNCH(ift_mean_largest, s, dim3(1), dim3(256), 0);
    IFT_LAUNCH(ift_quantize_scales, s, dim3(unsigned((blocks + 255) / 256)), dim3(256), 0);
    expect_same("scales", scales.host(), q.scales);
    expect_same("groups", groups.host(), q.groups);
  } else {
    IFT_LAUNCH_DTYPE(T, ift_quantize_int8, quantize, dim3(rows), dim3(256), 0);
    expect_same("scales", row_scales.host(), q.row_scales);
  }
  expect_same("codes", codes.host(), q.codes);
  // Dequantise.
  const Operand<T> oy(unwritten<T>(n), offset);
  const ift::DequantizeArgs dequantize{w, oy};
  std::vector<T> expected;
  for (const float v : q.values) expected.push_back(host_round<T>(v));
  if (nf4) {
    IFT_LAUNCH_DTYPE(T, ift_dequantize_nf4, dequantize, blocks_of(int64_t(n), 4 * ift::kChunk), dim3(256), 0);
  } else {
    const TileLaunch l(rows, cols, ift::kChunk);
    IFT_LAUNCH_DTYPE(T, ift_dequantize_int8, dequantize, l.grid, l.block, 0);
  }
  expect_same("values", oy.host(), expected, {size_t(cols)});
  // Multiply.
  for (const int m : {1, 2, 3, 8, 13}) {
    const auto input = normal<T>(size_t(m) * cols), bias = normal<T>(rows);
    const bool added = m % 2 == 0;
    const auto before = normal<float>(size_t(m) * rows);
    const int top = m <= 1 ? 1 : m <= 2 ? 2 : m <= 4 ? 4 : m <= 8 ? 8 : 16;
    const int rows_of_block = ift::kProductWarps * (top <= 2 ? 2 : 1);
    std::vector<double> product(size_t(m) * rows);
    for (int i = 0; i < m; ++i) {
      for (int r = 0; r < rows; ++r) {
        double sum = added ? double(host_float(bias[r])) + double(before[i * rows + r]) : 0;
        for (int c = 0; c < cols; ++c) {
          sum += double(host_float(input[size_t(i) * cols + c])) * double(q.values[size_t(r) * cols + c]);
        }
        product[size_t(i) * rows + r] = sum;
      }
    }
    const Operand<T> oi(input, offset), ob(bias);
    const Operand<float> out(added ? before : unwritten<float>(size_t(m) * rows));
    const Operand<T> narrow(unwritten<T>(size_t(m) * rows));
    ift::QuantizedProductArgs p{};
    p.w = w, p.y = out, p.x = oi, p.m = m, p.accumulate = added;
    if (added) p.bias = ob;
    const dim3 grid(unsigned((rows + rows_of_block - 1) / rows_of_block)), block(32, ift::kProductWarps);
    launch_product<T>(nf4, top, p, grid, block);
    // Sums of one or a few products of both signs.
    const double limit = cols < 8 ? 2e-5 : 5e-6;
    expect_close("product of " + std::to_string(m), out.host(), product, limit, {size_t(rows)});
    if (added) continue;
    p.y = narrow;
    p.out_dtype = std::is_same<T, float>::value ? 0 : std::is_same<T, bf16>::value ? 1 : 2;
    launch_product<T>(nf4, top, p, grid, block);
    expect_close("narrow product of " + std::to_string(m), narrow.host(), product, rounding<T>() + limit,
                 {size_t(rows)});
  }
}

template <class T>
static void cases() {
  for (const bool nf4 : {true, false}) {
    quantized_case<T>(nf4, 3, 7, 0);
    quantized_case<T>(nf4, 5, 65, 1);
    quantized_case<T>(nf4, 17, 264, 0);
    if (test::small) continue;
    quantized_case<T>(nf4, 1, 1, 0);
    quantized_case<T>(nf4, 33, 64, 0);
    quantized_case<T>(nf4, 70, 256, 4);
    quantized_case<T>(nf4, 9, 4352, 0);
    quantized_case<T>(nf4, 130, 192, 1);
  }
  // Several pieces of the mean, and a last block that is not whole.
  if (!test::small) quantized_case<T>(true, 65, 4099, 0);
}

static void tests() {
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (!test::big) return;
  for (const bool nf4 : {true, false}) quantized_case<bf16>(nf4, 4096, 1024, 0);
}

IFT_TEST_MAIN(tests)
