#!/usr/bin/env bash
# The main job on real data, step by step: 10,000 images and two tables are
# versioned, changed, compared, restored and verified; then paired with a git
# repository and shared through a folder, until a colleague has both; then split
# for training and evaluation, and tied to a model.
# Usage: testdata/demo.sh MLVC MLVC-BENCH   (`make demo` builds both first)
set -euo pipefail

mlvc=$(realpath "$1")
bench=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/mlvc-demo-XXXXXX")
trap 'rm -rf "$work"' EXIT
repo=$work/project
sums=$work/sums
mkdir -p "$repo/data/tables" "$sums"
cd "$repo"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step=0
say() { step=$((step + 1)); printf '\n%s%d. %s%s\n' "$bold" "$step" "$*" "$plain"; }

# run ARGS…: shows the command and the first lines of what it says.
run() {
	local shown='' arg
	for arg; do case $arg in *' '*) shown+=" \"$arg\"" ;; *) shown+=" $arg" ;; esac done
	printf '   $ mlvc%s\n' "$shown"
	"$mlvc" "$@" | head12
}

# head12 shows the first lines of what it reads.
head12() {
	awk -v most=12 'NR <= most { print "   " $0 } END { if (NR > most) printf "   … and %d lines more\n", NR - most }'
}

# rungit ARGS…: the same with git, whose hooks speak on the error output.
rungit() {
	local shown='' arg
	for arg; do case $arg in *' '*) shown+=" \"$arg\"" ;; *) shown+=" $arg" ;; esac done
	printf '   $ git%s\n' "$shown"
	git "$@" 2>&1 | head12
}

# hashes DIR: the BLAKE3 of every file under DIR/data, by a program that
# shares no code path with checkout.
hashes() { (cd "$1" && find data -type f | LC_ALL=C sort | "$bench" b3sum); }

# commit NAME ARGS…: notes the files' hashes, then commits.
commit() {
	local name=$1
	shift
	hashes . >"$sums/$name"
	run commit "$@"
	"$mlvc" tag "$name"
}

say "Real data: Fashion-MNIST's 10,000 test images as PNG files, and two public tables"
"$bench" unpack --from "$here/fashion-mnist" --to data/images | sed 's/^/   /'
cp "$here/tables/birdstrikes.csv" "$here/tables/earthquakes.json" data/tables/
du -sh data | sed 's/^/   /'

say "A repository beside the data"
run init --track data

say "The first commit: every file is read and hashed"
commit v1 -m "Images and tables as published"

say "One image in a hundred is replaced by its negative; only those are read again"
"$bench" unpack --from "$here/fashion-mnist" --to data/images --negative 100 | sed 's/^/   /'
run status
commit v2 -m "Negatives of 1 % of the images" --type incremental

say "One table row in a hundred is corrected, a row comes in at the front"
awk -F, -v OFS=, 'NR == 1 { print; print "NEW ROW" substr($0, index($0, ",")); next } NR % 100 == 0 { $NF = 999 } { print }' \
	data/tables/birdstrikes.csv >"$work/table" && mv "$work/table" data/tables/birdstrikes.csv
commit v3 -m "Corrected speeds" --type differential

say "A class is renamed, ten images go, and everything is read again whatever the clock says"
mv data/images/test/sneaker data/images/test/trainer
find data/images/test/bag -type f | LC_ALL=C sort | head -n 10 | xargs rm
commit v4 -m "Sneakers are trainers; bad bags removed" --type full

say "Nothing changed: nothing is committed"
run commit -m "nothing"

say "What happened"
run log
run diff v2 v3
printf '   files that differ between v1 and v4: '
"$mlvc" diff v1 v4 --json | wc -l

say "Each commit into an empty folder, and every file's BLAKE3 compared with the original's"
for name in v1 v2 v3 v4; do
	"$mlvc" checkout "$name" --into "$work/$name" -q
	hashes "$work/$name" >"$work/restored"
	cmp "$sums/$name" "$work/restored"
	printf '   %s: all %d files are the same, byte for byte\n' "$name" "$(wc -l <"$sums/$name")"
done

say "The working tree back to the first commit, and forward again"
run checkout v1
hashes . | cmp "$sums/v1" -
run switch main
hashes . | cmp "$sums/v4" -

say "What the repository holds: verified to the last byte, then tidied"
run verify --full
run gc --dry-run
run gc
du -sh data .mlvc | sed 's/^/   /'

say "Code in git, data in mlvc: one git commit names both"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
git init -q -b main .
cat >train.sh <<'TRAIN'
#!/bin/sh
# The "metric" of this model: how many images of bags it may learn from.
find data/images/test/bag -type f | wc -l
TRAIN
run git pair
run remote add origin "$work/share"
git add -A
rungit commit -q -m "Train on the data of v4"
sed 's/^/   /' data.mlvc

say "A branch of the project: its data change with it, and git switch takes them along"
rungit switch -q -c fewer-bags
find data/images/test/bag -type f | LC_ALL=C sort | head -n 400 | xargs rm
run commit -m "400 bags fewer"
rungit commit -q -a -m "Fewer bags"
rungit log -p -1 --format='%h %s' -- data.mlvc
printf '   on fewer-bags: %s bags\n' "$(sh train.sh)"
rungit switch -q main
printf '   on main:       %s bags\n' "$(sh train.sh)"
hashes . | cmp "$sums/v4" -

say "Shared: the data through a folder, the code through git"
git init -q --bare -b main "$work/code.git"
git remote add origin "$work/code.git"
"$mlvc" config git.push auto # git push sends the data first
rungit push -q origin main fewer-bags

say "A colleague clones the code, and gets the data of exactly that revision"
git clone -q -b fewer-bags "$work/code.git" "$work/colleague"
cd "$work/colleague"
run git fetch
printf '   on fewer-bags: %s bags\n' "$(sh train.sh)"
rungit switch -q main
printf '   on main:       %s bags\n' "$(sh train.sh)"
hashes . | cmp "$sums/v4" -
run verify --full

say "Train and test: declared beside the data, and checked for leaks at every commit"
cd "$repo"
cat >>mlvc.toml <<'TOML'

[splits]
of    = ["data/images/**"]
train = ["data/images/test/*/0[0-7]*.png"]
test  = ["data/images/test/*/0[89]*.png", "data/images/test/*/10000.png"]

[splits.strikes]
table  = "data/tables/birdstrikes.csv"
ratios = { train = 80, test = 20 }
group  = { column = "Airport Name" }
TOML
run commit -m "Splits for training and evaluation"
rungit commit -q -a -m "Splits"
run split
leaked=$(find data/images/test/bag -name '0[0-7]*.png' | LC_ALL=C sort | awk 'NR == 1')
cp "$leaked" data/images/test/bag/09999-copy.png
printf '   %s is copied into the test set:\n' "$leaked"
if "$mlvc" commit -m "More test images" 2>&1 | head12; then :; fi
rm data/images/test/bag/09999-copy.png

say "A model, tied to exactly the data that it saw"
run model link bags-1 --splits train --metric acc=0.91
run model of "$leaked"
if "$mlvc" model check bags-1 HEAD:test --near warn | head12; then :; fi
run reproduce bags-1 --into "$work/bags-1"

printf '\n%sDone.%s Four versions of %d files are in one repository, each was restored exactly,\nand a colleague has them by the revision of the code.\n' "$bold" "$plain" "$(wc -l <"$sums/v1")"
