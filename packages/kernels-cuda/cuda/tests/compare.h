// Comparison of results with what is expected. A failure says how many elements are bad, where the first of them lie, and
// how they are spread over row % 16 and column % 8: a tile of mma.m16n8k16 is 16 rows of 8 columns, so a wrong fragment
// layout shows as rows and columns of the tile that are never right.
#pragma once
#include <array>

#include "cases.h"

namespace test {

/// Places of results that are a matrix; without one all elements are one row.
struct Layout {
  size_t cols = 0;
  /// First rows of sequences, ascending from 0: row % 16 counts from the start of a row's sequence, as tiles do.
  std::vector<int32_t> starts = {0};
};

struct Place {
  size_t row, column;
  double expected, found;
};

/// The bad elements of a result.
class Places {
 public:
  explicit Places(const Layout& layout, size_t count)
      : layout(layout), cols(layout.cols == 0 ? std::max<size_t>(count, 1) : layout.cols), count(count) {}
  void add(size_t at, double expected, double found) {
    const size_t row = at / cols, column = at % cols;
    ++bad;
    if (first.size() < 8) first.push_back({row, column, expected, found});
    const auto after = std::upper_bound(layout.starts.begin(), layout.starts.end(), int32_t(row));
    ++rows[(row - size_t(*(after - 1))) % 16];
    ++columns[column % 8];
  }
  /// The inside of a JSON object. A place is [row, column, expected, found].
  std::string fields() const {
    const auto count_text = [](size_t n) { return std::to_string(n); };
    const auto place_text = [](const Place& p) {
      return "[" + std::to_string(p.row) + "," + std::to_string(p.column) + "," + number(p.expected) + "," +
             number(p.found) + "]";
    };
    return "\"bad\":" + std::to_string(bad) + ",\"of\":" + std::to_string(count) + ",\"cols\":" + std::to_string(cols) +
           ",\"places\":" + array(first, place_text) + ",\"rowsMod16\":" + array(rows, count_text) +
           ",\"columnsMod8\":" + array(columns, count_text);
  }

 private:
  const Layout layout;
  const size_t cols, count;
  size_t bad = 0;
  std::vector<Place> first;
  std::array<size_t, 16> rows{};
  std::array<size_t, 8> columns{};
};

/// Size of what is compared and of its errors. The sums of squares leave out elements that are not finite.
struct Differences {
  double error = 0, norm = 0, largest = 0, worst = 0;
  /// Elements of which one side is not finite and the other is not the same.
  size_t not_finite = 0;

  void add(double found, double expected) {
    if (!std::isfinite(expected) || !std::isfinite(found)) {
      not_finite += !(found == expected);
      return;
    }
    const double difference = std::fabs(found - expected);
    error += difference * difference;
    norm += expected * expected;
    largest = std::max(largest, std::fabs(expected));
    worst = std::max(worst, difference);
  }
  double relative() const { return std::sqrt(error / (norm + 1e-300)); }
  /// Close in the Euclidean norm and element by element against `limit` of the largest expected value.
  bool close(double limit) const {
    if (not_finite > 0) return false;
    // Expected zeros that are sums of cancelling terms come out as roundings of those.
    if (largest < 1e-12 && worst < 1e-6) return true;
    return relative() <= limit && worst <= 8 * limit * largest;
  }
  /// Errors above this are shown: those too large alone or, where only their sum is, those above the limit's share.
  double threshold(double limit, size_t count) const {
    return worst > 8 * limit * largest ? 8 * limit * largest : limit * std::sqrt(norm / double(std::max<size_t>(count, 1)));
  }
  std::string fields(double limit) const {
    return "\"relative\":" + number(relative()) + ",\"worst\":" + number(worst) + ",\"largest\":" + number(largest) +
           ",\"limit\":" + number(limit);
  }
};

/// Empty when `found` is close to `expected`, else the inside of a JSON object. Infinities must be equal.
template <class T>
std::string differences(const std::vector<T>& found, const std::vector<double>& expected, double limit,
                        const Layout& layout = {}) {
  Differences d;
  for (size_t i = 0; i < expected.size(); ++i) d.add(host_float(found[i]), expected[i]);
  if (d.close(limit)) return "";
  const double threshold = d.threshold(limit, expected.size());
  Places places(layout, expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double f = host_float(found[i]), e = expected[i];
    if (f == e || std::fabs(f - e) <= threshold) continue;
    places.add(i, e, f);
  }
  return places.fields() + "," + d.fields(limit);
}

template <class T>
void expect_close(const std::string& name, const std::vector<T>& found, const std::vector<double>& expected,
                  double limit, const Layout& layout = {}) {
  check();
  if (found.size() != expected.size()) return fail(name, "sizes differ");
  const std::string fields = differences(found, expected, limit, layout);
  if (!fields.empty()) current_case().fail("\"check\":" + quoted(name) + "," + fields);
}

template <class A>
double as_number(const A& value) {
  if constexpr (std::is_arithmetic<A>::value) {
    return double(value);
  } else {
    return host_float(value);
  }
}

/// The same bits.
template <class A>
void expect_same(const std::string& name, const std::vector<A>& found, const std::vector<A>& expected,
                 const Layout& layout = {}) {
  check();
  if (found.size() != expected.size()) return fail(name, "sizes differ");
  Places places(layout, expected.size());
  bool same = true;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (memcmp(&found[i], &expected[i], sizeof(A)) == 0) continue;
    same = false;
    places.add(i, as_number(expected[i]), as_number(found[i]));
  }
  if (!same) current_case().fail("\"check\":" + quoted(name) + "," + places.fields());
}

}  // namespace test
