#pragma once
#include <stdint.h>

namespace ift {

// loss f32 [rows], grad [rows, vocab] or null, of logits [rows, vocab] and labels i32 [rows].
struct CrossEntropyArgs {
  float* loss;
  void* grad;
  const void* logits;
  const int32_t* labels;
  uint64_t error;
  int64_t rows;
  int32_t vocab;
  float grad_scale;
};

}  // namespace ift
