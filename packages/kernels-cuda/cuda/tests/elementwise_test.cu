// An output that is an input, ends that fill no pack, and starts that are not aligned, for every map.
#include <functional>

#include "operands.h"

#include "../elementwise.cu"
#include "../swiglu.cu"
#include "../unary.cu"

static double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
static double cdf_of(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

struct Activation {
  const char* name;
  double (*value)(double);
  double (*slope)(double);
};

static const double kPi = 3.14159265358979323846;
static double tanh_argument(double x) { return std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x); }

static const Activation kActivations[] = {
    {"gelu tanh", [](double x) { return 0.5 * x * (1 + std::tanh(tanh_argument(x))); },
     [](double x) {
       const double t = std::tanh(tanh_argument(x));
       return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * std::sqrt(2 / kPi) * (1 + 3 * 0.044715 * x * x);
     }},
    {"gelu erf", [](double x) { return x * cdf_of(x); },
     [](double x) { return cdf_of(x) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * kPi); }},
    {"silu", [](double x) { return x * sigmoid_of(x); },
     [](double x) { return sigmoid_of(x) * (1 + x * (1 - sigmoid_of(x))); }},
    {"relu", [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; }},
    {"tanh", [](double x) { return std::tanh(x); }, [](double x) { return 1 - std::tanh(x) * std::tanh(x); }},
    {"sigmoid", sigmoid_of, [](double x) { return sigmoid_of(x) * (1 - sigmoid_of(x)); }},
};

