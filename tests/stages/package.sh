# Packs every crate that is published and builds each from its package.
. tests/stages/lib.sh
need_rust

# Cargo unpacks the workspace's own crates like any others, once a version, and
# would build the next crate against what it unpacked on another day.
rm -rf "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/indelible*-[0-9]*

# A tree with changes may be packed too: this is a check, nothing is published.
cargo package --workspace --exclude indelible-tests --exclude indelible-powercut --exclude indelible-threads --exclude indelible-dax-vm --allow-dirty --target-dir "$target/package"
ls -l "$target"/package/package/*.crate
