/* The C API, all of it, over flash in RAM: what it answers, what it refuses,
   and what is left after the power failed anywhere. C99, and C++.

   usage: host [SEED [STRIDE]]
   SEED (printed) decides what is done and what a cut leaves; every STRIDE-th
   operation is cut, all of them where it is left out. */
#include "indelible.h"
#include "ram_flash.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT = 2048, SEGMENTS = 24, SIZE = SEGMENT * SEGMENTS, LOG_CAPACITY = 2000 };
#define KEYS 250
#define CHANGES 16
#define KEY_MAX 24
#define RING INDELIBLE_LOG_RING(LOG_CAPACITY, SEGMENT, 256)
#define MEMORY INDELIBLE_MEMORY_SIZE(SEGMENTS, 2, 2 * RING, KEYS, CHANGES, KEY_MAX)

static uint64_t memory[MEMORY / 8];
static uint8_t bytes[SIZE];
static const uint64_t capacities[2] = {LOG_CAPACITY, LOG_CAPACITY};
static indelible_store store;
static uint32_t seed = 2463534242u, stride = 1;
static unsigned long checks;

static void failed(const char *what, int line) {
    indelible_error error;
    if (indelible_last_error(&store, &error) != INDELIBLE_OK) error.status = INDELIBLE_ERR_OTHER;
    fprintf(stderr, "host.c:%d: %s\n(last error: %s; seed %lu)\n", line, what, indelible_strerror(error.status),
            (unsigned long)seed);
    exit(1);
}

