/* Settings and a log on the flash of a device, in C.
 *
 * The flash is simulated in RAM, so that this runs in QEMU and so that its
 * power can be cut: `make run`. On hardware the callbacks of ram_flash.c are
 * calls of the vendor's driver, and a device does `boot` and `count_up`. */
#include "board.h"
#include "indelible.h"
#include "ram_flash.h"

#include <string.h>

/* The partition: 16 sectors of 4 KiB. */
#define SECTOR 4096u
#define SECTORS 16u
#define WRITE_UNIT 8u

/* What is kept in it. */
#define LOG_CAPACITY (8u * 1024u)
#define KEYS 40u
#define CHANGES 8u
#define KEY_MAX 16u
#define RING INDELIBLE_LOG_RING(LOG_CAPACITY, SECTOR, WRITE_UNIT)

/* All the RAM that the store takes besides the stack, known to the linker. */
static indelible_store store;
static uint64_t memory[INDELIBLE_MEMORY_SIZE(SECTORS, 1, RING, KEYS, CHANGES, KEY_MAX) / 8];

/* The flash. */
static uint8_t cells[SECTOR * SECTORS] __attribute__((section(".simulated"), aligned(8)));
static ram_flash flash = {.bytes = cells,
                          .size = sizeof cells,
                          .write_unit = WRITE_UNIT,
                          .erase_unit = SECTOR,
                          .blank = INDELIBLE_BLANK_FLASH,
                          .order = INDELIBLE_ORDERED,
                          .random = 1};

static const uint64_t log_capacities[] = {LOG_CAPACITY};

static indelible_config configuration(void) {
    indelible_config config = {0};
    config.flash = ram_flash_callbacks(&flash);
    config.memory = memory;
    config.memory_len = sizeof memory;
    config.sizes.segments = SECTORS;
    config.sizes.logs = 1;
    config.sizes.ring = RING;
    config.sizes.keys = KEYS;
    config.sizes.changes = CHANGES;
    config.sizes.key_max = KEY_MAX;
    config.segment_size = SECTOR;
    config.log_capacities = log_capacities;
    /* From a random number generator, or a serial number and a counter. */
    config.nonce = 0x243F6A8885A308D3u;
    return config;
}

static void say(const char *what, uint32_t number) {
    board_print(what);
    board_print_number(number);
    board_print("\n");
}

static void stop(const char *what, indelible_status status) {
    indelible_error error;
    board_print(what);
    board_print(": ");
    board_print(indelible_strerror(status));
    if (indelible_last_error(&store, &error) == INDELIBLE_OK && error.what != NULL) {
        board_print(": ");
        board_print(error.what);
    }
    board_print("\n");
    board_exit(1);
}

static void check(const char *what, indelible_status status) {
    if (status != INDELIBLE_OK) stop(what, status);
}

static void require(const char *what, int holds) {
    if (!holds) {
        board_print(what);
        board_print(": wrong\n");
        board_exit(2);
    }
}

/* When the device boots: opens the store, or makes it, and reads a setting. */
static indelible_status boot(uint32_t *boots) {
    indelible_config config = configuration();
    indelible_status status = indelible_open_or_setup(&store, &config, NULL);
    if (status != INDELIBLE_OK) return status;
    status = indelible_get(&store, "boots", 5, boots, sizeof *boots, NULL);
    if (status != INDELIBLE_NOT_FOUND) return status;
    *boots = 0;
    return INDELIBLE_OK;
}

/* A setting and a line of the log: both, or neither. */
static indelible_status count_up(uint32_t boots) {
    indelible_status status = indelible_begin(&store);
    if (status == INDELIBLE_OK) status = indelible_put(&store, "boots", 5, &boots, sizeof boots);
    if (status == INDELIBLE_OK) status = indelible_append(&store, 0, &boots, sizeof boots, NULL);
    if (status == INDELIBLE_OK) return indelible_commit(&store);
    /* What was staged goes; the first error is the one to tell. */
    (void)indelible_abort(&store);
    return status;
}

