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

// Call ``each(place, channel)`` for every 16 values; the widths of CIFAR's nets are known to the compiler, which keeps their factors at
// hand.
template <class Each>
void everywhere(int64_t rows, int channels, int threads, Each each) {
    switch (channels) {
        case 16: return rows_of<16>(rows, channels, threads, each);
        case 32: return rows_of<32>(rows, channels, threads, each);
        case 64: return rows_of<64>(rows, channels, threads, each);
        default: return rows_of<0>(rows, channels, threads, each);
    }
}

// What a channel's values are multiplied by, what is added, and what these come from: four rows of as many values as there are channels.
struct Factors {
    float *mean, *rstd, *scale, *offset;
    Factors(float* at, int channels) : mean(at), rstd(at + channels), scale(at + 2 * channels), offset(at + 3 * channels) {}
};

// The moments (2, channels) of a batch, mean and variance, become factors; the running statistics take them in.
void factors_of(int64_t rows, int channels, const double* moments, const float* weight, const float* bias, float* running_mean,
                float* running_var, float momentum, float eps, Factors to) {
    for (int c = 0; c < channels; c++) {
        const double variance = moments[channels + c];
        to.mean[c] = (float)moments[c];
        to.rstd[c] = (float)(1 / std::sqrt(variance + eps));
        to.scale[c] = weight[c] * to.rstd[c];
        to.offset[c] = bias[c] - to.mean[c] * to.scale[c];
        running_mean[c] += momentum * (to.mean[c] - running_mean[c]);
        running_var[c] += momentum * ((float)(variance * rows / (rows - 1)) - running_var[c]);
    }
}

// sums (2, channels): of the gradient behind scale and offset, and of it times (x - mean).
void gradients_of(int channels, const double* sums, Factors of, float* dweight, float* dbias, double* dmoments) {
    for (int c = 0; c < channels; c++) {
        dbias[c] = (float)sums[c];
        dweight[c] = (float)(sums[channels + c] * of.rstd[c]);
        dmoments[c] = -of.scale[c] * sums[c];
        dmoments[channels + c] = -0.5 * of.scale[c] * of.rstd[c] * of.rstd[c] * sums[channels + c];
    }
}

// What the moments' gradient adds to that of x: along * x + plus.
void line_of(int64_t rows, int channels, const double* dmoments, const float* mean, float* along, float* plus) {
    for (int c = 0; c < channels; c++) {
        const double slope = 2 * dmoments[channels + c] / rows;
        along[c] = (float)slope;
        plus[c] = (float)(dmoments[c] / rows - slope * mean[c]);
    }
}

template <class T>
void moments_of(int64_t rows, int channels, int threads, const T* x, double* moments) {
    std::vector<float> shift(channels);
    // Around the mean of a few rows, so that little is lost where a channel's mean is far from 0.
    for (int c = 0; c < channels; c += W) {
        F some{};
        for (int i = 0; i < SOME; i++) some += load(x + rows * i / SOME * channels + c);
        store(&shift[c], some / (float)SOME);
    }
    const float* around = shift.data();
    sums(rows, channels, threads, moments, moments + channels, [=](int64_t r, int c, F& s, F& q) {
        F d = load(x + r * channels + c) - load(around + c);
        s += d;
        q += d * d;
    });
    for (int c = 0; c < channels; c++) {
        const double m = moments[c] / rows, variance = moments[channels + c] / rows - m * m;
        moments[c] = around[c] + m;
        moments[channels + c] = variance < 0 ? 0 : variance;  // of a NaN a NaN
    }
}

