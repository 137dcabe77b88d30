# One flipped bit in a closed store of Indelible and of each peer: what each says
# of it. FLIPS trials (default 200), FLIPS_KEYS, FLIPS_SEED.
. tests/stages/lib.sh
need_rust

cargo run --release --manifest-path tests/peers/Cargo.toml --target-dir "$target/peers" --bin flips
