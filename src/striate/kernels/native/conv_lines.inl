// Convolution of series, pictures and volumes by windows that move by one cell, with fewer products along the last axis:
// four cells of a line at a time, by `toom_cook.inl`. Windows of more than five taps are several of four: as many as a
// tile has cells, so that the next four taps see the next tile, transformed already, whose channels lie behind this one's
// in memory. The gradient of the input is the same with the weights turned around, that of the weights the transforms'
// transpose.

namespace {

struct ConvLinesSizes {
  int64_t n, in[3], c;  // the input, (N, D, H, W, C); axes that are not there have size 1
  int64_t out[3], filters, window[3];
  int64_t before[3];  // how many cells of the window lie outside at the start

  int64_t lines() const { return window[0] * window[1]; }  // of a window
  int64_t taps() const { return lines() * window[2]; }
};

// How the output is cut into blocks: some tiles of some lines of a plane, or several planes. The transformed input of a block lies in lines
// of `each` tiles; the last ones of a line only earlier ones' later taps see: what is computed for them is not used, so
// that all lines can be multiplied in one go.
template <int TAPS>
struct Blocks {
  static constexpr int PLACES = ToomCook<TAPS>::PLACES;
  int64_t chunks, tiles;           // of a window along a line; of a line
  int64_t wide, each, high, seen;  // tiles of a block's line, then those of its input; lines of its planes, then so
  int64_t deep;                    // planes of a block
  int64_t across, down, through, count;  // blocks of a line, of a plane, of an item, of all
  int64_t rows, cells, depth;      // of a block's products; tiles of its input; of the products

  Blocks(const ConvLinesSizes& s, int threads) {
    chunks = (s.window[2] + TAPS - 1) / TAPS;
    tiles = (s.out[2] + OUTPUTS - 1) / OUTPUTS;
    const int64_t share = std::max<int64_t>(16, (s.n * s.out[0] * s.out[1] * tiles + threads - 1) / threads);
    const int64_t most = std::min(share, std::clamp<int64_t>((1 << 18) / (PLACES * (s.c + s.filters)), 48, 192));
    across = (tiles + most - 1) / most;
    wide = (tiles + across - 1) / across;
    each = wide + chunks - 1;
    const int64_t most_lines = std::max<int64_t>(1, most / each);
    down = (s.out[1] + most_lines - 1) / most_lines;
    high = (s.out[1] + down - 1) / down;
    seen = high + s.window[1] - 1;
    const int64_t most_planes = down == 1 ? std::max<int64_t>(1, most / (high * each)) : 1;
    through = (s.out[0] + most_planes - 1) / most_planes;
    deep = (s.out[0] + through - 1) / through;
    count = s.n * through * down * across;
    rows = deep * high * each;
    cells = (deep + s.window[0] - 1) * seen * each;
    depth = s.lines() * chunks * s.c;
  }
  // The tile from which on line `line` of the window sees the input.
  int64_t first_cell(const ConvLinesSizes& s, int64_t line) const {
    return (line / s.window[1] * seen + line % s.window[1]) * each;
  }
};

struct BlockPlace {
  int64_t item, plane, line, tile;  // where it begins
  int64_t planes, lines, rows;      // how many planes it has, lines each has, and tiles between the first and last used

  template <int TAPS>
  BlockPlace(const ConvLinesSizes& s, const Blocks<TAPS>& blocks, int64_t block)
      : item(block / (blocks.across * blocks.down * blocks.through)),
        plane(block / (blocks.across * blocks.down) % blocks.through * blocks.deep),
        line(block / blocks.across % blocks.down * blocks.high),
        tile(block % blocks.across * blocks.wide),
        planes(std::min(blocks.deep, s.out[0] - plane)),
        lines(std::min(blocks.high, s.out[1] - line)),
        rows(lines * blocks.each - (blocks.chunks - 1)) {}
};

// Transforms the cells of a line from `first` on, of `length` there are, those outside being zeros; a line that is null
// is all outside. `put_at(k, channel, n, numbers)` gets what there is at each place.
template <class Numbers, class Put>
inline void transform_cells(const float* line, int64_t length, int64_t c, int64_t first, const float* none, Put put_at) {
  constexpr int CELLS = Numbers::COLUMNS;
  const float* cells[CELLS];
  for (int i = 0; i < CELLS; i++) cells[i] = line && first + i >= 0 && first + i < length ? line + (first + i) * c : none;
  for (int64_t at = 0; at < c; at += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, c - at));
    V given[CELLS], whole[Numbers::ROWS];
    for (int i = 0; i < CELLS; i++) given[i] = get(cells[i] + at, n);
    transform<Numbers>(given, whole);
    for (int k = 0; k < Numbers::ROWS; k++) put_at(k, at, n, whole[k]);
  }
}

