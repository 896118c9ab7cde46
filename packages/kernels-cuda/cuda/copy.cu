// Copies between strided places.
#include "args/matrix.h"
#include "vector.h"

namespace ift {

// Launch: blockDim (X, Y) over packs of a row and rows, gridDim.y at most 65535; one block of (256, 1) when in order.
template <class T, bool Add>
__device__ void copy_2d(const CopyArgs& a) {
  constexpr int N = kLanes<T>;
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  const bool strided = a.rows == 1 || (a.x_stride % N == 0 && a.y_stride % N == 0);
  const bool vectorised = strided && aligned<N>(x) && aligned<N>(y);
  const int64_t packs_wide = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t r = static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; r < a.rows;
       r += static_cast<int64_t>(gridDim.y) * blockDim.y) {
    const T* from = x + r * a.x_stride;
    T* to = y + r * a.y_stride;
    for (int64_t block = static_cast<int64_t>(blockIdx.x) * blockDim.x; block * N < a.cols; block += packs_wide) {
      const int64_t at = (block + threadIdx.x) * N;
      if (vectorised && at + N <= a.cols) {
        Pack<T, N> pack = Pack<T, N>::load(from + at);
        if constexpr (Add) {
          float v[N];
          pack.unpack(v);
          store_pack_onto(to + at, v, true);
        } else {
          pack.store(to + at);
        }
        continue;
      }
      const int64_t start = vectorised ? at : block * N + threadIdx.x;
      const int64_t step = vectorised ? 1 : blockDim.x;
#pragma unroll 1
      for (int i = 0; i < N && start + i * step < a.cols; ++i) {
        const int64_t c = start + i * step;
        if constexpr (Add) {
          store_onto(to + c, to_float(from[c]), true);
        } else {
          to[c] = from[c];
        }
      }
    }
    if (a.in_order != 0) __syncthreads();
  }
}

}  // namespace ift

// A plain copy is one of bits: two element widths serve all dtypes.
IFT_KERNEL(ift_copy_2d_32, ift::CopyArgs, (ift::copy_2d<float, false>), 256)
IFT_KERNEL(ift_copy_2d_16, ift::CopyArgs, (ift::copy_2d<bf16, false>), 256)
IFT_KERNEL(ift_add_2d_f32, ift::CopyArgs, (ift::copy_2d<float, true>), 256)
IFT_KERNEL(ift_add_2d_bf16, ift::CopyArgs, (ift::copy_2d<bf16, true>), 256)
IFT_KERNEL(ift_add_2d_f16, ift::CopyArgs, (ift::copy_2d<f16, true>), 256)
