// SwiGLU (Shazeer 2020, arXiv:2002.05202). Launch: 256 threads, vector.h's map.
#include "activations.h"
#include "args/elementwise.h"
#include "vector.h"

namespace ift {

// Of gate and up.
struct SwigluForward {
  __device__ __forceinline__ void operator()(const float (&x)[2], float (&y)[1]) const {
    y[0] = x[0] * sigmoid(x[0]) * x[1];
  }
};

// dgate and dup of dy, gate and up.
struct SwigluBackward {
  __device__ __forceinline__ void operator()(const float (&x)[3], float (&y)[2]) const {
    const float dy = x[0], gate = x[1], up = x[2], s = sigmoid(gate);
    y[0] = dy * up * (s * (1.0f + gate * (1.0f - s)));
    y[1] = dy * gate * s;
  }
};

// x is the gate, z the other factor.
template <class T>
__device__ void swiglu(const MapArgs& a) {
  map<T, T>({static_cast<T*>(a.y)}, {static_cast<const T*>(a.x), static_cast<const T*>(a.z)}, a.n, SwigluForward{});
}

template <class T>
__device__ void swiglu_backward(const SwigluBackwardArgs& a) {
  map<T, T>({static_cast<T*>(a.dgate), static_cast<T*>(a.dup)},
            {static_cast<const T*>(a.dy), static_cast<const T*>(a.gate), static_cast<const T*>(a.up)}, a.n,
            SwigluBackward{});
}

}  // namespace ift

IFT_KERNEL(ift_swiglu_f32, ift::MapArgs, ift::swiglu<float>, 256)
IFT_KERNEL(ift_swiglu_bf16, ift::MapArgs, ift::swiglu<bf16>, 256)
IFT_KERNEL(ift_swiglu_f16, ift::MapArgs, ift::swiglu<f16>, 256)
IFT_KERNEL(ift_swiglu_backward_f32, ift::SwigluBackwardArgs, ift::swiglu_backward<float>, 256)
IFT_KERNEL(ift_swiglu_backward_bf16, ift::SwigluBackwardArgs, ift::swiglu_backward<bf16>, 256)
IFT_KERNEL(ift_swiglu_backward_f16, ift::SwigluBackwardArgs, ift::swiglu_backward<f16>, 256)
