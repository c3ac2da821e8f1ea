// What the kernels for a processor's matrix unit (AMX) share: its tiles, memory, and the turns that they want values laid out in.
#pragma once

#if defined(__AMX_BF16__) && defined(__AVX512F__) && defined(__AVX512BF16__) && defined(__linux__)
#define HAS_AMX

#include <immintrin.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace amx {

constexpr int C = 16;        // channels at a time
constexpr int P = 32;        // pixels at a time
constexpr int TILE = C * P;  // values of a tile

struct alignas(64) Tiles {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
    Tiles() {
        for (int i = 0; i < 8; i++) bytes[i] = 64, rows[i] = 16;
    }
};

// Zeros that begin on a line of the cache.
struct Memory {
    uint16_t* at;
    explicit Memory(size_t values) : at((uint16_t*)std::aligned_alloc(64, (2 * values + 63) / 64 * 64)) {
        if (!at) std::abort();
        std::memset(at, 0, 2 * values);
    }
    ~Memory() { std::free(at); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
};

// 16 values, each in the lower half of a lane.
inline __m512i low(__m256i values) { return _mm512_cvtepu16_epi32(values); }
inline __m512i low(const uint16_t* p) { return low(_mm256_loadu_si256((const __m256i*)p)); }
inline __m512i pair(__m512i first, __m512i second) { return _mm512_or_si512(first, _mm512_slli_epi32(second, 16)); }
// What comes 4 KiB later is asked for.
inline void ahead(const uint16_t* p) { __builtin_prefetch((const char*)p + 4096); }

inline __m512 wide(__m256i values) { return (__m512)_mm512_slli_epi32(low(values), 16); }
inline __m512 wide(const uint16_t* p) { return wide(_mm256_loadu_si256((const __m256i*)p)); }
inline __m256i narrow(__m512 values) { return (__m256i)_mm512_cvtneps_pbh(values); }
inline void store(uint16_t* p, __m256i values) { _mm256_storeu_si256((__m256i*)p, values); }

// Rows and columns of 16 x 16 lanes change places.
inline void turn(__m512i* r) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + 2 + j]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + 2 + j]);
        }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 16; j += 8) {
            t[j + i] = _mm512_shuffle_i32x4(r[j + i], r[j + 4 + i], 0x88);
            t[j + 4 + i] = _mm512_shuffle_i32x4(r[j + i], r[j + 4 + i], 0xdd);
        }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 8; j += 4) {
            r[j + i] = _mm512_shuffle_i32x4(t[j + i], t[8 + j + i], 0x88);
            r[8 + j + i] = _mm512_shuffle_i32x4(t[j + i], t[8 + j + i], 0xdd);
        }
}

}  // namespace amx

#endif
