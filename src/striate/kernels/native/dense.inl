// x W + b, with ReLU if asked, for few rows and many weights: a network's batch. Each weight is read once, and what is
// computed of it while it is near is kept in registers.

namespace {

constexpr int TILE_ROWS = REGISTERS == 32 ? 6 : 4;     // of the result, in registers
constexpr int TILE_VECTORS = REGISTERS == 32 ? 4 : 2;  // of the result's columns
constexpr int64_t DEPTH = 128;                         // products summed up while the weights are near
constexpr int64_t MOST_SHARED = 1 << 22;               // numbers of results that threads sum up on their own
constexpr int64_t FEW_PRODUCTS = 1 << 17;              // for which a second thread is not worth waking

// The left matrix, whose numbers are spread over vectors one by one: numbers of a row lie side by side, or of a column.
struct Rowwise {
  const float* at;
  int64_t by_row;

  Rowwise from(int64_t row) const { return {at + row * by_row, by_row}; }
  const float* row(int64_t i) const { return at + i * by_row; }
  static float number(const float* row, int64_t depth) { return row[depth]; }
};
struct Columnwise {
  const float* at;
  int64_t by_depth;

  Columnwise from(int64_t row) const { return {at + row, by_depth}; }
  const float* row(int64_t i) const { return at + i; }
  float number(const float* row, int64_t depth) const { return row[depth * by_depth]; }
};

// c += a b for ROWS rows and VECTORS vectors of columns, of which the last has `rest` numbers.
template <int ROWS, int VECTORS, bool WHOLE, class Left>
void multiply_tile(int64_t depth, Left a, const float* b, int64_t b_row, float* c, int64_t c_row, bool fresh, int rest) {
  V sum[ROWS][VECTORS];
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < VECTORS; j++) sum[i][j] = zeros();
  const float* rows[ROWS];
  for (int i = 0; i < ROWS; i++) rows[i] = a.row(i);
  for (int64_t k = 0; k < depth; k++) {
    V right[VECTORS];
    for (int j = 0; j < VECTORS; j++) {
      const float* from = b + k * b_row + j * LANES;
      right[j] = (WHOLE || j + 1 < VECTORS) ? load(from) : load_some(from, rest);
    }
    for (int i = 0; i < ROWS; i++) {
      const V left = fill(a.number(rows[i], k));
      for (int j = 0; j < VECTORS; j++) sum[i][j] = multiply_add(left, right[j], sum[i][j]);
    }
  }
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < VECTORS; j++) {
      float* to = c + i * c_row + j * LANES;
      if (WHOLE || j + 1 < VECTORS) store(to, fresh ? sum[i][j] : sum[i][j] + load(to));
      else store_some(to, fresh ? sum[i][j] : sum[i][j] + load_some(to, rest), rest);
    }
}

template <int ROWS, int VECTORS, class Left>
inline void multiply_rows(int64_t rows, int64_t depth, Left a, const float* b, int64_t b_row, float* c, int64_t c_row,
                          bool fresh, int rest) {
  if constexpr (ROWS > 0) {
    if (rows < ROWS) return multiply_rows<ROWS - 1, VECTORS>(rows, depth, a, b, b_row, c, c_row, fresh, rest);
    if (rest == LANES) multiply_tile<ROWS, VECTORS, true>(depth, a, b, b_row, c, c_row, fresh, rest);
    else multiply_tile<ROWS, VECTORS, false>(depth, a, b, b_row, c, c_row, fresh, rest);
  }
}

template <int VECTORS, class Left>
inline void multiply_columns(int64_t vectors, int64_t rows, int64_t depth, Left a, const float* b, int64_t b_row,
                             float* c, int64_t c_row, bool fresh, int rest) {
  if constexpr (VECTORS > 0) {
    if (vectors < VECTORS)
      return multiply_columns<VECTORS - 1>(vectors, rows, depth, a, b, b_row, c, c_row, fresh, rest);
    multiply_rows<TILE_ROWS, VECTORS>(rows, depth, a, b, b_row, c, c_row, fresh, rest);
  }
}

// c (rows, columns) += a b, or = where it is fresh; rows in tiles of about the same height.
template <class Left>
inline void multiply(int64_t rows, int64_t columns, int64_t depth, Left a, const float* b, int64_t b_row, float* c,
                     int64_t c_row, bool fresh) {
  const int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
  for (int64_t j = 0; j < columns; j += TILE_VECTORS * LANES) {
    const int64_t width = std::min<int64_t>(TILE_VECTORS * LANES, columns - j), vectors = (width + LANES - 1) / LANES;
    const int rest = static_cast<int>(width - (vectors - 1) * LANES);
    for (int64_t tile = 0; tile < tiles; tile++) {
      const int64_t i = rows * tile / tiles, height = rows * (tile + 1) / tiles - i;
      multiply_columns<TILE_VECTORS>(vectors, height, depth, a.from(i), b + j, b_row, c + i * c_row + j, c_row, fresh, rest);
    }
  }
}