#define CHECK(what)                                 \
    do {                                            \
        checks++;                                   \
        if (!(what)) failed(#what, __LINE__);       \
    } while (0)
#define EXPECT(status, call)                                                          \
    do {                                                                              \
        indelible_status got_ = (call);                                               \
        checks++;                                                                     \
        if (got_ != (status)) {                                                       \
            fprintf(stderr, "%s, expected %s\n", indelible_strerror(got_), #status);  \
            failed(#call, __LINE__);                                                  \
        }                                                                             \
    } while (0)
#define OK(call) EXPECT(INDELIBLE_OK, call)

static ram_flash make_flash(uint32_t write_unit, uint8_t blank, uint8_t order) {
    ram_flash flash;
    memset(&flash, 0, sizeof flash);
    flash.bytes = bytes;
    flash.size = SIZE;
    flash.write_unit = write_unit;
    flash.erase_unit = SEGMENT;
    flash.blank = blank;
    flash.order = order;
    flash.random = seed;
    ram_flash_reset(&flash);
    return flash;
}

static indelible_config make_config(ram_flash *flash, int nvm) {
    indelible_config config;
    memset(&config, 0, sizeof config);
    config.flash = nvm ? ram_nvm_callbacks(flash) : ram_flash_callbacks(flash);
    config.memory = memory;
    config.memory_len = sizeof memory;
    config.sizes.segments = SEGMENTS;
    config.sizes.logs = 2;
    config.sizes.ring = 2 * RING;
    config.sizes.keys = KEYS;
    config.sizes.changes = CHANGES;
    config.sizes.key_max = KEY_MAX;
    config.id_low = 7;
    config.nonce = 0x5EED;
    config.segment_size = SEGMENT;
    config.log_capacities = capacities;
    return config;
}

static indelible_error last(void) {
    indelible_error error;
    OK(indelible_last_error(&store, &error));
    return error;
}

/* Sizes: what the header says is what the library says. */

static void sizes(void) {
    static const uint32_t units[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
    uint32_t i, unit, segment, keys;
    CHECK(sizeof store == INDELIBLE_STORE_SIZE && sizeof store % 8 == 0);
    CHECK(strcmp(indelible_version(), "0.1.0") == 0);
    for (keys = 0; keys < 3000; keys++) {
        indelible_sizes sizes;
        sizes.segments = keys % 97;
        sizes.logs = keys % 7;
        sizes.ring = keys % 13;
        sizes.keys = keys;
        sizes.changes = keys % 11;
        sizes.key_max = keys % 67;
        CHECK(indelible_memory_size(&sizes) == INDELIBLE_MEMORY_SIZE(sizes.segments, sizes.logs, sizes.ring, keys,
                                                                    sizes.changes, sizes.key_max));
    }
    CHECK(indelible_memory_size(NULL) == 0);
    /* The macro for log segments never promises too few, and rarely too many. */
    for (i = 0; i < sizeof units / sizeof *units; i++) {
        unit = units[i];
        for (segment = 512; segment <= 1 << 17; segment *= 2) {
            uint64_t capacity = (uint64_t)segment * 5 + 17;
            ram_flash flash = make_flash(unit, 0xFF, INDELIBLE_ORDERED);
            indelible_config config = make_config(&flash, 0);
            indelible_layout layout;
            indelible_error error;
            if (segment < 16 * unit) continue;
            config.flash.capacity = (uint64_t)segment * 64;
            config.flash.erase_unit = segment;
            config.segment_size = segment;
            config.sizes.logs = 1;
            config.log_capacities = &capacity;
            if (indelible_plan(&config, &layout, &error) == INDELIBLE_ERR_GEOMETRY) {
                CHECK(error.what != NULL && segment <= 4096);
                continue;
            }
            CHECK(layout.ring <= INDELIBLE_LOG_RING(capacity, segment, unit));
            CHECK(layout.ring + 1 >= INDELIBLE_LOG_RING(capacity, segment, unit));
            CHECK(layout.segments == INDELIBLE_SEGMENTS(config.flash.capacity, segment));
        }
    }
}

static void texts(void) {
    int status, other;
    for (status = INDELIBLE_OK; status <= INDELIBLE_ERR_OTHER; status++)
        for (other = INDELIBLE_OK; other < status; other++)
            CHECK(strcmp(indelible_strerror(status), indelible_strerror(other)) != 0);
    CHECK(strcmp(indelible_strerror(-1), "unknown status") == 0);
    CHECK(strcmp(indelible_strerror(9999), "unknown status") == 0);
}

/* Keys. */

static void keys(void) {
    ram_flash flash = make_flash(4, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    indelible_report report;
    indelible_room room;
    indelible_layout layout;
    uint64_t left;
    char value[2000], big[2000];
    size_t len = 99, i;
    uint64_t length = 0;

    OK(indelible_open_or_setup(&store, &config, &report));
    CHECK(report.created == 1 && report.clean == 1 && report.torn == 0 && report.damaged == 0);
    EXPECT(INDELIBLE_NOT_FOUND, indelible_get(&store, "a", 1, value, sizeof value, &len));
    OK(indelible_put(&store, "a", 1, "one", 3));
    OK(indelible_get(&store, "a", 1, value, sizeof value, &len));
    CHECK(len == 3 && memcmp(value, "one", 3) == 0);
    OK(indelible_exists(&store, "a", 1));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "b", 1));
    EXPECT(INDELIBLE_ERR_BUFFER_TOO_SMALL, indelible_get(&store, "a", 1, value, 2, &len));
    CHECK(len == 3 && last().needed == 3 && last().status == INDELIBLE_ERR_BUFFER_TOO_SMALL);
    OK(indelible_length(&store, "a", 1, &length));
    CHECK(length == 3);
    OK(indelible_get_part(&store, "a", 1, 1, value, 9, &len));
    CHECK(len == 2 && memcmp(value, "ne", 2) == 0);

    /* Empty values, and lengths of 0 with NULL. */
    OK(indelible_put(&store, "empty", 5, NULL, 0));
    OK(indelible_get(&store, "empty", 5, NULL, 0, &len));
    CHECK(len == 0);

    EXPECT(INDELIBLE_ERR_KEY_EXISTS, indelible_create(&store, "a", 1, "x", 1));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_update(&store, "b", 1, "x", 1));
    OK(indelible_create(&store, "b", 1, "two", 3));
    OK(indelible_update(&store, "b", 1, "zwei", 4));
    OK(indelible_get(&store, "b", 1, value, sizeof value, NULL));
    CHECK(memcmp(value, "zwei", 4) == 0);
    OK(indelible_delete(&store, "b", 1));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_delete(&store, "b", 1));

    /* A value in pieces. */
    for (i = 0; i < sizeof big; i++) big[i] = (char)(i * 7);
    OK(indelible_put(&store, "big", 3, big, sizeof big));
    OK(indelible_get(&store, "big", 3, value, sizeof value, &len));
    CHECK(len == sizeof big && memcmp(value, big, len) == 0);
    OK(indelible_get_part(&store, "big", 3, 1500, value, 100, &len));
    CHECK(len == 100 && memcmp(value, big + 1500, 100) == 0);

    /* Limits, each with its figures. */
    EXPECT(INDELIBLE_ERR_KEY_EMPTY, indelible_put(&store, NULL, 0, "x", 1));
    EXPECT(INDELIBLE_ERR_KEY_TOO_LONG, indelible_put(&store, big, KEY_MAX + 1, "x", 1));
    CHECK(last().needed == KEY_MAX + 1 && last().available == KEY_MAX);
    OK(indelible_get_room(&store, &room));
    left = room.left;
    CHECK(room.keys == 3 && room.entries_left < KEYS);
    OK(indelible_survey(&config.flash, &layout, NULL));
    CHECK(indelible_record_size(&layout, 16, 32) == 56 && indelible_record_size(NULL, 16, 32) == 0);
    OK(indelible_put(&store, "room", 4, big, 100));
    OK(indelible_get_room(&store, &room));
    CHECK(left - room.left == indelible_record_size(&layout, 4, 100) && room.keys == 4);
    OK(indelible_delete(&store, "room", 4));
    CHECK(indelible_lifetime_updates(&layout, 56, 5600, 10000) > 1000000);
    CHECK(indelible_lifetime_updates(&layout, 56, SIZE, 10000) == 0);
    CHECK(indelible_lifetime_appends(&layout, 32, 10000) > 1000000);
    for (i = 0; i < 400; i++) {
        indelible_status status;
        char key[16];
        sprintf(key, "%03u", (unsigned)i);
        status = indelible_put(&store, key, 3, big, 40);
        if (status != INDELIBLE_OK) {
            CHECK(status == INDELIBLE_ERR_INDEX_FULL && last().available >= KEYS);
            break;
        }
    }
    CHECK(i < 400);
    while (i-- > 0) {
        char key[16];
        sprintf(key, "%03u", (unsigned)i);
        OK(indelible_delete(&store, key, 3));
    }
    for (i = 0;; i++) {
        indelible_status status;
        char key[16];
        sprintf(key, "%03u", (unsigned)i);
        status = indelible_put(&store, key, 3, big, 200);
        if (status != INDELIBLE_OK) {
            CHECK(status == INDELIBLE_ERR_FULL && last().needed > last().available);
            break;
        }
    }
    OK(indelible_delete(&store, "000", 3));
    OK(indelible_get(&store, "a", 1, value, sizeof value, &len));
    CHECK(len == 3);
    OK(indelible_close(&store));

    OK(indelible_open(&store, &config, &report));
    CHECK(report.clean == 1 && report.created == 0);
    OK(indelible_get(&store, "big", 3, value, sizeof value, &len));
    CHECK(len == sizeof big && memcmp(value, big, len) == 0);
    OK(indelible_close(&store));
    CHECK(flash.violations == 0);
}

/* Logs. */

static void logs(void) {
    ram_flash flash = make_flash(8, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    indelible_log_span span;
    char data[100], back[100];
    uint64_t at = 1;
    int i;

    OK(indelible_open_or_setup(&store, &config, NULL));
    OK(indelible_log(&store, 1, &span));
    CHECK(span.head == 0 && span.tail == 0 && span.capacity >= LOG_CAPACITY);
    OK(indelible_append(&store, 1, "hello, ", 7, &at));
    CHECK(at == 0);
    OK(indelible_append(&store, 1, "world", 5, &at));
    CHECK(at == 7);
    OK(indelible_append(&store, 0, "x", 1, NULL));
    OK(indelible_read(&store, 1, 0, back, 12));
    CHECK(memcmp(back, "hello, world", 12) == 0);
    EXPECT(INDELIBLE_ERR_PAST_TAIL, indelible_read(&store, 1, 6, back, 7));
    CHECK(last().address == 12);
    OK(indelible_advance_head(&store, 1, 7));
    EXPECT(INDELIBLE_ERR_BEFORE_HEAD, indelible_read(&store, 1, 6, back, 1));
    CHECK(last().address == 7);
    EXPECT(INDELIBLE_ERR_INVALID_LOG, indelible_append(&store, 2, "x", 1, NULL));
    CHECK(last().log == 2 && last().available == 2);
    memset(data, 'd', sizeof data);
    for (i = 0; i < 100; i++) {
        indelible_status status = indelible_append(&store, 1, data, sizeof data, &at);
        if (status == INDELIBLE_ERR_LOG_FULL) {
            CHECK(last().log == 1 && last().needed == 100 && last().available < 100);
            OK(indelible_log(&store, 1, &span));
            OK(indelible_advance_head(&store, 1, span.tail - 50));
        } else {
            OK(status);
        }
    }
    OK(indelible_close(&store));
    OK(indelible_open(&store, &config, NULL));
    OK(indelible_log(&store, 1, &span));
    OK(indelible_read(&store, 1, span.tail - 50, back, 50));
    CHECK(memcmp(back, data, 50) == 0);
    OK(indelible_close(&store));
    CHECK(flash.violations == 0);
}

/* Lists. */

static void lists(void) {
    ram_flash flash = make_flash(16, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    char element[20];
    size_t len;
    uint64_t count = 9;

    OK(indelible_open_or_setup(&store, &config, NULL));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_list_append(&store, "k", 1, "e", 1));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_list_length(&store, "k", 1, &count));
    OK(indelible_put(&store, "k", 1, "", 0));
    OK(indelible_list_length(&store, "k", 1, &count));
    CHECK(count == 0);
    OK(indelible_list_append(&store, "k", 1, "zero", 4));
    OK(indelible_list_append(&store, "k", 1, "one", 3));
    OK(indelible_list_append(&store, "k", 1, "two", 3));
    OK(indelible_list_update(&store, "k", 1, 1, "eins", 4));
    OK(indelible_list_get(&store, "k", 1, 1, element, sizeof element, &len));
    CHECK(len == 4 && memcmp(element, "eins", 4) == 0);
    EXPECT(INDELIBLE_ERR_BUFFER_TOO_SMALL, indelible_list_get(&store, "k", 1, 1, element, 3, &len));
    CHECK(len == 4);
    EXPECT(INDELIBLE_NOT_FOUND, indelible_list_get(&store, "k", 1, 3, element, sizeof element, &len));
    OK(indelible_list_trim(&store, "k", 1, 1));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_list_trim(&store, "k", 1, 3));
    OK(indelible_close(&store));
    OK(indelible_open(&store, &config, NULL));
    OK(indelible_list_length(&store, "k", 1, &count));
    CHECK(count == 2);
    OK(indelible_list_get(&store, "k", 1, 0, element, sizeof element, &len));
    CHECK(len == 4 && memcmp(element, "eins", 4) == 0);
    OK(indelible_close(&store));
}

