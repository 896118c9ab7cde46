// The highest entries of rows, for greedy decoding and sampling. A block a row: radix selection over the bits of the
// entries finds the k-th highest, those above it are gathered in any order, those equal to it from the left, and the
// few that remain are sorted in shared memory.
#include "args/top_rows.h"
#include "reduce.h"

namespace ift {

// The highest k: `mostTop` of backend.ts.
constexpr int kMostTop = 1024;

// Bits that a round of the selection decides, and how often 11 of them make 32.
constexpr int kRadixBits = 11, kRadixBins = 1 << kRadixBits, kRadixRounds = 3;

// A whole number in the order of the floats, NaN below all of them and both zeros equal.
__device__ __forceinline__ uint32_t rank_of(float x) {
  if (x != x) return 0;
  const uint32_t bits = __float_as_uint(x + 0.0f);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

// Rank and column in one number, of which the higher comes first: of equal entries the one on the left.
__device__ __forceinline__ uint64_t entry_of(uint32_t rank, int column) {
  return static_cast<uint64_t>(rank) << 32 | ~static_cast<uint32_t>(column);
}

__device__ __forceinline__ int column_of(uint64_t entry) { return static_cast<int>(~static_cast<uint32_t>(entry)); }

// The highest entry of a block's threads, known to all of them.
__device__ __forceinline__ uint64_t block_highest(uint64_t entry) {
  __shared__ uint64_t partial[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const auto highest = [](uint64_t value) {
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) {
      const uint32_t upper = __shfl_xor_sync(FULL_WARP, static_cast<uint32_t>(value >> 32), lanes);
      const uint32_t lower = __shfl_xor_sync(FULL_WARP, static_cast<uint32_t>(value), lanes);
      const uint64_t other = static_cast<uint64_t>(upper) << 32 | lower;
      if (other > value) value = other;
    }
    return value;
  };
  entry = highest(entry);
  if (lane == 0) partial[warp] = entry;
  __syncthreads();
  return highest(lane < static_cast<int>(blockDim.x) / 32 ? partial[lane] : 0);
}

// The k-th highest entry of a row: its rank, and how many of the k have this very rank.
struct Boundary {
  uint32_t rank;
  int equal;
};

template <class T>
__device__ Boundary find_boundary(const T* row, int cols, int k) {
  __shared__ int bins[kRadixBins];
  __shared__ Boundary found;
  const int thread = threadIdx.x;
  uint32_t prefix = 0;
  int wanted = k;
#pragma unroll 1
  for (int round = 0; round < kRadixRounds; ++round) {
    // The bits that this round decides; the last has one fewer.
    const int shift = round == 2 ? 0 : 32 - kRadixBits * (round + 1);
    const int width = round == 2 ? 32 - 2 * kRadixBits : kRadixBits;
    const int decided = shift + width;
    for (int b = thread; b < kRadixBins; b += blockDim.x) bins[b] = 0;
    __syncthreads();
    for (int c = thread; c < cols; c += blockDim.x) {
      const uint32_t rank = rank_of(to_float(row[c]));
      // Shifting 32 bits by 32 is undefined.
      if (round == 0 || rank >> decided == prefix) atomicAdd(&bins[rank >> shift & ((1u << width) - 1)], 1);
    }
    __syncthreads();
    if (thread < 32) {
      // A lane takes a run of bins, the last lane the highest, each begins elsewhere so that all banks are read.
      constexpr int kRun = kRadixBins / 32;
      int own = 0;
      for (int i = 0; i < kRun; ++i) own += bins[thread * kRun + (i + thread) % kRun];
      int above = own;
#pragma unroll
      for (int lanes = 1; lanes < 32; lanes *= 2) {
        const int more = __shfl_down_sync(FULL_WARP, above, lanes);
        if (thread + lanes < 32) above += more;
      }
      above -= own;
      if (above < wanted && wanted <= above + own) {
        int bin = thread * kRun + kRun - 1;
        for (; above + bins[bin] < wanted; --bin) above += bins[bin];
        found = {prefix << width | static_cast<uint32_t>(bin), wanted - above};
      }
    }
    __syncthreads();
    prefix = found.rank;
    wanted = found.equal;
  }
  return {prefix, wanted};
}

// Puts the k highest entries of a row into shared memory, in any order.
template <class T>
__device__ void gather_highest(uint64_t* entries, const T* row, int cols, int k, Boundary boundary) {
  __shared__ int higher;
  __shared__ int equal_of_warp[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  // A warp walks columns that lie together: what is equal is counted from the left.
  const int run = (cols + 32 * warps - 1) / (32 * warps) * 32;
  const int first = warp * run;
  if (threadIdx.x == 0) higher = 0;
  __syncthreads();
  int equal = 0;
  for (int i = 0; i < run; i += 32) {
    const int c = first + i + lane;
    const uint32_t rank = c < cols ? rank_of(to_float(row[c])) : 0;
    if (c < cols && rank > boundary.rank) entries[atomicAdd(&higher, 1)] = entry_of(rank, c);
    equal += __popc(__ballot_sync(FULL_WARP, c < cols && rank == boundary.rank));
  }
  if (lane == 0) equal_of_warp[warp] = equal;
  __syncthreads();
  int at = 0;
  for (int w = 0; w < warp; ++w) at += equal_of_warp[w];
  // Behind those that are higher.
  const int base = k - boundary.equal;
  for (int i = 0; i < run && at < boundary.equal; i += 32) {
    const int c = first + i + lane;
    const bool same = c < cols && rank_of(to_float(row[c])) == boundary.rank;
    const unsigned lanes = __ballot_sync(FULL_WARP, same);
    const int place = at + __popc(lanes & ((1u << lane) - 1));
    if (same && place < boundary.equal) entries[base + place] = entry_of(boundary.rank, c);
    at += __popc(lanes);
  }
}

// Sorts a power of two of entries, the highest first (Batcher 1968).
__device__ __forceinline__ void sort_entries(uint64_t* entries, int count) {
  for (int size = 2; size <= count; size *= 2) {
    for (int step = size / 2; step > 0; step /= 2) {
#ifndef IFT_PLANT_NO_BARRIER_IN_SORT
      __syncthreads();
#endif
      for (int p = threadIdx.x; p < count / 2; p += blockDim.x) {
        const int i = 2 * step * (p / step) + p % step, j = i + step;
        const uint64_t a = entries[i], b = entries[j];
        const bool descending = (i & size) == 0;
        if ((a < b) == descending) entries[i] = b, entries[j] = a;
      }
    }
  }
  __syncthreads();
}

// Launch: a block of whole warps a row.
template <class T>
__device__ void top_rows(const TopRowsArgs& a) {
  __shared__ uint64_t entries[kMostTop];
  const int64_t r = blockIdx.x;
  const T* row = static_cast<const T*>(a.x) + r * a.cols;
  const int cols = a.cols, k = a.k;
  uint64_t own = 0;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    const uint64_t entry = entry_of(rank_of(to_float(row[c])), c);
    if (entry > own) own = entry;
  }
  const uint64_t highest = block_highest(own);
  if (a.log_sum != nullptr) {
    const float max = to_float(row[column_of(highest)]);
    float sum = 0.0f;
    // The exponents of values that are all -inf stay 0, not NaN.
    if (max != -INFINITY) {
      for (int c = threadIdx.x; c < cols; c += blockDim.x) sum += expf(a.scale * (to_float(row[c]) - max));
    }
    const float total = row_total(sum);
    if (threadIdx.x == 0) a.log_sum[r] = a.scale * max + logf(total);
  }
  if (k == 1) {
    if (threadIdx.x == 0) entries[0] = highest;
    __syncthreads();
  } else {
    int count = 2;
    while (count < k) count *= 2;
    for (int i = k + threadIdx.x; i < count; i += blockDim.x) entries[i] = 0;
    gather_highest(entries, row, cols, k, find_boundary(row, cols, k));
    sort_entries(entries, count);
  }
  for (int i = threadIdx.x; i < k; i += blockDim.x) {
    const int column = column_of(entries[i]);
    a.values[r * k + i] = to_float(row[column]);
    a.indices[r * k + i] = column;
  }
}

}  // namespace ift

IFT_KERNEL(ift_top_rows_f32, ift::TopRowsArgs, ift::top_rows<float>, 1024)
IFT_KERNEL(ift_top_rows_bf16, ift::TopRowsArgs, ift::top_rows<bf16>, 1024)
IFT_KERNEL(ift_top_rows_f16, ift::TopRowsArgs, ift::top_rows<f16>, 1024)
