// Euclidean norms: of rows, of a whole gradient, and the factor that clips it.
#include "args/norm.h"
#include "args/optimizer.h"
#include "rows.h"

namespace ift {

// Elements of one partial sum of a whole tensor: a constant, so that the order of additions is one.
inline constexpr int kSquaresPiece = 16384;

// Launch: RowPlace.
template <class T>
__device__ void row_norms(const RowNormArgs& a) {
  constexpr int N = kLanes<T>;
  const RowPlace place(a.rows);
  if (place.outside) return;
  const int cols = a.cols;
  const T* x = static_cast<const T*>(a.x) + place.row * cols;
  float squares = 0.0f;
  if (cols % N == 0 && aligned<N>(x)) {
#pragma unroll 4
    for (int column = static_cast<int>(threadIdx.x) * N; column < cols; column += static_cast<int>(blockDim.x) * N) {
      float v[N];
      load_pack(v, x + column);
#pragma unroll
      for (int i = 0; i < N; ++i) squares = fmaf(v[i], v[i], squares);
    }
  } else {
    for_columns(cols, [&](int c) { squares = fmaf(to_float(x[c]), to_float(x[c]), squares); });
  }
  squares = row_total(squares);
  if (threadIdx.x == 0) a.y[place.row] = sqrtf(squares);
}

// Launch: 256 threads, ceil(n / kSquaresPiece) blocks.
template <class T>
__device__ void squares(const SquaresArgs& a) {
  constexpr int N = kLanes<T>;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kSquaresPiece;
  const int count = static_cast<int>(a.n - first < kSquaresPiece ? a.n - first : kSquaresPiece);
  const T* x = static_cast<const T*>(a.x) + first;
  float sum = 0.0f;
  if (aligned<N>(x)) {
    const int whole = count / N * N;
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.x) * N; i < whole; i += static_cast<int>(blockDim.x) * N) {
      float v[N];
      load_pack(v, x + i);
#pragma unroll
      for (int k = 0; k < N; ++k) sum = fmaf(v[k], v[k], sum);
    }
    const int rest = whole + static_cast<int>(threadIdx.x);
    if (rest < count) sum = fmaf(to_float(x[rest]), to_float(x[rest]), sum);
  } else {
    for_columns(count, [&](int i) { sum = fmaf(to_float(x[i]), to_float(x[i]), sum); });
  }
  sum = row_total(sum);
  if (threadIdx.x == 0) a.partial[blockIdx.x] = static_cast<double>(sum);
}

// Launch: one block of 256 threads.
__device__ void squared_norm(const SquaredNormArgs& a) {
  __shared__ double sums[256];
  double sum = 0.0;
  for (int i = threadIdx.x; i < a.parts; i += 256) sum += a.partial[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) store_onto(a.y, static_cast<float>(sums[0]), a.accumulate != 0);
}

// Launch: one thread.
__device__ void clip_factor(const ClipFactorArgs& a) {
  const float squared = *a.squared_norm;
  const double factor = a.max_norm / (sqrt(static_cast<double>(squared)) + 1e-6);
  *a.y = !isfinite(squared) ? NAN : factor > 1.0 ? 1.0f : static_cast<float>(factor);
}

}  // namespace ift

IFT_KERNEL(ift_row_norms_f32, ift::RowNormArgs, ift::row_norms<float>, 512)
IFT_KERNEL(ift_row_norms_bf16, ift::RowNormArgs, ift::row_norms<bf16>, 512)
IFT_KERNEL(ift_row_norms_f16, ift::RowNormArgs, ift::row_norms<f16>, 512)
IFT_KERNEL(ift_squares_f32, ift::SquaresArgs, ift::squares<float>, 256)
IFT_KERNEL(ift_squares_bf16, ift::SquaresArgs, ift::squares<bf16>, 256)
IFT_KERNEL(ift_squares_f16, ift::SquaresArgs, ift::squares<f16>, 256)
IFT_KERNEL(ift_squared_norm, ift::SquaredNormArgs, ift::squared_norm, 256)
IFT_KERNEL(ift_clip_factor, ift::ClipFactorArgs, ift::clip_factor, 32)
