// The functions of ptx.h on the host: tensor-core products, matrix loads and asynchronous copies.
#pragma once
#include "intrinsics.h"

namespace emu {

inline float element(__nv_bfloat16 h) { return __bfloat162float(h); }
inline float element(__half h) { return __half2float(h); }

template <class T>
void unpack(uint32_t word, float& low, float& high) {
  T pair[2];
  memcpy(pair, &word, 4);
  low = element(pair[0]);
  high = element(pair[1]);
}

/// m16n8k16: lane l has row l / 4 and columns 2 (l % 4), + 1 of each 8x8 quarter (PTX ISA, "Matrix Fragments for
/// mma.m16n8k16"). A lane brings a [4], b [2], c [4].
template <class T>
void mma_warp(Warp& warp, Exchange& out) {
  alignas(64) float a[16][16], b[16][8], c[16][8];
  for (int lane = 0; lane < WARP; ++lane) {
    const int row = lane / 4, col = lane % 4 * 2;
    const uint32_t* in = warp.in[lane];
    for (int h = 0; h < 2; ++h) {
      for (int v = 0; v < 2; ++v) {
        unpack<T>(in[2 * h + v], a[row + 8 * v][col + 8 * h], a[row + 8 * v][col + 8 * h + 1]);
      }
      unpack<T>(in[4 + h], b[col + 8 * h][row], b[col + 8 * h + 1][row]);
      memcpy(&c[row + 8 * h][col], in + 6 + 2 * h, 8);
    }
  }
  for (int i = 0; i < 16; ++i) {
    for (int k = 0; k < 16; ++k) {
      for (int j = 0; j < 8; ++j) c[i][j] += a[i][k] * b[k][j];
    }
  }
  for (int lane = 0; lane < WARP; ++lane) {
    const int row = lane / 4, col = lane % 4 * 2;
    memcpy(out[lane], &c[row][col], 8);
    memcpy(out[lane] + 2, &c[row + 8][col], 8);
  }
}

template <class T>
void mma(Operation operation, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  uint32_t in[10];
  memcpy(in, a, 16);
  memcpy(in + 4, b, 8);
  memcpy(in + 6, d, 16);
  memcpy(d, collective(operation, in, sizeof(in), mma_warp<T>), 16);
}

/// Lane l brings the address of row l % 8 of matrix l / 8.
inline void ldmatrix(uint32_t (&r)[4], const void* row, bool transposed) {
  if (reinterpret_cast<uintptr_t>(row) & 15) fail("ldmatrix: a row is not aligned to 16 bytes");
  report_read16(row);
  const Operation operation = transposed ? LDMATRIX_TRANS : LDMATRIX;
  const uint32_t* mine = collective(operation, &row, sizeof(row), [transposed](Warp& warp, Exchange& out) {
    for (int m = 0; m < 4; ++m) {
      uint16_t matrix[8][8];
      for (int i = 0; i < 8; ++i) {
        const void* from;
        memcpy(&from, warp.in[m * 8 + i], sizeof(from));
        memcpy(matrix[i], from, 16);
      }
      for (int lane = 0; lane < WARP; ++lane) {
        const int g = lane / 4, t = lane % 4 * 2;
        const uint16_t low = transposed ? matrix[t][g] : matrix[g][t];
        const uint16_t high = transposed ? matrix[t + 1][g] : matrix[g][t + 1];
        out[lane][m] = low | static_cast<uint32_t>(high) << 16;
      }
    }
  });
  memcpy(r, mine, 16);
}

inline void perform(const AsyncCopy& copy) {
  report_write16(copy.to);
  if (copy.bytes != 0) report_read16(copy.from);
  char bytes[16] = {0};
  memcpy(bytes, copy.from, copy.bytes);
  memcpy(copy.to, bytes, 16);
}

}  // namespace emu

inline void mma_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __nv_bfloat16) {
  emu::mma<__nv_bfloat16>(emu::MMA_BF16, d, a, b);
}
inline void mma_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], __half) {
  emu::mma<__half>(emu::MMA_F16, d, a, b);
}
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row) { emu::ldmatrix(r, row, false); }
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) { emu::ldmatrix(r, row, true); }
inline void cp_async_16(void* to, const void* from, int bytes) {
  if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) & 15) {
    emu::fail("cp.async: an address is not aligned to 16 bytes");
  }
  const emu::AsyncCopy copy{to, from, bytes};
  if (emu::block->schedule & emu::EARLY_COPIES) {
    emu::perform(copy);
  } else {
    emu::block->current->open.push_back(copy);
  }
}
inline void cp_async_commit() {
  emu::Fiber* me = emu::block->current;
  me->groups.emplace_back(std::move(me->open));
  me->open.clear();
}
template <int N>
void cp_async_wait() {
  emu::Fiber* me = emu::block->current;
  while (me->groups.size() > N) {
    for (const emu::AsyncCopy& copy : me->groups.front()) emu::perform(copy);
    me->groups.erase(me->groups.begin());
  }
}
inline float exp2_approximate(float x) { return exp2f(x); }
