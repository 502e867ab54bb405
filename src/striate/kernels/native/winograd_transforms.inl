// Between arrays and what Winograd's convolution multiplies: tiles of the input and of the output's gradient, weights,
// and back. Source: F(2 x 2, 3 x 3) of Lavin and Gray, arXiv 1509.09308.

namespace {

struct WinogradSizes {
  int64_t n, h, w, c;  // the input
  int64_t oh, ow, filters;
  int64_t top, left;  // how many cells of the window lie outside at the start
};

constexpr int PLACES = 16;  // of a transformed tile
constexpr int64_t PANEL = TILE_VECTORS * LANES;

// Transformed weights lie in panels of columns, (places, panels, depth, PANEL): what a product reads is in one piece.
inline int64_t panels_of(int64_t columns) { return (columns + PANEL - 1) / PANEL; }
inline int64_t place_in_panels(int64_t k, int64_t row, int64_t column, int64_t depth, int64_t columns) {
  return ((k * panels_of(columns) + column / PANEL) * depth + row) * PANEL + column % PANEL;
}

constexpr int64_t GROUP = 128;  // filters that are done at a time, where weights are many: so is what is kept of them

// Filters from `first` on.
struct Columns {
  int64_t first, count;
};

struct Tiles {
  int64_t rows, columns, block;  // tiles of an item; how many are done at a time

  explicit Tiles(const WinogradSizes& s)
      : rows((s.oh + 1) / 2),
        columns((s.ow + 1) / 2),
        block(std::clamp<int64_t>((1 << 18) / (PLACES * (s.c + s.filters)), 64, 128)) {}
};

// Where the cells of a tile lie; those outside are read as zeros.
template <int SIDE>
inline void find_cells(const float* x, int64_t h, int64_t w, int64_t c, int64_t row, int64_t column, const float* none,
                       const float** cells) {
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      const bool inside = row + i >= 0 && row + i < h && column + j >= 0 && column + j < w;
      cells[i * SIDE + j] = inside ? x + ((row + i) * w + column + j) * c : none;
    }
}

inline void four_of_input(V a, V b, V c, V d, V* to, int step) {
  to[0] = a - c;
  to[step] = b + c;
  to[2 * step] = c - b;
  to[3 * step] = b - d;
}
inline void four_of_gradient(V a, V b, V* to, int step) {
  to[0] = a;
  to[step] = a + b;
  to[2 * step] = a - b;
  to[3 * step] = zeros() - b;
}
inline void four_of_weights(V a, V b, V c, V* to, int step) {
  const V half = fill(0.5f), sum = (a + c) * half, middle = b * half;
  to[0] = a;
  to[step] = sum + middle;
  to[2 * step] = sum - middle;
  to[3 * step] = c;
}
inline void two_of_products(V a, V b, V c, V d, V* to, int step) {
  to[0] = a + b + c;
  to[step] = b - c - d;
}
inline void three_of_products(V a, V b, V c, V d, V* to, int step) {
  const V half = fill(0.5f), sum = (b + c) * half;
  to[0] = a + sum;
  to[step] = (b - c) * half;
  to[2 * step] = sum + d;
}

// The tiles [from, from + count) of all items, transformed: (places, count, width), `stride` tiles from place to place.
inline void transform_input(const WinogradSizes& s, const Tiles& tiles, const float* x, int64_t from, int64_t count,
                            const float* none, int64_t width, int64_t stride, float* to) {
  for (int64_t tile = 0; tile < count; tile++) {
    const int64_t item = (from + tile) / (tiles.rows * tiles.columns), at = (from + tile) % (tiles.rows * tiles.columns);
    const float* cells[16];
    find_cells<4>(x + item * s.h * s.w * s.c, s.h, s.w, s.c, 2 * (at / tiles.columns) - s.top,
                  2 * (at % tiles.columns) - s.left, none, cells);
    for (int64_t c = 0; c < s.c; c += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
      V half[16], whole[16];
      for (int j = 0; j < 4; j++)
        four_of_input(get(cells[j] + c, n), get(cells[4 + j] + c, n), get(cells[8 + j] + c, n), get(cells[12 + j] + c, n),
                      half + j, 4);
      for (int i = 0; i < 4; i++)
        four_of_input(half[4 * i], half[4 * i + 1], half[4 * i + 2], half[4 * i + 3], whole + 4 * i, 1);
      for (int k = 0; k < PLACES; k++) store(to + (k * stride + tile) * width + c, whole[k]);
    }
  }
}

// The same for the gradient of the output, in tiles of 2 x 2.
inline void transform_gradient(const WinogradSizes& s, const Tiles& tiles, const float* dy, int64_t from, int64_t count,
                               const float* none, int64_t width, int64_t stride, float* to) {
  for (int64_t tile = 0; tile < count; tile++) {
    const int64_t item = (from + tile) / (tiles.rows * tiles.columns), at = (from + tile) % (tiles.rows * tiles.columns);
    const float* cells[4];
    find_cells<2>(dy + item * s.oh * s.ow * s.filters, s.oh, s.ow, s.filters, 2 * (at / tiles.columns),
                  2 * (at % tiles.columns), none, cells);
    for (int64_t f = 0; f < s.filters; f += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, s.filters - f));
      V half[8], whole[16];
      for (int j = 0; j < 2; j++) four_of_gradient(get(cells[j] + f, n), get(cells[2 + j] + f, n), half + j, 2);
      for (int i = 0; i < 4; i++) four_of_gradient(half[2 * i], half[2 * i + 1], whole + 4 * i, 1);
      for (int k = 0; k < PLACES; k++) store(to + (k * stride + tile) * width + f, whole[k]);
    }
  }
}

