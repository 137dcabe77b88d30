/* The least of a board in QEMU: vectors, memory, semihosting, a painted stack.
   On hardware this file is the vendor's start-up code. */
#include "board.h"

extern uint32_t stack_top[], data_begin[], data_end[], data_load[], bss_begin[], bss_end[], end[];
int main(void);
void reset(void);

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, STOPPED_APPLICATION_EXIT = 0x20026 };
static const uint32_t PAINT = 0xC5C5C5C5u;

static uint32_t semihost(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_print(const char *text) {
    semihost(SYS_WRITE0, text);
}

void board_print_number(uint32_t number) {
    char digits[11];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do *--at = (char)('0' + number % 10);
    while (number /= 10);
    board_print(at);
}

void board_exit(int code) {
    uint32_t block[2] = {STOPPED_APPLICATION_EXIT, (uint32_t)code};
    semihost(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

uint32_t board_stack_used(void) {
    const uint32_t *at = end;
    while (at < stack_top && *at == PAINT) at++;
    return (uint32_t)((const char *)stack_top - (const char *)at);
}

static void fault(void) {
    board_print("fault\n");
    board_exit(3);
}

void reset(void) {
    uint32_t *to, *from = data_load, *here = (uint32_t *)__builtin_frame_address(0);
    for (to = data_begin; to < data_end; to++) *to = *from++;
    for (to = bss_begin; to < bss_end; to++) *to = 0;
    for (to = end; to < here - 16; to++) *to = PAINT;
    board_exit(main());
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    stack_top, (const void *)reset, (const void *)fault, (const void *)fault,
    (const void *)fault, (const void *)fault, (const void *)fault,
};
