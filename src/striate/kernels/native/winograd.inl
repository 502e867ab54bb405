// Convolution by windows of 3 x 3 that move by one cell, with 16 products where there would be 36: F(2 x 2, 3 x 3) of
// Lavin and Gray, arXiv 1509.09308. Tiles of 4 x 4 cells and the weights are transformed, the channels of 16 places each
// multiplied as matrices, and the products transformed to tiles of 2 x 2 of the output. The gradient of the input is the
// same with the weights turned around, that of the weights the transforms' transpose.

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

// Weights (outer, 3, 3, inner), turned around, as matrices (outer, inner).
inline Scratch transform_weights(const float* weights, int64_t outer, int64_t inner, int threads) {
  Scratch to = scratch(PLACES * panels_of(inner) * outer * PANEL);
  if (!to) return to;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t o = 0; o < outer; o++) {
    for (int64_t c = 0; c < inner; c += LANES) {
      V whole[16];
      transform_nine(weights + o * 9 * inner + c, inner, true, static_cast<int>(std::min<int64_t>(LANES, inner - c)), whole);
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

// Products (places, count, width) of the tiles from `from` on, as the output.
inline void transform_products(const WinogradSizes& s, const Tiles& tiles, const float* products, int64_t from,
                               int64_t count, int64_t width, int64_t stride, const Epilogue& after, float* y) {
  const V most = fill(after.cap);
  for (int64_t tile = 0; tile < count; tile++) {
    const int64_t item = (from + tile) / (tiles.rows * tiles.columns), at = (from + tile) % (tiles.rows * tiles.columns);
    const int64_t row = 2 * (at / tiles.columns), column = 2 * (at % tiles.columns);
    const int rows = static_cast<int>(std::min<int64_t>(2, s.oh - row));
    const int columns = static_cast<int>(std::min<int64_t>(2, s.ow - column));
    float* corner = y + ((item * s.oh + row) * s.ow + column) * s.filters;
    for (int64_t f = 0; f < s.filters; f += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, s.filters - f));
      V given[16], half[8], whole[4];
      for (int k = 0; k < PLACES; k++) given[k] = load(products + (k * stride + tile) * width + f);
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

// How the work is shared out. Where the weights are many and the tiles few, every thread does some of the places for all
// tiles, so that each weight is read by one of them; else all places for some of the tiles.
struct Shares {
  int64_t total, block, blocks;  // tiles; of a block; blocks
  bool by_place;

  Shares(const WinogradSizes& s, const Tiles& tiles)
      : total(s.n * tiles.rows * tiles.columns),
        block(tiles.block),
        blocks(0),
        by_place(total <= 1024 && PLACES * s.c * s.filters >= 1 << 18) {
    if (by_place) block = total;
    blocks = (total + block - 1) / block;
  }
};

// The products of one place: (count, wide) of (count, deep) and the weights.
inline void multiply_place(const WinogradSizes& s, int64_t k, int64_t count, const float* input, int64_t deep,
                           const float* weights, float* products, int64_t wide) {
  for (int64_t column = 0; column < wide; column += PANEL)
    for (int64_t at = 0; at < s.c; at += DEPTH)
      multiply(count, std::min(PANEL, wide - column), std::min(DEPTH, s.c - at), Rowwise{input + at, deep},
               weights + place_in_panels(k, at, column, s.c, s.filters), PANEL, products + column, wide, at == 0);
}

// The sums of one place over `count` tiles: (filters, deep) += the gradients' transpose times the inputs.
inline void sum_place(const WinogradSizes& s, int64_t count, const float* gradient, int64_t wide, const float* input,
                      int64_t deep, float* sums, bool fresh) {
  for (int64_t at = 0; at < count; at += DEPTH)
    multiply(s.filters, deep, std::min(DEPTH, count - at), Columnwise{gradient + at * wide, wide}, input + at * deep, deep,
             sums, deep, fresh && at == 0);
}

// y (N, oh, ow, filters) of x (N, h, w, c) and transformed weights.
int convolve_by_tiles(const WinogradSizes& s, const float* x, const float* by_place, const Epilogue& after, float* y,
                      int threads) {
  const Tiles tiles(s);
  const Shares shares(s, tiles);
  const int64_t deep = rounded_up(s.c, LANES), wide = rounded_up(s.filters, LANES);
  const int64_t buffers = shares.by_place ? 1 : threads;
  const int64_t of_input = PLACES * shares.block * deep, of_products = PLACES * shares.block * wide;
  const Scratch none = zeroed(s.c), inputs = scratch(buffers * of_input), all_products = scratch(buffers * of_products);
  if (!none || !inputs || !all_products) return NO_MEMORY;
  if (shares.by_place) {
    const int64_t total = shares.total;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t tile = 0; tile < total; tile++)
      transform_input(s, tiles, x, tile, 1, none.get(), deep, total, inputs.get() + tile * deep);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < PLACES; k++)
      multiply_place(s, k, total, inputs.get() + k * total * deep, deep, by_place,
                     all_products.get() + k * total * wide, wide);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t tile = 0; tile < total; tile++)
      transform_products(s, tiles, all_products.get() + tile * wide, tile, 1, wide, total, after, y);
    return 0;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int part = 0; part < threads; part++) {
    const int64_t begin = shares.total * part / threads, end = shares.total * (part + 1) / threads;
    float *input = inputs.get() + part * of_input, *products = all_products.get() + part * of_products;
    for (int64_t from = begin; from < end; from += shares.block) {
      const int64_t count = std::min(shares.block, end - from);
      transform_input(s, tiles, x, from, count, none.get(), deep, count, input);
      for (int k = 0; k < PLACES; k++)
        multiply_place(s, k, count, input + k * count * deep, deep, by_place, products + k * count * wide, wide);
      transform_products(s, tiles, products, from, count, wide, count, after, y);
    }
  }
  return 0;
}

}  // namespace

