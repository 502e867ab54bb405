// For x86-64 with AVX2 and FMA.
#include "contract.h"

#if defined(__x86_64__)
#define ISA avx2
#pragma GCC target("avx2,fma")
namespace {
#include "simd_avx2.h"
}
#include "families.h"
#endif
