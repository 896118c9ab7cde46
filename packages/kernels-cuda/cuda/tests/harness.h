// What a kernel test needs, the same for the emulator and for a GPU: buffers and launches here; cases, comparison and data
// in the headers below. A test file includes the kernel file it tests, defines `static void tests()`, whose cases each
// begin with a `test::Case`, and ends with IFT_TEST_MAIN. Lines `// planted bug: NAME` (`, race` when ThreadSanitizer must
// see it) name macros that break the kernels; the test must fail with each.
//
//   PROGRAM [small|big] [CASE] [--after CASE] [--list] [schedule=N] [threads=N]
//
//   small     few and small cases; without a word all but the big ones; compiled with IFT_FEW_SHAPES (sanitizers) always
//   big       all, and those with the sizes of 7B models; minutes to hours on the emulator
//   CASE      only the case of this name, or, where none has it, the cases with this in their name
//   --after   only the cases behind this one: goes on where a case ended the program
//   --list    the names of the cases, one a line, instead of running them
//   schedule, threads: of the emulator
//
// A case's data depends on its name alone. Every line of the output is a JSON object, written out at once:
//
//   a failure       {"case", "check", "what"}, or with values {"case", "check", "bad", "of", "cols", "places",
//                   "rowsMod16", "columnsMod8"} and of comparisons with a limit "relative", "worst", "largest", "limit"
//   a case's end    {"case", "status": "ok" | "failed", "checks", "failures", "seconds"}
//   the last line   {"program", "mode", "cases", "checks", "failures", "failed": [names], "seconds"}
//
// A case that ends the program (a fault, an endless loop) is the first of --list without a line of its end; an error that
// the CUDA runtime reports still writes that line. Exit status: 0 passed, 1 a check failed, 2 wrong arguments or no such
// case, 3 a CUDA error (no later case could run).
#pragma once
#include <memory>

#include "compare.h"

namespace test {

#if defined(__CUDACC__)
inline void expect_cuda(cudaError_t status, const char* what) {
  if (status != cudaSuccess) end_with_device_error(what, cudaGetErrorString(status));
}
#endif

/// Values on the device. In the emulator exactly as many bytes as elements, so that overruns are seen.
template <class T>
class Device {
 public:
  explicit Device(const std::vector<T>& values) : count(values.size()) {
    const size_t bytes = count * sizeof(T);
#if defined(__CUDACC__)
    expect_cuda(cudaMalloc(&data, bytes + 16), "cudaMalloc");
    expect_cuda(cudaMemcpy(data, values.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
#else
    if (posix_memalign(reinterpret_cast<void**>(&data), 64, bytes + (bytes == 0)) != 0) abort();
    if (bytes != 0) memcpy(data, values.data(), bytes);
#endif
  }
  Device(size_t count, T value) : Device(std::vector<T>(count, value)) {}
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() {
#if defined(__CUDACC__)
    cudaFree(data);
#else
    free(data);
#endif
  }
  size_t size() const { return count; }
  void fill(int byte) {
#if defined(__CUDACC__)
    expect_cuda(cudaMemset(data, byte, count * sizeof(T)), "cudaMemset");
#else
    if (count != 0) memset(static_cast<void*>(data), byte, count * sizeof(T));
#endif
  }
  uint64_t address() const { return reinterpret_cast<uint64_t>(data); }
  std::vector<T> host() const {
    std::vector<T> values(count);
#if defined(__CUDACC__)
    expect_cuda(cudaMemcpy(values.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
#else
    if (count != 0) memcpy(values.data(), data, count * sizeof(T));
#endif
    return values;
  }

 private:
  size_t count;
  T* data = nullptr;
};

#if defined(__CUDACC__)
template <class Args>
void launch(void (*kernel)(const Args), const char* name, const Args& args, dim3 grid, dim3 block, size_t shared) {
  if (shared > 48 << 10) {
    expect_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)), name);
  }
  kernel<<<grid, block, shared>>>(args);
  expect_cuda(cudaGetLastError(), name);
  expect_cuda(cudaDeviceSynchronize(), name);
}
  #define IFT_LAUNCH(kernel, args, grid, block, shared) test::launch(kernel, #kernel, args, grid, block, shared)
#else
inline void launch(const char* name, const void* args, dim3 grid, dim3 block, size_t shared) {
  const std::string error = emu::run(name, args, {grid, block, shared, schedule});
  if (!error.empty()) fail(name, error);
}
  #define IFT_LAUNCH(kernel, args, grid, block, shared) test::launch(#kernel, &(args), grid, block, shared)
#endif

}  // namespace test
