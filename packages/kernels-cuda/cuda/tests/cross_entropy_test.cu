// planted bug: IFT_PLANT_NO_BARRIER_IN_TOTALS, race
#include "operands.h"

#include "../cross_entropy.cu"

template <class T, class G>
static void loss_case(int vocab, const std::vector<int32_t>& labels, int offset, int grad_offset, int threads) {
  using namespace test;
  const Case here(std::string("cross entropy ") + dtype_name<T>() + " " + dtype_name<G>() + " " +
                  std::to_string(labels.size()) + "x" + std::to_string(vocab) + " at " + std::to_string(offset));
  if (!here.runs()) return;
  const int64_t rows = int64_t(labels.size());
  const double grad_scale = 0.5;
  auto logits = normal<T>(rows * vocab, 6);
  // The loss of the likelier of two can vanish beside the logits.
  if (vocab == 2) logits = {host_round<T>(1.5), host_round<T>(-0.25)};
  // A column that is masked.
  if (vocab > 9) logits[9] = host_round<T>(-INFINITY);
  const auto x = doubles(logits);
  std::vector<double> loss(rows), grad(rows * vocab);
  for (int64_t r = 0; r < rows; ++r) {
    if (labels[r] < 0) continue;
    const double* row = &x[r * vocab];
    double most = -INFINITY, total = 0;
    for (int c = 0; c < vocab; ++c) most = std::max(most, row[c]);
    for (int c = 0; c < vocab; ++c) total += std::exp(row[c] - most);
    loss[r] = std::log(total) + most - row[labels[r]];
    for (int c = 0; c < vocab; ++c) {
      grad[r * vocab + c] = grad_scale * (std::exp(row[c] - most) / total - (c == labels[r] ? 1 : 0));
    }
  }
  const Operand<int32_t> olabels(labels);
  const Operand<ErrorFlag> error(std::vector<ErrorFlag>(1));
  for (int place = 0; place < 3; ++place) {
    const bool in_place = place == 2;
    if (in_place && !std::is_same<T, G>::value) continue;
    const Operand<T> ox(logits, offset);
    const Operand<G> og(unwritten<G>(rows * vocab), grad_offset);
    const Operand<float> ol(unwritten<float>(rows));
    ift::CrossEntropyArgs a{};
    a.loss = ol, a.logits = ox, a.labels = olabels, a.error = reinterpret_cast<uint64_t>(error.data());
    if (place > 0) a.grad = in_place ? ox.data() : og.data();
    a.rows = rows, a.vocab = vocab, a.grad_scale = float(grad_scale);
    const dim3 grid{unsigned(rows)}, block{unsigned(threads)};
    if constexpr (std::is_same<T, float>::value) IFT_LAUNCH_DTYPE(G, ift_cross_entropy_f32, a, grid, block, 0);
    if constexpr (std::is_same<T, bf16>::value) IFT_LAUNCH_DTYPE(G, ift_cross_entropy_bf16, a, grid, block, 0);
    if constexpr (std::is_same<T, f16>::value) IFT_LAUNCH_DTYPE(G, ift_cross_entropy_f16, a, grid, block, 0);
    expect_close("loss", ol.host(), loss, 2e-6, {1});
    if (place == 1) expect_close("grad", og.host(), grad, 2 * rounding<G>(), {size_t(vocab)});
    if constexpr (std::is_same<T, G>::value) {
      if (in_place) expect_close("grad in place", ox.host(), grad, 2 * rounding<G>(), {size_t(vocab)});
    }
  }
  expect("error", error.host()[0].code == 0, "an index was reported");
}

static void refused() {
  using namespace test;
  const Case here("a label outside the vocabulary");
  if (!here.runs()) return;
  const Operand<float> logits(normal<float>(20)), loss(std::vector<float>(2, 5.0f));
  const Operand<int32_t> labels(std::vector<int32_t>{3, 10});
  const Operand<ErrorFlag> error(std::vector<ErrorFlag>(1));
  const uint64_t flag = reinterpret_cast<uint64_t>(error.data());
  const ift::CrossEntropyArgs a{loss, nullptr, logits, labels, flag, 2, 10, 1.0f};
  IFT_LAUNCH(ift_cross_entropy_f32_f32, a, dim3(2), dim3(64), 0);
  const ErrorFlag found = error.host()[0];
  expect("error", found.code == INDEX_CROSS_ENTROPY_LABELS, "code " + std::to_string(found.code));
  expect("error", found.index == 1 && found.value == 10 && found.limit == 10,
         "label " + std::to_string(found.index) + " is " + std::to_string(found.value) + " of " + std::to_string(found.limit));
  expect("loss", loss.host()[1] == 5.0f, "the loss of that row was written");
}

template <class T>
static void cases() {
  loss_case<T, T>(2, {0}, 0, 0, 32);
  loss_case<T, T>(63, {62, -100, 0}, 0, 0, 32);
  loss_case<T, float>(65, {-1, 64}, 1, 1, 64);
  loss_case<T, bf16>(641, {640, 0, 9}, 0, 3, 64);
  loss_case<T, f16>(640, {4, 0, -9}, 2, 2, 64);
  if (test::small) return;
  loss_case<T, T>(32003, {32002, 5, -100}, 0, 0, 512);
  loss_case<T, float>(250881, {250880}, 0, 0, 1024);
}

static void tests() {
  refused();
  cases<float>();
  cases<bf16>();
  cases<f16>();
  if (!test::big) return;
  std::vector<int32_t> labels(256);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = i % 5 == 0 ? -100 : int32_t(i * 7919 % 32000);
  loss_case<bf16, bf16>(32000, labels, 0, 0, 512);
}

IFT_TEST_MAIN(tests)
