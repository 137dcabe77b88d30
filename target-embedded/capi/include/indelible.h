/*
 * Indelible: crash-proof logs and key-value storage.
 *
 * Every commit is all-or-nothing across power cuts, and corruption is detected
 * and never mistaken for a power cut.
 *
 * How to use it: README.md beside this file's folder. In short:
 *
 *     static uint64_t memory[INDELIBLE_MEMORY_SIZE(64, 1, 8, 100, 8, 32) / 8];
 *     static indelible_store store;
 *
 *     indelible_config config = {0};
 *     config.flash.read = my_read;  ...
 *     config.memory = memory;
 *     config.memory_len = sizeof memory;
 *     config.sizes.segments = 64;  ...
 *     indelible_open_or_setup(&store, &config, NULL);
 *     indelible_put(&store, "boots", 5, &boots, sizeof boots);
 *
 * For every function:
 *
 * - It returns an `indelible_status`. Unless it says otherwise, an error leaves
 *   the store and its open transaction as they were. `indelible_last_error` has
 *   the details.
 * - A store is used by one caller at a time. A call on a store in which another
 *   one is under way (from a callback, an interrupt or another thread) is
 *   refused with INDELIBLE_ERR_BUSY; see README.md for CPUs without
 *   compare-and-swap. Different stores do not know of each other.
 * - Pointers and lengths describe memory that is there, as for memcpy. NULL is
 *   allowed where the length is 0 and where it is said. What the library can
 *   see to be wrong (NULL, misaligned, inside the store's own memory, buffers
 *   that overlap) is refused.
 * - Callbacks return; they do not throw or longjmp.
 */


#ifndef INDELIBLE_H
#define INDELIBLE_H

/* Made by cbindgen from the crate indelible-capi: change it there. */

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX > 0xFFFFFFFFu
#define INDELIBLE_STORE_SIZE INDELIBLE_STORE_SIZE_64
#else
#define INDELIBLE_STORE_SIZE INDELIBLE_STORE_SIZE_32
#endif
#define INDELIBLE_STORE_WORDS (INDELIBLE_STORE_SIZE / 8u)

/* Index slots for a number of keys: 8 bytes each, at most 85 % of them used. A
   list takes one entry and one for each element; a value longer than an eighth
   of a segment one for each piece of about that length. */
#define INDELIBLE_INDEX_SLOTS(keys) ((keys) / 17u * 20u + ((keys) % 17u * 20u + 16u) / 17u)

/* Bytes of memory that a store is to be lent, a multiple of 8: the six numbers
   of an indelible_sizes. */
#define INDELIBLE_MEMORY_SIZE(segments, logs, ring, keys, changes, key_max)                 \
    (((size_t)INDELIBLE_INDEX_SLOTS((size_t)(keys)) * 8u +                                  \
      (size_t)(changes) * INDELIBLE_CHANGE_SIZE + (size_t)(logs) * INDELIBLE_LOG_SIZE +     \
      (size_t)(segments) * INDELIBLE_SEGMENT_SIZE + (size_t)(ring) * 4u +                   \
      (size_t)(key_max) * 2u + 7u) / 8u * 8u)

/* Segments of a flash, the first of the six. */
#define INDELIBLE_SEGMENTS(capacity, segment_size) ((capacity) / (segment_size))

/* Segments that one log of a guaranteed capacity may span, rounded up: the
   third of the six is their sum over all logs. */
#define INDELIBLE_LOG_RING(log_capacity, segment_size, write_unit)                          \
    (((log_capacity) + INDELIBLE_LOG_PAYLOAD_(segment_size, write_unit) - 1u) /             \
         INDELIBLE_LOG_PAYLOAD_(segment_size, write_unit) + 1u)
#define INDELIBLE_LOG_PAYLOAD_(segment_size, write_unit)                                    \
    ((segment_size) - (segment_size) / 128u - 56u - 2u * (write_unit))


/**
 * What an erased byte of NOR flash reads as.
 */
#define INDELIBLE_BLANK_FLASH 255

/**
 * The cause where the core was led outside the flash, by a damaged image; no
 * callback was called.
 */
#define INDELIBLE_CAUSE_OUT_OF_RANGE -1000000

/**
 * What `read` returns where the flash's error correction gives up on a unit
 * that it was asked for. The bytes do not matter then: the unit counts as cut
 * if nothing is programmed behind it, else as damage. Only on flash with write
 * units of 8 bytes and more, below 4 GiB; elsewhere it is an error like others.
 */
#define INDELIBLE_READ_UNREADABLE -1000001

/**
 * Bytes of the store object where pointers have 32 bits.
 */
#define INDELIBLE_STORE_SIZE_32 960

/**
 * Bytes of the store object where pointers have 64 bits.
 */
#define INDELIBLE_STORE_SIZE_64 1152

/**
 * Bytes of memory for each segment.
 */
#define INDELIBLE_SEGMENT_SIZE 24

/**
 * Bytes of memory for each log.
 */
#define INDELIBLE_LOG_SIZE 128

/**
 * Bytes of memory for each change in a transaction.
 */
#define INDELIBLE_CHANGE_SIZE 40

/**
 * How many damages a report lists.
 */
#define INDELIBLE_DAMAGES_MAX 8

