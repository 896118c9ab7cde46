// A library with NCCL's names over host memory, for ranks that are threads or processes of one machine: they meet in
// memory of rank 0's process that the id names and all map. It tests how it is called: the names, the order, the id, the
// arguments, and that every rank makes the same calls. It is no test of NCCL. As there, a rank that is gone leaves the
// others waiting; here after MOCK_NCCL_TIMEOUT seconds (120) they are told.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#ifndef VERSION
#define VERSION 23007
#endif

enum Result { OK = 0, SYSTEM = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, REMOTE = 6 };

struct Id { char bytes[128]; };

// What ranks must agree about in one collective.
struct Call {
  int32_t kind, dtype, last;
  uint64_t n;
  bool operator==(const Call &other) const {
    return kind == other.kind && dtype == other.dtype && last == other.last && n == other.n;
  }
};

static const int MOST_RANKS = 16;
static const size_t PIECE = 256 << 10;
static const char ID_PREFIX[] = "mock-nccl:";

// The mapped memory; zeros are a world that nobody has joined.
struct World {
  std::atomic<int32_t> size, joined, arrived;
  std::atomic<uint32_t> round;
  std::atomic<int32_t> taken[MOST_RANKS];
  Call calls[MOST_RANKS];
  alignas(64) char data[MOST_RANKS][PIECE];
};

struct Comm {
  World *world;
  int rank, size;
};

static std::mutex all;
static std::map<int, std::string> calls;
// Set by the test: what ncclCommGetAsyncError reports.
extern "C" {
int mock_async_error = 0;
}

static void note(int rank, const std::string &call) {
  std::lock_guard<std::mutex> guard(all);
  calls[rank] += call + "\n";
}

template <class Done> static bool wait(Done done) {
  const char *given = getenv("MOCK_NCCL_TIMEOUT");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(given ? atoi(given) : 120);
  for (int turn = 0; !done(); turn++) {
    if (turn < 100) std::this_thread::yield();
    else std::this_thread::sleep_for(std::chrono::microseconds(std::min(turn, 500)));
    if (std::chrono::steady_clock::now() > until) return false;
  }
  return true;
}

// Returns when all ranks have come.
static bool meet(Comm *comm) {
  World &world = *comm->world;
  const uint32_t round = world.round;
  if (++world.arrived == comm->size) {
    world.arrived = 0;
    world.round++;
    return true;
  }
  return wait([&] { return world.round != round; });
}

// Gives the data of every rank to every rank, piece by piece: `take(at, bytes)` finds that of rank r at world.data[r].
template <class Take> static int exchange(Comm *comm, Call call, const void *data, size_t bytes, Take take) {
  World &world = *comm->world;
  world.calls[comm->rank] = call;
  size_t at = 0;
  do {
    const size_t piece = std::min(PIECE, bytes - at);
    if (piece > 0) memcpy(world.data[comm->rank], (const char *)data + at, piece);
    if (!meet(comm)) return REMOTE;
    bool same = true;
    for (int r = 0; r < comm->size; r++) same = same && world.calls[r] == call;
    if (same) take(at, piece);
    if (!meet(comm)) return REMOTE;
    if (!same) return INVALID_USAGE;
    at += piece;
  } while (at < bytes);
  return OK;
}

static size_t size_of(int dtype) {
  switch (dtype) {
    case 1: return 1;
    case 6: case 9: return 2;
    case 2: case 7: return 4;
    default: return 0;
  }
}

// out [n] = elements from .. from + n of the reduction of `in` over ranks, in their order.
template <class T> static int reduce(Comm *comm, Call call, const T *in, T *out, size_t total, size_t from, size_t n, int op) {
  return exchange(comm, call, in, total * sizeof(T), [&](size_t at, size_t bytes) {
    const size_t first = at / sizeof(T);
    for (size_t i = 0; i < bytes / sizeof(T); i++) {
      if (first + i < from || first + i >= from + n) continue;
      T value = ((const T *)comm->world->data[0])[i];
      for (int r = 1; r < comm->size; r++) {
        const T other = ((const T *)comm->world->data[r])[i];
        value = op == 0 ? value + other : std::max(value, other);
      }
      out[first + i - from] = value;
    }
  });
}

static int reduce(Comm *comm, Call call, const void *in, void *out, size_t total, size_t from, size_t n) {
  if (call.last != 0 && call.last != 2) return INVALID_ARGUMENT;
  if (call.dtype == 7) return reduce(comm, call, (const float *)in, (float *)out, total, from, n, call.last);
  if (call.dtype == 2) return reduce(comm, call, (const int32_t *)in, (int32_t *)out, total, from, n, call.last);
  return INVALID_ARGUMENT;
}

