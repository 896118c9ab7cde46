// libcuda.so.1 over host memory, as far as the backend calls it, for its rules: the context is current on the calling thread,
// nobody waits for a stream that captures or frees meanwhile, every handle is live when it is used, freed once and by its own
// device, and none is left when a device's context ends. A call that breaks one fails as on a GPU, and is written down. Kernels
// do nothing; copies copy. The functions stub_* are the tests' own. Over 400 lines: one library, one short function for each
// that the backend calls.
#include <stdint.h>
#include <string.h>

#include <map>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <vector>

namespace {

enum Status {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kInvalidHandle = 400,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kCaptureUnsupported = 900,
  kCaptureInvalidated = 901,
};

constexpr int kDevices = 2;
constexpr unsigned kPlainShared = 48 << 10;
constexpr int kMostShared = 227 << 10;

// A copy or a launch that a graph does again.
struct Node {
  bool is_copy;
  uint64_t to;
  const void* from;
  size_t bytes;
};

struct Handle {
  std::string kind;
  int device;
  // A stream: whether it captures, whether that went wrong, and what it has captured. A graph: what it does.
  bool captures = false, broken = false;
  std::vector<Node> nodes;
  // An event.
  bool timed = false, recorded = false;
  // A module's kernels; a kernel's name and the dynamic shared memory that it is allowed.
  std::vector<std::string> names;
  std::string name;
  unsigned shared = kPlainShared;
};

struct Block {
  size_t bytes;
  int device;
};

struct Device {
  int retained = 0;
  // What the next wait will report, and what every call reports behind that.
  int pending = 0, sticky = 0;
};

std::mutex mutex;
Device devices[kDevices];
thread_local int current = -1;
std::map<uint64_t, Handle> handles;
uint64_t last_handle = 0;
std::map<uint64_t, Block> blocks;
std::map<uint64_t, Block> pinned;
std::vector<std::string> broken_rules;
std::vector<std::string> launched;
size_t memory_limit = size_t{1} << 40;
size_t memory_given = 0;
long until_failure = -1;
int failure = 0;
std::string answer;

int broken(int status, const std::string& rule) {
  broken_rules.push_back(rule);
  return status;
}

// The status of a call that needs a context.
int enter(const char* call) {
  if (current < 0 || devices[current].retained == 0)
    return broken(kInvalidContext, std::string(call) + ": no context is current on this thread");
  return devices[current].sticky;
}

void* add(const char* kind) {
  last_handle += 64;
  Handle& handle = handles[last_handle];
  handle.kind = kind;
  handle.device = current;
  return reinterpret_cast<void*>(last_handle);
}

// The live handle of a kind on the current device; null, and a rule broken, when it is none.
Handle* find(const char* call, const char* kind, const void* handle) {
  const auto found = handles.find(reinterpret_cast<uint64_t>(handle));
  if (found == handles.end() || found->second.kind != kind) {
    broken(0, std::string(call) + ": no such " + kind);
    return nullptr;
  }
  if (found->second.device != current) {
    broken(0, std::string(call) + ": a " + kind + " of another device");
    return nullptr;
  }
  return &found->second;
}

// Freed also on a device that is lost, where the call itself fails.
int destroy(const char* call, const char* kind, void* handle) {
  const int status = enter(call);
  if (status == kInvalidContext) return status;
  if (find(call, kind, handle) == nullptr) return kInvalidHandle;
  handles.erase(reinterpret_cast<uint64_t>(handle));
  return status;
}

bool captures(int device) {
  for (const auto& [_, handle] : handles)
    if (handle.device == device && handle.captures) return true;
  return false;
}

bool within(const std::map<uint64_t, Block>& all, uint64_t address, size_t bytes) {
  auto after = all.upper_bound(address);
  if (after == all.begin()) return false;
  --after;
  return address + bytes <= after->first + after->second.bytes;
}

// A wait for a stream: what went wrong on the device before it.
int wait(const char* call, void* stream) {
  if (const int status = enter(call)) return status;
  Handle* found = find(call, "stream", stream);
  if (found == nullptr) return kInvalidHandle;
  if (found->captures) {
    found->broken = true;
    return broken(kCaptureUnsupported, std::string(call) + ": the stream captures");
  }
  return devices[current].sticky = devices[current].pending;
}

void list(const std::vector<std::string>& all) {
  answer.clear();
  for (const std::string& one : all) answer += one + "\n";
}

}  // namespace

using Lock = std::lock_guard<std::mutex>;

