// For any processor: the compiler makes of the vectors what it has.
#include "contract.h"

#define ISA generic
namespace {
#include "simd_generic.h"
}
#include "families.h"
