# Indelible on NOR flash beside its peers: what the same work costs, how much
# code each is, and what is left after power cuts.
. tests/stages/lib.sh
need_rust
need_packages binutils libclang-dev gcc-arm-none-eabi libnewlib-arm-none-eabi

peers=(cargo run --release --manifest-path tests/nor-peers/Cargo.toml --target-dir "$target/nor-peers")
for word in 4 8 16 256; do
  "${peers[@]}" --bin bench -- --write-size "$word"
done

name=thumbv7em-none-eabihf
need_target "$name"
[ ${#build_std[@]} -eq 0 ] || build_std=(-Z build-std=core,alloc)
# littlefs's bindings are made for the target, with the headers of its compiler.
include=$(arm-none-eabi-gcc -print-file-name=include)
export BINDGEN_EXTRA_CLANG_ARGS="-I$include -I/usr/lib/arm-none-eabi/include -mfloat-abi=hard"
"${cross_cargo[@]}" build "${build_std[@]}" --manifest-path tests/nor-peers/sizes/Cargo.toml --bins --release \
  --features littlefs --target "$name" --target-dir "$target/nor-sizes"

flash() {
  size -A "$target/nor-sizes/$name/release/$1" |
    awk '$1 == ".text" || $1 == ".rodata" || $1 == ".data" { sum += $2 } END { print sum + 0 }'
}
empty=$(flash empty)
printf '\n%-58s %8s\n' "Cortex-M4, opt-level s, LTO: bytes of flash" ""
while read -r program what; do
  printf '%-58s %8d\n' "$what" $(($(flash "$program") - empty))
done <<'PROGRAMS'
indelible indelible: keys and log, transactions over both
indelible-kv indelible: keys, transactions
indelible-log indelible: log
sequential sequential-storage: map and queue, uncached
sequential-map sequential-storage: map, uncached
ekv ekv: keys, transactions, crc
wasefire wasefire-store: keys, transactions, with a heap
tickv tickv: keys
littlefs littlefs: files
PROGRAMS
printf '%-58s %8d\n\n' 'no store (subtracted above)' "$empty"

read -ra arguments <<<"${CUTS:---every 3000 --walk 3000}"
"${peers[@]}" --bin cuts -- "${arguments[@]}"
