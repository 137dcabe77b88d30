# Every test of the workspace, documentation examples included.
. tests/stages/lib.sh
need_rust

cargo test --workspace
