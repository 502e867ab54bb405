// Convolution of a series, bias, ReLU if asked, and the greatest value of every filter; and its gradient, which visits
// only the places that won. As torch's amax, places that share the greatest value share its gradient.

namespace {

struct SeriesSizes {
  int64_t n, l, c, filters, k;  // the input, padding included; the window moves by one step
};

inline int64_t bytes_for(int64_t filters) { return (filters + 7) / 8; }

// Sets in `won` a bit for each filter whose value is the greatest.
inline void mark_winners(const float* values, const float* greatest, int64_t filters, uint8_t* won) {
  std::fill(won, won + bytes_for(filters), uint8_t{0});
  for (int64_t f = 0; f < filters; f++) won[f / 8] |= static_cast<uint8_t>((values[f] == greatest[f]) << (f % 8));
}

inline void add_scaled(float* to, const float* from, float factor, int64_t count) {
  const V by = fill(factor);
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, multiply_add(by, load(from + i), load(to + i)));
  if (i < count) {
    const int rest = static_cast<int>(count - i);
    store_some(to + i, multiply_add(by, load_some(from + i, rest), load_some(to + i, rest)), rest);
  }
}

// Weights (filters, taps) in panels (panels, taps, PANEL), zeros behind the last filter.
inline Scratch packed_in_panels(const float* weights, int64_t filters, int64_t taps) {
  Scratch to = zeroed(panels_of(filters) * taps * PANEL);
  for (int64_t f = 0; to && f < filters; f++)
    for (int64_t t = 0; t < taps; t++) to[(f / PANEL * taps + t) * PANEL + f % PANEL] = weights[f * taps + t];
  return to;
}

// y of x and weights in panels; threads share out items and panels.
int conv_global_max_forward(const SeriesSizes& s, const float* x, const float* panels, const float* bias, bool relu_too,
                            float* y, uint8_t* won, int threads) {
  const int64_t places = s.l - s.k + 1, depth = s.k * s.c, bytes = bytes_for(s.filters), count = panels_of(s.filters);
  const Scratch all_values = scratch(threads * places * PANEL);
  if (!all_values) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int part = 0; part < threads; part++) {
    float* values = all_values.get() + part * places * PANEL;
    for (int64_t at = s.n * count * part / threads; at < s.n * count * (part + 1) / threads; at++) {
      const int64_t item = at / count, panel = at % count, first = panel * PANEL, wide = std::min(PANEL, s.filters - first);
      for (int64_t deep = 0; deep < depth; deep += DEPTH)
        multiply(places, rounded_up(wide, LANES), std::min(DEPTH, depth - deep), Rowwise{x + item * s.l * s.c + deep, s.c},
                 panels + (panel * depth + deep) * PANEL, PANEL, values, PANEL, deep == 0);
      float* greatest = y + item * s.filters + first;
      for (int64_t f = 0; f < wide; f += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, wide - f));
        V best = fill(-INFINITY);
        for (int64_t place = 0; place < places; place++) best = greater(get(values + place * PANEL + f, n), best);
        put(greatest + f, best, n);
      }
      for (int64_t place = 0; won && place < places; place++)
        mark_winners(values + place * PANEL, greatest, wide, won + (item * places + place) * bytes + first / 8);
      for (int64_t f = 0; f < wide; f += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, wide - f));
        const V sum = bias ? get(greatest + f, n) + get(bias + first + f, n) : get(greatest + f, n);
        put(greatest + f, relu_too ? relu(sum) : sum, n);
      }
    }
  }
  return 0;
}

}  // namespace

// y (N, filters) of x (N, L, C) and weights (filters, k, C), and, unless it is null, a bit for each place and filter,
// (N, L - k + 1, filters / 8 rounded up), that says where the greatest value is.
STRIATE_EXPORT int STRIATE_NAME(conv_global_max, ISA)(const SeriesSizes* sizes, const float* x, const float* weights,
                                                       const float* bias, int relu_too, float* y, uint8_t* won,
                                                       int threads) {
  const SeriesSizes& s = *sizes;
  const Scratch panels = packed_in_panels(weights, s.filters, s.k * s.c);
  return panels ? conv_global_max_forward(s, x, panels.get(), bias, relu_too, y, won, threads) : NO_MEMORY;
}

// The gradients of x, of the weights and of the bias, each unless it is null.
STRIATE_EXPORT int STRIATE_NAME(conv_global_max_backward, ISA)(const SeriesSizes* sizes, const float* x,
                                                                const float* weights, int relu_too, const float* y,
                                                                const uint8_t* won, const float* dy, float* dx,
                                                                float* dweights, float* dbias, int threads) {
  const SeriesSizes& s = *sizes;
  const int64_t places = s.l - s.k + 1, depth = s.k * s.c, bytes = bytes_for(s.filters), share = s.filters * depth;
  // Every thread sums up on its own; the sums are added in order, so that the result is always the same.
  const Scratch shares = dweights && threads > 1 ? scratch((threads - 1) * share) : nullptr;
  const Scratch gradients = scratch(threads * s.filters);
  if ((dweights && threads > 1 && !shares) || !gradients) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int part = 0; part < threads; part++) {
    float* own = !dweights ? nullptr : part ? shares.get() + (part - 1) * share : dweights;
    if (own) std::fill(own, own + share, 0.0f);
    float* gradient = gradients.get() + part * s.filters;
    for (int64_t item = s.n * part / threads; item < s.n * (part + 1) / threads; item++) {
      const uint8_t* marks = won + item * places * bytes;
      for (int64_t f = 0; f < s.filters; f++) {
        int64_t winners = 0;
        for (int64_t place = 0; place < places; place++) winners += marks[place * bytes + f / 8] >> (f % 8) & 1;
        const int64_t at = item * s.filters + f;
        gradient[f] = relu_too && y[at] <= 0 ? 0 : winners ? dy[at] / static_cast<float>(winners) : NAN;
      }
      float* of_item = dx ? dx + item * s.l * s.c : nullptr;
      if (of_item) std::fill(of_item, of_item + s.l * s.c, 0.0f);
      for (int64_t place = 0; place < places; place++) {
        for (int64_t f = 0; f < s.filters; f++) {
          const bool here = marks[place * bytes + f / 8] >> (f % 8) & 1;
          if (gradient[f] == 0 || !(here || std::isnan(gradient[f]))) continue;
          const int64_t at = place * s.c;
          if (own) add_scaled(own + f * depth, x + item * s.l * s.c + at, gradient[f], depth);
          if (of_item) add_scaled(of_item + at, weights + f * depth, gradient[f], depth);
        }
      }
    }
  }
  for (int part = 1; dweights && part < threads; part++) add_scaled(dweights, shares.get() + (part - 1) * share, 1, share);
  if (!dbias) return 0;
  std::fill(dbias, dbias + s.filters, 0.0f);
  for (int64_t item = 0; item < s.n; item++)
    for (int64_t f = 0; f < s.filters; f++) {
      const int64_t at = item * s.filters + f;
      if (!(relu_too && y[at] <= 0)) dbias[f] += dy[at];
    }
  return 0;
}
