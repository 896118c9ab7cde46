#pragma once
#include <stdint.h>

namespace ift {

// partial f64 [blocks] = sums of squares of pieces of x [n].
struct SquaresArgs {
  double* partial;
  const void* x;
  int64_t n;
};

// y f32 [1] (+)= sum of partial f64 [parts].
struct SquaredNormArgs {
  float* y;
  const double* partial;
  int32_t parts;
  int32_t accumulate;
};

// y f32 [1] = min(1, maxNorm / (sqrt(squaredNorm) + 1e-6)).
struct ClipFactorArgs {
  float* y;
  const float* squared_norm;
  double max_norm;
};

// One step over param [n]; master, grad, m, v f32 [n]; gradScale f32 [1] or null for 1.
struct AdamWArgs {
  void* param;
  float* master;
  const float* grad;
  float* m;
  float* v;
  const float* grad_scale;
  int64_t n;
  // 1 - lr · weightDecay.
  float keep;
  // lr / (1 - beta1^step).
  float rate;
  // 1 / sqrt(1 - beta2^step).
  float correction;
  float beta1;
  float beta2;
  // 1 - beta1 and 1 - beta2, rounded once.
  float rest1;
  float rest2;
  float eps;
  // The parameter is stored apart from its master.
  int32_t apart;
  int32_t unused;
};

}  // namespace ift
