# Each fuzzer from seeds that are made here: so many runs, the same ones every
# time; or, with FUZZ_SECONDS, as many as there is time for, from everything
# that it found before.
. tests/stages/lib.sh
need_rust
command -v c++ >/dev/null || need_packages g++

[[ $(cargo fuzz --version 2>/dev/null) ]] || cargo install --locked cargo-fuzz

# No sanitizer: the core forbids unsafe code, so there is nothing for one to
# see, and twice as much is tried without. cargo-fuzz needs a compiler that
# takes unstable flags: a nightly one, or the stable one told to.
fuzz=(cargo fuzz)
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
  fuzz=(cargo +nightly fuzz)
else
  export RUSTC_BOOTSTRAP=1
fi

# The same code under plain tests first, seeds included.
cargo test --manifest-path tests/fuzz/cases/Cargo.toml --target-dir "$target/fuzz-cases" --release

cd tests/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
for name in operations image; do
  if [ -n "${FUZZ_SECONDS:-}" ]; then
    corpus=corpus/$name
    extent=("-max_total_time=$FUZZ_SECONDS")
  else
    corpus=$target/fuzz-corpus/$name
    rm -rf "$corpus"
    extent=("-seed=${FUZZ_SEED:-1}" "-runs=${FUZZ_RUNS:-4000}")
  fi
  mkdir -p "$corpus"
  cargo run --quiet --manifest-path cases/Cargo.toml --target-dir "$target/fuzz-cases" --release --bin seeds -- \
    "$name" "$corpus"
  "${fuzz[@]}" run --fuzz-dir . --sanitizer none --target "$host" --target-dir "$target/fuzz" "$name" "$corpus" -- \
    "${extent[@]}" -timeout=60 -rss_limit_mb=4096 -print_final_stats=1
done
