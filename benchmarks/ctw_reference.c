/* How fast can context tree weighting be? The two ratio forms of aixi/predictors/context_tree.py, in C.

       gcc -O3 -march=native -o ctw_reference ctw_reference.c -lm
       ctw_reference plain|compressed DEPTH BITS [REPEATS]

   Each repeat fills a fresh tree with BITS bits after a past of DEPTH bits, then imagines blocks of 32 further bits and
   rewinds them. Prints the best of the repeats as one JSON object: bits per second of processor time of the updates,
   of update and rewind together, nodes, bytes a node, and log2 P of the sequence. Memory is touched before the clock
   starts; real updates write no undo log. Formulas and their sources are in that file's docstring. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_DEPTH = 900, PADDING = 1024, BLOCK = 32, BLOCKS = 64, ROOT = 0, NONE = -1 };
static const double LEAST = 1e-280, GREATEST = 1e280;

static int depth;
static uint8_t *bits;      /* the sequence, one bit a byte; the tree has seen those before `now` */
static uint64_t *history;  /* the same, packed: bit t in bit t % 64 of word t / 64, after PADDING zeros */
static long now;
static double *power;      /* 2^n */

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double clamp(double x) { return x < LEAST ? LEAST : x > GREATEST ? GREATEST : x; }

/* x_t = x_{t-2} xor x_{t-5}, replaced by a fair bit with probability 1/8; randomness is xorshift64* (Vigna 2016). */
static void fill(uint8_t *x, long n) {
    uint64_t s = 88172645463325252ULL;
    for (long t = 0; t < n; t++) {
        s ^= s >> 12, s ^= s << 25, s ^= s >> 27;
        uint32_t r = (uint32_t)((s * 2685821657736338717ULL) >> 32);
        x[t] = t < 5 || r % 8 == 0 ? r >> 3 & 1 : x[t - 2] ^ x[t - 5];
    }
}

/* Zeroed memory with every page mapped: volatile, or the compiler leaves that to the first use, inside the clock. */
static void *room(size_t count, size_t size) {
    char *memory = calloc(count, size);
    if (!memory) { fprintf(stderr, "out of memory: %zu bytes\n", count * size); exit(1); }
    for (size_t page = 0; page < count * size; page += 4096) *(volatile char *)(memory + page) = 0;
    return memory;
}

/* ---- Undo log: a record for each old node that was weighted, and a mark for each bit. ---- */
typedef struct { double beta; int32_t node; } Record;
typedef struct {
    long records;
    int32_t nodes, *link; /* nodes before the bit; the link that holds the first new one, plain form */
    int32_t cut;          /* the node that was cut, or NONE, and its beta, compressed form */
    double beta;
} Mark;
static Record *records;
static long used;
static Mark marks[BLOCK];
static int32_t nodes;
static int32_t path[MAX_DEPTH + 2];

/* ---- Plain form: a node for every level of every context. ---- */
typedef struct { int32_t child[2]; uint32_t count[2]; double beta; } Plain; /* 24 bytes */
static Plain *plain;

/* Weights one bit along path[0..end] from the leaf up; `fresh` is the first node that needs no undo record. The log
   has room for one more, so that it is written without a branch. */
#define WEIGH(ARENA, IS_LEAF)                                                       \
    double below = 0.5;                                                             \
    for (int level = end; level >= 0; level--) {                                    \
        int32_t at = path[level];                                                   \
        __typeof__(ARENA) node = ARENA + at;                                        \
        double total = (double)node->count[0] + (double)node->count[1];             \
        double own = ((double)node->count[bit] + 0.5) / (total + 1.0);              \
        double beta = node->beta;                                                   \
        if (imagined) records[used] = (Record){beta, at}, used += at < fresh;       \
        if (IS_LEAF) below = own;                                                   \
        else {                                                                      \
            node->beta = clamp(beta * own / below);                                 \
            below += (own - below) * (beta / (beta + 1.0));                         \
        }                                                                           \
        node->count[bit]++;                                                         \
    }

static inline __attribute__((always_inline)) double plain_update(int bit, int imagined) {
    int32_t fresh = nodes, at = ROOT, *link = NULL;
    const uint8_t *context = bits + now - 1;
    long first_record = used;
    path[0] = ROOT;
    int end = depth;
    for (int level = 0; level < depth; level++) {
        int32_t *next = &plain[at].child[context[-level]];
        if (*next == 0) {
            if (!link) link = next;
            plain[nodes] = (Plain){{0, 0}, {0, 0}, 1.0};
            *next = nodes++;
        }
        path[level + 1] = at = *next;
    }
    WEIGH(plain, level == depth)
    if (imagined) marks[now % BLOCK] = (Mark){first_record, fresh, link, NONE, 0.0};
    now++;
    return below;
}

