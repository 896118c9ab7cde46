// Runs a grid: blocks spread over OS threads, each block to its end before the next one begins on that thread.
#pragma once
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "block.h"

namespace emu {

struct Launch {
  dim3 grid, size;
  size_t shared = 0;
  unsigned schedule = 0;
};

/// Shared memory a block may have: 227 KiB on sm_90, 163 on sm_80, 99 on sm_86, sm_89 and sm_120.
inline size_t shared_limit = 227 << 10;
/// OS threads for blocks; 0 for one a core.
inline int os_threads = 0;

inline void prepare(Block& b, const Launch& launch) {
  const int count = static_cast<int>(launch.size.x * launch.size.y * launch.size.z);
#if IFT_ASAN
  const size_t stack = 512 << 10;
#else
  const size_t stack = 64 << 10;
#endif
  if (b.stack_bytes < stack * count) {
    b.stack_bytes = stack * count;
    b.stacks.reset(new char[b.stack_bytes]);
  }
  b.grid = launch.grid;
  b.size = launch.size;
  b.schedule = launch.schedule;
  b.error.clear();
  if (b.fibers.size() < static_cast<size_t>(count)) b.fibers.resize(count);
  b.next.resize(count);
  b.warps.resize((count + WARP - 1) / WARP);
  b.ring = b.fibers.data();
  b.after = b.next.data();
  b.count = count;
  for (int i = 0; i < count; ++i) {
    Fiber& fiber = b.fibers[i];
    fiber.stack = b.stacks.get() + stack * i;
    fiber.stack_size = stack;
    fiber.index = i;
    const unsigned n = static_cast<unsigned>(i);
    fiber.thread = {n % launch.size.x, n / launch.size.x % launch.size.y, n / (launch.size.x * launch.size.y)};
#if IFT_TSAN
    if (fiber.tsan == nullptr) fiber.tsan = __tsan_create_fiber(0);
#endif
  }
#if IFT_TSAN
  b.main.tsan = __tsan_get_current_fiber();
#endif
}

inline void run_block(Block& b, size_t shared) {
  const int count = b.count;
  // Not-a-number: what nothing wrote shows in the results.
  if (shared != 0) memset(b.shared, 0xFF, shared);
  std::vector<int> order(count);
  for (int i = 0; i < count; ++i) order[i] = i;
  if (b.schedule != 0) {
    uint64_t state = b.schedule * 0x9E3779B97F4A7C15ull + b.index.x * 7919ull + b.index.y * 104729ull + b.index.z;
    for (int i = count - 1; i > 0; --i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(order[i], order[(state >> 33) % (i + 1)]);
    }
  }
  for (int i = 0; i < count; ++i) b.next[order[i]] = order[(i + 1) % count];
  for (Warp& warp : b.warps) warp.arrived = warp.live = warp.lanes = 0;
  for (int i = 0; i < count; ++i) {
    reset_fiber(b.fibers[i], fiber_main);
    ++b.warps[i / WARP].live;
    ++b.warps[i / WARP].lanes;
  }
  b.live = count;
  b.barrier_arrived = 0;
  b.current = &b.main;
  release(&b.begun);
  {
    Quiet quiet;
    go(&b.fibers[order[0]]);
  }
  acquire(&b.ended);
}

/// Empty when the kernel ran to its end, else what went wrong.
inline std::string run(const Launch& launch, const std::function<void()>& body) {
  const size_t threads = size_t{launch.size.x} * launch.size.y * launch.size.z;
  const size_t blocks = size_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  if (threads == 0 || threads > 1024 || blocks == 0 || launch.grid.x > 0x7FFFFFFF || launch.grid.y > 65535 ||
      launch.grid.z > 65535 || launch.shared > shared_limit) {
    return "launch refused: " + std::to_string(blocks) + " blocks of " + std::to_string(threads) + " threads with " +
           std::to_string(launch.shared) + " bytes of shared memory";
  }
  std::atomic<size_t> ticket{0};
  std::mutex mutex;
  std::string error;
  const auto work = [&] {
    // Stacks are kept for the next launch of this OS thread.
    static thread_local Block kept;
    Block& b = kept;
    prepare(b, launch);
    b.body = &body;
    std::vector<char> bytes(launch.shared + 256);
    b.shared = reinterpret_cast<unsigned char*>((reinterpret_cast<uintptr_t>(bytes.data()) + 127) & ~uintptr_t{127});
    poison(b.shared + launch.shared, 64);
    Block* outer = block;
    block = &b;
    for (size_t i; (i = ticket.fetch_add(1)) < blocks;) {
      const size_t x = launch.grid.x, y = launch.grid.y;
      b.index = {unsigned(i % x), unsigned(i / x % y), unsigned(i / (x * y))};
      run_block(b, launch.shared);
      if (b.error.empty()) continue;
      ticket = blocks;
      for (Fiber& fiber : b.fibers) fiber.tsan = nullptr;
      std::lock_guard<std::mutex> lock(mutex);
      if (error.empty()) error = b.error;
    }
    block = outer;
    unpoison(bytes.data(), bytes.size());
  };
  size_t workers = os_threads > 0 ? os_threads : std::thread::hardware_concurrency();
  // A thread is worth its start from a few blocks on.
  if (workers > blocks / 4) workers = blocks / 4;
  std::vector<std::thread> others;
  for (size_t i = 1; i < workers; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  return error;
}

using Thunk = void (*)(const void* args);

inline std::map<std::string, Thunk>& kernels() {
  static std::map<std::string, Thunk> table;
  return table;
}

struct Registration {
  Registration(const char* name, Thunk thunk) { kernels()[name] = thunk; }
};

/// Runs a registered kernel. Empty when it ran to its end.
inline std::string run(const char* name, const void* args, const Launch& launch) {
  const auto found = kernels().find(name);
  if (found == kernels().end()) return std::string("no kernel named ") + name;
  const Thunk thunk = found->second;
  const std::string error = run(launch, [thunk, args] { thunk(args); });
  return error.empty() ? error : std::string(name) + ": " + error;
}

}  // namespace emu
