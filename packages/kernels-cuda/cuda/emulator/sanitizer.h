// What the emulator tells AddressSanitizer and ThreadSanitizer about fibers and barriers; nothing in plain builds.
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__has_feature)
  #if __has_feature(thread_sanitizer)
    #define IFT_TSAN 1
  #endif
  #if __has_feature(address_sanitizer)
    #define IFT_ASAN 1
  #endif
#endif
#if defined(__SANITIZE_THREAD__)
  #define IFT_TSAN 1
#endif
#if defined(__SANITIZE_ADDRESS__)
  #define IFT_ASAN 1
#endif

#if IFT_TSAN
extern "C" {
void* __tsan_get_current_fiber(void);
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* at);
void __tsan_release(void* at);
void __tsan_read16(void* at);
void __tsan_write16(void* at);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
  // The switching code itself is not instrumented: it runs between two fibers.
  #define IFT_UNINSTRUMENTED __attribute__((no_sanitize("thread"), noinline))
#else
  #define IFT_UNINSTRUMENTED
#endif
#if IFT_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size);
void __asan_poison_memory_region(const volatile void* at, size_t size);
void __asan_unpoison_memory_region(const volatile void* at, size_t size);
}
#endif

namespace emu {

inline void poison(const void* at, size_t size) {
#if IFT_ASAN
  __asan_poison_memory_region(at, size);
#else
  (void)at, (void)size;
#endif
}

inline void unpoison(const void* at, size_t size) {
#if IFT_ASAN
  __asan_unpoison_memory_region(at, size);
#else
  (void)at, (void)size;
#endif
}

/// Accesses before a release happen before those after the acquire of the same address.
inline void release(void* at) {
#if IFT_TSAN
  __tsan_release(at);
#else
  (void)at;
#endif
}

inline void acquire(void* at) {
#if IFT_TSAN
  __tsan_acquire(at);
#else
  (void)at;
#endif
}

/// 16-byte accesses that the emulator makes on a kernel's behalf are reported by hand.
inline void report_read16(const void* at) {
#if IFT_TSAN
  __tsan_read16(const_cast<void*>(at));
#else
  (void)at;
#endif
}

inline void report_write16(void* at) {
#if IFT_TSAN
  __tsan_write16(at);
#else
  (void)at;
#endif
}

/// Hides the emulator's own bookkeeping from the race detector.
struct Quiet {
#if IFT_TSAN
  Quiet() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Quiet() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
#else
  Quiet() {}
#endif
};

}  // namespace emu
