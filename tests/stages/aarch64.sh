# The file target on aarch64, by QEMU's emulation of a Linux process, on a
# processor that has `dc cvap` and on one that has not; and whether everything
# compiles for macOS.
. tests/stages/lib.sh
need_rust
need_packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross

name=aarch64-unknown-linux-gnu
folder=$target/aarch64
mkdir -p "$folder"

# QEMU knows `dc cvap` in a process from 8.1 on; an older one announces it and
# ends in SIGILL.
cat >"$folder/probe.c" <<'C'
int main(void) {
  char byte = 0;
  __asm__ volatile("sys #3, c7, c12, #1, %0" ::"r"(&byte) : "memory");
  return byte;
}
C
aarch64-linux-gnu-gcc -static -o "$folder/probe" "$folder/probe.c"

find_qemu() {
  for qemu in qemu-aarch64 qemu-aarch64-static "$folder/qemu/usr/bin/qemu-aarch64"; do
    # An answer by a signal makes a shell talk.
    { command -v "$qemu" && "$qemu" -cpu max "$folder/probe"; } >/dev/null 2>&1 && return
  done
  return 1
}

# Debian 12 has one that is new enough among its backports alone: it is taken
# from there beside what is installed, with package lists of its own.
backported_qemu() (
  command -v apt-get >/dev/null || return
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Release: bookworm' | sort -u | head -1)
  mkdir -p "$folder"/apt/{lists/partial,cache/archives/partial}
  cd "$folder/apt"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
    "$mirror bookworm-backports main" >list
  own=(-q -o Dir::Etc::SourceList="$PWD/list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User=)
  echo "taking qemu-user from bookworm-backports"
  apt-get "${own[@]}" update >/dev/null && apt-get "${own[@]}" download qemu-user >/dev/null || return
  # One program of many.
  mkdir -p "$folder/qemu"
  dpkg --fsys-tarfile qemu-user_*.deb | tar -x -C "$folder/qemu" ./usr/bin/qemu-aarch64
  rm qemu-user_*.deb
)

if ! find_qemu; then
  if grep -qx VERSION_CODENAME=bookworm /etc/os-release; then
    backported_qemu || true
  else
    need_packages qemu-user
  fi
  find_qemu || lack "qemu-aarch64 8.1 or newer" "sudo apt-get install -y qemu-user"
fi
echo "by $("$qemu" --version | head -1)"

need_std "$name"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc

# on PROCESSOR ARGUMENT…: cargo test.
on() {
  CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="$qemu -cpu $1 -L /usr/aarch64-linux-gnu" \
    "${cross_cargo[@]}" test "${build_std[@]}" -p indelible-dax --no-default-features --profile dev \
    --target "$name" --target-dir "$folder" "${@:2}"
}

on max --lib --test pmem --test lines --test images --no-run

image=$folder/aarch64.image other=$folder/host.image
rm -f "$image" "$other"
echo "== images: the same operations here and there, and each goes on with the other's store"
INDELIBLE_IMAGE=$other cargo test -q -p indelible-dax --test images
INDELIBLE_IMAGE=$image INDELIBLE_OTHER=$other on max -q --test images
INDELIBLE_OTHER=$image cargo test -q -p indelible-dax --test images a_store_made_elsewhere
cmp "$image" "$other"
echo "$(stat -c %s "$image") bytes, the same on both processors"

echo "== the library, on a processor with dc cvap"
on max -q --lib --test pmem
# Every subset of lines in flight is explored on the host; here, that the
# medium writes back the same ones.
on max -q --test lines -- no_line_is_written_back_for_nothing a_fence_that_fails

echo "== a processor without it"
on cortex-a57 -q --test pmem -- --exact memory_is_refused_without_dc_cvap

echo "== macOS: compiled"
apple=aarch64-apple-darwin
need_std "$apple"
"${cross_cargo[@]}" check "${build_std[@]}" -p indelible-dax --tests --target "$apple" \
  --target-dir "$folder"
