// Convolution of each channel of (N, H, W, C) by itself, with bias and ReLU after it, and its gradients.
//
// All three are the same walk: pixels of one array that look, through taps, at cells of another. For some rows of pixels
// at a time a table holds the address of each cell that each tap finds, or that of zeros where it lies outside. So no
// loop asks where the border is, and strides and dilation are but other addresses. A vector holds channels; a vector of
// weights serves several pixels, whose sums stay in registers.

namespace {

struct DepthwiseSizes {
  int64_t n, h, w, c;                     // the input
  int64_t oh, ow;                         // the output
  int64_t kh, kw, sh, sw, dh, dw;         // the window, by how much it moves, and how far apart its cells are
  int64_t top, left;                      // how many cells outside it begins
  int64_t by_row, by_column, by_channel;  // how far apart the weights lie

  int64_t taps() const { return kh * kw; }
  int64_t weights() const { return taps() * rounded_up(c, LANES); }  // as they are packed
};

constexpr int MOST_PIXELS = 8;          // whose sums stay in registers
constexpr int MOST_TAPS = 9;            // whose gradients do
constexpr int THREE = 3;                // columns of the usual window
constexpr int64_t FEW_COLUMNS = 4;      // pixels side by side that do not keep the processor busy
constexpr int64_t PIXELS_AT_A_TIME = 32;  // in a table, or a row if that is more

struct Tap {
  int64_t row, column;  // of the cell that the first pixel sees
  int64_t number;       // of its weights
};

// Pixels, (n, rows, columns), that see cells of (n, h, w), all of c channels.
struct View {
  const float* cells;
  int64_t h, w, row_step, column_step;
  int64_t rows, columns, by_item, by_row, by_column;  // the pixels, and how far apart they lie
  int64_t channels;
  Tap* taps;
  int64_t count;

  int64_t at_a_time() const { return std::max<int64_t>(1, PIXELS_AT_A_TIME / columns); }  // rows in a table
  int64_t place(int64_t row) const { return row / rows * by_item + row % rows * by_row; }
};

// Taps, and for some pixels the addresses of cells, (taps, pixels).
struct Table {
  std::unique_ptr<const float*[]> cells;
  std::unique_ptr<Tap[]> taps;
  std::unique_ptr<int64_t[]> places;

  Table(int64_t most_taps, int64_t most_columns) {
    const int64_t pixels = std::max(PIXELS_AT_A_TIME, most_columns);
    cells.reset(new (std::nothrow) const float*[most_taps * pixels]);
    taps.reset(new (std::nothrow) Tap[most_taps]);
    places.reset(new (std::nothrow) int64_t[pixels]);
  }
  explicit operator bool() const { return cells && taps && places; }

