#pragma once
#include <stdint.h>

namespace ift {

// y f32 [cols] (+)= sum over rows of a term of x (and dy) [rows, cols], or partial f32 [parts, cols] sums of
// `rowsPerPart` rows each when the grid has several parts.
struct ColumnSumArgs {
  float* y;
  float* partial;
  const void* x;
  const void* dy;
  // f32 [rows]; mean may be null.
  const float* mean;
  const float* rstd;
  int64_t rows;
  int64_t rows_per_part;
  int32_t cols;
  int32_t accumulate;
};

// y f32 [cols] (+)= sum over parts of partial f32 [parts, cols].
struct PartSumArgs {
  float* y;
  const float* partial;
  int32_t parts;
  int32_t cols;
  int32_t accumulate;
  int32_t unused;
};

// y [rows, cols] = x · s f32 [cols] on every row.
struct ScaleColumnsArgs {
  void* y;
  const void* x;
  const float* s;
  int64_t rows;
  int32_t cols;
  int32_t unused;
};

// y[r · yStride + c] (+)= x[r · xStride + c]; y and x are at their offsets.
struct CopyArgs {
  void* y;
  const void* x;
  int64_t y_stride;
  int64_t x_stride;
  int64_t rows;
  int64_t cols;
  // One block writes the rows in order, for rows that overlap.
  int32_t in_order;
  int32_t unused;
};

// y [rows, cols] = table [tableRows, cols] at ids i32 [rows].
struct GatherArgs {
  void* y;
  const void* table;
  const int32_t* ids;
  uint64_t error;
  int64_t rows;
  int64_t table_rows;
  int32_t cols;
  int32_t unused;
};

// table [tableRows, cols] (+)= x [rows, cols] at ids i32 [rows].
struct ScatterArgs {
  void* table;
  const void* x;
  const int32_t* ids;
  uint64_t error;
  int64_t rows;
  int64_t table_rows;
  int32_t cols;
  int32_t accumulate;
};

}  // namespace ift
