// Convolution, bias, ReLU and max-pooling of 2 x 2 in one go, for inputs of few channels, and the gradient of the
// weights. What the convolution gives is never written: of each four cells only the winner is.
//
// The gradient visits the winners only. Which of four pixels stood under a tap is an in-register look-up, since the
// four lie side by side in a table.

namespace {

struct ConvPoolSizes {
  int64_t n, h, w, c;       // the input, padding included; the window moves by one cell
  int64_t filters, kh, kw;  // the window of weights
};

constexpr int BLOCK_CELLS = REGISTERS == 32 ? 2 : 1;  // windows of 2 x 2 side by side whose sums stay in registers
constexpr int BLOCK_VECTORS = 2;                      // vectors of filters

template <int CELLS, int VECTORS>
inline void conv_pool_block(const ConvPoolSizes& s, const float* x, const float* weights, const float* bias,
                            int64_t width, int64_t f, float* y, uint8_t* winner) {
  V sum[CELLS][4][VECTORS];
  for (int v = 0; v < VECTORS; v++)
    for (int cell = 0; cell < CELLS; cell++)
      for (int i = 0; i < 4; i++) sum[cell][i][v] = load(bias + f + v * LANES);
  const int64_t row = s.w * s.c, c = s.c, taps = s.kw * s.c;
  for (int64_t i = 0; i < s.kh; i++) {
    const float *upper = x + i * row, *lower = upper + row, *tap = weights + i * taps * width + f;
    for (int64_t k = 0; k < taps; k++, tap += width) {
      V weight[VECTORS];
      for (int v = 0; v < VECTORS; v++) weight[v] = load(tap + v * LANES);
      for (int cell = 0; cell < CELLS; cell++) {
        const int64_t left = k + 2 * cell * c;
        const V pixel[4] = {fill(upper[left]), fill(upper[left + c]), fill(lower[left]), fill(lower[left + c])};
        for (int j = 0; j < 4; j++)
          for (int v = 0; v < VECTORS; v++) sum[cell][j][v] = multiply_add(pixel[j], weight[v], sum[cell][j][v]);
      }
    }
  }
  for (int cell = 0; cell < CELLS; cell++) {
    for (int v = 0; v < VECTORS; v++) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, s.filters - f - v * LANES));
      V best = sum[cell][0][v];
      I index = same(0);
      for (int j = 1; j < 4; j++) {
        const M better = wins(sum[cell][j][v], best);
        best = choose(better, sum[cell][j][v], best);
        index = choose(better, same(j), index);
      }
      const int64_t to = cell * s.filters + f + v * LANES;
      best = relu(best);
      if (n >= LANES) store(y + to, best);
      else store_some(y + to, best, std::max(n, 0));
      if (winner && n > 0) store_bytes(winner + to, index, std::min(n, LANES));
    }
  }
}

template <int CELLS>
inline void conv_pool_cells(const ConvPoolSizes& s, const float* x, const float* weights, const float* bias,
                            int64_t width, float* y, uint8_t* winner) {
  int64_t f = 0;
  for (; f + BLOCK_VECTORS * LANES <= width; f += BLOCK_VECTORS * LANES)
    conv_pool_block<CELLS, BLOCK_VECTORS>(s, x, weights, bias, width, f, y, winner);
  for (; f < width; f += LANES) conv_pool_block<CELLS, 1>(s, x, weights, bias, width, f, y, winner);
}

// The table of a band: for each position p of row i of the window, the four pixels that the four cells see there.
inline void fill_table(const ConvPoolSizes& s, const float* x, float* table, int64_t stride) {
  const int64_t row = s.w * s.c, c = s.c;
  for (int64_t i = 0; i < s.kh; i++) {
    const float *upper = x + i * row, *lower = upper + row;
    float* to = table + i * stride;
    for (int64_t p = 0; p + c < row; p++, to += 4) {
      to[0] = upper[p];
      to[1] = upper[p + c];
      to[2] = lower[p];
      to[3] = lower[p + c];
    }
  }
}

