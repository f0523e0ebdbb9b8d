/* A Transformer's forward of one token by hand in C, as a mark for the compiled one: the same layers, the same
 * layouts, register tiles and a vector exponential (GNU C vector extensions).
 *
 * Built as a shared library. Weights are those of aixi.predictors.neural.compiled_transformer, gains and scales folded
 * in; every width is a multiple of 32 but that of a head, which is one of 8, and the cache's, one of 16.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef float vector __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t whole __attribute__((vector_size(32)));

#define TILE(C, R)                                                                                   \
    static inline void tile_##C##_##R(const float *x, long n, const float *w, long stride, float *out, int add) { \
        vector sum[R][C];                                                                            \
        memset(sum, 0, sizeof sum);                                                                  \
        long i = 0;                                                                                  \
        for (; i + R <= n; i += R)                                                                   \
            for (int r = 0; r < R; r++)                                                              \
                for (int c = 0; c < C; c++)                                                          \
                    sum[r][c] += x[i + r] * *(const vector *)(w + (i + r) * stride + 8 * c);         \
        for (; i < n; i++)                                                                           \
            for (int c = 0; c < C; c++) sum[0][c] += x[i] * *(const vector *)(w + i * stride + 8 * c); \
        for (int c = 0; c < C; c++) {                                                                \
            for (int r = 1; r < R; r++) sum[0][c] += sum[r][c];                                      \
            if (add) sum[0][c] += *(vector *)(out + 8 * c);                                          \
            *(vector *)(out + 8 * c) = sum[0][c];                                                    \
        }                                                                                            \
    }
TILE(8, 1)
TILE(4, 2)
TILE(2, 4)
TILE(1, 8)

/* out[m] = x[n] times w[n][m], or more of it. */
static void product(const float *x, long n, const float *w, long stride, float *out, long m, int add) {
    long j = 0;
    for (; j + 64 <= m; j += 64) tile_8_1(x, n, w + j, stride, out + j, add);
    for (; j + 32 <= m; j += 32) tile_4_2(x, n, w + j, stride, out + j, add);
    for (; j + 16 <= m; j += 16) tile_2_4(x, n, w + j, stride, out + j, add);
    for (; j < m; j += 8) tile_1_8(x, n, w + j, stride, out + j, add);
}

static inline vector all(float x) { return (vector){x, x, x, x, x, x, x, x}; }

/* s = 2^(s - greatest); returns the sum. */
static float exponentials(float *s, long n) {
    float greatest = s[0], total = 0;
    for (long i = 1; i < n; i++) greatest = s[i] > greatest ? s[i] : greatest;
    for (long i = n; i % 8; i++) s[i] = greatest;
    vector sums = all(0);
    for (long i = 0; i < n; i += 8) {
        vector x = *(vector *)(s + i) - greatest;
        whole low = x < all(-126);
        x = (vector)(((whole)x & ~low) | ((whole)all(-126) & low));
        whole k = __builtin_convertvector(x - 0.5f, whole);
        vector r = x - __builtin_convertvector(k, vector);
        vector p = 1.0f + r * (0.69314718f + r * (0.24022651f + r * (0.05550327f + r * (0.00961814f + r * 0.0013334f))));
        whole bits = (k + 127) << 23;
        vector e = p * (vector)bits;
        if (n - i < 8)
            for (long l = n - i; l < 8; l++) e[l] = 0;
        *(vector *)(s + i) = e;
        sums += e;
    }
    for (int l = 0; l < 8; l++) total += sums[l];
    return total;
}

static void normalise(const float *x, long n, float *out) {
    vector sums = all(0);
    for (long i = 0; i < n; i += 8) sums += *(vector *)(x + i) * *(vector *)(x + i);
    float total = 0;
    for (int l = 0; l < 8; l++) total += sums[l];
    float scale = 1 / sqrtf(total / n + 1e-6f);
    for (long i = 0; i < n; i += 8) *(vector *)(out + i) = *(vector *)(x + i) * scale;
}

/* sizes: width, heads, layers, hidden, capacity, first token and number of what is predicted, and row lengths of
 * attention_in and of the head. Writes probabilities, out[steps][count], of the next token after each of `tokens`. */
void read_tokens(const long *sizes, const float *embedding, const float *in, const float *att, const float *up,
                 const float *down, const float *head, const float *rotations, float *keys, float *values,
                 const long *tokens, long steps, float *out) {
    long d = sizes[0], h = sizes[1], layers = sizes[2], f = sizes[3], cap = sizes[4], first = sizes[5], count = sizes[6];
    long row = sizes[7], head_row = sizes[8], size = d / h, half = size / 2;
    static float x[1024], n[1024], mixed[4096], mean[1024], inner[4096], s[8192] __attribute__((aligned(64)));
    for (long t = 0; t < steps; t++) {
        memcpy(x, embedding + tokens[t] * d, 4 * d);
        const float *cosines = rotations + t * 2 * half, *sines = cosines + half;
        for (long l = 0; l < layers; l++) {
            normalise(x, d, n);
            product(n, d, in + l * d * row, row, mixed, 3 * d, 0);
            for (float *p = mixed; p < mixed + 2 * d; p += size)
                for (long i = 0; i < half; i++) {
                    float a = p[i], b = p[half + i];
                    p[i] = a * cosines[i] - b * sines[i];
                    p[half + i] = a * sines[i] + b * cosines[i];
                }
            for (long g = 0; g < h; g++) {
                float *k = keys + (l * h + g) * size * cap, *v = values + (l * h + g) * cap * size;
                for (long i = 0; i < size; i++) k[i * cap + t] = mixed[d + g * size + i];
                memcpy(v + t * size, mixed + 2 * d + g * size, 4 * size);
                product(mixed + g * size, size, k, cap, s, t + 1, 0);
                float scale = 1 / exponentials(s, t + 1);
                product(s, t + 1, v, size, mean + g * size, size, 0);
                for (long i = 0; i < size; i++) mean[g * size + i] *= scale;
            }
            product(mean, d, att + l * d * d, d, x, d, 1);
            normalise(x, d, n);
            product(n, d, up + l * d * f, f, inner, f, 0);
            for (long i = 0; i < f; i++) inner[i] = inner[i] > 0 ? inner[i] : 0;
            product(inner, f, down + l * f * d, d, x, d, 1);
        }
        normalise(x, d, n);
        product(n, d, head + first, head_row, s, count, 0);
        float scale = 1 / exponentials(s, count);
        for (long i = 0; i < count; i++) out[t * count + i] = s[i] * scale;
    }
}