extern "C" {

const char* stub_broken_rules() {
  Lock lock(mutex);
  list(broken_rules);
  return answer.c_str();
}

const char* stub_launched() {
  Lock lock(mutex);
  list(launched);
  return answer.c_str();
}

int stub_contexts() {
  Lock lock(mutex);
  return devices[0].retained + devices[1].retained;
}

// Bytes that both devices give out together.
void stub_memory(size_t bytes) {
  Lock lock(mutex);
  memory_limit = bytes;
}

size_t stub_given() {
  Lock lock(mutex);
  return memory_given;
}

// The launch behind `after` others fails, which the next wait reports.
void stub_fail(long after, int status) {
  Lock lock(mutex);
  until_failure = after;
  failure = status;
}

int cuInit(unsigned) { return kSuccess; }

int cuDriverGetVersion(int* version) {
  *version = 13000;
  return kSuccess;
}

int cuDeviceGetCount(int* count) {
  *count = kDevices;
  return kSuccess;
}

int cuDeviceGet(int* device, int index) {
  *device = index;
  return index < kDevices ? kSuccess : kInvalidValue;
}

int cuDeviceGetName(char* name, int length, int) {
  strncpy(name, "stub", length);
  return kSuccess;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 132;
  return kSuccess;
}

int cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = size_t{1} << 37;
  return kSuccess;
}

int cuDevicePrimaryCtxRetain(void** context, int device) {
  Lock lock(mutex);
  ++devices[device].retained;
  *context = reinterpret_cast<void*>(static_cast<intptr_t>(device) + 1);
  return kSuccess;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  Lock lock(mutex);
  if (devices[device].retained == 0) return broken(kInvalidContext, "a context is released twice");
  if (--devices[device].retained > 0) return kSuccess;
  for (const auto& [_, handle] : handles)
    if (handle.device == device && handle.kind != "function") broken(0, "left: " + handle.kind);
  for (const auto& [_, block] : blocks)
    if (block.device == device) broken(0, "left: " + std::to_string(block.bytes) + " bytes of the device");
  for (const auto& [_, block] : pinned)
    if (block.device == device) broken(0, "left: " + std::to_string(block.bytes) + " pinned bytes");
  return kSuccess;
}

int cuCtxSetCurrent(void* context) {
  Lock lock(mutex);
  current = static_cast<int>(reinterpret_cast<intptr_t>(context)) - 1;
  if (current >= 0 && devices[current].retained == 0) return broken(kInvalidContext, "a context that has ended");
  return kSuccess;
}

int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  Lock lock(mutex);
  if (const int status = enter("cuMemAlloc")) return status;
  if (memory_given + bytes > memory_limit) return kOutOfMemory;
  memory_given += bytes;
  *address = reinterpret_cast<uint64_t>(new (std::align_val_t(256)) char[bytes]());
  blocks[*address] = {bytes, current};
  return kSuccess;
}

int cuMemFree_v2(uint64_t address) {
  Lock lock(mutex);
  const int status = enter("cuMemFree");
  if (status == kInvalidContext) return status;
  const auto found = blocks.find(address);
  if (found == blocks.end()) return broken(kInvalidValue, "cuMemFree: no such memory");
  if (found->second.device != current) broken(0, "cuMemFree: the context of another device is current");
  // It waits for the device.
  if (captures(found->second.device)) broken(0, "cuMemFree: a stream of the device captures");
  memory_given -= found->second.bytes;
  blocks.erase(found);
  ::operator delete[](reinterpret_cast<char*>(address), std::align_val_t(256));
  return status;
}

int cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  Lock lock(mutex);
  if (const int status = enter("cuMemHostAlloc")) return status;
  *memory = new char[bytes]();
  pinned[reinterpret_cast<uint64_t>(*memory)] = {bytes, current};
  return kSuccess;
}

int cuMemFreeHost(void* memory) {
  Lock lock(mutex);
  const int status = enter("cuMemFreeHost");
  if (status == kInvalidContext) return status;
  if (pinned.erase(reinterpret_cast<uint64_t>(memory)) == 0)
    return broken(kInvalidValue, "cuMemFreeHost: no such memory");
  delete[] static_cast<char*>(memory);
  return status;
}

int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
  Lock lock(mutex);
  if (const int status = enter("cuMemcpyHtoDAsync")) return status;
  Handle* found = find("cuMemcpyHtoDAsync", "stream", stream);
  if (found == nullptr) return kInvalidHandle;
  if (!within(blocks, to, bytes)) return broken(kInvalidValue, "cuMemcpyHtoDAsync: no memory of the device");
  if (!within(pinned, reinterpret_cast<uint64_t>(from), bytes))
    return broken(kInvalidValue, "cuMemcpyHtoDAsync: from pageable memory");
  if (found->captures)
    found->nodes.push_back({true, to, from, bytes});
  else
    memcpy(reinterpret_cast<void*>(to), from, bytes);
  return kSuccess;
}

