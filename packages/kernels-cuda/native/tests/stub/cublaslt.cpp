// libcublasLt.so.13 as far as the backend calls it, without products: it keeps count of handles, refuses types that the real
// one has no product for, and lets a test say which of its eight algorithms are refused where. The functions stub_* are the
// tests' own.
#include <stdint.h>
#include <string.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

enum Status { kSuccess = 0, kInvalidValue = 7, kNotSupported = 15 };

struct Object {
  std::string kind;
  // A layout.
  int type = 0;
  uint64_t rows = 0, cols = 0;
  // A descriptor.
  bool turns_left = false, turns_right = false, has_bias = false;
  int bias_type = -1;
  uint64_t bias = 0;
};

struct Algorithm {
  uint64_t data[8];
};

struct Result {
  Algorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

std::mutex mutex;
std::map<uint64_t, Object> objects;
uint64_t last = 0;
size_t most_objects = 0;
std::vector<std::string> broken_rules;
std::string answer;
int asked = 0;
std::string tried;
// By algorithm, from 1 on: its state, and the status of its check and of a product.
int states[9], checks[9], products[9];

int broken(const std::string& rule) {
  broken_rules.push_back(rule);
  return kInvalidValue;
}

void* add(const char* kind) {
  last += 64;
  objects[last].kind = kind;
  if (objects.size() > most_objects) most_objects = objects.size();
  return reinterpret_cast<void*>(last);
}

Object* find(const char* kind, const void* handle) {
  const auto found = objects.find(reinterpret_cast<uint64_t>(handle));
  if (found == objects.end() || found->second.kind != kind) {
    broken(std::string("no such ") + kind);
    return nullptr;
  }
  return &found->second;
}

int destroy(const char* kind, void* handle) {
  if (find(kind, handle) == nullptr) return kInvalidValue;
  objects.erase(reinterpret_cast<uint64_t>(handle));
  return kSuccess;
}

// Whether there is a product of this problem: factors that fit, types of the library.
int accept(void* handle, void* desc, void* left, void* right, void* c, void* d) {
  const Object *of = find("descriptor", desc), *a = find("layout", left), *b = find("layout", right);
  const Object *y = find("layout", d);
  if (find("handle", handle) == nullptr || of == nullptr || a == nullptr || b == nullptr || y == nullptr || c != d)
    return kInvalidValue;
  const uint64_t m = of->turns_left ? a->cols : a->rows, k = of->turns_left ? a->rows : a->cols;
  const uint64_t k2 = of->turns_right ? b->cols : b->rows, n = of->turns_right ? b->rows : b->cols;
  if (k != k2 || m != y->rows || n != y->cols) return broken("layouts that do not fit");
  if (a->type != b->type || (y->type != a->type && y->type != 0)) return kNotSupported;
  if (of->has_bias && of->bias_type != y->type) return kNotSupported;
  return kSuccess;
}

}  // namespace

using Lock = std::lock_guard<std::mutex>;

