// A 3x3 convolution with stride 1 and padding 1 on a processor's matrix unit, in bfloat16 with sums in float, that takes along what stands
// around it in a residual net: it normalises, adds and cuts what it reads, and sums up the moments of what it writes. So the values between
// two convolutions are written once and read once, where layer by layer it is four to eight times.
//
// Each image is laid out in the cache first, with zeros around it; a window's row, three pixels with all their channels, then stands in one
// piece, and is a row of the unit's left side (16 x 32). On the way back the image's gradient is laid out so too. For the gradient of the
// weights, dW[o][ky][kx][i] = the sum over all pixels p of g[p][o] * x[p + (ky - 1, kx - 1)][i], it is laid out once more, as there pixels
// are the side that is summed over and must stand beside one another: the gradient turned, the input as pairs, once for each kx (a shift by
// ky is a shift of whole rows). The products of both are taken while all this is in the cache.

#include "layouts.h"
#ifdef HAS_AMX
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

using namespace amx;

namespace {

constexpr size_t CACHE = 200 << 10;  // bytes that are laid out before they are multiplied
constexpr int TOGETHER = 1024;       // pixels whose sums are float

// The products of one padded image with the weights: ``finish(channel, tile, places)`` gets 16 pixels of 16 channels in float, and where
// each pixel stands in the image (-1: nowhere).
template <int OUTS, class Finish>
inline void products(const uint16_t* padded, int stride, int inputs, int outputs, const uint16_t* weights, int from, int count,
                     const int* places, Finish finish) {
    constexpr int PIXELS = OUTS == 2 ? 32 : 64;
    const int n = steps(inputs), bytes = 2 * inputs;
    const size_t next = (size_t)3 * n * TILE;
    alignas(64) float sums[4 * C * C];
    for (int q = from; q < count; q += PIXELS)
        for (int o = 0; o < outputs; o += OUTS * C) {
            const uint16_t* b = weights + o / C * next;
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (int ky = 0; ky < 3; ky++) {
                const uint16_t* a = padded + (size_t)(q + ky * stride) * inputs;
                for (int s = 0; s < n; s++, a += P, b += TILE) {
                    _tile_loadd(6, b, 64);
                    _tile_loadd(4, a, bytes);
                    _tile_dpbf16ps(0, 4, 6);
                    if (OUTS == 2) {
                        _tile_loadd(7, b + next, 64);
                        _tile_dpbf16ps(1, 4, 7);
                        _tile_loadd(5, a + C * inputs, bytes);
                        _tile_dpbf16ps(2, 5, 6);
                        _tile_dpbf16ps(3, 5, 7);
                    } else {
                        _tile_loadd(5, a + C * inputs, bytes);
                        _tile_dpbf16ps(1, 5, 6);
                        _tile_loadd(4, a + 2 * C * inputs, bytes);
                        _tile_dpbf16ps(2, 4, 6);
                        _tile_loadd(5, a + 3 * C * inputs, bytes);
                        _tile_dpbf16ps(3, 5, 6);
                    }
                }
            }
            _tile_stored(0, sums, 64);
            _tile_stored(1, sums + C * C, 64);
            _tile_stored(2, sums + 2 * C * C, 64);
            _tile_stored(3, sums + 3 * C * C, 64);
            for (int tile = 0; tile < 4; tile++) finish(o + tile % OUTS * C, sums + tile * C * C, places + q + tile / OUTS * C);
        }
}

// All products of an image; after every TOGETHER pixels or so ``gather`` is called.
template <class Finish, class Gather>
void all_products(const Shape& s, const uint16_t* padded, int inputs, int outputs, const uint16_t* weights, const int* places,
                  Finish finish, Gather gather) {
    const int count = s.height * s.stride();
    for (int from = 0; from < count; from += TOGETHER) {
        const int to = from + TOGETHER < count ? from + TOGETHER : count;
        if (outputs / C % 2)
            products<1>(padded, s.stride(), inputs, outputs, weights, from, to, places, finish);
        else
            products<2>(padded, s.stride(), inputs, outputs, weights, from, to, places, finish);
        gather();
    }
}

// Two sums a channel: float within an image or so, double beyond.
struct Sums {
    std::vector<float> now;
    std::vector<double> all;
    explicit Sums(int channels) : now(2 * channels), all(2 * channels) {}
    void gather() {
        for (size_t i = 0; i < now.size(); i++) all[i] += now[i], now[i] = 0;
    }
};

// What the next image needs is asked for while this one is multiplied, a piece with each tile: memory is slow, and has nothing to do then.
class Next {
    struct Piece {
        const char* at;
        size_t bytes;
    };
    std::vector<Piece> pieces;

