// Words for vectors of floats, in AVX-512.
typedef __m512 V;
typedef __mmask16 M;
typedef __m512i I;

constexpr int LANES = 16;
constexpr int REGISTERS = 32;

inline __mmask16 lanes_below(int n) { return n >= LANES ? 0xffff : static_cast<__mmask16>((1u << n) - 1); }
inline V zeros() { return _mm512_setzero_ps(); }
inline V fill(float x) { return _mm512_set1_ps(x); }
inline V load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, V x) { _mm512_storeu_ps(p, x); }
inline V load_some(const float* p, int n) {
  touch(p, 4 * std::min(n, LANES));
  return _mm512_maskz_loadu_ps(lanes_below(n), p);
}
inline void store_some(float* p, V x, int n) {
  touch(p, 4 * std::min(n, LANES));
  _mm512_mask_storeu_ps(p, lanes_below(n), x);
}
inline V multiply_add(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
inline V root(V x) { return _mm512_sqrt_ps(x); }
// Where `x` is greater, or NaN: what replaces the greatest so far.
inline M wins(V x, V best) {
  return static_cast<M>(_mm512_cmp_ps_mask(x, best, _CMP_GT_OQ) | _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q));
}
inline M passes(V y) { return _mm512_cmp_ps_mask(y, zeros(), _CMP_NLE_UQ); }  // where ReLU hands a gradient on
inline V choose(M m, V yes, V no) { return _mm512_mask_mov_ps(no, m, yes); }
inline V keep(M m, V x) { return _mm512_maskz_mov_ps(m, x); }
inline V relu(V x) { return _mm512_max_ps(zeros(), x); }  // the second, where one is NaN
inline V least(V cap, V x) { return _mm512_min_ps(cap, x); }  // x, where there is no cap (NaN)
inline M passes(V y, V cap) { return static_cast<M>(passes(y) & _mm512_cmp_ps_mask(y, cap, _CMP_NGE_UQ)); }
inline V greater(V a, V b) { return choose(wins(a, b), a, b); }
inline I same(int x) { return _mm512_set1_epi32(x); }
inline I choose(M m, I yes, I no) { return _mm512_mask_mov_epi32(no, m, yes); }
inline M equal(I a, int b) { return _mm512_cmpeq_epi32_mask(a, same(b)); }
inline I counting(int from) {
  return _mm512_add_epi32(same(from), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}
inline I exclusive_or(I a, I b) { return _mm512_xor_si512(a, b); }
inline I times(I a, int b) { return _mm512_mullo_epi32(a, same(b)); }
template <int BITS>
inline I shifted(I a) { return _mm512_srli_epi32(a, BITS); }  // to the right, zeros coming in
inline M at_least(I a, int b) { return _mm512_cmpge_epi32_mask(a, same(b)); }
inline I load_bytes(const uint8_t* p, int n) {
  touch(p, std::min(n, LANES));
  return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes_below(n), p));
}
inline void store_bytes(uint8_t* p, I x, int n) {
  touch(p, std::min(n, LANES));
  _mm_mask_storeu_epi8(p, lanes_below(n), _mm512_cvtepi32_epi8(x));
}
// Of four numbers the one that each lane asks for.
inline V pick(const float* four, I which) {
  return _mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(four)), which);
}
// The bits of numbers as whole numbers, and back.
inline I bits_of(V x) { return _mm512_castps_si512(x); }
inline V of_bits(I x) { return _mm512_castsi512_ps(x); }
inline I plus(I a, I b) { return _mm512_add_epi32(a, b); }
template <int BITS>
inline I shifted_left(I a) { return _mm512_slli_epi32(a, BITS); }
