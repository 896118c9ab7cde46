// The product of a decoding step with a quantised weight, which reads the weight's bits once: a warp sums one or two
// rows of the weight with up to 16 rows of x, which lie in shared memory a tile of columns at a time.
#include "args/quantize.h"
#include "quantized.h"
#include "reduce.h"

namespace ift {

// Warps of a block, and weights of a row that a lane handles at a time.
inline constexpr int kProductWarps = 8;
inline constexpr int kLaneWeights = 8;
inline constexpr int kStep = 32 * kLaneWeights;

template <int M>
struct ProductShape {
  // Rows of the weight a warp sums.
  static constexpr int kRows = M <= 2 ? 2 : 1;
  // Steps of columns in a tile: at most 32 KiB of x, and codes that fit in registers.
  static constexpr int kSteps = M <= 2 ? 8 : M <= 8 ? 4 : 2;
  static constexpr int kTile = kSteps * kStep;
};

// Eight codes of a lane, unpacked to floats without the scale of their block or row.
struct Nf4Codes {
  static constexpr int kWords = 1;
  uint32_t words[kWords];
  __device__ __forceinline__ void load(const uint8_t* codes, int64_t element) {
    words[0] = *reinterpret_cast<const uint32_t*>(codes + element / 2);
  }
  __device__ __forceinline__ float level(int i, const float* levels) const {
    // The upper half of a byte comes first.
    return levels[words[0] >> (4 * (i ^ 1)) & 15];
  }
  __device__ __forceinline__ static float scale(const QuantizedArgs& w, int64_t element, float mean) {
    const int64_t block = element / kNf4Block;
    return nf4_scale(static_cast<const uint8_t*>(w.scales)[block], w.groups[1 + block / kNf4Group], mean);
  }
  // One element anywhere in the matrix.
  __device__ __forceinline__ static float value(const QuantizedArgs& w, int64_t element, float mean) {
    const uint32_t byte = w.codes[element / 2];
    return kNf4Levels[element % 2 == 0 ? byte >> 4 : byte & 15] * scale(w, element, mean);
  }
  // Chunks that lie in one block, at addresses of whole words.
  __device__ __forceinline__ static bool whole(const QuantizedArgs& w) {
    return w.cols % kLaneWeights == 0 && reinterpret_cast<uintptr_t>(w.codes) % 4 == 0;
  }
};

struct Int8Codes {
  static constexpr int kWords = 2;
  uint32_t words[kWords];
  __device__ __forceinline__ void load(const uint8_t* codes, int64_t element) {
    const uint2 both = *reinterpret_cast<const uint2*>(codes + element);
    words[0] = both.x, words[1] = both.y;
  }
  __device__ __forceinline__ float level(int i, const float*) const {
    return static_cast<float>(static_cast<int8_t>(words[i / 4] >> (8 * (i % 4))));
  }
  __device__ __forceinline__ static float scale(const QuantizedArgs& w, int64_t element, float) {
    return static_cast<const float*>(w.scales)[element / w.cols] * kInt8Step;
  }
  __device__ __forceinline__ static float value(const QuantizedArgs& w, int64_t element, float) {
    return static_cast<float>(static_cast<int8_t>(w.codes[element])) * scale(w, element, 0.0f);
  }
  __device__ __forceinline__ static bool whole(const QuantizedArgs& w) {
    return w.cols % kLaneWeights == 0 && reinterpret_cast<uintptr_t>(w.codes) % 8 == 0;
  }
};

template <class T>
__device__ __forceinline__ void write_product(const QuantizedProductArgs& a, int64_t at, float sum, int64_t row) {
  if (a.bias != nullptr) sum += to_float(static_cast<const T*>(a.bias)[row]);
  const bool accumulate = a.accumulate != 0;
  if (a.out_dtype == 0) {
    store_onto(static_cast<float*>(a.y) + at, sum, accumulate);
  } else if (a.out_dtype == 1) {
    store_onto(static_cast<bf16*>(a.y) + at, sum, accumulate);
  } else {
    store_onto(static_cast<f16*>(a.y) + at, sum, accumulate);
  }
}

// a.m <= M. Launch: blockDim (32, kProductWarps), ceil(rows / (kProductWarps · kRows)) blocks.
template <class T, class Codes, int M>
__device__ void quantized_product(const QuantizedProductArgs& a) {
  using Shape = ProductShape<M>;
  constexpr int R = Shape::kRows;
  // [m][step][half][lane][4]: lanes read their eight values as two vectors without bank conflicts.
  __shared__ __align__(16) float tile[M * Shape::kTile];
  __shared__ float levels[16];
  const int lane = threadIdx.x, thread = threadIdx.y * 32 + lane;
  if (thread < 16) levels[thread] = kNf4Levels[thread];
  const QuantizedArgs& w = a.w;
  const int64_t cols = w.cols;
  const int64_t first = (static_cast<int64_t>(blockIdx.x) * kProductWarps + threadIdx.y) * R;
  const T* x = static_cast<const T*>(a.x);
  const float mean = w.groups != nullptr ? w.groups[0] : 0.0f;
  float sum[R][M] = {};
  if (Codes::whole(w)) {
    for (int64_t start = 0; start < cols; start += Shape::kTile) {
      // The codes are on their way while x is brought.
      Codes codes[R][Shape::kSteps];
      float scale[R][Shape::kSteps];
#pragma unroll
      for (int r = 0; r < R; ++r) {
#pragma unroll
        for (int s = 0; s < Shape::kSteps; ++s) {
          const int64_t column = start + s * kStep + lane * kLaneWeights;
          scale[r][s] = 0.0f;
          codes[r][s] = {};
          if (first + r < w.rows && column < cols) {
            const int64_t element = (first + r) * cols + column;
            codes[r][s].load(w.codes, element);
            scale[r][s] = Codes::scale(w, element, mean);
          }
        }
      }
      __syncthreads();
      for (int i = thread; i < M * Shape::kTile; i += 32 * kProductWarps) {
        const int row = i / Shape::kTile, c = i % Shape::kTile;
        const float value = row < a.m && start + c < cols ? to_float(x[row * cols + start + c]) : 0.0f;
        const int step = c / kStep, owner = c % kStep / kLaneWeights, k = c % kLaneWeights;
        tile[row * Shape::kTile + step * kStep + k / 4 * 128 + owner * 4 + k % 4] = value;
      }
#ifndef IFT_PLANT_NO_BARRIER_IN_PRODUCT
      __syncthreads();
#endif
#pragma unroll
      for (int s = 0; s < Shape::kSteps; ++s) {
        float weight[R][kLaneWeights];
#pragma unroll
        for (int r = 0; r < R; ++r) {
#pragma unroll
          for (int k = 0; k < kLaneWeights; ++k) weight[r][k] = codes[r][s].level(k, levels);
        }
#pragma unroll
        for (int m = 0; m < M; ++m) {
          const float* here = tile + m * Shape::kTile + s * kStep + lane * 4;
          float low[4], high[4];
          load_pack(low, here);
          load_pack(high, here + 128);
#pragma unroll
          for (int r = 0; r < R; ++r) {
            float part = 0.0f;
#pragma unroll
            for (int k = 0; k < 4; ++k) part = fmaf(weight[r][k], low[k], part);
#pragma unroll
            for (int k = 0; k < 4; ++k) part = fmaf(weight[r][4 + k], high[k], part);
            sum[r][m] = fmaf(scale[r][s], part, sum[r][m]);
          }
        }
      }
    }
  } else {
#pragma unroll
    for (int r = 0; r < R; ++r) {
      if (first + r >= w.rows) continue;
      for (int64_t c = lane; c < cols; c += 32) {
        const float value = Codes::value(w, (first + r) * cols + c, mean);
#pragma unroll
        for (int m = 0; m < M; ++m) {
          if (m < a.m) sum[r][m] = fmaf(value, to_float(x[m * cols + c]), sum[r][m]);
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
      const float total = warp_sum(sum[r][m]);
      if (lane == 0 && m < a.m && first + r < w.rows) write_product<T>(a, m * w.rows + first + r, total, first + r);
    }
  }
}

}  // namespace ift

#define IFT_PRODUCT_KERNEL(format, Codes, dtype, T, m) \
  IFT_KERNEL(ift_##format##_product_##m##_##dtype, ift::QuantizedProductArgs, (ift::quantized_product<T, ift::Codes, m>), 256)
#define IFT_PRODUCT_KERNELS(format, Codes, dtype, T)  \
  IFT_PRODUCT_KERNEL(format, Codes, dtype, T, 1)      \
  IFT_PRODUCT_KERNEL(format, Codes, dtype, T, 2)      \
  IFT_PRODUCT_KERNEL(format, Codes, dtype, T, 4)      \
  IFT_PRODUCT_KERNEL(format, Codes, dtype, T, 8)      \
  IFT_PRODUCT_KERNEL(format, Codes, dtype, T, 16)

IFT_PRODUCT_KERNELS(nf4, Nf4Codes, f32, float)
IFT_PRODUCT_KERNELS(nf4, Nf4Codes, bf16, bf16)
IFT_PRODUCT_KERNELS(nf4, Nf4Codes, f16, f16)
IFT_PRODUCT_KERNELS(int8, Int8Codes, f32, float)
IFT_PRODUCT_KERNELS(int8, Int8Codes, bf16, bf16)
IFT_PRODUCT_KERNELS(int8, Int8Codes, f16, f16)