/**
 * What a function returns. The numbers do not change.
 */
enum indelible_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Done.
     */
    INDELIBLE_OK = 0,
    /**
     * No such key, or no such list element.
     */
    INDELIBLE_NOT_FOUND = 1,
    /**
     * The key to create is present.
     */
    INDELIBLE_ERR_KEY_EXISTS = 2,
    /**
     * A pointer is NULL, lies in the store's own memory or overlaps another,
     * a length is impossible, or a flag is not known.
     */
    INDELIBLE_ERR_ARGUMENT = 3,
    /**
     * A pointer is not aligned: to 8 bytes for the store and its memory.
     */
    INDELIBLE_ERR_ALIGNMENT = 4,
    /**
     * The store is not open: never opened, closed, or a copy of one.
     */
    INDELIBLE_ERR_NOT_OPEN = 5,
    /**
     * The store is open already.
     */
    INDELIBLE_ERR_ALREADY_OPEN = 6,
    /**
     * Another call on this store is under way.
     */
    INDELIBLE_ERR_BUSY = 7,
    /**
     * The lent memory is too small: `needed`, `available`; `what` names the
     * table that is, where it is entries that are counted.
     */
    INDELIBLE_ERR_MEMORY_TOO_SMALL = 8,
    /**
     * The buffer is too small: `needed` bytes.
     */
    INDELIBLE_ERR_BUFFER_TOO_SMALL = 9,
    /**
     * A key has at least one byte.
     */
    INDELIBLE_ERR_KEY_EMPTY = 10,
    /**
     * The key is longer (`needed`) than the store takes (`available`).
     */
    INDELIBLE_ERR_KEY_TOO_LONG = 11,
    /**
     * The value or list element is longer (`needed`) than the store takes
     * (`available`).
     */
    INDELIBLE_ERR_VALUE_TOO_LONG = 12,
    /**
     * The store has no room: `needed`, `available` bytes. Deletes still work.
     */
    INDELIBLE_ERR_FULL = 13,
    /**
     * The log has no room: `log`, `needed`, `available` bytes. Advance its
     * head.
     */
    INDELIBLE_ERR_LOG_FULL = 14,
    /**
     * The lent index holds no further entry: `available` fit.
     */
    INDELIBLE_ERR_INDEX_FULL = 15,
    /**
     * The transaction has more changes than `available`; commit first.
     */
    INDELIBLE_ERR_TRANSACTION_TOO_LARGE = 16,
    /**
     * A transaction is open; commit or abort it first.
     */
    INDELIBLE_ERR_TRANSACTION_OPEN = 17,
    /**
     * No transaction is open.
     */
    INDELIBLE_ERR_NO_TRANSACTION = 18,
    /**
     * The position is before the log's head, `address`.
     */
    INDELIBLE_ERR_BEFORE_HEAD = 19,
    /**
     * The position is behind the log's tail, `address`.
     */
    INDELIBLE_ERR_PAST_TAIL = 20,
    /**
     * There is no such log: `log`; there are `available`.
     */
    INDELIBLE_ERR_INVALID_LOG = 21,
    /**
     * A callback failed: `operation`, `address`, `cause`. After a failed
     * program, erase or sync the store takes no changes until it is opened
     * again.
     */
    INDELIBLE_ERR_FLASH = 22,
    /**
     * An earlier program, erase or sync failed: close the store, open it
     * again.
     */
    INDELIBLE_ERR_POISONED = 23,
    /**
     * The store is open for reading only.
     */
    INDELIBLE_ERR_READ_ONLY = 24,
    /**
     * A checksum failed and could not be healed: `item`, `log`, `address`.
     */
    INDELIBLE_ERR_CORRUPT = 25,
    /**
     * Damage at `address` may have held a newer version of this key: the
     * answer known is withheld. See `indelible_accept_damage`.
     */
    INDELIBLE_ERR_DOUBTFUL = 26,
    /**
     * No store was found: the flash is blank, or in use from `address` on, or
     * power failed while a store was set up.
     */
    INDELIBLE_ERR_NOT_A_STORE = 27,
    /**
     * The store has another id.
     */
    INDELIBLE_ERR_ID_MISMATCH = 28,
    /**
     * The store is of another format version: `available`; this build works
     * with `needed`.
     */
    INDELIBLE_ERR_VERSION_UNSUPPORTED = 29,
    /**
     * A store was found, but no ledger that can be read; the newest is at
     * `address`.
     */
    INDELIBLE_ERR_LEDGER_LOST = 30,
    /**
     * The flash (`available` bytes) is shorter than its store (`needed`).
     */
    INDELIBLE_ERR_FLASH_TOO_SMALL = 31,
    /**
     * The flash is described otherwise than when the store was set up.
     */
    INDELIBLE_ERR_GEOMETRY_MISMATCH = 32,
    /**
     * The flash cannot hold this store: `what` does not work; `available` is
     * there, `needed` the limit.
     */
    INDELIBLE_ERR_GEOMETRY = 33,
    /**
     * Segment sequences are used up (2^32 segments were opened).
     */
    INDELIBLE_ERR_SEQUENCE_EXHAUSTED = 34,
    /**
     * An error that this version of the API has no name for.
     */
    INDELIBLE_ERR_OTHER = 35,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum indelible_status indelible_status;