// Adds to the gradients of TAPS taps in each of ROWS rows what a row of pooled cells gives.
template <int ROWS, int TAPS>
void add_gradients(const float* table, int64_t stride, int64_t step, const float* y, const uint8_t* winner,
                   const float* dy, int64_t cells, int64_t filters, int n, int64_t width, int64_t taps_in_row,
                   int64_t real_taps, float* gradients) {
  V sum[ROWS][TAPS];
  for (int i = 0; i < ROWS; i++)
    for (int t = 0; t < TAPS; t++)
      sum[i][t] = t < real_taps ? load(gradients + (i * taps_in_row + t) * width) : zeros();
  for (int64_t cell = 0; cell < cells; cell++) {
    const int64_t from = cell * filters;
    const V value = n >= LANES ? load(y + from) : load_some(y + from, n);
    const V gradient = keep(passes(value), n >= LANES ? load(dy + from) : load_some(dy + from, n));
    const I index = load_bytes(winner + from, n);
    const float* four = table + cell * step;
    for (int i = 0; i < ROWS; i++)
      for (int t = 0; t < TAPS; t++)
        sum[i][t] = multiply_add(gradient, pick(four + i * stride + t * 4, index), sum[i][t]);
  }
  for (int i = 0; i < ROWS; i++)
    for (int t = 0; t < TAPS; t++)
      if (t < real_taps) store(gradients + (i * taps_in_row + t) * width, sum[i][t]);
}

using AddGradients = decltype(&add_gradients<1, 3>);

// How many rows and taps at a time: the fewest that cover those of the window, and stay in registers.
struct Tile {
  int rows, taps;
  AddGradients add;
};
inline Tile tile_for(int64_t rows, int64_t taps) {
  static const Tile tiles[] = {
    {3, 3, add_gradients<3, 3>},
#if defined(__AVX512F__)
    {3, 6, add_gradients<3, 6>},   {3, 9, add_gradients<3, 9>},   {1, 5, add_gradients<1, 5>},
    {1, 9, add_gradients<1, 9>},   {1, 12, add_gradients<1, 12>}, {1, 15, add_gradients<1, 15>},
    {1, 21, add_gradients<1, 21>}, {1, 27, add_gradients<1, 27>},
#else
    {1, 3, add_gradients<1, 3>},   {1, 5, add_gradients<1, 5>},   {1, 9, add_gradients<1, 9>},
    {1, 12, add_gradients<1, 12>},
#endif
  };
  const Tile* best = nullptr;
  for (const Tile& tile : tiles) {
    if (rows % tile.rows) continue;
    const bool covers = tile.taps >= taps;
    if (!best || (covers && best->taps < taps) || (!covers && best->taps < taps && tile.taps > best->taps)) best = &tile;
  }
  return *best;
}

// y of x, weights (taps, filters) and a bias for each filter, both filled up to whole vectors with zeros.
void conv_pool_forward(const ConvPoolSizes& s, const float* x, const float* by_tap, const float* biases, float* y,
                       uint8_t* winner, int threads) {
  const int64_t width = rounded_up(s.filters, LANES), oh = (s.h - s.kh + 1) / 2, ow = (s.w - s.kw + 1) / 2;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (int64_t item = 0; item < s.n; item++) {
    for (int64_t i = 0; i < oh; i++) {
      const float* band = x + (item * s.h + 2 * i) * s.w * s.c;
      const int64_t out = (item * oh + i) * ow * s.filters;
      int64_t j = 0;
      for (; j + BLOCK_CELLS <= ow; j += BLOCK_CELLS)
        conv_pool_cells<BLOCK_CELLS>(s, band + 2 * j * s.c, by_tap, biases, width, y + out + j * s.filters,
                                     winner ? winner + out + j * s.filters : nullptr);
      for (; j < ow; j++)
        conv_pool_cells<1>(s, band + 2 * j * s.c, by_tap, biases, width, y + out + j * s.filters,
                           winner ? winner + out + j * s.filters : nullptr);
    }
  }
}

}  // namespace

