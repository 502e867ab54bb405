// The gradients of a fully connected layer and its step of Adam in one go: the gradient of the weights never leaves the
// cache, and the weights are read once for both. For the few rows of a batch and many weights memory is what takes time.

// As dense_backward, but for w, whose gradient is used up: w, m and v take a step of Adam. See adam for the numbers.
STRIATE_EXPORT int STRIATE_NAME(dense_backward_adam, ISA)(int64_t m, int64_t k, int64_t n, const float* x, float* w,
                                                           const float* y, const float* dy, float* dx, float* db,
                                                           float* mean, float* square, double rate, double decay,
                                                           double scale, double beta_1, double beta_2, double epsilon,
                                                           int threads) {
  const Scratch masked = y ? masked_by(y, dy, m * n) : nullptr;
  if (y && !masked) return NO_MEMORY;
  if (y) dy = masked.get();
  const Adam adam(rate, decay, scale, beta_1, beta_2, epsilon);
  const int64_t block = TILE_VECTORS * LANES, blocks = (k + block - 1) / block;
  const int parts = parts_for(m * k * n, blocks, threads);
  const Scratch all_turned = scratch(parts * n * block), gradients = scratch(parts * n * block);
  if (!all_turned || !gradients) return NO_MEMORY;
  if (db) sum_columns(dy, m, n, db);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const int64_t begin = blocks * part / parts * block, end = std::min(k, blocks * (part + 1) / parts * block);
    float *turned = all_turned.get() + part * n * block, *gradient = gradients.get() + part * n * block;
    for (int64_t at = begin; at < end; at += block) {
      const int64_t width = std::min(block, end - at);
      if (dx) {
        transpose_block(w + at * n, n, width, n, turned, block);
        for (int64_t deep = 0; deep < n; deep += DEPTH)
          multiply(m, width, std::min(DEPTH, n - deep), Rowwise{dy + deep, n}, turned + deep * block, block,
                   dx + at, k, deep == 0);
      }
      for (int64_t deep = 0; deep < m; deep += DEPTH)
        multiply(width, n, std::min(DEPTH, m - deep), Columnwise{x + deep * k + at, k}, dy + deep * n, n,
                 gradient, n, deep == 0);
      for (int64_t i = 0; i < width * n; i += LANES) {
        const int rest = static_cast<int>(std::min<int64_t>(LANES, width * n - i));
        const int64_t to = at * n + i;
        adam.change(w + to, gradient + i, mean + to, square + to, nullptr, rest);
      }
    }
  }
  return 0;
}