  // For `rows` rows of pixels, of all items one after the other, from row `from` on.
  void fill(const View& view, int64_t from, int64_t rows, const float* nothing) {
    const float** to = cells.get();
    for (int64_t t = 0; t < view.count; t++) {
      for (int64_t row = from; row < from + rows; row++) {
        const int64_t h = view.taps[t].row + row % view.rows * view.row_step;
        const bool inside = h >= 0 && h < view.h;
        const float* cell = view.cells + (row / view.rows * view.h + (inside ? h : 0)) * view.w * view.channels;
        const int64_t width = inside ? view.w : 0;
        for (int64_t q = 0; q < view.columns; q++) {
          const int64_t w = view.taps[t].column + q * view.column_step;
          *to++ = w >= 0 && w < width ? cell + w * view.channels : nothing;
        }
      }
    }
    int64_t* place = places.get();
    for (int64_t row = from; row < from + rows; row++)
      for (int64_t q = 0; q < view.columns; q++) *place++ = view.place(row) + q * view.by_column;
  }
};

// The output's pixels see the input.
inline View output_view(const DepthwiseSizes& s, const float* x, const Table& table) {
  Tap* tap = table.taps.get();
  for (int64_t i = 0; i < s.kh; i++)
    for (int64_t j = 0; j < s.kw; j++) *tap++ = {i * s.dh - s.top, j * s.dw - s.left, i * s.kw + j};
  return {x, s.h, s.w, s.sh, s.sw, s.oh, s.ow, s.oh * s.ow * s.c, s.ow * s.c, s.c, s.c, table.taps.get(), s.taps()};
}

inline int64_t floor_divided(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// The input's pixels, those of every sh-th row and sw-th column from here on, see the gradient of the output.
inline View input_view(const DepthwiseSizes& s, const float* dy, int64_t row, int64_t column, const Table& table) {
  int64_t count = 0;
  for (int64_t i = 0; i < s.kh; i++) {
    for (int64_t j = s.kw - 1; j >= 0; j--) {  // from left to right
      const int64_t down = row + s.top - i * s.dh, across = column + s.left - j * s.dw;
      const int64_t h = floor_divided(down, s.sh), w = floor_divided(across, s.sw);
      if (h * s.sh == down && w * s.sw == across) table.taps[count++] = {h, w, i * s.kw + j};
    }
  }
  const int64_t rows = (s.h - row + s.sh - 1) / s.sh, columns = (s.w - column + s.sw - 1) / s.sw;
  return {dy,      s.oh,          s.ow,           1,          1,   rows, columns, s.h * s.w * s.c,
          s.sh * s.w * s.c, s.sw * s.c, s.c, table.taps.get(), count};
}

// Weights as (vectors of channels, taps, LANES).
template <class Weights, class Move>
inline void for_each_weight(const DepthwiseSizes& s, Weights* weights, float* packed, Move move) {
  for (int64_t c = 0; c < s.c; c++)
    for (int64_t i = 0; i < s.kh; i++)
      for (int64_t j = 0; j < s.kw; j++)
        move(weights[i * s.by_row + j * s.by_column + c * s.by_channel],
             packed[(c / LANES * s.taps() + i * s.kw + j) * LANES + c % LANES]);
}
inline Scratch packed_windows(const DepthwiseSizes& s, const float* weights) {
  Scratch to = zeroed(s.weights());
  if (to && s.by_channel == 1) {
    for (int64_t c = 0; c < s.c; c += LANES)
      for (int64_t t = 0; t < s.taps(); t++) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
        put(&to[c * s.taps() + t * LANES], get(weights + t / s.kw * s.by_row + t % s.kw * s.by_column + c, n), n);
      }
  } else if (to) for_each_weight(s, weights, to.get(), [](float weight, float& place) { place = weight; });
  return to;
}

// Adds what every tap sees, one after the other.
template <int PIXELS, bool WHOLE>
inline void add_taps(const View& view, const float* const* cells, int64_t stride, int64_t c, int n, const float* weights,
                     V* sum) {
  for (int64_t t = 0; t < view.count; t++, cells += stride) {
    const V weight = load(weights + view.taps[t].number * LANES);
    unrolled<PIXELS>([&](auto p) {
      sum[p] = multiply_add(WHOLE ? load(cells[p] + c) : load_some(cells[p] + c, n), weight, sum[p]);
    });
  }
}

// The same where pixels lie side by side and taps in threes: a cell that several of them see is read once.
template <int PIXELS, int STEP, bool WHOLE>
inline void add_threes(const View& view, const float* const* cells, int64_t stride, int64_t c, int n,
                       const float* weights, V* sum) {
  for (int64_t t = 0; t < view.count; t += THREE, cells += THREE * stride) {
    V weight[THREE];
    unrolled<THREE>([&](auto k) { weight[k] = load(weights + view.taps[t + k].number * LANES); });
    unrolled<(PIXELS - 1) * STEP + THREE>([&](auto at) {
      constexpr int pixel = std::min(at / STEP, PIXELS - 1);
      const float* cell = cells[(at - pixel * STEP) * stride + pixel] + c;
      const V x = WHOLE ? load(cell) : load_some(cell, n);
      unrolled<THREE>([&](auto k) {
        constexpr int first = at - k;
        if constexpr (first >= 0 && first % STEP == 0 && first / STEP < PIXELS)
          sum[first / STEP] = multiply_add(x, weight[k], sum[first / STEP]);
      });
    });
  }
}

// By how much pixels move whose taps come in threes side by side; 0 for any others.
inline int step_of_threes(const View& view) {
  for (int64_t t = 0; t < view.count; t++) {
    const Tap &tap = view.taps[t], &first = view.taps[t - t % THREE];
    if (tap.row != first.row || tap.column != first.column + t % THREE) return 0;
  }
  return view.count % THREE || view.columns < FEW_COLUMNS || view.column_step > 2 ? 0 : static_cast<int>(view.column_step);
}

template <int PIXELS, int STEP, bool WHOLE>
inline void sum_windows(const View& view, const float* const* cells, int64_t stride, const int64_t* places, int64_t c,
                        int n, const float* weights, const Epilogue& after, float* to) {
  V sum[PIXELS];
  unrolled<PIXELS>([&](auto p) { sum[p] = load(after.bias + c); });
  if constexpr (STEP) add_threes<PIXELS, STEP, WHOLE>(view, cells, stride, c, n, weights, sum);
  else add_taps<PIXELS, WHOLE>(view, cells, stride, c, n, weights, sum);
  const V cap = fill(after.cap);
  unrolled<PIXELS>([&](auto p) { put(to + places[p] + c, activated(sum[p], after.relu_too, cap), WHOLE ? LANES : n); });
}

template <int PIXELS, int STEP>
inline void sum_pixels(int64_t pixels, const View& view, const float* const* cells, int64_t stride,
                       const int64_t* places, const float* weights, int64_t taps, const Epilogue& after, float* to) {
  if constexpr (PIXELS > 0) {
    if (pixels < PIXELS)
      return sum_pixels<PIXELS - 1, STEP>(pixels, view, cells, stride, places, weights, taps, after, to);
    int64_t c = 0;
    for (; c + LANES <= view.channels; c += LANES)
      sum_windows<PIXELS, STEP, true>(view, cells, stride, places, c, LANES, weights + c * taps, after, to);
    const int rest = static_cast<int>(view.channels - c);
    if (rest) sum_windows<PIXELS, STEP, false>(view, cells, stride, places, c, rest, weights + c * taps, after, to);
  }
}

// Rows of pixels become the sums of what their taps see.
inline void slide(const View& view, Rows range, const float* weights, int64_t taps, const float* nothing,
                  const Epilogue& after, Table& table, float* to) {
  const int step = step_of_threes(view);
  const auto sum_some = step == 1   ? sum_pixels<MOST_PIXELS, 1>
                        : step == 2 ? sum_pixels<MOST_PIXELS, 2>
                                    : sum_pixels<MOST_PIXELS, 0>;
  for (int64_t from = range.begin; from < range.end; from += view.at_a_time()) {
    const int64_t rows = std::min(view.at_a_time(), range.end - from), pixels = rows * view.columns;
    const int64_t run = step ? view.columns : pixels, blocks = (run + MOST_PIXELS - 1) / MOST_PIXELS;
    table.fill(view, from, rows, nothing);
    for (int64_t first = 0; first < pixels; first += run)
      for (int64_t block = 0; block < blocks; block++) {
        const int64_t at = first + run * block / blocks, count = first + run * (block + 1) / blocks - at;
        sum_some(count, view, table.cells.get() + at, pixels, table.places.get() + at, weights, taps, after, to);
      }
  }
}

// The gradient of a part of the input: of the pixels that one set of taps reaches, then of the next.
inline void input_gradient(const DepthwiseSizes& s, const float* dy, int part, int parts, const float* weights,
                           const float* nothing, Table& table, float* dx) {
  for (int64_t row = 0; row < std::min(s.sh, s.h); row++) {
    for (int64_t column = 0; column < std::min(s.sw, s.w); column++) {
      const View view = input_view(s, dy, row, column, table);
      slide(view, rows_of(s.n * view.rows, part, parts), weights, s.taps(), nothing, Epilogue{nothing, nullptr, false, NAN},
            table, dx + (row * s.w + column) * s.c);
    }
  }
}

// Adds to the gradients of TAPS taps what some pixels give, and to that of the bias unless it is null.
template <int TAPS, bool WHOLE>
inline void sum_gradients(int64_t pixels, const float* const* cells, const float* dy, int64_t channels, int64_t c, int n,
                          float* gradients, float* of_bias) {
  V sum[TAPS], all = zeros();
  for (int t = 0; t < TAPS; t++) sum[t] = zeros();
  for (int64_t p = 0; p < pixels; p++) {
    const float* from = dy + p * channels + c;
    const V gradient = WHOLE ? load(from) : load_some(from, n);
    all = all + gradient;
    for (int t = 0; t < TAPS; t++) {
      const float* cell = cells[t * pixels + p] + c;
      sum[t] = multiply_add(gradient, WHOLE ? load(cell) : load_some(cell, n), sum[t]);
    }
  }
  for (int t = 0; t < TAPS; t++) store(gradients + t * LANES, load(gradients + t * LANES) + sum[t]);
  if (of_bias) store(of_bias + c, load(of_bias + c) + all);
}

template <int TAPS, bool WHOLE>
inline void sum_taps(int64_t taps, int64_t pixels, const float* const* cells, const float* dy, int64_t channels,
                     int64_t c, int n, float* gradients, float* of_bias) {
  if constexpr (TAPS > 0) {
    if (taps == TAPS) sum_gradients<TAPS, WHOLE>(pixels, cells, dy, channels, c, n, gradients, of_bias);
    else sum_taps<TAPS - 1, WHOLE>(taps, pixels, cells, dy, channels, c, n, gradients, of_bias);
  }
}

// The gradients of the weights, as they are packed, and of the bias, by rows of the output.
inline void weight_gradients(const View& view, Rows range, const float* dy, const float* nothing, Table& table,
                             float* gradients, float* of_bias) {
  const int64_t chunks = (view.count + MOST_TAPS - 1) / MOST_TAPS;
  for (int64_t from = range.begin; from < range.end; from += view.at_a_time()) {
    const int64_t rows = std::min(view.at_a_time(), range.end - from), pixels = rows * view.columns;
    table.fill(view, from, rows, nothing);
    for (int64_t c = 0; c < view.channels; c += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, view.channels - c));
      for (int64_t chunk = 0; chunk < chunks; chunk++) {
        const int64_t at = view.count * chunk / chunks, count = view.count * (chunk + 1) / chunks - at;
        (n == LANES ? sum_taps<MOST_TAPS, true> : sum_taps<MOST_TAPS, false>)(
            count, pixels, table.cells.get() + at * pixels, dy + view.place(from), view.channels, c, n,
            gradients + c * view.count + at * LANES, chunk ? nullptr : of_bias);
      }
    }
  }
}

