# Flash and RAM of the core, linked for a Cortex-M4: the program with a store,
# less the same program without one. And that nothing in the core can panic: the
# programs' panic handler calls what is not there, so a panic that the compiler
# left in does not link. The `whole_` programs reach every public operation.
. tests/stages/lib.sh
need_rust
need_packages binutils

name=thumbv7em-none-eabihf
need_target "$name"
"${cross_cargo[@]}" build "${build_std[@]}" --manifest-path tests/sizes/Cargo.toml --bins --release \
  --target "$name" --target-dir "$target/sizes"

# section PROGRAM NAME…: bytes in these sections together.
sections() {
  size -A "$target/sizes/$name/release/$1" |
    awk -v names=" ${*:2} " 'index(names, " " $1 " ") { sum += $2 } END { print sum + 0 }'
}
flash() { sections "$1" .text .rodata .data; }
ram() { sections "$1" .data .bss; }

empty_flash=$(flash empty) empty_ram=$(ram empty)
printf '\n%-34s %8s %8s\n' "Cortex-M4, opt-level z, LTO" "flash" "RAM"
for program in multilog kv; do
  case $program in
    multilog) what='multilog, 64 segments, 2 logs' ;;
    kv) what='with KV, 256 keys' ;;
  esac
  printf '%-34s %8d %8d\n' "$what" $(($(flash $program) - empty_flash)) $(($(ram $program) - empty_ram))
done
printf '%-34s %8d %8d   (subtracted above)\n' 'no store' "$empty_flash" "$empty_ram"
