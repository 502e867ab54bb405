// Max-pooling over one to three axes with ReLU before or after it, which is the same, and its gradient.

namespace {

struct PoolSizes {
  int64_t n, in[3], c, out[3];            // (N, D, H, W, C); axes that are not there have size 1
  int64_t window[3], steps[3], before[3];  // before: cells of the window outside at the start; they never win

  int64_t rows() const { return n * out[0] * out[1]; }
  int64_t cell(int64_t plane, int64_t row, int64_t column) const {
    return (plane * window[1] + row) * window[2] + column;
  }
};

struct Range {
  int64_t begin, end;
};

// A row of the output, or of the input.
struct Row {
  int64_t item, at[2];

  Row(const int64_t* cells, int64_t row) : item(row / (cells[0] * cells[1])), at{row / cells[1] % cells[0], row % cells[1]} {}
};

// The cells of a window that lie inside, counted from its first.
inline Range inside(const PoolSizes& s, int axis, int64_t at) {
  const int64_t first = at * s.steps[axis] - s.before[axis];
  return {std::max<int64_t>(0, -first), std::min(s.window[axis], s.in[axis] - first)};
}

// The greatest of a window, and which of its cells that was, counted along its rows.
// K is its rows and columns, all inside and of one plane, where the compiler knows them, else 0.
template <int K, bool RELU, bool KEEP>
inline void pool_cell(const PoolSizes& s, const float* x, Range planes, Range rows, Range columns, float* y,
                      uint8_t* winner) {
  const int64_t row = s.in[2] * s.c, plane = s.in[1] * row;
  if (K) planes = {0, 1}, rows = columns = {0, K};
  for (int64_t c = 0; c < s.c; c += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
    V best = fill(-INFINITY);
    I index = same(static_cast<int>(s.cell(planes.begin, rows.begin, columns.begin)));
    for (int64_t h = planes.begin; h < planes.end; h++)
      for (int64_t i = rows.begin; i < rows.end; i++)
        for (int64_t j = columns.begin; j < columns.end; j++) {
          const V value = get(x + h * plane + i * row + j * s.c + c, n);
          const M better = wins(value, best);
          best = choose(better, value, best);
          if (KEEP) index = choose(better, same(static_cast<int>(K ? i * K + j : s.cell(h, i, j))), index);
        }
    put(y + c, RELU ? relu(best) : best, n);
    if (KEEP) store_bytes(winner + c, index, n);
  }
}

template <bool RELU, bool KEEP>
void max_pool_forward(const PoolSizes& s, const float* x, float* y, uint8_t* winner, int threads) {
  const int64_t rows = s.rows();
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t number = 0; number < rows; number++) {
    const Row row(s.out, number);
    const int64_t plane = row.at[0] * s.steps[0] - s.before[0], line = row.at[1] * s.steps[1] - s.before[1];
    const Range of_planes = inside(s, 0, row.at[0]), of_rows = inside(s, 1, row.at[1]);
    for (int64_t j = 0; j < s.out[2]; j++) {
      const int64_t column = j * s.steps[2] - s.before[2];
      const Range columns = inside(s, 2, j);
      const float* corner = x + (((row.item * s.in[0] + plane) * s.in[1] + line) * s.in[2] + column) * s.c;
      const int64_t out = (number * s.out[2] + j) * s.c;
      const bool whole = of_rows.begin == 0 && of_rows.end == 2 && columns.begin == 0 && columns.end == 2;
      const bool two = whole && s.window[0] == 1 && s.window[1] == 2 && s.window[2] == 2;
      uint8_t* won = KEEP ? winner + out : nullptr;
      (two ? pool_cell<2, RELU, KEEP> : pool_cell<0, RELU, KEEP>)(s, corner, of_planes, of_rows, columns, y + out, won);
    }
  }
}

// Which cells of the input a window writes, counted from its first, where windows do not overlap: up to the next window's.
inline Range share(const PoolSizes& s, int axis, int64_t at) {
  const int64_t first = at * s.steps[axis] - s.before[axis];
  return {at == 0 ? -first : 0, at + 1 == s.out[axis] ? s.in[axis] - first : s.steps[axis]};
}

