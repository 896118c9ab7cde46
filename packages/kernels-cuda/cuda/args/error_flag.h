// Errors that only device data shows. Shared with the host: fixed-width fields only.
#pragma once
#include <stdint.h>

/// What was out of range. The host has the kernel's and the operand's name for each.
enum IndexError {
  INDEX_OK = 0,
  INDEX_ATTENTION_CU_Q = 1,
  INDEX_ATTENTION_CU_K = 2,
  INDEX_ATTENTION_KV_LENGTHS = 3,
  INDEX_ATTENTION_PAGE_TABLE = 4,
  INDEX_GATHER_IDS = 5,
  INDEX_SCATTER_IDS = 6,
  INDEX_CROSS_ENTROPY_LABELS = 7,
};

/// One on each device, zero at first; the first error wins. Fields after `code` are valid once `code` is not 0.
struct ErrorFlag {
  uint32_t taken;
  uint32_t code;
  /// Element of the operand.
  int64_t index;
  int64_t value;
  /// What values should be below, or at most for bounds of sequences.
  int64_t limit;
};