// Calls work(part, parts, table), each part with a table of its own.
template <class Work>
inline int share_out(const DepthwiseSizes& s, int threads, Work work) {
  int failed = 0;
  const int parts = parts_of(s.n * s.oh * s.ow * s.c, threads);
#pragma omp parallel for schedule(static) num_threads(parts) reduction(| : failed)
  for (int part = 0; part < parts; part++) {
    Table table(s.taps(), std::max(s.ow, s.w));
    if (table) work(part, parts, table);
    else failed = NO_MEMORY;
  }
  return failed;
}

}  // namespace

// y (n, oh, ow, c) of x (n, h, w, c), weights (kh, kw, c) and bias (c), which may be null; with ReLU up to `cap`, NaN
// for none, if asked.
STRIATE_EXPORT int STRIATE_NAME(depthwise, ISA)(const DepthwiseSizes* sizes, const float* x, const float* weights,
                                                 const float* bias, int relu_too, float cap, float* y, int threads) {
  const DepthwiseSizes& s = *sizes;
  const Scratch windows = packed_windows(s, weights), biases = zeroed(rounded_up(s.c, LANES));
  const Scratch nothing = zeroed(s.c);
  if (!windows || !biases || !nothing) return NO_MEMORY;
  if (bias) std::memcpy(biases.get(), bias, s.c * sizeof(float));
  return share_out(s, threads, [&](int part, int parts, Table& table) {
    const Epilogue after{biases.get(), nullptr, relu_too != 0, cap};
    slide(output_view(s, x, table), rows_of(s.n * s.oh, part, parts), windows.get(), s.taps(), nothing.get(), after,
          table, y);
  });
}

