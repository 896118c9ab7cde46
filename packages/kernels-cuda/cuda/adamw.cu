// AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), one pass over parameter, gradient and moments.
#include "args/optimizer.h"
#include "vector.h"

namespace ift {

struct AdamWElement {
  float w, m, v;
};

__device__ __forceinline__ void adamw_step(const AdamWArgs& a, AdamWElement& e, float grad) {
  e.m = fmaf(a.beta1, e.m, a.rest1 * grad);
  e.v = fmaf(a.beta2, e.v, a.rest2 * grad * grad);
  const float step = a.rate * e.m / fmaf(sqrtf(e.v), a.correction, a.eps);
  e.w = fmaf(a.keep, e.w, -step);
}

// Launch: 256 threads, ceil(n / (threads · 4)) blocks.
template <class T>
__device__ void adamw(const AdamWArgs& a) {
  constexpr int N = 4;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x * N;
  const float scale = a.grad_scale != nullptr ? *a.grad_scale : 1.0f;
  if (isnan(scale)) return;
  T* param = static_cast<T*>(a.param);
  float* master = a.apart != 0 ? a.master : static_cast<float*>(a.param);
  const bool vectorised = aligned<N>(master) && aligned<N>(a.grad) && aligned<N>(a.m) && aligned<N>(a.v) &&
                          (a.apart == 0 || aligned<N>(param));
  const int64_t at = first + static_cast<int64_t>(threadIdx.x) * N;
  if (vectorised && at + N <= a.n) {
    float w[N], grad[N], m[N], v[N];
    load_pack(w, master + at);
    load_pack(grad, a.grad + at);
    load_pack(m, a.m + at);
    load_pack(v, a.v + at);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      AdamWElement e{w[i], m[i], v[i]};
      adamw_step(a, e, grad[i] * scale);
      w[i] = e.w, m[i] = e.m, v[i] = e.v;
    }
    store_pack(master + at, w);
    store_pack(a.m + at, m);
    store_pack(a.v + at, v);
    if (a.apart != 0) store_pack(param + at, w);
    return;
  }
  const int64_t start = vectorised ? at : first + threadIdx.x;
  const int64_t step = vectorised ? 1 : blockDim.x;
#pragma unroll 1
  for (int i = 0; i < N; ++i) {
    const int64_t k = start + i * step;
    if (k >= a.n) return;
    AdamWElement e{master[k], a.m[k], a.v[k]};
    adamw_step(a, e, a.grad[k] * scale);
    master[k] = e.w, a.m[k] = e.m, a.v[k] = e.v;
    if (a.apart != 0) param[k] = from_float<T>(e.w);
  }
}

}  // namespace ift

IFT_KERNEL(ift_adamw_f32, ift::AdamWArgs, ift::adamw<float>, 256)
IFT_KERNEL(ift_adamw_bf16, ift::AdamWArgs, ift::adamw<bf16>, 256)
IFT_KERNEL(ift_adamw_f16, ift::AdamWArgs, ift::adamw<f16>, 256)
