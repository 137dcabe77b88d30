/* What the example needs of its board: a console and an end. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

void board_print(const char *text);
void board_print_number(uint32_t number);
/* Ends the emulation with this exit code. */
void board_exit(int code) __attribute__((noreturn));
/* Bytes of stack that were ever used. */
uint32_t board_stack_used(void);

#endif
