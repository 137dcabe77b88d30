# The firmware examples for three processors, in QEMU: what they print, what
# they leave, images from host to device and back, and what a store costs there.
. tests/stages/lib.sh
need_rust
need_packages binutils qemu-system-arm qemu-system-misc

names=(thumbv7em-none-eabihf thumbv6m-none-eabi riscv32imc-unknown-none-elf)
need_target "${names[@]}"
# The heap is of `alloc`.
build_std=("${build_std[@]/%=core/=core,alloc}")

here=$PWD/target-embedded/firmware
out=$target/firmware
for name in "${names[@]}"; do
  for programs in "--bins" "--bin heap --features heap"; do
    # shellcheck disable=SC2086
    "${cross_cargo[@]}" build "${build_std[@]}" --manifest-path "$here/Cargo.toml" --locked --release $programs \
      --target "$name" --target-dir "$out/cross"
  done
done
cargo build -p indelible-dax --target-dir "$target"
host=$target/debug/indelible

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

# run TARGET PROGRAM: in the current folder, where its flash is.
run() {
  local machine=(qemu-system-arm -M mps2-an386)
  case $1 in riscv32*) machine=(qemu-system-riscv32 -M virt -bios none) ;; esac
  timeout 900 "${machine[@]}" -nographic -semihosting-config enable=on,target=native \
    -kernel "$out/cross/$1/release/$2" </dev/null || fail "$2 for $1 ended with $?"
}

# same WHAT ONE OTHER: two files hold the same.
same() {
  diff "$2" "$3" || fail "$1"
}

# Each boot finds what the one before it left.
settings() {
  run "$1" settings >1
  run "$1" settings >2
  run "$1" settings >3
  local network='Network { name: "workshop", address: [192, 168, 7, 1], dynamic: true }'
  same "the first boot" 1 <(printf '%s\n' 'Blank, clean true' "$network" 'boot 1, volume 50')
  same "the second boot" 2 <(printf '%s\n' 'Store, clean false' "$network" 'boot 2, volume 55')
  same "the third boot" 3 <(printf '%s\n' 'Store, clean false' "$network" 'boot 3, volume 60')
}

blackbox() {
  run "$1" blackbox >1
  run "$1" blackbox >2
  same "the first flight" 1 <(printf '%s\n' 'Blank, clean true, damaged 0' \
    '0 samples were recorded before' '1000 samples, the last 488 of them kept, 170 bytes of events')
  same "the second flight" 2 <(printf '%s\n' 'Store, clean false, damaged 0' \
    '1000 samples were recorded before' '2000 samples, the last 464 of them kept, 340 bytes of events')
}

# Everything that an image holds, by the host's command.
host_listing() {
  local key value log head tail
  for key in $("$host" list "$1" --hex); do
    printf 'key %s %s\n' "$key" "$("$host" get "$1" "$key" --hex)"
    for ((i = 0; ; i++)); do
      value=$("$host" get "$1" "$key" --element "$i" --hex 2>/dev/null) || break
      printf 'element %s %d %s\n' "$key" "$i" "$value"
    done
  done
  "$host" log info "$1" | while read -r _ log _ head _ tail _; do
    printf 'log %s %s %s %s\n' "$log" "$head" "$tail" "$("$host" log read "$1" "$log" --hex)"
  done
}

# What the firmware left opens on the host, and holds the same there.
to_host() {
  local image=flash.img
  "$host" check "$image"
  "$host" inspect "$image" >map
  [ "$("$host" get "$image" 636f756e74 --hex)" = d0070000 ] || fail "the host reads another count"
  host_listing "$image" >by-host
  run "$1" listing >by-device
  same "host and device differ" by-host <(grep -v '^#' by-device)
}

# What a host made opens in the firmware, which adds to it.
to_device() {
  local image=flash.img i
  "$host" create "$image" --size 256K --media nor --write-unit 4 --erase-unit 4K --logs 2:16K
  for i in $(seq 40); do
    printf 'put key/%d %s\n' "$i" "$(printf "%0$((i * 7))d" "$i")"
    [ $((i % 5)) -ne 0 ] || printf 'push key/%d first\npush key/%d \\x00\\xff\n' "$i" "$i"
    printf 'append 0 line %d\\n\nappend 1 %d\n\n' "$i" "$i"
  done | "$host" batch "$image"
  "$host" put "$image" long "$(printf '%03000d' 7)"
  "$host" put "$image" empty ''
  "$host" del "$image" key/7
  "$host" log trim "$image" 0 21
  host_listing "$image" >before
  [ "$(wc -l <before)" -eq 59 ] || fail "the host's image holds $(wc -l <before) items"
  run "$1" listing >by-device
  same "device and host differ" before <(grep -v '^#' by-device)
  "$host" check "$image"
  [ "$("$host" get "$image" 'seen by firmware')" = yes ] || fail "the firmware's key is not there"
  for i in 0 1; do
    "$host" log read "$image" "$i" | tail -c 17 | grep -qx 'seen by firmware' || fail "the firmware's append to log $i"
    "$host" log read "$image" "$i" --hex >log
    grep "^log $i " before | cut -d' ' -f5 | tr -d '\n' | cmp -n "$(($(wc -c <log) - 35))" - log || fail "log $i changed"
  done
  host_listing "$image" | grep -v '^log' | grep -v "^key $(printf 'seen by firmware' | od -An -tx1 | tr -d ' \n') " >after
  same "the firmware changed something else" after <(grep -v '^log' before)
}

heap() {
  run "$1" heap >printed
  cat printed
  grep -q '^1000 keys in an index for 1024:' printed || fail "the index did not grow"
}

footprint() {
  run "$1" footprint >printed
  cat printed
  grep -q '^deepest [0-9]' printed || fail "the stack was not measured"
}

powercut() {
  run "$1" powercut >printed
  cat printed
  grep -qx '0 violations' printed || fail "power cuts"
  same "power cuts depend on the processor" printed "$out/run/${names[0]}/powercut/printed"
}

# step FOLDER COMMAND…: in an empty folder. Not in a condition, where bash would
# pass over what fails in it.
step() {
  local folder=$out/run/$name/$1
  rm -rf "$folder"
  mkdir -p "$folder"
  (cd "$folder"; for part in "${@:2}"; do "$part" "$name"; done)
}

for name in "${names[@]}"; do
  echo "--- $name"
  step settings settings
  echo "settings: 3 boots"
  step blackbox blackbox to_host
  echo "blackbox: 2 flights, read on the host"
  step travel to_device
  echo "listing: a host's image, read on the device and added to"
  step heap heap
  step footprint footprint
  step powercut powercut
done

# section FILE NAME…: bytes in these sections together.
sections() {
  size -A "$1" | awk -v names=" ${*:2} " 'index(names, " " $1 " ") { sum += $2 } END { print sum + 0 }'
}
printf '\n%-34s %8s %8s\n' "program, opt-level s, LTO" flash RAM
for name in "${names[@]}"; do
  for program in settings blackbox heap; do
    file=$out/cross/$name/release/$program
    printf '%-12s%-22s %8d %8d\n' "$program" "${name%%-*}" \
      "$(sections "$file" .vector_table .text .rodata .data)" "$(sections "$file" .data .bss)"
  done
done
