// Quantised weights: NF4 with double quantisation (Dettmers et al. 2023, arXiv:2305.14314) and int8 with a scale a row.
// Codes, scales and values are the same bits on every backend: no operation is fused with another.
#include "args/quantize.h"
#include "quantized.h"
#include "rows.h"

namespace ift {

// Weights a thread handles at a time: half a word of NF4 codes.
inline constexpr int kChunk = 8;

// Largest magnitudes of one partial sum.
inline constexpr int kMeanPiece = 4096;

__device__ __forceinline__ float share(float x, float of) { return of == 0.0f ? 0.0f : x / of; }

__device__ __forceinline__ uint32_t nf4_code(float t) {
  uint32_t code = 0;
#pragma unroll
  for (int i = 0; i < 15; ++i) code += t > __fadd_rn(kNf4Levels[i], kNf4Levels[i + 1]) * 0.5f ? 1 : 0;
  return code;
}

// kChunk values of x from element `at` of n, 0 behind the end.
template <class T>
__device__ __forceinline__ void load_chunk(float (&v)[kChunk], const T* x, int64_t at, int64_t n) {
  if (at + kChunk <= n && aligned<kChunk>(x)) {
    load_pack(v, x + at);
  } else {
#pragma unroll
    for (int i = 0; i < kChunk; ++i) v[i] = at + i < n ? to_float(x[at + i]) : 0.0f;
  }
}

template <class T>
__device__ __forceinline__ void store_chunk(T* y, const float (&v)[kChunk], int64_t at, int64_t n) {
  if (at + kChunk <= n && aligned<kChunk>(y)) {
    store_pack(y + at, v);
  } else {
#pragma unroll
    for (int i = 0; i < kChunk; ++i) {
      if (at + i < n) y[at + i] = from_float<T>(v[i]);
    }
  }
}

__device__ __forceinline__ float magnitude(const float (&v)[kChunk]) {
  float most = 0.0f;
#pragma unroll
  for (int i = 0; i < kChunk; ++i) most = fmaxf(most, fabsf(v[i]));
  return most;
}

// Eight threads a block of 64. Launch: 256 threads, ceil(n / (256 · kChunk)) blocks.
template <class T>
__device__ void quantize_nf4(const QuantizeArgs& a) {
  const int64_t n = a.w.rows * a.w.cols;
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kChunk;
  float v[kChunk];
  load_chunk(v, static_cast<const T*>(a.x), at, n);
  float most = magnitude(v);
#pragma unroll
  for (int lanes = 1; lanes < 8; lanes *= 2) most = fmaxf(most, __shfl_xor_sync(FULL_WARP, most, lanes));
  if (at >= n) return;
  if (at % kNf4Block == 0) a.largest[at / kNf4Block] = most;
#pragma unroll
  for (int i = 0; i < kChunk; i += 2) {
    if (at + i >= n) break;
    const uint32_t high = nf4_code(share(v[i], most));
    const uint32_t low = at + i + 1 < n ? nf4_code(share(v[i + 1], most)) : 0;
    a.w.codes[(at + i) / 2] = static_cast<uint8_t>(high << 4 | low);
  }
}

// The sum over a block of 256 threads.
__device__ __forceinline__ double block_sum_256(double v) {
  __shared__ double sums[256];
  sums[threadIdx.x] = v;
  __syncthreads();
#pragma unroll
  for (int half = 128; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  return sums[0];
}

// Launch: 256 threads, ceil(blocks / kMeanPiece) blocks.
__device__ void sum_largest(const QuantizeScalesArgs& a) {
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kMeanPiece;
  const int64_t end = first + kMeanPiece < a.blocks ? first + kMeanPiece : a.blocks;
  double sum = 0.0;
  for (int64_t b = first + threadIdx.x; b < end; b += 256) sum += static_cast<double>(a.largest[b]);
  sum = block_sum_256(sum);
  if (threadIdx.x == 0) a.partial[blockIdx.x] = sum;
}

// groups[0]. Launch: one block of 256 threads.
__device__ void mean_largest(const QuantizeScalesArgs& a) {
  double sum = 0.0;
  for (int64_t p = threadIdx.x; p < a.parts; p += 256) sum += a.partial[p];
  sum = block_sum_256(sum);
  if (threadIdx.x == 0) a.w.groups[0] = a.blocks == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(a.blocks));
}

// A group a block. Launch: kNf4Group threads, ceil(blocks / kNf4Group) blocks.
__device__ void quantize_scales(const QuantizeScalesArgs& a) {
  __shared__ float partial[32];
  const int64_t b = static_cast<int64_t>(blockIdx.x) * kNf4Group + threadIdx.x;
  const float rest = b < a.blocks ? __fadd_rn(a.largest[b], -a.w.groups[0]) : 0.0f;
  const float most = block_max(fabsf(rest), partial);
  if (threadIdx.x == 0) a.w.groups[1 + blockIdx.x] = most;
  if (b >= a.blocks) return;
  const float t = share(rest, most);
  // How many midpoints lie below t.
  int low = 0, high = 255;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (t > __fadd_rn(kDynamicLevels[middle], kDynamicLevels[middle + 1]) * 0.5f) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  static_cast<uint8_t*>(a.w.scales)[b] = static_cast<uint8_t>(low);
}

// A row a block. Launch: 256 threads, rows blocks.
template <class T>
__device__ void quantize_int8(const QuantizeArgs& a) {
  __shared__ float partial[32];
  const int64_t cols = a.w.cols, row = blockIdx.x;
  const T* x = static_cast<const T*>(a.x) + row * cols;
  uint8_t* codes = a.w.codes + row * cols;
  float most = 0.0f;
  for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) most = fmaxf(most, fabsf(to_float(x[c])));
  most = block_max(most, partial);
  if (threadIdx.x == 0) static_cast<float*>(a.w.scales)[row] = most;
  const float factor = most == 0.0f ? 0.0f : 127.0f / most;
  for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) {
    const float code = most == 0.0f ? 0.0f : rintf(__fmul_rn(to_float(x[c]), factor));
    codes[c] = static_cast<uint8_t>(static_cast<int8_t>(static_cast<int>(code)));
  }
}

