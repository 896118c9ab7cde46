// Layer normalisation (Ba et al. 2016, arXiv:1607.06450), the variance around the mean in a second pass over registers.
// The gradients of weight and bias are sums over rows (columns.cu).
#include "args/norm.h"
#include "rows.h"

namespace ift {

// Launch: RowPlace.
template <class T>
__device__ void layer_norm(const NormArgs& a) {
  constexpr int N = kLanes<T>;
  const RowPlace place(a.rows);
  if (place.outside) return;
  const int cols = a.cols;
  const T* x = static_cast<const T*>(a.x) + place.row * cols;
  T* y = static_cast<T*>(a.y) + place.row * cols;
  const T* w = static_cast<const T*>(a.w);
  const T* b = static_cast<const T*>(a.b);
  float sum = 0.0f, squares = 0.0f, mean, rstd;
  if (fits_held<N>(cols) && aligned<N>(x) && aligned<N>(y) && aligned<N>(w) && aligned<N>(b)) {
    Pack<T, N> held[kHeld];
    for_held<N>(cols, [&](int k, int column) {
      held[k] = Pack<T, N>::load(x + column);
      float v[N];
      held[k].unpack(v);
#pragma unroll
      for (int i = 0; i < N; ++i) sum += v[i];
    });
    mean = row_total(sum) / cols;
    for_held<N>(cols, [&](int k, int) {
      float v[N];
      held[k].unpack(v);
#pragma unroll
      for (int i = 0; i < N; ++i) squares = fmaf(v[i] - mean, v[i] - mean, squares);
    });
    rstd = 1.0f / sqrtf(row_total(squares) / cols + a.eps);
    for_held<N>(cols, [&](int k, int column) {
      float v[N], weight[N], bias[N];
      held[k].unpack(v);
      load_pack(weight, w + column);
      load_pack(bias, b + column);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = fmaf((v[i] - mean) * rstd, weight[i], bias[i]);
      store_pack(y + column, v);
    });
  } else {
    for_columns(cols, [&](int c) { sum += to_float(x[c]); });
    mean = row_total(sum) / cols;
    for_columns(cols, [&](int c) { squares = fmaf(to_float(x[c]) - mean, to_float(x[c]) - mean, squares); });
    rstd = 1.0f / sqrtf(row_total(squares) / cols + a.eps);
    for_columns(cols, [&](int c) {
      y[c] = from_float<T>(fmaf((to_float(x[c]) - mean) * rstd, to_float(w[c]), to_float(b[c])));
    });
  }
  if (threadIdx.x == 0) {
    a.mean[place.row] = mean;
    a.rstd[place.row] = rstd;
  }
}

// dx (+)= rstd · (g - mean(g) - n · mean(g · n)), g = dy · w, n = (x - mean) · rstd. Launch: RowPlace.
template <class T>
__device__ void layer_norm_backward(const NormBackwardArgs& a) {
  constexpr int N = kLanes<T>;
  const RowPlace place(a.rows);
  if (place.outside) return;
  const int cols = a.cols;
  const T* x = static_cast<const T*>(a.x) + place.row * cols;
  const T* dy = static_cast<const T*>(a.dy) + place.row * cols;
  T* dx = static_cast<T*>(a.dx) + place.row * cols;
  const T* w = static_cast<const T*>(a.w);
  const float mean = a.mean[place.row], rstd = a.rstd[place.row];
  // Of g · n and of g.
  float sums[2] = {0.0f, 0.0f};
  if (fits_held<N>(cols) && aligned<N>(x) && aligned<N>(dy) && aligned<N>(dx) && aligned<N>(w)) {
    Pack<T, N> held_x[kHeld], held_dy[kHeld];
    for_held<N>(cols, [&](int k, int column) {
      held_x[k] = Pack<T, N>::load(x + column);
      held_dy[k] = Pack<T, N>::load(dy + column);
      float v[N], g[N], weight[N];
      load_pack(weight, w + column);
      held_x[k].unpack(v);
      held_dy[k].unpack(g);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float product = g[i] * weight[i];
        sums[0] = fmaf(product, (v[i] - mean) * rstd, sums[0]);
        sums[1] += product;
      }
    });
    row_totals(sums);
    const float slope = -sums[0] / cols, shift = sums[1] / cols;
    for_held<N>(cols, [&](int k, int column) {
      float v[N], g[N], weight[N];
      load_pack(weight, w + column);
      held_x[k].unpack(v);
      held_dy[k].unpack(g);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        v[i] = rstd * (fmaf(slope, (v[i] - mean) * rstd, g[i] * weight[i]) - shift);
      }
      store_pack_onto(dx + column, v, a.accumulate != 0);
    });
  } else {
    for_columns(cols, [&](int c) {
      const float product = to_float(dy[c]) * to_float(w[c]);
      sums[0] = fmaf(product, (to_float(x[c]) - mean) * rstd, sums[0]);
      sums[1] += product;
    });
    row_totals(sums);
    const float slope = -sums[0] / cols, shift = sums[1] / cols;
    for_columns(cols, [&](int c) {
      const float g = to_float(dy[c]) * to_float(w[c]);
      const float value = rstd * (fmaf(slope, (to_float(x[c]) - mean) * rstd, g) - shift);
      store_onto(dx + c, value, a.accumulate != 0);
    });
  }
}

}  // namespace ift

IFT_KERNEL(ift_layer_norm_f32, ift::NormArgs, ift::layer_norm<float>, 512)
IFT_KERNEL(ift_layer_norm_bf16, ift::NormArgs, ift::layer_norm<bf16>, 512)
IFT_KERNEL(ift_layer_norm_f16, ift::NormArgs, ift::layer_norm<f16>, 512)
IFT_KERNEL(ift_layer_norm_backward_f32, ift::NormBackwardArgs, ift::layer_norm_backward<float>, 512)
IFT_KERNEL(ift_layer_norm_backward_bf16, ift::NormBackwardArgs, ift::layer_norm_backward<bf16>, 512)
IFT_KERNEL(ift_layer_norm_backward_f16, ift::NormBackwardArgs, ift::layer_norm_backward<f16>, 512)
