// Reports device data that is out of range.
#pragma once
#include "args/error_flag.h"
#include "ift_cuda.h"

/// The first report is kept; the host reads it at its next fence.
__device__ __forceinline__ void report_index(uint64_t flag, IndexError code, int64_t index, int64_t value,
                                             int64_t limit) {
  ErrorFlag* error = reinterpret_cast<ErrorFlag*>(flag);
  if (error == nullptr || atomicCAS(&error->taken, 0u, 1u) != 0u) return;
  error->index = index;
  error->value = value;
  error->limit = limit;
  __threadfence();
  atomicExch(&error->code, static_cast<uint32_t>(code));
}
