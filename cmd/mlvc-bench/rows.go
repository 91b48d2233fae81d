package main

// row is one line of the budgets: what mlvc does, what the same work costs
// otherwise, and what is allowed.
type row struct {
	name   string // for --only
	set    string
	work   string
	ref    string // what the reference is; "" if the budget is a number
	once   bool   // what it measures does not vary: one pair is enough
	mlvc   step
	refer  step // nil without a reference
	checks []check
}

// asRestic are the budgets of a backup beside restic.
var asRestic = []check{
	{seconds, "at most as restic", times(1)},
	{stored, "at most as restic", times(1)},
	{memory, "at most as restic", times(1)},
}

// rows are in the order in which they are measured: the first commit of a set
// comes first, what moves its HEAD last.
var rows = []row{
	{
		name: "first-small", set: "small", work: "first commit, {files} files of 10 KiB, durable",
		ref: "cp -a + sync", mlvc: firstCommit, refer: copyData,
		checks: []check{{seconds, "at most 0.45 ×", times(0.45)}},
	},
	{
		name: "status-small", set: "small", work: "status, {files} files",
		ref: "find -printf", mlvc: status, refer: findData,
		checks: []check{{seconds, "at most 1.2 ×", times(1.2)}},
	},
	{
		name: "same-small", set: "small", work: "commit without a change, {files} files",
		ref: "find -printf", mlvc: sameCommit, refer: findData,
		checks: []check{{seconds, "at most 1.2 ×", times(1.2)}},
	},
	{
		name: "checkout-into", set: "small", work: "checkout of {files} files into an empty folder",
		ref: "cp -a + sync", mlvc: checkoutInto, refer: copyData,
		checks: []check{{seconds, "at most 0.65 ×", times(0.65)}},
	},
	{
		name: "checkout-between", set: "small", work: "checkout between two commits, 1 in 100 of {files} files differs",
		ref: "mlvc status", mlvc: checkoutBetween, refer: status,
		checks: []check{{seconds, "at most 0.3 s more", above(0.3)}},
	},
	{
		name: "push-small", set: "small", work: "push of {files} files of 10 KiB to a new folder remote",
		ref: "cp -a of the packs + sync", mlvc: pushFirst, refer: copyPacks,
		checks: []check{{seconds, "", nil}, {written, "at most 40", fixed(40)}},
	},
	{
		name: "clone-small", set: "small", work: "clone of {files} files of 10 KiB from a folder remote",
		ref: "cp -a of packs and data + sync", mlvc: cloneRemote, refer: copyBoth,
		checks: []check{{seconds, "", nil}},
	},
	{
		name: "backup-small", set: "small", work: "first backup, {files} files of 10 KiB",
		ref: "restic", mlvc: createFirst, refer: resticFirst, checks: asRestic,
	},
	{
		name: "backup-changed-small", set: "small", work: "backup of a commit of 1 in 100 of {files} files of 10 KiB",
		ref: "restic", mlvc: createChanged, refer: resticChanged, checks: asRestic,
	},
	{
		name: "backup-commit-small", set: "small", work: "commit and backup of 1 in 100 of {files} files of 10 KiB",
		ref: "restic", mlvc: commitChanged, refer: resticChanged, checks: asRestic,
	},
	{
		name: "backup-restore-small", set: "small", work: "restore of a backup, {files} files of 10 KiB",
		ref: "restic", mlvc: restoreBackup, refer: resticRestore,
		checks: []check{{seconds, "at most as restic", times(1)}, {memory, "at most as restic", times(1)}},
	},
	{
		name: "git-hooks", set: "small", work: "what the hooks add to git commit, {files} clean files",
		ref: "mlvc status", mlvc: hooked, refer: status,
		checks: []check{{seconds, "at most 50 ms more", above(0.05)}},
	},
	{
		name: "first-large", set: "large", work: "first commit, 4 × {size} incompressible, durable",
		ref: "cp -a + sync", mlvc: firstCommit, refer: copyData,
		checks: []check{{seconds, "at most 0.8 ×", times(0.8)}},
	},
	{
		name: "one-byte", set: "large", work: "commit, one byte changed in a file of {size}",
		ref: "BLAKE3 of it on one core", mlvc: oneByte, refer: hashLarge,
		checks: []check{
			{seconds, "at most 1.5 ×", times(1.5)},
			{stored, "at most 256 KiB", fixed(256 << 10)},
		},
	},
	{
		name: "backup-large", set: "large", work: "first backup, 4 × {size} incompressible",
		ref: "restic", mlvc: createFirst, refer: resticFirst, checks: asRestic,
	},
	{
		name: "backup-changed-large", set: "large", work: "backup of a commit of a hundredth of 4 × {size} incompressible",
		ref: "restic", mlvc: createChanged, refer: resticChanged, checks: asRestic,
	},
	{
		name: "backup-commit-large", set: "large", work: "commit and backup of a hundredth of 4 × {size} incompressible",
		ref: "restic", mlvc: commitChanged, refer: resticChanged, checks: asRestic,
	},
	{
		name: "backup-restore-large", set: "large", work: "restore of a backup, 4 × {size} incompressible",
		ref: "restic", mlvc: restoreBackup, refer: resticRestore,
		checks: []check{{seconds, "at most as restic", times(1)}, {memory, "at most as restic", times(1)}},
	},
	{
		name: "first-many", set: "many", work: "first commit, {many} files of 100 bytes", once: true,
		mlvc:   firstCommit,
		checks: []check{{memory, "at most 300 MiB", fixed(300 << 20)}},
	},
	{
		name: "status-many", set: "many", work: "status, {many} files",
		ref: "find -printf", mlvc: status, refer: findData,
		checks: []check{{seconds, "at most 1.2 ×", times(1.2)}},
	},
	{
		name: "same-many", set: "many", work: "commit without a change, {many} files",
		ref: "find -printf", mlvc: sameCommit, refer: findData,
		checks: []check{{seconds, "at most 1.2 ×", times(1.2)}},
	},
	{
		name: "one-of-many", set: "many", work: "commit, one of {many} files changed",
		ref: "mlvc status", mlvc: oneOfMany, refer: status,
		checks: []check{
			{seconds, "at most 0.3 s more", above(0.3)},
			{stored, "at most 128 KiB beyond the file", fixed(128 << 10)},
		},
	},
	{
		name: "diff-many", set: "many", work: "diff of two commits, 10 of {many} files changed",
		mlvc:   diffTen,
		checks: []check{{seconds, "at most 50 ms", fixed(0.05)}},
	},
	{
		name: "push-many", set: "many", work: "push of {many} files of 100 bytes", once: true,
		mlvc:   pushFirst,
		checks: []check{{memory, "at most 300 MiB", fixed(300 << 20)}, {written, "at most 40", fixed(40)}},
	},
	{
		name: "clone-many", set: "many", work: "clone of {many} files of 100 bytes", once: true,
		mlvc:   cloneRemote,
		checks: []check{{memory, "at most 300 MiB", fixed(300 << 20)}},
	},
	{
		name: "push-one", set: "many", work: "push, one of {many} files changed",
		mlvc: pushOne,
		// Every operation at the remote, reads too, is counted by core's
		// TestShareOperations and, of a million files, remote's TestCopyOperations.
		checks: []check{{seconds, "", nil}, {written, "fewer than 12", fixed(11)}},
	},
	{
		name: "pull-one", set: "many", work: "pull, one of {many} files changed",
		ref: "mlvc status", mlvc: pullOne, refer: statusClone,
		checks: []check{{seconds, "", nil}},
	},
	{
		name: "push-same", set: "many", work: "push, nothing new, {many} files",
		mlvc:   pushNothing,
		checks: []check{{seconds, "", nil}},
	},
	{
		name: "pull-same", set: "many", work: "pull, nothing new, {many} files",
		mlvc:   pullNothing,
		checks: []check{{seconds, "", nil}},
	},
	{
		name: "check-same", set: "splits", work: "commit of nothing with splits and checks, {many} files",
		ref: "the same without", mlvc: checkedSame, refer: without(emptyCommit),
		checks: []check{{seconds, "at most 1.2 ×", times(1.2)}, {memory, "at most 300 MiB", fixed(300 << 20)}},
	},
	{
		name: "check-one", set: "splits", work: "commit with splits and checks, one of {many} files changed",
		ref: "the same without", mlvc: checkedOne, refer: without(oneOfMany),
		checks: []check{{seconds, "at most 1.2 ×", times(1.2)}, {memory, "at most 300 MiB", fixed(300 << 20)}},
	},
	{
		name: "check-near", set: "images", work: "check of near-duplicates, {images} images of 112×112, none hashed before",
		ref: "decoding them", mlvc: checkNear, refer: decodeImages,
		checks: []check{{seconds, "at most 2 ×", times(2)}, {memory, "at most 300 MiB", fixed(300 << 20)}},
	},
	{
		name: "csv", set: "csv", work: "commit, one row inserted at the front of a CSV of {size}",
		mlvc:   csvFront,
		checks: []check{{stored, "at most 512 KiB", fixed(512 << 10)}},
	},
	{
		name: "json", set: "json", work: "commit, new version of a 17 MB JSON table", once: true,
		ref: "zstd -3 --patch-from", mlvc: newTable, refer: patchTable,
		checks: []check{{stored, "at most 1.2 ×", times(1.2)}},
	},
	{
		name: "first-huge", set: "huge", work: "first commit, one file of {huge}", once: true,
		mlvc:   firstCommit,
		checks: []check{{memory, "at most 300 MiB", fixed(300 << 20)}},
	},
}
