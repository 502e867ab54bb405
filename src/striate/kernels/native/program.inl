// A network's inference: instructions, one after the other, each of them one of the other functions; all items at once, or
// some items at a time, so that what they write is still near when the next one reads it.

namespace {

enum Operation : int64_t { CONVOLVE, WINOGRAD, CONV_POOL, CONV_GLOBAL_MAX, POOL_WINDOWS, SCALE, COMBINE, COPY, ACTIVATE, DEPTHWISE, LINES };

struct Instruction {
  int64_t operation;
  const void* sizes;
  const float* given[4];  // arrays that are read, the first of them the input
  float* y;
  float cap;              // of ReLU; NaN where there is none
  int32_t flag;           // whether ReLU follows, or which variant
};

constexpr int MOST_SIZES = 32, ARRAYS = 5;

// How far an instruction's arrays, what it reads and then what it writes, lie apart for items, and for threads.
struct Apart {
  int64_t by_item[ARRAYS], by_thread[ARRAYS];
};

struct CopySizes {
  int64_t n, out[3], c;  // what is written, cell by cell, C numbers side by side
  int64_t factor[3];     // how often each cell of the input is written along an axis
  int64_t from[4], to[4];  // numbers from one item, and one cell of each axis, to the next
};

int copy_cells(const CopySizes& s, const float* x, float* y, int threads) {
  const int64_t rows = s.n * s.out[0] * s.out[1];
  const int parts = rows * s.out[2] * s.c < FEW ? 1 : threads;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int64_t row = 0; row < rows; row++) {
    const int64_t item = row / (s.out[0] * s.out[1]), i = row / s.out[1] % s.out[0], j = row % s.out[1];
    const float* from = x + item * s.from[0] + i / s.factor[0] * s.from[1] + j / s.factor[1] * s.from[2];
    float* to = y + item * s.to[0] + i * s.to[1] + j * s.to[2];
    for (int64_t k = 0; k < s.out[2]; k++) copy_numbers(from + k / s.factor[2] * s.from[3], s.c, to + k * s.to[3]);
  }
  return 0;
}

enum Combination : int32_t { ADD, SUBTRACT, MULTIPLY };

template <class Of>
int combine_with(int64_t count, const float* a, const float* b, bool relu_too, float cap, float* y, int threads, Of of) {
  const int parts = count < FEW ? 1 : threads;
  const V most = fill(cap);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int64_t i = 0; i < count; i += LANES) {
    const int n = static_cast<int>(std::min<int64_t>(LANES, count - i));
    put(y + i, activated(of(get(a + i, n), get(b + i, n)), relu_too, most), n);
  }
  return 0;
}