/* Transactions. */

static void transactions(void) {
    ram_flash flash = make_flash(4, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    indelible_log_span span;
    char value[8], key[16];
    uint64_t count;
    uint8_t more;
    size_t len;
    int i;

    OK(indelible_open_or_setup(&store, &config, NULL));
    EXPECT(INDELIBLE_ERR_NO_TRANSACTION, indelible_commit(&store));
    EXPECT(INDELIBLE_ERR_NO_TRANSACTION, indelible_abort(&store));
    OK(indelible_put(&store, "old", 3, "1", 1));
    OK(indelible_begin(&store));
    EXPECT(INDELIBLE_ERR_TRANSACTION_OPEN, indelible_begin(&store));
    EXPECT(INDELIBLE_ERR_TRANSACTION_OPEN, indelible_maintain(&store, 1, &more));
    EXPECT(INDELIBLE_ERR_TRANSACTION_OPEN, indelible_reserve(&store, 1));
    OK(indelible_put(&store, "new", 3, "2", 1));
    OK(indelible_delete(&store, "old", 3));
    OK(indelible_append(&store, 0, "log", 3, NULL));
    OK(indelible_list_append(&store, "new", 3, "e", 1));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "old", 3));
    OK(indelible_abort(&store));
    OK(indelible_exists(&store, "old", 3));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "new", 3));
    OK(indelible_log(&store, 0, &span));
    CHECK(span.tail == 0);

    OK(indelible_begin(&store));
    OK(indelible_create(&store, "new", 3, "2", 1));
    OK(indelible_update(&store, "new", 3, "3", 1));
    OK(indelible_delete(&store, "old", 3));
    OK(indelible_append(&store, 0, "log", 3, NULL));
    OK(indelible_append(&store, 1, "gol", 3, NULL));
    OK(indelible_advance_head(&store, 0, 1));
    OK(indelible_list_append(&store, "new", 3, "e", 1));
    OK(indelible_list_append(&store, "new", 3, "f", 1));
    OK(indelible_list_update(&store, "new", 3, 0, "g", 1));
    OK(indelible_list_trim(&store, "new", 3, 1));
    OK(indelible_commit(&store));
    OK(indelible_close(&store));
    OK(indelible_open(&store, &config, NULL));
    OK(indelible_get(&store, "new", 3, value, sizeof value, &len));
    CHECK(len == 1 && value[0] == '3');
    OK(indelible_list_length(&store, "new", 3, &count));
    CHECK(count == 1);
    OK(indelible_list_get(&store, "new", 3, 0, value, sizeof value, &len));
    CHECK(len == 1 && value[0] == 'f');
    EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "old", 3));
    OK(indelible_log(&store, 0, &span));
    CHECK(span.head == 1 && span.tail == 3);

    /* Too many changes are refused; those before stay staged. */
    OK(indelible_begin(&store));
    for (i = 0; i < CHANGES; i++) {
        sprintf(key, "%02d", i);
        OK(indelible_put(&store, key, 2, "v", 1));
    }
    EXPECT(INDELIBLE_ERR_TRANSACTION_TOO_LARGE, indelible_put(&store, "xx", 2, "v", 1));
    CHECK(last().available == CHANGES);
    OK(indelible_commit(&store));
    OK(indelible_exists(&store, "15", 2));

    /* A transaction that is open at close is aborted. */
    OK(indelible_begin(&store));
    OK(indelible_put(&store, "lost", 4, "v", 1));
    OK(indelible_close(&store));
    OK(indelible_open(&store, &config, NULL));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "lost", 4));
    EXPECT(INDELIBLE_ERR_NO_TRANSACTION, indelible_commit(&store));
    OK(indelible_close(&store));
    CHECK(flash.violations == 0);
}

/* Scans. */

typedef struct visited {
    int count, stop_at;
    char keys[100][4];
    uint64_t total;
    size_t value_len;
    indelible_status inside;
} visited;

static int visit(void *context, const indelible_entry *entry) {
    visited *to = (visited *)context;
    memcpy(to->keys[to->count], entry->key, entry->key_len);
    to->total = entry->value_total;
    to->value_len = entry->value_len;
    if (entry->value_len > 0) CHECK(*(const char *)entry->value == 'v');
    to->inside = indelible_put(&store, "in", 2, "side", 4);
    to->count++;
    return to->count == to->stop_at;
}

