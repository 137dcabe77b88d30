# Instructions per operation on a medium in memory, counted by callgrind: the
# same figure on every run of the same build, beside any load.
. tests/stages/lib.sh
need_rust
need_packages valgrind perl

cargo build --manifest-path tests/sizes/Cargo.toml -p indelible-instructions --profile counted \
  --target-dir "$target/instructions"
out=$target/instructions
valgrind --tool=callgrind --callgrind-out-file="$out/callgrind.out" \
  "$out/counted/indelible-instructions" >"$out/counts" 2>"$out/valgrind.log" ||
  { cat "$out/valgrind.log" >&2; exit 1; }
callgrind_annotate --inclusive=yes --threshold=100 "$out/callgrind.out" >"$out/annotated"

printf '\n%-24s %12s\n' 'operation' 'instructions'
while read -r name count; do
  total=$(awk -v name=":$name" '{ at = index($0, name " "); if (!at && $0 ~ name "$") at = 1 } at { gsub(",", "", $1); print $1; exit }' "$out/annotated")
  [ -n "$total" ] || { echo "callgrind did not see $name" >&2; exit 1; }
  printf '%-24s %12d\n' "${name#measured_}" $((total / count))
done <"$out/counts"