int run_one(const Instruction& is, int threads) {
  const float *x = is.given[0], *second = is.given[1], *third = is.given[2], *fourth = is.given[3];
  const int64_t* numbers = static_cast<const int64_t*>(is.sizes);
  switch (is.operation) {
    case CONVOLVE:
      return STRIATE_NAME(convolve, ISA)(static_cast<const ConvolveSizes*>(is.sizes), x, second, third, fourth, is.flag,
                                         is.cap, is.y, threads);
    case WINOGRAD:
      return convolve_by_tiles(*static_cast<const WinogradSizes*>(is.sizes), x, second,
                               {third, fourth, is.flag != 0, is.cap}, is.y, threads);
    case CONV_POOL:
      conv_pool_forward(*static_cast<const ConvPoolSizes*>(is.sizes), x, second, third, is.y, nullptr, threads);
      return 0;
    case CONV_GLOBAL_MAX:
      return conv_global_max_forward(*static_cast<const SeriesSizes*>(is.sizes), x, second, third, is.flag, is.y, nullptr,
                                     threads);
    case POOL_WINDOWS:
      return STRIATE_NAME(pool_windows, ISA)(static_cast<const WindowSizes*>(is.sizes), x, is.flag, is.y, threads);
    case SCALE:
      return STRIATE_NAME(scale_channels, ISA)(numbers[0], numbers[1], x, second, third, is.flag, is.cap, is.y, threads);
    case COMBINE: {
      const auto with = [&](auto of) { return combine_with(numbers[0], x, second, is.flag & 1, is.cap, is.y, threads, of); };
      switch (is.flag >> 1) {
        case ADD: return with([](V a, V b) { return a + b; });
        case SUBTRACT: return with([](V a, V b) { return a - b; });
        default: return with([](V a, V b) { return a * b; });
      }
    }
    case ACTIVATE:
      return STRIATE_NAME(activate, ISA)(numbers[0], numbers[1], x, is.flag, is.y, threads);
    case DEPTHWISE:
      return STRIATE_NAME(depthwise, ISA)(static_cast<const DepthwiseSizes*>(is.sizes), x, second, third, is.flag, is.cap,
                                          is.y, threads);
    case LINES: {
      const ConvLinesSizes& s = *static_cast<const ConvLinesSizes*>(is.sizes);
      return with_taps(s.window[2], [&](auto taps) {
        return convolve_lines<taps()>(s, x, second, {third, fourth, is.flag != 0, is.cap}, is.y, threads);
      });
    }
    default:
      return copy_cells(*static_cast<const CopySizes*>(is.sizes), x, is.y, threads);
  }
}

// Of `items` items those from `first` on, by one thread.
int run_some(const Instruction& whole, const Apart& apart, int64_t items, int64_t first, int64_t count, int thread) {
  Instruction some = whole;
  int64_t sizes[MOST_SIZES];
  std::memcpy(sizes, whole.sizes, sizeof sizes);
  // Every operation's first size is items, or what there is of each of them; but of lines that are alike, whichever item
  // they are of (`sizes_of` in conv_lines.py), the rows of input and output count them.
  constexpr int ROWS[] = {2, 6};
  if (whole.operation == LINES && sizes[0] < items)
    for (int rows : ROWS) sizes[rows] = sizes[rows] / items * count;
  else
    sizes[0] = sizes[0] / items * count;
  some.sizes = sizes;
  const auto moved = [&](int array) { return first * apart.by_item[array] + thread * apart.by_thread[array]; };
  for (int array = 0; array + 1 < ARRAYS; array++)
    if (whole.given[array]) some.given[array] = whole.given[array] + moved(array);
  some.y = whole.y + moved(ARRAYS - 1);
  return run_one(some, 1);
}

}  // namespace

// Runs the instructions in order.
STRIATE_EXPORT int STRIATE_NAME(run_program, ISA)(const Instruction* instructions, int64_t count, int threads) {
  for (int64_t i = 0; i < count; i++)
    if (run_one(instructions[i], threads)) return NO_MEMORY;
  return 0;
}

// The same for `group` items at a time, by no more threads than `most`; sizes are MOST_SIZES numbers each.
STRIATE_EXPORT int STRIATE_NAME(run_in_groups, ISA)(const Instruction* instructions, const Apart* apart, int64_t count,
                                                    int64_t items, int64_t group, int64_t most, int threads) {
  const int parts = static_cast<int>(std::min<int64_t>(most, threads));
  const int64_t groups = (items + group - 1) / group;
  int failed = 0;
#pragma omp parallel for schedule(static) num_threads(parts) reduction(| : failed)
  for (int part = 0; part < parts; part++)
    for (int64_t at = groups * part / parts; at < groups * (part + 1) / parts; at++)
      for (int64_t i = 0; i < count; i++)
        failed |= run_some(instructions[i], apart[i], items, at * group, std::min(group, items - at * group), part);
  return failed;
}

// How many columns stand together in packed weights, and how many numbers in a vector.
STRIATE_EXPORT int STRIATE_NAME(widths, ISA)(int64_t* panel, int64_t* lanes, int) {
  *panel = PANEL;
  *lanes = LANES;
  return 0;
}
