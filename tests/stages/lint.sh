# Formatting, clippy and rustdoc, all warnings denied.
. tests/stages/lib.sh
need_rust rustfmt clippy

cargo fmt --all --check
for own in peers fuzz sizes nor-peers nor-peers/sizes; do
  cargo fmt --all --check --manifest-path "tests/$own/Cargo.toml"
done
cargo fmt --all --check --manifest-path target-embedded/firmware/Cargo.toml
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy -p indelible-embedded --all-targets --all-features -- -D warnings
cargo clippy --manifest-path tests/fuzz/cases/Cargo.toml --target-dir "$target/fuzz-cases" --all-targets -- -D warnings
cargo clippy --manifest-path tests/nor-peers/Cargo.toml --target-dir "$target/nor-peers" --no-default-features --all-targets -- -D warnings
RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
RUSTDOCFLAGS='-D warnings' cargo doc -p indelible-embedded --all-features --no-deps
for script in tests/run .ci/run tests/stages/*.sh; do
  bash -n "$script"
done
