// Convolution over one to three axes, by any strides, dilation and padding. A tile of output pixels and filters stays in
// registers while the window's cells pass; bias, an array to add and ReLU are applied before it is written. Where windows
// reach over an edge, the rows that a block of pixels sees are copied first, with zeros around.

namespace {

struct ConvolveSizes {
  int64_t n, in[3], c;       // the input, (N, D, H, W, C); axes that are not there have size 1
  int64_t out[3], filters;   // the output
  int64_t window[3], steps[3], gaps[3];
  int64_t before[3];         // how many cells of the window lie outside at the start
  int64_t pixel;             // numbers from a pixel of the input to the next
  int64_t to[4];             // numbers from one item of the output, and one cell of each axis, to the next

  int64_t depth() const { return window[0] * window[1] * window[2] * c; }
  int64_t pixels() const { return n * out[0] * out[1] * out[2]; }
  int64_t span(int axis) const { return (window[axis] - 1) * gaps[axis] + 1; }
  bool stays_inside() const {
    for (int a = 0; a < 3; a++)
      if (before[a] || (out[a] - 1) * steps[a] + span(a) > in[a]) return false;
    return true;
  }
};

// Numbers of a window that lie side by side: `offset` numbers from its first one.
struct Segment {
  int64_t offset, length;
};

// The segments of a window, in the order of the weights, none of them longer than DEPTH.
struct Segments {
  std::unique_ptr<Segment[]> at;
  int64_t count = 0;

  Segments(const ConvolveSizes& s, int64_t plane, int64_t row, int64_t pixel) {
    const bool joined = s.gaps[2] == 1 && pixel == s.c;
    const int64_t each = joined ? s.window[2] * s.c : s.c, pieces = joined ? 1 : s.window[2];
    at.reset(new (std::nothrow) Segment[s.window[0] * s.window[1] * pieces * ((each + DEPTH - 1) / DEPTH)]);
    for (int64_t i = 0; at && i < s.window[0]; i++)
      for (int64_t j = 0; j < s.window[1]; j++)
        for (int64_t k = 0; k < pieces; k++)
          for (int64_t from = 0; from < each; from += DEPTH)
            at[count++] = {i * plane + j * row + k * s.gaps[2] * pixel + from, std::min(DEPTH, each - from)};
  }
  // The segments from `first` on that are summed up before the sums leave the registers.
  int64_t pass(int64_t first, int64_t* depth) const {
    for (*depth = 0; first < count && *depth < DEPTH; first++) *depth += at[first].length;
    return first;
  }
};

// A pixel of the output.
struct Place {
  int64_t item, at[3];

  Place(const ConvolveSizes& s, int64_t pixel) {
    for (int a = 2; a >= 0; a--) {
      at[a] = pixel % s.out[a];
      pixel /= s.out[a];
    }
    item = pixel;
  }
  int64_t from(const ConvolveSizes& s) const {
    return (((item * s.in[0] + at[0] * s.steps[0]) * s.in[1] + at[1] * s.steps[1]) * s.in[2] + at[2] * s.steps[2]) * s.pixel;
  }
  int64_t to(const ConvolveSizes& s) const {
    return item * s.to[0] + at[0] * s.to[1] + at[1] * s.to[2] + at[2] * s.to[3];
  }
};

inline float* copy_numbers(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, load(from + i));
  if (i < count) store_some(to + i, load_some(from + i, static_cast<int>(count - i)), static_cast<int>(count - i));
  return to + count;
}

// `cells` of the rows that the window sees when it stands at a place, zeros outside: (window's planes and rows, cells, C).
inline float* copy_rows(const ConvolveSizes& s, const Place& place, int64_t cells, const float* x, float* to) {
  const int64_t first = place.at[2] * s.steps[2] - s.before[2];
  const int64_t begin = std::clamp<int64_t>(-first, 0, cells), end = std::clamp(s.in[2] - first, begin, cells);
  for (int64_t i = 0; i < s.window[0]; i++) {
    const int64_t plane = place.at[0] * s.steps[0] - s.before[0] + i * s.gaps[0];
    for (int64_t j = 0; j < s.window[1]; j++, to += cells * s.c) {
      const int64_t row = place.at[1] * s.steps[1] - s.before[1] + j * s.gaps[1];
      if (plane < 0 || plane >= s.in[0] || row < 0 || row >= s.in[1]) {
        std::fill(to, to + cells * s.c, 0.0f);
        continue;
      }
      const float* from = x + (((place.item * s.in[0] + plane) * s.in[1] + row) * s.in[2] + first + begin) * s.pixel;
      std::fill(to, to + begin * s.c, 0.0f);
      if (s.pixel == s.c) copy_numbers(from, (end - begin) * s.c, to + begin * s.c);
      else
        for (int64_t k = begin; k < end; k++, from += s.pixel) copy_numbers(from, s.c, to + k * s.c);
      std::fill(to + end * s.c, to + cells * s.c, 0.0f);
    }
  }
  return to;
}