int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
  Lock lock(mutex);
  if (const int status = enter("cuMemcpyDtoHAsync")) return status;
  Handle* found = find("cuMemcpyDtoHAsync", "stream", stream);
  if (found == nullptr) return kInvalidHandle;
  if (found->captures) return broken(kCaptureUnsupported, "cuMemcpyDtoHAsync: the stream captures");
  if (!within(blocks, from, bytes)) return broken(kInvalidValue, "cuMemcpyDtoHAsync: no memory of the device");
  memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return kSuccess;
}

int cuEventCreate(void** event, unsigned flags) {
  Lock lock(mutex);
  if (const int status = enter("cuEventCreate")) return status;
  *event = add("event");
  handles[last_handle].timed = (flags & 2) == 0;
  return kSuccess;
}

int cuEventDestroy_v2(void* event) {
  Lock lock(mutex);
  return destroy("cuEventDestroy", "event", event);
}

int cuEventRecord(void* event, void* stream) {
  Lock lock(mutex);
  if (const int status = enter("cuEventRecord")) return status;
  Handle *found = find("cuEventRecord", "event", event), *on = find("cuEventRecord", "stream", stream);
  if (found == nullptr || on == nullptr) return kInvalidHandle;
  if (on->captures) broken(0, "cuEventRecord: the stream captures");
  found->recorded = true;
  return kSuccess;
}

int cuEventSynchronize(void* event) {
  Lock lock(mutex);
  if (const int status = enter("cuEventSynchronize")) return status;
  if (find("cuEventSynchronize", "event", event) == nullptr) return kInvalidHandle;
  return devices[current].sticky = devices[current].pending;
}

int cuEventElapsedTime(float* ms, void* begin, void* end) {
  Lock lock(mutex);
  if (const int status = enter("cuEventElapsedTime")) return status;
  for (void* event : {begin, end}) {
    Handle* found = find("cuEventElapsedTime", "event", event);
    if (found == nullptr) return kInvalidHandle;
    if (!found->timed || !found->recorded) return broken(kInvalidHandle, "cuEventElapsedTime: an event without a time");
  }
  *ms = 0.25f;
  return kSuccess;
}

int cuStreamCreate(void** stream, unsigned) {
  Lock lock(mutex);
  if (const int status = enter("cuStreamCreate")) return status;
  *stream = add("stream");
  return kSuccess;
}

int cuStreamDestroy_v2(void* stream) {
  Lock lock(mutex);
  return destroy("cuStreamDestroy", "stream", stream);
}

int cuStreamQuery(void* stream) {
  Lock lock(mutex);
  return wait("cuStreamQuery", stream);
}

int cuStreamSynchronize(void* stream) {
  Lock lock(mutex);
  return wait("cuStreamSynchronize", stream);
}

int cuStreamBeginCapture_v2(void* stream, int mode) {
  Lock lock(mutex);
  if (const int status = enter("cuStreamBeginCapture")) return status;
  Handle* found = find("cuStreamBeginCapture", "stream", stream);
  if (found == nullptr) return kInvalidHandle;
  if (found->captures) return broken(kCaptureUnsupported, "cuStreamBeginCapture: the stream captures");
  if (mode != 2) broken(0, "cuStreamBeginCapture: other threads could not allocate");
  found->captures = true;
  found->broken = false;
  found->nodes.clear();
  return kSuccess;
}

int cuStreamEndCapture(void* stream, void** graph) {
  Lock lock(mutex);
  *graph = nullptr;
  const int status = enter("cuStreamEndCapture");
  if (status == kInvalidContext) return status;
  Handle* found = find("cuStreamEndCapture", "stream", stream);
  if (found == nullptr) return kInvalidHandle;
  if (!found->captures) return broken(kCaptureUnsupported, "cuStreamEndCapture: the stream does not capture");
  found->captures = false;
  if (status != kSuccess) return status;
  if (found->broken) return kCaptureInvalidated;
  const std::vector<Node> nodes = found->nodes;
  *graph = add("graph");
  handles[last_handle].nodes = nodes;
  return kSuccess;
}

int cuGraphInstantiateWithFlags(void** recording, void* graph, unsigned long long) {
  Lock lock(mutex);
  if (const int status = enter("cuGraphInstantiate")) return status;
  const Handle* found = find("cuGraphInstantiate", "graph", graph);
  if (found == nullptr) return kInvalidHandle;
  const std::vector<Node> nodes = found->nodes;
  *recording = add("recording");
  handles[last_handle].nodes = nodes;
  return kSuccess;
}

