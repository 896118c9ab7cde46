// The C functions by which the emulated driver launches kernels. Link the kernels' objects whole: they register
// themselves in static initialisers that nothing else refers to.
#include "launch.h"

static thread_local std::string last_error;

extern "C" {

/// 0, or 1 with a message in `ift_emu_error`.
int ift_emu_launch(const char* name, const void* args, uint32_t grid_x, uint32_t grid_y, uint32_t grid_z,
                   uint32_t block_x, uint32_t block_y, uint32_t block_z, size_t shared, uint32_t schedule) {
  last_error = emu::run(name, args, {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared, schedule});
  return last_error.empty() ? 0 : 1;
}

/// Whether a kernel of that name is in this build.
int ift_emu_has(const char* name) { return emu::kernels().count(name) != 0; }

/// Name of the kernel at a place among those of this build, which are sorted by it; null behind the last one.
const char* ift_emu_name(size_t index) {
  if (index >= emu::kernels().size()) return nullptr;
  return std::next(emu::kernels().begin(), static_cast<std::ptrdiff_t>(index))->first.c_str();
}

/// What went wrong in the last launch of this thread; valid until its next one.
const char* ift_emu_error(void) { return last_error.c_str(); }

}
