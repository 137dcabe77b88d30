# The C API: the header is current; the C test on the host as C and C++, under
# the sanitizers and valgrind; the C firmware on a Cortex-M4 in QEMU.
. tests/stages/lib.sh
need_rust
need_packages gcc g++ libc6-dev valgrind gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm

cargo test -p indelible-capi
here=$PWD/target-embedded/capi
out=$target/capi
mkdir -p "$out"

# On the host.
cargo rustc -p indelible-capi --release --crate-type staticlib --target-dir "$target"
flags=(-Wall -Wextra -Werror -O1 -g "-I$here/include")
sources=("$here/tests/c/host.c" "$here/tests/c/ram_flash.c")
library=("$target/release/libindelible_capi.a" -lpthread -ldl -lm)
cc -std=c99 "${flags[@]}" "${sources[@]}" "${library[@]}" -o "$out/host"
cc -std=c99 -fsanitize=address,undefined -fno-sanitize-recover=all "${flags[@]}" "${sources[@]}" "${library[@]}" \
  -o "$out/host-sanitized"
c++ -std=c++17 "${flags[@]}" -x c++ "${sources[@]}" -x none "${library[@]}" -o "$out/host-cxx"
seed=$RANDOM
for program in "$out/host" "$out/host-cxx" "$out/host-sanitized" "$out/host $seed"; do
  echo "--- $program"
  # shellcheck disable=SC2086
  timeout 600 $program
done
echo "--- valgrind $out/host $seed 20"
timeout 600 valgrind -q --error-exitcode=3 "$out/host" "$seed" 20

# On a Cortex-M4.
name=thumbv7em-none-eabihf
need_target "$name"
"${cross_cargo[@]}" rustc "${build_std[@]}" -p indelible-capi --profile firmware --crate-type staticlib \
  --target "$name" --target-dir "$target/capi/cross"
make -C "$here/examples/firmware" --no-print-directory \
  LIBRARY="$target/capi/cross/$name/firmware/libindelible_capi.a" OUT="$out/firmware" size run
