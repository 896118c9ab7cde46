// Several elements in one memory access, and loops over elements and rows made of them.
#pragma once
#include "element.h"

namespace ift {

// Elements of the narrower of two types in 16 bytes: what one thread handles at a time.
template <class A, class B = A>
inline constexpr int kLanes = 16 / static_cast<int>(sizeof(A) < sizeof(B) ? sizeof(A) : sizeof(B));

// N elements as they lie in memory. They stay packed in registers until they are used.
template <class T, int N>
struct Pack {
  static_assert(N * sizeof(T) >= 8, "at least two words");
  static constexpr int kWords = N * static_cast<int>(sizeof(T)) / 4;
  // Bytes of one access. A longer pack takes several.
  static constexpr int kAlign = kWords >= 4 ? 16 : kWords * 4;
  uint32_t words[kWords];

  __device__ __forceinline__ static Pack load(const T* p) {
    Pack pack;
    if constexpr (kWords >= 4) {
#pragma unroll
      for (int i = 0; i < kWords / 4; ++i) {
        const uint4 v = reinterpret_cast<const uint4*>(p)[i];
        pack.words[4 * i] = v.x, pack.words[4 * i + 1] = v.y, pack.words[4 * i + 2] = v.z, pack.words[4 * i + 3] = v.w;
      }
    } else {
      const uint2 v = *reinterpret_cast<const uint2*>(p);
      pack.words[0] = v.x, pack.words[1] = v.y;
    }
    return pack;
  }

  __device__ __forceinline__ void store(T* p) const {
    if constexpr (kWords >= 4) {
#pragma unroll
      for (int i = 0; i < kWords / 4; ++i) {
        reinterpret_cast<uint4*>(p)[i] = make_uint4(words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]);
      }
    } else {
      *reinterpret_cast<uint2*>(p) = make_uint2(words[0], words[1]);
    }
  }

  __device__ __forceinline__ void unpack(float (&x)[N]) const {
#pragma unroll
    for (int i = 0; i < N; i += 4 / static_cast<int>(sizeof(T))) {
      if constexpr (sizeof(T) == 4) {
        x[i] = __uint_as_float(words[i]);
      } else {
        unpack2<T>(words[i / 2], x[i], x[i + 1]);
      }
    }
  }

  __device__ __forceinline__ static Pack pack(const float (&x)[N]) {
    Pack pack;
#pragma unroll
    for (int i = 0; i < N; i += 4 / static_cast<int>(sizeof(T))) {
      if constexpr (sizeof(T) == 4) {
        pack.words[i] = __float_as_uint(x[i]);
      } else {
        pack.words[i / 2] = pack2<T>(x[i], x[i + 1]);
      }
    }
    return pack;
  }
};

// Whether packs of N elements may be accessed at p.
template <int N, class T>
__device__ __forceinline__ bool aligned(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % Pack<T, N>::kAlign == 0;
}

template <int N, class T>
__device__ __forceinline__ void load_pack(float (&x)[N], const T* p) {
  Pack<T, N>::load(p).unpack(x);
}

template <int N, class T>
__device__ __forceinline__ void store_pack(T* p, const float (&x)[N]) {
  Pack<T, N>::pack(x).store(p);
}

// p[0 .. N) (+)= x.
template <int N, class T>
__device__ __forceinline__ void store_pack_onto(T* p, float (&x)[N], bool accumulate) {
  if (accumulate) {
    float y[N];
    load_pack(y, p);
#pragma unroll
    for (int i = 0; i < N; ++i) x[i] += y[i];
  }
  store_pack(p, x);
}

template <class T>
__device__ __forceinline__ void store_onto(T* p, float x, bool accumulate) {
  *p = from_float<T>(accumulate ? to_float(*p) + x : x);
}

// out[k][i] = f(in[0][i], …)[k] for i < n. Every element is read and written by one thread, its inputs first, so that an
// output may be an input of the same type. Launch: ceil(n / (threads · kLanes<T, Out>)) blocks.
template <class T, class Out, int IN, int OUT, class F>
__device__ __forceinline__ void map(Out* const (&out)[OUT], const T* const (&in)[IN], int64_t n, F f) {
  constexpr int N = kLanes<T, Out>;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x * N;
  bool vectorised = true;
#pragma unroll
  for (int k = 0; k < IN; ++k) vectorised = vectorised && aligned<N>(in[k]);
#pragma unroll
  for (int k = 0; k < OUT; ++k) vectorised = vectorised && aligned<N>(out[k]);
  const int64_t at = first + static_cast<int64_t>(threadIdx.x) * N;
  if (vectorised && at + N <= n) {
    float x[IN][N], y[OUT][N];
#pragma unroll
    for (int k = 0; k < IN; ++k) load_pack(x[k], in[k] + at);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      float element[IN], result[OUT];
#pragma unroll
      for (int k = 0; k < IN; ++k) element[k] = x[k][i];
      f(element, result);
#pragma unroll
      for (int k = 0; k < OUT; ++k) y[k][i] = result[k];
    }
#pragma unroll
    for (int k = 0; k < OUT; ++k) store_pack(out[k] + at, y[k]);
    return;
  }
  // Without alignment neighbours take neighbouring elements; at the end of aligned buffers a thread takes its own.
  const int64_t start = vectorised ? at : first + threadIdx.x;
  const int64_t step = vectorised ? 1 : blockDim.x;
#pragma unroll 1
  for (int i = 0; i < N; ++i) {
    const int64_t e = start + i * step;
    if (e >= n) return;
    float element[IN], result[OUT];
#pragma unroll
    for (int k = 0; k < IN; ++k) element[k] = to_float(in[k][e]);
    f(element, result);
#pragma unroll
    for (int k = 0; k < OUT; ++k) out[k][e] = from_float<Out>(result[k]);
  }
}

}  // namespace ift