static std::string text(const char *name, size_t n, int dtype, int last, void *stream) {
  char line[128];
  snprintf(line, sizeof line, "%s n=%zu dtype=%d %d stream=%zu", name, n, dtype, last, (size_t)stream);
  return line;
}

// Memory that other processes of this user can open by a path, until this one ends.
static std::string new_world() {
#ifdef __linux__
  const int file = memfd_create("mock-nccl", 0);
  const std::string path = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file);
#else
  std::string path = "/tmp/mock-nccl-XXXXXX";
  const int file = mkstemp(&path[0]);
#endif
  return file >= 0 && ftruncate(file, sizeof(World)) == 0 ? path : "";
}

static World *map_world(const std::string &path) {
  const int file = open(path.c_str(), O_RDWR);
  if (file < 0) return nullptr;
  struct stat found;
  void *mapped = MAP_FAILED;
  if (fstat(file, &found) == 0 && found.st_size == (off_t)sizeof(World))
    mapped = mmap(nullptr, sizeof(World), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return mapped == MAP_FAILED ? nullptr : (World *)mapped;
}

extern "C" {
const char *mock_calls(int rank) { return calls[rank].c_str(); }

int ncclGetVersion(int *version) { *version = VERSION; return OK; }
int ncclGetUniqueId(Id *id) {
  const std::string text = ID_PREFIX + new_world();
  if (text == ID_PREFIX || text.size() >= sizeof id->bytes) return SYSTEM;
  memset(id, 0, sizeof *id);
  memcpy(id->bytes, text.data(), text.size());
  return OK;
}
int ncclCommInitRank(Comm **comm, int size, Id id, int rank) {
  id.bytes[127] = 0;
  const std::string name = id.bytes;
  if (name.compare(0, sizeof ID_PREFIX - 1, ID_PREFIX) != 0) return INVALID_ARGUMENT;
  if (size < 1 || size > MOST_RANKS || rank < 0 || rank >= size) return INVALID_ARGUMENT;
  World *world = map_world(name.substr(sizeof ID_PREFIX - 1));
  if (world == nullptr) return INVALID_ARGUMENT;
  note(rank, "init " + std::to_string(rank) + " of " + std::to_string(size));
  int32_t none = 0;
  world->size.compare_exchange_strong(none, size);
  if (world->size != size || world->taken[rank].exchange(1) != 0) return INVALID_ARGUMENT;
  world->joined++;
  if (!wait([&] { return world->joined == size; })) return REMOTE;
  *comm = new Comm{world, rank, size};
  return OK;
}
static void leave(Comm *comm, const char *how) {
  note(comm->rank, how);
  munmap(comm->world, sizeof(World));
  delete comm;
}
int ncclCommDestroy(Comm *comm) { leave(comm, "destroy"); return OK; }
int ncclCommAbort(Comm *comm) { leave(comm, "abort"); return OK; }
int ncclCommGetAsyncError(Comm *, int *error) { *error = mock_async_error; return OK; }
const char *ncclGetErrorString(int code) {
  return code == REMOTE ? "remote process exited" : code == INVALID_USAGE ? "invalid usage" : "invalid argument";
}
int ncclAllReduce(const void *in, void *out, size_t n, int dtype, int op, Comm *comm, void *stream) {
  note(comm->rank, text("allReduce", n, dtype, op, stream));
  return reduce(comm, {1, dtype, op, n}, in, out, n, 0, n);
}
int ncclReduceScatter(const void *in, void *out, size_t n, int dtype, int op, Comm *comm, void *stream) {
  note(comm->rank, text("reduceScatter", n, dtype, op, stream));
  return reduce(comm, {2, dtype, op, n}, in, out, n * comm->size, n * comm->rank, n);
}
int ncclAllGather(const void *in, void *out, size_t n, int dtype, Comm *comm, void *stream) {
  note(comm->rank, text("allGather", n, dtype, -1, stream));
  const size_t bytes = n * size_of(dtype);
  return exchange(comm, {3, dtype, -1, n}, in, bytes, [&](size_t at, size_t piece) {
    for (int r = 0; r < comm->size; r++) memcpy((char *)out + r * bytes + at, comm->world->data[r], piece);
  });
}
#ifndef WITHOUT_BROADCAST
int ncclBroadcast(const void *in, void *out, size_t n, int dtype, int root, Comm *comm, void *stream) {
  note(comm->rank, text("broadcast", n, dtype, root, stream));
  if (root < 0 || root >= comm->size) return INVALID_ARGUMENT;
  return exchange(comm, {4, dtype, root, n}, in, n * size_of(dtype), [&](size_t at, size_t piece) {
    memcpy((char *)out + at, comm->world->data[root], piece);
  });
}
#endif
int ncclGroupStart() { return OK; }
int ncclGroupEnd() { return OK; }
}