extern "C" {

const char* stub_broken_rules() {
  Lock lock(mutex);
  answer.clear();
  for (const std::string& one : broken_rules) answer += one + "\n";
  return answer.c_str();
}

size_t stub_objects() {
  Lock lock(mutex);
  return objects.size();
}

size_t stub_most_objects() {
  Lock lock(mutex);
  return most_objects;
}

int stub_asked() {
  Lock lock(mutex);
  return asked;
}

// Numbers of the algorithms that products were tried with, and forgets them.
const char* stub_tried() {
  Lock lock(mutex);
  answer = tried;
  tried.clear();
  return answer.c_str();
}

// Of an algorithm: the state among the results, the status of a check, that of a product.
void stub_algorithm(int number, int state, int check, int product) {
  Lock lock(mutex);
  states[number] = state;
  checks[number] = check;
  products[number] = product;
}

int cublasLtCreate(void** handle) {
  Lock lock(mutex);
  *handle = add("handle");
  return kSuccess;
}

int cublasLtDestroy(void* handle) {
  Lock lock(mutex);
  return destroy("handle", handle);
}

int cublasLtMatmulDescCreate(void** desc, int compute, int scale) {
  Lock lock(mutex);
  if (compute != 68 || scale != 0) return broken("no sums in f32");
  *desc = add("descriptor");
  return kSuccess;
}

int cublasLtMatmulDescSetAttribute(void* desc, int attribute, const void* value, size_t bytes) {
  Lock lock(mutex);
  Object* object = find("descriptor", desc);
  if (object == nullptr) return kInvalidValue;
  if (bytes != (attribute == 8 ? 8 : 4)) return broken("an attribute of another size");
  int number = 0;
  memcpy(&number, value, 4);
  switch (attribute) {
    case 3: object->turns_left = number == 1; break;
    case 4: object->turns_right = number == 1; break;
    case 7: object->has_bias = number == 4; break;
    case 8: memcpy(&object->bias, value, 8); break;
    case 26: object->bias_type = number; break;
    default: return broken("an unknown attribute");
  }
  return kSuccess;
}

int cublasLtMatmulDescDestroy(void* desc) {
  Lock lock(mutex);
  return destroy("descriptor", desc);
}

int cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t cols, int64_t stride) {
  Lock lock(mutex);
  if (static_cast<uint64_t>(stride) < rows || rows == 0 || cols == 0) return broken("a layout without a matrix");
  *layout = add("layout");
  objects[last].type = type;
  objects[last].rows = rows;
  objects[last].cols = cols;
  return kSuccess;
}

int cublasLtMatrixLayoutDestroy(void* layout) {
  Lock lock(mutex);
  return destroy("layout", layout);
}

int cublasLtMatmulPreferenceCreate(void** preference) {
  Lock lock(mutex);
  *preference = add("preference");
  return kSuccess;
}

int cublasLtMatmulPreferenceSetAttribute(void* preference, int attribute, const void*, size_t bytes) {
  Lock lock(mutex);
  if (find("preference", preference) == nullptr) return kInvalidValue;
  if (bytes != (attribute == 1 ? 8 : 4)) return broken("a preference of another size");
  return kSuccess;
}

int cublasLtMatmulPreferenceDestroy(void* preference) {
  Lock lock(mutex);
  return destroy("preference", preference);
}

int cublasLtMatmulAlgoGetHeuristic(void* handle, void* desc, void* left, void* right, void* c, void* d, void* preference,
                                   int most, Result* results, int* count) {
  Lock lock(mutex);
  ++asked;
  *count = 0;
  if (find("preference", preference) == nullptr) return kInvalidValue;
  if (const int status = accept(handle, desc, left, right, c, d)) return status;
  for (int i = 0; i < most && i < 8; ++i) {
    results[i] = {};
    results[i].algorithm.data[0] = i + 1;
    results[i].state = states[i + 1];
    ++*count;
  }
  return kSuccess;
}

int cublasLtMatmulAlgoCheck(void* handle, void* desc, void* left, void* right, void* c, void* d,
                            const Algorithm* algorithm, Result* result) {
  Lock lock(mutex);
  if (const int status = accept(handle, desc, left, right, c, d)) return status;
  *result = {};
  return checks[algorithm->data[0]];
}

int cublasLtMatmul(void* handle, void* desc, const void* alpha, const void* a, void* left, const void* b, void* right,
                   const void* beta, const void* c, void* c_layout, void* d, void* d_layout, const Algorithm* algorithm,
                   void* workspace, size_t bytes, void*) {
  Lock lock(mutex);
  if (const int status = accept(handle, desc, left, right, c_layout, d_layout)) return status;
  const Object* of = find("descriptor", desc);
  if (alpha == nullptr || beta == nullptr || a == nullptr || b == nullptr || c != d || workspace == nullptr || bytes == 0)
    return broken("a product without operands");
  if (of->has_bias && of->bias == 0) return broken("a product without its bias");
  tried += std::to_string(algorithm->data[0]) + " ";
  return products[algorithm->data[0]];
}
}
