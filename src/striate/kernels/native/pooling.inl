// Max-pooling of (N, H, W, C) with ReLU before or after it, which is the same, and its gradient.

namespace {

struct PoolSizes {
  int64_t n, h, w, c;      // the input
  int64_t oh, ow;          // the output
  int64_t kh, kw, sh, sw;  // the window, and by how much it moves
  int64_t top, left;       // how many cells of it lie outside at the start; they never win
};

// The greatest of a window, and which of its cells that was, counted along its rows.
// K is the window's size where the compiler knows it, else 0.
template <int K, bool RELU, bool KEEP>
inline void pool_cell(const PoolSizes& s, const float* x, int64_t first_row, int64_t last_row, int64_t first_column,
                      int64_t last_column, int64_t kw, float* y, uint8_t* winner) {
  for (int64_t c = 0; c < s.c; c += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
    V best = fill(-INFINITY);
    I index = same(static_cast<int>(first_row * kw + first_column));
    for (int64_t i = K ? 0 : first_row; i < (K ? K : last_row); i++) {
      for (int64_t j = K ? 0 : first_column; j < (K ? K : last_column); j++) {
        const float* cell = x + (i * s.w + j) * s.c + c;
        const V value = n == LANES ? load(cell) : load_some(cell, n);
        const M better = wins(value, best);
        best = choose(better, value, best);
        if (KEEP) index = choose(better, same(static_cast<int>(i * kw + j)), index);
      }
    }
    if (RELU) best = relu(best);
    if (n == LANES) store(y + c, best);
    else store_some(y + c, best, n);
    if (KEEP) store_bytes(winner + c, index, n);
  }
}

template <bool RELU, bool KEEP>
void max_pool_forward(const PoolSizes& s, const float* x, float* y, uint8_t* winner, int threads) {
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (int64_t item = 0; item < s.n; item++) {
    for (int64_t i = 0; i < s.oh; i++) {
      const int64_t row = i * s.sh - s.top;
      const int64_t first_row = std::max<int64_t>(0, -row), last_row = std::min(s.kh, s.h - row);
      for (int64_t j = 0; j < s.ow; j++) {
        const int64_t column = j * s.sw - s.left;
        const int64_t first = std::max<int64_t>(0, -column), last = std::min(s.kw, s.w - column);
        const float* corner = x + ((item * s.h + row) * s.w + column) * s.c;
        const int64_t out = ((item * s.oh + i) * s.ow + j) * s.c;
        const bool two = s.kh == 2 && s.kw == 2 && first_row == 0 && last_row == 2 && first == 0 && last == 2;
        uint8_t* won = KEEP ? winner + out : nullptr;
        if (two) pool_cell<2, RELU, KEEP>(s, corner, 0, 2, 0, 2, 2, y + out, won);
        else pool_cell<0, RELU, KEEP>(s, corner, first_row, last_row, first, last, s.kw, y + out, won);
      }
    }
  }
}

// Each window hands its gradient to the cell that won, and zeros to the rest. Windows do not overlap: every cell of
// the input belongs to one of them, or to none, and is written once.
template <bool RELU>
void max_pool_scatter(const PoolSizes& s, const float* y, const uint8_t* winner, const float* dy, float* dx, int threads) {
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (int64_t item = 0; item < s.n; item++) {
    for (int64_t i = 0; i < s.oh; i++) {
      const int64_t row = i * s.sh - s.top;
      const int64_t begin_row = i == 0 ? 0 : row, end_row = i + 1 == s.oh ? s.h : row + s.sh;
      for (int64_t j = 0; j < s.ow; j++) {
        const int64_t column = j * s.sw - s.left;
        const int64_t begin = j == 0 ? 0 : column, end = j + 1 == s.ow ? s.w : column + s.sw;
        const int64_t out = ((item * s.oh + i) * s.ow + j) * s.c;
        for (int64_t c = 0; c < s.c; c += LANES) {
          const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
          V gradient = n == LANES ? load(dy + out + c) : load_some(dy + out + c, n);
          if (RELU) gradient = keep(passes(n == LANES ? load(y + out + c) : load_some(y + out + c, n)), gradient);
          const I index = load_bytes(winner + out + c, n);
          for (int64_t h = begin_row; h < end_row; h++) {
            for (int64_t w = begin; w < end; w++) {
              const bool inside = h - row < s.kh && w - column < s.kw;
              const int cell = static_cast<int>((h - row) * s.kw + w - column);
              const V part = inside ? keep(equal(index, cell), gradient) : zeros();
              float* to = dx + ((item * s.h + h) * s.w + w) * s.c + c;
              if (n == LANES) store(to, part);
              else store_some(to, part, n);
            }
          }
        }
      }
    }
  }
}

// Each cell of the input collects from the windows that it won. For windows that overlap.
template <bool RELU>
void max_pool_gather(const PoolSizes& s, const float* y, const uint8_t* winner, const float* dy, float* dx, int threads) {
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (int64_t item = 0; item < s.n; item++) {
    for (int64_t h = 0; h < s.h; h++) {
      const int64_t below = h + s.top - s.kh;
      const int64_t first_row = below < 0 ? 0 : below / s.sh + 1, last_row = std::min(s.oh, (h + s.top) / s.sh + 1);
      for (int64_t w = 0; w < s.w; w++) {
        const int64_t before = w + s.left - s.kw;
        const int64_t first = before < 0 ? 0 : before / s.sw + 1, last = std::min(s.ow, (w + s.left) / s.sw + 1);
        for (int64_t c = 0; c < s.c; c += LANES) {
          const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
          V sum = zeros();
          for (int64_t i = first_row; i < last_row; i++) {
            for (int64_t j = first; j < last; j++) {
              const int64_t out = ((item * s.oh + i) * s.ow + j) * s.c + c;
              const int cell = static_cast<int>((h + s.top - i * s.sh) * s.kw + w + s.left - j * s.sw);
              V gradient = keep(equal(load_bytes(winner + out, n), cell), load_some(dy + out, n));
              if (RELU) gradient = keep(passes(load_some(y + out, n)), gradient);
              sum = sum + gradient;
            }
          }
          store_some(dx + ((item * s.h + h) * s.w + w) * s.c + c, sum, n);
        }
      }
    }
  }
}

}  // namespace

// y and, unless it is null, which cell of each window won: for windows of up to 256 cells.
STRIATE_EXPORT int STRIATE_NAME(max_pool, ISA)(const PoolSizes* s, int relu_too, const float* x, float* y,
                                                uint8_t* winner, int threads) {
  if (relu_too) {
    if (winner) max_pool_forward<true, true>(*s, x, y, winner, threads);
    else max_pool_forward<true, false>(*s, x, y, winner, threads);
  } else {
    if (winner) max_pool_forward<false, true>(*s, x, y, winner, threads);
    else max_pool_forward<false, false>(*s, x, y, winner, threads);
  }
  return 0;
}

// dx of dy; y is read only where ReLU came before.
STRIATE_EXPORT int STRIATE_NAME(max_pool_backward, ISA)(const PoolSizes* s, int relu_too, const float* y,
                                                         const uint8_t* winner, const float* dy, float* dx,
                                                         int threads) {
  const bool apart = s->sh >= s->kh && s->sw >= s->kw;
  if (apart) (relu_too ? max_pool_scatter<true> : max_pool_scatter<false>)(*s, y, winner, dy, dx, threads);
  else (relu_too ? max_pool_gather<true> : max_pool_gather<false>)(*s, y, winner, dy, dx, threads);
  return 0;
}
