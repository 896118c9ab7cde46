// Cases that fail, for the test of the harness itself; they are not among the tests of kernels. One plants wrong elements
// in a matrix of two sequences, the others fail in the ways that have no places.
#include "harness.h"

static void right() {
  const test::Case here("right");
  if (!here.runs()) return;
  test::expect_close("numbers", test::normal<float>(4), test::doubles(test::normal<float>(4)), 1e9);
}

/// 40 rows of 24 columns; the second sequence begins at row 21. A warp that swaps the halves of a fragment is wrong in
/// columns 4 to 7 of every second row of a tile.
static void wrong_elements() {
  const test::Case here("wrong elements");
  if (!here.runs()) return;
  std::vector<double> expected(40 * 24, 1.0);
  expected[0] = -INFINITY;
  std::vector<bf16> found;
  for (const double e : expected) found.push_back(test::host_round<bf16>(e));
  const test::Layout layout{24, {0, 21, 40}};
  test::expect_close("before", found, expected, 1e-3, layout);
  for (int row = 21; row < 40; row += 2) {
    for (int column = 4; column < 8; ++column) found[row * 24 + column] = test::host_round<bf16>(3);
  }
  found[39 * 24 + 23] = test::host_round<bf16>(NAN);
  test::expect_close("out", found, expected, 1e-3, layout);
  test::expect_same("codes", std::vector<uint8_t>{7, 8, 9}, {7, 0, 9});
}

/// Errors that are small alone and too large together.
static void spread_error() {
  const test::Case here("spread error");
  if (!here.runs()) return;
  std::vector<float> found(64, 1.0f);
  for (int i = 0; i < 64; i += 8) found[i] = 1.004f;
  test::expect_close("y", found, std::vector<double>(64, 1.0), 1e-3, {16});
}

static void many_failures() {
  const test::Case here("many failures");
  if (!here.runs()) return;
  for (int i = 0; i < 20; ++i) test::expect("number " + std::to_string(i), false, "a \"quoted\"\nword");
}

static void crash() {
  const test::Case here("crash");
  if (here.runs()) abort();
}

static void after_the_crash() {
  const test::Case here("after the crash");
  if (!here.runs()) return;
  test::expect("nothing", true, "");
}

static void tests() {
  right();
  wrong_elements();
  spread_error();
  many_failures();
  if (test::big) crash();
  after_the_crash();
}

IFT_TEST_MAIN(tests)
