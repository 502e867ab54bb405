// Batch normalisation of (rows, channels) with a sum and ReLU after it, and its gradient. Of two passes over the numbers
// each: the first sums up, the second computes. What ReLU let through is computed again instead of read, but after a sum.

namespace {

constexpr int64_t SUMMED_ROWS = 128;  // in float32, before they are added to sums in float64

struct Rows {
  int64_t begin, end;
};
inline Rows rows_of(int64_t rows, int part, int parts) { return {rows * part / parts, rows * (part + 1) / parts}; }
inline int parts_of(int64_t numbers, int threads) { return numbers < FEW ? 1 : threads; }

// What comes before the activation.
inline V scaled(V x, V scale, V offset) { return multiply_add(x, scale, offset); }

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

// y = x scale + offset, by channel, and what is added unless it is null, with ReLU up to `cap` if asked.
inline void scale_rows(int64_t rows, int64_t channels, const float* x, const float* scale, const float* offset,
                       const float* added, bool relu_too, float cap, float* y, int threads) {
  const int parts = parts_of(rows * channels, threads);
  const V most = fill(cap);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const Rows range = rows_of(rows, part, parts);
    for (int64_t r = range.begin; r < range.end; r++) {
      for (int64_t c = 0; c < channels; c += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, channels - c));
        V before = scaled(get(x + r * channels + c, n), get(scale + c, n), get(offset + c, n));
        if (added) before = before + get(added + r * channels + c, n);
        put(y + r * channels + c, activated(before, relu_too, most), n);
      }
    }
  }
}

// What a channel of this mean and variance is multiplied by, and what is added then.
struct Channel {
  float factor, scale, offset;  // of these, factor is one over the deviation
};
inline Channel channel_of(double mean, double variance, const float* gamma, const float* beta, double epsilon) {
  const double factor = 1 / std::sqrt(variance + epsilon), scale = gamma ? factor * *gamma : factor;
  return {static_cast<float>(factor), static_cast<float>(scale), static_cast<float>((beta ? *beta : 0) - mean * scale)};
}

// A number that moves by a share of its distance from another; the other itself, where the share is 1.
inline float moved(float from, float to, float share) {
  return share < 0.5f ? from + share * (to - from) : to - (to - from) * (1 - share);
}

}  // namespace

// Of each channel its moments, mean and variance in two rows, and what they come to, factor, scale and offset in three;
// y of these, to which an array is added unless it is null; and moving statistics, unless they are null, move by `share`
// towards those of the batch.
STRIATE_EXPORT int STRIATE_NAME(batch_norm, ISA)(int64_t rows, int64_t channels, const float* x, const float* gamma,
                                                  const float* beta, double epsilon, int relu_too, float cap,
                                                  const float* added, float* moving_mean, float* moving_variance, float share,
                                                  float* moments, float* scaling, float* y, int threads) {
  // Of the differences from the first row: channels far from 0 lose no digits.
  const auto sums = sum_all(rows, channels, threads, [=](V& sum, V& squares, int64_t r, int64_t c, int n) {
    const V difference = get(x + r * channels + c, n) - get(x + c, n);
    sum = sum + difference;
    squares = multiply_add(difference, difference, squares);
  });
  if (!sums) return NO_MEMORY;
  float *mean = moments, *variance = moments + channels;
  float *factor = scaling, *scale = factor + channels, *offset = scale + channels;
  for (int64_t c = 0; c < channels; c++) {
    const double shift = sums[c] / rows, square = sums[channels + c] / rows - shift * shift;
    mean[c] = static_cast<float>(shift + x[c]);
    variance[c] = static_cast<float>(square < 0 ? 0 : square);
    const Channel of = channel_of(mean[c], variance[c], gamma ? gamma + c : nullptr, beta ? beta + c : nullptr, epsilon);
    factor[c] = of.factor;
    scale[c] = of.scale;
    offset[c] = of.offset;
    if (moving_mean) moving_mean[c] = moved(moving_mean[c], mean[c], share);
    if (moving_variance) moving_variance[c] = moved(moving_variance[c], variance[c], share);
  }
  scale_rows(rows, channels, x, scale, offset, added, relu_too, cap, y, threads);
  return 0;
}

// Scale and offset of each channel, in two rows of `found`, that its statistics come to.
STRIATE_EXPORT int STRIATE_NAME(fold_norm, ISA)(int64_t channels, const float* mean, const float* variance,
                                                 const float* gamma, const float* beta, double epsilon, float* found,
                                                 int) {
  for (int64_t c = 0; c < channels; c++) {
    const Channel of = channel_of(mean[c], variance[c], gamma ? gamma + c : nullptr, beta ? beta + c : nullptr, epsilon);
    found[c] = of.scale;
    found[channels + c] = of.offset;
  }
  return 0;
}

// y = x scale + offset, by channel, with ReLU up to `cap` if asked.
STRIATE_EXPORT int STRIATE_NAME(scale_channels, ISA)(int64_t rows, int64_t channels, const float* x, const float* scale,
                                                      const float* offset, int relu_too, float cap, float* y,
                                                      int threads) {
  scale_rows(rows, channels, x, scale, offset, nullptr, relu_too, cap, y, threads);
  return 0;
}

// The gradients of x (unless it is null), gamma and beta; moments and scaling are those that made y. After a sum and ReLU
// y says what that let through, and the gradient of what was added is left in dadded; else both are null.
STRIATE_EXPORT int STRIATE_NAME(batch_norm_backward, ISA)(int64_t rows, int64_t channels, const float* x,
                                                           const float* dy, const float* moments, const float* scaling,
                                                           int relu_too, float cap, const float* y, float* dadded,
                                                           float* dx, float* dgamma, float* dbeta, int threads) {
  const float *mean = moments, *factor = scaling, *scale = factor + channels, *offset = scale + channels;
  const V most = fill(cap);
  const auto gradient = [=](V value, int64_t at, int64_t c, int n) {
    if (y) return get(dadded + at, n);
    const V arrived = get(dy + at, n);
    return relu_too ? keep(passes(scaled(value, get(scale + c, n), get(offset + c, n)), most), arrived) : arrived;
  };
  const auto sums = sum_all(rows, channels, threads, [=](V& sum, V& products, int64_t r, int64_t c, int n) {
    const int64_t at = r * channels + c;
    if (y) put(dadded + at, keep(passes(get(y + at, n), most), get(dy + at, n)), n);
    const V value = get(x + at, n), arrived = gradient(value, at, c, n);
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
