// Sums over rows and factors of columns. Sums are made in parts of rows whose number follows from the shape alone, then
// added in order, so that a shape has one order of additions on every device.
#include "args/matrix.h"
#include "rows.h"

namespace ift {

// Rows of a part that are summed side by side.
inline constexpr int kRowsAbreast = 8;

// What is summed: a function of the elements of x and dy and of two numbers of the row.
struct Value {
  static constexpr bool kTwo = false, kOfRow = false;
  __device__ __forceinline__ static float term(float x, float, float, float) { return x; }
};

struct Product {
  static constexpr bool kTwo = true, kOfRow = false;
  __device__ __forceinline__ static float term(float x, float dy, float, float) { return dy * x; }
};

// dy · (x - mean) · rstd, the gradient of a norm's weight.
struct Normalised {
  static constexpr bool kTwo = true, kOfRow = true;
  __device__ __forceinline__ static float term(float x, float dy, float mean, float rstd) {
    return dy * ((x - mean) * rstd);
  }
};

// Launch: blockDim (32, kRowsAbreast), gridDim (ceil(cols / (32 · kLanes<T>)), parts).
template <class T, class Term>
__device__ void column_sums(const ColumnSumArgs& a) {
  constexpr int N = kLanes<T>;
  constexpr int kStrip = 32 * N;
  __shared__ float sums[kRowsAbreast][kStrip];
  const int cols = a.cols, strip = static_cast<int>(blockIdx.x) * kStrip, lane = threadIdx.x;
  const T* x = static_cast<const T*>(a.x);
  const T* dy = static_cast<const T*>(a.dy);
  const int64_t first = blockIdx.y * a.rows_per_part;
  const int64_t end = first + a.rows_per_part < a.rows ? first + a.rows_per_part : a.rows;
  float sum[N] = {};
  const bool vectorised = cols % N == 0 && aligned<N>(x) && (!Term::kTwo || aligned<N>(dy));
  if (vectorised) {
    const int column = strip + lane * N;
    if (column < cols) {
#pragma unroll 4
      for (int64_t r = first + threadIdx.y; r < end; r += kRowsAbreast) {
        float vx[N], vdy[N], mean = 0.0f, rstd = 0.0f;
        load_pack(vx, x + r * cols + column);
        if constexpr (Term::kTwo) load_pack(vdy, dy + r * cols + column);
        if constexpr (Term::kOfRow) {
          if (a.mean != nullptr) mean = a.mean[r];
          rstd = a.rstd[r];
        }
#pragma unroll
        for (int i = 0; i < N; ++i) sum[i] += Term::term(vx[i], Term::kTwo ? vdy[i] : 0.0f, mean, rstd);
      }
    }
  } else {
    for (int64_t r = first + threadIdx.y; r < end; r += kRowsAbreast) {
      float mean = 0.0f, rstd = 0.0f;
      if constexpr (Term::kOfRow) {
        if (a.mean != nullptr) mean = a.mean[r];
        rstd = a.rstd[r];
      }
#pragma unroll
      for (int i = 0; i < N; ++i) {
        // Neighbours take neighbouring columns.
        const int column = strip + i * 32 + lane;
        if (column >= cols) continue;
        const float vdy = Term::kTwo ? to_float(dy[r * cols + column]) : 0.0f;
        sum[i] += Term::term(to_float(x[r * cols + column]), vdy, mean, rstd);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < N; ++i) sums[threadIdx.y][vectorised ? lane * N + i : i * 32 + lane] = sum[i];
#ifndef IFT_PLANT_NO_BARRIER_IN_COLUMN_SUMS
  __syncthreads();
#endif
  for (int i = threadIdx.y * 32 + lane; i < kStrip && strip + i < cols; i += 32 * kRowsAbreast) {
    float total = 0.0f;
#pragma unroll
    for (int k = 0; k < kRowsAbreast; ++k) total += sums[k][i];
    if (gridDim.y == 1) {
      store_onto(a.y + strip + i, total, a.accumulate != 0);
    } else {
      a.partial[static_cast<int64_t>(blockIdx.y) * cols + strip + i] = total;
    }
  }
}

// Launch: a thread a column.
__device__ void part_sums(const PartSumArgs& a) {
  const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (column >= a.cols) return;
  float total = 0.0f;
#pragma unroll 4
  for (int p = 0; p < a.parts; ++p) total += a.partial[static_cast<int64_t>(p) * a.cols + column];
  store_onto(a.y + column, total, a.accumulate != 0);
}

// Launch: blockDim (X, Y) over packs of a row and rows, gridDim.y at most 65535.
template <class T>
__device__ void scale_columns(const ScaleColumnsArgs& a) {
  constexpr int N = kLanes<T>;
  const int cols = a.cols;
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  const int64_t first = static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y;
  const int64_t step = static_cast<int64_t>(gridDim.y) * blockDim.y;
  const int strip = static_cast<int>(blockIdx.x * blockDim.x) * N;
  if (cols % N == 0 && aligned<N>(x) && aligned<N>(y)) {
    const int column = strip + static_cast<int>(threadIdx.x) * N;
    if (column >= cols) return;
    float s[N];
#pragma unroll
    for (int i = 0; i < N; ++i) s[i] = a.s[column + i];
#pragma unroll 1
    for (int64_t r = first; r < a.rows; r += step) {
      float v[N];
      load_pack(v, x + r * cols + column);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] *= s[i];
      store_pack(y + r * cols + column, v);
    }
    return;
  }
  const int end = strip + static_cast<int>(blockDim.x) * N < cols ? strip + static_cast<int>(blockDim.x) * N : cols;
  for (int column = strip + static_cast<int>(threadIdx.x); column < end; column += static_cast<int>(blockDim.x)) {
    const float s = a.s[column];
    for (int64_t r = first; r < a.rows; r += step) {
      y[r * cols + column] = from_float<T>(to_float(x[r * cols + column]) * s);
    }
  }
}

}  // namespace ift

#define IFT_COLUMN_KERNELS(dtype, T)                                                                            \
  IFT_KERNEL(ift_sum_rows_##dtype, ift::ColumnSumArgs, (ift::column_sums<T, ift::Value>), 256)                  \
  IFT_KERNEL(ift_sum_products_##dtype, ift::ColumnSumArgs, (ift::column_sums<T, ift::Product>), 256)            \
  IFT_KERNEL(ift_sum_normalised_##dtype, ift::ColumnSumArgs, (ift::column_sums<T, ift::Normalised>), 256)       \
  IFT_KERNEL(ift_scale_columns_##dtype, ift::ScaleColumnsArgs, ift::scale_columns<T>, 256)

IFT_COLUMN_KERNELS(f32, float)
IFT_COLUMN_KERNELS(bf16, bf16)
IFT_COLUMN_KERNELS(f16, f16)
IFT_KERNEL(ift_sum_parts, ift::PartSumArgs, ift::part_sums, 256)
