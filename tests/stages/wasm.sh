# The engine of the npm package: built, tested under Node against plain maps and
# the native build's images, and measured. Fails above WASM_LIMIT bytes (brotli)
# of what a page downloads.
. tests/stages/lib.sh
need_rust
target-wasm/build

cargo build -q --release -p indelible-wasm --example script --target-dir "$target"
SCRIPT=$target/release/examples/script node --test target-wasm/tests/

# packed FILE…: bytes of files as a server sends them.
packed() { cat "$@" | brotli -q 11 -w 24 -c | wc -c; }
wasm=$(packed target-wasm/dist/indelible.wasm)
glue=$(packed target-wasm/dist/indelible.js)
words=$(packed target-wasm/js/*.js)
total=$((wasm + glue + words))
printf '\n%-34s %8s\n' 'download, brotli' bytes
printf '%-34s %8d\n' 'engine' "$wasm" 'glue of wasm-bindgen' "$glue" 'JavaScript, not minified' "$words" 'together' "$total"
limit=${WASM_LIMIT:-25600}
[ "$total" -le "$limit" ] || { echo "more than $limit bytes" >&2; exit 1; }