#else
typedef int32_t indelible_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which callback.
 */
enum indelible_operation
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * None.
     */
    INDELIBLE_OPERATION_NONE = 0,
    /**
     * `read`.
     */
    INDELIBLE_OPERATION_READ = 1,
    /**
     * `program`.
     */
    INDELIBLE_OPERATION_PROGRAM = 2,
    /**
     * `erase`.
     */
    INDELIBLE_OPERATION_ERASE = 3,
    /**
     * `sync`.
     */
    INDELIBLE_OPERATION_SYNC = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum indelible_operation indelible_operation;
#else
typedef int32_t indelible_operation;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What was hit.
 */
enum indelible_item
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing.
     */
    INDELIBLE_ITEM_NONE = 0,
    /**
     * A key's value, or a part of it.
     */
    INDELIBLE_ITEM_VALUE = 1,
    /**
     * An element of a list.
     */
    INDELIBLE_ITEM_ELEMENT = 2,
    /**
     * Bytes of a log.
     */
    INDELIBLE_ITEM_LOG = 3,
    /**
     * The store's own records.
     */
    INDELIBLE_ITEM_METADATA = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum indelible_item indelible_item;
#else
typedef int32_t indelible_item;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * In what order what was programmed and erased becomes durable.
 */
enum indelible_order
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * In the order issued, a write unit at a time: flash, FRAM, EEPROM.
     */
    INDELIBLE_ORDERED = 0,
    /**
     * In any order until a sync, by aligned words of 8 bytes: files, battery
     * backed memory behind a cache.
     */
    INDELIBLE_UNORDERED = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum indelible_order indelible_order;
#else
typedef int32_t indelible_order;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Flags of a configuration.
 */
enum indelible_flag
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Never writes; an image that was not closed is repaired in memory alone.
     */
    INDELIBLE_FLAG_READ_ONLY = 1,
    /**
     * On media that are not ordered each commit syncs its data before its
     * mark: a fault that undoes whole words of the newest commit is then known
     * as damage as well.
     */
    INDELIBLE_FLAG_TWO_SYNCS = 2,
    /**
     * `indelible_open_or_setup` sets up over bytes that are no store's too.
     */
    INDELIBLE_FLAG_OVERWRITE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum indelible_flag indelible_flag;
#else
typedef uint32_t indelible_flag;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A store: memory for it, never looked into. To be zero before it is opened
 * for the first time, not copied and not moved while it is open.
 */
typedef struct {
    uint64_t opaque[INDELIBLE_STORE_WORDS];
} indelible_store;

/**
 * The details of an error. What a status does not speak of is zero.
 */
typedef struct {
    /**
     * What the function returned.
     */
    indelible_status status;
    /**
     * The callback that failed.
     */
    indelible_operation operation;
    /**
     * What it returned; INDELIBLE_CAUSE_OUT_OF_RANGE where it was not called.
     */
    int cause;
    /**
     * What was hit.
     */
    indelible_item item;
    /**
     * Which log.
     */
    uint32_t log;
    /**
     * The address on the flash in bytes; a log position for
     * INDELIBLE_ERR_BEFORE_HEAD and INDELIBLE_ERR_PAST_TAIL.
     */
    uint64_t address;
    /**
     * What was asked for, or would be needed.
     */
    uint64_t needed;
    /**
     * What is there.
     */
    uint64_t available;
    /**
     * The table, or the part of the geometry, in words; or NULL. A constant.
     */
    const char *what;
} indelible_error;

/**
 * How large the tables in the lent memory are.
 */
typedef struct {
    /**
     * Segments: the flash's capacity divided by the segment size.
     */
    uint32_t segments;
    /**
     * Logs.
     */
    uint32_t logs;
    /**
     * Segments that the logs may span: INDELIBLE_LOG_RING of each, or
     * `ring` of `indelible_plan` or `indelible_survey`.
     */
    uint32_t ring;
    /**
     * Keys, with lists and elements: see INDELIBLE_INDEX_SLOTS. May be 0.
     */
    uint32_t keys;
    /**
     * Changes in a transaction: a put or list operation takes one, a delete
     * or list append two. At least 2 where keys are used.
     */
    uint32_t changes;
    /**
     * Bytes of the longest key.
     */
    uint32_t key_max;
} indelible_sizes;

/**
 * The flash, or a partition of it, or byte-writable memory (FRAM, MRAM,
 * EEPROM). Addresses are bytes from 0.
 *
 * Callbacks return 0 on success; anything else is an error, which the store
 * keeps as `cause`. They stay inside the capacity without checking: the
 * library does. They call no function on the same store.
 */
