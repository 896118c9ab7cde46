// Elements of f32, bf16 and f16 on the host, the same for both builds, and seeded data.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "../element.h"

namespace test {

/// Seeded anew for every case, so that a case run alone has the data it has among the others.
inline std::mt19937 random_source(1);

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

}  // namespace test
