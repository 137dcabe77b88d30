# Indelible on simulated NOR flash: what it costs at most, and power cuts, with
# the harness that its peers run in. Without littlefs, which needs libclang.
. tests/stages/lib.sh
need_rust

cargo test --manifest-path tests/nor-peers/Cargo.toml --target-dir "$target/nor-peers" --no-default-features
