// Adafactor (Shazeer & Stern 2018, arXiv:1804.04235). Its kernels run one after the other: moments, roots (of a factored second
// moment), sizes, totals, step. The sums of squares of the columns are those of columns.cu.
#include "args/optimizer.h"
#include "rows.h"

namespace ift {

__device__ __forceinline__ float adafactor_scale(const AdafactorArgs& a) {
  return a.grad_scale != nullptr ? *a.grad_scale : 1.0f;
}

// Sum over a block of 256 threads; thread 0 gets it.
__device__ __forceinline__ double block_sum(double v) {
  __shared__ double sums[256];
  sums[threadIdx.x] = v;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  const double sum = sums[0];
  // The next sum reuses the memory.
  __syncthreads();
  return sum;
}

// The second moment of a row, or of its elements. Launch: RowPlace.
__device__ void adafactor_moments(const AdafactorArgs& a) {
  const RowPlace place(a.rows);
  const float scale = adafactor_scale(a);
  if (place.outside || isnan(scale)) return;
  const float* grad = a.grad + place.row * a.cols;
  if (a.column == nullptr) {
    float* v = a.v + place.row * a.cols;
    for_columns(a.cols, [&](int c) {
      const float g = grad[c] * scale;
      v[c] = fmaf(a.beta2, v[c], a.rest2 * fmaf(g, g, a.epsilon1));
    });
    return;
  }
  float squares = 0.0f;
  for_columns(a.cols, [&](int c) {
    const float g = grad[c] * scale;
    squares += fmaf(g, g, a.epsilon1);
  });
  squares = row_total(squares);
  if (threadIdx.x == 0) a.v[place.row] = fmaf(a.beta2, a.v[place.row], a.rest2 * (squares / static_cast<float>(a.cols)));
}

// Mean squares of the columns and their roots; the last block has the mean of those of the rows. Launch: 256 threads,
// ceil(cols / threads) + 1 blocks.
__device__ void adafactor_roots(const AdafactorArgs& a) {
  const float scale = adafactor_scale(a);
  if (isnan(scale)) return;
  if (blockIdx.x == gridDim.x - 1) {
    double sum = 0.0;
    for (int64_t r = threadIdx.x; r < a.rows; r += 256) sum += static_cast<double>(a.v[r]);
    sum = block_sum(sum);
    if (threadIdx.x == 0) a.totals->row_mean = sum / static_cast<double>(a.rows);
    return;
  }
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (c >= a.cols) return;
  const float mean = fmaf(scale * scale, a.columns[c] / static_cast<float>(a.rows), a.epsilon1);
  const float value = fmaf(a.beta2, a.column[c], a.rest2 * mean);
  a.column[c] = value;
  a.columns[c] = 1.0f / sqrtf(value);
}

// The update of an element before its scaling. `root` is 1 / sqrt of the row's share of the second moment.
__device__ __forceinline__ float adafactor_update(const AdafactorArgs& a, int64_t row, int c, float root, float scale) {
  const int64_t at = row * a.cols + c;
  const float g = a.grad[at] * scale;
  // In this order a gradient of 0 ends the product where the roots of zeros would overflow.
  return a.column != nullptr ? g * root * a.columns[c] : g / sqrtf(a.v[at]);
}

__device__ __forceinline__ float adafactor_root(const AdafactorArgs& a, int64_t row) {
  return a.column != nullptr ? static_cast<float>(sqrt(a.totals->row_mean / static_cast<double>(a.v[row]))) : 0.0f;
}

// Launch: RowPlace.
__device__ void adafactor_sizes(const AdafactorArgs& a) {
  const RowPlace place(a.rows);
  const float scale = adafactor_scale(a);
  if (place.outside || isnan(scale)) return;
  const float root = adafactor_root(a, place.row);
  const float* master = (a.apart != 0 ? a.master : static_cast<float*>(a.param)) + place.row * a.cols;
  float totals[2] = {};
  for_columns(a.cols, [&](int c) {
    const float u = adafactor_update(a, place.row, c, root, scale);
    totals[0] = fmaf(u, u, totals[0]);
    if (a.epsilon2 >= 0.0) totals[1] = fmaf(master[c], master[c], totals[1]);
  });
  row_totals(totals);
  if (threadIdx.x == 0) a.sizes[place.row] = totals[0], a.sizes[a.rows + place.row] = totals[1];
}

// Launch: one block of 256 threads.
__device__ void adafactor_totals(const AdafactorArgs& a) {
  if (isnan(adafactor_scale(a))) return;
  double update = 0.0, values = 0.0;
  for (int64_t r = threadIdx.x; r < a.rows; r += 256) {
    update += static_cast<double>(a.sizes[r]);
    values += static_cast<double>(a.sizes[a.rows + r]);
  }
  update = block_sum(update);
  values = block_sum(values);
  if (threadIdx.x != 0) return;
  const double count = static_cast<double>(a.rows) * a.cols;
  const double lr = a.epsilon2 < 0.0 ? a.lr : a.lr * fmax(a.epsilon2, sqrt(values / count));
  a.totals->rate = static_cast<float>(lr / fmax(1.0, sqrt(update / count) / a.clip_threshold));
  a.totals->keep = static_cast<float>(1.0 - lr * a.weight_decay);
}

// Launch: RowPlace.
template <class T>
__device__ void adafactor_step(const AdafactorArgs& a) {
  const RowPlace place(a.rows);
  const float scale = adafactor_scale(a);
  if (place.outside || isnan(scale)) return;
  const float root = adafactor_root(a, place.row);
  const float rate = a.totals->rate, keep = a.totals->keep;
  const int64_t first = place.row * a.cols;
  T* param = static_cast<T*>(a.param);
  float* master = a.apart != 0 ? a.master : static_cast<float*>(a.param);
  for_columns(a.cols, [&](int c) {
    float step = rate * adafactor_update(a, place.row, c, root, scale);
    if (a.m != nullptr) a.m[first + c] = step = fmaf(a.beta1, a.m[first + c], a.rest1 * step);
    // The first moment has rates of earlier steps in it.
    if (a.lr == 0.0) return;
    const float w = fmaf(keep, master[first + c], -step);
    master[first + c] = w;
    if (a.apart != 0) param[first + c] = from_float<T>(w);
  });
}

}  // namespace ift

IFT_KERNEL(ift_adafactor_moments, ift::AdafactorArgs, ift::adafactor_moments, 512)
IFT_KERNEL(ift_adafactor_roots, ift::AdafactorArgs, ift::adafactor_roots, 256)
IFT_KERNEL(ift_adafactor_sizes, ift::AdafactorArgs, ift::adafactor_sizes, 512)
IFT_KERNEL(ift_adafactor_totals, ift::AdafactorArgs, ift::adafactor_totals, 256)
IFT_KERNEL(ift_adafactor_step_f32, ift::AdafactorArgs, ift::adafactor_step<float>, 512)
IFT_KERNEL(ift_adafactor_step_bf16, ift::AdafactorArgs, ift::adafactor_step<bf16>, 512)
IFT_KERNEL(ift_adafactor_step_f16, ift::AdafactorArgs, ift::adafactor_step<f16>, 512)
