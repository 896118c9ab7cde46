// Strings and numbers as JSON.
#pragma once
#include <cmath>
#include <cstdio>
#include <string>

namespace test {

inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// What JSON has no number for is a string: "nan", "inf", "-inf".
inline std::string number(double x) {
  if (std::isnan(x)) return "\"nan\"";
  if (std::isinf(x)) return x > 0 ? "\"inf\"" : "\"-inf\"";
  char text[32];
  snprintf(text, sizeof text, "%.9g", x);
  return text;
}

/// `values` through `text`, in brackets.
template <class Values, class Text>
std::string array(const Values& values, Text text) {
  std::string out = "[";
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    out += text(value);
  }
  return out + ']';
}

}  // namespace test
