// A step of an optimizer over all weights at once: each number is read once and written once.
//
// A table gives, for each weight, how many numbers it has and where it, its gradient and what the optimizer keeps of it
// lie: rows of `count` entries each.

namespace {

struct Weights {
  int64_t count;
  const int64_t* table;

  int64_t size(int64_t i) const { return table[i]; }
  float* at(int row, int64_t i) const { return reinterpret_cast<float*>(table[row * count + i]); }
};

enum { WEIGHT = 1, GRADIENT, FIRST, SECOND, THIRD };

// For each weight, rule(weight) gives what changes n numbers from `at` on: LANES, or the rest at the end.
template <class Rule>
inline void for_all(const Weights& weights, int threads, Rule rule) {
  int64_t total = 0;
  for (int64_t i = 0; i < weights.count; i++) total += rounded_up(weights.size(i), LANES);
  const int parts = total < FEW ? 1 : threads;
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const int64_t from = rounded_up(total * part / parts, LANES), to = rounded_up(total * (part + 1) / parts, LANES);
    for (int64_t i = 0, start = 0; i < weights.count && start < to; start += rounded_up(weights.size(i), LANES), i++) {
      const int64_t size = weights.size(i), begin = std::max<int64_t>(0, from - start), end = std::min(size, to - start);
      if (begin >= end) continue;
      const auto change = rule(i);
      int64_t at = begin;
      for (; at + LANES <= end; at += LANES) change(at, LANES);
      if (at < end) change(at, static_cast<int>(end - at));
    }
  }
}

inline V toward(V from, V to, V share) { return multiply_add(share, to - from, from); }
inline V magnitude(V x) { return greater(x, zeros() - x); }

struct Adam {
  V shrink, scale, first, second, fade, epsilon;

  Adam(double rate, double decay, double scale, double beta_1, double beta_2, double epsilon)
      : shrink(fill(static_cast<float>(1 - rate * decay))),
        scale(fill(static_cast<float>(-scale))),
        first(fill(static_cast<float>(1 - beta_1))),
        second(fill(static_cast<float>(1 - beta_2))),
        fade(fill(static_cast<float>(beta_2))),
        epsilon(fill(static_cast<float>(epsilon))) {}

  void change(float* w, const float* g, float* m, float* v, float* greatest, int n) const {
    const V gradient = get(g, n), mean = toward(get(m, n), gradient, first);
    // Not towards g^2: an infinite v stays so, without becoming NaN.
    const V square = multiply_add(gradient * gradient, second, get(v, n) * fade);
    put(m, mean, n);
    put(v, square, n);
    V under = square;
    if (greatest) {
      under = greater(square, get(greatest, n));
      put(greatest, under, n);
    }
    put(w, multiply_add(scale, mean / (root(under) + epsilon), get(w, n) * shrink), n);
  }
};

}  // namespace

// w -= rate g
STRIATE_EXPORT int STRIATE_NAME(sgd, ISA)(int64_t count, const int64_t* table, double rate, double decay,
                                           int threads) {
  const Weights weights{count, table};
  const V r = fill(static_cast<float>(-rate)), shrink = fill(static_cast<float>(1 - rate * decay));
  for_all(weights, threads, [&](int64_t i) {
    float *w = weights.at(WEIGHT, i), *g = weights.at(GRADIENT, i);
    return [=](int64_t at, int n) { put(w + at, multiply_add(r, get(g + at, n), get(w + at, n) * shrink), n); };
  });
  return 0;
}

// v = momentum v - rate g;  w += v, or momentum v - rate g with Nesterov's
STRIATE_EXPORT int STRIATE_NAME(momentum, ISA)(int64_t count, const int64_t* table, double rate, double decay,
                                                double momentum, int nesterov, int threads) {
  const Weights weights{count, table};
  const V r = fill(static_cast<float>(-rate)), shrink = fill(static_cast<float>(1 - rate * decay));
  const V mu = fill(static_cast<float>(momentum));
  for_all(weights, threads, [&](int64_t i) {
    float *w = weights.at(WEIGHT, i), *g = weights.at(GRADIENT, i), *v = weights.at(FIRST, i);
    return [=](int64_t at, int n) {
      const V step = r * get(g + at, n), velocity = multiply_add(mu, get(v + at, n), step);
      put(v + at, velocity, n);
      put(w + at, multiply_add(get(w + at, n), shrink, nesterov ? multiply_add(mu, velocity, step) : velocity), n);
    };
  });
  return 0;
}

