// What this processor can do.
#include "contract.h"
#if defined(__x86_64__)
#include <cpuid.h>

// Whether its instruction for products of bfloat16, if it has one, does fewer of them than those for float32: Intel's
// cores since Sapphire Rapids, which are told from others by their arithmetic in float16.
static int has_slow_bfloat16() {
  unsigned a, b, c, d = 0;
  constexpr unsigned float16 = 1u << 23;
  return __builtin_cpu_is("intel") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & float16);
}
#endif

// Of the sources that this was compiled from.
STRIATE_EXPORT const char* striate_digest() { return STRIATE_DIGEST; }

// Whether it can run a unit, or is of a kind that has a name here.
STRIATE_EXPORT int striate_supports(const char* isa) {
  if (std::strcmp(isa, "generic") == 0) return 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (std::strcmp(isa, "slow_bfloat16") == 0) return has_slow_bfloat16();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (std::strcmp(isa, "avx2") == 0) return avx2;
  if (std::strcmp(isa, "avx512") == 0) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return 0;
}
