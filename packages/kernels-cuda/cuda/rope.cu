// Rotary position embedding (Su et al. 2021, arXiv:2104.09864). A block takes a row: its cosines and sines are computed
// once, in shared memory, for all heads.
#include "args/rope.h"
#include "element.h"

/// cos and sin of position · frequency, whose product may be many turns: turns are taken off in f64.
__device__ __forceinline__ void rotation(int position, float frequency, float& c, float& s) {
  const double half_turns = static_cast<double>(position) * static_cast<double>(frequency) * 0.31830988618379067154;
  const double rest = half_turns - 2.0 * rint(half_turns * 0.5);
  sincospif(static_cast<float>(rest), &s, &c);
}

template <class T>
__device__ __forceinline__ void rotate_vectors(const RopeArgs& a, T* y, const T* x, const float2* table) {
  constexpr int N = VECTOR<T>;
  const int half = a.dims / 2, end = a.dim_offset + a.dims;
  const int per_head = a.head_dim / N, count = a.heads * per_head;
  float low[N], high[N];
  for (int v = threadIdx.x; v < count; v += blockDim.x) {
    const int at = v * N, d = v % per_head * N;
    if (d < a.dim_offset || d >= end) {
      if (x != y) {
        load16(low, x + at);
        store16(y + at, low);
      }
      continue;
    }
    const int i = d - a.dim_offset;
    if (a.interleaved) {
      load16(low, x + at);
#pragma unroll
      for (int j = 0; j < N; j += 2) {
        const float2 t = table[(i + j) / 2];
        const float p = low[j], q = low[j + 1];
        low[j] = p * t.x - q * t.y;
        low[j + 1] = p * t.y + q * t.x;
      }
      store16(y + at, low);
    } else if (i < half) {
      load16(low, x + at);
      load16(high, x + at + half);
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const float2 t = table[i + j];
        const float p = low[j], q = high[j];
        low[j] = p * t.x - q * t.y;
        high[j] = p * t.y + q * t.x;
      }
      store16(y + at, low);
      store16(y + at + half, high);
    }
  }
}

template <class T>
__device__ __forceinline__ void rotate_elements(const RopeArgs& a, T* y, const T* x, const float2* table) {
  const int half = a.dims / 2, count = a.heads * a.head_dim;
  for (int at = threadIdx.x; at < count; at += blockDim.x) {
    const int i = at % a.head_dim - a.dim_offset;
    if (i < 0 || i >= a.dims) {
      if (x != y) y[at] = x[at];
      continue;
    }
    // The first of a pair does both: y may be x.
    if (a.interleaved ? i % 2 != 0 : i >= half) continue;
    const float2 t = table[a.interleaved ? i / 2 : i];
    const int other = at + (a.interleaved ? 1 : half);
    const float p = to_float(x[at]), q = to_float(x[other]);
    y[at] = from_float<T>(p * t.x - q * t.y);
    y[other] = from_float<T>(p * t.y + q * t.x);
  }
}

/// Grid: rows. Shared memory: dims / 2 float2.
template <class T>
__device__ __forceinline__ void rope(const RopeArgs& a) {
  IFT_SHARED(float2, table);
  const int64_t row = blockIdx.x;
  const int position = reinterpret_cast<const int32_t*>(a.positions)[row];
  for (int i = threadIdx.x; i < a.dims / 2; i += blockDim.x) {
    float c, s;
    rotation(position, reinterpret_cast<const float*>(a.inv_freq)[i], c, s);
    table[i] = make_float2(c * a.cos_scale, s * a.sin_scale);
  }
#ifndef IFT_PLANT_NO_BARRIER_IN_ROPE
  __syncthreads();
#endif
  const int64_t offset = row * a.heads * a.head_dim;
  T* y = reinterpret_cast<T*>(a.y) + offset;
  const T* x = reinterpret_cast<const T*>(a.x) + offset;
  if (a.vectors) {
    rotate_vectors(a, y, x, table);
  } else {
    rotate_elements(a, y, x, table);
  }
}

IFT_KERNEL(ift_rope_f32, RopeArgs, rope<float>, 256)
IFT_KERNEL(ift_rope_bf16, RopeArgs, rope<bf16>, 256)
IFT_KERNEL(ift_rope_f16, RopeArgs, rope<f16>, 256)