// Of ROWS pixels and VECTORS vectors of filters the sums over some segments; between the first and the last of them sums
// wait in `waiting`. `whole` numbers are written of each pixel, to y + to[i].
template <int ROWS, int VECTORS>
void convolve_tile(const float* const* from, const Segment* segments, int64_t count, const float* weights, bool first,
                   bool last, const Epilogue& after, float* waiting, float* y, const int64_t* to, int64_t whole) {
  V sum[ROWS * VECTORS];
  const auto each = [&](auto work) {  // work(sum, row, first column)
    unrolled<ROWS * VECTORS>([&](auto at) { work(sum[at], at / VECTORS, at % VECTORS * LANES); });
  };
  if (first) each([&](V& of, int, int j) { of = load(after.bias + j); });
  else each([&](V& of, int i, int j) { of = load(waiting + i * PANEL + j); });
  for (int64_t segment = 0; segment < count; segment++) {
    const float* rows[ROWS];
    for (int i = 0; i < ROWS; i++) rows[i] = from[i] + segments[segment].offset;
    const int64_t length = segments[segment].length;
    for (int64_t k = 0; k < length; k++, weights += PANEL) {
      V right[VECTORS];
      unrolled<VECTORS>([&](auto j) { right[j] = load(weights + j * LANES); });
      unrolled<ROWS>([&](auto i) {
        const V left = fill(rows[i][k]);
        unrolled<VECTORS>([&](auto j) { sum[i * VECTORS + j] = multiply_add(left, right[j], sum[i * VECTORS + j]); });
      });
    }
  }
  if (!last) return each([&](V& of, int i, int j) { store(waiting + i * PANEL + j, of); });
  constexpr int LAST = (VECTORS - 1) * LANES;
  const int rest = static_cast<int>(whole - LAST);
  if (after.added)
    each([&](V& of, int i, int j) { of = of + get(after.added + to[i] + j, j < LAST ? LANES : rest); });
  if (after.relu_too) {
    const V most = fill(after.cap);
    each([&](V& of, int, int) { of = least(most, relu(of)); });
  }
  if (rest == LANES) each([&](V& of, int i, int j) { store(y + to[i] + j, of); });
  else each([&](V& of, int i, int j) { put(y + to[i] + j, of, j < LAST ? LANES : rest); });
}

using ConvolveTile = decltype(&convolve_tile<1, 1>);
constexpr int MOST_TILE_ROWS = REGISTERS == 32 ? 8 : TILE_ROWS;

// How many pixels are best for so many vectors of filters: sums enough to keep the processor busy.
constexpr int tile_rows(int64_t vectors) { return vectors == 1 ? MOST_TILE_ROWS : TILE_ROWS; }

template <int ROWS, int VECTORS>
inline ConvolveTile choose_tile(int64_t rows, int64_t vectors) {
  if constexpr (ROWS > 1) {
    if (rows < ROWS) return choose_tile<ROWS - 1, VECTORS>(rows, vectors);
  }
  if constexpr (VECTORS > 1) {
    if (vectors < VECTORS) return choose_tile<ROWS, VECTORS - 1>(rows, vectors);
  }
  return convolve_tile<ROWS, VECTORS>;
}

constexpr int64_t BLOCK_PIXELS = 96;
constexpr int64_t COPIED = 1 << 17;  // numbers of rows copied for a block that stay near

}  // namespace

