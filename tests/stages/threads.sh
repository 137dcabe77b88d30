# Stores that threads share, in orders that a scheduler chooses (ROUNDS, default
# 1500 of each kind): every history has to be linearizable. Those of real
# threads are among the workspace's tests.
. tests/stages/lib.sh
need_rust

RUSTFLAGS="--cfg shuttle" INDELIBLE_ROUNDS="${ROUNDS:-1500}" \
  cargo test -p indelible-threads --test orders --target-dir "$target/shuttle" -- --nocapture
