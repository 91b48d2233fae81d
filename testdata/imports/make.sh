#!/usr/bin/env bash
# Makes the projects that the import tests read, with the real tools. Needs git
# and git-lfs (Debian's), and two virtual environments with DVC from pip:
#
#	python3 -m venv DVC3 && DVC3/bin/pip install dvc==3.67.1
#	python3 -m venv DVC2 && DVC2/bin/pip install dvc==2.58.2 'pathspec<0.13'
#	./make.sh DVC3/bin/dvc DVC2/bin/dvc
#
# Each archive holds a folder `project`, what its remote is, and in `expected`
# for every git revision the SHA-256 of each file of the dataset, as the tool
# itself brought it to the disk.
set -euo pipefail
dvc3=$(realpath -s "$1") dvc2=$(realpath -s "$2")
here=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
export GIT_CONFIG_GLOBAL="$top/gitconfig" GIT_CONFIG_NOSYSTEM=1 DVC_NO_ANALYTICS=1
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
export XDG_CONFIG_HOME="$top/xdg" DVC_SITE_CACHE_DIR="$top/site"
git config --file "$GIT_CONFIG_GLOBAL" init.defaultBranch main
git config --file "$GIT_CONFIG_GLOBAL" advice.detachedHead false

clock=1700000000
commit() { # commit MESSAGE [git options]
	clock=$((clock + 3600))
	export GIT_AUTHOR_DATE="$clock +0100" GIT_COMMITTER_DATE="$clock +0100"
	git add -A && git commit -q -m "$@"
}
merge() { # merge BRANCH MESSAGE [git options]
	clock=$((clock + 3600))
	export GIT_AUTHOR_DATE="$clock +0100" GIT_COMMITTER_DATE="$clock +0100"
	git merge -q --no-ff -m "$2" "${@:3}" "$1"
}
numbers() { # numbers SEED LINES: text that does not repeat
	awk -v s="$1" -v n="$2" 'BEGIN { srand(s); for (i = 0; i < n; i++) printf "%d,%.9f,%.9f\n", i, rand(), rand() }'
}
files() { # the dataset as text: SHA-256 and path, sorted
	for p in "$@"; do
		[ -e "$p" ] || continue
		find "$p" -type f ! -name .gitignore -print0
	done | sort -z | xargs -0 -r sha256sum
}
pack() { # pack NAME: the folders of the working directory
	find . -name '*.sample' -delete
	find . -path '*/.dvc/tmp/*' -delete
	tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - . | gzip -9n > "$here/$1.tar.gz"
}

take() { # take DVC BRANCH-OR-REVISION: its code and its data, from scratch
	rm -rf data/raw model.bin pipeline/out/features.txt pipeline/out/tables
	git checkout -q "${@:2}" && "$1" checkout -q --force
}