// Into y, of x, weights in panels (panels, window C, PANEL) with zeros behind the last filter, and as many biases.
// `added`, unless it is null, lies in memory as y does; ReLU up to `cap` if asked.
STRIATE_EXPORT int STRIATE_NAME(convolve, ISA)(const ConvolveSizes* sizes, const float* x, const float* weights,
                                               const float* bias, const float* added, int relu_too, float cap, float* y,
                                               int threads) {
  const ConvolveSizes& s = *sizes;
  const int64_t depth = s.depth(), pixels = s.pixels(), panels = (s.filters + PANEL - 1) / PANEL;
  const bool inside = s.stays_inside();
  if (pixels * depth * s.filters < FEW_PRODUCTS) threads = 1;
  const int64_t share = rounded_up((pixels + threads - 1) / threads, TILE_ROWS);
  const auto cells_of = [&](int64_t block) { return (std::min(block, s.out[2]) - 1) * s.steps[2] + s.span(2); };
  const auto copied_by = [&](int64_t block) {
    return inside ? 0 : std::min(block, block / s.out[2] + 2) * s.window[0] * s.window[1] * cells_of(block) * s.c;
  };
  int64_t block = std::min(BLOCK_PIXELS, share);
  while (block > TILE_ROWS && copied_by(block) > COPIED) block -= TILE_ROWS;
  const int64_t blocks = (pixels + block - 1) / block, cells = cells_of(block), of_rows = copied_by(block);
  const int64_t groups = blocks >= threads ? 1 : std::min<int64_t>(panels, threads);  // of panels: few pixels, many filters
  const int64_t items = blocks * groups, row = cells * s.c, planes = s.window[1] * row;
  const Segments segments = inside ? Segments(s, s.gaps[0] * s.in[1] * s.in[2] * s.pixel, s.gaps[1] * s.in[2] * s.pixel, s.pixel)
                                   : Segments(s, planes, row, s.c);
  const Scratch all = scratch(threads * (of_rows + block * PANEL));
  if (!all || !segments.at) return NO_MEMORY;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int part = 0; part < threads; part++) {
    float *rows = all.get() + part * (of_rows + block * PANEL), *waiting = rows + of_rows;
    const float* from[BLOCK_PIXELS + MOST_TILE_ROWS];
    int64_t to[BLOCK_PIXELS + MOST_TILE_ROWS];
    for (int64_t item = items * part / threads; item < items * (part + 1) / threads; item++) {
      const int64_t begin = item / groups * block, count = std::min(block, pixels - begin), group = item % groups;
      float* copied = rows;
      for (int64_t p = 0, side_by_side; p < count; p += side_by_side) {  // row by row
        const Place place(s, begin + p);
        side_by_side = std::min(count - p, s.out[2] - place.at[2]);
        const int64_t apart = s.steps[2] * (inside ? s.pixel : s.c), start = place.to(s);
        const float* first = inside ? x + place.from(s) : copied;
        if (!inside) copied = copy_rows(s, place, cells, x, copied);
        for (int64_t k = 0; k < side_by_side; k++) {
          from[p + k] = first + k * apart;
          to[p + k] = start + k * s.to[3];
        }
      }
      for (int64_t panel = panels * group / groups; panel < panels * (group + 1) / groups; panel++) {
        const int64_t first = panel * PANEL, wide = std::min(PANEL, s.filters - first), vectors = (wide + LANES - 1) / LANES;
        const int64_t tiles = (count + tile_rows(vectors) - 1) / tile_rows(vectors), low = count / tiles;
        const ConvolveTile tile_of[] = {choose_tile<MOST_TILE_ROWS, TILE_VECTORS>(low, vectors),
                                        choose_tile<MOST_TILE_ROWS, TILE_VECTORS>(low + 1, vectors)};
        const Epilogue after{bias + first, added ? added + first : nullptr, relu_too != 0, cap};
        const float* taps = weights + panel * depth * PANEL;
        for (int64_t segment = 0, passed, next; segment < segments.count; segment = next, taps += passed * PANEL) {
          next = segments.pass(segment, &passed);
          for (int64_t tile = 0; tile < tiles; tile++) {
            const int64_t p = count * tile / tiles, height = count * (tile + 1) / tiles - p;
            tile_of[height - low](from + p, segments.at.get() + segment, next - segment, taps, segment == 0,
                                  next == segments.count, after, waiting + p * PANEL, y + first, to + p, wide);
          }
        }
      }
    }
  }
  return 0;
}
