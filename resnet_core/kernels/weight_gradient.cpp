// The gradient of the weights of a 3x3 convolution with stride 1 and padding 1, of bfloat16 with sums in float, on a processor's matrix unit.
//
// oneDNN, whose convolutions torch calls, takes two to four times as long for it as forwards where channels are few: half of a step's
// convolutions. It is dW[o][ky][kx][i] = the sum over all pixels p of g[p][o] * x[p + (ky - 1, kx - 1)][i]: for each of the nine shifts a
// product of two matrices whose common side is the pixels. The unit multiplies (16 x 32) by (32 x 16) and wants the left one with pixels
// beside one another, and of the right one two neighbours beside one another. So each image is laid out anew: the gradient turned, the input
// as pairs, once for each kx (a shift by ky is a shift of whole rows); both stay in the cache until they are multiplied.

#if defined(__AMX_BF16__) && defined(__AVX512F__) && defined(__linux__)

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace {

constexpr int C = 16;            // channels at a time
constexpr int P = 32;            // pixels at a time
constexpr int TILE = C * P;      // values of a tile
constexpr size_t CACHE = 200 << 10;  // bytes that are laid out before they are multiplied

struct alignas(64) Tiles {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
    Tiles() {
        for (int i = 0; i < 8; i++) bytes[i] = 64, rows[i] = 16;
    }
};

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

// 16 values, each in the lower half of a lane; what comes 4 KiB later is asked for.
inline __m512i low(const uint16_t* p) {
    __builtin_prefetch((const char*)p + 4096);
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p));
}
inline __m512i pair(__m512i first, __m512i second) { return _mm512_or_si512(first, _mm512_slli_epi32(second, 16)); }

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

// An image's gradient, (pixels, channels) -> for 16 channels and 32 pixels each a tile (16, 32).
void lay_gradient(const uint16_t* g, int pixels, int channels, uint16_t* to) {
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
void lay_input(const uint16_t* x, int height, int width, int channels, size_t plane, uint16_t* to) {
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

}  // namespace

extern "C" {

// Whether the system lets this process use the unit.
int weight_gradient_ready() { return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0; }

// x is (images, height, width, inputs), g (images, height, width, outputs), the gradient (outputs, 3, 3, inputs).
// Channels are multiples of 16, the width is even, and an image has a multiple of 32 pixels.
void weight_gradient(int64_t images, int height, int width, int inputs, int outputs, int threads, const uint16_t* x, const uint16_t* g,
                     float* gradient) {
    const int pixels = height * width, blocks = pixels / P, ins = inputs / C, outs = outputs / C;
    const size_t plane = (size_t)(height + 2) * width * C, laid = 3 * ins * plane, turned = (size_t)outs * blocks * TILE;
    const size_t fit = CACHE / (2 * (laid + turned)), at_once = fit ? fit : 1, tiles = (size_t)9 * ins * outs;
    std::vector<float> sums(tiles * C * C * threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        const int64_t end = images * (t + 1) / threads;
        Memory of_input(laid * at_once), of_gradient(turned * at_once);
        const Tiles shape;
        _tile_loadconfig(&shape);
        for (int64_t from = images * t / threads; from < end; from += at_once) {
            const int count = (int)(end - from < (int64_t)at_once ? end - from : at_once);
            for (int k = 0; k < count; k++) {
                lay_input(x + (from + k) * pixels * inputs, height, width, inputs, plane, of_input.at + laid * k);
                lay_gradient(g + (from + k) * pixels * outputs, pixels, outputs, of_gradient.at + turned * k);
            }
            for (int i = 0; i < ins; i++)
                for (int kx = 0; kx < 3; kx++)
                    for (int o = 0; o < outs; o++) {
                        float* sum = &sums[(tiles * t + ((size_t)o * ins + i) * 9 + kx) * C * C];  // ky is 3 tiles further
                        _tile_loadd(0, sum, 64);
                        _tile_loadd(1, sum + 3 * C * C, 64);
                        _tile_loadd(2, sum + 6 * C * C, 64);
                        for (int k = 0; k < count; k++) {
                            const uint16_t* a = of_gradient.at + turned * k + (size_t)o * blocks * TILE;
                            const uint16_t* b = of_input.at + laid * k + (3 * i + kx) * plane;
                            for (int p = 0; p < blocks; p++, a += TILE, b += TILE) {
                                _tile_loadd(6, a, 64);
                                _tile_loadd(3, b, 64);
                                _tile_dpbf16ps(0, 6, 3);
                                _tile_loadd(4, b + C * width, 64);
                                _tile_dpbf16ps(1, 6, 4);
                                _tile_loadd(5, b + 2 * C * width, 64);
                                _tile_dpbf16ps(2, 6, 5);
                            }
                        }
                        _tile_stored(0, sum, 64);
                        _tile_stored(1, sum + 3 * C * C, 64);
                        _tile_stored(2, sum + 6 * C * C, 64);
                    }
        }
        _tile_release();
    }
    for (int o = 0; o < outputs; o++)
        for (int shift = 0; shift < 9; shift++)
            for (int i = 0; i < ins; i++) {
                const float* one = &sums[(((size_t)(o / C) * ins + i) * 9 + shift) * C * C + o % C * C];
                __m512 sum = _mm512_loadu_ps(one);
                for (int t = 1; t < threads; t++) sum = _mm512_add_ps(sum, _mm512_loadu_ps(one + tiles * t * C * C));
                _mm512_storeu_ps(gradient + ((size_t)o * 9 + shift) * inputs + i * C, sum);
            }
}
}

#endif
