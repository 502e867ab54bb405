// A convolution by windows of one cell, that is, products of matrices: for few pixels and many channels, of which what
// torch has spends its time on putting weights and gradients into another order. Pixels (m, c), weights (filters, c).

namespace {

// rows (filters, columns) as (columns, filters)
inline Scratch turned(const float* weights, int64_t filters, int64_t c) {
  Scratch to = scratch(filters * c);
  if (to) transpose_block(weights, c, filters, c, to.get(), filters);
  return to;
}

// y (m, n) = x (m, k) w (k, n); every thread has rows of its own.
inline void multiply_shared(int64_t m, int64_t k, int64_t n, const float* x, const float* w, float* y, int threads) {
  const int parts = parts_for(m * k * n, m, threads);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const Rows range = rows_of(m, part, parts);
    for (int64_t at = 0; at < k; at += DEPTH)
      multiply(range.end - range.begin, n, std::min(DEPTH, k - at), Rowwise{x + range.begin * k + at, k}, w + at * n, n,
               y + range.begin * n, n, at == 0);
  }
}

}  // namespace

// y (m, filters), without a bias.
STRIATE_EXPORT int STRIATE_NAME(pointwise, ISA)(int64_t m, int64_t c, int64_t filters, const float* x,
                                                 const float* weights, float* y, int threads) {
  const Scratch by_channel = turned(weights, filters, c);
  if (!by_channel) return NO_MEMORY;
  multiply_shared(m, c, filters, x, by_channel.get(), y, threads);
  return 0;
}

// The gradients of x, of the weights and of a bias, each unless it is null.
STRIATE_EXPORT int STRIATE_NAME(pointwise_backward, ISA)(int64_t m, int64_t c, int64_t filters, const float* x,
                                                          const float* weights, const float* dy, float* dx,
                                                          float* dweights, float* dbias, int threads) {
  if (dbias) sum_columns(dy, m, filters, dbias);
  if (dx) multiply_shared(m, filters, c, dy, weights, dx, threads);
  if (!dweights) return 0;
  const int64_t block = TILE_VECTORS * LANES, blocks = (filters + block - 1) / block;
  const int parts = parts_for(m * c * filters, blocks, threads);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const int64_t begin = blocks * part / parts * block, end = std::min(filters, blocks * (part + 1) / parts * block);
    for (int64_t at = begin; at < end; at += block)
      for (int64_t deep = 0; deep < m; deep += DEPTH)
        multiply(std::min(block, end - at), c, std::min(DEPTH, m - deep), Columnwise{dy + deep * filters + at, filters},
                 x + deep * c, c, dweights + at * c, c, deep == 0);
  }
  return 0;
}
