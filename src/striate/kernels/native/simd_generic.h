// Words for vectors of floats, in the compiler's own vector types.
typedef float V __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t M __attribute__((vector_size(16)));  // of each lane all bits, or none
typedef int32_t I __attribute__((vector_size(16)));

constexpr int LANES = 4;
constexpr int REGISTERS = 16;

inline V zeros() { return V{}; }
inline V fill(float x) { return V{} + x; }
inline V load(const float* p) { return *reinterpret_cast<const V*>(p); }
inline void store(float* p, V x) { *reinterpret_cast<V*>(p) = x; }
inline V load_some(const float* p, int n) {
  V x{};
  for (int i = 0; i < n; i++) x[i] = p[i];
  return x;
}
inline void store_some(float* p, V x, int n) {
  for (int i = 0; i < n; i++) p[i] = x[i];
}
inline V multiply_add(V a, V b, V c) { return a * b + c; }
inline V root(V x) {
  for (int i = 0; i < LANES; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
// Where `x` is greater, or NaN: what replaces the greatest so far.
inline M wins(V x, V best) { return (x > best) | (x != x); }
inline M passes(V y) { return ~(y <= zeros()); }  // where ReLU hands a gradient on
inline V choose(M m, V yes, V no) {
  return reinterpret_cast<V>((m & reinterpret_cast<M>(yes)) | (~m & reinterpret_cast<M>(no)));
}
inline V keep(M m, V x) { return reinterpret_cast<V>(m & reinterpret_cast<M>(x)); }
inline V relu(V x) { return choose(x < zeros(), zeros(), x); }
inline V least(V cap, V x) { return choose(x > cap, cap, x); }  // x, where there is no cap (NaN)
inline M passes(V y, V cap) { return ~((y <= zeros()) | (y >= cap)); }
inline V greater(V a, V b) { return choose(wins(a, b), a, b); }
inline I same(int x) { return I{} + x; }
inline I choose(M m, I yes, I no) { return (m & yes) | (~m & no); }
inline M equal(I a, int b) { return a == b; }
inline I counting(int from) {
  I x{};
  for (int i = 0; i < LANES; i++) x[i] = static_cast<int32_t>(static_cast<uint32_t>(from) + i);
  return x;
}
inline I exclusive_or(I a, I b) { return a ^ b; }
inline I times(I a, uint32_t b) {
  typedef uint32_t U __attribute__((vector_size(16)));
  return reinterpret_cast<I>(reinterpret_cast<U>(a) * b);
}
template <int BITS>
inline I shifted(I a) {  // to the right, zeros coming in
  typedef uint32_t U __attribute__((vector_size(16)));
  return reinterpret_cast<I>(reinterpret_cast<U>(a) >> BITS);
}
inline M at_least(I a, int b) { return a >= b; }
inline I load_bytes(const uint8_t* p, int n) {
  I x{};
  for (int i = 0; i < n; i++) x[i] = p[i];
  return x;
}
inline void store_bytes(uint8_t* p, I x, int n) {
  for (int i = 0; i < n; i++) p[i] = static_cast<uint8_t>(x[i]);
}
// Of four numbers the one that each lane asks for.
inline V pick(const float* four, I which) {
  V x{};
  for (int i = 0; i < LANES; i++) x[i] = four[which[i]];
  return x;
}
// The bits of numbers as whole numbers, and back.
inline I bits_of(V x) { return reinterpret_cast<I>(x); }
inline V of_bits(I x) { return reinterpret_cast<V>(x); }
inline I plus(I a, I b) {
  typedef uint32_t U __attribute__((vector_size(16)));
  return reinterpret_cast<I>(reinterpret_cast<U>(a) + reinterpret_cast<U>(b));
}
template <int BITS>
inline I shifted_left(I a) {
  typedef uint32_t U __attribute__((vector_size(16)));
  return reinterpret_cast<I>(reinterpret_cast<U>(a) << BITS);
}
