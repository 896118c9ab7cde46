// planted bug: IFT_PLANT_NO_BARRIER_IN_SUM, race
// The emulator itself: fragment layouts against plain loops, and every mistake that it must report. The first half also
// runs on a GPU, where it confirms that the emulator's belief about layouts is true.
#include "harness.h"

struct ProductArgs {
  /// a [16, 16], b [8, 16] (columns of the right factor), c f32 [16, 8], d f32 [16, 8]
  uint64_t a, b, c, d;
};

template <class T>
__device__ __forceinline__ void product(const ProductArgs& p) {
  __shared__ __align__(16) T a[16 * 24];
  __shared__ __align__(16) T b[16 * 24];
  const int lane = threadIdx.x;
  const T* from_a = reinterpret_cast<const T*>(p.a);
  const T* from_b = reinterpret_cast<const T*>(p.b);
  // Two vectors a row; the second row of b's registers is unused.
  cp_async_16(a + lane / 2 * 24 + lane % 2 * 8, from_a + lane * 8, 16);
  cp_async_16(b + lane / 2 * 24 + lane % 2 * 8, from_b + lane % 16 * 8, lane < 16 ? 16 : 0);
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  uint32_t fa[4], fb[4];
  ldmatrix_x4(fa, a + lane % 16 * 24 + lane / 16 * 8);
  ldmatrix_x4(fb, b + (lane / 16 * 8 + lane % 8) * 24 + lane / 8 % 2 * 8);
  float d[4];
  const int row = lane / 4, col = lane % 4 * 2;
  const float* c = reinterpret_cast<const float*>(p.c);
  for (int e = 0; e < 4; ++e) d[e] = c[(row + e / 2 * 8) * 8 + col + e % 2];
  const uint32_t right[2] = {fb[0], fb[1]};
  mma_16816(d, fa, right, T());
  float* out = reinterpret_cast<float*>(p.d);
  for (int e = 0; e < 4; ++e) out[(row + e / 2 * 8) * 8 + col + e % 2] = d[e];
}
IFT_KERNEL(test_product_bf16, ProductArgs, product<bf16>, 32)
IFT_KERNEL(test_product_f16, ProductArgs, product<f16>, 32)

/// The same product with the right factor [16, 8] row-major, through the transposing load.
template <class T>
__device__ __forceinline__ void product_transposed(const ProductArgs& p) {
  __shared__ __align__(16) T a[16 * 24];
  __shared__ __align__(16) T b[16 * 8];
  const int lane = threadIdx.x;
  for (int i = lane; i < 256; i += 32) a[i / 16 * 24 + i % 16] = reinterpret_cast<const T*>(p.a)[i];
  for (int i = lane; i < 128; i += 32) b[i] = reinterpret_cast<const T*>(p.b)[i % 8 * 16 + i / 8];
  __syncthreads();
  uint32_t fa[4], fb[4];
  ldmatrix_x4(fa, a + lane % 16 * 24 + lane / 16 * 8);
  ldmatrix_x4_trans(fb, b + lane % 16 * 8);
  float d[4];
  const int row = lane / 4, col = lane % 4 * 2;
  for (int e = 0; e < 4; ++e) d[e] = reinterpret_cast<const float*>(p.c)[(row + e / 2 * 8) * 8 + col + e % 2];
  const uint32_t right[2] = {fb[0], fb[1]};
  mma_16816(d, fa, right, T());
  for (int e = 0; e < 4; ++e) reinterpret_cast<float*>(p.d)[(row + e / 2 * 8) * 8 + col + e % 2] = d[e];
}
IFT_KERNEL(test_product_transposed_bf16, ProductArgs, product_transposed<bf16>, 32)
IFT_KERNEL(test_product_transposed_f16, ProductArgs, product_transposed<f16>, 32)

struct SumArgs {
  uint64_t x, y;
};
__device__ __forceinline__ void sums(const SumArgs& a) {
  __shared__ float partial[32];
  const float v = reinterpret_cast<const float*>(a.x)[blockIdx.x * blockDim.x + threadIdx.x];
  const float total = block_sum(v, partial), largest = block_max(v, partial);
  float* y = reinterpret_cast<float*>(a.y) + blockIdx.x * 2;
  if (threadIdx.x == 0) y[0] = total, y[1] = largest;
}
IFT_KERNEL(test_sums, SumArgs, sums, 1024)