// What a block sees, as (places, planes, lines, tiles, c).
template <int TAPS>
inline void transform_block(const ConvLinesSizes& s, const Blocks<TAPS>& blocks, const BlockPlace& place, const float* x,
                            const float* none, float* to) {
  for (int64_t i = 0; i < place.planes + s.window[0] - 1; i++)
    for (int64_t j = 0; j < place.lines + s.window[1] - 1; j++) {
      const int64_t plane = place.plane + i - s.before[0], row = place.line + j - s.before[1];
      const bool inside = plane >= 0 && plane < s.in[0] && row >= 0 && row < s.in[1];
      const float* line = inside ? x + ((place.item * s.in[0] + plane) * s.in[1] + row) * s.in[2] * s.c : nullptr;
      float* first = to + (i * blocks.seen + j) * blocks.each * s.c;
      for (int64_t t = 0; t < blocks.each; t++, first += s.c)
        transform_cells<OfInput<TAPS>>(
            line, s.in[2], s.c, OUTPUTS * (place.tile + t) - s.before[2], none,
            [&](int k, int64_t at, int n, V numbers) { put(first + k * blocks.cells * s.c + at, numbers, n); });
    }
}

// A block of the output's gradient, as (places, panels, planes, lines, tiles, PANEL); zeros in the tiles that are not used.
template <int TAPS>
inline void transform_gradient_block(const ConvLinesSizes& s, const Blocks<TAPS>& blocks, const BlockPlace& place,
                                     const float* dy, const float* none, float* to) {
  for (int64_t j = 0; j < place.planes * place.lines; j++) {
    const int64_t i = j / place.lines, at = (place.item * s.out[0] + place.plane + i) * s.out[1] + place.line + j % place.lines;
    const float* line = dy + at * s.out[2] * s.filters;
    for (int64_t t = 0; t < blocks.each; t++) {
      const int64_t row = j * blocks.each + t;
      transform_cells<Transpose<OfProducts<TAPS>>>(
          t < blocks.wide ? line : nullptr, s.out[2], s.filters, OUTPUTS * (place.tile + t), none,
          [&](int k, int64_t f, int n, V numbers) {
            put(to + ((k * panels_of(s.filters) + f / PANEL) * blocks.rows + row) * PANEL + f % PANEL, numbers, n);
          });
    }
  }
}

// A block's products, (places, planes, lines, tiles, filters), as the output.
template <int TAPS>
inline void transform_products_block(const ConvLinesSizes& s, const Blocks<TAPS>& blocks, const BlockPlace& place,
                                     const float* products, const Epilogue& after, float* y) {
  constexpr int PLACES = Blocks<TAPS>::PLACES;
  const V most = fill(after.cap);
  for (int64_t j = 0; j < place.planes * place.lines; j++)
    for (int64_t t = 0; t < blocks.wide && place.tile + t < blocks.tiles; t++) {
      const int64_t first = OUTPUTS * (place.tile + t);
      const int cells = static_cast<int>(std::min<int64_t>(OUTPUTS, s.out[2] - first));
      const int64_t plane = place.item * s.out[0] + place.plane + j / place.lines;
      const int64_t line = plane * s.out[1] + place.line + j % place.lines;
      float* start = y + (line * s.out[2] + first) * s.filters;
      for (int64_t f = 0; f < s.filters; f += LANES) {
        const int n = static_cast<int>(std::min<int64_t>(LANES, s.filters - f));
        const float* from = products + (j * blocks.each + t) * s.filters + f;
        V given[PLACES], whole[OUTPUTS];
        for (int k = 0; k < PLACES; k++) given[k] = get(from + k * blocks.rows * s.filters, n);
        transform<OfProducts<TAPS>>(given, whole);
        const V bias = after.bias ? get(after.bias + f, n) : zeros();
        for (int i = 0; i < cells; i++) {
          float* to = start + i * s.filters + f;
          const V sum = whole[i] + bias;
          put(to, activated(after.added ? sum + get(after.added + (to - y), n) : sum, after.relu_too, most), n);
        }
      }
    }
}

