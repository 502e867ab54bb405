// What every unit of the native library keeps to.
//
// * Plain C: pointers, sizes and numbers in, nothing allocated that outlives a call, nothing thrown. Every function
//   gives 0, or NO_MEMORY if it needs memory of its own and there is none; then it has done nothing.
// * Arrays are float32, channels last, without gaps. The caller has checked sizes and types.
// * `threads` is how many threads may work. They are those of the OpenMP runtime that torch has loaded: this library
//   is linked against none, so that the process has one.
// * The same arguments give the same numbers, bit for bit, for the same number of threads.
// * NaN and infinities pass as they do in torch; of equal values the first wins.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Sanitizers do not see what masked instructions touch: in their builds the ends of it are read on the way.
#if defined(__SANITIZE_ADDRESS__)
inline void touch(const void* p, int64_t bytes) {
  const volatile char* at = static_cast<const volatile char*>(p);
  if (bytes > 0) static_cast<void>(at[0]), static_cast<void>(at[bytes - 1]);
}
#else
inline void touch(const void*, int64_t) {}
#endif

// Every unit compiles the same sources for one instruction set, and exports each function under a name of its own.
#define STRIATE_JOIN(name, isa) name##_##isa
#define STRIATE_NAME(name, isa) STRIATE_JOIN(name, isa)
constexpr int NO_MEMORY = 1;

#ifndef STRIATE_DIGEST
#define STRIATE_DIGEST "unknown"  // setup.py says it
#endif

#define STRIATE_EXPORT extern "C" __attribute__((visibility("default")))
