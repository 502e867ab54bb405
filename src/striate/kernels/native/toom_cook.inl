// Toom's and Cook's way to compute four neighbours of a convolution by `TAPS` weights with TAPS + 3 products instead of
// 4 TAPS: numbers as polynomials, which are multiplied at some points each, and found again from these products. Of the
// points the last is infinity; small ones keep rounding small (Barabasz et al., arXiv 1803.10986). The matrices are
// computed by the compiler.

namespace {

constexpr int OUTPUTS = 4;

template <int TAPS>
struct ToomCook {
  static constexpr int PLACES = TAPS + OUTPUTS - 1;
  double input[PLACES][PLACES] = {}, weights[PLACES][TAPS] = {}, output[OUTPUTS][PLACES] = {};

  constexpr ToomCook() {
    constexpr double points[] = {0, 1, -1, 2, -0.5, 0.5, -2};
    constexpr int last = PLACES - 1;
    for (int k = 0; k < last; k++) {
      double divisor = 1, power = 1, (&product)[PLACES] = input[k];
      product[0] = 1;
      for (int l = 0; l < last; l++)
        if (l != k) {
          divisor *= points[k] - points[l];
          times_root(product, points[l]);
        }
      for (int i = 0; i < std::max(TAPS, OUTPUTS); i++, power *= points[k]) {
        if (i < TAPS) weights[k][i] = power / divisor;
        if (i < OUTPUTS) output[i][k] = power;
      }
    }
    input[last][0] = weights[last][TAPS - 1] = output[OUTPUTS - 1][last] = 1;
    for (int l = 0; l < last; l++) times_root(input[last], points[l]);
  }

 private:
  // A polynomial times (x - root).
  static constexpr void times_root(double (&of)[PLACES], double root) {
    for (int i = PLACES - 1; i > 0; i--) of[i] = of[i - 1] - root * of[i];
    of[0] *= -root;
  }
};

template <int TAPS>
constexpr ToomCook<TAPS> TOOM_COOK{};

// The sum of a row of a matrix times vectors, from column J on; zeros in the matrix cost nothing.
template <class Numbers, int ROW, int J = 0>
inline V sum_row(const V* from, V sum) {
  if constexpr (J == Numbers::COLUMNS) {
    return sum;
  } else {
    constexpr double number = Numbers::at(ROW, J);
    if constexpr (number != 0) sum = multiply_add(fill(static_cast<float>(number)), from[J], sum);
    return sum_row<Numbers, ROW, J + 1>(from, sum);
  }
}

// to = matrix from
template <class Numbers, int ROW = 0>
inline void transform(const V* from, V* to) {
  if constexpr (ROW < Numbers::ROWS) {
    to[ROW] = sum_row<Numbers, ROW>(from, zeros());
    transform<Numbers, ROW + 1>(from, to);
  }
}

// The matrices, as `transform` takes them.
template <int TAPS>
struct OfInput {
  static constexpr int ROWS = ToomCook<TAPS>::PLACES, COLUMNS = ROWS;
  static constexpr double at(int i, int j) { return TOOM_COOK<TAPS>.input[i][j]; }
};
template <int TAPS>
struct OfWeights {
  static constexpr int ROWS = ToomCook<TAPS>::PLACES, COLUMNS = TAPS;
  static constexpr double at(int i, int j) { return TOOM_COOK<TAPS>.weights[i][j]; }
};
template <int TAPS>
struct OfProducts {
  static constexpr int ROWS = OUTPUTS, COLUMNS = ToomCook<TAPS>::PLACES;
  static constexpr double at(int i, int j) { return TOOM_COOK<TAPS>.output[i][j]; }
};
template <class Numbers>
struct Transpose {
  static constexpr int ROWS = Numbers::COLUMNS, COLUMNS = Numbers::ROWS;
  static constexpr double at(int i, int j) { return Numbers::at(j, i); }
};

}  // namespace