// The gradients of x, of the weights, which lie as the weights do, and of the bias, each unless it is null; y is null
// where no ReLU came after.
STRIATE_EXPORT int STRIATE_NAME(depthwise_backward, ISA)(const DepthwiseSizes* sizes, const float* x,
                                                          const float* weights, const float* y, float cap,
                                                          const float* dy, float* dx, float* dweights, float* dbias,
                                                          int threads) {
  const DepthwiseSizes& s = *sizes;
  const int64_t width = rounded_up(s.c, LANES), share = s.weights() + width;
  const Scratch masked = y ? masked_by(y, dy, s.n * s.oh * s.ow * s.c, cap) : nullptr;
  const Scratch windows = packed_windows(s, weights), nothing = zeroed(width);
  // Every thread sums up on its own; the sums are added in order, so that the result is always the same.
  const Scratch shares = zeroed(threads * share);
  if ((y && !masked) || !windows || !nothing || !shares) return NO_MEMORY;
  if (y) dy = masked.get();
  const int failed = share_out(s, threads, [&](int part, int parts, Table& table) {
    float* own = shares.get() + part * share;
    const int items = static_cast<int>(std::max<int64_t>(1, s.n / parts));  // one by one, while its numbers are near
    for (int item = part * items; item < (part + 1) * items; item++) {
      if (dx) input_gradient(s, dy, item, items * parts, windows.get(), nothing.get(), table, dx);
      if (dweights || dbias)
        weight_gradients(output_view(s, x, table), rows_of(s.n * s.oh, item, items * parts), dy, nothing.get(), table,
                         own, own + s.weights());
    }
  });
  for (int part = 1; part < threads; part++)
    for (int64_t i = 0; i < share; i++) shares[i] += shares[part * share + i];
  if (dweights) for_each_weight(s, dweights, shares.get(), [](float& weight, float sum) { weight = sum; });
  if (dbias) std::memcpy(dbias, shares.get() + s.weights(), s.c * sizeof(float));
  return failed;
}