template <class T>
static void launch_unary(int kind, bool backward, const ift::MapArgs& a, dim3 grid) {
#define IFT_LAUNCH_UNARY(at, name)                                                                  \
  if (kind == at && !backward) IFT_LAUNCH_DTYPE(T, ift_##name, a, grid, dim3(256), 0);              \
  if (kind == at && backward) IFT_LAUNCH_DTYPE(T, ift_##name##_backward, a, grid, dim3(256), 0)
  IFT_LAUNCH_UNARY(0, gelu_tanh);
  IFT_LAUNCH_UNARY(1, gelu_erf);
  IFT_LAUNCH_UNARY(2, silu);
  IFT_LAUNCH_UNARY(3, relu);
  IFT_LAUNCH_UNARY(4, tanh);
  IFT_LAUNCH_UNARY(5, sigmoid);
}

template <class T>
static void map_cases(int64_t n, int offset) {
  using namespace test;
  const std::string at = std::string(dtype_name<T>()) + " " + std::to_string(n) + " at " + std::to_string(offset);
  const Case here("maps " + at);
  if (!here.runs()) return;
  const auto x = normal<T>(n, 3), z = normal<T>(n), dy = normal<T>(n);
  const auto vx = doubles(x), vz = doubles(z), vdy = doubles(dy);
  const dim3 grid = blocks_of(n, lanes_of<T>()), block(256);
  const auto expected = [&](const std::function<double(size_t)>& f) {
    std::vector<double> values(n);
    for (size_t i = 0; i < size_t(n); ++i) values[i] = f(i);
    return values;
  };
  for (int place = 0; place < 3; ++place) {
    const Operand<T> ox(x, offset), oz(z, offset), oy(unwritten<T>(n), offset);
    const Operand<T>& out = place == 0 ? oy : place == 1 ? ox : oz;
    const ift::AxpbyArgs a{out, ox, oz, n, 0.5f, -2.0f};
    IFT_LAUNCH_DTYPE(T, ift_axpby, a, grid, block, 0);
    expect_close("axpby", out.host(), expected([&](size_t i) { return 0.5 * vx[i] - 2 * vz[i]; }), rounding<T>());
  }
  {
    const Operand<T> ox(x, offset), oz(z, offset), oy(unwritten<T>(n), (offset + 1) % 3);
    const ift::MapArgs a{oy, ox, oz, n};
    IFT_LAUNCH_DTYPE(T, ift_mul, a, grid, block, 0);
    expect_close("mul", oy.host(), expected([&](size_t i) { return vx[i] * vz[i]; }), rounding<T>());
    IFT_LAUNCH_DTYPE(T, ift_swiglu, a, grid, block, 0);
    const auto swiglu = expected([&](size_t i) { return vx[i] * sigmoid_of(vx[i]) * vz[i]; });
    expect_close("swiglu", oy.host(), swiglu, rounding<T>());
  }
  for (const bool in_place : {false, true}) {
    const Operand<T> gate(x, offset), up(z, offset), ody(dy, offset);
    const Operand<T> dgate(unwritten<T>(n), offset), dup(unwritten<T>(n), offset);
    const ift::SwigluBackwardArgs a{in_place ? gate : dgate, in_place ? up : dup, ody, gate, up, n};
    IFT_LAUNCH_DTYPE(T, ift_swiglu_backward, a, grid, block, 0);
    const auto slope = kActivations[2].slope;
    expect_close("dgate", (in_place ? gate : dgate).host(),
                 expected([&](size_t i) { return vdy[i] * vz[i] * slope(vx[i]); }), rounding<T>());
    expect_close("dup", (in_place ? up : dup).host(),
                 expected([&](size_t i) { return vdy[i] * vx[i] * sigmoid_of(vx[i]); }), rounding<T>());
  }
  for (int kind = 0; kind < 6; ++kind) {
    const Activation& f = kActivations[kind];
    const Operand<T> ox(x, offset), ody(dy, offset), oy(unwritten<T>(n), offset);
    launch_unary<T>(kind, false, {oy, ox, nullptr, n}, grid);
    expect_close(f.name, oy.host(), expected([&](size_t i) { return f.value(vx[i]); }), rounding<T>());
    launch_unary<T>(kind, true, {ody, ox, ody, n}, grid);
    expect_close(std::string(f.name) + " backward", ody.host(), expected([&](size_t i) { return vdy[i] * f.slope(vx[i]); }),
                 rounding<T>());
  }
}

template <class To, class From>
static void cast_case(int64_t n, int offset) {
  using namespace test;
  const Case here(std::string("cast ") + dtype_name<From>() + " to " + dtype_name<To>() + " " + std::to_string(n) + " at " +
                  std::to_string(offset));
  if (!here.runs()) return;
  auto x = normal<From>(n, 100);
  if (n > 3) x[0] = host_round<From>(INFINITY), x[1] = host_round<From>(1e-7), x[2] = host_round<From>(-65503.9);
  std::vector<To> expected(n);
  for (int64_t i = 0; i < n; ++i) expected[i] = host_round<To>(host_float(x[i]));
  const Operand<From> ox(x, offset);
  const Operand<To> oy(unwritten<To>(n), offset);
  const ift::MapArgs a{oy, ox, nullptr, n};
  const dim3 grid = blocks_of(n, lanes_of<To, From>());
  if constexpr (std::is_same<From, float>::value) IFT_LAUNCH_DTYPE(To, ift_cast_f32_to, a, grid, dim3(256), 0);
  if constexpr (std::is_same<From, bf16>::value) IFT_LAUNCH_DTYPE(To, ift_cast_bf16_to, a, grid, dim3(256), 0);
  if constexpr (std::is_same<From, f16>::value) IFT_LAUNCH_DTYPE(To, ift_cast_f16_to, a, grid, dim3(256), 0);
  expect_same("y", oy.host(), expected);
}

template <class W>
static void fill_case(int64_t n, int offset, uint32_t pattern) {
  using namespace test;
  const Case here("fill " + std::to_string(n) + " of " + std::to_string(sizeof(W)) + " bytes at " + std::to_string(offset));
  if (!here.runs()) return;
  const Operand<W> y(std::vector<W>(n + 3, W(1)), offset);
  const ift::FillArgs a{y, n, pattern, 0};
  const dim3 grid = blocks_of(n, 16 / int(sizeof(W)));
  if constexpr (sizeof(W) == 1) IFT_LAUNCH(ift_fill_8, a, grid, dim3(256), 0);
  if constexpr (sizeof(W) == 2) IFT_LAUNCH(ift_fill_16, a, grid, dim3(256), 0);
  if constexpr (sizeof(W) == 4) IFT_LAUNCH(ift_fill_32, a, grid, dim3(256), 0);
  std::vector<W> expected(n + 3, W(1));
  std::fill_n(expected.begin(), n, W(pattern));
  expect_same("y", y.host(), expected);
}

template <class T>
static void cases() {
  for (const int64_t n : {7, 63, 1000}) {
    for (const int offset : {0, 1}) {
      map_cases<T>(n, offset);
      cast_case<float, T>(n, offset);
      cast_case<bf16, T>(n, offset);
      cast_case<f16, T>(n, offset);
    }
  }
  if (!test::small) map_cases<T>(4096, 0);
}

static void tests() {
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (test::big) map_cases<bf16>(1 << 21, 0);
  for (const int offset : {0, 1}) {
    for (const int64_t n : {1, 100, 5000}) {
      fill_case<uint8_t>(n, offset, 0xC8C8C8C8u);
      fill_case<uint16_t>(n, offset, 0xBFA0BFA0u);
      fill_case<uint32_t>(n, offset, 0xFFFFFFF9u);
    }
  }
}

IFT_TEST_MAIN(tests)
