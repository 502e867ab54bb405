// Convolution by windows of 3 x 3 that move by one cell, with 16 products where there would be 36: F(2 x 2, 3 x 3) of
// Lavin and Gray, arXiv 1509.09308. Tiles of 4 x 4 cells and the weights are transformed, the channels of 16 places each
// multiplied as matrices, and the products transformed to tiles of 2 x 2 of the output. The gradient of the input is the
// same with the weights turned around, that of the weights the transforms' transpose.

namespace {

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

// The products of one place: (count, wide) of (count, deep) and the weights of so many columns.
inline void multiply_place(const WinogradSizes& s, int64_t k, int64_t count, const float* input, int64_t deep,
                           const float* weights, int64_t columns, float* products, int64_t wide) {
  for (int64_t column = 0; column < wide; column += PANEL)
    for (int64_t at = 0; at < s.c; at += DEPTH)
      multiply(count, std::min(PANEL, wide - column), std::min(DEPTH, s.c - at), Rowwise{input + at, deep},
               weights + place_in_panels(k, at, column, s.c, columns), PANEL, products + column, wide, at == 0);
}

// The sums of one place over `count` tiles: (filters, deep) += the gradients' transpose times the inputs.
inline void sum_place(int64_t filters, int64_t count, const float* gradient, int64_t wide, const float* input,
                      int64_t deep, float* sums, bool fresh) {
  for (int64_t at = 0; at < count; at += DEPTH)
    multiply(filters, deep, std::min(DEPTH, count - at), Columnwise{gradient + at * wide, wide}, input + at * deep, deep,
             sums, deep, fresh && at == 0);
}

// As convolve_by_tiles, by places, for some columns of the output after the others; weights_of(them) are transformed.
template <class Weights>
int convolve_by_places(const WinogradSizes& s, const Tiles& tiles, const float* x, int64_t group, Weights weights_of,
                       const Epilogue& after, float* y, int threads) {
  const int64_t total = s.n * tiles.rows * tiles.columns, deep = rounded_up(s.c, LANES);
  const Scratch none = zeroed(s.c), inputs = scratch(PLACES * total * deep);
  const Scratch products = scratch(PLACES * total * rounded_up(std::min(group, s.filters), LANES));
  if (!none || !inputs || !products) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t tile = 0; tile < total; tile++)
    transform_input(s, tiles, x, tile, 1, none.get(), deep, total, inputs.get() + tile * deep);
  for (int64_t first = 0; first < s.filters; first += group) {
    const Columns of{first, std::min(group, s.filters - first)};
    const int64_t wide = rounded_up(of.count, LANES);
    const float* weights = weights_of(of);
    if (!weights) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < PLACES; k++)
      multiply_place(s, k, total, inputs.get() + k * total * deep, deep, weights, of.count,
                     products.get() + k * total * wide, wide);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t tile = 0; tile < total; tile++)
      transform_products(s, tiles, products.get() + tile * wide, tile, 1, of, wide, total, after, y);
  }
  return 0;
}

// y (N, oh, ow, filters) of x (N, h, w, c) and transformed weights.
int convolve_by_tiles(const WinogradSizes& s, const float* x, const float* weights, const Epilogue& after, float* y,
                      int threads) {
  const Tiles tiles(s);
  const Shares shares(s, tiles);
  if (shares.by_place)
    return convolve_by_places(s, tiles, x, s.filters, [=](Columns) { return weights; }, after, y, threads);
  const int64_t deep = rounded_up(s.c, LANES), wide = rounded_up(s.filters, LANES);
  const int64_t of_input = PLACES * shares.block * deep, of_products = PLACES * shares.block * wide;
  const Scratch none = zeroed(s.c), inputs = scratch(threads * of_input), all_products = scratch(threads * of_products);
  if (!none || !inputs || !all_products) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int part = 0; part < threads; part++) {
    const int64_t begin = shares.total * part / threads, end = shares.total * (part + 1) / threads;
    float *input = inputs.get() + part * of_input, *products = all_products.get() + part * of_products;
    for (int64_t from = begin; from < end; from += shares.block) {
      const int64_t count = std::min(shares.block, end - from);
      transform_input(s, tiles, x, from, count, none.get(), deep, count, input);
      for (int k = 0; k < PLACES; k++)
        multiply_place(s, k, count, input + k * count * deep, deep, weights, s.filters, products + k * count * wide,
                       wide);
      transform_products(s, tiles, products, from, count, {0, s.filters}, wide, count, after, y);
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
  const Epilogue after{bias, nullptr, relu_too != 0, NAN};
  Scratch transformed;
  const auto weights_of = [&](Columns of) {
    transformed.reset();
    transformed = turned ? transform_weights(weights + of.first, s.c, of.count, s.filters, threads)
                         : transform_weights_across(weights + of.first * 9 * s.c, of.count, s.c, threads);
    return transformed.get();
  };
  const Tiles tiles(s);
  if (Shares(s, tiles).by_place) return convolve_by_places(s, tiles, x, GROUP, weights_of, after, y, threads);
  return weights_of({0, s.filters}) ? convolve_by_tiles(s, x, transformed.get(), after, y, threads) : NO_MEMORY;
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
  const int64_t deep = rounded_up(s.c, LANES), wide = rounded_up(s.filters, LANES);
  const int64_t buffers = shares.by_place ? 1 : threads, group = shares.by_place ? GROUP : s.filters;
  const int64_t of_input = PLACES * shares.block * deep, of_gradient = PLACES * shares.block * wide;
  const int64_t of_sums = PLACES * std::min(group, s.filters) * deep;
  // Threads that sum up over tiles of their own do so by themselves; the sums are added in order, so that the result is
  // always the same.
  const Scratch none = zeroed(std::max(s.c, s.filters)), all_sums = scratch(buffers * of_sums);
  const Scratch inputs = scratch(buffers * of_input), gradients = scratch(buffers * of_gradient);
  if (!none || !all_sums || !inputs || !gradients) return NO_MEMORY;
  if (!shares.by_place) {
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
          sum_place(s.filters, count, gradient + k * count * wide, wide, input + k * count * deep, deep,
                    sums + k * s.filters * deep, false);
      }
    }
    transform_sums(s, {0, s.filters}, all_sums.get(), buffers, of_sums, deep, dweights, threads);
    return 0;
  }
  const int64_t total = shares.total;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t tile = 0; tile < total; tile++) {
    transform_input(s, tiles, x, tile, 1, none.get(), deep, total, inputs.get() + tile * deep);
    transform_gradient(s, tiles, dy, tile, 1, none.get(), wide, total, gradients.get() + tile * wide);
  }
  for (int64_t first = 0; first < s.filters; first += group) {
    const Columns of{first, std::min(group, s.filters - first)};
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < PLACES; k++)
      sum_place(of.count, total, gradients.get() + k * total * wide + first, wide, inputs.get() + k * total * deep, deep,
                all_sums.get() + k * of.count * deep, true);
    transform_sums(s, of, all_sums.get(), 1, of_sums, deep, dweights, threads);
  }
  return 0;
}