static void scans(void) {
    ram_flash flash = make_flash(4, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    visited seen;
    char key[KEY_MAX], value[4];
    size_t len;
    uint64_t value_len;
    int i;

    OK(indelible_open_or_setup(&store, &config, NULL));
    for (i = 49; i >= 0; i--) {
        sprintf(key, "%c%02d", i % 2 ? 'o' : 'e', i);
        OK(indelible_put(&store, key, 3, "value", 5));
    }
    memset(&seen, 0, sizeof seen);
    OK(indelible_scan(&store, NULL, 0, key, sizeof key, value, sizeof value, visit, &seen));
    CHECK(seen.count == 50 && seen.total == 5 && seen.value_len == 4 && seen.inside == INDELIBLE_ERR_BUSY);
    for (i = 1; i < 50; i++) CHECK(memcmp(seen.keys[i - 1], seen.keys[i], 3) < 0);
    memset(&seen, 0, sizeof seen);
    OK(indelible_scan(&store, "o", 1, key, sizeof key, NULL, 0, visit, &seen));
    CHECK(seen.count == 25 && seen.value_len == 0 && seen.total == 5 && memcmp(seen.keys[0], "o01", 3) == 0);
    memset(&seen, 0, sizeof seen);
    seen.stop_at = 3;
    OK(indelible_scan(&store, "o", 1, key, sizeof key, NULL, 0, visit, &seen));
    CHECK(seen.count == 3);
    EXPECT(INDELIBLE_ERR_BUFFER_TOO_SMALL, indelible_scan(&store, "o", 1, key, 2, NULL, 0, visit, &seen));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_scan(&store, "o", 1, key, sizeof key, NULL, 0, NULL, &seen));

    /* Driven by the caller, who deletes what it meets. */
    len = 0;
    for (i = 0; i < 25; i++) {
        OK(indelible_next(&store, "e", 1, key, sizeof key, &len, &value_len));
        CHECK(len == 3 && key[0] == 'e' && value_len == 5);
        OK(indelible_delete(&store, key, len));
    }
    CHECK(memcmp(key, "e48", 3) == 0);
    EXPECT(INDELIBLE_NOT_FOUND, indelible_next(&store, "e", 1, key, sizeof key, &len, NULL));
    CHECK(len == 3 && memcmp(key, "e48", 3) == 0);
    len = sizeof key + 1;
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_next(&store, "e", 1, key, sizeof key, &len, NULL));
    OK(indelible_close(&store));
}

/* Care: figures, idle work, checks, damage. */

typedef struct found {
    int damaged, healed, keys;
    uint64_t address;
} found;

static void note(void *context, const indelible_finding *finding) {
    found *to = (found *)context;
    if (finding->healed) to->healed++;
    else to->damaged++;
    if (finding->key_len == 6 && memcmp(finding->key, "victim", 6) == 0) to->keys++;
    to->address = finding->address;
}

/* Where some bytes stand on the flash. */
static uint8_t *where(const char *text) {
    size_t i, len = strlen(text);
    for (i = 0; i + len <= SIZE; i++)
        if (memcmp(bytes + i, text, len) == 0) return bytes + i;
    return NULL;
}

