# The file target on Windows, under Wine: its tests, what it leaves compared
# with what Linux leaves, kills, and the command. A DAX volume is nothing that
# Wine has: that part is only compiled.
. tests/stages/lib.sh
need_rust
need_packages gcc-mingw-w64-x86-64 wine64
need_std x86_64-pc-windows-gnu

name=x86_64-pc-windows-gnu
folder=$target/windows
# The server makes no prefix of its own.
mkdir -p "$folder/system" "$folder/prefix"
wine=$(command -v wine64 || echo /usr/lib/wine/wine64)
export WINEPREFIX=$folder/prefix WINEDEBUG=-all

# Rust's library takes random numbers from a DLL that Wine has only from
# version 9 on; an older one finds this, by the search path, and a newer its own.
cat >"$folder/prng.c" <<'C'
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(unsigned char *to, size_t len) { return RtlGenRandom(to, len); }
C
x86_64-w64-mingw32-gcc -shared -o "$folder/system/bcryptprimitives.dll" "$folder/prng.c" -ladvapi32
export WINEPATH="Z:${folder//\//\\}\\system"
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$wine
# Of processes that two threads start at once Wine 8 at times starts one alone,
# and reports an internal error.
export RUST_TEST_THREADS=1

# Not optimised: building takes longer than running.
windows() {
  "${cross_cargo[@]}" test "${build_std[@]}" -p indelible-dax --profile dev \
    --target "$name" --target-dir "$folder" "$@"
}

tests=(--lib)
for test in images windows host shared sharded damage unreadable backup grow kill command shell; do
  tests+=(--test "$test")
done
windows "${tests[@]}" --no-run

# One server for all: without it each process begins by starting Wine anew.
wineserver=$(command -v wineserver || echo /usr/lib/wine/wineserver)
trap '"$wineserver" -k >/dev/null 2>&1 || true' EXIT
"$wineserver" -k >/dev/null 2>&1 || true
"$wineserver" -p >/dev/null 2>&1
"$wine" wineboot --init >/dev/null 2>&1 || true

image=$folder/windows.image other=$folder/linux.image
rm -f "$image" "$other"
echo "== images: the same operations here and there, and each goes on with the other's store"
INDELIBLE_IMAGE=$other cargo test -q -p indelible-dax --test images
INDELIBLE_IMAGE="Z:${image//\//\\}" INDELIBLE_OTHER="Z:${other//\//\\}" windows -q --test images
INDELIBLE_OTHER=$image cargo test -q -p indelible-dax --test images a_store_made_elsewhere
cmp "$image" "$other"
echo "$(stat -c %s "$image") bytes, the same under both systems"

echo "== the library"
windows -q --lib --test windows --test host --test damage --test unreadable --test backup
# Not the power cuts: those files are in memory, the same everywhere.
windows -q --test shared --test sharded --test grow -- --skip power_cuts --skip power_fails \
  --skip every_cut --skip a_root_before

echo "== kills"
for medium in file view; do
  INDELIBLE_MEDIUM=$medium INDELIBLE_KILLS=${KILLS:-6} windows -q --test kill -- --nocapture
done

echo "== the command"
windows -q --test command --test shell
