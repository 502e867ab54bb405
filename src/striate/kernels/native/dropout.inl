// Dropout with numbers that depend on the seed and the place alone: the gradient draws the same ones again, and nothing
// has to be kept.

namespace {

// Mixes 32 bits so that each of them depends on all (in the manner of MurmurHash's last step), twice, with a key each.
inline I mixed(I bits, int first, int second) {
  bits = exclusive_or(bits, same(first));
  bits = times(exclusive_or(bits, shifted<16>(bits)), 0x21f0aaad);
  bits = times(exclusive_or(bits, shifted<15>(bits)), 0x735a2d97);
  bits = exclusive_or(exclusive_or(bits, shifted<15>(bits)), same(second));
  bits = times(exclusive_or(bits, shifted<16>(bits)), 0x21f0aaad);
  bits = times(exclusive_or(bits, shifted<15>(bits)), 0x735a2d97);
  return exclusive_or(bits, shifted<15>(bits));
}

}  // namespace

// y = x factor where the number drawn, of 31 bits, is at least `least_kept`, else 0.
STRIATE_EXPORT int STRIATE_NAME(dropout, ISA)(int64_t count, const float* x, int64_t seed, int least_kept,
                                               float factor, float* y, int threads) {
  const int parts = parts_of(count, threads), low = static_cast<int>(seed), high = static_cast<int>(seed >> 32);
  const V by = fill(factor);
#pragma omp parallel for schedule(static) num_threads(parts)
  for (int part = 0; part < parts; part++) {
    const int64_t begin = rounded_up(count * part / parts, LANES);
    const int64_t end = std::min(count, rounded_up(count * (part + 1) / parts, LANES));
    for (int64_t i = begin; i < end; i += LANES) {
      const int n = static_cast<int>(std::min<int64_t>(LANES, end - i));
      // Above 2^32 numbers the upper half of the place joins the second key.
      const I drawn = shifted<1>(mixed(counting(static_cast<int>(i)), low, high + static_cast<int>(i >> 32)));
      put(y + i, keep(at_least(drawn, least_kept), get(x + i, n) * by), n);
    }
  }
  return 0;
}
