#include "operands.h"

#include "../random.cu"

// One block with all four counter words free, written anew from the paper.
static std::vector<uint32_t> philox_block(std::vector<uint32_t> c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = 0xD2511F53ull * c[0], b = 0xCD9E8D57ull * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ k1, uint32_t(a)};
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return c;
}

template <class T>
static void random_case(int64_t n, int offset, uint64_t seed, uint32_t stream) {
  using namespace test;
  const Case here(std::string("random ") + dtype_name<T>() + " " + std::to_string(n));
  if (!here.runs()) return;
  const uint32_t low = uint32_t(seed), high = uint32_t(seed >> 32);
  std::vector<uint32_t> words(n);
  std::vector<double> normals(n), uniforms(n), kept(n);
  const auto x = normal<T>(n);
  const uint32_t threshold = 1288490188;
  const float scale = 1 / 0.7f;
  for (int64_t i = 0; i < n; ++i) {
    const auto block = philox_block({uint32_t(i / 4), 0, stream, 0}, low, high);
    words[i] = block[i % 4];
    uniforms[i] = words[i] / 4294967296.0;
    const uint32_t first = block[i % 4 & 2], second = block[i % 4 | 1];
    const double radius = std::sqrt(-2 * std::log((first + 1.0) / 4294967296.0));
    const double angle = 2 * 3.14159265358979323846 * (second / 4294967296.0);
    normals[i] = radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
    kept[i] = words[i] >= threshold ? double(host_float(x[i])) * double(scale) : 0;
  }
  const dim3 grid = blocks_of(n, lanes_of<T>()), block(256);
  const Operand<T> ox(x, offset), oy(unwritten<T>(n), offset);
  ift::RandomArgs a{};
  a.y = oy, a.x = ox, a.n = n, a.key[0] = low, a.key[1] = high, a.stream = stream;
  a.threshold = threshold, a.scale = scale;
  IFT_LAUNCH_DTYPE(T, ift_dropout, a, grid, block, 0);
  const auto found = oy.host();
  expect_close("dropout", found, kept, rounding<T>());
  std::vector<int32_t> mask(n), expected_mask(n);
  for (int64_t i = 0; i < n; ++i) {
    mask[i] = host_float(found[i]) != 0, expected_mask[i] = words[i] >= threshold && host_float(x[i]) != 0;
  }
  expect_same("mask", mask, expected_mask);
  IFT_LAUNCH_DTYPE(T, ift_random, a, grid, block, 0);
  expect_close("uniform", oy.host(), uniforms, rounding<T>());
  a.normal = 1;
  IFT_LAUNCH_DTYPE(T, ift_random, a, grid, block, 0);
  expect_close("normal", oy.host(), normals, rounding<T>());
  // Everything dropped, infinities too.
  a.scale = 0;
  IFT_LAUNCH_DTYPE(T, ift_dropout, a, grid, block, 0);
  expect_close("dropped", oy.host(), std::vector<double>(n, 0.0), 0);
}

template <class T>
static void cases() {
  random_case<T>(1, 0, 0, 0);
  random_case<T>(65, 1, (uint64_t{1} << 53) - 1, 0xFFFFFFFFu);
  random_case<T>(5000, 0, 123456789012345ull, 7);
}

// kat_vectors of Random123: philox4x32 10.
static void published_vector() {
  const test::Case here("published vector");
  if (!here.runs()) return;
  const auto known = philox_block({0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu}, 0xFFFFFFFFu, 0xFFFFFFFFu);
  test::expect_same("words", known, {0x408F276Du, 0x41C83B0Eu, 0xA20BC7C6u, 0x6D5451FDu});
}

static void tests() {
  published_vector();
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (test::big) random_case<bf16>(1 << 22, 0, 42, 3);
}

IFT_TEST_MAIN(tests)
