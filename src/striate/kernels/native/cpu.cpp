// Which of the units this processor can run.
#include "contract.h"

// Of the sources that this was compiled from.
STRIATE_EXPORT const char* striate_digest() { return STRIATE_DIGEST; }

STRIATE_EXPORT int striate_supports(const char* isa) {
  if (std::strcmp(isa, "generic") == 0) return 1;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (std::strcmp(isa, "avx2") == 0) return avx2;
  if (std::strcmp(isa, "avx512") == 0) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return 0;
}
