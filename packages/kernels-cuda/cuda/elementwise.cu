// Element-wise arithmetic and conversion. Launch: 256 threads, vector.h's map.
#include "args/elementwise.h"
#include "vector.h"

namespace ift {

struct Axpby {
  float a, b;
  __device__ __forceinline__ void operator()(const float (&x)[2], float (&y)[1]) const { y[0] = fmaf(a, x[0], b * x[1]); }
};

struct Multiply {
  __device__ __forceinline__ void operator()(const float (&x)[2], float (&y)[1]) const { y[0] = x[0] * x[1]; }
};

struct Identity {
  __device__ __forceinline__ void operator()(const float (&x)[1], float (&y)[1]) const { y[0] = x[0]; }
};

template <class T>
__device__ void axpby(const AxpbyArgs& a) {
  map<T, T>({static_cast<T*>(a.y)}, {static_cast<const T*>(a.x), static_cast<const T*>(a.z)}, a.n, Axpby{a.a, a.b});
}

template <class T>
__device__ void mul(const MapArgs& a) {
  map<T, T>({static_cast<T*>(a.y)}, {static_cast<const T*>(a.x), static_cast<const T*>(a.z)}, a.n, Multiply{});
}

template <class To, class From>
__device__ void cast(const MapArgs& a) {
  map<From, To>({static_cast<To*>(a.y)}, {static_cast<const From*>(a.x)}, a.n, Identity{});
}

// W is an unsigned integer of the element's width. Launch: ceil(n / (threads · 16 / sizeof(W))) blocks.
template <class W>
__device__ void fill(const FillArgs& a) {
  constexpr int N = 16 / static_cast<int>(sizeof(W));
  W* y = static_cast<W*>(a.y);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x * N;
  const bool vectorised = reinterpret_cast<uintptr_t>(y) % 16 == 0;
  const int64_t at = first + static_cast<int64_t>(threadIdx.x) * N;
  if (vectorised && at + N <= a.n) {
    *reinterpret_cast<uint4*>(y + at) = make_uint4(a.pattern, a.pattern, a.pattern, a.pattern);
    return;
  }
  const int64_t start = vectorised ? at : first + threadIdx.x;
  const int64_t step = vectorised ? 1 : blockDim.x;
#pragma unroll 1
  for (int i = 0; i < N && start + i * step < a.n; ++i) y[start + i * step] = static_cast<W>(a.pattern);
}

}  // namespace ift

IFT_KERNEL(ift_fill_8, ift::FillArgs, ift::fill<uint8_t>, 256)
IFT_KERNEL(ift_fill_16, ift::FillArgs, ift::fill<uint16_t>, 256)
IFT_KERNEL(ift_fill_32, ift::FillArgs, ift::fill<uint32_t>, 256)
IFT_KERNEL(ift_axpby_f32, ift::AxpbyArgs, ift::axpby<float>, 256)
IFT_KERNEL(ift_axpby_bf16, ift::AxpbyArgs, ift::axpby<bf16>, 256)
IFT_KERNEL(ift_axpby_f16, ift::AxpbyArgs, ift::axpby<f16>, 256)
IFT_KERNEL(ift_mul_f32, ift::MapArgs, ift::mul<float>, 256)
IFT_KERNEL(ift_mul_bf16, ift::MapArgs, ift::mul<bf16>, 256)
IFT_KERNEL(ift_mul_f16, ift::MapArgs, ift::mul<f16>, 256)
IFT_KERNEL(ift_cast_f32_to_f32, ift::MapArgs, (ift::cast<float, float>), 256)
IFT_KERNEL(ift_cast_f32_to_bf16, ift::MapArgs, (ift::cast<bf16, float>), 256)
IFT_KERNEL(ift_cast_f32_to_f16, ift::MapArgs, (ift::cast<f16, float>), 256)
IFT_KERNEL(ift_cast_bf16_to_f32, ift::MapArgs, (ift::cast<float, bf16>), 256)
IFT_KERNEL(ift_cast_bf16_to_bf16, ift::MapArgs, (ift::cast<bf16, bf16>), 256)
IFT_KERNEL(ift_cast_bf16_to_f16, ift::MapArgs, (ift::cast<f16, bf16>), 256)
IFT_KERNEL(ift_cast_f16_to_f32, ift::MapArgs, (ift::cast<float, f16>), 256)
IFT_KERNEL(ift_cast_f16_to_bf16, ift::MapArgs, (ift::cast<bf16, f16>), 256)
IFT_KERNEL(ift_cast_f16_to_f16, ift::MapArgs, (ift::cast<f16, f16>), 256)
