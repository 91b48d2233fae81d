package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// The ends of the names of files beside a folder with the data of a model:
// what is known of it, and its parameters as they were given.
const (
	recordEnd = ".model.json"
	paramsEnd = ".params"
)

// checkModel compares the splits of a model's link with those of its data, and
// what would be written with what is there, before anything is written.
func (p *reproducing) checkModel(ctx context.Context, c objects.Commit) error {
	if p.model == nil {
		return nil
	}
	p.res.Model = p.model.Model
	wrong, err := p.wrongSplits(ctx, p.model.ModelLink, c)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return &WrongSplitsError{Model: p.model.Model, Splits: wrong}
	}
	p.res.Splits = len(p.model.Fingerprints)
	return p.eachRecord(func(name string, text []byte) error {
		has, err := vfs.ReadFile(p.env.FS, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Equal(has, text) {
			return nil
		}
		if err == nil {
			err = &UsageError{What: name + " is there, and says something else", Hint: "move it away, or name another folder"}
		}
		return err
	})
}

// writeModel writes what is known of a model beside its data.
func (p *reproducing) writeModel() error {
	if p.model == nil {
		return nil
	}
	return p.eachRecord(func(name string, text []byte) error {
		return vfs.WriteFile(p.env.FS, name, text, 0o666)
	})
}

// eachRecord calls do for each file beside the data.
func (p *reproducing) eachRecord(do func(name string, text []byte) error) error {
	record, err := json.MarshalIndent(p.model, "", "  ")
	if err != nil {
		return err
	}
	into := filepath.Clean(p.res.Into)
	p.res.Record = into + recordEnd
	if err := do(p.res.Record, append(record, '\n')); err != nil || p.model.Params == "" {
		return err
	}
	p.res.Params = into + paramsEnd
	return do(p.res.Params, []byte(p.model.Params))
}
