// Operands of the row and element kernels' tests: values at an offset from an aligned start, and launches by dtype.
#pragma once
#include "harness.h"

#define IFT_LAUNCH_DTYPE(T, kernel, args, grid, block, shared)                                                 \
  do {                                                                                                         \
    if constexpr (std::is_same<T, float>::value) IFT_LAUNCH(kernel##_f32, args, grid, block, shared);          \
    if constexpr (std::is_same<T, bf16>::value) IFT_LAUNCH(kernel##_bf16, args, grid, block, shared);          \
    if constexpr (std::is_same<T, f16>::value) IFT_LAUNCH(kernel##_f16, args, grid, block, shared);            \
  } while (false)

namespace test {

/// Values whose first element lies `offset` elements behind an aligned address; those before it are guarded.
template <class T>
class Operand {
 public:
  explicit Operand(const std::vector<T>& values, int offset = 0) : offset(offset), device(shifted(values, offset)) {}
  void* data() const { return reinterpret_cast<void*>(device.address() + offset * sizeof(T)); }
  operator void*() const { return data(); }
  operator T*() const { return static_cast<T*>(data()); }
  std::vector<T> host() const {
    std::vector<T> all = device.host();
    for (int i = 0; i < offset; ++i) {
      if (memcmp(&all[i], &guard(), sizeof(T)) != 0) fail("guard", "elements in front of an output were written");
    }
    return std::vector<T>(all.begin() + offset, all.end());
  }

 private:
  static const T& guard() {
    static const T value = [] {
      T v;
      memset(&v, 0x35, sizeof v);
      return v;
    }();
    return value;
  }
  static std::vector<T> shifted(const std::vector<T>& values, int offset) {
    std::vector<T> all(offset, guard());
    all.insert(all.end(), values.begin(), values.end());
    return all;
  }
  int offset;
  Device<T> device;
};

/// Blocks that cover n elements with one pack of `lanes` a thread.
inline dim3 blocks_of(int64_t n, int lanes, int threads = 256) {
  return dim3(unsigned((n + int64_t{threads} * lanes - 1) / (int64_t{threads} * lanes)));
}

template <class A, class B = A>
constexpr int lanes_of() {
  return 16 / int(sizeof(A) < sizeof(B) ? sizeof(A) : sizeof(B));
}

/// Grid and block of RowPlace kernels as the host chooses them.
struct RowLaunch {
  dim3 grid, block;
  RowLaunch(int64_t rows, int cols, int lanes) {
    const int packs = (cols + lanes - 1) / lanes;
    if (packs <= 64) {
      block = dim3(32, 4);
      grid = dim3(unsigned((rows + 3) / 4));
    } else {
      const int threads = (packs / 2 + 31) / 32 * 32;
      block = dim3(unsigned(threads < 64 ? 64 : threads > 512 ? 512 : threads));
      grid = dim3(unsigned(rows));
    }
  }
};

/// Grid and block of kernels over packs of a row and rows.
struct TileLaunch {
  dim3 grid, block;
  TileLaunch(int64_t rows, int64_t cols, int lanes) {
    const int64_t packs = (cols + lanes - 1) / lanes;
    unsigned x = 1;
    while (x < 256 && x < packs) x *= 2;
    block = dim3(x, 256 / x);
    const int64_t tall = (rows + block.y - 1) / block.y;
    grid = dim3(unsigned((packs + x - 1) / x), unsigned(tall < 1024 ? tall : 1024));
  }
};

}  // namespace test