typedef struct {
    /**
     * Handed to each callback.
     */
    void *context;
    /**
     * Fills `buffer` from `address`. Any address and length. Flash with error
     * correction returns INDELIBLE_READ_UNREADABLE where that gives up.
     */
    int (*read)(void *context, uint64_t address, void *buffer, size_t len);
    /**
     * Programs `data` at `address`, both whole write units, into bytes that
     * are erased. Never twice between erases. NULL where the store is opened
     * for reading only.
     */
    int (*program)(void *context, uint64_t address, const void *data, size_t len);
    /**
     * Erases `len` bytes from `address`, both whole erase units. NULL where
     * bytes can be overwritten: then `program` writes blank bytes there.
     */
    int (*erase)(void *context, uint64_t address, size_t len);
    /**
     * Returns when everything programmed and erased is durable. NULL where it
     * is when `program` and `erase` return.
     */
    int (*sync)(void *context);
    /**
     * Bytes; whole segments are used.
     */
    uint64_t capacity;
    /**
     * Bytes programmed at a time: a power of two from 1 to 512; at most 64
     * where `erase` is NULL.
     */
    uint32_t write_unit;
    /**
     * Bytes erased at a time: a power of two, a multiple of the write unit
     * and of 8. Where `erase` is NULL any such number; 512 is a good one.
     */
    uint32_t erase_unit;
    /**
     * What an erased byte reads as: INDELIBLE_BLANK_FLASH, or 0.
     */
    uint8_t blank;
    /**
     * An `indelible_order`.
     */
    uint8_t order;
} indelible_flash;

/**
 * What a store is made of, and what it is lent. Zero where nothing is said.
 */
typedef struct {
    /**
     * The flash. Copied: only what `context` points at has to stay.
     */
    indelible_flash flash;
    /**
     * Memory for the store's tables, aligned to 8 bytes: the store's alone
     * from open to close.
     */
    void *memory;
    /**
     * Its bytes: at least INDELIBLE_MEMORY_SIZE of `sizes`.
     */
    size_t memory_len;
    /**
     * How large its tables are. Tables may be larger than the store needs.
     */
    indelible_sizes sizes;
    /**
     * `INDELIBLE_FLAG_...`, added together.
     */
    uint32_t flags;
    /**
     * The store's id, given at setup and compared at open. Both parts 0 are an
     * id like any other, but that `indelible_open` takes any store then.
     */
    uint64_t id_high;
    /**
     * The lower half of the id.
     */
    uint64_t id_low;
    /**
     * At setup alone: a random number, another one at each setup of the same
     * flash. It tells this store's bytes from any earlier one's.
     */
    uint64_t nonce;
    /**
     * At setup alone: bytes of a segment, a multiple of the erase unit; 0 to
     * have one chosen.
     */
    uint32_t segment_size;
    /**
     * At setup alone: the guaranteed capacity of each log in bytes;
     * `sizes.logs` of them.
     */
    const uint64_t *log_capacities;
} indelible_config;

/**
 * The sizes of a store.
 */
typedef struct {
    /**
     * Bytes of flash that the store uses.
     */
    uint64_t capacity;
    /**
     * Bytes of keys and values with their framing that fit.
     */
    uint64_t kv_capacity;
    /**
     * Bytes of a segment.
     */
    uint32_t segment_size;
    /**
     * Segments: for `sizes.segments`.
     */
    uint32_t segments;
    /**
     * Logs: for `sizes.logs`.
     */
    uint32_t logs;
    /**
     * Segments that the logs may span: for `sizes.ring`.
     */
    uint32_t ring;
    /**
     * The longest key that the format allows.
     */
    uint32_t key_max;
    /**
     * The write unit that the store was set up with.
     */
    uint32_t write_unit;
    /**
     * The erase unit that the store was set up with.
     */
    uint32_t erase_unit;
    /**
     * The blank byte that the store was set up with.
     */
    uint8_t blank;
    /**
     * The `indelible_order` that the store was set up with.
     */
    uint8_t order;
} indelible_layout;

/**
 * A damaged run of the flash.
 */
typedef struct {
    /**
     * INDELIBLE_ITEM_LOG for a log's bytes or its tail, else
     * INDELIBLE_ITEM_METADATA: records or commits.
     */
    indelible_item item;
    /**
     * Which log.
     */
    uint32_t log;
    /**
     * Its address in bytes.
     */
    uint64_t address;
    /**
     * Its length in bytes.
     */
    uint64_t len;
} indelible_damage;

/**
 * What opening found. Nothing is dropped, healed or abandoned without a word
 * here.
 */
typedef struct {
    /**
     * 1: the store had been closed; or it is new.
     */
    uint8_t clean;
    /**
     * 1: it was set up by this call.
     */
    uint8_t created;
    /**
     * 1: a power cut interrupted a transaction, which was dropped. It was
     * never acknowledged.
     */
    uint8_t torn;
    /**
     * Bytes from its first to its last programmed one.
     */
    uint64_t torn_bytes;
    /**
     * Single flipped bits that were corrected.
     */
    uint32_t healed_bits;
    /**
     * Segments that a cut operation left behind; they are free again.
     */
    uint32_t abandoned;
    /**
     * Ledger segments that a torn succession left behind.
     */
    uint32_t torn_successions;
    /**
     * Damaged runs found.
     */
    uint32_t damaged;
    /**
     * The first of them.
     */
    indelible_damage damages[INDELIBLE_DAMAGES_MAX];
} indelible_report;

/**
 * What is left for keys.
 */
typedef struct {
    /**
     * Bytes of keys and values with their framing: `indelible_record_size`
     * says what one takes.
     */
    uint64_t left;
    /**
     * Index entries: keys, lists, elements, pieces of values.
     */
    uint64_t entries_left;
    /**
     * Keys that are there.
     */
    uint64_t keys;
} indelible_room;

/**
 * Head, tail and capacity of a log, in bytes.
 */
