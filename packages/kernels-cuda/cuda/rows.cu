// Rows of a table by index. An id outside the table is reported and its row left alone.
#include "args/matrix.h"
#include "report.h"
#include "rows.h"

namespace ift {

__device__ __forceinline__ bool inside(int32_t id, int64_t table_rows) { return id >= 0 && id < table_rows; }

// T is float or bf16 for the width of an element. Launch: blockDim (X, Y) over packs of a row and rows, gridDim.y at
// most 65535.
template <class T>
__device__ void gather_rows(const GatherArgs& a) {
  constexpr int N = kLanes<T>;
  const int cols = a.cols;
  const T* table = static_cast<const T*>(a.table);
  T* y = static_cast<T*>(a.y);
  const bool vectorised = cols % N == 0 && aligned<N>(table) && aligned<N>(y);
  const int strip = static_cast<int>(blockIdx.x * blockDim.x) * N;
  for (int64_t r = static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; r < a.rows;
       r += static_cast<int64_t>(gridDim.y) * blockDim.y) {
    const int32_t id = a.ids[r];
    if (!inside(id, a.table_rows)) {
      if (blockIdx.x == 0 && threadIdx.x == 0) report_index(a.error, INDEX_GATHER_IDS, r, id, a.table_rows);
      continue;
    }
    const T* from = table + static_cast<int64_t>(id) * cols;
    T* to = y + r * cols;
    if (vectorised) {
      const int column = strip + static_cast<int>(threadIdx.x) * N;
      if (column < cols) Pack<T, N>::load(from + column).store(to + column);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const int column = strip + i * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x);
        if (column < cols) to[column] = from[column];
      }
    }
  }
}

// The block of the first row with an id adds all rows with that id in their order: sums are deterministic without
// sorting, and each is rounded to the table's dtype once. Launch: blockDim 256, gridDim (rows, ceil(cols / (256 ·
// kLanes<T>))).
template <class T, class Table>
__device__ void scatter_rows(const ScatterArgs& a) {
  constexpr int N = kLanes<T>;
  __shared__ uint32_t matches[8];
  const int cols = a.cols, thread = threadIdx.x;
  const int64_t row = blockIdx.x;
  const int32_t id = a.ids[row];
  if (!inside(id, a.table_rows)) {
    if (blockIdx.y == 0 && thread == 0) report_index(a.error, INDEX_SCATTER_IDS, row, id, a.table_rows);
    return;
  }
  const int strip = static_cast<int>(blockIdx.y * blockDim.x) * N;
  const auto column_of = [&](int i) { return strip + i * 256 + thread; };
  const T* x = static_cast<const T*>(a.x);
  Table* to = static_cast<Table*>(a.table) + static_cast<int64_t>(id) * cols;
  if (a.accumulate == 0) {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      if (column_of(i) < cols) to[column_of(i)] = from_float<Table>(to_float(x[row * cols + column_of(i)]));
    }
    return;
  }
  bool earlier = false;
  for (int64_t r = thread; r < row; r += 256) earlier = earlier || a.ids[r] == id;
  if (row_total(earlier ? 1.0f : 0.0f) != 0.0f) return;
  float sum[N];
#pragma unroll
  for (int i = 0; i < N; ++i) sum[i] = column_of(i) < cols ? to_float(to[column_of(i)]) : 0.0f;
  for (int64_t first = row; first < a.rows; first += 256) {
    const bool match = first + thread < a.rows && a.ids[first + thread] == id;
    const uint32_t found = __ballot_sync(FULL_WARP, match ? 1 : 0);
    if (thread % 32 == 0) matches[thread / 32] = found;
    __syncthreads();
    for (int w = 0; w < 8; ++w) {
      for (uint32_t left = matches[w]; left != 0; left &= left - 1) {
        const T* from = x + (first + w * 32 + __ffs(static_cast<int>(left)) - 1) * cols;
#pragma unroll
        for (int i = 0; i < N; ++i) {
          if (column_of(i) < cols) sum[i] += to_float(from[column_of(i)]);
        }
      }
    }
#ifndef IFT_PLANT_NO_BARRIER_IN_SCATTER
    __syncthreads();
#endif
  }
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if (column_of(i) < cols) to[column_of(i)] = from_float<Table>(sum[i]);
  }
}

}  // namespace ift

IFT_KERNEL(ift_gather_rows_32, ift::GatherArgs, ift::gather_rows<float>, 256)
IFT_KERNEL(ift_gather_rows_16, ift::GatherArgs, ift::gather_rows<bf16>, 256)
IFT_KERNEL(ift_scatter_rows_f32_f32, ift::ScatterArgs, (ift::scatter_rows<float, float>), 256)
IFT_KERNEL(ift_scatter_rows_f32_bf16, ift::ScatterArgs, (ift::scatter_rows<float, bf16>), 256)
IFT_KERNEL(ift_scatter_rows_f32_f16, ift::ScatterArgs, (ift::scatter_rows<float, f16>), 256)
IFT_KERNEL(ift_scatter_rows_bf16_f32, ift::ScatterArgs, (ift::scatter_rows<bf16, float>), 256)
IFT_KERNEL(ift_scatter_rows_bf16_bf16, ift::ScatterArgs, (ift::scatter_rows<bf16, bf16>), 256)
IFT_KERNEL(ift_scatter_rows_bf16_f16, ift::ScatterArgs, (ift::scatter_rows<bf16, f16>), 256)
IFT_KERNEL(ift_scatter_rows_f16_f32, ift::ScatterArgs, (ift::scatter_rows<f16, float>), 256)
IFT_KERNEL(ift_scatter_rows_f16_bf16, ift::ScatterArgs, (ift::scatter_rows<f16, bf16>), 256)
IFT_KERNEL(ift_scatter_rows_f16_f16, ift::ScatterArgs, (ift::scatter_rows<f16, f16>), 256)
