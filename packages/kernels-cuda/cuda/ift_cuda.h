// The only include a kernel file needs: CUDA under nvcc, the emulator under a host compiler.
//
// A kernel is a template `template <class T> __device__ void rms_norm(const RmsNormArgs& a)`, made visible once for
// each dtype by `IFT_KERNEL(ift_rms_norm_bf16, RmsNormArgs, rms_norm<bf16>, 256)`, where 256 is the most threads a
// block may have. Put the template in parentheses when it has several parameters.
#pragma once
#include <math.h>
#include <stdint.h>
#if defined(__CUDACC__)
  #include <cuda_bf16.h>
  #include <cuda_fp16.h>
  #define IFT_KERNEL(name, Args, body, threads)                                              \
    extern "C" __global__ void __launch_bounds__(threads) name(const __grid_constant__ Args a) { \
      body(a);                                                                               \
    }
  // As above, compiled so that `blocks` blocks fit on a multiprocessor at once.
  #define IFT_KERNEL_RESIDENT(name, Args, body, threads, blocks)                                     \
    extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Args a) { \
      body(a);                                                                                       \
    }
  // The block's dynamic shared memory.
  #define IFT_SHARED(type, name)                                       \
    extern __shared__ __align__(128) unsigned char ift_shared_bytes[]; \
    type* name = reinterpret_cast<type*>(ift_shared_bytes)
#else
  #include "emulator/emulator.h"
  #define IFT_KERNEL(name, Args, body, threads)                                                             \
    static void name##_thunk(const void* args) {                                                            \
      if (blockDim.x * blockDim.y * blockDim.z > (threads)) emu::fail("more threads than the launch bound"); \
      body(*static_cast<const Args*>(args));                                                                \
    }                                                                                                       \
    static const emu::Registration name##_registration(#name, name##_thunk);
  #define IFT_KERNEL_RESIDENT(name, Args, body, threads, blocks) IFT_KERNEL(name, Args, body, threads)
  #define IFT_SHARED(type, name) type* name = reinterpret_cast<type*>(emu::block->shared)
#endif

typedef __nv_bfloat16 bf16;
typedef __half f16;

constexpr unsigned FULL_WARP = 0xFFFFFFFFu;

#include "ptx.h"
