# Breaks the core on purpose, one break at a time chosen at run time: the
# explorer must catch each by name. One compile for all, in a folder of its own.
. tests/stages/lib.sh
need_rust

RUSTFLAGS="${RUSTFLAGS:-} --cfg indelible_mutants" \
  cargo test -p indelible-tests --test mutants --target-dir "$target/mutants" \
  every_mutant_is_caught -- --nocapture
# Power cuts at every step find those that show on flash.
RUSTFLAGS="${RUSTFLAGS:-} --cfg indelible_mutants" \
  cargo test -p indelible-powercut --test power --target-dir "$target/mutants" mutants -- --nocapture
