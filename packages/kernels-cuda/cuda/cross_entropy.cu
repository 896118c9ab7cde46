// Softmax cross-entropy over the vocabulary: one pass over the logits for the online maximum and sum (Milakov &
// Gimelshein 2018, arXiv:1805.02867), a second, from the second-level cache, for the gradient.
#include "args/loss.h"
#include "reduce.h"
#include "report.h"
#include "vector.h"

namespace ift {

// Calls f(column, whole) for the packs of N columns of a row and, with whole false, for single columns in front of the
// first pack and behind the last. `head` columns come before the first place a pack may start at.
template <int N, class F>
__device__ __forceinline__ void for_packs(int vocab, int head, F f) {
  const int packs = (vocab - head) / N, thread = threadIdx.x;
  for (int p = thread; p < packs; p += blockDim.x) f(head + p * N, true);
  const int tail = head + packs * N;
  if (thread < head) f(thread, false);
  if (thread < vocab - tail) f(tail + thread, false);
}

// Columns of a row before one where packs of N may start.
template <int N, class T>
__device__ __forceinline__ int columns_before_pack(const T* row, int vocab) {
  const int phase = static_cast<int>(reinterpret_cast<uintptr_t>(row) / sizeof(T) % N);
  const int head = phase == 0 ? 0 : N - phase;
  return head < vocab ? head : vocab;
}

// The sum of exp(x - max) of what was seen so far.
struct Online {
  float max = -INFINITY, sum = 0.0f;
  // For several values whose maximum is `m`. Exponents of values that are all -inf stay 0, not NaN.
  template <int N>
  __device__ __forceinline__ void add(const float (&x)[N]) {
    float m = max;
#pragma unroll
    for (int i = 0; i < N; ++i) m = fmaxf(m, x[i]);
    const float base = m == -INFINITY ? 0.0f : m;
    sum *= expf(max - base);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += expf(x[i] - base);
    max = m;
  }
};

// grad may be logits of the same type. Launch: a block of at least 32 threads a row.
template <class T, class G>
__device__ void cross_entropy(const CrossEntropyArgs& a) {
  constexpr int N = kLanes<T, G>;
  const int64_t row = blockIdx.x;
  const int vocab = a.vocab, label = a.labels[row];
  const T* logits = static_cast<const T*>(a.logits) + row * vocab;
  G* grad = a.grad == nullptr ? nullptr : static_cast<G*>(a.grad) + row * vocab;
  if (label >= vocab) {
    if (threadIdx.x == 0) report_index(a.error, INDEX_CROSS_ENTROPY_LABELS, row, label, vocab);
    return;
  }
  if (label < 0) {
    if (threadIdx.x == 0) a.loss[row] = 0.0f;
    if (grad == nullptr) return;
    const float zero[N] = {};
    for_packs<N>(vocab, columns_before_pack<N>(grad, vocab), [&](int c, bool whole) {
      if (whole) {
        store_pack(grad + c, zero);
      } else {
        grad[c] = from_float<G>(0.0f);
      }
    });
    return;
  }
  const int head = columns_before_pack<N>(logits, vocab);
  const float chosen = to_float(logits[label]);
  Online seen;
  for_packs<N>(vocab, head, [&](int c, bool whole) {
    if (whole) {
      float x[N];
      load_pack(x, logits + c);
      seen.add(x);
    } else {
      const float x[1] = {to_float(logits[c])};
      seen.add(x);
    }
  });
  const float max = block_maximum(seen.max);
  const float base = max == -INFINITY ? 0.0f : max;
  const float total = row_total(seen.sum * expf(seen.max - base));
  if (threadIdx.x == 0) a.loss[row] = logf(total) + (max - chosen);
  if (grad == nullptr) return;
  const float scale = a.grad_scale / total;
  const auto slope = [&](float x, int c) {
    const float softmax = expf(x - base) * scale;
    return c == label ? softmax - a.grad_scale : softmax;
  };
  if (columns_before_pack<N>(grad, vocab) == head) {
    for_packs<N>(vocab, head, [&](int c, bool whole) {
      if (whole) {
        float x[N];
        load_pack(x, logits + c);
#pragma unroll
        for (int i = 0; i < N; ++i) x[i] = slope(x[i], c + i);
        store_pack(grad + c, x);
      } else {
        grad[c] = from_float<G>(slope(to_float(logits[c]), c));
      }
    });
  } else {
    for (int c = threadIdx.x; c < vocab; c += blockDim.x) grad[c] = from_float<G>(slope(to_float(logits[c]), c));
  }
}

}  // namespace ift

IFT_KERNEL(ift_cross_entropy_f32_f32, ift::CrossEntropyArgs, (ift::cross_entropy<float, float>), 1024)
IFT_KERNEL(ift_cross_entropy_f32_bf16, ift::CrossEntropyArgs, (ift::cross_entropy<float, bf16>), 1024)
IFT_KERNEL(ift_cross_entropy_f32_f16, ift::CrossEntropyArgs, (ift::cross_entropy<float, f16>), 1024)
IFT_KERNEL(ift_cross_entropy_bf16_f32, ift::CrossEntropyArgs, (ift::cross_entropy<bf16, float>), 1024)
IFT_KERNEL(ift_cross_entropy_bf16_bf16, ift::CrossEntropyArgs, (ift::cross_entropy<bf16, bf16>), 1024)
IFT_KERNEL(ift_cross_entropy_bf16_f16, ift::CrossEntropyArgs, (ift::cross_entropy<bf16, f16>), 1024)
IFT_KERNEL(ift_cross_entropy_f16_f32, ift::CrossEntropyArgs, (ift::cross_entropy<f16, float>), 1024)
IFT_KERNEL(ift_cross_entropy_f16_bf16, ift::CrossEntropyArgs, (ift::cross_entropy<f16, bf16>), 1024)
IFT_KERNEL(ift_cross_entropy_f16_f16, ift::CrossEntropyArgs, (ift::cross_entropy<f16, f16>), 1024)
