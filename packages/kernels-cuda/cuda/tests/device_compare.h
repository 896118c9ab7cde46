// Comparison on the device, for results that a loop on the host would take too long over. What fails is copied and
// compared there once more, for its places.
#pragma once
#include "harness.h"

namespace test {

/// What a block has found. The sums leave out elements of which one side is not finite.
struct BlockDifferences {
  double error, norm, largest, worst;
  unsigned long long not_finite;
};

struct CompareArgs {
  /// T [n], f32 [n], BlockDifferences [blocks]
  uint64_t found, expected, blocks;
  int64_t n;
};

template <class T>
__device__ __forceinline__ void compare(const CompareArgs& a) {
  __shared__ BlockDifferences all[256];
  const T* found = reinterpret_cast<const T*>(a.found);
  const float* expected = reinterpret_cast<const float*>(a.expected);
  BlockDifferences d{0, 0, 0, 0, 0};
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < a.n; i += int64_t{gridDim.x} * 256) {
    const double f = to_float(found[i]), e = expected[i], difference = fabs(f - e);
    if (difference < INFINITY) {
      d.error += difference * difference;
      d.norm += e * e;
      d.largest = fmax(d.largest, fabs(e));
      d.worst = fmax(d.worst, difference);
    } else if (f != e) {
      ++d.not_finite;
    }
  }
  all[threadIdx.x] = d;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int t = 1; t < 256; ++t) {
    d.error += all[t].error;
    d.norm += all[t].norm;
    d.largest = fmax(d.largest, all[t].largest);
    d.worst = fmax(d.worst, all[t].worst);
    d.not_finite += all[t].not_finite;
  }
  reinterpret_cast<BlockDifferences*>(a.blocks)[blockIdx.x] = d;
}
IFT_KERNEL(test_compare_f32, CompareArgs, compare<float>, 256)
IFT_KERNEL(test_compare_bf16, CompareArgs, compare<bf16>, 256)

struct CountArgs {
  /// bytes [n] each; u64
  uint64_t a, b, count;
  int64_t n;
};

/// Bytes that differ.
__device__ __forceinline__ void count_unequal(const CountArgs& a) {
  unsigned long long count = 0;
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < a.n; i += int64_t{gridDim.x} * 256) {
    count += reinterpret_cast<const uint8_t*>(a.a)[i] != reinterpret_cast<const uint8_t*>(a.b)[i];
  }
  if (count != 0) atomicAdd(reinterpret_cast<unsigned long long*>(a.count), count);
}
IFT_KERNEL(test_count_unequal, CountArgs, count_unequal, 256)

struct WidenArgs {
  /// f32 [n], bf16 [n]
  uint64_t y, x;
  int64_t n;
};

__device__ __forceinline__ void widen(const WidenArgs& a) {
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < a.n; i += int64_t{gridDim.x} * 256) {
    reinterpret_cast<float*>(a.y)[i] = to_float(reinterpret_cast<const bf16*>(a.x)[i]);
  }
}
IFT_KERNEL(test_widen, WidenArgs, widen, 256)

/// Blocks of 256 threads for n elements, each of which takes several.
inline unsigned striding_blocks(int64_t n) { return unsigned(std::max<int64_t>(1, std::min<int64_t>(n / 2048, 1024))); }

/// y = x in f32.
inline void widen_on_device(const Device<float>& y, const Device<bf16>& x) {
  const WidenArgs a{y.address(), x.address(), int64_t(x.size())};
  IFT_LAUNCH(test_widen, a, striding_blocks(a.n), 256, 0);
}

/// As expect_close of compare.h, for a result and an expectation on the device.
template <class T>
void expect_close_on_device(const std::string& name, const Device<T>& found, const Device<float>& expected, double limit,
                            const Layout& layout) {
  check();
  const int64_t n = int64_t(expected.size());
  const unsigned blocks = striding_blocks(n);
  const Device<BlockDifferences> parts(blocks, BlockDifferences{});
  const CompareArgs a{found.address(), expected.address(), parts.address(), n};
  if constexpr (std::is_same<T, float>::value) {
    IFT_LAUNCH(test_compare_f32, a, blocks, 256, 0);
  } else {
    IFT_LAUNCH(test_compare_bf16, a, blocks, 256, 0);
  }
  Differences d;
  for (const BlockDifferences& part : parts.host()) {
    d.error += part.error, d.norm += part.norm, d.not_finite += part.not_finite;
    d.largest = std::max(d.largest, part.largest), d.worst = std::max(d.worst, part.worst);
  }
  if (d.close(limit)) return;
  const std::string fields = differences(found.host(), doubles(expected.host()), limit, layout);
  current_case().fail("\"check\":" + quoted(name) + "," + (fields.empty() ? d.fields(limit) : fields));
}

/// Whether two results on the device have the same bits.
template <class T>
bool same_on_device(const Device<T>& one, const Device<T>& other) {
  const Device<uint64_t> count(1, uint64_t{0});
  const int64_t bytes = int64_t(one.size() * sizeof(T));
  const CountArgs a{one.address(), other.address(), count.address(), bytes};
  IFT_LAUNCH(test_count_unequal, a, striding_blocks(bytes), 256, 0);
  return count.host()[0] == 0;
}

}  // namespace test