static void care(void) {
    ram_flash flash = make_flash(4, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    indelible_checked checked;
    indelible_report report;
    indelible_stats stats;
    indelible_layout layout;
    indelible_status status;
    uint8_t more = 1, *at;
    char value[64];
    indelible_checked partly;
    found seen, again;
    size_t len;
    int i, calls;

    memset(&again, 0, sizeof again);
    OK(indelible_open_or_setup(&store, &config, NULL));
    for (i = 0; i < 600; i++) {
        sprintf(value, "%d", i);
        OK(indelible_put(&store, value, 1, "something to be replaced", 24));
    }
    OK(indelible_get_stats(&store, &stats));
    CHECK(stats.segments == SEGMENTS && stats.keys == 9 + 1 && stats.index_len == 10 && stats.index_capacity >= KEYS);
    CHECK(stats.erases_total > 10 && stats.erases_max >= stats.erases_min);
    for (i = 0; i < 1000 && more; i++) OK(indelible_maintain(&store, 3, &more));
    CHECK(more == 0);
    OK(indelible_maintain(&store, 3, NULL));
    OK(indelible_reserve(&store, 1000));
    EXPECT(INDELIBLE_ERR_FULL, indelible_reserve(&store, SIZE));

    OK(indelible_put(&store, "victim", 6, "the value that decays", 21));
    OK(indelible_append(&store, 0, "a log line of some length", 25, NULL));
    memset(&seen, 0, sizeof seen);
    OK(indelible_check(&store, note, &seen, &checked));
    CHECK(checked.damaged == 0 && checked.healed == 0 && checked.entries == 11 && checked.frames > 11);
    CHECK(seen.damaged == 0 && seen.healed == 0 && checked.log_bytes == 25);

    /* One bit is healed. */
    at = where("value that decays");
    CHECK(at != NULL);
    *at ^= 4;
    OK(indelible_get(&store, "victim", 6, value, sizeof value, &len));
    CHECK(len == 21 && memcmp(value, "the value that decays", 21) == 0);
    OK(indelible_check(&store, note, &seen, &checked));
    CHECK(checked.healed == 1 && seen.healed == 1 && seen.damaged == 0);
    /* More is damage, by name. */
    *at ^= 3;
    at[5] ^= 0x55;
    EXPECT(INDELIBLE_ERR_CORRUPT, indelible_get(&store, "victim", 6, value, sizeof value, &len));
    CHECK(last().item == INDELIBLE_ITEM_VALUE && last().address <= (uint64_t)(at - bytes) &&
          last().address + 64 > (uint64_t)(at - bytes));
    OK(indelible_get(&store, "1", 1, value, sizeof value, &len));
    memset(&seen, 0, sizeof seen);
    OK(indelible_check(&store, note, &seen, &checked));
    CHECK(seen.damaged >= 1 && checked.damaged == (uint64_t)seen.damaged);
    /* In steps the same is found. */
    for (calls = 0, more = 1; more; calls++) {
        OK(indelible_check_some(&store, 3, note, &again, &partly, &more));
        OK(indelible_exists(&store, "1", 1));
    }
    CHECK(calls > 5 && again.damaged == seen.damaged && again.address == seen.address);
    CHECK(memcmp(&partly, &checked, sizeof checked) == 0);
    OK(indelible_check_some(&store, 0, NULL, NULL, &partly, &more));
    CHECK(more == 1 && partly.frames == 0);
    OK(indelible_check(&store, NULL, NULL, NULL));
    OK(indelible_put(&store, "behind", 6, "seals what was before", 21));
    (void)indelible_close(&store);

    OK(indelible_open(&store, &config, &report));
    CHECK(report.damaged >= 1 && report.damages[0].len > 0 && report.damages[0].item == INDELIBLE_ITEM_METADATA);
    CHECK(report.damages[0].address / SEGMENT == (uint64_t)(at - bytes) / SEGMENT);
    /* A key in a short record is not known for certain where the record is
       damaged: then every answer that it could have replaced is withheld. */
    status = indelible_get(&store, "victim", 6, value, sizeof value, &len);
    CHECK(status == INDELIBLE_ERR_CORRUPT || status == INDELIBLE_ERR_DOUBTFUL);
    OK(indelible_get(&store, "behind", 6, value, sizeof value, &len));
    OK(indelible_accept_damage(&store));
    OK(indelible_put(&store, "victim", 6, "new", 3));
    OK(indelible_get(&store, "victim", 6, value, sizeof value, &len));
    CHECK(len == 3);
    OK(indelible_close(&store));

    /* What an image needs, without being told. */
    OK(indelible_survey(&config.flash, &layout, NULL));
    CHECK(layout.segments == SEGMENTS && layout.logs == 2 && layout.segment_size == SEGMENT && layout.write_unit == 4);
    CHECK(layout.blank == 0xFF && layout.order == INDELIBLE_ORDERED && layout.ring <= 2 * RING);
    CHECK(layout.capacity == SIZE && layout.key_max >= KEY_MAX && layout.kv_capacity > 0);
    CHECK(flash.violations == 0);
}

/* What is refused. */

static ram_flash *nested_flash;
static indelible_status nested_status;

static int nested_read(void *context, uint64_t address, void *buffer, size_t len) {
    indelible_flash plain = ram_flash_callbacks(nested_flash);
    nested_status = indelible_put(&store, "nested", 6, "x", 1);
    return plain.read(context, address, buffer, len);
}

/* Another version in a segment's header, with the checksum that belongs to it:
   CRC-32C of the first 36 bytes. */
static void refit_header(uint8_t *header, uint8_t version) {
    uint32_t crc = 0xFFFFFFFFu;
    int i, bit;
    header[4] = version;
    for (i = 0; i < 36; i++)
        for (crc ^= header[i], bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    for (i = 0; i < 4; i++) header[36 + i] = (uint8_t)(~crc >> (8 * i));
}

static void refusals(void) {
    ram_flash flash = make_flash(4, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0), other;
    static indelible_store copy;
    indelible_error error;
    indelible_layout layout;
    indelible_status status;
    char value[8];
    size_t len;
    unsigned char *odd = (unsigned char *)&store + 1;

    /* Stores that are not open, or none. */
    EXPECT(INDELIBLE_ERR_NOT_OPEN, indelible_put(&store, "k", 1, "v", 1));
    CHECK(last().status == INDELIBLE_ERR_NOT_OPEN);
    EXPECT(INDELIBLE_ERR_NOT_OPEN, indelible_close(&store));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_put(NULL, "k", 1, "v", 1));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_close(NULL));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_last_error(NULL, &error));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_last_error(&store, NULL));
    /* A pointer that C must not make in earnest: it is never followed. */
    EXPECT(INDELIBLE_ERR_ALIGNMENT, indelible_put((indelible_store *)(void *)odd, "k", 1, "v", 1));

    /* Configurations. */
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_open(&store, NULL, NULL));
    other = config;
    other.memory = NULL;
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_open(&store, &other, NULL));
    other.memory = (char *)memory + 4;
    other.memory_len -= 8;
    EXPECT(INDELIBLE_ERR_ALIGNMENT, indelible_open(&store, &other, NULL));
    other.memory = memory;
    other.memory_len = MEMORY - 1;
    EXPECT(INDELIBLE_ERR_MEMORY_TOO_SMALL, indelible_open(&store, &other, NULL));
    CHECK(last().needed == MEMORY && last().available == MEMORY - 1 && last().what != NULL);
    other.memory_len = 0;
    EXPECT(INDELIBLE_ERR_MEMORY_TOO_SMALL, indelible_open(&store, &other, NULL));
    other.memory = &store;
    other.memory_len = MEMORY;
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_open(&store, &other, NULL));
    other = config;
    other.sizes.keys = 0xFFFFFFFFu;
    EXPECT(INDELIBLE_ERR_MEMORY_TOO_SMALL, indelible_open(&store, &other, NULL));
    other = config;
    other.flags = 64;
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_open(&store, &other, NULL));
    other = config;
    other.flash.read = NULL;
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_open(&store, &other, NULL));
    other = config;
    other.flash.program = NULL;
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_open(&store, &other, NULL));
    other = config;
    other.flash.order = 2;
    EXPECT(INDELIBLE_ERR_GEOMETRY, indelible_open(&store, &other, NULL));
    other = config;
    other.log_capacities = NULL;
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_setup(&other, &error));
    CHECK(error.status == INDELIBLE_ERR_ARGUMENT);
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_setup(NULL, NULL));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_plan(&config, NULL, NULL));
    other = config;
    other.flash.write_unit = 3;
    EXPECT(INDELIBLE_ERR_GEOMETRY, indelible_setup(&other, &error));
    CHECK(strcmp(error.what, "write unit") == 0 && error.available == 3);
    other = config;
    other.flash.capacity = 4 * SEGMENT;
    EXPECT(INDELIBLE_ERR_GEOMETRY, indelible_plan(&other, &layout, &error));
    CHECK(strcmp(error.what, "capacity") == 0 && error.needed > error.available);
    other = config;
    other.flash.blank = 0;
    EXPECT(INDELIBLE_ERR_GEOMETRY, indelible_setup(&other, &error));
    CHECK(strcmp(error.what, "blank byte") == 0 && error.available == 0xFF);
    ram_flash_reset(&flash);

    EXPECT(INDELIBLE_ERR_NOT_A_STORE, indelible_open(&store, &config, NULL));
    EXPECT(INDELIBLE_ERR_NOT_A_STORE, indelible_survey(&config.flash, &layout, NULL));

    OK(indelible_open_or_setup(&store, &config, NULL));
    EXPECT(INDELIBLE_ERR_ALREADY_OPEN, indelible_open(&store, &config, NULL));
    EXPECT(INDELIBLE_ERR_ALREADY_OPEN, indelible_open_or_setup(&store, &config, NULL));
    OK(indelible_put(&store, "k", 1, "v", 1));

    /* A copy is not open. */
    memcpy(&copy, &store, sizeof copy);
    EXPECT(INDELIBLE_ERR_NOT_OPEN, indelible_put(&copy, "k", 1, "v", 1));

    /* Arguments that cannot be meant. */
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_put(&store, NULL, 1, "v", 1));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_put(&store, "k", 1, NULL, 1));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_put(&store, "k", (size_t)-1, "v", 1));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_put(&store, "k", (size_t)-1 / 2 + 1, "v", 1));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_get(&store, "k", 1, NULL, 8, &len));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_get(&store, "k", 1, memory, 8, &len));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_get(&store, memory, 1, value, 8, &len));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_get(&store, "k", 1, &store, 8, &len));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_get(&store, "k", 1, value, 8, (size_t *)&memory[1]));
    value[0] = 'k';
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_get(&store, value, 1, value, 8, &len));
    EXPECT(INDELIBLE_ERR_ARGUMENT, indelible_length(&store, "k", 1, NULL));
    OK(indelible_get(&store, "k", 1, value, 8, NULL));

    /* A call from a callback. */
    nested_status = INDELIBLE_OK;
    OK(indelible_close(&store));
    nested_flash = &flash;
    other = config;
    other.flash.read = nested_read;
    OK(indelible_open(&store, &other, NULL));
    CHECK(nested_status == INDELIBLE_ERR_BUSY);
    nested_status = INDELIBLE_OK;
    OK(indelible_get(&store, "k", 1, value, sizeof value, &len));
    CHECK(nested_status == INDELIBLE_ERR_BUSY && len == 1);
    EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "nested", 6));
    OK(indelible_close(&store));
    EXPECT(INDELIBLE_ERR_NOT_OPEN, indelible_get(&store, "k", 1, value, sizeof value, &len));

    /* Other stores, other flash. */
    other = config;
    other.id_low = 8;
    EXPECT(INDELIBLE_ERR_ID_MISMATCH, indelible_open(&store, &other, NULL));
    EXPECT(INDELIBLE_ERR_ID_MISMATCH, indelible_open_or_setup(&store, &other, NULL));
    other.id_low = 0;
    OK(indelible_open(&store, &other, NULL));
    OK(indelible_close(&store));
    other = config;
    other.flash.write_unit = 8;
    EXPECT(INDELIBLE_ERR_GEOMETRY_MISMATCH, indelible_open(&store, &other, NULL));
    other = config;
    other.flash.capacity = SIZE / 2;
    EXPECT(INDELIBLE_ERR_FLASH_TOO_SMALL, indelible_open(&store, &other, NULL));
    CHECK(last().needed == SIZE && last().available == SIZE / 2);
    other = config;
    other.sizes.segments = SEGMENTS - 1;
    EXPECT(INDELIBLE_ERR_MEMORY_TOO_SMALL, indelible_open(&store, &other, NULL));
    CHECK(strcmp(last().what, "segments") == 0 && last().needed == SEGMENTS);
    other = config;
    other.sizes.keys = 0;
    EXPECT(INDELIBLE_ERR_INDEX_FULL, indelible_open(&store, &other, NULL));

    /* Reading only: no program callback is needed, nothing is changed. */
    other = config;
    other.flags = INDELIBLE_FLAG_READ_ONLY;
    other.flash.program = NULL;
    other.flash.erase = NULL;
    OK(indelible_open(&store, &other, NULL));
    OK(indelible_get(&store, "k", 1, value, sizeof value, &len));
    EXPECT(INDELIBLE_ERR_READ_ONLY, indelible_put(&store, "k", 1, "w", 1));
    EXPECT(INDELIBLE_ERR_READ_ONLY, indelible_setup(&other, NULL));
    OK(indelible_close(&store));

    /* A failed operation poisons the store until it is opened again. */
    OK(indelible_open(&store, &config, NULL));
    ram_flash_power(&flash, 1);
    EXPECT(INDELIBLE_ERR_FLASH, indelible_put(&store, "k", 1, "w", 1));
    error = last();
    CHECK(error.operation == INDELIBLE_OPERATION_ERASE && error.cause == RAM_FLASH_OFF && error.address < SIZE);
    ram_flash_power(&flash, 0);
    EXPECT(INDELIBLE_ERR_POISONED, indelible_put(&store, "k", 1, "w", 1));
    OK(indelible_begin(&store));
    EXPECT(INDELIBLE_ERR_POISONED, indelible_put(&store, "k", 1, "w", 1));
    status = indelible_commit(&store);
    CHECK(status == INDELIBLE_ERR_POISONED);
    EXPECT(INDELIBLE_ERR_NO_TRANSACTION, indelible_abort(&store));
    OK(indelible_close(&store));
    OK(indelible_open(&store, &config, NULL));
    OK(indelible_put(&store, "k", 1, "w", 1));
    OK(indelible_close(&store));

    /* A version that this build does not know: byte 4 of a header. */
    {
        static uint8_t kept[SIZE];
        int i;
        memcpy(kept, bytes, SIZE);
        for (i = 0; i < SEGMENTS; i++)
            if (memcmp(bytes + i * SEGMENT, "iNDL", 4) == 0) refit_header(bytes + i * SEGMENT, 6);
        EXPECT(INDELIBLE_ERR_VERSION_UNSUPPORTED, indelible_open_or_setup(&store, &config, NULL));
        CHECK(last().available == 6 && last().needed == 1);
        memcpy(bytes, kept, SIZE);
    }

    /* Factory reset. */
    OK(indelible_setup(&config, &error));
    CHECK(error.status == INDELIBLE_OK);
    OK(indelible_open(&store, &config, NULL));
    EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "k", 1));
    OK(indelible_close(&store));
    CHECK(flash.violations == 0);
}