typedef struct {
    /**
     * The first position that can be read.
     */
    uint64_t head;
    /**
     * The position behind the last byte.
     */
    uint64_t tail;
    /**
     * Bytes that fit between head and tail.
     */
    uint64_t capacity;
} indelible_log_span;

/**
 * What a check met.
 */
typedef struct {
    /**
     * What was hit.
     */
    indelible_item item;
    /**
     * Which log.
     */
    uint32_t log;
    /**
     * The key; NULL where it is not known. Valid as long as the callback runs.
     */
    const void *key;
    /**
     * Its bytes.
     */
    size_t key_len;
    /**
     * The address on the flash in bytes.
     */
    uint64_t address;
    /**
     * 1: it was healed, nothing is lost. 0: it is damaged.
     */
    uint8_t healed;
} indelible_finding;

/**
 * Called for each finding of a check. It calls nothing on the same store: that
 * is refused with INDELIBLE_ERR_BUSY.
 */
typedef void (*indelible_found)(void *context, const indelible_finding *finding);

/**
 * What a check looked at.
 */
typedef struct {
    /**
     * Frames of ledger and cold segments.
     */
    uint64_t frames;
    /**
     * Keys, lists, elements and pieces of values.
     */
    uint64_t entries;
    /**
     * Bytes of logs.
     */
    uint64_t log_bytes;
    /**
     * Flipped bits that were healed.
     */
    uint64_t healed;
    /**
     * Items that are damaged.
     */
    uint64_t damaged;
} indelible_checked;

/**
 * The state of a store's space.
 */
typedef struct {
    /**
     * Segments in all.
     */
    uint32_t segments;
    /**
     * Segments of the ledger.
     */
    uint32_t ledger;
    /**
     * Segments of relocated records.
     */
    uint32_t cold;
    /**
     * Segments of logs.
     */
    uint32_t logs;
    /**
     * Free segments that are known or believed to be blank.
     */
    uint32_t blank;
    /**
     * Free segments that are to be erased.
     */
    uint32_t dirty;
    /**
     * Bytes of records that are needed, marks of deletes included.
     */
    uint64_t live_bytes;
    /**
     * Marks of deletes among them.
     */
    uint64_t tombstone_bytes;
    /**
     * Bytes of records that fit.
     */
    uint64_t kv_capacity;
    /**
     * Keys.
     */
    uint64_t keys;
    /**
     * Entries in the index: keys, lists, elements, pieces of values.
     */
    uint64_t index_len;
    /**
     * Entries that fit into the lent index.
     */
    uint64_t index_capacity;
    /**
     * Erases of all segments.
     */
    uint64_t erases_total;
    /**
     * Erases of the least erased segment.
     */
    uint32_t erases_min;
    /**
     * Erases of the most erased segment.
     */
    uint32_t erases_max;
    /**
     * Single flipped bits corrected since open.
     */
    uint32_t healed_bits;
} indelible_stats;

/**
 * A key and its value, valid as long as the callback runs.
 */
typedef struct {
    /**
     * The key.
     */
    const void *key;
    /**
     * Its bytes.
     */
    size_t key_len;
    /**
     * The value, cut to the buffer; NULL where none was lent.
     */
    const void *value;
    /**
     * Bytes of it that are there.
     */
    size_t value_len;
    /**
     * Bytes of the whole value.
     */
    uint64_t value_total;
} indelible_entry;

/**
 * Called for each key of a scan; anything but 0 ends it. It calls nothing on
 * the same store: that is refused with INDELIBLE_ERR_BUSY.
 */
typedef int (*indelible_visit)(void *context, const indelible_entry *entry);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * A status in words: a constant string, never NULL, for any number.
 */
const char *indelible_strerror(int32_t status);

/**
 * The details of the last error on a store, or of its open that failed. All
 * zero where there was none. A call that is refused with INDELIBLE_ERR_BUSY
 * leaves none.
 */
indelible_status indelible_last_error(const indelible_store *store,
                                      indelible_error *error);

/**
 * The version of the library, such as "0.1.0": a constant string.
 */
const char *indelible_version(void);

/**
 * Bytes of memory for these sizes: INDELIBLE_MEMORY_SIZE at run time. 0 where
 * `sizes` is NULL or nothing has room for them.
 */
size_t indelible_memory_size(const indelible_sizes *sizes);

/**
 * What `indelible_setup` would make of `config`: sizes for its memory, before
 * there is a store. Touches no flash.
 *
 * Errors: INDELIBLE_ERR_GEOMETRY with the limit that is met,
 * INDELIBLE_ERR_ARGUMENT. `error` gets the details; it may be NULL.
 */
indelible_status indelible_plan(const indelible_config *config,
                                indelible_layout *layout,
                                indelible_error *error);

/**
 * The layout of the store on a flash: what memory it needs, found at run time.
 * Reads the head of each segment. Only `read` and `capacity` have to be right.
 *
 * Errors: INDELIBLE_ERR_NOT_A_STORE, INDELIBLE_ERR_VERSION_UNSUPPORTED,
 * INDELIBLE_ERR_LEDGER_LOST, INDELIBLE_ERR_FLASH_TOO_SMALL,
 * INDELIBLE_ERR_FLASH. `error` gets the details; it may be NULL.
 */
