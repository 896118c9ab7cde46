// What a kernel test needs, the same for the emulator and for a GPU: buffers, launches, seeded data, comparison with
// float64, and `main`. A test file includes the kernel file it tests, defines `static void tests()` and ends with
// IFT_TEST_MAIN. Lines `// planted bug: NAME` (`, race` when ThreadSanitizer must see it) name macros that break the
// kernels; the test must fail with each.
//
// Compiled with IFT_FEW_SHAPES (sanitizers), or run with `small`: few and small cases. Other arguments: `schedule=N` and `threads=N` for the emulator.
#pragma once
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../element.h"

namespace test {

/// Few and small cases; the only ones where IFT_FEW_SHAPES leaves kernels out.
#ifdef IFT_FEW_SHAPES
inline bool small = true;
#else
inline bool small = false;
#endif
inline unsigned schedule = 0;
inline int failures = 0;
inline int checks = 0;
inline std::mt19937 random_source(1);

inline void fail(const std::string& what) {
  ++failures;
  printf("FAIL %s\n", what.c_str());
}

#if defined(__CUDACC__)
inline void expect_cuda(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(status));
  exit(2);
}
#endif

/// Values on the device. In the emulator exactly as many bytes as elements, so that overruns are seen.
template <class T>
class Device {
 public:
  explicit Device(const std::vector<T>& values) : count(values.size()) {
    const size_t bytes = count * sizeof(T);
#if defined(__CUDACC__)
    expect_cuda(cudaMalloc(&data, bytes + 16), "cudaMalloc");
    expect_cuda(cudaMemcpy(data, values.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
#else
    if (posix_memalign(reinterpret_cast<void**>(&data), 64, bytes + (bytes == 0)) != 0) abort();
    if (bytes != 0) memcpy(data, values.data(), bytes);
#endif
  }
  Device(size_t count, T value) : Device(std::vector<T>(count, value)) {}
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() {
#if defined(__CUDACC__)
    cudaFree(data);
#else
    free(data);
#endif
  }
  uint64_t address() const { return reinterpret_cast<uint64_t>(data); }
  std::vector<T> host() const {
    std::vector<T> values(count);
#if defined(__CUDACC__)
    expect_cuda(cudaMemcpy(values.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
#else
    if (count != 0) memcpy(values.data(), data, count * sizeof(T));
#endif
    return values;
  }

 private:
  size_t count;
  T* data = nullptr;
};

#if defined(__CUDACC__)
template <class Args>
void launch(void (*kernel)(const Args), const char* name, const Args& args, dim3 grid, dim3 block, size_t shared) {
  if (shared > 48 << 10) {
    expect_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)), name);
  }
  kernel<<<grid, block, shared>>>(args);
  expect_cuda(cudaGetLastError(), name);
  expect_cuda(cudaDeviceSynchronize(), name);
}
  #define IFT_LAUNCH(kernel, args, grid, block, shared) test::launch(kernel, #kernel, args, grid, block, shared)
#else
inline void launch(const char* name, const void* args, dim3 grid, dim3 block, size_t shared) {
  const std::string error = emu::run(name, args, {grid, block, shared, schedule});
  if (!error.empty()) fail(error);
}
  #define IFT_LAUNCH(kernel, args, grid, block, shared) test::launch(#kernel, &(args), grid, block, shared)
#endif

// Conversions on the host, the same for both builds.
inline float host_float(float x) { return x; }
template <class T>
float host_float(T x) {
  uint16_t bits;
  memcpy(&bits, &x, 2);
  float f;
  if (std::is_same<T, bf16>::value) {
    const uint32_t wide = uint32_t{bits} << 16;
    memcpy(&f, &wide, 4);
    return f;
  }
  const uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * std::ldexp(float(fraction), -24);
  const uint32_t wide = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
  memcpy(&f, &wide, 4);
  return f;
}
template <class T>
T host_round(double x) {
  const float f = float(x);
  if constexpr (sizeof(T) == 4) {
    return f;
  } else {
    T out;
    uint16_t bits;
    if (std::is_same<T, bf16>::value) {
      uint32_t wide;
      memcpy(&wide, &f, 4);
      bits = f != f ? 0x7FFF : uint16_t((wide + 0x7FFF + (wide >> 16 & 1)) >> 16);
    } else {
      const float magnitude = std::fabs(f);
      uint32_t whole = f != f ? 0x7FFF : 0x7C00;
      if (std::isfinite(f)) {
        const int exponent = magnitude == 0 ? -14 : std::max(std::ilogb(magnitude), -14);
        // Ties to even by the default rounding mode.
        const float scaled = std::nearbyint(std::ldexp(magnitude, 10 - exponent));
        whole = exponent > 15 ? 0x7C00 : std::min(0x7C00u, uint32_t(scaled) + (uint32_t(exponent + 14) << 10));
      }
      bits = uint16_t(whole | (std::signbit(f) ? 0x8000 : 0));
    }
    memcpy(&out, &bits, 2);
    return out;
  }
}

template <class T>
constexpr const char* dtype_name() {
  return std::is_same<T, float>::value ? "f32" : std::is_same<T, bf16>::value ? "bf16" : "f16";
}

/// Normal values, representable in T.
template <class T>
std::vector<T> normal(size_t count, double scale = 1) {
  std::normal_distribution<double> draw(0, scale);
  std::vector<T> values(count);
  for (T& v : values) v = host_round<T>(draw(random_source));
  return values;
}

template <class T>
std::vector<double> doubles(const std::vector<T>& values) {
  std::vector<double> out(values.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = host_float(values[i]);
  return out;
}

/// A vector of not-a-number: outputs that a kernel leaves out show.
template <class T>
std::vector<T> unwritten(size_t count) {
  return std::vector<T>(count, host_round<T>(NAN));
}

/// Largest relative error of a kernel that rounds its output once.
template <class T>
constexpr double rounding() {
  return std::is_same<T, float>::value ? 2e-6 : std::is_same<T, bf16>::value ? 4e-3 : 5e-4;
}

/// Compares in the Euclidean norm and element by element against `limit` of the largest expected value. Infinities
/// must be equal.
template <class T>
void expect_close(const std::string& name, const std::vector<T>& actual, const std::vector<double>& expected,
                  double limit) {
  ++checks;
  if (actual.size() != expected.size()) return fail(name + ": sizes differ");
  double error = 0, norm = 0, largest = 0, worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double a = host_float(actual[i]), e = expected[i];
    if (std::isinf(e) && a == e) continue;
    if (!std::isfinite(a)) return fail(name + ": element " + std::to_string(i) + " is " + std::to_string(a) +
                                       ", expected " + std::to_string(e));
    error += (a - e) * (a - e);
    norm += e * e;
    largest = std::max(largest, std::fabs(e));
    worst = std::max(worst, std::fabs(a - e));
  }
  const double relative = std::sqrt(error / (norm + 1e-300));
  // Expected zeros that are sums of cancelling terms come out as roundings of those.
  if ((largest < 1e-12 && worst < 1e-6) || (relative <= limit && worst <= 8 * limit * largest)) return;
  char text[160];
  snprintf(text, sizeof text, ": relative error %.2e, worst %.2e of %.2e, limit %.0e", relative, worst, largest, limit);
  fail(name + text);
}

inline int run(int argc, char** argv, void (*tests)()) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "small") == 0) small = true;
    if (strncmp(argv[i], "schedule=", 9) == 0) schedule = unsigned(atoi(argv[i] + 9));
#if !defined(__CUDACC__)
    if (strncmp(argv[i], "threads=", 8) == 0) emu::os_threads = atoi(argv[i] + 8);
#endif
  }
  const auto start = std::chrono::steady_clock::now();
  tests();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  printf("%d checks, %d failures, %.2f s\n", checks, failures, seconds);
  return failures == 0 ? 0 : 1;
}

}  // namespace test

#define IFT_TEST_MAIN(tests) \
  int main(int argc, char** argv) { return test::run(argc, argv, tests); }
