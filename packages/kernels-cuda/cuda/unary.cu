// Element-wise activations. Launch: 256 threads, vector.h's map.
#include "activations.h"
#include "args/elementwise.h"
#include "vector.h"

namespace ift {

template <class A>
struct Forward {
  __device__ __forceinline__ void operator()(const float (&x)[1], float (&y)[1]) const { y[0] = A::value(x[0]); }
};

template <class A>
struct Backward {
  __device__ __forceinline__ void operator()(const float (&x)[2], float (&y)[1]) const { y[0] = x[0] * A::slope(x[1]); }
};

template <class T, class A>
__device__ void unary(const MapArgs& a) {
  map<T, T>({static_cast<T*>(a.y)}, {static_cast<const T*>(a.x)}, a.n, Forward<A>{});
}

// y = dy · f'(x); z is dy.
template <class T, class A>
__device__ void unary_backward(const MapArgs& a) {
  map<T, T>({static_cast<T*>(a.y)}, {static_cast<const T*>(a.z), static_cast<const T*>(a.x)}, a.n, Backward<A>{});
}

}  // namespace ift

#define IFT_UNARY_KERNELS(name, A)                                                                      \
  IFT_KERNEL(ift_##name##_f32, ift::MapArgs, (ift::unary<float, ift::A>), 256)                          \
  IFT_KERNEL(ift_##name##_bf16, ift::MapArgs, (ift::unary<bf16, ift::A>), 256)                          \
  IFT_KERNEL(ift_##name##_f16, ift::MapArgs, (ift::unary<f16, ift::A>), 256)                            \
  IFT_KERNEL(ift_##name##_backward_f32, ift::MapArgs, (ift::unary_backward<float, ift::A>), 256)        \
  IFT_KERNEL(ift_##name##_backward_bf16, ift::MapArgs, (ift::unary_backward<bf16, ift::A>), 256)        \
  IFT_KERNEL(ift_##name##_backward_f16, ift::MapArgs, (ift::unary_backward<f16, ift::A>), 256)

IFT_UNARY_KERNELS(gelu_tanh, GeluTanh)
IFT_UNARY_KERNELS(gelu_erf, GeluErf)
IFT_UNARY_KERNELS(silu, Silu)
IFT_UNARY_KERNELS(relu, Relu)
IFT_UNARY_KERNELS(tanh, Tanh)
IFT_UNARY_KERNELS(sigmoid, Sigmoid)
