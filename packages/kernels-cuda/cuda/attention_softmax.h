// The online softmax of scores in accumulator fragments (Milakov & Gimelshein 2018, arXiv:1805.02867).
#pragma once
#include "ift_cuda.h"

/// Running softmax of the rows that a lane has: two of each 16.
template <int M>
struct RunningSoftmax {
  /// Largest raw score so far; sum of weights of this lane's columns.
  float largest[M][2], sum[M][2];

  __device__ __forceinline__ void reset() {
#pragma unroll
    for (int m = 0; m < M; ++m) {
      largest[m][0] = largest[m][1] = -INFINITY;
      sum[m][0] = sum[m][1] = 0.0f;
    }
  }

  /// Turns raw scores into weights and scales what was summed before.
  template <int N, int COLUMNS>
  __device__ __forceinline__ void update(float (&score)[M][N][4], float (&sums)[M][COLUMNS][4], float scale_log2) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float top = largest[m][half];
#pragma unroll
        for (int n = 0; n < N; ++n) top = fmaxf(top, fmaxf(score[m][n][2 * half], score[m][n][2 * half + 1]));
        top = fmaxf(top, __shfl_xor_sync(FULL_WARP, top, 1));
        top = fmaxf(top, __shfl_xor_sync(FULL_WARP, top, 2));
        // A row that sees nothing yet: any base keeps its weights at zero.
        const float base = top == -INFINITY ? 0.0f : top * scale_log2;
        const float shrink = exp2_approximate(largest[m][half] * scale_log2 - base);
        largest[m][half] = top;
        float added = 0.0f;
#pragma unroll
        for (int n = 0; n < N; ++n) {
#pragma unroll
          for (int e = 2 * half; e < 2 * half + 2; ++e) {
            score[m][n][e] = exp2_approximate(score[m][n][e] * scale_log2 - base);
            added += score[m][n][e];
          }
        }
        sum[m][half] = sum[m][half] * shrink + added;
#pragma unroll
        for (int n = 0; n < COLUMNS; ++n) {
          sums[m][n][2 * half] *= shrink;
          sums[m][n][2 * half + 1] *= shrink;
        }
      }
    }
  }

  __device__ __forceinline__ void finish() {
#pragma unroll
    for (int m = 0; m < M; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        sum[m][half] += __shfl_xor_sync(FULL_WARP, sum[m][half], 1);
        sum[m][half] += __shfl_xor_sync(FULL_WARP, sum[m][half], 2);
      }
    }
  }
};
