// What all families use: whole vectors and the rest at the end, and when threads are worth it.
namespace {

constexpr int64_t FEW = 1 << 14;  // numbers, for which a second thread is not worth waking

inline int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Numbers for the time of a call, where vectors do not straddle two lines of the cache; null where there is no memory.
// To be asked for before threads start.
struct Freed {
  void operator()(float* p) const { std::free(p); }
};
using Scratch = std::unique_ptr<float[], Freed>;
inline Scratch scratch(int64_t n) {
  const size_t bytes = static_cast<size_t>(rounded_up(std::max<int64_t>(n, 1) * sizeof(float), 64));
  return Scratch(static_cast<float*>(std::aligned_alloc(64, bytes)));
}
inline Scratch zeroed(int64_t n) {
  Scratch numbers = scratch(n);
  if (numbers) std::fill(numbers.get(), numbers.get() + n, 0.0f);
  return numbers;
}

// Weights (filters, taps) as (taps, filters), so that a vector holds one tap of many filters.
inline Scratch packed(const float* weights, int64_t filters, int64_t taps, int64_t width) {
  Scratch to = zeroed(taps * width);
  for (int64_t f = 0; to && f < filters; f++)
    for (int64_t t = 0; t < taps; t++) to[t * width + f] = weights[f * taps + t];
  return to;
}

// n numbers: a whole vector, or less.
inline V get(const float* p, int n) { return n == LANES ? load(p) : load_some(p, n); }
inline void put(float* p, V x, int n) {
  if (n == LANES) store(p, x);
  else store_some(p, x, n);
}

// ReLU, if asked, up to a cap, which is NaN where there is none.
inline V activated(V x, bool relu_too, V cap) { return relu_too ? least(cap, relu(x)) : x; }

// What is done to sums before they are written: a bias, an array that lies as the output does, and ReLU up to `cap`, each
// if asked.
struct Epilogue {
  const float *bias, *added;
  bool relu_too;
  float cap;
};

// work(0), work(1), ..., each with a number known when compiling: registers in an array stay registers only so.
template <class Work, int... AT>
inline void for_all(Work work, std::integer_sequence<int, AT...>) {
  (work(std::integral_constant<int, AT>()), ...);
}
template <int COUNT, class Work>
inline void unrolled(Work work) {
  for_all(work, std::make_integer_sequence<int, COUNT>());
}

}  // namespace
