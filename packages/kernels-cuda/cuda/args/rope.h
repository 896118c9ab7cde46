// Arguments of rope.cu; the host mirrors them field by field.
#pragma once
#include <stdint.h>

struct RopeArgs {
  /// y, x [rows, heads, head_dim]; y may be x.
  uint64_t y, x;
  /// i32 [rows]
  uint64_t positions;
  /// f32 [dims / 2]
  uint64_t inv_freq;
  int64_t rows;
  int32_t heads, head_dim, dim_offset, dims;
  int32_t interleaved;
  /// Every 16-byte vector lies within the rotated or the copied dimensions, and all are aligned.
  int32_t vectors;
  /// Of cos, and of sin with the direction's sign.
  float cos_scale, sin_scale;
};
