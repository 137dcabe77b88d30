/* Flash in RAM whose power can fail: what the C tests and the example firmware
   keep their stores on. It breaks whatever the crash contract lets it break. */
#ifndef RAM_FLASH_H
#define RAM_FLASH_H

#include "indelible.h"

/* What a callback returns once the power has failed. */
#define RAM_FLASH_OFF (-5)
/* What it returns where the library breaks its promise: misaligned, outside,
   or a byte that is programmed twice. */
#define RAM_FLASH_VIOLATION (-6)

typedef struct ram_flash {
    uint8_t *bytes;
    uint32_t size, write_unit, erase_unit;
    uint8_t blank;
    uint8_t order;
    /* Power fails at this program or erase, counted from 1; 0: never. */
    uint32_t cut_at;
    /* Since the power came on. */
    uint32_t operations;
    int off;
    int violations;
    /* Decides what is left of an operation that was cut. */
    uint32_t random;
    /* With error correction: a unit that was torn cannot be read. */
    int ecc;
    uint64_t unreadable[4];
    unsigned unreadable_count;
    /* What was done so far, for figures. */
    uint32_t programmed_bytes, erases, reads;
} ram_flash;

/* Erases all of it, and switches the power on. */
void ram_flash_reset(ram_flash *flash);
/* The power is on again; it fails at operation `cut_at`. */
void ram_flash_power(ram_flash *flash, uint32_t cut_at);
/* For a configuration. */
indelible_flash ram_flash_callbacks(ram_flash *flash);
/* The same without an erase callback: memory whose bytes can be overwritten. */
indelible_flash ram_nvm_callbacks(ram_flash *flash);

uint32_t ram_flash_random(uint32_t *state);

#endif