#define RESTORE(ARENA)                                                              \
    int bit = bits[--now];                                                          \
    Mark mark = marks[now % BLOCK];                                                 \
    while (used > mark.records) {                                                   \
        Record record = records[--used];                                            \
        ARENA[record.node].beta = record.beta;                                      \
        ARENA[record.node].count[bit]--;                                            \
    }

static void plain_rewind(void) {
    RESTORE(plain)
    if (mark.link) *mark.link = 0;
    nodes = mark.nodes;
}

/* ---- Compressed form: a node for every chain of levels whose contexts have gone one way. ---- */
typedef struct {
    int32_t child[2];
    uint32_t count[2];
    double beta;
    uint32_t position;    /* before which the node's context can be read in the packed history */
    uint16_t first, last; /* its levels */
} Chain;                  /* 32 bytes */
static Chain *chains;

static inline uint64_t window(long end) {
    long word = (end - 64) >> 6;
    int shift = end & 63;
    return history[word] >> shift | history[word + 1] << 1 << (63 - shift);
}

static inline int past(long position) { return history[position >> 6] >> (position & 63) & 1; }

static inline void push(int bit) {
    long position = PADDING + now++;
    uint64_t *word = &history[position >> 6], one = 1ULL << (position & 63);
    *word = (*word & ~one) | (bit ? one : 0);
}

static inline int agreement(long one, long other, int limit) {
    for (int agreed = 0; agreed < limit; agreed += 64) {
        uint64_t difference = window(one - agreed) ^ window(other - agreed);
        if (difference) {
            agreed += __builtin_clzll(difference);
            return agreed < limit ? agreed : limit;
        }
    }
    return limit;
}

/* Cuts a chain after `matched` + 1 levels and hangs a leaf on for the context that leaves it there. */
static int32_t split(int32_t at, int matched) {
    Chain *node = &chains[at], *lower = &chains[nodes], *leaf = lower + 1;
    int levels = node->last - node->first + 1, upper_levels = matched + 1, lower_levels = levels - upper_levels;
    *lower = *node;
    int last = node->first + matched;
    lower->first = (uint16_t)(last + 1);
    *leaf = (Chain){{0, 0}, {0, 0}, 1.0, (uint32_t)(PADDING + now), lower->first, (uint16_t)depth};
    if (node->last == depth) node->beta = power[upper_levels] - 1.0;
    else {
        double ratio = node->beta / (power[levels] - 1.0), tail = 1.0 / power[lower_levels];
        lower->beta = clamp((power[lower_levels] - 1.0) * ratio);
        node->beta = clamp((power[upper_levels] - 1.0) / (1.0 - tail + tail / ratio));
    }
    node->last = (uint16_t)last;
    int old = past((long)node->position - 1 - last);
    node->child[old] = nodes;
    node->child[!old] = nodes + 1;
    nodes += 2;
    return nodes - 1;
}

static inline __attribute__((always_inline)) double compressed_update(int bit, int imagined) {
    int32_t fresh = nodes, at = ROOT, cut = NONE;
    double whole = 0.0;
    long first_record = used, position = PADDING + now;
    int end = 0;
    for (;;) {
        Chain *node = &chains[at];
        path[end] = at;
        int first = node->first, last = node->last, matched = last - first;
        if (matched) matched = agreement((long)node->position - first, position - first, matched);
        if (matched < last - first) {
            cut = at, whole = node->beta;
            path[++end] = split(at, matched);
            break;
        }
        if (last == depth) break;
        end++;
        at = node->child[past(position - 1 - last)];
    }
    WEIGH(chains, level == end)
    if (imagined) marks[now % BLOCK] = (Mark){first_record, fresh, NULL, cut, whole};
    push(bit);
    return below;
}

static void compressed_rewind(void) {
    RESTORE(chains)
    if (mark.cut != NONE) {
        Chain *node = &chains[mark.cut], *lower = &chains[mark.nodes];
        node->child[0] = lower->child[0], node->child[1] = lower->child[1];
        node->last = lower->last;
        node->beta = mark.beta;
    }
    nodes = mark.nodes;
}

