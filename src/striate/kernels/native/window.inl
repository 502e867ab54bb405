// The greatest, or the mean, of the numbers in a window over one to three axes; cells outside do not count.

namespace {

struct WindowSizes {
  int64_t n, in[3], c, out[3];  // (N, D, H, W, C); axes that are not there have size 1
  int64_t window[3], steps[3], before[3];
};

template <bool GREATEST>
inline void window_cell(const WindowSizes& s, const float* x, const int64_t* begin, const int64_t* end, float* y) {
  int64_t cells = 1;
  for (int a = 0; a < 3; a++) cells *= std::max<int64_t>(0, end[a] - begin[a]);
  const V one_of = fill(1.0f / static_cast<float>(cells));
  for (int64_t c = 0; c < s.c; c += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, s.c - c));
    V found = GREATEST ? fill(-INFINITY) : zeros();
    for (int64_t i = begin[0]; i < end[0]; i++)
      for (int64_t j = begin[1]; j < end[1]; j++) {
        const float* cell = x + ((i * s.in[1] + j) * s.in[2] + begin[2]) * s.c + c;
        for (int64_t k = begin[2]; k < end[2]; k++, cell += s.c)
          found = GREATEST ? greater(get(cell, n), found) : found + get(cell, n);
      }
    put(y + c, GREATEST ? found : found * one_of, n);
  }
}

template <bool GREATEST>
int pool_windows(const WindowSizes& s, const float* x, float* y, int threads) {
  const int64_t item = s.in[0] * s.in[1] * s.in[2] * s.c, rows = s.n * s.out[0] * s.out[1];
  const int parts = s.n * item < FEW ? 1 : threads;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int64_t row = 0; row < rows; row++) {
    const int64_t at[2] = {row / s.out[1] % s.out[0], row % s.out[1]};
    int64_t begin[3], end[3];
    for (int64_t column = 0; column < s.out[2]; column++) {
      for (int a = 0; a < 3; a++) {
        const int64_t first = (a < 2 ? at[a] : column) * s.steps[a] - s.before[a];
        begin[a] = std::max<int64_t>(0, first);
        end[a] = std::min(s.in[a], first + s.window[a]);
      }
      window_cell<GREATEST>(s, x + row / (s.out[0] * s.out[1]) * item, begin, end, y + (row * s.out[2] + column) * s.c);
    }
  }
  return 0;
}

}  // namespace

// y (N, out, C) of x (N, in, C): the greatest, or the mean.
STRIATE_EXPORT int STRIATE_NAME(pool_windows, ISA)(const WindowSizes* sizes, const float* x, int greatest, float* y,
                                                   int threads) {
  return greatest ? pool_windows<true>(*sizes, x, y, threads) : pool_windows<false>(*sizes, x, y, threads);
}