indelible_status indelible_survey(const indelible_flash *flash,
                                  indelible_layout *layout,
                                  indelible_error *error);

/**
 * Makes an empty store on the flash, whatever was there: also the factory
 * reset of a closed one. Erases what is not blank. Uses no memory.
 *
 * Power may fail meanwhile: the next `indelible_open_or_setup` finds the old
 * store, whole, or finishes this. `indelible_open` does not.
 *
 * Errors: INDELIBLE_ERR_GEOMETRY with the limit that is met,
 * INDELIBLE_ERR_FLASH, INDELIBLE_ERR_ARGUMENT, INDELIBLE_ERR_READ_ONLY.
 * `error` gets the details; it may be NULL.
 */
indelible_status indelible_setup(const indelible_config *config, indelible_error *error);

/**
 * Bytes that a key with a value takes of `kv_capacity`, and programs when it
 * is put. 0 where `layout` is NULL or was not made by this library.
 */
uint64_t indelible_record_size(const indelible_layout *layout,
                               uint32_t key_len,
                               uint64_t value_len);

/**
 * How often keys can be updated, all of them together, until the flash has
 * been erased `rated_erases` times: an estimate. `record_size` is that of one
 * key and value, `live_bytes` its sum over all keys. 0 where they do not fit.
 */
uint64_t indelible_lifetime_updates(const indelible_layout *layout,
                                    uint64_t record_size,
                                    uint64_t live_bytes,
                                    uint32_t rated_erases);

/**
 * How many appends of `len` bytes the logs take, all of them together, until
 * the flash has been erased `rated_erases` times: an estimate.
 */
uint64_t indelible_lifetime_appends(const indelible_layout *layout,
                                    uint64_t len,
                                    uint32_t rated_erases);

/**
 * Opens the store on the flash. What an unclean end left is put right, with a
 * few writes, before it returns. Reads each segment's head, the ledger from
 * its newest checkpoint and the head of each record.
 *
 * `report` may be NULL. Whatever is in `memory` is overwritten.
 *
 * Errors: INDELIBLE_ERR_NOT_A_STORE, INDELIBLE_ERR_VERSION_UNSUPPORTED,
 * INDELIBLE_ERR_ID_MISMATCH, INDELIBLE_ERR_LEDGER_LOST,
 * INDELIBLE_ERR_GEOMETRY_MISMATCH, INDELIBLE_ERR_MEMORY_TOO_SMALL,
 * INDELIBLE_ERR_INDEX_FULL where there are more keys than `sizes.keys`,
 * INDELIBLE_ERR_ALREADY_OPEN, INDELIBLE_ERR_FLASH; the store stays closed.
 */
indelible_status indelible_open(indelible_store *store,
                                const indelible_config *config,
                                indelible_report *report);

/**
 * What firmware wants when it boots: opens the store; where there is none,
 * because the flash is blank, or power failed while one was set up or reset,
 * sets it up.
 *
 * Bytes that are no store's are left alone, with INDELIBLE_ERR_NOT_A_STORE and
 * the first of them in `address`, unless INDELIBLE_FLAG_OVERWRITE is given. So
 * are stores that are damaged beyond reading, or of another id or version.
 *
 * Reads 20 bytes a segment more than `indelible_open`; where there is no store
 * all of the flash.
 *
 * Errors: as `indelible_open` and `indelible_setup`.
 */
indelible_status indelible_open_or_setup(indelible_store *store,
                                         const indelible_config *config,
                                         indelible_report *report);

/**
 * Closes the store: aborts an open transaction and seals the last one, so that
 * the next open is clean. One sync. The memory is the caller's again, also
 * where it returns an error of the flash: a store that was not sealed loses
 * nothing either.
 *
 * Errors: INDELIBLE_ERR_NOT_OPEN, INDELIBLE_ERR_BUSY, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_close(indelible_store *store);

/**
 * Reads the whole value of a key and checks it; one flipped bit is healed.
 * Sees the open transaction.
 *
 * `value_len` (may be NULL) gets the value's length, also where the buffer is
 * too small for it.
 *
 * Errors: INDELIBLE_NOT_FOUND, INDELIBLE_ERR_BUFFER_TOO_SMALL,
 * INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_get(indelible_store *store,
                               const void *key,
                               size_t key_len,
                               void *value,
                               size_t value_size,
                               size_t *value_len);

/**
 * Reads a part of a key's value from `offset`. `value_len` gets how many bytes
 * there were: fewer than `value_size` only at the value's end.
 *
 * Errors: INDELIBLE_NOT_FOUND, INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL,
 * INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_get_part(indelible_store *store,
                                    const void *key,
                                    size_t key_len,
                                    uint64_t offset,
                                    void *value,
                                    size_t value_size,
                                    size_t *value_len);

/**
 * The length of a key's value in bytes.
 *
 * Errors: INDELIBLE_NOT_FOUND, INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL,
 * INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_length(indelible_store *store,
                                  const void *key,
                                  size_t key_len,
                                  uint64_t *value_len);

/**
 * Whether a key is present: INDELIBLE_OK or INDELIBLE_NOT_FOUND.
 *
 * Errors: INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_exists(indelible_store *store,
                                  const void *key,
                                  size_t key_len);

/**
 * Sets a key to a value: durable and atomic on return, or, in a transaction,
 * when it commits. One sync.
 *
 * Errors: INDELIBLE_ERR_FULL, INDELIBLE_ERR_INDEX_FULL,
 * INDELIBLE_ERR_KEY_EMPTY, INDELIBLE_ERR_KEY_TOO_LONG,
 * INDELIBLE_ERR_VALUE_TOO_LONG, INDELIBLE_ERR_TRANSACTION_TOO_LARGE,
 * INDELIBLE_ERR_READ_ONLY, INDELIBLE_ERR_POISONED, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_put(indelible_store *store,
                               const void *key,
                               size_t key_len,
                               const void *value,
                               size_t value_len);

/**
 * `indelible_put` of a key that must be absent.
 *
 * Errors: INDELIBLE_ERR_KEY_EXISTS, or as `indelible_put`.
 */