template <class T>
static void products() {
  const test::Case here(std::string("mma ") + test::dtype_name<T>());
  if (!here.runs()) return;
  const std::vector<T> a = test::normal<T>(256), b = test::normal<T>(128);
  const std::vector<float> c = test::normal<float>(128);
  std::vector<double> expected = test::doubles(c);
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 8; ++j) {
      for (int k = 0; k < 16; ++k) {
        expected[i * 8 + j] += double(test::host_float(a[i * 16 + k])) * test::host_float(b[j * 16 + k]);
      }
    }
  }
  test::Device<T> da(a), db(b);
  test::Device<float> dc(c), dd(test::unwritten<float>(128)), dt(test::unwritten<float>(128));
  ProductArgs p{da.address(), db.address(), dc.address(), dd.address()};
  ProductArgs q{da.address(), db.address(), dc.address(), dt.address()};
  if constexpr (std::is_same<T, bf16>::value) {
    IFT_LAUNCH(test_product_bf16, p, 1, 32, 0);
    IFT_LAUNCH(test_product_transposed_bf16, q, 1, 32, 0);
  } else {
    IFT_LAUNCH(test_product_f16, p, 1, 32, 0);
    IFT_LAUNCH(test_product_transposed_f16, q, 1, 32, 0);
  }
  test::expect_close("product", dd.host(), expected, 2e-6, {8});
  test::expect_close("transposed product", dt.host(), expected, 2e-6, {8});
}

static void block_sums() {
  for (int threads : {32, 256, 1024}) {
    const test::Case here("sums of " + std::to_string(threads));
    if (!here.runs()) continue;
    const int blocks = 3;
    const std::vector<float> x = test::normal<float>(threads * blocks);
    std::vector<double> expected(blocks * 2);
    for (int b = 0; b < blocks; ++b) {
      expected[2 * b + 1] = -INFINITY;
      for (int i = 0; i < threads; ++i) {
        expected[2 * b] += x[b * threads + i];
        expected[2 * b + 1] = std::max(expected[2 * b + 1], double(x[b * threads + i]));
      }
    }
    test::Device<float> dx(x), dy(test::unwritten<float>(blocks * 2));
    SumArgs a{dx.address(), dy.address()};
    IFT_LAUNCH(test_sums, a, blocks, threads, 0);
    test::expect_close("sums and largest", dy.host(), expected, 1e-5, {2});
  }
}

template <class T>
static void conversions() {
  const test::Case here(std::string("conversions of ") + test::dtype_name<T>());
  if (!here.runs()) return;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    T value;
    const uint16_t word = uint16_t(bits);
    memcpy(&value, &word, 2);
    const float f = test::host_float(value);
    const T back = test::host_round<T>(f);
    test::expect("and back", f != f || memcmp(&back, &value, 2) == 0, "of bits " + std::to_string(bits));
  }
}

#if !defined(__CUDACC__) && !IFT_TSAN
struct NoArgs {};
static void expect_error(const char* name, dim3 grid, dim3 size, size_t shared, const char* part) {
  const NoArgs none;
  const std::string error = emu::run(name, &none, {grid, size, shared, test::schedule});
  test::expect(name, error.find(part) != std::string::npos, "'" + error + "', expected " + part);
}
static void divergent(const NoArgs&) {
  if (threadIdx.x < 32) {
    __syncthreads();
    __syncthreads();
  }
  if (threadIdx.x >= 32) __shfl_xor_sync(FULL_WARP, 1, 1);
  if (threadIdx.x >= 63) return;
  __syncthreads();
  __syncwarp();
}
IFT_KERNEL(test_divergent, NoArgs, divergent, 64)
static void mixed(const NoArgs&) {
  if (threadIdx.x == 0) {
    __syncwarp();
  } else {
    __shfl_xor_sync(FULL_WARP, 1, 1);
  }
}
IFT_KERNEL(test_mixed, NoArgs, mixed, 32)
static void left(const NoArgs&) {
  if (threadIdx.x == 7) return;
  __syncwarp();
}
IFT_KERNEL(test_left, NoArgs, left, 32)
static void partial_mask(const NoArgs&) { __shfl_sync(0xFFFFu, 1, 0); }
IFT_KERNEL(test_partial_mask, NoArgs, partial_mask, 32)
static void misaligned(const NoArgs&) {
  IFT_SHARED(bf16, tile);
  uint32_t r[4];
  ldmatrix_x4(r, tile + 4);
}
IFT_KERNEL(test_misaligned, NoArgs, misaligned, 32)

static void mistakes() {
  const test::Case here("mistakes");
  if (!here.runs()) return;
  expect_error("test_divergent", 1, 64, 0, "left the kernel");
  expect_error("test_mixed", 1, 32, 0, "different collectives");
  expect_error("test_left", 1, 32, 0, "left the kernel");
  expect_error("test_partial_mask", 1, 32, 0, "partial lane masks");
  expect_error("test_misaligned", 1, 32, 1024, "not aligned");
  expect_error("test_mixed", 1, 64, 0, "launch bound");
  expect_error("test_mixed", 1, 16, 0, "a warp of 16 lanes");
  expect_error("test_mixed", 1, 32, 1 << 20, "launch refused");
  expect_error("test_nothing", 1, 32, 0, "no kernel named test_nothing");
}
#endif

static void tests() {
  products<bf16>();
  products<f16>();
  block_sums();
  conversions<bf16>();
  conversions<f16>();
  // A failed launch leaves its fibers where they are, which a race detector takes for threads still running.
#if !defined(__CUDACC__) && !IFT_TSAN
  mistakes();
#endif
}

IFT_TEST_MAIN(tests)
