// The spellings and value types of CUDA that kernels use. bf16 and f16 have no implicit conversions: kernels say what
// they mean through element.h.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// One block runs at a time on an OS thread.
#define __shared__ static thread_local
#ifndef __restrict__
  #define __restrict__ __restrict
#endif

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(16) [[gnu::may_alias]] uint4 {
  uint32_t x, y, z, w;
};
struct alignas(8) [[gnu::may_alias]] uint2 {
  uint32_t x, y;
};
struct alignas(16) int4 {
  int32_t x, y, z, w;
};
struct alignas(8) int2 {
  int32_t x, y;
};
struct alignas(16) [[gnu::may_alias]] float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }

struct __nv_bfloat16 {
  uint16_t bits;
};
struct __half {
  uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 h) {
  uint32_t u = static_cast<uint32_t>(h.bits) << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
inline __nv_bfloat16 __float2bfloat16_rn(float f) {
  if (f != f) return {0x7FFF};
  uint32_t u;
  memcpy(&u, &f, 4);
  return {static_cast<uint16_t>((u + 0x7FFF + ((u >> 16) & 1)) >> 16)};
}
inline float __half2float(__half h) {
  _Float16 value;
  memcpy(&value, &h.bits, 2);
  return static_cast<float>(value);
}
inline __half __float2half_rn(float f) {
  if (f != f) return {0x7FFF};
  _Float16 value = static_cast<_Float16>(f);
  __half h;
  memcpy(&h.bits, &value, 2);
  return h;
}
