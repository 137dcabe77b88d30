#include "ram_flash.h"

#include <string.h>

uint32_t ram_flash_random(uint32_t *state) {
    uint32_t x = *state ? *state : 1;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

void ram_flash_reset(ram_flash *flash) {
    memset(flash->bytes, flash->blank, flash->size);
    flash->unreadable_count = 0;
    ram_flash_power(flash, 0);
}

void ram_flash_power(ram_flash *flash, uint32_t cut_at) {
    flash->cut_at = cut_at;
    flash->operations = 0;
    flash->off = 0;
}

/* Whether the power fails in this operation. */
static int fails(ram_flash *flash) {
    flash->operations++;
    if (flash->operations == flash->cut_at) flash->off = 1;
    return flash->off;
}

static int outside(const ram_flash *flash, uint64_t address, size_t len, uint32_t unit) {
    return address > flash->size || len > flash->size - address || address % unit != 0 || len % unit != 0;
}

static int violation(ram_flash *flash) {
    flash->violations++;
    return RAM_FLASH_VIOLATION;
}

static int ram_read(void *context, uint64_t address, void *buffer, size_t len) {
    ram_flash *flash = (ram_flash *)context;
    unsigned i;
    if (flash->off) return RAM_FLASH_OFF;
    if (outside(flash, address, len, 1)) return violation(flash);
    memcpy(buffer, flash->bytes + address, len);
    flash->reads++;
    for (i = 0; i < flash->unreadable_count && i < 4; i++) {
        uint64_t unit = flash->unreadable[i];
        if (unit < address + len && address < unit + flash->write_unit) {
            memset(buffer, 0x5A, len);
            return INDELIBLE_READ_UNREADABLE;
        }
    }
    return 0;
}

/* What was erased can be read again. */
static void forget_unreadable(ram_flash *flash, uint64_t address, size_t len) {
    unsigned i;
    for (i = 0; i < 4; i++)
        if (flash->unreadable[i] >= address && flash->unreadable[i] < address + len) flash->unreadable[i] = UINT64_MAX / 2;
}

/* Ordered: whole units before the cut, any bits of the one at the cut. Else any
   of the 8-byte words. */
static void tear(ram_flash *flash, uint8_t *to, const uint8_t *from, size_t len) {
    size_t i, unit = flash->order == INDELIBLE_ORDERED ? flash->write_unit : 8;
    size_t done = flash->order == INDELIBLE_ORDERED ? ram_flash_random(&flash->random) % (len / unit) * unit : 0;
    memcpy(to, from, done);
    if (flash->order == INDELIBLE_ORDERED) {
        for (i = done; i < done + unit; i++) {
            uint8_t old = (uint8_t)ram_flash_random(&flash->random);
            to[i] = (uint8_t)((from[i] & ~old) | (to[i] & old));
        }
        if (flash->ecc) flash->unreadable[flash->unreadable_count++ % 4] = (uint64_t)(to - flash->bytes) + done;
        return;
    }
    for (i = 0; i + 8 <= len; i += 8)
        if (ram_flash_random(&flash->random) & 1) memcpy(to + i, from + i, 8);
}

static int ram_program_any(ram_flash *flash, uint64_t address, const void *data, size_t len) {
    if (flash->off) return RAM_FLASH_OFF;
    if (outside(flash, address, len, flash->write_unit) || len == 0) return violation(flash);
    if (fails(flash)) {
        tear(flash, flash->bytes + address, (const uint8_t *)data, len);
        return RAM_FLASH_OFF;
    }
    memcpy(flash->bytes + address, data, len);
    flash->programmed_bytes += (uint32_t)len;
    return 0;
}

static int ram_program(void *context, uint64_t address, const void *data, size_t len) {
    ram_flash *flash = (ram_flash *)context;
    size_t i;
    if (!flash->off && !outside(flash, address, len, 1))
        for (i = 0; i < len; i++)
            if (flash->bytes[address + i] != flash->blank) return violation(flash);
    return ram_program_any(flash, address, data, len);
}

static int nvm_program(void *context, uint64_t address, const void *data, size_t len) {
    return ram_program_any((ram_flash *)context, address, data, len);
}

static int ram_erase(void *context, uint64_t address, size_t len) {
    ram_flash *flash = (ram_flash *)context;
    size_t i;
    if (flash->off) return RAM_FLASH_OFF;
    if (outside(flash, address, len, flash->erase_unit) || len == 0) return violation(flash);
    if (fails(flash)) {
        /* One erase unit holds anything; those before it are blank. */
        size_t unit = flash->order == INDELIBLE_ORDERED ? flash->erase_unit : 8;
        size_t done = ram_flash_random(&flash->random) % (len / unit) * unit;
        memset(flash->bytes + address, flash->blank, done);
        if (flash->order == INDELIBLE_ORDERED)
            for (i = done; i < done + unit; i++) flash->bytes[address + i] = (uint8_t)ram_flash_random(&flash->random);
        return RAM_FLASH_OFF;
    }
    memset(flash->bytes + address, flash->blank, len);
    forget_unreadable(flash, address, len);
    flash->erases++;
    return 0;
}

static int ram_sync(void *context) {
    return ((ram_flash *)context)->off ? RAM_FLASH_OFF : 0;
}

indelible_flash ram_flash_callbacks(ram_flash *flash) {
    indelible_flash callbacks;
    memset(&callbacks, 0, sizeof callbacks);
    callbacks.context = flash;
    callbacks.read = ram_read;
    callbacks.program = ram_program;
    callbacks.erase = ram_erase;
    callbacks.sync = ram_sync;
    callbacks.capacity = flash->size;
    callbacks.write_unit = flash->write_unit;
    callbacks.erase_unit = flash->erase_unit;
    callbacks.blank = flash->blank;
    callbacks.order = flash->order;
    return callbacks;
}

indelible_flash ram_nvm_callbacks(ram_flash *flash) {
    indelible_flash callbacks = ram_flash_callbacks(flash);
    callbacks.program = nvm_program;
    callbacks.erase = NULL;
    callbacks.sync = NULL;
    return callbacks;
}
