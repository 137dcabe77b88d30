# What the stages share. Sourced, from the root of the project.
# shellcheck shell=bash
set -euo pipefail

target=${CARGO_TARGET_DIR:-$PWD/target}
case $target in /*) ;; *) target=$PWD/$target ;; esac

# Says why the stage cannot go on, and the line that helps.
lack() {
  printf 'missing: %s\nrun: %s\n' "$1" "$2" >&2
  exit 1
}

# need_rust [COMPONENT…]: the stable toolchain, and the linker that it calls.
need_rust() {
  command -v cargo >/dev/null ||
    lack "Rust's stable toolchain" "rustup toolchain install stable"
  command -v cc >/dev/null || need_packages gcc libc6-dev
  local component
  for component in "$@"; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    rustup component add "$component" >/dev/null 2>&1 ||
      lack "$component" "rustup component add $component"
  done
}

# need_packages PACKAGE…: Debian's packages.
need_packages() {
  local package absent=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || absent+=("$package")
  done
  [ ${#absent[@]} -gt 0 ] || return 0
  local line="apt-get install -y --no-install-recommends ${absent[*]}"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${absent[*]}"
    local log
    log=$(mktemp)
    # Again where it failed: mirrors do, and another program may have been at it.
    for _ in 1 2; do
      if { apt-get update -q && DEBIAN_FRONTEND=noninteractive $line; } >"$log" 2>&1; then
        rm "$log"
        return
      fi
      tail -n 20 "$log" >&2
    done
    rm "$log"
  fi
  lack "${absent[*]}" "sudo $line"
}

# need_target TARGET…: sets `cross_cargo` to a cargo command that builds core
# for those targets: the own toolchain, which rustup completes; where it cannot,
# Debian's, which builds the library for any target from its source package.
need_target() {
  cross_cargo=(cargo)
  build_std=()
  local name absent=()
  for name in "$@"; do
    rustup target list --installed 2>/dev/null | grep -qx "$name" || absent+=("$name")
  done
  [ ${#absent[@]} -gt 0 ] || return 0
  echo "adding ${absent[*]}"
  rustup target add "${absent[@]}" >/dev/null 2>&1 && return
  command -v apt-get >/dev/null || lack "${absent[*]}" "rustup target add ${absent[*]}"
  need_packages rustc-web cargo-web rust-web-src rust-web-llvm lld-22
  cross_cargo=(env PATH="/usr/bin:$PATH" RUSTC_BOOTSTRAP=1 /usr/bin/cargo)
  build_std=(-Z build-std=core)
}

# need_std TARGET: as need_target, for a target with a standard library.
need_std() {
  need_target "$@"
  [ ${#build_std[@]} -eq 0 ] || build_std=(-Z build-std=std,panic_unwind,panic_abort)
}

# need_node: Node 20.19 or newer, with npm.
need_node() {
  command -v node >/dev/null || need_packages nodejs
  command -v npm >/dev/null || need_packages npm
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    lack "Node 20.19 or newer; this is $(node --version)" "nvm install 22"
}

# npm_ci FOLDER: its dependencies as its lock says, unless they are there.
npm_ci() {
  [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] ||
    npm ci --prefix "$1" --silent --no-audit --no-fund
}

# What the peers of the file target are built with, in `features`: RocksDB, which
# is the system's, only where it is asked for.
need_peers() {
  features=()
  [ -z "${ROCKSDB:-}" ] || {
    need_packages librocksdb-dev libclang-dev
    export ROCKSDB_LIB_DIR=/usr/lib ROCKSDB_INCLUDE_DIR=/usr/include
    features=(--features rocksdb)
  }
}
