#pragma once
#include <stdint.h>

namespace ift {

// y [n] = pattern, a value of the element's width repeated to fill 32 bits.
struct FillArgs {
  void* y;
  int64_t n;
  uint32_t pattern;
  uint32_t unused;
};

// y [n] = a · x + b · z.
struct AxpbyArgs {
  void* y;
  const void* x;
  const void* z;
  int64_t n;
  float a;
  float b;
};

// y [n] of a function of x [n], or of x and z [n].
struct MapArgs {
  void* y;
  const void* x;
  const void* z;
  int64_t n;
};

// dgate, dup [n] of dy, gate, up [n].
struct SwigluBackwardArgs {
  void* dgate;
  void* dup;
  const void* dy;
  const void* gate;
  const void* up;
  int64_t n;
};

// Philox4x32-10 of (seed, stream): dropout y [n] of x [n], or numbers y [n].
struct RandomArgs {
  void* y;
  const void* x;
  int64_t n;
  uint32_t key[2];
  uint32_t stream;
  // Words from here on are kept.
  uint32_t threshold;
  // Factor of what is kept; 0 drops everything.
  float scale;
  int32_t normal;
};

}  // namespace ift
