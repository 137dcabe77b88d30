# The core alone, where it has neither `std` nor `alloc`.
. tests/stages/lib.sh
need_rust

targets=(thumbv7em-none-eabihf wasm32-unknown-unknown)
need_target "${targets[@]}"
for name in "${targets[@]}"; do
  "${cross_cargo[@]}" build "${build_std[@]}" -p indelible --release \
    --target "$name" --target-dir "$target/cross"
  "${cross_cargo[@]}" build "${build_std[@]}" -p indelible-embedded --release \
    --features async,defmt,postcard --target "$name" --target-dir "$target/cross"
  echo "built for $name by $("${cross_cargo[@]}" --version)"
done