// y (N, oh, ow, filters) of x (N, h, w, c) and weights (filters, 3, 3, c), with ReLU if asked; or, turned, the gradient
// of the input, for which x is that of the output, and the weights are (c, 3, 3, filters).
STRIATE_EXPORT int STRIATE_NAME(winograd, ISA)(const WinogradSizes* sizes, const float* x, const float* weights,
                                               const float* bias, int relu_too, int turned, float* y, int threads) {
  const WinogradSizes& s = *sizes;
  const Scratch by_place = turned ? transform_weights(weights, s.c, s.filters, threads)
                                  : transform_weights_across(weights, s.filters, s.c, threads);
  if (!by_place) return NO_MEMORY;
  return convolve_by_tiles(s, x, by_place.get(), {bias, nullptr, relu_too != 0, NAN}, y, threads);
}

// Weights (filters, 3, 3, c) transformed, in panels: (places, panels, c, PANEL).
STRIATE_EXPORT int STRIATE_NAME(winograd_weights, ISA)(int64_t filters, int64_t c, const float* weights, float* to,
                                                       int threads) {
  const Scratch by_place = transform_weights_across(weights, filters, c, threads);
  if (!by_place) return NO_MEMORY;
  std::copy_n(by_place.get(), PLACES * panels_of(filters) * c * PANEL, to);
  return 0;
}

// The gradient of the weights, (filters, 3, 3, c).
STRIATE_EXPORT int STRIATE_NAME(winograd_backward, ISA)(const WinogradSizes* sizes, const float* x, const float* dy,
                                                        float* dweights, int threads) {
  const WinogradSizes& s = *sizes;
  const Tiles tiles(s);
  const Shares shares(s, tiles);
  const int64_t deep = rounded_up(s.c, LANES), wide = rounded_up(s.filters, LANES), of_sums = PLACES * s.filters * deep;
  const int64_t buffers = shares.by_place ? 1 : threads;
  const int64_t of_input = PLACES * shares.block * deep, of_gradient = PLACES * shares.block * wide;
  // Threads that sum up over tiles of their own do so by themselves; the sums are added in order, so that the result is
  // always the same.
  const Scratch none = zeroed(std::max(s.c, s.filters)), all_sums = scratch(buffers * of_sums);
  const Scratch inputs = scratch(buffers * of_input), gradients = scratch(buffers * of_gradient);
  if (!none || !all_sums || !inputs || !gradients) return NO_MEMORY;
  if (shares.by_place) {
    const int64_t total = shares.total;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t tile = 0; tile < total; tile++) {
      transform_input(s, tiles, x, tile, 1, none.get(), deep, total, inputs.get() + tile * deep);
      transform_gradient(s, tiles, dy, tile, 1, none.get(), wide, total, gradients.get() + tile * wide);
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < PLACES; k++)
      sum_place(s, total, gradients.get() + k * total * wide, wide, inputs.get() + k * total * deep, deep,
                all_sums.get() + k * s.filters * deep, true);
  } else {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int part = 0; part < threads; part++) {
      const int64_t begin = shares.total * part / threads, end = shares.total * (part + 1) / threads;
      float *input = inputs.get() + part * of_input, *gradient = gradients.get() + part * of_gradient;
      float* sums = all_sums.get() + part * of_sums;
      std::fill(sums, sums + of_sums, 0.0f);
      for (int64_t from = begin; from < end; from += shares.block) {
        const int64_t count = std::min(shares.block, end - from);
        transform_input(s, tiles, x, from, count, none.get(), deep, count, input);
        transform_gradient(s, tiles, dy, from, count, none.get(), wide, count, gradient);
        for (int k = 0; k < PLACES; k++)
          sum_place(s, count, gradient + k * count * wide, wide, input + k * count * deep, deep,
                    sums + k * s.filters * deep, false);
      }
    }
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t f = 0; f < s.filters; f++) {
    for (int64_t c = 0; c < s.c; c += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
      V given[16], half[12], whole[9];
      for (int k = 0; k < PLACES; k++) {
        given[k] = zeros();
        for (int64_t part = 0; part < buffers; part++)
          given[k] = given[k] + load(all_sums.get() + part * of_sums + (k * s.filters + f) * deep + c);
      }
      for (int j = 0; j < 4; j++)
        three_of_products(given[j], given[4 + j], given[8 + j], given[12 + j], half + j, 4);
      for (int i = 0; i < 3; i++)
        three_of_products(half[4 * i], half[4 * i + 1], half[4 * i + 2], half[4 * i + 3], whole + 3 * i, 1);
      for (int k = 0; k < 9; k++) put(dweights + (f * 9 + k) * s.c + c, whole[k], n);
    }
  }
  return 0;
}