   public:
    void begin() { pieces.clear(); }
    void add(const uint16_t* at, size_t values, int tiles) { pieces.push_back({(const char*)at, (2 * values / tiles + 63) / 64 * 64}); }
    void ask() {
        for (Piece& piece : pieces)
            for (const char* end = piece.at + piece.bytes; piece.at < end; piece.at += 64) _mm_prefetch(piece.at, _MM_HINT_T1);
    }
};

// The mean of a tile's pixels: the value around which the others' sums are taken, so that little is lost where their mean is far from 0.
__m512 middle_of(const float* tile, const int* place) {
    __m512 sum = _mm512_setzero_ps();
    int count = 0;
    for (int r = 0; r < C; r++)
        if (place[r] >= 0) sum = _mm512_add_ps(sum, _mm512_load_ps(tile + C * r)), count++;
    return _mm512_div_ps(sum, _mm512_set1_ps((float)count));
}

// Adds to the sums of the weights' gradient, for 16 inputs and 16 outputs each nine tiles (3, 3), what ``count`` images give.
void add_weights(const uint16_t* inputs_laid, size_t laid, size_t plane, const uint16_t* gradients_laid, size_t turned, int width,
                 int blocks, int ins, int outs, int count, float* sums) {
    for (int i = 0; i < ins; i++)
        for (int kx = 0; kx < 3; kx++)
            for (int o = 0; o < outs; o++) {
                float* sum = sums + (((size_t)o * ins + i) * 9 + kx) * C * C;  // ky is 3 tiles further
                _tile_loadd(0, sum, 64);
                _tile_loadd(1, sum + 3 * C * C, 64);
                _tile_loadd(2, sum + 6 * C * C, 64);
                for (int k = 0; k < count; k++) {
                    const uint16_t* a = gradients_laid + turned * k + (size_t)o * blocks * TILE;
                    const uint16_t* b = inputs_laid + laid * k + (3 * i + kx) * plane;
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

// The threads' sums together, as the gradient (outputs, 3, 3, inputs).
void gather_weights(const std::vector<float>& sums, int threads, int inputs, int outputs, float* gradient) {
    const int ins = inputs / C;
    const size_t of_thread = sums.size() / threads;
    for (int o = 0; o < outputs; o++)
        for (int shift = 0; shift < 9; shift++)
            for (int i = 0; i < ins; i++) {
                const float* one = &sums[(((size_t)(o / C) * ins + i) * 9 + shift) * C * C + o % C * C];
                __m512 sum = _mm512_loadu_ps(one);
                for (int t = 1; t < threads; t++) sum = _mm512_add_ps(sum, _mm512_loadu_ps(one + of_thread * t));
                _mm512_storeu_ps(gradient + ((size_t)o * 9 + shift) * inputs + i * C, sum);
            }
}

}  // namespace

extern "C" {

// Whether the system lets this process use the unit.
int convolution_ready() { return syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */) == 0; }

// z = the convolution of the ready x, which is also written to y (if not null). Ready it is by ``factors`` (4, inputs: mean, 1 / deviation,
// scale, offset), plus ``residual``, through a ReLU; or without factors as it is. moments (2, outputs): mean and variance of z.
void convolution_forward(int64_t images, int height, int width, int inputs, int outputs, int threads, const uint16_t* x,
                         const uint16_t* residual, const float* factors, int relu, uint16_t* y, const float* weight, uint16_t* z,
                         double* moments) {
    const Shape shape{height, width};
    const Ready how(factors ? factors + 2 * inputs : nullptr, factors ? factors + 3 * inputs : nullptr, relu);
    const int pixels = shape.pixels();
    const std::vector<int> places = places_of(shape);
    Memory weights((size_t)outputs / C * 3 * steps(inputs) * TILE);
    lay_weights(weight, inputs, outputs, weights.at);
    std::vector<Sums> sums(threads, Sums(outputs));
    std::vector<float> around((size_t)outputs * threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        Memory padded(padded_values(shape, inputs));
        Next next;
        const Tiles config;
        _tile_loadconfig(&config);
        float *shift = &around[(size_t)outputs * t], *now = sums[t].now.data();
        const int64_t first = images * t / threads;
        for (int64_t image = first; image < images * (t + 1) / threads; image++) {
            for (int r = 0; r < height; r++) {
                const int64_t at = (image * pixels + (int64_t)r * width) * inputs;
                const uint16_t* more = residual ? residual + at : nullptr;
                make_ready(how, inputs, width, x + at, more, shape.row(padded.at, r, inputs), y ? y + at : nullptr);
            }
            uint16_t* to = z + image * pixels * outputs;
            const int tiles = (pixels + C - 1) / C * outputs / C;
            next.begin();
            for (const uint16_t* one : {x, residual, (const uint16_t*)y})
                if (one) next.add(one + (image + 1) * pixels * inputs, (size_t)pixels * inputs, tiles);
            next.add(to + (int64_t)pixels * outputs, (size_t)pixels * outputs, tiles);
            auto write = [&](int c, const float* tile, const int* place) {
                next.ask();
                if (image == first && place == places.data()) _mm512_storeu_ps(shift + c, middle_of(tile, place));
                const __m512 middle = _mm512_loadu_ps(shift + c);
                __m512 a = _mm512_loadu_ps(now + c), b = _mm512_loadu_ps(now + outputs + c);
                for (int r = 0; r < C; r++) {
                    if (place[r] < 0) continue;
                    const __m256i h = narrow(_mm512_load_ps(tile + C * r));
                    store(to + (size_t)place[r] * outputs + c, h);
                    const __m512 d = _mm512_sub_ps(wide(h), middle);
                    a = _mm512_add_ps(a, d);
                    b = _mm512_fmadd_ps(d, d, b);
                }
                _mm512_storeu_ps(now + c, a);
                _mm512_storeu_ps(now + outputs + c, b);
            };
            all_products(shape, padded.at, inputs, outputs, weights.at, places.data(), write, [&] { sums[t].gather(); });
        }
        _tile_release();
    }
    // Each thread's sums lie around a value of its own: they are put together as Chan et al. (1983) do.
    for (int c = 0; c < outputs; c++) {
        double mean = 0, m2 = 0, n = 0;
        for (int t = 0; t < threads; t++) {
            const double k = (double)(images * (t + 1) / threads - images * t / threads) * pixels;
            if (k == 0) continue;
            const double a = sums[t].all[c], b = sums[t].all[outputs + c], here = around[(size_t)outputs * t + c] + a / k, d = here - mean;
            m2 += b - a * a / k + d * d * n * k / (n + k);
            mean += d * k / (n + k);
            n += k;
        }
        moments[c] = mean;
        moments[outputs + c] = m2 < 0 ? 0 : m2 / n;
    }
}

// The way back. dz is the gradient of z but for what ``dmoments`` (2, outputs; or null) adds, the gradient of the moments of z.
// What comes out is the gradient of the ready input, plus ``also`` (or null). Without factors dx gets it. With them it goes through the ReLU
// (by y, or where that is null by x); ``inner`` (or null) gets it there, the residual's gradient; dx gets it times scale; and totals
// (2, inputs) get the sums of it, and of it times (x - mean), for the gradients of the factors.
void convolution_backward(int64_t images, int height, int width, int inputs, int outputs, int threads, const uint16_t* dz,
                          const uint16_t* z, const double* moments, const double* dmoments, const uint16_t* x, const uint16_t* y,
                          const float* factors, int relu, const uint16_t* also, const float* weight, uint16_t* inner, uint16_t* dx,
                          double* totals, float* dweight) {
    const Shape shape{height, width};
    const float *mean = factors, *scale = factors ? factors + 2 * inputs : nullptr, *offset = factors ? factors + 3 * inputs : nullptr;
    const Ready how(scale, offset, relu);
    std::vector<float> along(outputs), plus(outputs);
    for (int c = 0; dmoments && c < outputs; c++) {
        const double n = (double)images * shape.pixels(), slope = 2 * dmoments[outputs + c] / n;
        along[c] = (float)slope;
        plus[c] = (float)(dmoments[c] / n - slope * moments[c]);
    }
    const Ready whole(along.data(), plus.data(), false);
    const int pixels = shape.pixels(), blocks = pixels / P, ins = inputs / C, outs = outputs / C;
    const std::vector<int> places = places_of(shape);
    Memory weights((size_t)ins * 3 * steps(outputs) * TILE);
    lay_weights_back(weight, inputs, outputs, weights.at);
    const size_t plane = (size_t)(height + 2) * width * C, laid = 3 * ins * plane, turned = (size_t)outs * blocks * TILE;
    const size_t fit = CACHE / (2 * (laid + turned)), at_once = fit ? fit : 1, tiles = (size_t)9 * ins * outs;
    std::vector<float> of_weights(tiles * C * C * threads);
    std::vector<Sums> sums(threads, Sums(inputs));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        const int64_t end = images * (t + 1) / threads;
        Memory of_input(laid * at_once), of_gradient(turned * at_once), padded(padded_values(shape, outputs));
        Memory ready((size_t)pixels * inputs), gradient((size_t)pixels * outputs);
        const Tiles config;
        _tile_loadconfig(&config);
        float* now = sums[t].now.data();
        for (int64_t from = images * t / threads; from < end; from += at_once) {
            const int count = (int)(end - from < (int64_t)at_once ? end - from : at_once);
            for (int k = 0; k < count; k++) {
                const int64_t in = (from + k) * pixels * inputs, out = (from + k) * pixels * outputs;
                const uint16_t *input = y ? y + in : x + in, *g = dz + out;
                if (!y && scale) {
                    make_ready(how, inputs, pixels, x + in, nullptr, ready.at, nullptr);
                    input = ready.at;
                }
                if (dmoments) {
                    make_ready(whole, outputs, pixels, z + out, g, gradient.at, nullptr);
                    g = gradient.at;
                }
                lay_input(input, height, width, inputs, plane, of_input.at + laid * k);
                lay_gradient(g, pixels, outputs, of_gradient.at + turned * k);
                const size_t row = (size_t)width * outputs;
                for (int r = 0; r < height; r++) std::memcpy(shape.row(padded.at, r, outputs), g + r * row, 2 * row);
                auto write = [&](int c, const float* tile, const int* place) {
                    __m512 a{}, b{}, by{}, begin{}, middle{};
                    if (scale) {
                        a = _mm512_loadu_ps(now + c), b = _mm512_loadu_ps(now + inputs + c), by = _mm512_loadu_ps(scale + c);
                        begin = _mm512_loadu_ps(offset + c), middle = _mm512_loadu_ps(mean + c);
                    }
                    for (int r = 0; r < C; r++) {
                        if (place[r] < 0) continue;
                        const int64_t at = in + (int64_t)place[r] * inputs + c;
                        __m512 d = _mm512_load_ps(tile + C * r);
                        if (also) d = _mm512_add_ps(d, wide(also + at));
                        if (!scale) {
                            store(dx + at, narrow(d));
                            continue;
                        }
                        const __m512 v = wide(x + at);
                        if (relu) {
                            const __m512 let = y ? wide(y + at) : _mm512_fmadd_ps(v, by, begin);
                            d = _mm512_mask_mov_ps(d, _mm512_cmp_ps_mask(let, _mm512_setzero_ps(), _CMP_LE_OQ), _mm512_setzero_ps());
                        }
                        if (inner) {
                            const __m256i h = narrow(d);
                            store(inner + at, h);
                            d = wide(h);
                        }
                        store(dx + at, narrow(_mm512_mul_ps(d, by)));
                        a = _mm512_add_ps(a, d);
                        b = _mm512_fmadd_ps(d, _mm512_sub_ps(v, middle), b);
                    }
                    if (scale) _mm512_storeu_ps(now + c, a), _mm512_storeu_ps(now + inputs + c, b);
                };
                all_products(shape, padded.at, outputs, inputs, weights.at, places.data(), write, [&] { sums[t].gather(); });
            }
            add_weights(of_input.at, laid, plane, of_gradient.at, turned, width, blocks, ins, outs, count, &of_weights[tiles * C * C * t]);
        }
        _tile_release();
    }
    gather_weights(of_weights, threads, inputs, outputs, dweight);
    for (int i = 0; scale && i < 2 * inputs; i++) {
        totals[i] = 0;
        for (int t = 0; t < threads; t++) totals[i] += sums[t].all[i];
    }
}
}
#endif
