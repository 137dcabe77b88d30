# The file target beside its peers, on disk and in memory.
. tests/stages/lib.sh
need_rust
need_peers

mkdir -p "$target/peers"
read -ra arguments <<<"${PEERS:-}"
cargo run --release "${features[@]}" --manifest-path tests/peers/Cargo.toml --target-dir "$target/peers" --bin peers -- \
  --dir "$target/peers" --dir /dev/shm "${arguments[@]}"
