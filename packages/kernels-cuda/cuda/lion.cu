// Lion (Chen et al. 2023, arXiv:2302.06675), one pass over parameter, gradient and momentum.
#include "args/optimizer.h"
#include "vector.h"

namespace ift {

__device__ __forceinline__ void lion_step(const LionArgs& a, float& w, float& m, float grad) {
  const float direction = fmaf(a.beta1, m, a.rest1 * grad);
  // The sign of 0 is 0: what has neither gradient nor momentum stays.
  const float step = direction == 0.0f ? 0.0f : copysignf(a.lr, direction);
  w = fmaf(a.keep, w, -step);
  m = fmaf(a.beta2, m, a.rest2 * grad);
}

// Launch: 256 threads, ceil(n / (threads · 4)) blocks.
template <class T>
__device__ void lion(const LionArgs& a) {
  constexpr int N = 4;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x * N;
  const float scale = a.grad_scale != nullptr ? *a.grad_scale : 1.0f;
  if (isnan(scale)) return;
  T* param = static_cast<T*>(a.param);
  float* master = a.apart != 0 ? a.master : static_cast<float*>(a.param);
  const bool vectorised =
      aligned<N>(master) && aligned<N>(a.grad) && aligned<N>(a.m) && (a.apart == 0 || aligned<N>(param));
  const int64_t at = first + static_cast<int64_t>(threadIdx.x) * N;
  if (vectorised && at + N <= a.n) {
    float w[N], grad[N], m[N];
    load_pack(w, master + at);
    load_pack(grad, a.grad + at);
    load_pack(m, a.m + at);
#pragma unroll
    for (int i = 0; i < N; ++i) lion_step(a, w[i], m[i], grad[i] * scale);
    store_pack(master + at, w);
    store_pack(a.m + at, m);
    if (a.apart != 0) store_pack(param + at, w);
    return;
  }
  const int64_t start = vectorised ? at : first + threadIdx.x;
  const int64_t step = vectorised ? 1 : blockDim.x;
#pragma unroll 1
  for (int i = 0; i < N; ++i) {
    const int64_t k = start + i * step;
    if (k >= a.n) return;
    float w = master[k], m = a.m[k];
    lion_step(a, w, m, a.grad[k] * scale);
    master[k] = w, a.m[k] = m;
    if (a.apart != 0) param[k] = from_float<T>(w);
  }
}

}  // namespace ift

IFT_KERNEL(ift_lion_f32, ift::LionArgs, ift::lion<float>, 256)
IFT_KERNEL(ift_lion_bf16, ift::LionArgs, ift::lion<bf16>, 256)
IFT_KERNEL(ift_lion_f16, ift::LionArgs, ift::lion<f16>, 256)