// m += (1 - beta_1) (g - m);  v += (1 - beta_2) (g^2 - v);  w -= scale m / (sqrt(v) + epsilon), where `scale` is the
// rate with both corrections; with AMSGrad the greatest v so far.
STRIATE_EXPORT int STRIATE_NAME(adam, ISA)(int64_t count, const int64_t* table, double rate, double decay,
                                            double scale, double beta_1, double beta_2, double epsilon, int amsgrad,
                                            int threads) {
  const Weights weights{count, table};
  const Adam adam(rate, decay, scale, beta_1, beta_2, epsilon);
  for_all(weights, threads, [&](int64_t i) {
    float *w = weights.at(WEIGHT, i), *g = weights.at(GRADIENT, i), *m = weights.at(FIRST, i);
    float *v = weights.at(SECOND, i), *greatest = amsgrad ? weights.at(THIRD, i) : nullptr;
    return [=](int64_t at, int n) { adam.change(w + at, g + at, m + at, v + at, greatest ? greatest + at : nullptr, n); };
  });
  return 0;
}

// m and v as for Adam;  w -= rate (of_momentum m + of_gradient g) / (sqrt(of_velocity v) + epsilon): Adam that looks one
// step ahead, where the factors are its corrections
STRIATE_EXPORT int STRIATE_NAME(nadam, ISA)(int64_t count, const int64_t* table, double rate, double decay,
                                             double of_momentum, double of_gradient, double of_velocity, double beta_1,
                                             double beta_2, double epsilon, int threads) {
  const Weights weights{count, table};
  const V shrink = fill(static_cast<float>(1 - rate * decay));
  const V a = fill(static_cast<float>(-rate * of_momentum)), b = fill(static_cast<float>(-rate * of_gradient));
  const V correct = fill(static_cast<float>(of_velocity)), e = fill(static_cast<float>(epsilon));
  const V first = fill(static_cast<float>(1 - beta_1)), second = fill(static_cast<float>(1 - beta_2));
  const V fade = fill(static_cast<float>(beta_2));  // not towards g^2: an infinite v stays so, without becoming NaN
  for_all(weights, threads, [&](int64_t i) {
    float *w = weights.at(WEIGHT, i), *g = weights.at(GRADIENT, i), *m = weights.at(FIRST, i);
    float* v = weights.at(SECOND, i);
    return [=](int64_t at, int n) {
      const V gradient = get(g + at, n), mean = toward(get(m + at, n), gradient, first);
      const V square = multiply_add(gradient * gradient, second, get(v + at, n) * fade);
      put(m + at, mean, n);
      put(v + at, square, n);
      const V step = multiply_add(a, mean, b * gradient) / (root(square * correct) + e);
      put(w + at, multiply_add(get(w + at, n), shrink, step), n);
    };
  });
  return 0;
}

// a += g^2;  w -= rate g / sqrt(a + epsilon)
STRIATE_EXPORT int STRIATE_NAME(adagrad, ISA)(int64_t count, const int64_t* table, double rate, double decay,
                                               double epsilon, int threads) {
  const Weights weights{count, table};
  const V shrink = fill(static_cast<float>(1 - rate * decay)), r = fill(static_cast<float>(-rate));
  const V e = fill(static_cast<float>(epsilon));
  for_all(weights, threads, [&](int64_t i) {
    float *w = weights.at(WEIGHT, i), *g = weights.at(GRADIENT, i), *a = weights.at(FIRST, i);
    return [=](int64_t at, int n) {
      const V gradient = get(g + at, n), sum = multiply_add(gradient, gradient, get(a + at, n));
      put(a + at, sum, n);
      put(w + at, multiply_add(r, gradient / root(sum + e), get(w + at, n) * shrink), n);
    };
  });
  return 0;
}

// m += (1 - beta_1) (g - m);  u = max(beta_2 u, |g|);  w -= scale m / (u + epsilon)
STRIATE_EXPORT int STRIATE_NAME(adamax, ISA)(int64_t count, const int64_t* table, double rate, double decay,
                                              double scale, double beta_1, double beta_2, double epsilon, int threads) {
  const Weights weights{count, table};
  const V shrink = fill(static_cast<float>(1 - rate * decay)), s = fill(static_cast<float>(-scale));
  const V first = fill(static_cast<float>(1 - beta_1)), fade = fill(static_cast<float>(beta_2));
  const V e = fill(static_cast<float>(epsilon));
  for_all(weights, threads, [&](int64_t i) {
    float *w = weights.at(WEIGHT, i), *g = weights.at(GRADIENT, i), *m = weights.at(FIRST, i);
    float* u = weights.at(SECOND, i);
    return [=](int64_t at, int n) {
      const V gradient = get(g + at, n), mean = toward(get(m + at, n), gradient, first);
      const V norm = greater(magnitude(gradient), get(u + at, n) * fade);
      put(m + at, mean, n);
      put(u + at, norm, n);
      put(w + at, multiply_add(s, mean / (norm + e), get(w + at, n) * shrink), n);
    };
  });
  return 0;
}
