// One fiber per CUDA thread: a stack, a place to continue, and its cp.async groups in flight.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sanitizer.h"
#include "types.h"
#if !defined(__x86_64__)
  #include <ucontext.h>
#endif

namespace emu {

struct AsyncCopy {
  void* to;
  const void* from;
  int bytes;
};

struct Fiber {
  void* stack_pointer = nullptr;
  char* stack = nullptr;
  size_t stack_size = 0;
  uint3 thread{};
  int index = 0;
  bool done = false;
  /// Not to run before the counter at `gate` has left the value `closed`.
  const uint32_t* gate = nullptr;
  uint32_t closed = 0;
  std::vector<AsyncCopy> open;
  std::vector<std::vector<AsyncCopy>> groups;
#if !defined(__x86_64__)
  ucontext_t context;
#endif
  void* tsan = nullptr;
  void* asan_fake_stack = nullptr;
};

IFT_UNINSTRUMENTED inline bool runnable(const Fiber& fiber) {
  return !fiber.done && (fiber.gate == nullptr || *fiber.gate != fiber.closed);
}

#if defined(__x86_64__)
extern "C" void ift_emu_switch(void** save, void* load);
asm(R"(.text
.weak ift_emu_switch
.type ift_emu_switch,@function
ift_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ift_emu_switch,.-ift_emu_switch
)");
#endif

IFT_UNINSTRUMENTED inline void switch_fiber(Fiber* from, Fiber* to) {
#if defined(__x86_64__)
  // Read before ThreadSanitizer counts this code as the other fiber's.
  void** save = &from->stack_pointer;
  void* load = to->stack_pointer;
#endif
#if IFT_TSAN
  // No happens-before on a switch: only barriers and collectives order accesses.
  __tsan_switch_to_fiber(to->tsan, 1);
#endif
#if IFT_ASAN
  __sanitizer_start_switch_fiber(from->done ? nullptr : &from->asan_fake_stack, to->stack, to->stack_size);
#endif
#if defined(__x86_64__)
  ift_emu_switch(save, load);
#else
  swapcontext(&from->context, &to->context);
#endif
#if IFT_ASAN
  __sanitizer_finish_switch_fiber(from->asan_fake_stack, nullptr, nullptr);
#endif
}

/// Makes a fiber begin at `entry` on an empty stack.
inline void reset_fiber(Fiber& fiber, void (*entry)()) {
  fiber.done = false;
  fiber.gate = nullptr;
  fiber.open.clear();
  fiber.groups.clear();
  fiber.asan_fake_stack = nullptr;
  unpoison(fiber.stack, fiber.stack_size);
#if defined(__x86_64__)
  auto top = reinterpret_cast<uintptr_t>(fiber.stack + fiber.stack_size) & ~uintptr_t{15};
  void** at = reinterpret_cast<void**>(top);
  *--at = nullptr;
  *--at = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--at = nullptr;
  fiber.stack_pointer = at;
#else
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack;
  fiber.context.uc_stack.ss_size = fiber.stack_size;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry, 0);
#endif
}

}  // namespace emu
