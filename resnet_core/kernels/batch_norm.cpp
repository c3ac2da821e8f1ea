// Batch normalisation in training, with the addition and the ReLU behind it, in as few passes over memory as batch statistics allow.
//
// Values lie as (rows, channels), the memory of a channels_last tensor: one row is one pixel of one image, and the channels are a multiple
// of 16. They are float, or bfloat16 with all arithmetic in float. Sums over a block of rows are float, sums of blocks double.

#include <cmath>
#include <cstdint>
#include <vector>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace {

constexpr int W = 16;            // values at a time
constexpr int64_t BLOCK = 256;   // rows whose sums are float
constexpr int SOME = 16;         // rows that say around which value the others lie

typedef float F __attribute__((vector_size(4 * W)));
typedef uint32_t U __attribute__((vector_size(4 * W)));
typedef uint16_t H __attribute__((vector_size(2 * W)));
typedef F Floats __attribute__((aligned(4), may_alias));
typedef H Halves __attribute__((aligned(2), may_alias));

inline F load(const float* p) { return *(const Floats*)p; }
inline F load(const uint16_t* p) {
    __builtin_prefetch((const char*)p + 2048);
#ifdef __AVX512F__  // one instruction, where gcc 12 makes two halves of what stands below
    return (F)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16);
#else
    return (F)(__builtin_convertvector(*(const Halves*)p, U) << 16);
#endif
}
inline void store(float* p, F v) { *(Floats*)p = v; }
inline void store(uint16_t* p, F v) {
#ifdef __AVX512BF16__
    *(Halves*)p = (H)_mm512_cvtneps_pbh((__m512)v);
#else
    // To the nearest, ties to even; adding to a NaN could make a number of it, and divergence is to be seen.
    U u = (U)v;
    U rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    *(Halves*)p = __builtin_convertvector((v == v) ? rounded : (U{} + 0x7fc0), H);
#endif
}

// x behind the ReLU; a NaN stays one.
inline F positive(F v) { return (v < 0) ? F{} : v; }
// The gradient in front of a ReLU that gave y.
inline F masked(F gradient, F y) { return (y <= 0) ? F{} : gradient; }

struct Part {
    int64_t begin, end;
};
Part part(int64_t rows, int number, int of) { return {rows * number / of, rows * (number + 1) / of}; }

// Two sums for each channel over all rows, of what ``terms(row, channel, a, b)`` adds for 16 channels; the same for any one ``threads``.
template <class Terms>
void sums(int64_t rows, int channels, int threads, double* first, double* second, Terms terms) {
    std::vector<double> partial(2 * (size_t)channels * threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        double* a = &partial[2 * (size_t)channels * t];
        double* b = a + channels;
        Part mine = part(rows, t, threads);
        for (int64_t from = mine.begin; from < mine.end; from += BLOCK) {
            int64_t to = from + BLOCK < mine.end ? from + BLOCK : mine.end;
            for (int c = 0; c < channels; c += W) {
                F a0{}, a1{}, b0{}, b1{};  // two of each: an addition takes longer than the next one waits
                int64_t r = from;
                for (; r + 1 < to; r += 2) {
                    terms(r, c, a0, b0);
                    terms(r + 1, c, a1, b1);
                }
                if (r < to) terms(r, c, a0, b0);
                a0 += a1;
                b0 += b1;
                for (int i = 0; i < W; i++) a[c + i] += a0[i], b[c + i] += b0[i];
            }
        }
    }
    for (int c = 0; c < channels; c++) {
        first[c] = second[c] = 0;
        for (int t = 0; t < threads; t++) {
            first[c] += partial[2 * (size_t)channels * t + c];
            second[c] += partial[2 * (size_t)channels * t + channels + c];
        }
    }
}

// Backwards by blocks: what the sums have read last is still in the cache, and what comes next begins with the first rows.
template <int N, class Each>
void rows_of(int64_t rows, int channels, int threads, Each each) {
    const int width = N ? N : channels;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++) {
        Part mine = part(rows, t, threads);
        for (int64_t to = mine.end; to > mine.begin; to -= BLOCK) {
            for (int64_t r = to - BLOCK > mine.begin ? to - BLOCK : mine.begin; r < to; r++)
#pragma GCC unroll 4
                for (int c = 0; c < width; c += W) each(r * width + c, c);
        }
    }
}

// Call ``each(place, channel)`` for every 16 values; the widths of CIFAR's nets are known to the compiler, which keeps their factors at hand.
template <class Each>
void everywhere(int64_t rows, int channels, int threads, Each each) {
    switch (channels) {
        case 16: return rows_of<16>(rows, channels, threads, each);
        case 32: return rows_of<32>(rows, channels, threads, each);
        case 64: return rows_of<64>(rows, channels, threads, each);
        default: return rows_of<0>(rows, channels, threads, each);
    }
}