/* ---- The measurement: written once, made for each form. ---- */
typedef struct { double update, rewound, log2_probability; } Measured;

#define MEASURE(FORM)                                                               \
    static Measured FORM##_measure(long count) {                                    \
        double likelihood = 1.0, log2_probability = 0.0, start = seconds();         \
        for (long i = 0; i < count; i++) {                                          \
            likelihood *= FORM##_update(bits[now], 0);                              \
            if (likelihood < 1e-250) log2_probability += log2(likelihood), likelihood = 1.0; \
        }                                                                           \
        double between = seconds();                                                 \
        long blocks = (count < 20000 ? count : 20000) / BLOCK, end = now;           \
        double imagined_from = seconds();                                           \
        for (long block = 0; block < blocks; block++) {                             \
            /* another block each time, put where the sequence goes on */           \
            memcpy(bits + end, bits + end + BLOCK * (1 + block % BLOCKS), BLOCK);   \
            for (int i = 0; i < BLOCK; i++) FORM##_update(bits[now], 1);            \
            for (int i = 0; i < BLOCK; i++) FORM##_rewind();                        \
        }                                                                           \
        double imagined_for = seconds() - imagined_from;                            \
        return (Measured){(double)count / (between - start),                        \
                          (double)(blocks * BLOCK) / imagined_for,                  \
                          log2_probability + log2(likelihood)};                     \
    }
MEASURE(plain)
MEASURE(compressed)

int main(int arguments, char **argument) {
    int compressed = arguments > 1 && !strcmp(argument[1], "compressed");
    depth = arguments > 2 ? atoi(argument[2]) : 0;
    long count = arguments > 3 ? atol(argument[3]) : 0;
    int repeats = arguments > 4 ? atoi(argument[4]) : 1;
    if ((!compressed && (arguments < 2 || strcmp(argument[1], "plain"))) || depth < 1 || depth > MAX_DEPTH ||
        count < BLOCK || repeats < 1) {
        fprintf(stderr, "usage: ctw_reference plain|compressed DEPTH(1..%d) BITS(>=%d) [REPEATS]\n", MAX_DEPTH, BLOCK);
        return 2;
    }
    long length = depth + count + BLOCK * (BLOCKS + 2);
    long most = count + BLOCK + 1;
    long contexts = depth < 30 ? 2L << depth : INT32_MAX;
    /* Contexts of the plain form share their first levels; beyond 9 of them few do at these lengths. */
    long capacity = compressed ? 2 * most + 2 : most * (depth > 9 ? depth - 8 : 2);
    if (!compressed && capacity > contexts) capacity = contexts;
    capacity += 1024L * depth;
    bits = room((size_t)length, 1);
    history = room((size_t)(PADDING + length) / 64 + 2, 8);
    records = room((size_t)BLOCK * (size_t)(depth + 2), sizeof(Record));
    power = room(MAX_DEPTH + 2, sizeof(double));
    for (int n = 0; n < MAX_DEPTH + 2; n++) power[n] = ldexp(1.0, n);
    if (compressed) chains = room((size_t)capacity, sizeof(Chain));
    else plain = room((size_t)capacity, sizeof(Plain));

    Measured best = {0.0, 0.0, 0.0};
    for (int repeat = 0; repeat < repeats; repeat++) {
        fill(bits, length);
        memset(history, 0, ((size_t)(PADDING + length) / 64 + 2) * 8);
        nodes = 1, used = 0, now = 0;
        for (int i = 0; i < depth; i++) push(bits[i]);
        Measured measured;
        if (compressed) {
            chains[ROOT] = (Chain){{0, 0}, {0, 0}, 1.0, (uint32_t)(PADDING + now), 0, (uint16_t)depth};
            measured = compressed_measure(count);
        } else {
            plain[ROOT] = (Plain){{0, 0}, {0, 0}, 1.0};
            measured = plain_measure(count);
        }
        if (measured.update > best.update) best.update = measured.update;
        if (measured.rewound > best.rewound) best.rewound = measured.rewound;
        best.log2_probability = measured.log2_probability;
    }
    printf("{\"update\": %.6e, \"rewound\": %.6e, \"nodes\": %d, \"bytes_per_node\": %zu, \"log2_probability\": %.9f}\n",
           best.update, best.rewound, nodes, compressed ? sizeof(Chain) : sizeof(Plain), best.log2_probability);
    return 0;
}