indelible_status indelible_create(indelible_store *store,
                                  const void *key,
                                  size_t key_len,
                                  const void *value,
                                  size_t value_len);

/**
 * `indelible_put` of a key that must be present; its list stays.
 *
 * Errors: INDELIBLE_NOT_FOUND, or as `indelible_put`.
 */
indelible_status indelible_update(indelible_store *store,
                                  const void *key,
                                  size_t key_len,
                                  const void *value,
                                  size_t value_len);

/**
 * Removes a key with its value and list: durable on return, or, in a
 * transaction, when it commits. Works in a full store. One sync.
 *
 * Errors: INDELIBLE_NOT_FOUND, or as `indelible_put`.
 */
indelible_status indelible_delete(indelible_store *store,
                                  const void *key,
                                  size_t key_len);

/**
 * How much room is left for keys. Logs have their own: `indelible_log`.
 *
 * Constant time; touches no flash.
 */
indelible_status indelible_get_room(indelible_store *store, indelible_room *room);

/**
 * Appends to a log: durable and atomic on return, or, in a transaction, when
 * it commits. One sync. `position` (may be NULL) gets the position of the
 * first byte.
 *
 * Errors: INDELIBLE_ERR_LOG_FULL, INDELIBLE_ERR_INVALID_LOG,
 * INDELIBLE_ERR_READ_ONLY, INDELIBLE_ERR_POISONED, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_append(indelible_store *store,
                                  uint32_t log,
                                  const void *data,
                                  size_t len,
                                  uint64_t *position);

/**
 * Reads `len` bytes of a log from `position` and checks them; one flipped bit
 * a block is healed. Sees the open transaction.
 *
 * Errors: INDELIBLE_ERR_BEFORE_HEAD, INDELIBLE_ERR_PAST_TAIL,
 * INDELIBLE_ERR_INVALID_LOG, INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_FLASH;
 * `buffer` then holds nothing of use.
 */
indelible_status indelible_read(indelible_store *store,
                                uint32_t log,
                                uint64_t position,
                                void *buffer,
                                size_t len);

/**
 * Forgets what stands before `head`: durable on return, or, in a transaction,
 * when it commits; the room is there after that. One sync.
 *
 * Errors: INDELIBLE_ERR_BEFORE_HEAD, INDELIBLE_ERR_PAST_TAIL, or as
 * `indelible_append`.
 */
indelible_status indelible_advance_head(indelible_store *store,
                                        uint32_t log,
                                        uint64_t head);

/**
 * Head, tail and capacity of a log, as the open transaction sees them. Touches
 * no flash.
 *
 * Errors: INDELIBLE_ERR_INVALID_LOG.
 */
indelible_status indelible_log(indelible_store *store,
                               uint32_t log,
                               indelible_log_span *span);

/**
 * Begins a transaction: from now on every change is staged. Reads see what is
 * staged. A change that is refused leaves the transaction as it was.
 *
 * Errors: INDELIBLE_ERR_TRANSACTION_OPEN.
 */
indelible_status indelible_begin(indelible_store *store);

/**
 * Makes everything staged durable, all or nothing. One sync. The transaction
 * is over, whatever is returned.
 *
 * Errors: INDELIBLE_ERR_NO_TRANSACTION; INDELIBLE_ERR_INDEX_FULL: nothing of
 * it was done; INDELIBLE_ERR_FLASH, INDELIBLE_ERR_POISONED: the store is to be
 * opened again, and the transaction is there then as a whole or not at all.
 */
indelible_status indelible_commit(indelible_store *store);

/**
 * Forgets everything staged. One sync if anything was.
 *
 * Errors: INDELIBLE_ERR_NO_TRANSACTION; INDELIBLE_ERR_FLASH: the store is to
 * be opened again. The transaction is over.
 */
indelible_status indelible_abort(indelible_store *store);

/**
 * Reads and verifies everything: each record, each log between head and tail,
 * the ledger. Calls `visit` (may be NULL) for each item that is damaged or was
 * healed, and counts in `checked` (may be NULL).
 *
 * Returns INDELIBLE_OK also where damage was found. For a watchdog see
 * `indelible_check_some`.
 *
 * Errors: INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_check(indelible_store *store,
                                 indelible_found visit,
                                 void *context,
                                 indelible_checked *checked);

/**
 * The same in steps: at most `steps` more of the check that is under way, or
 * of a new one where none is. A step looks at one record or one block of a
 * log. `checked` (may be NULL) gets what was counted since it began, `more`
 * gets 0 where that is all, else 1. The store may be used between the calls;
 * what is written meanwhile may be looked at or not.
 *
 * Errors: INDELIBLE_ERR_FLASH; the next call tries the same step again.
 */
