# Every test of the workspace, documentation examples included.
. tests/stages/lib.sh
need_rust

cargo test --workspace
cargo test -p indelible-embedded --features async,heap,postcard