// ``moments`` are those of x, where they are known; ``factors`` (4, channels) is for the way back.
template <class T>
void forward(int64_t rows, int channels, int threads, const T* x, const T* residual, const double* moments, const float* weight,
             const float* bias, float* running_mean, float* running_var, float momentum, float eps, int relu, T* y, float* factors) {
    std::vector<double> own(2 * channels);
    if (!moments) moments_of(rows, channels, threads, x, own.data());
    const Factors to(factors, channels);
    factors_of(rows, channels, moments ? moments : own.data(), weight, bias, running_mean, running_var, momentum, eps, to);
    const float *by = to.scale, *plus = to.offset;
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

// ``gradient`` is that of the output, to which ``also`` is added where the output is read in two places (else null). Behind a residual and
// a ReLU, ``y`` says where the ReLU let it through and ``inner`` takes what came through: the gradient of the residual. Without a residual
// (both null) x says it too, with one pass over memory less. Where ``dmoments`` (2, channels) is given, dx is without what it adds.
template <class T>
void backward(int64_t rows, int channels, int threads, const T* gradient, const T* also, const T* x, const T* y, float* factors, int relu,
              T* inner, T* dx, float* dweight, float* dbias, double* dmoments) {
    const Factors of(factors, channels);
    std::vector<double> totals(2 * channels), own(2 * channels);
    std::vector<float> along(channels), plus(channels);
    const float *by = of.scale, *begin = of.offset, *mean = of.mean, *p = along.data(), *q = plus.data();
    auto both = [&](auto first, auto again) {
        sums(rows, channels, threads, totals.data(), totals.data() + channels, [=](int64_t r, int c, F& s, F& t) {
            F v = load(x + r * channels + c), g = first(r * channels + c, c, v);
            if (dmoments) store(dx + r * channels + c, g * load(by + c));
            s += g;
            t += g * (v - load(mean + c));
        });
        gradients_of(channels, totals.data(), of, dweight, dbias, dmoments ? dmoments : own.data());
        if (dmoments) return;
        line_of(rows, channels, own.data(), mean, along.data(), plus.data());
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

#define KERNELS(NAME, T)                                                                                                                   \
    void forward_##NAME(int64_t rows, int channels, int threads, const T* x, const T* residual, const double* moments,                     \
                        const float* weight, const float* bias, float* running_mean, float* running_var, float momentum, float eps,        \
                        int relu, T* y, float* factors) {                                                                                  \
        forward(rows, channels, threads, x, residual, moments, weight, bias, running_mean, running_var, momentum, eps, relu, y, factors);  \
    }                                                                                                                                      \
    void backward_##NAME(int64_t rows, int channels, int threads, const T* gradient, const T* also, const T* x, const T* y,                \
                         float* factors, int relu, T* inner, T* dx, float* dweight, float* dbias, double* dmoments) {                      \
        backward(rows, channels, threads, gradient, also, x, y, factors, relu, inner, dx, dweight, dbias, dmoments);                       \
    }

extern "C" {

KERNELS(float32, float)
KERNELS(bfloat16, uint16_t)

// For a convolution that normalises what it reads: the moments, the factors, and their gradients.
void moments_bfloat16(int64_t rows, int channels, int threads, const uint16_t* x, double* moments) {
    moments_of(rows, channels, threads, x, moments);
}
void factors(int64_t rows, int channels, const double* moments, const float* weight, const float* bias, float* running_mean,
             float* running_var, float momentum, float eps, float* to) {
    factors_of(rows, channels, moments, weight, bias, running_mean, running_var, momentum, eps, Factors(to, channels));
}
void factors_gradients(int channels, const double* sums, float* of, float* dweight, float* dbias, double* dmoments) {
    gradients_of(channels, sums, Factors(of, channels), dweight, dbias, dmoments);
}
// What the moments' gradient adds to that of x is added to dx.
void moments_gradient_bfloat16(int64_t rows, int channels, int threads, const uint16_t* x, const float* mean, const double* dmoments,
                               uint16_t* dx) {
    std::vector<float> along(channels), plus(channels);
    line_of(rows, channels, dmoments, mean, along.data(), plus.data());
    const float *p = along.data(), *q = plus.data();
    everywhere(rows, channels, threads, [=](int64_t i, int c) { store(dx + i, load(dx + i) + load(p + c) * load(x + i) + load(q + c)); });
}
}
