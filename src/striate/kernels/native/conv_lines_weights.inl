// The weights of `conv_lines.inl`, (outer, window, inner), and what leads into and out of there.

namespace {

// Taps of one chunk of a window's line and some channels, perhaps turned around, as they are at the places of a tile.
template <int TAPS>
inline void transform_taps(const ConvLinesSizes& s, const float* weights, int64_t c, int64_t line, int64_t chunk,
                           bool turned, int n, V* whole) {
  V given[TAPS];
  for (int i = 0; i < TAPS; i++) {
    const int64_t along = chunk * TAPS + i, tap = line * s.window[2] + along;
    given[i] = along < s.window[2] ? get(weights + (turned ? s.taps() - 1 - tap : tap) * c, n) : zeros();
  }
  transform<OfWeights<TAPS>>(given, whole);
}

// Weights (outer, window, inner), turned around, as matrices (window's lines and chunks, outer; inner) in panels.
template <int TAPS>
inline Scratch turned_line_weights(const ConvLinesSizes& s, const float* weights, int64_t outer, int64_t inner,
                                   int threads) {
  constexpr int PLACES = Blocks<TAPS>::PLACES;
  const int64_t chunks = (s.window[2] + TAPS - 1) / TAPS, depth = s.lines() * chunks * outer;
  Scratch to = scratch(PLACES * panels_of(inner) * depth * PANEL);
  if (!to) return to;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t row = 0; row < depth; row++)
    for (int64_t c = 0; c < inner; c += LANES) {
      V whole[PLACES];
      transform_taps<TAPS>(s, weights + row % outer * s.taps() * inner + c, inner, row / outer / chunks,
                           row / outer % chunks, true, static_cast<int>(std::min<int64_t>(LANES, inner - c)), whole);
      for (int k = 0; k < PLACES; k++) store(to.get() + place_in_panels(k, row, c, depth, inner), whole[k]);
    }
  return to;
}

// Weights (outer, window, inner) as matrices (window's lines and chunks, inner; outer) in panels, in squares that are
// turned while they are near.
template <int TAPS>
inline Scratch line_weights(const ConvLinesSizes& s, const float* weights, int64_t outer, int64_t inner, int threads) {
  constexpr int PLACES = Blocks<TAPS>::PLACES;
  const int64_t chunks = (s.window[2] + TAPS - 1) / TAPS, pieces = s.lines() * chunks, depth = pieces * inner;
  Scratch to = scratch(PLACES * panels_of(outer) * depth * PANEL);
  if (!to) return to;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t first = 0; first < outer; first += LANES) {
    alignas(64) float squares[PLACES * LANES * LANES];
    for (int64_t piece = 0; piece < pieces; piece++)
      for (int64_t c = 0; c < inner; c += LANES) {
        const int64_t n = std::min<int64_t>(LANES, inner - c);
        for (int64_t o = 0; o < LANES; o++) {
          V whole[PLACES];
          for (V& one : whole) one = zeros();
          if (first + o < outer)
            transform_taps<TAPS>(s, weights + (first + o) * s.taps() * inner + c, inner, piece / chunks, piece % chunks,
                                 false, static_cast<int>(n), whole);
          for (int k = 0; k < PLACES; k++) store(squares + (k * LANES + o) * LANES, whole[k]);
        }
        for (int k = 0; k < PLACES; k++)
          transpose_block(squares + k * LANES * LANES, LANES, LANES, n,
                          to.get() + place_in_panels(k, piece * inner + c, first, depth, outer), PANEL);
      }
  }
  return to;
}

