#pragma once
#include <stdint.h>

namespace ift {

// y [rows, cols] = norm(x) · w [cols] (+ b [cols]); mean, rstd f32 [rows].
struct NormArgs {
  void* y;
  float* mean;
  float* rstd;
  const void* x;
  const void* w;
  const void* b;
  int64_t rows;
  int32_t cols;
  float eps;
};

// dx [rows, cols] (+)=.
struct NormBackwardArgs {
  void* dx;
  const void* dy;
  const void* x;
  const void* w;
  const float* mean;
  const float* rstd;
  int64_t rows;
  int32_t cols;
  int32_t accumulate;
};

// y f32 [rows] = Euclidean norm of each row of x [rows, cols].
struct RowNormArgs {
  float* y;
  const void* x;
  int64_t rows;
  int32_t cols;
  int32_t unused;
};

}  // namespace ift
