# The npm package and the demo in Chromium: every call, tabs, kills of the whole
# browser (KILLS, default 5 on each medium), quotas, the package in a fresh
# project; then the demo's own tests.
. tests/stages/lib.sh
need_node
need_packages chromium
target-wasm/build

npm_ci target-wasm/tests/browser
node --test --test-concurrency=1 target-wasm/tests/browser/*.test.mjs

npm_ci web-demo
web-demo/build
node --test --test-concurrency=1 web-demo/tests/*.mjs