// Rows of the left matrix whose numbers lie at the same offsets from each row's first one.
struct Gathered {
  const float* at;
  int64_t by_row;
  const int64_t* offsets;

  Gathered from(int64_t row) const { return {at + row * by_row, by_row, offsets}; }
  const float* row(int64_t i) const { return at + i * by_row; }
  float number(const float* row, int64_t depth) const { return row[offsets[depth]]; }
};

// y (N, out, filters) of x (N, in, c) and transformed weights.
template <int TAPS>
int convolve_lines(const ConvLinesSizes& s, const float* x, const float* weights, const Epilogue& after, float* y,
                   int threads) {
  constexpr int PLACES = Blocks<TAPS>::PLACES;
  const Blocks<TAPS> blocks(s, threads);
  const int64_t of_input = PLACES * blocks.cells * s.c, of_products = PLACES * blocks.rows * s.filters;
  const Scratch none = zeroed(s.c), all = scratch(threads * (of_input + of_products));
  const std::unique_ptr<int64_t[]> offsets(new (std::nothrow) int64_t[blocks.depth]);
  if (!none || !all || !offsets) return NO_MEMORY;
  const int64_t side_by_side = blocks.chunks * s.c;
  for (int64_t i = 0; i < blocks.depth; i++)
    offsets[i] = blocks.first_cell(s, i / side_by_side) * s.c + i % side_by_side;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int part = 0; part < threads; part++) {
    float *input = all.get() + part * (of_input + of_products), *products = input + of_input;
    for (int64_t block = blocks.count * part / threads; block < blocks.count * (part + 1) / threads; block++) {
      const BlockPlace place(s, blocks, block);
      transform_block(s, blocks, place, x, none.get(), input);
      const int64_t from = blocks.seen * blocks.each * s.c, to = place.lines * blocks.each * s.filters;  // plane to plane
      for (int k = 0; k < PLACES; k++)
        for (int64_t f = 0; f < s.filters; f += PANEL)
          for (int64_t at = 0; at < blocks.depth; at += DEPTH)
            for (int64_t i = 0; i < place.planes; i++)
              multiply(place.rows, std::min(PANEL, s.filters - f), std::min(DEPTH, blocks.depth - at),
                       Gathered{input + k * blocks.cells * s.c + i * from, s.c, offsets.get() + at},
                       weights + place_in_panels(k, at, f, blocks.depth, s.filters), PANEL,
                       products + k * blocks.rows * s.filters + i * to + f, s.filters, at == 0);
      transform_products_block(s, blocks, place, products, after, y);
    }
  }
  return 0;
}

// Sums up the gradients of the transformed weights, (places, depth, filters), over the blocks [begin, end).
template <int TAPS>
void sum_blocks(const ConvLinesSizes& s, const Blocks<TAPS>& blocks, int64_t begin, int64_t end, const float* x,
                const float* dy, const float* none, float* input, float* gradient, float* sums) {
  constexpr int PLACES = Blocks<TAPS>::PLACES;
  const int64_t side_by_side = blocks.chunks * s.c;
  if (begin == end) std::fill(sums, sums + PLACES * blocks.depth * s.filters, 0.0f);
  for (int64_t block = begin; block < end; block++) {
    const BlockPlace place(s, blocks, block);
    transform_block(s, blocks, place, x, none, input);
    transform_gradient_block(s, blocks, place, dy, none, gradient);
    for (int k = 0; k < PLACES; k++)
      for (int64_t f = 0; f < s.filters; f += PANEL)
        for (int64_t at = 0; at < s.lines() * place.planes; at++) {
          const int64_t line = at / place.planes, i = at % place.planes;
          const int64_t cell = k * blocks.cells + i * blocks.seen * blocks.each + blocks.first_cell(s, line);
          const int64_t row = (k * panels_of(s.filters) + f / PANEL) * blocks.rows + i * place.lines * blocks.each;
          multiply(side_by_side, std::min(PANEL, s.filters - f), place.rows, Columnwise{input + cell * s.c, s.c},
                   gradient + row * PANEL, PANEL, sums + (k * blocks.depth + line * side_by_side) * s.filters + f,
                   s.filters, block == begin && i == 0);
        }
  }
}

}  // namespace
