#!/usr/bin/env bash
# build.sh FOLDER GUEST TESTS: puts into FOLDER what a virtual machine needs: a
# kernel, an initial file system with the two static programs, and the images
# of two NVDIMMs, one with ext4 for DAX, one for a DAX device.
set -euo pipefail
folder=$1 guest=$2 tests=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$folder"
cd "$folder"

if [ ! -e vmlinuz ]; then
  newest() {
    apt-cache pkgnames linux-image- |
      grep -E '^linux-image-[0-9]+\.[0-9]+\.[0-9]+.*-cloud-amd64$' | sort -V | tail -1
  }
  kernel=$(newest || true)
  if [ -z "$kernel" ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    kernel=$(newest || true)
  fi
  [ -n "$kernel" ] || { echo "no linux-image-*-cloud-amd64 is known; run: sudo apt-get update" >&2; exit 1; }
  echo "kernel $kernel"
  rm -rf kernel && mkdir kernel
  (cd kernel && apt-get download -q "$kernel" >/dev/null 2>&1 && dpkg -x ./*.deb .)
  mkdir -p root/modules root/bin
  for module in libnvdimm nfit nd_btt nd_pmem dax_pmem device_dax; do
    file=$(find kernel -name "$module.ko*" | head -1)
    case $file in
      *.xz) xz -dc "$file" ;;
      *.zst) zstd -dcq "$file" ;;
      *) cat "$file" ;;
    esac >"root/modules/$module.ko"
  done
  cp "$(command -v busybox)" root/bin/busybox
  cp kernel/boot/vmlinuz-* vmlinuz
  rm -rf kernel
fi
cp "$guest" root/guest
cp "$tests" root/pmem
strip root/guest root/pmem
install -m 755 "$here/init" root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) >initramfs

# A namespace without labels has no DAX until an information block says which
# part of it is data and where its pages are described.
image() {
  rm -f "$1.img"
  truncate -s "$2" "$1.img"
  ndctl write-infoblock --stdout -m "$1" -a 2M -s "$2" -M dev 2>/dev/null |
    dd of="$1.img" conv=notrunc status=none
  # Bytes 4152 to 4159: where the data begins.
  local begin
  begin=$(od -An -t u8 -j 4152 -N 8 "$1.img" | tr -d ' ')
  [ "$begin" = $((2 << 20)) ] || { echo "$1: data at $begin" >&2; exit 1; }
}
image fsdax 64M
mkfs.ext4 -q -F -b 4096 -E offset=$((2 << 20)) fsdax.img 62M
image devdax 32M
