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

// y f32 [1] = min(1, maxNorm / (sqrt(squaredNorm) + 1e-6)); NaN where squaredNorm is not finite.
struct ClipFactorArgs {
  float* y;
  const float* squared_norm;
  double max_norm;
};

// One step over param [n]; master, grad, m, v f32 [n]; gradScale f32 [1] or null for 1. A scale of NaN changes
// nothing.
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

// One step over param [n]; master, grad, m f32 [n]; gradScale as of AdamW.
struct LionArgs {
  void* param;
  float* master;
  const float* grad;
  float* m;
  const float* grad_scale;
  int64_t n;
  // 1 - lr · weightDecay.
  float keep;
  float lr;
  float beta1;
  float beta2;
  // 1 - beta1 and 1 - beta2, rounded once.
  float rest1;
  float rest2;
  // The parameter is stored apart from its master.
  int32_t apart;
  int32_t unused;
};

// What a step of Adafactor finds out of the whole matrix.
struct AdafactorTotals {
  // Of the mean squares of the rows.
  double row_mean;
  // What the update is multiplied by, and 1 - lr · weightDecay.
  float rate;
  float keep;
};

// One step over param [rows, cols]; master, grad f32 [rows, cols]; v f32 [rows] and column f32 [cols], or v f32 [rows, cols]
// and no column; m f32 [rows, cols] or null; gradScale as of AdamW. The rest is working memory.
struct AdafactorArgs {
  void* param;
  float* master;
  const float* grad;
  float* v;
  float* column;
  float* m;
  const float* grad_scale;
  // f32 [cols]: sums of squares of the columns of grad, then 1 / sqrt of their means.
  float* columns;
  // f32 [2, rows]: sums of squares of the rows of the update and of the parameter.
  float* sizes;
  AdafactorTotals* totals;
  int64_t rows;
  double lr;
  double clip_threshold;
  double weight_decay;
  // Negative where the rate is not multiplied by the size of the parameter.
  double epsilon2;
  int32_t cols;
  float beta1;
  float beta2;
  float rest1;
  float rest2;
  float epsilon1;
  // The parameter is stored apart from its master.
  int32_t apart;
  int32_t unused;
};

}  // namespace ift
