// Attention in float64 by plain loops, its gradients, and the shapes that the attention tests run over.
#pragma once
#include "../args/attention.h"
#include "../args/error_flag.h"
#include "harness.h"

struct AttentionCase {
  std::string name;
  std::vector<int> q_lengths, k_lengths;
  int heads, kv_heads, head_dim;
  bool causal;
  std::vector<int> prefix;
  bool alibi = false;
};

inline std::vector<int32_t> cumulative(const std::vector<int>& lengths) {
  std::vector<int32_t> cu{0};
  for (int length : lengths) cu.push_back(cu.back() + length);
  return cu;
}

template <class T>
struct AttentionData {
  AttentionCase shape;
  std::vector<int32_t> cu_q, cu_k;
  size_t rows_q, rows_k, nq, nk;
  double scale;
  std::vector<T> q, k, v, dout;
  std::vector<float> slopes;
  /// Expected.
  std::vector<double> out, lse, dq, dk, dv;

  explicit AttentionData(const AttentionCase& c) : shape(c), cu_q(cumulative(c.q_lengths)), cu_k(cumulative(c.k_lengths)) {
    rows_q = cu_q.back(), rows_k = cu_k.back();
    nq = rows_q * c.heads * c.head_dim, nk = rows_k * c.kv_heads * c.head_dim;
    scale = 1 / std::sqrt(double(c.head_dim));
    q = test::normal<T>(nq), k = test::normal<T>(nk), v = test::normal<T>(nk), dout = test::normal<T>(nq);
    for (int h = 0; h < c.heads; ++h) slopes.push_back(c.alibi ? std::exp2f(-float(h + 1)) : 0.0f);
    out.assign(nq, 0), lse.assign(rows_q * c.heads, -INFINITY);
    dq.assign(nq, 0), dk.assign(nk, 0), dv.assign(nk, 0);
    for (size_t s = 0; s < c.q_lengths.size(); ++s) {
      for (int i = 0; i < c.q_lengths[s]; ++i) {
        for (int h = 0; h < c.heads; ++h) row(int(s), i, h);
      }
    }
  }

  /// Places of tensors like q, like k and like the log-sum-exp, rows counted from the start of their sequence.
  test::Layout queries() const { return {size_t(shape.heads) * shape.head_dim, cu_q}; }
  test::Layout keys() const { return {size_t(shape.kv_heads) * shape.head_dim, cu_k}; }
  test::Layout rows() const { return {size_t(shape.heads), cu_q}; }

  bool sees(int s, int place, int j) const {
    return !shape.causal || j <= place || (!shape.prefix.empty() && j < shape.prefix[s]);
  }

  void row(int s, int i, int h) {
    const int d = shape.head_dim, length = shape.k_lengths[s], place = i + length - shape.q_lengths[s];
    const size_t at = (size_t(cu_q[s] + i) * shape.heads + h) * d;
    const auto key = [&](int j) {
      return (size_t(cu_k[s] + j) * shape.kv_heads + h / (shape.heads / shape.kv_heads)) * d;
    };
    std::vector<double> weight(length, 0.0), dweight(length, 0.0);
    double top = -INFINITY, total = 0, delta = 0;
    for (int j = 0; j < length; ++j) {
      if (!sees(s, place, j)) continue;
      for (int c = 0; c < d; ++c) weight[j] += double(test::host_float(q[at + c])) * test::host_float(k[key(j) + c]);
      weight[j] = weight[j] * scale + slopes[h] * (j - place);
      top = std::max(top, weight[j]);
    }
    if (top == -INFINITY) return;
    for (int j = 0; j < length; ++j) total += weight[j] = sees(s, place, j) ? std::exp(weight[j] - top) : 0.0;
    lse[size_t(cu_q[s] + i) * shape.heads + h] = top + std::log(total);
    for (int j = 0; j < length; ++j) {
      weight[j] /= total;
      for (int c = 0; c < d; ++c) {
        const double g = test::host_float(dout[at + c]), x = test::host_float(v[key(j) + c]);
        out[at + c] += weight[j] * x;
        dweight[j] += g * x;
        dv[key(j) + c] += weight[j] * g;
      }
      delta += weight[j] * dweight[j];
    }
    for (int j = 0; j < length; ++j) {
      const double grad = weight[j] * (dweight[j] - delta) * scale;
      for (int c = 0; c < d; ++c) {
        dq[at + c] += grad * test::host_float(k[key(j) + c]);
        dk[key(j) + c] += grad * test::host_float(q[at + c]);
      }
    }
  }
};

/// Which error the flag holds, 0 for none.
inline uint32_t error_code(const test::Device<ErrorFlag>& flag) { return flag.host()[0].code; }

inline std::vector<AttentionCase> attention_cases(const std::vector<int>& head_dims) {
  std::vector<AttentionCase> cases;
  if (test::small) {
    cases.push_back({"small", {150, 9}, {150, 12}, 2, 1, head_dims[0], true, {}, false});
    return cases;
  }
  const int d = head_dims[0];
  cases = {
      {"one row", {1}, {1}, 1, 1, d, true, {}, false},
      {"causal", {65, 1, 200}, {65, 1, 200}, 2, 2, d, true, {}, false},
      {"grouped", {17, 130}, {17, 130}, 6, 2, d, true, {}, false},
      {"bidirectional", {133, 5}, {133, 5}, 2, 1, d, false, {}, false},
      {"more keys", {3, 20, 70}, {170, 21, 200}, 2, 1, d, true, {}, false},
      {"fewer keys", {20, 90}, {7, 65}, 2, 1, d, true, {}, false},
      {"no keys", {5, 90}, {0, 90}, 2, 1, d, true, {}, false},
      {"empty sequences", {0, 9, 0, 3, 0}, {0, 9, 4, 3, 0}, 2, 2, d, true, {}, false},
      {"visible prefix", {140, 7, 90}, {140, 7, 90}, 2, 1, d, true, {105, 0, 64}, false},
      {"ALiBi", {140, 7}, {140, 90}, 4, 2, d, true, {}, true},
      {"many sequences", std::vector<int>(70, 2), std::vector<int>(70, 3), 1, 1, d, true, {}, false},
  };
  for (size_t i = 1; i < head_dims.size(); ++i) {
    cases.push_back({"head dimension", {90, 33}, {90, 140}, 2, 1, head_dims[i], true, {}, false});
  }
  return cases;
}

template <class T>
std::string case_name(const AttentionCase& c) {
  return c.name + " " + test::dtype_name<T>() + " " + std::to_string(c.head_dim);
}
