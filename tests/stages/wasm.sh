# The engine of the npm package: built, tested under Node against plain maps and
# the native build's images by three seeds (SEED), and measured. The goal is a download of 25,600 bytes
# (brotli), which is far off; fails where it becomes more than WASM_LIMIT.
. tests/stages/lib.sh
need_rust
target-wasm/build

cargo build -q --release -p indelible-wasm --example script --target-dir "$target"
for seed in ${SEED:-1 2 3}; do
  SEED=$seed SCRIPT=$target/release/examples/script node --test target-wasm/tests/*.test.mjs
done

# What bundlers make of the page's and the worker's part.
esbuild=0.28.1
bundler=$target/tools/node_modules/.bin/esbuild
[ "$("$bundler" --version 2>/dev/null)" = "$esbuild" ] ||
  npm install --silent --no-fund --no-audit --prefix "$target/tools" "esbuild@$esbuild" >/dev/null ||
  lack "esbuild $esbuild" "npm install --prefix $target/tools esbuild@$esbuild"
bundle=$target/wasm/bundle
rm -rf "$bundle"
"$bundler" --bundle --minify --format=esm --log-level=error --outdir="$bundle" target-wasm/js/index.js target-wasm/js/worker.js
cp target-wasm/dist/indelible.wasm "$bundle"

printf '\n%-34s %8s %8s\n' 'download' bytes brotli
total=0
for file in indelible.wasm worker.js index.js; do
  packed=$(brotli -q 11 -w 24 -c "$bundle/$file" | wc -c)
  printf '%-34s %8d %8d\n' "$file" "$(stat -c %s "$bundle/$file")" "$packed"
  total=$((total + packed))
done
printf '%-34s %8s %8d\n' together '' "$total"
limit=${WASM_LIMIT:-71680}
[ "$total" -le "$limit" ] || { echo "more than $limit bytes" >&2; exit 1; }
