# Packs every crate that is published and builds each from its package.
. tests/stages/lib.sh
need_rust

# A tree with changes may be packed too: this is a check, nothing is published.
cargo package --workspace --exclude indelible-tests --exclude indelible-powercut --allow-dirty --target-dir "$target/package"
ls -l "$target"/package/package/*.crate
