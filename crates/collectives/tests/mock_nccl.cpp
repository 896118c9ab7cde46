// A library with NCCL's names over threads of one process and host memory. It tests how it is called: the names, the
// order, the id, the arguments. It is no test of NCCL.
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#ifndef VERSION
#define VERSION 23007
#endif

struct Id { char bytes[128]; };

struct World {
  std::mutex lock;
  std::condition_variable bell;
  int size = 0, joined = 0, arrived = 0;
  uint64_t round = 0;
  // What the ranks bring now, and what all had brought when the last one came.
  std::vector<std::vector<char>> coming, complete;
};

struct Comm {
  World *world;
  int rank, size;
  int failure = 0;
};

static std::mutex all;
static std::map<std::string, World> worlds;
static std::map<int, std::string> calls;
static int ids = 0;
// Set by the test: what ncclCommGetAsyncError reports.
extern "C" int mock_async_error = 0;

static void note(int rank, const std::string &call) {
  std::lock_guard<std::mutex> guard(all);
  calls[rank] += call + "\n";
}

// The data of every rank: returns when all have come.
static std::vector<std::vector<char>> meet(Comm *comm, const void *data, size_t bytes) {
  World &world = *comm->world;
  std::unique_lock<std::mutex> guard(world.lock);
  uint64_t round = world.round;
  if (world.arrived == 0) world.coming.assign(comm->size, {});
  world.coming[comm->rank].assign((const char *)data, (const char *)data + bytes);
  if (++world.arrived == comm->size) {
    world.arrived = 0;
    world.complete.swap(world.coming);
    world.round++;
    world.bell.notify_all();
  } else {
    world.bell.wait(guard, [&] { return world.round != round; });
  }
  return world.complete;
}

static size_t size_of(int dtype) {
  switch (dtype) {
    case 1: return 1;
    case 6: case 9: return 2;
    case 2: case 7: return 4;
    default: return 0;
  }
}

template <class T> static void join(T *out, const std::vector<std::vector<char>> &parts, size_t from, size_t n, int op) {
  for (size_t i = 0; i < n; i++) {
    T value = ((const T *)parts[0].data())[from + i];
    for (size_t r = 1; r < parts.size(); r++) {
      T other = ((const T *)parts[r].data())[from + i];
      value = op == 0 ? value + other : (other > value ? other : value);
    }
    out[i] = value;
  }
}

static int reduce(void *out, const std::vector<std::vector<char>> &parts, size_t from, size_t n, int dtype, int op) {
  if (op != 0 && op != 2) return 4;
  if (dtype == 7) join((float *)out, parts, from, n, op);
  else if (dtype == 2) join((int32_t *)out, parts, from, n, op);
  else return 4;
  return 0;
}

static std::string text(const char *name, size_t n, int dtype, int last, void *stream) {
  char line[128];
  snprintf(line, sizeof line, "%s n=%zu dtype=%d %d stream=%zu", name, n, dtype, last, (size_t)stream);
  return line;
}

extern "C" {
const char *mock_calls(int rank) { return calls[rank].c_str(); }

int ncclGetVersion(int *version) { *version = VERSION; return 0; }
int ncclGetUniqueId(Id *id) {
  std::lock_guard<std::mutex> guard(all);
  for (int i = 0; i < 128; i++) id->bytes[i] = (char)(ids * 31 + i);
  worlds[std::string(id->bytes, 128)];
  ids++;
  return 0;
}
int ncclCommInitRank(Comm **comm, int size, Id id, int rank) {
  World *world;
  {
    std::lock_guard<std::mutex> guard(all);
    auto found = worlds.find(std::string(id.bytes, 128));
    if (found == worlds.end()) return 4;
    world = &found->second;
  }
  note(rank, "init " + std::to_string(rank) + " of " + std::to_string(size));
  std::unique_lock<std::mutex> guard(world->lock);
  if (world->joined++ == 0) world->size = size;
  if (world->size != size) return 4;
  world->bell.notify_all();
  world->bell.wait(guard, [&] { return world->joined == size; });
  *comm = new Comm{world, rank, size};
  return 0;
}
int ncclCommDestroy(Comm *comm) { note(comm->rank, "destroy"); delete comm; return 0; }
int ncclCommAbort(Comm *comm) { note(comm->rank, "abort"); delete comm; return 0; }
int ncclCommGetAsyncError(Comm *, int *error) { *error = mock_async_error; return 0; }
const char *ncclGetErrorString(int code) { return code == 6 ? "remote process exited" : "invalid argument"; }
int ncclAllReduce(const void *in, void *out, size_t n, int dtype, int op, Comm *comm, void *stream) {
  note(comm->rank, text("allReduce", n, dtype, op, stream));
  return reduce(out, meet(comm, in, n * size_of(dtype)), 0, n, dtype, op);
}
int ncclReduceScatter(const void *in, void *out, size_t n, int dtype, int op, Comm *comm, void *stream) {
  note(comm->rank, text("reduceScatter", n, dtype, op, stream));
  auto parts = meet(comm, in, n * comm->size * size_of(dtype));
  return reduce(out, parts, n * comm->rank, n, dtype, op);
}
int ncclAllGather(const void *in, void *out, size_t n, int dtype, Comm *comm, void *stream) {
  note(comm->rank, text("allGather", n, dtype, -1, stream));
  size_t bytes = n * size_of(dtype);
  auto parts = meet(comm, in, bytes);
  for (int r = 0; r < comm->size; r++) memcpy((char *)out + r * bytes, parts[r].data(), bytes);
  return 0;
}
#ifndef WITHOUT_BROADCAST
int ncclBroadcast(const void *in, void *out, size_t n, int dtype, int root, Comm *comm, void *stream) {
  note(comm->rank, text("broadcast", n, dtype, root, stream));
  auto parts = meet(comm, in, n * size_of(dtype));
  memcpy(out, parts[root].data(), n * size_of(dtype));
  return 0;
}
#endif
int ncclGroupStart() { return 0; }
int ncclGroupEnd() { return 0; }
}