// The parts' sums (places, depth, filters), added in order, as the gradient of the weights (filters, window, c).
template <int TAPS>
void gather_sums(const ConvLinesSizes& s, const Blocks<TAPS>& blocks, const float* sums, int parts, float* dweights,
                 int threads) {
  constexpr int PLACES = Blocks<TAPS>::PLACES;
  const int64_t plane = blocks.depth * s.filters, across = (s.c + LANES - 1) / LANES;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t at = 0; at < s.lines() * blocks.chunks * across; at++) {
    alignas(64) float squares[TAPS * LANES * LANES];
    const int64_t piece = at / across, along = piece % blocks.chunks * TAPS, first = at % across * LANES;
    const int64_t tap = piece / blocks.chunks * s.window[2] + along, high = std::min<int64_t>(LANES, s.c - first);
    for (int64_t f = 0; f < s.filters; f += LANES) {
      const int wide = static_cast<int>(std::min<int64_t>(LANES, s.filters - f));
      for (int64_t c = 0; c < high; c++) {
        V given[PLACES], whole[TAPS];
        for (int k = 0; k < PLACES; k++) {
          const float* from = sums + k * plane + (piece * s.c + first + c) * s.filters + f;
          given[k] = get(from, wide);
          for (int part = 1; part < parts; part++) given[k] = given[k] + get(from + part * PLACES * plane, wide);
        }
        transform<Transpose<OfWeights<TAPS>>>(given, whole);
        for (int i = 0; i < TAPS; i++) store(squares + (i * LANES + c) * LANES, whole[i]);
      }
      for (int64_t i = 0; i < TAPS && along + i < s.window[2]; i++)
        transpose_block(squares + i * LANES * LANES, LANES, high, wide,
                        dweights + (f * s.taps() + tap + i) * s.c + first, s.taps() * s.c);
    }
  }
}

template <int TAPS>
int conv_lines_weights_gradient(const ConvLinesSizes& s, const float* x, const float* dy, float* dweights, int threads) {
  constexpr int PLACES = Blocks<TAPS>::PLACES;
  const Blocks<TAPS> blocks(s, threads);
  const int64_t of_sums = PLACES * blocks.depth * s.filters, of_input = PLACES * blocks.cells * s.c;
  const int64_t of_both = of_input + PLACES * panels_of(s.filters) * blocks.rows * PANEL;
  const Scratch none = zeroed(std::max(s.c, s.filters)), all = scratch(threads * of_both);
  const Scratch sums = scratch(threads * of_sums);
  if (!none || !all || !sums) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int part = 0; part < threads; part++) {
    float* input = all.get() + part * of_both;
    sum_blocks(s, blocks, blocks.count * part / threads, blocks.count * (part + 1) / threads, x, dy, none.get(), input,
               input + of_input, sums.get() + part * of_sums);
  }
  gather_sums(s, blocks, sums.get(), threads, dweights, threads);
  return 0;
}

// Calls with how many taps of a line are done at a time.
template <class Of>
inline auto with_taps(int64_t window, Of of) {
  switch (window) {
    case 3: return of(std::integral_constant<int, 3>());
    case 5: return of(std::integral_constant<int, 5>());
    default: return of(std::integral_constant<int, 4>());
  }
}

}  // namespace

// y (N, out, filters) of x (N, in, c) and weights (filters, window, c), with ReLU if asked; or, turned, the gradient of
// the input, for which x is that of the output, and the weights are (c, window, filters).
STRIATE_EXPORT int STRIATE_NAME(conv_lines, ISA)(const ConvLinesSizes* sizes, const float* x, const float* weights,
                                                 const float* bias, int relu_too, int turned, float* y, int threads) {
  const ConvLinesSizes& s = *sizes;
  return with_taps(s.window[2], [&](auto taps) {
    const Scratch matrices = turned ? turned_line_weights<taps()>(s, weights, s.c, s.filters, threads)
                                    : line_weights<taps()>(s, weights, s.filters, s.c, threads);
    return matrices ? convolve_lines<taps()>(s, x, matrices.get(), {bias, nullptr, relu_too != 0, NAN}, y, threads)
                    : NO_MEMORY;
  });
}

// Weights (filters, window, c) transformed, in panels: (places, panels, window's lines and chunks, c, PANEL).
STRIATE_EXPORT int STRIATE_NAME(conv_lines_weights, ISA)(const ConvLinesSizes* sizes, const float* weights, float* to,
                                                         int threads) {
  const ConvLinesSizes& s = *sizes;
  return with_taps(s.window[2], [&](auto taps) {
    const Scratch matrices = line_weights<taps()>(s, weights, s.filters, s.c, threads);
    if (!matrices) return NO_MEMORY;
    const Blocks<taps()> blocks(s, threads);
    std::copy_n(matrices.get(), blocks.PLACES * panels_of(s.filters) * blocks.depth * PANEL, to);
    return 0;
  });
}

// The gradient of the weights, (filters, window, c).
STRIATE_EXPORT int STRIATE_NAME(conv_lines_backward, ISA)(const ConvLinesSizes* sizes, const float* x, const float* dy,
                                                          float* dweights, int threads) {
  return with_taps(sizes->window[2], [&](auto taps) {
    return conv_lines_weights_gradient<taps()>(*sizes, x, dy, dweights, threads);
  });
}
