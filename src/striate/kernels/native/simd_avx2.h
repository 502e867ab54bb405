// Words for vectors of floats, in AVX2.
typedef __m256 V;
typedef __m256 M;
typedef __m256i I;

constexpr int LANES = 8;
constexpr int REGISTERS = 16;

inline __m256i lanes_below(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline V zeros() { return _mm256_setzero_ps(); }
inline V fill(float x) { return _mm256_set1_ps(x); }
inline V load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, V x) { _mm256_storeu_ps(p, x); }
inline V load_some(const float* p, int n) {
  touch(p, 4 * std::min(n, LANES));
  return _mm256_maskload_ps(p, lanes_below(n));
}
inline void store_some(float* p, V x, int n) {
  touch(p, 4 * std::min(n, LANES));
  _mm256_maskstore_ps(p, lanes_below(n), x);
}
inline V multiply_add(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
inline V root(V x) { return _mm256_sqrt_ps(x); }
// Where `x` is greater, or NaN: what replaces the greatest so far.
inline M wins(V x, V best) { return _mm256_or_ps(_mm256_cmp_ps(x, best, _CMP_GT_OQ), _mm256_cmp_ps(x, x, _CMP_UNORD_Q)); }
inline M passes(V y) { return _mm256_cmp_ps(y, zeros(), _CMP_NLE_UQ); }  // where ReLU hands a gradient on
inline V choose(M m, V yes, V no) { return _mm256_blendv_ps(no, yes, m); }
inline V keep(M m, V x) { return _mm256_and_ps(m, x); }
inline V relu(V x) { return _mm256_max_ps(zeros(), x); }  // the second, where one is NaN
inline V least(V cap, V x) { return _mm256_min_ps(cap, x); }  // x, where there is no cap (NaN)
inline M passes(V y, V cap) { return _mm256_and_ps(passes(y), _mm256_cmp_ps(y, cap, _CMP_NGE_UQ)); }
inline V greater(V a, V b) { return choose(wins(a, b), a, b); }
inline I same(int x) { return _mm256_set1_epi32(x); }
inline I choose(M m, I yes, I no) { return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(m)); }
inline M equal(I a, int b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, same(b))); }
inline I counting(int from) { return _mm256_add_epi32(same(from), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
inline I exclusive_or(I a, I b) { return _mm256_xor_si256(a, b); }
inline I times(I a, int b) { return _mm256_mullo_epi32(a, same(b)); }
template <int BITS>
inline I shifted(I a) { return _mm256_srli_epi32(a, BITS); }  // to the right, zeros coming in
inline M at_least(I a, int b) { return _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, same(b - 1))); }
inline I load_bytes(const uint8_t* p, int n) {
  uint64_t eight = 0;
  if (n >= LANES) std::memcpy(&eight, p, LANES);
  else std::memcpy(&eight, p, n);
  return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(eight)));
}
inline void store_bytes(uint8_t* p, I x, int n) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  const uint64_t eight = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
  if (n >= LANES) std::memcpy(p, &eight, LANES);
  else std::memcpy(p, &eight, n);
}
// Of four numbers the one that each lane asks for.
inline V pick(const float* four, I which) {
  return _mm256_permutevar_ps(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(four)), which);
}
// The bits of numbers as whole numbers, and back.
inline I bits_of(V x) { return _mm256_castps_si256(x); }
inline V of_bits(I x) { return _mm256_castsi256_ps(x); }
inline I plus(I a, I b) { return _mm256_add_epi32(a, b); }
template <int BITS>
inline I shifted_left(I a) { return _mm256_slli_epi32(a, BITS); }
