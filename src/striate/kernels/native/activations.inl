// Sigmoid, x times it, and softmax.

namespace {

// e to the power of x, within 2 units in the last place; 0 below -87, where results would have fewer digits. The power of
// two is added to the exponent's bits, the rest is a series (Cody and Waite's reduction).
inline V exponential(V x) {
  const V most = least(fill(88.0f), x), magic = fill(12582912.0f);  // 1.5 * 2^23: whole numbers end up in the last bits
  const V shifted_up = multiply_add(most, fill(1.44269504f), magic), whole = shifted_up - magic;
  V rest = multiply_add(whole, fill(-0.693359375f), most);
  rest = multiply_add(whole, fill(2.12194440e-4f), rest);
  V sum = fill(1.0f / 720);
  for (const float factor : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) sum = multiply_add(sum, rest, fill(factor));
  const V found = of_bits(plus(bits_of(sum), shifted_left<23>(bits_of(shifted_up))));
  return choose(wins(x, x), x, keep(passes(x + fill(87.0f)), found));  // only NaN wins against itself
}

inline V sigmoid(V x) {
  return keep(passes(x + fill(88.0f)), fill(1.0f) / (fill(1.0f) + exponential(zeros() - x)));
}

void softmax_row(const float* x, int64_t channels, float* y) {
  float most = -INFINITY;
  double sum = 0;
  for (int64_t c = 0; c < channels; c++) most = (x[c] > most || x[c] != x[c]) ? x[c] : most;
  for (int64_t c = 0; c < channels; c += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, channels - c));
    put(y + c, exponential(get(x + c, n) - fill(most)), n);
  }
  for (int64_t c = 0; c < channels; c++) sum += y[c];
  for (int64_t c = 0; c < channels; c += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, channels - c));
    put(y + c, get(y + c, n) / fill(static_cast<float>(sum)), n);
  }
}

enum Activation : int { SIGMOID, SILU, SOFTMAX };

}  // namespace

// y of x (rows, channels): sigmoid(x), x sigmoid(x), or softmax of every row. y may be x.
STRIATE_EXPORT int STRIATE_NAME(activate, ISA)(int64_t rows, int64_t channels, const float* x, int which, float* y,
                                               int threads) {
  const int64_t count = rows * channels, step = which == SOFTMAX ? channels : LANES;
  const int parts = count < FEW ? 1 : threads;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int64_t i = 0; i < count; i += step) {
    if (which == SOFTMAX) {
      softmax_row(x + i, channels, y + i);
      continue;
    }
    const int n = static_cast<int>(std::min<int64_t>(LANES, count - i));
    const V value = get(x + i, n);
    put(y + i, which == SIGMOID ? sigmoid(value) : value * sigmoid(value), n);
  }
  return 0;
}