indelible_status indelible_check_some(indelible_store *store,
                                      uint32_t steps,
                                      indelible_found visit,
                                      void *context,
                                      indelible_checked *checked,
                                      uint8_t *more);

/**
 * Idle work: reclaims and erases ahead of need, at most `budget` steps. A step
 * copies one record, or frees or erases one segment. `more` (may be NULL)
 * gets 1 where there is more to do, else 0.
 *
 * Errors: INDELIBLE_ERR_TRANSACTION_OPEN, INDELIBLE_ERR_READ_ONLY,
 * INDELIBLE_ERR_POISONED, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_maintain(indelible_store *store,
                                    uint32_t budget,
                                    uint8_t *more);

/**
 * Makes sure that a transaction with this many bytes of keys, values and
 * framing will find room, reclaiming for it where necessary.
 *
 * Errors: INDELIBLE_ERR_FULL, or as `indelible_maintain`.
 */
indelible_status indelible_reserve(indelible_store *store, uint64_t bytes);

/**
 * Accepts damage: what is lost stays lost, answers are no longer withheld,
 * damaged segments can be reclaimed, and logs go on from what is there.
 *
 * Errors: INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_accept_damage(indelible_store *store);

/**
 * The state of the store's space. Goes through the table of segments; touches
 * no flash.
 */
indelible_status indelible_get_stats(indelible_store *store, indelible_stats *stats);

/**
 * Appends an element to a key's list: durable on return, or, in a transaction,
 * when it commits. One sync.
 *
 * Errors: INDELIBLE_NOT_FOUND where the key is absent, or as `indelible_put`.
 */
indelible_status indelible_list_append(indelible_store *store,
                                       const void *key,
                                       size_t key_len,
                                       const void *element,
                                       size_t element_len);

/**
 * Reads one element. `element_len` (may be NULL) gets its length, also where
 * the buffer is too small for it.
 *
 * Errors: INDELIBLE_NOT_FOUND where key or element is absent,
 * INDELIBLE_ERR_BUFFER_TOO_SMALL, INDELIBLE_ERR_CORRUPT,
 * INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_list_get(indelible_store *store,
                                    const void *key,
                                    size_t key_len,
                                    uint64_t index,
                                    void *element,
                                    size_t element_size,
                                    size_t *element_len);

/**
 * Replaces one element: durable on return, or, in a transaction, when it
 * commits. One sync.
 *
 * Errors: INDELIBLE_NOT_FOUND where key or element is absent, or as
 * `indelible_put`.
 */
indelible_status indelible_list_update(indelible_store *store,
                                       const void *key,
                                       size_t key_len,
                                       uint64_t index,
                                       const void *element,
                                       size_t element_len);

/**
 * Drops the first `count` elements: durable on return, or, in a transaction,
 * when it commits. One sync.
 *
 * Errors: INDELIBLE_NOT_FOUND where the key is absent or the list shorter, or
 * as `indelible_put`.
 */
indelible_status indelible_list_trim(indelible_store *store,
                                     const void *key,
                                     size_t key_len,
                                     uint64_t count);

/**
 * How many elements the list of a key has.
 *
 * Errors: INDELIBLE_NOT_FOUND where the key is absent, INDELIBLE_ERR_CORRUPT,
 * INDELIBLE_ERR_DOUBTFUL, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_list_length(indelible_store *store,
                                       const void *key,
                                       size_t key_len,
                                       uint64_t *count);

/**
 * Calls `visit` for each key that starts with `prefix`, in bytewise order,
 * with its value read and checked where a buffer for values is lent. Sees the
 * open transaction.
 *
 * Goes through all keys once for every 32 that it finds.
 *
 * Errors: INDELIBLE_ERR_BUFFER_TOO_SMALL where a key does not fit,
 * INDELIBLE_ERR_CORRUPT, INDELIBLE_ERR_DOUBTFUL at the end where damage may
 * have hidden keys, INDELIBLE_ERR_FLASH.
 */
indelible_status indelible_scan(indelible_store *store,
                                const void *prefix,
                                size_t prefix_len,
                                void *key,
                                size_t key_size,
                                void *value,
                                size_t value_size,
                                indelible_visit visit,
                                void *context);

/**
 * The key behind another one, among those that start with `prefix`: a scan
 * that the caller drives, and may change the store between its steps.
 *
 * `key` and `key_len` hold the key to go on from (0 bytes to begin) and get
 * the next one. `value_len` (may be NULL) gets the length of its value.
 *
 * Goes through all keys each time: `indelible_scan` costs less.
 *
 * Errors: INDELIBLE_NOT_FOUND at the end, or as `indelible_scan`; then `key`
 * and `key_len` are as they were.
 */
indelible_status indelible_next(indelible_store *store,
                                const void *prefix,
                                size_t prefix_len,
                                void *key,
                                size_t key_size,
                                size_t *key_len,
                                uint64_t *value_len);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* INDELIBLE_H */
