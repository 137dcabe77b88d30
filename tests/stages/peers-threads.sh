# Threads that put and read: the shared store beside its peers, on disk and in
# memory. THREADS_SECONDS for each figure, THREADS_KEYS in each store.
. tests/stages/lib.sh
need_rust
need_peers

mkdir -p "$target/peers"
cargo run --release "${features[@]}" --manifest-path tests/peers/Cargo.toml --target-dir "$target/peers" --bin threads -- \
  "$target/peers" /dev/shm
