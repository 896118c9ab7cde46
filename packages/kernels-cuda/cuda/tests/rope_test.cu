// planted bug: IFT_PLANT_NO_BARRIER_IN_ROPE, race
#include "harness.h"

#include "../rope.cu"

template <class T>
static void rope_case(int rows, int heads, int head_dim, int offset, int dims, bool interleaved, bool inverse,
                      bool in_place, bool vectors) {
  const test::Case here(std::string("rope ") + test::dtype_name<T>() + " " + std::to_string(rows) + "x" +
                        std::to_string(heads) + "x" + std::to_string(head_dim) + " " + std::to_string(dims) + " from " +
                        std::to_string(offset) + (interleaved ? " interleaved" : "") + (inverse ? " inverse" : "") +
                        (in_place ? " in place" : "") + (vectors ? " vectors" : ""));
  if (!here.runs()) return;
  const size_t count = size_t(rows) * heads * head_dim;
  const int half = dims / 2;
  const double scale = 1.25;
  const std::vector<T> x = test::normal<T>(count);
  std::vector<int32_t> positions(rows);
  for (int r = 0; r < rows; ++r) positions[r] = r * 977 % 30000;
  std::vector<float> frequencies(half);
  for (int i = 0; i < half; ++i) frequencies[i] = float(std::pow(1e4, -2.0 * i / dims));
  std::vector<double> expected = test::doubles(x);
  for (size_t r = 0; r < size_t(rows); ++r) {
    for (int i = 0; i < half; ++i) {
      const double angle = double(positions[r]) * double(frequencies[i]);
      const double c = std::cos(angle) * scale, s = std::sin(angle) * (inverse ? -scale : scale);
      for (int h = 0; h < heads; ++h) {
        const size_t base = (r * heads + h) * head_dim + offset;
        double& p = expected[base + (interleaved ? 2 * i : i)];
        double& q = expected[base + (interleaved ? 2 * i + 1 : i + half)];
        const double a = p, b = q;
        p = a * c - b * s;
        q = a * s + b * c;
      }
    }
  }
  test::Device<T> dx(x), dy(test::unwritten<T>(count));
  test::Device<int32_t> dp(positions);
  test::Device<float> df(frequencies);
  RopeArgs a{};
  a.x = dx.address();
  a.y = in_place ? dx.address() : dy.address();
  a.positions = dp.address();
  a.inv_freq = df.address();
  a.rows = rows;
  a.heads = heads, a.head_dim = head_dim, a.dim_offset = offset, a.dims = dims;
  a.interleaved = interleaved;
  a.vectors = vectors;
  a.cos_scale = float(scale);
  a.sin_scale = float(inverse ? -scale : scale);
  const size_t shared = half * 8;
  if constexpr (std::is_same<T, float>::value) IFT_LAUNCH(ift_rope_f32, a, rows, 256, shared);
  if constexpr (std::is_same<T, bf16>::value) IFT_LAUNCH(ift_rope_bf16, a, rows, 256, shared);
  if constexpr (std::is_same<T, f16>::value) IFT_LAUNCH(ift_rope_f16, a, rows, 256, shared);
  test::expect_close("y", in_place ? dx.host() : dy.host(), expected, test::rounding<T>(), {size_t(heads) * head_dim});
}

template <class T>
static void rope_cases() {
  for (int variant = 0; variant < (test::small ? 3 : 8); ++variant) {
    const bool interleaved = variant & 1, inverse = variant & 2, in_place = variant & 4;
    rope_case<T>(5, 3, 128, 0, 128, interleaved, inverse, in_place, true);
    rope_case<T>(3, 2, 80, 16, 32, interleaved, inverse, in_place, true);
    rope_case<T>(3, 2, 80, 16, 32, interleaved, inverse, in_place, false);
    if (test::small) continue;
    rope_case<T>(65, 2, 96, 48, 48, interleaved, inverse, in_place, true);
    rope_case<T>(3, 1, 7, 1, 6, interleaved, inverse, in_place, false);
  }
}

static void tests() {
  rope_cases<float>();
  rope_cases<bf16>();
  rope_cases<f16>();
  if (test::big) rope_case<bf16>(2048, 32, 128, 0, 128, false, false, true, true);
}

IFT_TEST_MAIN(tests)