// Each window hands its gradient to the cell that won, and zeros to the rest. Windows do not overlap: every cell of
// the input belongs to one of them, or to none, and is written once.
template <bool RELU>
void max_pool_scatter(const PoolSizes& s, const float* y, const uint8_t* winner, const float* dy, float* dx, int threads) {
  const int64_t rows = s.rows(), line = s.in[2] * s.c, sheet = s.in[1] * line;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t number = 0; number < rows; number++) {
    const Row row(s.out, number);
    const Range of_planes = share(s, 0, row.at[0]), of_rows = share(s, 1, row.at[1]);
    for (int64_t j = 0; j < s.out[2]; j++) {
      const Range columns = share(s, 2, j);
      const int64_t out = (number * s.out[2] + j) * s.c;
      float* corner = dx + row.item * s.in[0] * sheet + (row.at[0] * s.steps[0] - s.before[0]) * sheet +
                      (row.at[1] * s.steps[1] - s.before[1]) * line + (j * s.steps[2] - s.before[2]) * s.c;
      for (int64_t c = 0; c < s.c; c += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
        V gradient = get(dy + out + c, n);
        if (RELU) gradient = keep(passes(get(y + out + c, n)), gradient);
        const I index = load_bytes(winner + out + c, n);
        for (int64_t h = of_planes.begin; h < of_planes.end; h++)
          for (int64_t i = of_rows.begin; i < of_rows.end; i++)
            for (int64_t k = columns.begin; k < columns.end; k++) {
              const bool seen = h < s.window[0] && i < s.window[1] && k < s.window[2];
              const V part = seen ? keep(equal(index, static_cast<int>(s.cell(h, i, k))), gradient) : zeros();
              put(corner + h * sheet + i * line + k * s.c + c, part, n);
            }
      }
    }
  }
}

// The windows that see a cell.
inline Range seeing(const PoolSizes& s, int axis, int64_t cell) {
  const int64_t before = cell + s.before[axis] - s.window[axis];
  return {before < 0 ? 0 : before / s.steps[axis] + 1, std::min(s.out[axis], (cell + s.before[axis]) / s.steps[axis] + 1)};
}

// Each cell of the input collects from the windows that it won. For windows that overlap.
template <bool RELU>
void max_pool_gather(const PoolSizes& s, const float* y, const uint8_t* winner, const float* dy, float* dx, int threads) {
  const int64_t rows = s.n * s.in[0] * s.in[1];
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t number = 0; number < rows; number++) {
    const Row row(s.in, number);
    const Range planes = seeing(s, 0, row.at[0]), lines = seeing(s, 1, row.at[1]);
    for (int64_t w = 0; w < s.in[2]; w++) {
      const Range columns = seeing(s, 2, w);
      for (int64_t c = 0; c < s.c; c += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
        V sum = zeros();
        for (int64_t h = planes.begin; h < planes.end; h++)
          for (int64_t i = lines.begin; i < lines.end; i++)
            for (int64_t j = columns.begin; j < columns.end; j++) {
              const int64_t out = (((row.item * s.out[0] + h) * s.out[1] + i) * s.out[2] + j) * s.c + c;
              const int64_t cell = s.cell(row.at[0] + s.before[0] - h * s.steps[0], row.at[1] + s.before[1] - i * s.steps[1],
                                          w + s.before[2] - j * s.steps[2]);
              V gradient = keep(equal(load_bytes(winner + out, n), static_cast<int>(cell)), get(dy + out, n));
              if (RELU) gradient = keep(passes(get(y + out, n)), gradient);
              sum = sum + gradient;
            }
        put(dx + (number * s.in[2] + w) * s.c + c, sum, n);
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
  bool apart = true;
  for (int a = 0; a < 3; a++) apart = apart && s->steps[a] >= s->window[a];
  if (apart) (relu_too ? max_pool_scatter<true> : max_pool_scatter<false>)(*s, y, winner, dy, dx, threads);
  else (relu_too ? max_pool_gather<true> : max_pool_gather<false>)(*s, y, winner, dy, dx, threads);
  return 0;
}