/* Booting a new device, and resetting one. */

static void boots(void) {
    ram_flash flash = make_flash(4, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    indelible_report report;
    uint32_t cut, setups, kept = 0, fresh = 0;
    static uint8_t used[SIZE];
    int i;

    /* Foreign bytes are left alone, unless it is said otherwise. */
    memset(bytes + 5 * SEGMENT, 'f', 300);
    EXPECT(INDELIBLE_ERR_NOT_A_STORE, indelible_open_or_setup(&store, &config, &report));
    CHECK(bytes[5 * SEGMENT] == 'f' && last().address == 5 * SEGMENT);
    config.flags = INDELIBLE_FLAG_OVERWRITE;
    OK(indelible_open_or_setup(&store, &config, &report));
    CHECK(report.created == 1);
    OK(indelible_put(&store, "k", 1, "v", 1));
    OK(indelible_close(&store));
    OK(indelible_open_or_setup(&store, &config, &report));
    CHECK(report.created == 0);
    OK(indelible_exists(&store, "k", 1));
    OK(indelible_close(&store));
    config.flags = 0;

    /* A store that is damaged beyond being known is not set up over. */
    ram_flash_reset(&flash);
    OK(indelible_open_or_setup(&store, &config, &report));
    OK(indelible_put(&store, "k", 1, "v", 1));
    OK(indelible_close(&store));
    memcpy(used, bytes, SIZE);
    for (i = 0; i < SEGMENTS; i++)
        if (memcmp(bytes + i * SEGMENT, "iNDL", 4) == 0) memset(bytes + i * SEGMENT, 0x42, 40);
    EXPECT(INDELIBLE_ERR_NOT_A_STORE, indelible_open_or_setup(&store, &config, &report));
    memcpy(bytes, used, SIZE);
    for (i = 0; i < SEGMENTS; i++)
        if (memcmp(bytes + i * SEGMENT, "iNDL", 4) == 0) memset(bytes + i * SEGMENT + 16, 0x42, 24);
    EXPECT(INDELIBLE_ERR_NOT_A_STORE, indelible_open_or_setup(&store, &config, &report));

    /* The power fails in the first boot, anywhere: the next one makes it. */
    for (cut = 1;; cut++) {
        indelible_status status;
        ram_flash_reset(&flash);
        ram_flash_power(&flash, cut);
        status = indelible_open_or_setup(&store, &config, &report);
        if (status == INDELIBLE_OK) break;
        CHECK(status == INDELIBLE_ERR_FLASH && cut < 1000);
        ram_flash_power(&flash, 0);
        OK(indelible_open_or_setup(&store, &config, &report));
        OK(indelible_put(&store, "k", 1, "v", 1));
        OK(indelible_close(&store));
    }
    OK(indelible_close(&store));
    setups = cut - 1;
    CHECK(setups > 3);

    /* And in a reset: the old store, whole, or the new one. */
    ram_flash_reset(&flash);
    OK(indelible_open_or_setup(&store, &config, &report));
    for (i = 0; i < 300; i++) OK(indelible_put(&store, i % 2 ? "a" : "b", 1, &i, sizeof i));
    OK(indelible_close(&store));
    memcpy(used, bytes, SIZE);
    for (cut = 1;; cut++) {
        indelible_status status;
        memcpy(bytes, used, SIZE);
        config.nonce = 0x5EED + cut;
        ram_flash_power(&flash, cut);
        status = indelible_setup(&config, NULL);
        if (status == INDELIBLE_OK) break;
        CHECK(status == INDELIBLE_ERR_FLASH && cut < 1000);
        ram_flash_power(&flash, 0);
        OK(indelible_open_or_setup(&store, &config, &report));
        CHECK(report.damaged == 0);
        if (report.created) {
            fresh++;
            EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "a", 1));
            EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "b", 1));
        } else if (indelible_exists(&store, "a", 1) == INDELIBLE_OK) {
            kept++;
            OK(indelible_get(&store, "a", 1, &i, sizeof i, NULL));
            CHECK(i == 299);
            OK(indelible_get(&store, "b", 1, &i, sizeof i, NULL));
            CHECK(i == 298);
        } else {
            EXPECT(INDELIBLE_NOT_FOUND, indelible_exists(&store, "b", 1));
        }
        OK(indelible_close(&store));
    }
    CHECK(kept > 0 && fresh > 0 && flash.violations == 0);
    printf("%lu cuts of a setup, %lu of a reset\n", (unsigned long)setups, (unsigned long)(cut - 1));
}