dvc_project() { # dvc_project NAME DVC: the same history with either major version
	local name=$1 dvc=$2 work="$top/$1"
	mkdir -p "$work/project" "$work/store" "$work/expected" && cd "$work/project"
	git init -q . && "$dvc" init -q && "$dvc" config core.analytics false && "$dvc" config core.autostage false
	"$dvc" remote add -q -d store ../store
	echo 'print("train")' > train.py
	commit 'a project without data'

	mkdir -p data/raw/deep
	for i in 1 2 3 4 5; do numbers "$i" 40 > "data/raw/part-$i.csv"; done
	numbers 6 12000 > data/raw/large.csv
	printf 'one\r\ntwo\r\n' > data/raw/dos.txt
	: > data/raw/empty
	echo 'ü' > 'data/raw/deep/a name, ünï.txt'
	head -c 3000 data/raw/large.csv | gzip -9n > model.bin
	"$dvc" add -q data/raw model.bin
	commit 'data and a model'
	git tag -a -m 'the first' v1

	numbers 7 41 > data/raw/part-2.csv
	rm data/raw/part-3.csv
	sed -i '1i 0,0,0' data/raw/large.csv
	echo more > data/raw/deep/new
	"$dvc" add -q data/raw
	commit 'new rows'

	echo 'print("train better")' > train.py
	commit 'only code'

	git checkout -q -b stages
	mkdir -p pipeline/out && printf "/features.txt\n/tables\n" > pipeline/out/.gitignore
	cat > pipeline/dvc.yaml <<'YAML'
stages:
  features:
    wdir: out
    cmd: wc -l ../../data/raw/part-1.csv > features.txt && mkdir -p tables && cp ../../data/raw/part-*.csv
      tables/ && echo '{"n":1}' > metrics.json
    deps:
    - ../../data/raw
    outs:
    - features.txt
    - tables
    metrics:
    - metrics.json:
        cache: false
YAML
	(cd pipeline && "$dvc" repro -q)
	commit 'a stage with outs'

	git checkout -q main
	rm -rf pipeline
	echo 2 > data/raw/deep/new
	"$dvc" add -q data/raw
	commit 'main goes on'
	merge stages 'merge the stage'
	"$dvc" checkout -q --force
	(cd pipeline && "$dvc" repro)
	commit 'the stage anew'

	git rm -q model.bin.dvc && rm -f model.bin
	mkdir model.bin && numbers 9 3 > model.bin/a && numbers 10 3 > model.bin/b
	"$dvc" add -q model.bin
	commit 'the model is a folder'

	take "$dvc" -b side v1
	rm -r data/raw/deep
	"$dvc" add -q data/raw
	commit 'side drops a folder'
	for rev in $(git rev-list --all); do
		take "$dvc" "$rev" && "$dvc" push -q
		files data/raw model.bin pipeline/out/features.txt pipeline/out/tables > "$work/expected/$rev"
	done
	git checkout -q main
	"$dvc" --version > "$work/version"
	rm -rf data/raw model.bin pipeline/out/features.txt pipeline/out/tables
	cd "$work" && pack "$name"
}

lfs_project() {
	local work="$top/lfs"
	mkdir -p "$work/project" "$work/expected" && cd "$work"
	git init -q --bare remote.git && cd project
	git init -q . && git lfs install --local --skip-smudge >/dev/null
	git remote add origin "file://$work/remote.git"
	git lfs track 'images/**' '*.bin' >/dev/null
	echo 'print()' > code.py
	commit 'attributes'
	mkdir -p images/train images/test mixed
	for i in 1 2 3 4; do numbers "2$i" 30 > "images/train/$i.csv"; done
	numbers 30 9000 > images/test/large.csv
	: > images/test/empty
	numbers 31 5 > mixed/model.bin && chmod +x mixed/model.bin
	echo text > mixed/notes.md
	commit 'images'
	git tag v1
	numbers 32 31 > images/train/1.csv
	git mv images/train/2.csv 'images/train/zwei ü.csv'
	commit 'another first image'
	git checkout -q -b side
	echo side > images/test/side.csv
	commit 'side adds one'
	git checkout -q main
	git rm -q images/train/3.csv
	commit 'main removes one'
	merge side 'merge side'
	echo '# more' >> code.py
	commit 'only code'
	git lfs push --all origin >/dev/null 2>&1
	git push -q --all origin && git push -q --tags origin
	for rev in $(git rev-list --all); do
		git checkout -q "$rev" && git lfs pull >/dev/null 2>&1
		# Not git lfs ls-files: it leaves empty files out.
		git ls-files -z | git check-attr -z --stdin filter | tr '\0' '\n' | paste - - - | awk -F '\t' '$3 == "lfs" { print $1 }' |
			LC_ALL=C sort | tr '\n' '\0' | xargs -0 -r sha256sum > "$work/expected/$rev"
	done
	git checkout -q main
	git remote set-url origin ../remote.git
	git lfs version > "$work/version"
	git ls-files -z | xargs -0 rm -f && cd "$work" && pack lfs
}

lfs_project
dvc_project dvc3 "$dvc3"
dvc_project dvc2 "$dvc2"
ls -l "$here"
