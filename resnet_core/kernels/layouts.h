// How the convolution by a processor's matrix unit wants images, gradients and weights to lie: all that is laid out anew in the cache.
#pragma once

#include "amx.h"
#ifdef HAS_AMX

#include <vector>

namespace amx {

struct Shape {
    int height, width;
    int pixels() const { return height * width; }
    int stride() const { return width + 1; }  // of a padded image's rows: the zero behind one row is that before the next
    uint16_t* row(uint16_t* padded, int number, int channels) const { return padded + ((size_t)(number + 1) * stride() + 1) * channels; }
};

// An image with zeros around it, and what the last tiles read beyond it.
inline size_t padded_values(const Shape& s, int channels) { return ((size_t)(s.height + 2) * s.stride() + 5 * C) * channels; }

// Steps of 32 values that a row of the window (three pixels, all channels) is multiplied in.
inline int steps(int channels) { return (3 * channels + P - 1) / P; }

// The weights (outputs, 3, 3, inputs) as tiles: for 16 outputs, each row of the window and each step (16 pairs of values, 16 outputs).
inline void lay_weights(const float* weight, int inputs, int outputs, uint16_t* to) {
    for (int o = 0; o < outputs; o += C)
        for (int ky = 0; ky < 3; ky++)
            for (int k = 0; k < 3 * inputs; k += P, to += TILE) {
                __m512i r[16];
                const bool whole = k + C < 3 * inputs;
                for (int i = 0; i < C; i++) {
                    const float* from = weight + ((size_t)(o + i) * 3 + ky) * 3 * inputs + k;
                    r[i] = (__m512i)_mm512_cvtne2ps_pbh(whole ? _mm512_loadu_ps(from + C) : _mm512_setzero_ps(), _mm512_loadu_ps(from));
                }
                turn(r);
                for (int i = 0; i < 16; i++) _mm512_store_si512(to + 32 * i, r[i]);
            }
}

// The same for the way back: inputs and outputs change places, and the window is turned around.
inline void lay_weights_back(const float* weight, int inputs, int outputs, uint16_t* to) {
    for (int i = 0; i < inputs; i += C)
        for (int ky = 2; ky >= 0; ky--)
            for (int k = 0; k < 3 * outputs; k += P, to += TILE)
                for (int j = 0; j < P; j += 2) {
                    auto row = [&](int at) {
                        if (at >= 3 * outputs) return _mm512_setzero_si512();
                        const float* from = weight + (((size_t)(at % outputs) * 3 + ky) * 3 + 2 - at / outputs) * inputs + i;
                        return low(narrow(_mm512_loadu_ps(from)));
                    };
                    _mm512_store_si512(to + C * j, pair(row(k + j), row(k + j + 1)));
                }
}

inline std::vector<int> places_of(const Shape& s) {
    std::vector<int> places(s.height * s.stride() + 4 * C, -1);
    for (int y = 0; y < s.height; y++)
        for (int x = 0; x < s.width; x++) places[y * s.stride() + x] = y * s.width + x;
    return places;
}

// How an image becomes ready for the convolution: x * scale + offset, + residual, cut at ``floor``; without ``scale`` it is so already.
struct Ready {
    const float *scale, *offset;
    float floor;
    Ready(const float* scale, const float* offset, bool relu) : scale(scale), offset(offset), floor(relu ? 0 : -__builtin_inff()) {}
};

template <int N>
void ready_rows(const Ready& how, int channels, int pixels, const uint16_t* x, const uint16_t* residual, uint16_t* to, uint16_t* also) {
    const int width = N ? N : channels;
    const __m512 floor = _mm512_set1_ps(how.floor);
    for (int64_t i = 0; i < (int64_t)pixels * width; i += width)
        for (int c = 0; c < width; c += C) {
            ahead(x + i + c);
            __m512 v = _mm512_fmadd_ps(wide(x + i + c), _mm512_loadu_ps(how.scale + c), _mm512_loadu_ps(how.offset + c));
            if (residual) {
                ahead(residual + i + c);
                v = _mm512_add_ps(v, wide(residual + i + c));
            }
            const __m256i h = narrow(_mm512_max_ps(floor, v));  // of a NaN a NaN
            store(to + i + c, h);
            if (also) store(also + i + c, h);
        }
}

inline void make_ready(const Ready& how, int channels, int pixels, const uint16_t* x, const uint16_t* residual, uint16_t* to,
                       uint16_t* also) {
    if (!how.scale) {
        for (int64_t i = 0; i < (int64_t)pixels * channels; i += C) {
            ahead(x + i);
            store(to + i, _mm256_loadu_si256((const __m256i*)(x + i)));
        }
        return;
    }
    switch (channels) {
        case 16: return ready_rows<16>(how, channels, pixels, x, residual, to, also);
        case 32: return ready_rows<32>(how, channels, pixels, x, residual, to, also);
        case 64: return ready_rows<64>(how, channels, pixels, x, residual, to, also);
        default: return ready_rows<0>(how, channels, pixels, x, residual, to, also);
    }
}

// An image's gradient, (pixels, channels) -> for 16 channels and 32 pixels each a tile (16, 32).
inline void lay_gradient(const uint16_t* g, int pixels, int channels, uint16_t* to) {
    for (int c = 0; c < channels; c += C)
        for (int p = 0; p < pixels; p += P, to += TILE) {
            __m512i r[16];
            for (int i = 0; i < 16; i++) {
                const uint16_t* from = g + (size_t)(p + 2 * i) * channels + c;
                r[i] = pair(low(from), low(from + channels));
            }
            turn(r);
            for (int i = 0; i < 16; i++) _mm512_store_si512(to + 32 * i, r[i]);
        }
}

// An image's input -> for 16 channels and each kx a plane of pairs, with a row of zeros (which is there) above and below.
inline void lay_input(const uint16_t* x, int height, int width, int channels, size_t plane, uint16_t* to) {
    for (int c = 0; c < channels; c += C) {
        uint16_t* left = to + 3 * (c / C) * plane + C * width;
        uint16_t *middle = left + plane, *right = middle + plane;
        const uint16_t* from = x + c;
        for (int y = 0; y < height; y++) {
            __m512i before = _mm512_setzero_si512();
            for (int j = 0; j < width; j += 2, from += 2 * channels, left += 32, middle += 32, right += 32) {
                __m512i first = low(from), second = low(from + channels), across = pair(before, first);
                _mm512_store_si512(left, across);
                if (j) _mm512_store_si512(right - 32, across);
                _mm512_store_si512(middle, pair(first, second));
                before = second;
            }
            _mm512_store_si512(right - 32, before);
        }
    }
}

}  // namespace amx

#endif