/* Power cuts: a workload is cut at each of its operations, and again in the
   recovery. What is there afterwards is what was acknowledged, with the step in
   flight as a whole or not at all. */

enum { MODEL_KEYS = 10, VALUE_MAX = 60, STEPS = 140 };

typedef struct model {
    int present[MODEL_KEYS];
    size_t len[MODEL_KEYS];
    uint8_t value[MODEL_KEYS][VALUE_MAX];
    uint64_t head, tail;
    /* The list of key 0: elements `first` to `end`, each its own number. */
    uint64_t first, end;
} model;

static uint8_t log_byte(uint64_t position) {
    return (uint8_t)(position * 131 + 7);
}

static int matches(const model *expected) {
    uint8_t value[VALUE_MAX], line[64];
    indelible_log_span span;
    uint64_t at, count, i;
    size_t len;
    int key;
    for (key = 0; key < MODEL_KEYS; key++) {
        char name[4] = {'k', 'e', 'y', (char)('0' + key)};
        indelible_status status = indelible_get(&store, name, 4, value, sizeof value, &len);
        if (status != (expected->present[key] ? INDELIBLE_OK : INDELIBLE_NOT_FOUND)) return 0;
        if (!expected->present[key]) continue;
        if (len != expected->len[key] || memcmp(value, expected->value[key], len) != 0) return 0;
    }
    if (expected->present[0]) {
        OK(indelible_list_length(&store, "key0", 4, &count));
        if (count != expected->end - expected->first) return 0;
        for (i = 0; i < count; i++) {
            OK(indelible_list_get(&store, "key0", 4, i, value, sizeof value, &len));
            if (len != 1 || value[0] != (uint8_t)(expected->first + i)) return 0;
        }
    }
    OK(indelible_log(&store, 0, &span));
    if (span.head != expected->head || span.tail != expected->tail) return 0;
    for (at = span.head; at < span.tail; at += len) {
        len = span.tail - at < sizeof line ? (size_t)(span.tail - at) : sizeof line;
        OK(indelible_read(&store, 0, at, line, len));
        for (i = 0; i < len; i++)
            if (line[i] != log_byte(at + i)) return 0;
    }
    return 1;
}

/* Each changes the model, and the store if `real`. */

static indelible_status put(model *to, int real, int key, uint32_t random) {
    char name[4] = {'k', 'e', 'y', (char)('0' + key)};
    size_t i, len = random % VALUE_MAX;
    if (!to->present[key] && key == 0) to->first = to->end = 0;
    to->present[key] = 1;
    to->len[key] = len;
    for (i = 0; i < len; i++) to->value[key][i] = (uint8_t)(random >> (i % 23));
    return real ? indelible_put(&store, name, 4, to->value[key], len) : INDELIBLE_OK;
}

static indelible_status append(model *to, int real, size_t len) {
    uint8_t line[80];
    size_t i;
    for (i = 0; i < len; i++) line[i] = log_byte(to->tail + i);
    to->tail += len;
    return real ? indelible_append(&store, 0, line, len, NULL) : INDELIBLE_OK;
}

