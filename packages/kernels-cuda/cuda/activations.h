// Activations and their derivatives, in f32.
#pragma once
#include "ift_cuda.h"

namespace ift {

__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + expf(-x)); }

// The distribution function of the standard normal distribution.
__device__ __forceinline__ float normal_cdf(float x) { return 0.5f * erfcf(-0.70710678118654752f * x); }

struct GeluTanh {
  // sqrt(2 / π).
  static constexpr float kScale = 0.7978845608028654f;
  static constexpr float kCube = 0.044715f;
  // 0.5 (1 + tanh u) = sigmoid(2u), which keeps the digits of its lower tail.
  __device__ __forceinline__ static float value(float x) {
    const float u = kScale * fmaf(kCube * x * x, x, x);
    return x * sigmoid(u + u);
  }
  __device__ __forceinline__ static float slope(float x) {
    const float u = kScale * fmaf(kCube * x * x, x, x);
    const float du = kScale * fmaf(3.0f * kCube * x, x, 1.0f);
    const float s = sigmoid(u + u);
    return s + x * 2.0f * s * (1.0f - s) * du;
  }
};

struct GeluErf {
  __device__ __forceinline__ static float value(float x) { return x * normal_cdf(x); }
  __device__ __forceinline__ static float slope(float x) {
    // 1 / sqrt(2π).
    constexpr float density = 0.3989422804014327f;
    return normal_cdf(x) + x * density * expf(-0.5f * x * x);
  }
};

struct Silu {
  __device__ __forceinline__ static float value(float x) { return x * sigmoid(x); }
  __device__ __forceinline__ static float slope(float x) {
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
};

struct Relu {
  // A NaN stays one.
  __device__ __forceinline__ static float value(float x) { return x < 0.0f ? 0.0f : x; }
  __device__ __forceinline__ static float slope(float x) { return x > 0.0f ? 1.0f : 0.0f; }
};

struct Tanh {
  __device__ __forceinline__ static float value(float x) { return tanhf(x); }
  __device__ __forceinline__ static float slope(float x) {
    const float y = tanhf(x);
    return 1.0f - y * y;
  }
};

struct Sigmoid {
  __device__ __forceinline__ static float value(float x) { return sigmoid(x); }
  __device__ __forceinline__ static float slope(float x) {
    const float s = sigmoid(x);
    return s * (1.0f - s);
  }
};

}  // namespace ift
