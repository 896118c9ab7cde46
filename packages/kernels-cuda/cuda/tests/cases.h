// The command line of a test program, its cases and what it writes; harness.h describes both.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "json.h"
#include "numbers.h"

namespace test {

/// Few and small cases; the only ones where IFT_FEW_SHAPES leaves kernels out.
#ifdef IFT_FEW_SHAPES
inline bool small = true;
#else
inline bool small = false;
#endif
/// Besides the others those with the sizes of 7B models.
inline bool big = false;
inline unsigned schedule = 0;

enum ExitStatus { PASSED = 0, FAILED = 1, USAGE = 2, DEVICE_ERROR = 3 };

/// Lines about failures that a case writes; the rest is counted.
constexpr int MOST_FAILURE_LINES = 8;

class Case;
namespace state {
/// The names are gathered before anything runs.
inline bool gathering = true;
inline std::vector<std::string> names;
inline std::set<std::string> selected;
inline Case* current = nullptr;
inline int cases = 0, checks = 0, failures = 0;
inline std::vector<std::string> failed;
}  // namespace state

[[noreturn]] inline void refuse(const std::string& what) {
  fprintf(stderr, "%s\n", what.c_str());
  exit(USAGE);
}

inline void write_line(const std::string& line) {
  printf("%s\n", line.c_str());
  fflush(stdout);
}

/// One case: from its construction to the end of its scope. A test function begins with
///
///   const test::Case here(name);
///   if (!here.runs()) return;
///
/// and prepares nothing before. Names are unique in a program.
class Case {
 public:
  explicit Case(const std::string& name) : name(name) {
    if (state::current != nullptr) refuse("the case " + name + " begins within " + state::current->name);
    if (state::gathering) {
      if (std::find(state::names.begin(), state::names.end(), name) != state::names.end()) {
        refuse("two cases are named " + name);
      }
      state::names.push_back(name);
      return;
    }
    if (state::selected.count(name) == 0) return;
    state::current = this;
    uint32_t seed = 2166136261u;
    for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 16777619u;
    random_source.seed(seed);
    start = std::chrono::steady_clock::now();
  }
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;
  ~Case() {
    if (runs()) end();
  }
  bool runs() const { return state::current == this; }

  void check() { ++checks; }
  /// `fields` is the inside of a JSON object.
  void fail(const std::string& fields) {
    if (++failures <= MOST_FAILURE_LINES) write_line("{\"case\":" + quoted(name) + "," + fields + "}");
  }
  void end() {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    write_line("{\"case\":" + quoted(name) + ",\"status\":" + (failures == 0 ? "\"ok\"" : "\"failed\"") +
               ",\"checks\":" + std::to_string(checks) + ",\"failures\":" + std::to_string(failures) +
               ",\"seconds\":" + number(std::round(seconds * 1e3) / 1e3) + "}");
    ++state::cases, state::checks += checks, state::failures += failures;
    if (failures > 0) state::failed.push_back(name);
    state::current = nullptr;
  }

 private:
  std::string name;
  std::chrono::steady_clock::time_point start;
  int checks = 0, failures = 0;
};

inline Case& current_case() {
  if (state::current == nullptr) refuse("a check outside every case");
  return *state::current;
}

inline void check() { current_case().check(); }

/// A failure of what the case calls `check` that has no values to show.
inline void fail(const std::string& check, const std::string& what) {
  current_case().fail("\"check\":" + quoted(check) + ",\"what\":" + quoted(what));
}

inline void expect(const std::string& name, bool holds, const std::string& found) {
  check();
  if (!holds) fail(name, found);
}

/// Ends the program: after an error of the device every later call answers with it.
[[noreturn]] inline void end_with_device_error(const std::string& check, const std::string& what) {
  fprintf(stderr, "%s: %s\n", check.c_str(), what.c_str());
  if (state::current != nullptr) {
    fail(check, what);
    state::current->end();
  }
  exit(DEVICE_ERROR);
}

inline int run(int argc, char** argv, void (*tests)()) {
  const auto start = std::chrono::steady_clock::now();
  const char* slash = strrchr(argv[0], '/');
  const std::string program = slash == nullptr ? argv[0] : slash + 1;
  bool list = false;
  std::string filter, after;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "small") small = true;
    else if (word == "big") big = true;
    else if (word == "--list") list = true;
    else if (word == "--after" && i + 1 < argc) after = argv[++i];
    else if (word.rfind("schedule=", 0) == 0) schedule = unsigned(atoi(word.c_str() + 9));
#if !defined(__CUDACC__)
    else if (word.rfind("threads=", 0) == 0) emu::os_threads = atoi(word.c_str() + 8);
#endif
    else if (!filter.empty() || word.empty() || word[0] == '-')
      refuse("'" + word + "' is not expected: " + program + " [small|big] [CASE] [--after CASE] [--list]");
    else filter = word;
  }
  if (small && big) refuse("big cases are not among few and small ones");

  tests();
  state::gathering = false;
  const std::vector<std::string>& names = state::names;
  const bool whole = std::find(names.begin(), names.end(), filter) != names.end();
  auto from = names.begin();
  if (!after.empty()) {
    from = std::find(names.begin(), names.end(), after);
    if (from == names.end()) refuse("no case is named " + after);
    ++from;
  }
  std::vector<std::string> chosen;
  std::copy_if(from, names.end(), std::back_inserter(chosen), [&](const std::string& name) {
    return whole ? name == filter : name.find(filter) != std::string::npos;
  });
  if (chosen.empty() && after.empty()) refuse("no case's name has '" + filter + "' in it");
  if (list) {
    for (const std::string& name : chosen) printf("%s\n", name.c_str());
    return PASSED;
  }
  state::selected.insert(chosen.begin(), chosen.end());
  tests();

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_line("{\"program\":" + quoted(program) + ",\"mode\":" + (small ? "\"small\"" : big ? "\"big\"" : "\"default\"") +
             ",\"cases\":" + std::to_string(state::cases) + ",\"checks\":" + std::to_string(state::checks) +
             ",\"failures\":" + std::to_string(state::failures) + ",\"failed\":" + array(state::failed, quoted) +
             ",\"seconds\":" + number(std::round(seconds * 1e3) / 1e3) + "}");
  return state::failures == 0 ? PASSED : FAILED;
}

}  // namespace test

#define IFT_TEST_MAIN(tests) \
  int main(int argc, char** argv) { return test::run(argc, argv, tests); }
