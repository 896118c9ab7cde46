#pragma once
#include <stdint.h>

namespace ift {

// values f32 [rows, k] and indices i32 [rows, k] of the highest entries of x [rows, cols]; log_sum f32 [rows] of
// exp(scale · x), or null.
struct TopRowsArgs {
  float* values;
  int32_t* indices;
  float* log_sum;
  const void* x;
  int32_t cols;
  int32_t k;
  float scale;
  int32_t unused;
};

}  // namespace ift