static indelible_status step(model *to, uint32_t random, int real) {
    int key = (int)(random >> 8) % MODEL_KEYS;
    indelible_status status = INDELIBLE_OK;
    if (to->tail - to->head > LOG_CAPACITY - 200) {
        to->head = to->tail - 100;
        return real ? indelible_advance_head(&store, 0, to->head) : INDELIBLE_OK;
    }
    switch (random % 8) {
    case 0:
    case 1:
    case 2: return put(to, real, key, random);
    case 3:
        if (!to->present[key]) return put(to, real, key, random);
        to->present[key] = 0;
        {
            char name[4] = {'k', 'e', 'y', (char)('0' + key)};
            return real ? indelible_delete(&store, name, 4) : INDELIBLE_OK;
        }
    case 4: return append(to, real, random % 77);
    case 5:
        if (!to->present[0]) return put(to, real, 0, random);
        if (to->end - to->first >= 12) {
            to->first += 5;
            return real ? indelible_list_trim(&store, "key0", 4, 5) : INDELIBLE_OK;
        } else {
            uint8_t element = (uint8_t)to->end++;
            return real ? indelible_list_append(&store, "key0", 4, &element, 1) : INDELIBLE_OK;
        }
    default: {
        /* A transaction, one of eight aborted. */
        model before = *to;
        int aborts = (random >> 20) % 8 == 0;
        if (real) status = indelible_begin(&store);
        if (status == INDELIBLE_OK) status = put(to, real, key, random);
        if (status == INDELIBLE_OK) status = put(to, real, (key + 3) % MODEL_KEYS, random * 3);
        if (status == INDELIBLE_OK) status = append(to, real, random % 50 + 1);
        if (status == INDELIBLE_OK && real) status = aborts ? indelible_abort(&store) : indelible_commit(&store);
        /* What is refused or cut in the middle is to be known as a whole. */
        if (status != INDELIBLE_OK) {
            *to = before;
            (void)step(to, random, 0);
        }
        if (aborts) *to = before;
        return status;
    }
    }
}

static void cuts(const char *name, uint32_t write_unit, uint8_t blank, uint8_t order, int nvm, int ecc) {
    ram_flash flash = make_flash(write_unit, blank, order);
    indelible_config config = make_config(&flash, nvm);
    static uint8_t fresh[SIZE];
    uint32_t cut, cuts_made = 0, recoveries = 0, operations = 0;

    flash.ecc = ecc;
    OK(indelible_setup(&config, NULL));
    memcpy(fresh, bytes, SIZE);
    for (cut = 1;; cut += stride) {
        model before, after;
        indelible_report report;
        indelible_status status = INDELIBLE_OK;
        uint32_t random = seed, again;
        int n;

        memcpy(bytes, fresh, SIZE);
        flash.unreadable_count = 0;
        memset(&after, 0, sizeof after);
        before = after;
        ram_flash_power(&flash, 0);
        OK(indelible_open(&store, &config, NULL));
        ram_flash_power(&flash, cut);
        for (n = 0; n < STEPS && status == INDELIBLE_OK; n++) {
            before = after;
            status = step(&after, ram_flash_random(&random), 1);
        }
        if (status == INDELIBLE_OK) {
            /* The whole workload; then a clean end. */
            operations = flash.operations;
            ram_flash_power(&flash, 0);
            OK(indelible_close(&store));
            OK(indelible_open(&store, &config, &report));
            CHECK(report.clean == 1 && matches(&after));
            OK(indelible_close(&store));
            break;
        }
        CHECK(status == INDELIBLE_ERR_FLASH);
        cuts_made++;
        (void)indelible_close(&store);
        /* The recovery is cut as well, up to twice. */
        for (again = 0; again < 2; again++) {
            ram_flash_power(&flash, 1 + ram_flash_random(&flash.random) % 12);
            status = indelible_open(&store, &config, &report);
            CHECK(status == INDELIBLE_OK || status == INDELIBLE_ERR_FLASH);
            if (status == INDELIBLE_OK) (void)indelible_close(&store);
            recoveries++;
        }
        ram_flash_power(&flash, 0);
        OK(indelible_open(&store, &config, &report));
        recoveries++;
        CHECK(report.damaged == 0);
        CHECK(matches(&before) || matches(&after));
        /* It goes on. */
        if (matches(&before)) after = before;
        for (n = 0; n < 5; n++) OK(step(&after, ram_flash_random(&random), 1));
        CHECK(matches(&after));
        OK(indelible_close(&store));
    }
    CHECK(flash.violations == 0 && cuts_made == (operations + stride - 1) / stride && operations > STEPS);
    printf("%-28s %5lu cuts, %5lu recoveries\n", name, (unsigned long)cuts_made, (unsigned long)recoveries);
}

/* Two threads on one store: each call is done or refused. */

static void *hammer(void *context) {
    char key[3] = {0, 0, 0};
    unsigned long done = 0;
    int i;
    key[0] = *(const char *)context;
    for (i = 0; done < 2000; i++) {
        indelible_status status;
        key[1] = (char)('a' + i % 20);
        status = indelible_put(&store, key, 2, &i, sizeof i);
        if (status == INDELIBLE_OK) done++;
        else if (status == INDELIBLE_ERR_BUSY) sched_yield();
        else return NULL;
    }
    return context;
}

static void threads(void) {
    ram_flash flash = make_flash(4, 0xFF, INDELIBLE_ORDERED);
    indelible_config config = make_config(&flash, 0);
    char one = 'A', two = 'B';
    pthread_t a, b;
    void *result;
    indelible_checked checked;

    OK(indelible_open_or_setup(&store, &config, NULL));
    CHECK(pthread_create(&a, NULL, hammer, &one) == 0);
    CHECK(pthread_create(&b, NULL, hammer, &two) == 0);
    CHECK(pthread_join(a, &result) == 0 && result == &one);
    CHECK(pthread_join(b, &result) == 0 && result == &two);
    OK(indelible_check(&store, NULL, NULL, &checked));
    CHECK(checked.damaged == 0 && checked.entries == 40);
    OK(indelible_close(&store));
    OK(indelible_open(&store, &config, NULL));
    OK(indelible_close(&store));
    CHECK(flash.violations == 0);
}

int main(int count, char **arguments) {
    if (count > 1) seed = (uint32_t)strtoul(arguments[1], NULL, 0);
    if (count > 2) stride = (uint32_t)strtoul(arguments[2], NULL, 0);
    if (stride == 0) stride = 1;
    printf("seed %lu\n", (unsigned long)seed);
    sizes();
    texts();
    refusals();
    keys();
    logs();
    lists();
    transactions();
    scans();
    care();
    boots();
    cuts("flash, unit 1", 1, 0xFF, INDELIBLE_ORDERED, 0, 0);
    cuts("flash, unit 4", 4, 0xFF, INDELIBLE_ORDERED, 0, 0);
    cuts("flash, unit 8", 8, 0xFF, INDELIBLE_ORDERED, 0, 0);
    cuts("flash, unit 32", 32, 0xFF, INDELIBLE_ORDERED, 0, 0);
    cuts("flash with ECC, unit 8", 8, 0xFF, INDELIBLE_ORDERED, 0, 1);
    cuts("flash with ECC, unit 32", 32, 0xFF, INDELIBLE_ORDERED, 0, 1);
    cuts("byte memory, no erase", 1, 0, INDELIBLE_ORDERED, 1, 0);
    cuts("unordered memory", 1, 0, INDELIBLE_UNORDERED, 0, 0);
    threads();
    printf("%lu checks passed\n", checks);
    return 0;
}
