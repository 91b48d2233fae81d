package main

import (
	"context"
	"os"
	"path/filepath"
)

// splitRules are what is added to mlvc.toml: drawn splits in groups of ten
// files, one of which is frozen, and the checks of content, groups and frozen
// splits. No file is an image or a text.
const splitRules = `
[splits]
ratios = { train = 80, val = 10, test = 10 }
seed = "1"
group = 'f(\d{6})'
frozen = ["test"]

[checks]
near = "off"
frozen = "warn" # the file that changes may be in it
`

// ensureSplits makes a first commit that is held to splits and checks.
func (b *bench) ensureSplits(ctx context.Context, s *set) error {
	return b.ensureRules(ctx, s, splitRules)
}

// ensureRules makes a first commit with more rules in mlvc.toml.
func (b *bench) ensureRules(ctx context.Context, s *set, rules string) error {
	if s.committed {
		return nil
	}
	if err := b.init(ctx, s); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "mlvc.toml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(rules)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	_, err = b.commit(ctx, s, "first, with splits")
	return err
}

// checkedSame makes a commit of nothing that is held to splits and checks.
func checkedSame(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureSplits(ctx, s); err != nil {
		return sample{}, err
	}
	return emptyCommit(ctx, b, s)
}

// checkedOne commits one changed file, held to splits and checks.
func checkedOne(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensureSplits(ctx, s); err != nil {
		return sample{}, err
	}
	return oneOfMany(ctx, b, s)
}

func emptyCommit(ctx context.Context, b *bench, s *set) (sample, error) {
	return b.run(ctx, s, "commit", "--allow-empty", "-m", "nothing changed")
}

// without does a step on the set of as many files that has no splits.
func without(do step) step {
	return func(ctx context.Context, b *bench, _ *set) (sample, error) {
		many := b.sets["many"]
		if err := b.prepare(ctx, many); err != nil {
			return sample{}, err
		}
		if err := b.ensureCommitted(ctx, many); err != nil {
			return sample{}, err
		}
		return do(ctx, b, many)
	}
}
