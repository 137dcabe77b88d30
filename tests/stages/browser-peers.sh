# Indelible in a page beside IndexedDB, idb-keyval, Dexie and SQLite; arguments
# for it in PEERS, such as PEERS='--rounds 21'.
. tests/stages/lib.sh
need_node
need_packages chromium
target-wasm/build

npm_ci target-wasm/tests/browser
read -ra arguments <<<"${PEERS:-}"
node target-wasm/tests/browser/bench.mjs "${arguments[@]}"