/* Half of the log is forgotten where it is full. */
static indelible_status tidy_up(void) {
    indelible_log_span span;
    indelible_status status = indelible_log(&store, 0, &span);
    if (status != INDELIBLE_OK || span.tail - span.head <= LOG_CAPACITY / 2) return status;
    return indelible_advance_head(&store, 0, span.tail - LOG_CAPACITY / 4);
}

/* The setting and the log agree, whatever happened. */
static void verify(uint32_t boots) {
    indelible_log_span span;
    uint32_t line;
    check("log", indelible_log(&store, 0, &span));
    require("log length", span.tail == (uint64_t)boots * sizeof line);
    if (boots == 0) return;
    check("read", indelible_read(&store, 0, span.tail - sizeof line, &line, sizeof line));
    require("last line", line == boots);
}

static void settings(void) {
    uint32_t boots, baud = 115200;
    char name[16];
    size_t len;
    indelible_checked checked;
    indelible_room room;
    uint8_t more = 1;

    check("first boot", boot(&boots));
    require("boots", boots == 0);
    check("count", count_up(boots + 1));
    check("put", indelible_put(&store, "uart/baud", 9, &baud, sizeof baud));
    check("put", indelible_put(&store, "name", 4, "sensor-7", 8));
    check("list", indelible_list_append(&store, "name", 4, "was sensor-6", 12));
    check("close", indelible_close(&store));

    check("second boot", boot(&boots));
    require("boots", boots == 1);
    verify(boots);
    check("get", indelible_get(&store, "name", 4, name, sizeof name, &len));
    require("name", len == 8 && memcmp(name, "sensor-7", 8) == 0);
    for (baud = 0; baud < 4000; baud++) check("put", indelible_put(&store, "uart/baud", 9, &baud, sizeof baud));
    while (more) check("maintain", indelible_maintain(&store, 4, &more));
    check("check", indelible_check(&store, NULL, NULL, &checked));
    require("check", checked.damaged == 0 && checked.healed == 0 && checked.entries >= 5);
    check("room", indelible_get_room(&store, &room));
    say("bytes left for settings: ", (uint32_t)room.left);
    check("close", indelible_close(&store));
}

/* The power fails at some operation of the work, and then at some operation of
   the boot. What was acknowledged is there each time; what was not is there as
   a whole or not at all. */
static void powercuts(void) {
    uint32_t round, cuts = 0, commits = 0, boots, acknowledged;
    check("boot", boot(&acknowledged));
    for (round = 0; round < 300; round++) {
        indelible_status status = INDELIBLE_OK;
        ram_flash_power(&flash, 1 + ram_flash_random(&flash.random) % 40);
        while (status == INDELIBLE_OK) {
            status = count_up(acknowledged + 1);
            if (status != INDELIBLE_OK) break;
            acknowledged++;
            commits++;
            status = tidy_up();
        }
        require("what failed", status == INDELIBLE_ERR_FLASH);
        (void)indelible_close(&store);
        cuts++;

        ram_flash_power(&flash, 1 + ram_flash_random(&flash.random) % 12);
        status = boot(&boots);
        if (flash.off) cuts++;
        /* Open if that much came about; the flash says whether it is sealed. */
        (void)indelible_close(&store);

        ram_flash_power(&flash, 0);
        check("boot after a cut", boot(&boots));
        require("acknowledged or in flight", boots == acknowledged || boots == acknowledged + 1);
        verify(boots);
        acknowledged = boots;
    }
    check("close", indelible_close(&store));
    say("power cuts: ", cuts);
    say("commits between them: ", commits);
}

int main(void) {
    board_print(indelible_version());
    board_print("\n");
    ram_flash_reset(&flash);
    settings();
    powercuts();
    require("promises to the flash", flash.violations == 0);
    say("bytes of RAM for the store: ", sizeof store + sizeof memory);
    say("bytes of stack at most: ", board_stack_used());
    board_print("all is well\n");
    return 0;
}
