#pragma once
#include <stdint.h>

namespace ift {

// A quantised matrix [rows, cols] as `QuantizedMatrix` of @ift/tensor describes it; groups is null for int8.
struct QuantizedArgs {
  uint8_t* codes;
  void* scales;
  float* groups;
  int64_t rows;
  int64_t cols;
};

// codes, and the largest magnitude of every block in `largest` f32 [blocks] (nf4) or of every row in scales (int8).
struct QuantizeArgs {
  QuantizedArgs w;
  const void* x;
  float* largest;
};

// scales and groups of `largest` f32 [blocks]; partial f64 [parts] of the sum of all.
struct QuantizeScalesArgs {
  QuantizedArgs w;
  const float* largest;
  double* partial;
  int64_t blocks;
  int64_t parts;
};

// y [rows, cols] = the values of w.
struct DequantizeArgs {
  QuantizedArgs w;
  void* y;
};

// y [m, w.rows] = x [m, w.cols] · wᵀ (+ y) (+ bias [w.rows]).
struct QuantizedProductArgs {
  QuantizedArgs w;
  void* y;
  const void* x;
  const void* bias;
  int32_t m;
  // 0 f32, 1 bf16, 2 f16.
  int32_t out_dtype;
  int32_t accumulate;
  int32_t unused;
};

}  // namespace ift
