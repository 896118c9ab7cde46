// A thread block: its fibers, who runs next, barriers and warp collectives. A mistake of the kernel (a divergent
// barrier, lanes in different collectives, a misaligned address) ends the launch with a message.
#pragma once
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fiber.h"

namespace emu {

constexpr int WARP = 32;
/// Most 32-bit words a lane gives to or takes from a collective.
constexpr int WORDS = 16;

using Exchange = uint32_t[WARP][WORDS];

struct Warp {
  uint32_t generation = 0;
  int arrived = 0;
  int live = 0;
  int lanes = 0;
  int operation = 0;
  alignas(64) Exchange in;
  /// Two, so that a fast lane's next collective cannot overwrite what a slow lane has yet to take.
  alignas(64) Exchange out[2];
};

/// Bits of a schedule. 0 runs threads in order; any other draws a fresh order of threads for each block.
enum Schedule : unsigned {
  /// One warp runs as far as it can before another starts.
  WARP_FAR_AHEAD = 1,
  /// cp.async copies when issued; otherwise as late as its wait allows.
  EARLY_COPIES = 2,
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<int> next;
  /// Raw views of `fibers` and `next` for the scheduler, which is not instrumented.
  Fiber* ring = nullptr;
  const int* after = nullptr;
  int count = 0;
  std::vector<Warp> warps;
  std::unique_ptr<char[]> stacks;
  size_t stack_bytes = 0;
  unsigned char* shared = nullptr;
  dim3 grid, size;
  uint3 index{};
  unsigned schedule = 0;
  uint32_t barrier_generation = 0;
  int barrier_arrived = 0;
  int live = 0;
  Fiber* current = nullptr;
  Fiber main;
  /// Where the race detector is told that threads begin after what came before the block, and what follows after them.
  char begun = 0, ended = 0;
  const std::function<void()>* body = nullptr;
  std::string error;
};

/// The block of this OS thread.
inline thread_local Block* block = nullptr;

IFT_UNINSTRUMENTED inline void go(Fiber* to) {
  Fiber* from = block->current;
  block->current = to;
  switch_fiber(from, to);
}

/// Ends the launch: control goes back to the launcher and no fiber of this block runs again.
[[noreturn]] inline void fail(const std::string& what) {
  Quiet quiet;
  const uint3 at = block->index;
  block->error = "block (" + std::to_string(at.x) + ", " + std::to_string(at.y) + ", " + std::to_string(at.z) +
                 ") thread " + std::to_string(block->current->index) + ": " + what;
  go(&block->main);
  __builtin_unreachable();
}

/// Leaves the current fiber for the next one that can run.
IFT_UNINSTRUMENTED inline void yield() {
  Fiber* me = block->current;
  const int count = block->count;
  Fiber* ring = block->ring;
  if (block->schedule & WARP_FAR_AHEAD) {
    const int first = me->index & ~(WARP - 1);
    for (int k = 1; k < WARP; ++k) {
      const int j = first + ((me->index + k) & (WARP - 1));
      if (j < count && runnable(ring[j])) return go(&ring[j]);
    }
  }
  int j = me->index;
  for (int n = 0; n < count; ++n) {
    j = block->after[j];
    if (!runnable(ring[j])) continue;
    if (&ring[j] != me) go(&ring[j]);
    return;
  }
  if (block->live == 0) return go(&block->main);
  fail("deadlock: threads wait at different barriers (a divergent __syncthreads or warp operation)");
}

inline void wait(const uint32_t* gate, uint32_t closed) {
  Fiber* me = block->current;
  me->gate = gate;
  me->closed = closed;
  yield();
  me->gate = nullptr;
}

inline void open_barrier() {
  block->barrier_arrived = 0;
  ++block->barrier_generation;
}

inline void sync_threads() {
  Quiet quiet;
  const uint32_t generation = block->barrier_generation;
  release(&block->barrier_generation);
  if (++block->barrier_arrived == block->live) {
    open_barrier();
  } else {
    wait(&block->barrier_generation, generation);
  }
  acquire(&block->barrier_generation);
}

/// A rendezvous of a whole warp: each lane brings `bytes` at `in`, the last to come runs `work(warp, out)`, each lane
/// gets the address of its row of out. `operation` makes mismatched collectives fail instead of exchanging garbage.
template <class Work>
const uint32_t* collective(int operation, const void* in, size_t bytes, Work&& work) {
  Quiet quiet;
  Fiber* me = block->current;
  Warp& warp = block->warps[me->index / WARP];
  const int lane = me->index % WARP;
  const uint32_t generation = warp.generation;
  if (warp.lanes != WARP) fail("a warp collective in a warp of " + std::to_string(warp.lanes) + " lanes");
  if (warp.live != warp.lanes) fail("a lane left the kernel before a collective of its warp");
  if (warp.arrived == 0) warp.operation = operation;
  if (warp.operation != operation) fail("lanes of one warp are in different collectives");
  memcpy(warp.in[lane], in, bytes);
  release(&warp);
  if (++warp.arrived == warp.live) {
    work(warp, warp.out[generation & 1]);
    warp.arrived = 0;
    ++warp.generation;
  } else {
    wait(&warp.generation, generation);
  }
  acquire(&warp);
  return warp.out[generation & 1][lane];
}

inline void fiber_main() {
#if IFT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  {
    Quiet quiet;
    acquire(&block->begun);
  }
  (*block->body)();
  {
    Quiet quiet;
    release(&block->ended);
    Fiber* me = block->current;
    Warp& warp = block->warps[me->index / WARP];
    if (warp.arrived != 0) fail("a lane left the kernel while its warp waits in a collective");
    me->done = true;
    --warp.live;
    --block->live;
    // Threads that have left count as arrived, as on the device.
    if (block->live != 0 && block->barrier_arrived == block->live) open_barrier();
  }
  yield();
  __builtin_unreachable();
}

}  // namespace emu

#define threadIdx (emu::block->current->thread)
#define blockIdx (emu::block->index)
#define blockDim (emu::block->size)
#define gridDim (emu::block->grid)