// Four chunks a thread, so that enough codes are on their way. Launch: 256 threads, ceil(n / (1024 · kChunk)) blocks.
template <class T>
__device__ void dequantize_nf4(const DequantizeArgs& a) {
  // 16 banks: lanes with different codes never wait for each other.
  __shared__ float levels[16];
  if (threadIdx.x < 16) levels[threadIdx.x] = kNf4Levels[threadIdx.x];
  __syncthreads();
  const int64_t n = a.w.rows * a.w.cols;
  const uint8_t* scales = static_cast<const uint8_t*>(a.w.scales);
  const float mean = a.w.groups[0];
  const bool words = reinterpret_cast<uintptr_t>(a.w.codes) % 4 == 0;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * 1024 + threadIdx.x;
  uint32_t codes[4];
  float scale[4];
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const int64_t at = (first + 256 * k) * kChunk;
    codes[k] = 0;
    scale[k] = 0.0f;
    if (at >= n) continue;
    if (words && at + kChunk <= n) {
      codes[k] = *reinterpret_cast<const uint32_t*>(a.w.codes + at / 2);
    } else {
#pragma unroll
      for (int i = 0; i < kChunk; i += 2) {
        if (at + i < n) codes[k] |= static_cast<uint32_t>(a.w.codes[(at + i) / 2]) << (4 * i);
      }
    }
    const int64_t block = at / kNf4Block;
    scale[k] = nf4_scale(scales[block], a.w.groups[1 + block / kNf4Group], mean);
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    float v[kChunk];
#pragma unroll
    for (int i = 0; i < kChunk; ++i) {
      // The upper half of a byte comes first.
      v[i] = __fmul_rn(levels[codes[k] >> (4 * (i ^ 1)) & 15], scale[k]);
    }
    store_chunk(static_cast<T*>(a.y), v, (first + 256 * k) * kChunk, n);
  }
}

// Launch: 256 threads, blockDim (X, Y) over chunks of a row and rows.
template <class T>
__device__ void dequantize_int8(const DequantizeArgs& a) {
  const int64_t cols = a.w.cols;
  const float* scales = static_cast<const float*>(a.w.scales);
  const bool words = cols % kChunk == 0 && reinterpret_cast<uintptr_t>(a.w.codes) % 8 == 0;
  const int64_t c = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kChunk;
  if (c >= cols) return;
#pragma unroll 1
  for (int64_t r = static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; r < a.w.rows;
       r += static_cast<int64_t>(gridDim.y) * blockDim.y) {
    const uint8_t* codes = a.w.codes + r * cols + c;
    const float scale = scales[r];
    T* y = static_cast<T*>(a.y) + r * cols;
    float v[kChunk];
    uint32_t packed[2] = {0, 0};
    if (words) {
      const uint2 both = *reinterpret_cast<const uint2*>(codes);
      packed[0] = both.x, packed[1] = both.y;
    } else {
#pragma unroll
      for (int i = 0; i < kChunk; ++i) {
        if (c + i < cols) packed[i / 4] |= static_cast<uint32_t>(codes[i]) << (8 * (i % 4));
      }
    }
#pragma unroll
    for (int i = 0; i < kChunk; ++i) {
      const int8_t code = static_cast<int8_t>(packed[i / 4] >> (8 * (i % 4)));
      v[i] = __fmul_rn(__fmul_rn(static_cast<float>(code), scale), kInt8Step);
    }
    store_chunk(y, v, c, cols);
  }
}

}  // namespace ift

#define IFT_QUANTIZE_KERNELS(dtype, T)                                                      \
  IFT_KERNEL(ift_quantize_nf4_##dtype, ift::QuantizeArgs, ift::quantize_nf4<T>, 256)        \
  IFT_KERNEL(ift_quantize_int8_##dtype, ift::QuantizeArgs, ift::quantize_int8<T>, 256)      \
  IFT_KERNEL(ift_dequantize_nf4_##dtype, ift::DequantizeArgs, ift::dequantize_nf4<T>, 256)  \
  IFT_KERNEL(ift_dequantize_int8_##dtype, ift::DequantizeArgs, ift::dequantize_int8<T>, 256)

IFT_QUANTIZE_KERNELS(f32, float)
IFT_QUANTIZE_KERNELS(bf16, bf16)
IFT_QUANTIZE_KERNELS(f16, f16)
IFT_KERNEL(ift_sum_largest, ift::QuantizeScalesArgs, ift::sum_largest, 256)
IFT_KERNEL(ift_mean_largest, ift::QuantizeScalesArgs, ift::mean_largest, 256)
IFT_KERNEL(ift_quantize_scales, ift::QuantizeScalesArgs, ift::quantize_scales, 256)