inline void transpose_block(const float* from, int64_t row, int64_t rows, int64_t columns, float* to, int64_t to_row) {
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i + 8 <= rows; i += 8) {
    int64_t j = 0;
    for (; j + 8 <= columns; j += 8) {
      __m256 x[8], y[8];
      for (int r = 0; r < 8; r++) x[r] = _mm256_loadu_ps(from + (i + r) * row + j);
      for (int r = 0; r < 8; r += 2) {
        y[r] = _mm256_unpacklo_ps(x[r], x[r + 1]);
        y[r + 1] = _mm256_unpackhi_ps(x[r], x[r + 1]);
      }
      for (int r = 0; r < 8; r += 4) {
        x[r] = _mm256_shuffle_ps(y[r], y[r + 2], 0x44);
        x[r + 1] = _mm256_shuffle_ps(y[r], y[r + 2], 0xee);
        x[r + 2] = _mm256_shuffle_ps(y[r + 1], y[r + 3], 0x44);
        x[r + 3] = _mm256_shuffle_ps(y[r + 1], y[r + 3], 0xee);
      }
      for (int r = 0; r < 4; r++) {
        _mm256_storeu_ps(to + (j + r) * to_row + i, _mm256_permute2f128_ps(x[r], x[r + 4], 0x20));
        _mm256_storeu_ps(to + (j + r + 4) * to_row + i, _mm256_permute2f128_ps(x[r], x[r + 4], 0x31));
      }
    }
    for (; j < columns; j++)
      for (int64_t r = i; r < i + 8; r++) to[j * to_row + r] = from[r * row + j];
  }
#endif
  for (; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) to[j * to_row + i] = from[i * row + j];
}

// A gradient where ReLU, up to `cap` if that is no NaN, hands it on, else 0.
inline Scratch masked_by(const float* y, const float* dy, int64_t count, float cap = NAN) {
  Scratch to = scratch(count);
  const V most = fill(cap);
  for (int64_t i = 0; to && i < count; i += LANES) {
    const int rest = static_cast<int>(std::min<int64_t>(LANES, count - i));
    put(to.get() + i, keep(passes(get(y + i, rest), most), get(dy + i, rest)), rest);
  }
  return to;
}

inline void sum_columns(const float* x, int64_t rows, int64_t columns, float* sums) {
  std::fill(sums, sums + columns, 0.0f);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) sums[j] += x[i * columns + j];
}

inline int parts_for(int64_t products, int64_t most, int threads) {
  return products < FEW_PRODUCTS ? 1 : static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, most)));
}

}  // namespace

// y (m, n) of x (m, k), w (k, n) and b (n), which may be null.
STRIATE_EXPORT int STRIATE_NAME(dense, ISA)(int64_t m, int64_t k, int64_t n, const float* x, const float* w,
                                             const float* b, int relu_too, float* y, int threads) {
  const int parts = parts_for(m * k * n, std::min(k / DEPTH, 1 + MOST_SHARED / (m * n)), threads);
  // Every thread sums up over its own rows of w; the sums are added in order, so that the result is always the same.
  const Scratch shares = parts > 1 ? scratch((parts - 1) * m * n) : nullptr;
  if (parts > 1 && !shares) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    float* to = part ? shares.get() + (part - 1) * m * n : y;
    const int64_t begin = k * part / parts, end = k * (part + 1) / parts;
    for (int64_t at = begin; at < end; at += DEPTH)
      multiply(m, n, std::min(DEPTH, end - at), Rowwise{x + at, k}, w + at * n, n, to, n, at == begin);
  }
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j += LANES) {
      const int rest = static_cast<int>(std::min<int64_t>(LANES, n - j));
      V sum = load_some(y + i * n + j, rest);
      for (int part = 1; part < parts; part++)
        sum = sum + load_some(shares.get() + ((part - 1) * m + i) * n + j, rest);
      if (b) sum = sum + load_some(b + j, rest);
      store_some(y + i * n + j, relu_too ? relu(sum) : sum, rest);
    }
  }
  return 0;
}

// The gradients of x, w and b, each unless it is null; y is read only where ReLU came after.
STRIATE_EXPORT int STRIATE_NAME(dense_backward, ISA)(int64_t m, int64_t k, int64_t n, const float* x, const float* w,
                                                      const float* y, const float* dy, float* dx, float* dw, float* db,
                                                      int threads) {
  const Scratch masked = y ? masked_by(y, dy, m * n) : nullptr;
  if (y && !masked) return NO_MEMORY;
  if (y) dy = masked.get();
  if (db) sum_columns(dy, m, n, db);
  const int64_t block = TILE_VECTORS * LANES, blocks = (k + block - 1) / block;
  const int parts = parts_for(m * k * n, blocks, threads);
  const Scratch all_turned = dx ? scratch(parts * n * block) : nullptr;
  if (dx && !all_turned) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const int64_t begin = blocks * part / parts * block, end = std::min(k, blocks * (part + 1) / parts * block);
    if (dx) {
      float* turned = all_turned.get() + part * n * block;
      for (int64_t at = begin; at < end; at += block) {
        const int64_t width = std::min(block, end - at);
        transpose_block(w + at * n, n, width, n, turned, block);
        for (int64_t deep = 0; deep < n; deep += DEPTH)
          multiply(m, width, std::min(DEPTH, n - deep), Rowwise{dy + deep, n}, turned + deep * block, block,
                   dx + at, k, deep == 0);
      }
    }
    if (dw) {
      for (int64_t at = begin; at < end; at += block)
        for (int64_t deep = 0; deep < m; deep += DEPTH)
          multiply(std::min(block, end - at), n, std::min(DEPTH, m - deep), Columnwise{x + deep * k + at, k}, dy + deep * n,
                   n, dw + at * n, n, deep == 0);
    }
  }
  return 0;
}
