// Batch normalisation of (rows, channels) with ReLU after it, and its gradient. Of two passes over the numbers each:
// the first sums up, the second computes. What ReLU let through is computed again instead of read.

namespace {

constexpr int64_t SUMMED_ROWS = 128;  // in float32, before they are added to sums in float64

struct Rows {
  int64_t begin, end;
};
inline Rows rows_of(int64_t rows, int part, int parts) { return {rows * part / parts, rows * (part + 1) / parts}; }
inline int parts_of(int64_t numbers, int threads) { return numbers < FEW ? 1 : threads; }

// What comes before the activation, and where the activation hands a gradient on. `cap` is NaN where there is none.
inline V scaled(V x, V scale, V offset) { return multiply_add(x, scale, offset); }
inline V activated(V x, bool relu_too, V cap) { return relu_too ? least(cap, relu(x)) : x; }

// Calls add(first, second, r, c, n) for every vector of a range of rows, which adds to two sums of its channels.
template <class Add>
inline void sum_rows(Rows range, int64_t channels, float* sums, double* first, double* second, Add add) {
  for (int64_t from = range.begin; from < range.end; from += SUMMED_ROWS) {
    std::fill(sums, sums + 2 * channels, 0.0f);
    const int64_t to = std::min(range.end, from + SUMMED_ROWS);
    for (int64_t r = from; r < to; r += 4) {
      const int64_t last = std::min(to, r + 4);
      for (int64_t c = 0; c < channels; c += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, channels - c));
        V one = get(sums + c, n), other = get(sums + channels + c, n);
        for (int64_t row = r; row < last; row++) add(one, other, row, c, n);
        put(sums + c, one, n);
        put(sums + channels + c, other, n);
      }
    }
    for (int64_t c = 0; c < channels; c++) {
      first[c] += sums[c];
      second[c] += sums[channels + c];
    }
  }
}

// As sum_rows for all rows, in parts whose sums are added in order: the same bits every time.
template <class Add>
inline std::unique_ptr<double[]> sum_all(int64_t rows, int64_t channels, int threads, Add add) {
  const int parts = parts_of(rows * channels, threads);
  std::unique_ptr<double[]> sums(new (std::nothrow) double[parts * 2 * channels]());
  const Scratch in_float = scratch(parts * 2 * channels);
  if (!sums || !in_float) return nullptr;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    double* own = sums.get() + part * 2 * channels;
    sum_rows(rows_of(rows, part, parts), channels, in_float.get() + part * 2 * channels, own, own + channels, add);
  }
  for (int part = 1; part < parts; part++)
    for (int64_t i = 0; i < 2 * channels; i++) sums[i] += sums[part * 2 * channels + i];
  return sums;
}

}  // namespace

// The mean and the variance, over all rows, of each channel.
STRIATE_EXPORT int STRIATE_NAME(moments, ISA)(int64_t rows, int64_t channels, const float* x, float* mean,
                                               float* variance, int threads) {
  // Of the differences from the first row: channels far from 0 lose no digits.
  const auto sums = sum_all(rows, channels, threads, [=](V& sum, V& squares, int64_t r, int64_t c, int n) {
    const V difference = get(x + r * channels + c, n) - get(x + c, n);
    sum = sum + difference;
    squares = multiply_add(difference, difference, squares);
  });
  if (!sums) return NO_MEMORY;
  for (int64_t c = 0; c < channels; c++) {
    const double shift = sums[c] / rows, square = sums[channels + c] / rows - shift * shift;
    mean[c] = static_cast<float>(shift + x[c]);
    variance[c] = static_cast<float>(square < 0 ? 0 : square);
  }
  return 0;
}

// y = x scale + offset, by channel, with ReLU up to `cap` if asked.
STRIATE_EXPORT int STRIATE_NAME(scale_channels, ISA)(int64_t rows, int64_t channels, const float* x, const float* scale,
                                                      const float* offset, int relu_too, float cap, float* y,
                                                      int threads) {
  const int parts = parts_of(rows * channels, threads);
  const V most = fill(cap);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const Rows range = rows_of(rows, part, parts);
    for (int64_t r = range.begin; r < range.end; r++) {
      for (int64_t c = 0; c < channels; c += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, channels - c));
        const V before = scaled(get(x + r * channels + c, n), get(scale + c, n), get(offset + c, n));
        put(y + r * channels + c, activated(before, relu_too, most), n);
      }
    }
  }
  return 0;
}

// The gradients of x (unless it is null), of scale before the division by the deviation (gamma) and of offset (beta).
// `scale` and `offset` are those that made y; `factor` is one over the deviation.
STRIATE_EXPORT int STRIATE_NAME(batch_norm_backward, ISA)(int64_t rows, int64_t channels, const float* x,
                                                           const float* dy, const float* scale, const float* offset,
                                                           const float* mean, const float* factor, int relu_too,
                                                           float cap, float* dx, float* dgamma, float* dbeta,
                                                           int threads) {
  const V most = fill(cap);
  const auto gradient = [=](V value, int64_t at, int64_t c, int n) {
    const V arrived = get(dy + at, n);
    return relu_too ? keep(passes(scaled(value, get(scale + c, n), get(offset + c, n)), most), arrived) : arrived;
  };
  const auto sums = sum_all(rows, channels, threads, [=](V& sum, V& products, int64_t r, int64_t c, int n) {
    const V value = get(x + r * channels + c, n), arrived = gradient(value, r * channels + c, c, n);
    sum = sum + arrived;
    products = multiply_add(arrived, value - get(mean + c, n), products);
  });
  // dx = scale (g - mean of g - (x - mean) factor^2 mean of g (x - mean))
  const Scratch of_x = scratch(2 * channels);
  if (!sums || !of_x) return NO_MEMORY;
  for (int64_t c = 0; c < channels; c++) {
    dbeta[c] = static_cast<float>(sums[c]);
    dgamma[c] = static_cast<float>(sums[channels + c] * factor[c]);
    const double slope = sums[channels + c] / rows * factor[c] * factor[c];
    of_x[c] = static_cast<float>(-slope);
    of_x[channels + c] = static_cast<float>(slope * mean[c] - sums[c] / rows);
  }
  if (!dx) return 0;
  const int parts = parts_of(rows * channels, threads);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const Rows range = rows_of(rows, part, parts);
    for (int64_t r = range.begin; r < range.end; r++) {
      for (int64_t c = 0; c < channels; c += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, channels - c));
        const int64_t at = r * channels + c;
        const V value = get(x + at, n);
        const V centred = multiply_add(value, get(of_x.get() + c, n), get(of_x.get() + channels + c, n));
        put(dx + at, get(scale + c, n) * (gradient(value, at, c, n) + centred), n);
      }
    }
  }
  return 0;
}
