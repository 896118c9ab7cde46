// Dropout and random numbers: functions of (seed, stream, element index), the same bits as on the CPU.
// Launch: 256 threads, ceil(n / (threads · kLanes<T>)) blocks.
#include "args/elementwise.h"
#include "philox.h"
#include "vector.h"

namespace ift {

// No operation in f64 is fused with another: the bits are those of the CPU.
__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }
__device__ __forceinline__ double times(double a, double b) { return __dmul_rn(a, b); }

// c0 + s · (c1 + s · (c2 + …)).
__device__ __forceinline__ double horner(double, double last) { return last; }
template <class... Rest>
__device__ __forceinline__ double horner(double s, double first, Rest... rest) {
  return plus(first, times(s, horner(s, rest...)));
}

// ln(v / 2^32) of a whole number 1 <= v <= 2^32; relative error of a few units of 1e-16.
__device__ __forceinline__ double ln_unit(double v) {
  uint64_t bits;
  memcpy(&bits, &v, 8);
  const uint64_t mantissa_bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
  double mantissa;
  memcpy(&mantissa, &mantissa_bits, 8);
  // To between sqrt(1/2) and sqrt(2), where the logarithm is small.
  const bool large = mantissa > 1.4142135623730951;
  const double m = large ? times(0.5, mantissa) : mantissa;
  const double e = static_cast<double>(static_cast<int>(bits >> 52) - (large ? 1022 : 1023) - 32);
  // ln m = 2 artanh f.
  const double f = plus(m, -1.0) / plus(m, 1.0), s = times(f, f);
  const double tail = times(s, horner(s, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0,
                                      1.0 / 15.0, 1.0 / 17.0, 1.0 / 19.0));
  return plus(times(e, 0.6931471805599453), plus(times(2.0, f), times(times(2.0, f), tail)));
}

// cos and sin of an angle from 0 to 2π; error of a few units of 1e-16.
__device__ __forceinline__ void cos_sin_turn(double angle, double& c, double& s) {
  // Adding and taking away 1.5 · 2^52 rounds to the nearest whole number.
  constexpr double round = 6755399441055744.0;
  const double shifted = plus(times(angle, 0.6366197723675814), round);
  const double n = plus(shifted, -round);
  const int quadrant = static_cast<int>(n);
  // π/2 in two parts, the first exact in a product with n.
  const double r = plus(plus(angle, -times(n, 1.5707963267341256)), -times(n, 6.077100506506192e-11));
  const double q = times(r, r);
  const double sin_tail = horner(q, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362880.0, -1.0 / 39916800.0,
                                 1.0 / 6227020800.0, -1.0 / 1307674368000.0, 1.0 / 355687428096000.0);
  const double cos_tail = horner(q, -0.5, 1.0 / 24.0, -1.0 / 720.0, 1.0 / 40320.0, -1.0 / 3628800.0, 1.0 / 479001600.0,
                                 -1.0 / 87178291200.0, 1.0 / 20922789888000.0);
  const double sin_r = plus(r, times(times(r, q), sin_tail)), cos_r = plus(1.0, times(q, cos_tail));
  const bool odd = (quadrant & 1) != 0;
  c = odd ? sin_r : cos_r;
  s = odd ? cos_r : sin_r;
  if (((quadrant + 1) & 2) != 0) c = -c;
  if ((quadrant & 2) != 0) s = -s;
}

// Two normal numbers of two words (Box & Muller 1958): radius sqrt(-2 ln((a + 1) / 2^32)), angle 2π b / 2^32.
__device__ __forceinline__ void box_muller(uint32_t a, uint32_t b, float& even, float& odd) {
  const double radius = sqrt(times(-2.0, ln_unit(static_cast<double>(a) + 1.0)));
  double c, s;
  cos_sin_turn(times(6.283185307179586, static_cast<double>(b) / 4294967296.0), c, s);
  even = static_cast<float>(times(radius, c));
  odd = static_cast<float>(times(radius, s));
}

// Factors of elements at .. at + N; `at` is a multiple of 4.
template <int N>
__device__ __forceinline__ void dropout_factors(float (&factors)[N], int64_t at, const RandomArgs& a) {
#pragma unroll
  for (int b = 0; b < N / 4; ++b) {
    uint32_t words[4];
    philox(words, static_cast<uint32_t>(at / 4) + b, a.stream, a.key);
#pragma unroll
    for (int k = 0; k < 4; ++k) factors[4 * b + k] = words[k] >= a.threshold ? a.scale : 0.0f;
  }
}

template <class T>
__device__ void dropout(const RandomArgs& a) {
  constexpr int N = kLanes<T>;
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (at >= a.n) return;
  const T* x = static_cast<const T*>(a.x) + at;
  T* y = static_cast<T*>(a.y) + at;
  float factors[N];
  dropout_factors(factors, at, a);
  // A dropped infinity is 0 too.
  if (at + N <= a.n && aligned<N>(x) && aligned<N>(y)) {
    float v[N];
    load_pack(v, x);
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = factors[i] == 0.0f ? 0.0f : v[i] * factors[i];
    store_pack(y, v);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if (at + i < a.n) y[i] = from_float<T>(factors[i] == 0.0f ? 0.0f : to_float(x[i]) * factors[i]);
    }
  }
}

template <class T>
__device__ void random(const RandomArgs& a) {
  constexpr int N = kLanes<T>;
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
  if (at >= a.n) return;
  T* y = static_cast<T*>(a.y) + at;
  float v[N];
#pragma unroll
  for (int b = 0; b < N / 4; ++b) {
    uint32_t words[4];
    philox(words, static_cast<uint32_t>(at / 4) + b, a.stream, a.key);
    if (a.normal != 0) {
      box_muller(words[0], words[1], v[4 * b], v[4 * b + 1]);
      box_muller(words[2], words[3], v[4 * b + 2], v[4 * b + 3]);
    } else {
      // Rounded once, as the division by 2^32 is exact.
#pragma unroll
      for (int k = 0; k < 4; ++k) v[4 * b + k] = static_cast<float>(words[k]) * (1.0f / 4294967296.0f);
    }
  }
  if (at + N <= a.n && aligned<N>(y)) {
    store_pack(y, v);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if (at + i < a.n) y[i] = from_float<T>(v[i]);
    }
  }
}

}  // namespace ift

IFT_KERNEL(ift_dropout_f32, ift::RandomArgs, ift::dropout<float>, 256)
IFT_KERNEL(ift_dropout_bf16, ift::RandomArgs, ift::dropout<bf16>, 256)
IFT_KERNEL(ift_dropout_f16, ift::RandomArgs, ift::dropout<f16>, 256)
IFT_KERNEL(ift_random_f32, ift::RandomArgs, ift::random<float>, 256)
IFT_KERNEL(ift_random_bf16, ift::RandomArgs, ift::random<bf16>, 256)
IFT_KERNEL(ift_random_f16, ift::RandomArgs, ift::random<f16>, 256)