// y (N, (h - kh + 1) / 2, (w - kw + 1) / 2, filters) of x and weights (filters, kh, kw, c), and, unless it is null,
// which of its four cells won.
STRIATE_EXPORT int STRIATE_NAME(conv_pool, ISA)(const ConvPoolSizes* sizes, const float* x, const float* weights,
                                                 const float* bias, float* y, uint8_t* winner, int threads) {
  const ConvPoolSizes& s = *sizes;
  const int64_t width = rounded_up(s.filters, LANES);
  const Scratch by_tap = packed(weights, s.filters, s.kh * s.kw * s.c, width), biases = zeroed(width);
  if (!by_tap || !biases) return NO_MEMORY;
  if (bias) std::memcpy(biases.get(), bias, s.filters * sizeof(float));
  conv_pool_forward(s, x, by_tap.get(), biases.get(), y, winner, threads);
  return 0;
}

// The gradients of the weights (filters, kh, kw, c) and, unless it is null, of the bias.
STRIATE_EXPORT int STRIATE_NAME(conv_pool_backward, ISA)(const ConvPoolSizes* sizes, const float* x, const float* y,
                                                          const uint8_t* winner, const float* dy, float* dweights,
                                                          float* dbias, int threads) {
  const ConvPoolSizes& s = *sizes;
  const int64_t width = rounded_up(s.filters, LANES), oh = (s.h - s.kh + 1) / 2, ow = (s.w - s.kw + 1) / 2;
  const int64_t in_row = s.kw * s.c, taps = s.kh * in_row, share = (taps + 1) * width;
  const Tile tile = tile_for(s.kh, in_row);
  const int64_t stride = 4 * (s.w * s.c + tile.taps);
  // Every thread sums up on its own; the sums are added in order, so that the result is always the same.
  const Scratch shares = zeroed(threads * share), tables = zeroed(threads * s.kh * stride);
  if (!shares || !tables) return NO_MEMORY;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
      float *gradients = shares.get() + part * share, *of_bias = gradients + taps * width;
      float* table = tables.get() + part * s.kh * stride;
      const int64_t begin = s.n * oh * part / threads, end = s.n * oh * (part + 1) / threads;
      for (int64_t band = begin; band < end; band++) {
        fill_table(s, x + (band / oh * s.h + 2 * (band % oh)) * s.w * s.c, table, stride);
        for (int64_t f = 0; f < s.filters; f += LANES) {
          const int n = static_cast<int>(std::min<int64_t>(LANES, s.filters - f));
          const int64_t from = band * ow * s.filters + f;
          V sum = load(of_bias + f);
          for (int64_t cell = 0; cell < ow; cell++) {
            const int64_t at = from + cell * s.filters;
            sum = sum + keep(passes(load_some(y + at, n)), load_some(dy + at, n));
          }
          store(of_bias + f, sum);
          for (int64_t i = 0; i < s.kh; i += tile.rows)
            for (int64_t t = 0; t < in_row; t += tile.taps)
              tile.add(table + i * stride + 4 * t, stride, 8 * s.c, y + from, winner + from, dy + from, ow,
                       s.filters, n, width, in_row, std::min<int64_t>(tile.taps, in_row - t),
                       gradients + (i * in_row + t) * width + f);
        }
      }
    }
  }
  for (int part = 1; part < threads; part++)
    for (int64_t i = 0; i < share; i++) shares[i] += shares[part * share + i];
  for (int64_t f = 0; f < s.filters; f++)
    for (int64_t t = 0; t < taps; t++) dweights[f * taps + t] = shares[t * width + f];
  if (dbias) std::memcpy(dbias, shares.get() + taps * width, s.filters * sizeof(float));
  return 0;
}