// Nine weights of each of n inner channels, perhaps turned around, as they are at the places of a tile.
inline void transform_nine(const float* weights, int64_t inner, bool turned, int n, V* whole) {
  V given[9], half[12];
  for (int k = 0; k < 9; k++) given[k] = get(weights + (turned ? 8 - k : k) * inner, n);
  for (int j = 0; j < 3; j++) four_of_weights(given[j], given[3 + j], given[6 + j], half + j, 3);
  for (int i = 0; i < 4; i++) four_of_weights(half[3 * i], half[3 * i + 1], half[3 * i + 2], whole + 4 * i, 1);
}

// Weights (outer, 3, 3, stride), turned around, of which `inner` become matrices (outer, inner).
inline Scratch transform_weights(const float* weights, int64_t outer, int64_t inner, int64_t stride, int threads) {
  Scratch to = scratch(PLACES * panels_of(inner) * outer * PANEL);
  if (!to) return to;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t o = 0; o < outer; o++) {
    for (int64_t c = 0; c < inner; c += LANES) {
      V whole[16];
      const int n = static_cast<int>(std::min<int64_t>(LANES, inner - c));
      transform_nine(weights + o * 9 * stride + c, stride, true, n, whole);
      for (int k = 0; k < PLACES; k++) store(to.get() + place_in_panels(k, o, c, outer, inner), whole[k]);
    }
  }
  return to;
}

// Weights (outer, 3, 3, inner) as matrices (inner, outer), in squares that are turned while they are near.
inline Scratch transform_weights_across(const float* weights, int64_t outer, int64_t inner, int threads) {
  Scratch to = scratch(PLACES * panels_of(outer) * inner * PANEL);
  if (!to) return to;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t first = 0; first < outer; first += LANES) {
    alignas(64) float squares[PLACES * LANES * LANES];
    for (int64_t c = 0; c < inner; c += LANES) {
      const int64_t n = std::min<int64_t>(LANES, inner - c);
      for (int64_t o = 0; o < LANES; o++) {
        V whole[16];
        for (V& one : whole) one = zeros();
        if (first + o < outer)
          transform_nine(weights + (first + o) * 9 * inner + c, inner, false, static_cast<int>(n), whole);
        for (int k = 0; k < PLACES; k++) store(squares + (k * LANES + o) * LANES, whole[k]);
      }
      for (int k = 0; k < PLACES; k++)
        transpose_block(squares + k * LANES * LANES, LANES, LANES, n,
                        to.get() + place_in_panels(k, c, first, inner, outer), PANEL);
    }
  }
  return to;
}

// Products (places, count, width) of the tiles from `from` on, as these columns of the output.
inline void transform_products(const WinogradSizes& s, const Tiles& tiles, const float* products, int64_t from,
                               int64_t count, Columns of, int64_t width, int64_t stride, const Epilogue& after,
                               float* y) {
  const V most = fill(after.cap);
  for (int64_t tile = 0; tile < count; tile++) {
    const int64_t item = (from + tile) / (tiles.rows * tiles.columns), at = (from + tile) % (tiles.rows * tiles.columns);
    const int64_t row = 2 * (at / tiles.columns), column = 2 * (at % tiles.columns);
    const int rows = static_cast<int>(std::min<int64_t>(2, s.oh - row));
    const int columns = static_cast<int>(std::min<int64_t>(2, s.ow - column));
    float* corner = y + ((item * s.oh + row) * s.ow + column) * s.filters;
    for (int64_t f = of.first; f < of.first + of.count; f += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, of.first + of.count - f));
      V given[16], half[8], whole[4];
      for (int k = 0; k < PLACES; k++) given[k] = load(products + (k * stride + tile) * width + f - of.first);
      for (int j = 0; j < 4; j++)
        two_of_products(given[j], given[4 + j], given[8 + j], given[12 + j], half + j, 4);
      for (int i = 0; i < 2; i++)
        two_of_products(half[4 * i], half[4 * i + 1], half[4 * i + 2], half[4 * i + 3], whole + 2 * i, 1);
      const V bias = after.bias ? get(after.bias + f, n) : zeros();
      for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
          float* to = corner + (i * s.ow + j) * s.filters + f;
          V sum = whole[2 * i + j] + bias;
          if (after.added) sum = sum + get(after.added + (to - y), n);
          put(to, activated(sum, after.relu_too, most), n);
        }
    }
  }
}

// The gradient of the weights of these filters, of sums (buffers, places, filters, deep).
inline void transform_sums(const WinogradSizes& s, Columns of, const float* all_sums, int64_t buffers, int64_t of_sums,
                           int64_t deep, float* dweights, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t f = 0; f < of.count; f++) {
    for (int64_t c = 0; c < s.c; c += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
      V given[16], half[12], whole[9];
      for (int k = 0; k < PLACES; k++) {
        given[k] = zeros();
        for (int64_t part = 0; part < buffers; part++)
          given[k] = given[k] + load(all_sums + part * of_sums + (k * of.count + f) * deep + c);
      }
      for (int j = 0; j < 4; j++)
        three_of_products(given[j], given[4 + j], given[8 + j], given[12 + j], half + j, 4);
      for (int i = 0; i < 3; i++)
        three_of_products(half[4 * i], half[4 * i + 1], half[4 * i + 2], half[4 * i + 3], whole + 3 * i, 1);
      for (int k = 0; k < 9; k++) put(dweights + ((of.first + f) * 9 + k) * s.c + c, whole[k], n);
    }
  }
}

}  // namespace
