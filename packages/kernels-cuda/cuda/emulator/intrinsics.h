// Warp operations, atomics and arithmetic of CUDA, for one fiber of a block.
#pragma once
#include <type_traits>

#include "block.h"

namespace emu {

enum Operation { SYNC = 1, SHUFFLE_XOR, SHUFFLE, SHUFFLE_DOWN, SHUFFLE_UP, BALLOT, MMA_BF16, MMA_F16, LDMATRIX, LDMATRIX_TRANS };

inline void expect_full(unsigned mask) {
  if (mask != 0xFFFFFFFFu) fail("partial lane masks are not emulated");
}

template <class T, class Source>
T shuffle(Operation operation, T value, Source source) {
  static_assert(sizeof(T) <= 4 * WORDS && std::is_trivially_copyable<T>::value, "a shuffled type");
  const uint32_t* mine = collective(operation, &value, sizeof(T), [](Warp& warp, Exchange& out) {
    memcpy(out, warp.in, sizeof(Exchange));
  });
  const int lane = block->current->index % WARP;
  T taken;
  memcpy(&taken, mine + (source(lane) - lane) * WORDS, sizeof(T));
  return taken;
}

}  // namespace emu

inline void __syncthreads() { emu::sync_threads(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) {
  emu::expect_full(mask);
  const uint32_t none = 0;
  emu::collective(emu::SYNC, &none, 4, [](emu::Warp&, emu::Exchange&) {});
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  emu::expect_full(mask);
  return emu::shuffle(emu::SHUFFLE_XOR, value, [=](int l) { return (l ^ lanes) / width == l / width ? l ^ lanes : l; });
}
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  emu::expect_full(mask);
  return emu::shuffle(emu::SHUFFLE, value, [=](int l) { return (l & ~(width - 1)) | (from & (width - 1)); });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  emu::expect_full(mask);
  const int d = static_cast<int>(delta);
  return emu::shuffle(emu::SHUFFLE_DOWN, value, [=](int l) { return l % width + d < width ? l + d : l; });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  emu::expect_full(mask);
  const int d = static_cast<int>(delta);
  return emu::shuffle(emu::SHUFFLE_UP, value, [=](int l) { return l % width >= d ? l - d : l; });
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  emu::expect_full(mask);
  const uint32_t bit = predicate != 0;
  return *emu::collective(emu::BALLOT, &bit, 4, [](emu::Warp& warp, emu::Exchange& out) {
    uint32_t bits = 0;
    for (int lane = 0; lane < emu::WARP; ++lane) bits |= warp.in[lane][0] << lane;
    for (int lane = 0; lane < emu::WARP; ++lane) out[lane][0] = bits;
  });
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

namespace emu {
template <class T, class Update>
T atomic(T* at, Update update) {
  T old, fresh;
  __atomic_load(at, &old, __ATOMIC_RELAXED);
  do {
    fresh = update(old);
  } while (!__atomic_compare_exchange(at, &old, &fresh, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}
}  // namespace emu
template <class T>
T atomicAdd(T* at, T value) {
  return emu::atomic(at, [=](T old) { return old + value; });
}
template <class T>
T atomicMax(T* at, T value) {
  return emu::atomic(at, [=](T old) { return old < value ? value : old; });
}
template <class T>
T atomicMin(T* at, T value) {
  return emu::atomic(at, [=](T old) { return value < old ? value : old; });
}
template <class T>
T atomicExch(T* at, T value) {
  return emu::atomic(at, [=](T) { return value; });
}
template <class T>
T atomicCAS(T* at, T expected, T value) {
  __atomic_compare_exchange(at, &expected, &value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() {}

template <class T>
T __ldg(const T* at) {
  return *at;
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
// Never fused with another operation: the emulator is built with -ffp-contract=off.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __saturatef(float x) { return x < 0 || x != x ? 0.0f : x > 1 ? 1.0f : x; }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return static_cast<uint32_t>((uint64_t{a} * b) >> 32); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
template <class A, class B>
constexpr typename std::common_type<A, B>::type min(A a, B b) {
  return b < a ? b : a;
}
template <class A, class B>
constexpr typename std::common_type<A, B>::type max(A a, B b) {
  return a < b ? b : a;
}
inline float __int_as_float(int i) {
  float f;
  memcpy(&f, &i, 4);
  return f;
}
inline float __uint_as_float(unsigned i) {
  float f;
  memcpy(&f, &i, 4);
  return f;
}
inline int __float_as_int(float f) {
  int i;
  memcpy(&i, &f, 4);
  return i;
}
inline unsigned __float_as_uint(float f) {
  unsigned i;
  memcpy(&i, &f, 4);
  return i;
}
/// sin(πx) and cos(πx).
inline void sincospif(float x, float* s, float* c) {
  const double angle = 3.14159265358979323846 * static_cast<double>(x);
  *s = static_cast<float>(sin(angle));
  *c = static_cast<float>(cos(angle));
}