template <class T>
void forward(int64_t rows, int channels, int threads, const T* x, const T* residual, const float* weight, const float* bias,
             float* running_mean, float* running_var, float momentum, float eps, int relu, T* y, float* mean, float* rstd) {
    std::vector<double> a(channels), b(channels);
    std::vector<float> shift(channels), scale(channels), offset(channels);
    // Around the mean of a few rows, so that little is lost where a channel's mean is far from 0.
    for (int c = 0; c < channels; c += W) {
        F some{};
        for (int i = 0; i < SOME; i++) some += load(x + rows * i / SOME * channels + c);
        store(&shift[c], some / (float)SOME);
    }
    const float* around = shift.data();
    sums(rows, channels, threads, a.data(), b.data(), [=](int64_t r, int c, F& s, F& q) {
        F d = load(x + r * channels + c) - load(around + c);
        s += d;
        q += d * d;
    });
    for (int c = 0; c < channels; c++) {
        double m = a[c] / rows, variance = b[c] / rows - m * m;
        variance = variance < 0 ? 0 : variance;  // of a NaN a NaN
        mean[c] = (float)(around[c] + m);
        rstd[c] = (float)(1 / std::sqrt(variance + eps));
        running_mean[c] += momentum * (mean[c] - running_mean[c]);
        running_var[c] += momentum * ((float)(variance * rows / (rows - 1)) - running_var[c]);
        scale[c] = weight[c] * rstd[c];
        offset[c] = bias[c] - mean[c] * scale[c];
    }
    const float *by = scale.data(), *plus = offset.data();
    if (residual && relu)
        everywhere(rows, channels, threads, [=](int64_t i, int c) {
            store(y + i, positive(load(x + i) * load(by + c) + load(plus + c) + load(residual + i)));
        });
    else if (residual)
        everywhere(rows, channels, threads,
                   [=](int64_t i, int c) { store(y + i, load(x + i) * load(by + c) + load(plus + c) + load(residual + i)); });
    else if (relu)
        everywhere(rows, channels, threads,
                   [=](int64_t i, int c) { store(y + i, positive(load(x + i) * load(by + c) + load(plus + c))); });
    else
        everywhere(rows, channels, threads, [=](int64_t i, int c) { store(y + i, load(x + i) * load(by + c) + load(plus + c)); });
}

// ``gradient`` is that of the output, to which ``also`` is added where the output is read in two places (else null). Behind a residual and a ReLU, ``y`` says where the ReLU let it through and ``inner`` takes what came
// through: the gradient of the residual. Without a residual (both null) x says it too, with one pass over memory less.
template <class T>
void backward(int64_t rows, int channels, int threads, const T* gradient, const T* also, const T* x, const T* y, const float* weight,
              const float* bias, const float* mean, const float* rstd, int relu, T* inner, T* dx, float* dweight, float* dbias) {
    std::vector<double> a(channels), b(channels);
    std::vector<float> scale(channels), offset(channels), along(channels), plus(channels);
    for (int c = 0; c < channels; c++) scale[c] = weight[c] * rstd[c], offset[c] = bias[c] - mean[c] * scale[c];
    const float *by = scale.data(), *begin = offset.data(), *p = along.data(), *q = plus.data();
    auto both = [&](auto first, auto again) {
        sums(rows, channels, threads, a.data(), b.data(), [=](int64_t r, int c, F& s, F& t) {
            F v = load(x + r * channels + c), g = first(r * channels + c, c, v);
            s += g;
            t += g * (v - load(mean + c));
        });
        for (int c = 0; c < channels; c++) {
            dbias[c] = (float)a[c];
            dweight[c] = (float)(b[c] * rstd[c]);
            double slope = -(double)scale[c] * rstd[c] * rstd[c] * b[c] / rows;
            along[c] = (float)slope;
            plus[c] = (float)(-scale[c] * a[c] / rows - slope * mean[c]);
        }
        everywhere(rows, channels, threads, [=](int64_t i, int c) {
            F v = load(x + i);
            store(dx + i, load(by + c) * again(i, c, v) + load(p + c) * v + load(q + c));
        });
    };
    auto direct = [=](int64_t i, int, F) { return also ? load(gradient + i) + load(also + i) : load(gradient + i); };
    auto through = [=](int64_t i, int c, F v) { return masked(direct(i, c, v), v * load(by + c) + load(begin + c)); };
    auto kept = [=](int64_t i, int c, F v) {
        F g = masked(direct(i, c, v), load(y + i));
        store(inner + i, g);
        return g;
    };
    if (y)
        both(kept, [=](int64_t i, int, F) { return load(inner + i); });
    else if (relu)
        both(through, through);
    else
        both(direct, direct);
}

}  // namespace

extern "C" {

void forward_float32(int64_t rows, int channels, int threads, const float* x, const float* residual, const float* weight, const float* bias,
                   float* running_mean, float* running_var, float momentum, float eps, int relu, float* y, float* mean, float* rstd) {
    forward(rows, channels, threads, x, residual, weight, bias, running_mean, running_var, momentum, eps, relu, y, mean, rstd);
}

void forward_bfloat16(int64_t rows, int channels, int threads, const uint16_t* x, const uint16_t* residual, const float* weight,
                      const float* bias, float* running_mean, float* running_var, float momentum, float eps, int relu, uint16_t* y,
                      float* mean, float* rstd) {
    forward(rows, channels, threads, x, residual, weight, bias, running_mean, running_var, momentum, eps, relu, y, mean, rstd);
}

void backward_float32(int64_t rows, int channels, int threads, const float* gradient, const float* also, const float* x, const float* y,
                      const float* weight, const float* bias, const float* mean, const float* rstd, int relu, float* inner, float* dx,
                      float* dweight, float* dbias) {
    backward(rows, channels, threads, gradient, also, x, y, weight, bias, mean, rstd, relu, inner, dx, dweight, dbias);
}

void backward_bfloat16(int64_t rows, int channels, int threads, const uint16_t* gradient, const uint16_t* also, const uint16_t* x, const uint16_t* y,
                      const float* weight, const float* bias, const float* mean, const float* rstd, int relu, uint16_t* inner, uint16_t* dx,
                      float* dweight, float* dbias) {
    backward(rows, channels, threads, gradient, also, x, y, weight, bias, mean, rstd, relu, inner, dx, dweight, dbias);
}
}
