# Boots a virtual machine with persistent memory, runs the adapter's tests in it,
# kills it at work and looks at what is left. DAX_KILLS says how often.
. tests/stages/lib.sh
need_rust
need_packages qemu-system-x86 ndctl busybox-static cpio xz-utils zstd e2fsprogs binutils gzip

# Static, for there is nothing else inside.
export RUSTFLAGS="-C target-feature=+crt-static"
static=(--target x86_64-unknown-linux-gnu --target-dir "$target/dax-vm")
cargo build "${static[@]}" --profile test -p indelible-dax-vm
tests=$(cargo test "${static[@]}" -p indelible-dax --no-default-features --test pmem --no-run 2>&1 | tee >(cat >&2) |
  sed -n 's/.*Executable .*(\(.*\))/\1/p')
built=$target/dax-vm/x86_64-unknown-linux-gnu/debug

bash tests/dax-vm/build.sh "$target/dax-vm/machine" "$built/guest" "$(realpath "$tests")"
"$built/indelible-dax-vm" "$target/dax-vm/machine"
