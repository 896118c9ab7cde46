// Elements of f32, bf16 and f16 as floats, 16-byte vectors of them, and sums over warps and blocks.
#pragma once
#include "ift_cuda.h"

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float to_float(f16 x) { return __half2float(x); }

/// Rounds to nearest even.
template <class T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
__device__ __forceinline__ f16 from_float<f16>(float x) {
  return __float2half_rn(x);
}

/// Two 16-bit elements in a register, the first in the low half.
template <class T>
__device__ __forceinline__ uint32_t pack2(float low, float high) {
  static_assert(sizeof(T) == 2, "a 16-bit element");
  union {
    T element[2];
    uint32_t word;
  } pair = {{from_float<T>(low), from_float<T>(high)}};
  return pair.word;
}
template <class T>
__device__ __forceinline__ void unpack2(uint32_t word, float& low, float& high) {
  static_assert(sizeof(T) == 2, "a 16-bit element");
  union Pair {
    uint32_t word;
    T element[2];
    __device__ Pair(uint32_t word) : word(word) {}
  } pair(word);
  low = to_float(pair.element[0]);
  high = to_float(pair.element[1]);
}

/// Elements in 16 bytes.
template <class T>
constexpr int VECTOR = 16 / sizeof(T);

/// Loads 16 bytes, which must be aligned.
__device__ __forceinline__ void load16(float (&v)[4], const float* from) {
  const float4 u = *reinterpret_cast<const float4*>(from);
  v[0] = u.x, v[1] = u.y, v[2] = u.z, v[3] = u.w;
}
template <class T>
__device__ __forceinline__ void load16(float (&v)[8], const T* from) {
  const uint4 u = *reinterpret_cast<const uint4*>(from);
  unpack2<T>(u.x, v[0], v[1]);
  unpack2<T>(u.y, v[2], v[3]);
  unpack2<T>(u.z, v[4], v[5]);
  unpack2<T>(u.w, v[6], v[7]);
}
/// Stores 16 bytes, which must be aligned.
__device__ __forceinline__ void store16(float* to, const float (&v)[4]) {
  *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
}
template <class T>
__device__ __forceinline__ void store16(T* to, const float (&v)[8]) {
  *reinterpret_cast<uint4*>(to) =
      make_uint4(pack2<T>(v[0], v[1]), pack2<T>(v[2], v[3]), pack2<T>(v[4], v[5]), pack2<T>(v[6], v[7]));
}

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) v += __shfl_xor_sync(FULL_WARP, v, lanes);
  return v;
}
__device__ __forceinline__ float warp_max(float v) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) v = fmaxf(v, __shfl_xor_sync(FULL_WARP, v, lanes));
  return v;
}

/// Sum over a block of whole warps, at most 1024 threads, for every thread; `partial` is 32 floats of shared memory,
/// free again when this returns.
__device__ __forceinline__ float block_sum(float v, float* partial) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  v = warp_sum(v);
  if (lane == 0) partial[warp] = v;
#ifndef IFT_PLANT_NO_BARRIER_IN_SUM
  __syncthreads();
#endif
  v = warp_sum(lane < warps ? partial[lane] : 0.0f);
  __syncthreads();
  return v;
}
/// As block_sum, the maximum.
__device__ __forceinline__ float block_max(float v, float* partial) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  v = warp_max(v);
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  v = warp_max(lane < warps ? partial[lane] : -INFINITY);
  __syncthreads();
  return v;
}
