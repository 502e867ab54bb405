// For x86-64 with AVX-512.
#include "contract.h"

#if defined(__x86_64__)
#define ISA avx512
#pragma GCC target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
namespace {
#include "simd_avx512.h"
}
#include "families.h"
#endif
