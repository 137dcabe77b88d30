# Kills a process that uses a store, at random moments, and looks at what is
# left. KILLS says how often.
. tests/stages/lib.sh
need_rust

INDELIBLE_KILLS="${KILLS:-20}" cargo test -p indelible-dax --test kill -- --nocapture
