// RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467). x is read once and held in registers between the sum and the
// result; the gradient of the weight is a sum over rows (columns.cu).
#include "args/norm.h"
#include "rows.h"

namespace ift {

// Launch: RowPlace.
template <class T>
__device__ void rms_norm(const NormArgs& a) {
  constexpr int N = kLanes<T>;
  const RowPlace place(a.rows);
  if (place.outside) return;
  const int cols = a.cols;
  const T* x = static_cast<const T*>(a.x) + place.row * cols;
  T* y = static_cast<T*>(a.y) + place.row * cols;
  const T* w = static_cast<const T*>(a.w);
  float squares = 0.0f;
  if (fits_held<N>(cols) && aligned<N>(x) && aligned<N>(y) && aligned<N>(w)) {
    Pack<T, N> held[kHeld];
    for_held<N>(cols, [&](int k, int column) {
      held[k] = Pack<T, N>::load(x + column);
      float v[N];
      held[k].unpack(v);
#pragma unroll
      for (int i = 0; i < N; ++i) squares = fmaf(v[i], v[i], squares);
    });
    const float rstd = 1.0f / sqrtf(row_total(squares) / cols + a.eps);
    for_held<N>(cols, [&](int k, int column) {
      float v[N], weight[N];
      held[k].unpack(v);
      load_pack(weight, w + column);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = v[i] * rstd * weight[i];
      store_pack(y + column, v);
    });
    if (threadIdx.x == 0) a.rstd[place.row] = rstd;
  } else {
    for_columns(cols, [&](int c) { squares = fmaf(to_float(x[c]), to_float(x[c]), squares); });
    const float rstd = 1.0f / sqrtf(row_total(squares) / cols + a.eps);
    for_columns(cols, [&](int c) { y[c] = from_float<T>(to_float(x[c]) * rstd * to_float(w[c])); });
    if (threadIdx.x == 0) a.rstd[place.row] = rstd;
  }
}

// dx (+)= rstd · (g - x · mean(g · x) · rstd²), g = dy · w. Launch: RowPlace.
template <class T>
__device__ void rms_norm_backward(const NormBackwardArgs& a) {
  constexpr int N = kLanes<T>;
  const RowPlace place(a.rows);
  if (place.outside) return;
  const int cols = a.cols;
  const T* x = static_cast<const T*>(a.x) + place.row * cols;
  const T* dy = static_cast<const T*>(a.dy) + place.row * cols;
  T* dx = static_cast<T*>(a.dx) + place.row * cols;
  const T* w = static_cast<const T*>(a.w);
  const float rstd = a.rstd[place.row];
  float dot = 0.0f;
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
      for (int i = 0; i < N; ++i) dot = fmaf(g[i] * weight[i], v[i], dot);
    });
    const float slope = -row_total(dot) / cols * rstd * rstd;
    for_held<N>(cols, [&](int k, int column) {
      float v[N], g[N], weight[N];
      load_pack(weight, w + column);
      held_x[k].unpack(v);
      held_dy[k].unpack(g);
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = rstd * fmaf(slope, v[i], g[i] * weight[i]);
      store_pack_onto(dx + column, v, a.accumulate != 0);
    });
  } else {
    for_columns(cols, [&](int c) { dot = fmaf(to_float(dy[c]) * to_float(w[c]), to_float(x[c]), dot); });
    const float slope = -row_total(dot) / cols * rstd * rstd;
    for_columns(cols, [&](int c) {
      const float g = to_float(dy[c]) * to_float(w[c]);
      store_onto(dx + c, rstd * fmaf(slope, to_float(x[c]), g), a.accumulate != 0);
    });
  }
}

}  // namespace ift

IFT_KERNEL(ift_rms_norm_f32, ift::NormArgs, ift::rms_norm<float>, 512)
IFT_KERNEL(ift_rms_norm_bf16, ift::NormArgs, ift::rms_norm<bf16>, 512)
IFT_KERNEL(ift_rms_norm_f16, ift::NormArgs, ift::rms_norm<f16>, 512)
IFT_KERNEL(ift_rms_norm_backward_f32, ift::NormBackwardArgs, ift::rms_norm_backward<float>, 512)
IFT_KERNEL(ift_rms_norm_backward_bf16, ift::NormBackwardArgs, ift::rms_norm_backward<bf16>, 512)
IFT_KERNEL(ift_rms_norm_backward_f16, ift::NormBackwardArgs, ift::rms_norm_backward<f16>, 512)