int cuGraphDestroy(void* graph) {
  Lock lock(mutex);
  return destroy("cuGraphDestroy", "graph", graph);
}

int cuGraphLaunch(void* recording, void* stream) {
  Lock lock(mutex);
  if (const int status = enter("cuGraphLaunch")) return status;
  const Handle *found = find("cuGraphLaunch", "recording", recording), *on = find("cuGraphLaunch", "stream", stream);
  if (found == nullptr || on == nullptr) return kInvalidHandle;
  for (const Node& node : found->nodes) {
    if (!node.is_copy) continue;
    if (!within(pinned, reinterpret_cast<uint64_t>(node.from), node.bytes) || !within(blocks, node.to, node.bytes))
      return broken(kIllegalAddress, "cuGraphLaunch: memory of the recording was freed");
    memcpy(reinterpret_cast<void*>(node.to), node.from, node.bytes);
  }
  return kSuccess;
}

int cuGraphExecDestroy(void* recording) {
  Lock lock(mutex);
  return destroy("cuGraphExecDestroy", "recording", recording);
}

// An image is a line "stub" and a line for each kernel.
int cuModuleLoadData(void** module, const void* image) {
  Lock lock(mutex);
  if (const int status = enter("cuModuleLoadData")) return status;
  const char* text = static_cast<const char*>(image);
  if (reinterpret_cast<uintptr_t>(image) % 8 != 0 || strncmp(text, "stub\n", 5) != 0)
    return broken(kInvalidImage, "cuModuleLoadData: no image at a multiple of 8");
  *module = add("module");
  for (const char* line = text + 5; *line != 0;) {
    const char* end = strchr(line, '\n');
    handles[last_handle].names.emplace_back(line, end);
    line = end + 1;
  }
  return kSuccess;
}

int cuModuleUnload(void* module) {
  Lock lock(mutex);
  return destroy("cuModuleUnload", "module", module);
}

int cuModuleGetFunction(void** function, void* module, const char* name) {
  Lock lock(mutex);
  if (const int status = enter("cuModuleGetFunction")) return status;
  const Handle* found = find("cuModuleGetFunction", "module", module);
  if (found == nullptr) return kInvalidHandle;
  for (const std::string& one : found->names) {
    if (one != name) continue;
    *function = add("function");
    handles[last_handle].name = name;
    return kSuccess;
  }
  return kNotFound;
}

int cuFuncGetAttribute(int* value, int attribute, void* function) {
  Lock lock(mutex);
  if (const int status = enter("cuFuncGetAttribute")) return status;
  if (find("cuFuncGetAttribute", "function", function) == nullptr) return kInvalidHandle;
  const int values[] = {1024, 16, 544, 8, 40};
  *value = values[attribute];
  return kSuccess;
}

int cuFuncSetAttribute(void* function, int attribute, int value) {
  Lock lock(mutex);
  if (const int status = enter("cuFuncSetAttribute")) return status;
  Handle* found = find("cuFuncSetAttribute", "function", function);
  if (found == nullptr) return kInvalidHandle;
  if (attribute != 8 || value > kMostShared) return kInvalidValue;
  found->shared = value;
  return kSuccess;
}

int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void* stream, void** arguments, void**) {
  Lock lock(mutex);
  if (const int status = enter("cuLaunchKernel")) return status;
  const Handle* found = find("cuLaunchKernel", "function", function);
  Handle* on = find("cuLaunchKernel", "stream", stream);
  if (found == nullptr || on == nullptr) return kInvalidHandle;
  if (gx == 0 || gx > 0x7FFFFFFFu || gy == 0 || gy > 65535 || gz == 0 || gz > 65535 || bx * by * bz == 0 ||
      bx * by * bz > 1024 || shared > found->shared || arguments == nullptr)
    return broken(kInvalidValue, "cuLaunchKernel: " + found->name + " with a grid or memory beyond the limits");
  launched.push_back(found->name);
  if (on->captures)
    on->nodes.push_back({false, 0, nullptr, 0});
  else if (until_failure-- == 0)
    devices[current].pending = failure;
  return kSuccess;
}

int cuGetErrorName(int status, const char** text) {
  *text = status == kOutOfMemory          ? "CUDA_ERROR_OUT_OF_MEMORY"
          : status == kIllegalAddress     ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : status == kCaptureUnsupported ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
          : status == kNotFound           ? "CUDA_ERROR_NOT_FOUND"
                                          : "CUDA_ERROR_UNKNOWN";
  return kSuccess;
}

int cuGetErrorString(int status, const char** text) {
  *text = status == kIllegalAddress ? "an illegal memory access was encountered" : "of the stub";
  return kSuccess;
}
}
