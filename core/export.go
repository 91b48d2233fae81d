package core

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/export"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/refs"
)

// maxSplitListed is how many files of a split are listed one by one.
const maxSplitListed = 10_000

// Describe gathers what is said of the data of a commit (empty: HEAD) to
// others. Tables are read once, whole.
func (r *Repo) Describe(ctx context.Context, rev string) (export.Dataset, error) {
	t, err := r.Resolve(ctx, orHead(rev))
	if err != nil {
		return export.Dataset{}, err
	}
	c, err := r.commit(ctx, t.ID)
	if err != nil {
		return export.Dataset{}, err
	}
	d := export.Dataset{Version: t.ID.Short(), Commit: t.ID.String(), Date: c.Time}
	if d.About, err = r.about(ctx, c.Tree); err != nil {
		return d, err
	}
	for _, describe := range []func(context.Context, objects.ID, objects.Commit, *export.Dataset) error{
		r.exportFiles, r.exportSplits, r.exportNames, r.exportHistory,
	} {
		if err := describe(ctx, t.ID, c, &d); err != nil {
			return d, err
		}
	}
	return d, nil
}

// about is what a commit's own mlvc.toml says of its data.
func (r *Repo) about(ctx context.Context, tree objects.ID) (export.About, error) {
	e, ok, err := r.lookUp(ctx, tree, RulesFile)
	if err != nil || !ok {
		return export.About{}, err
	}
	var text strings.Builder
	if err := content.Read(ctx, r.store, e, &text, 1); err != nil {
		return export.About{}, err
	}
	rules, err := ParseRules([]byte(text.String()))
	return rules.Dataset, err
}

// exportFiles finds tables, and groups all other files by folder and ending.
func (r *Repo) exportFiles(ctx context.Context, _ objects.ID, c objects.Commit, d *export.Dataset) error {
	if err := r.bring(ctx, newEntries(r.treeDiff(ctx, objects.ID{}, c.Tree))); err != nil {
		return err
	}
	type key struct{ folder, ext string }
	groups, labels := make(map[key]*export.Group), make(map[key]map[string]bool)
	for f, err := range (samples{r, c.Tree}).All(ctx) {
		if err != nil {
			return err
		}
		d.Files++
		d.Bytes += f.Size
		if media := export.MediaType(f.Path); media == "text/csv" || media == "text/tab-separated-values" {
			table, err := r.exportTable(ctx, f, media)
			if err != nil {
				return err
			}
			d.Tables = append(d.Tables, table)
			continue
		}
		folder, _, inFolder := strings.Cut(f.Path, "/")
		if !inFolder {
			folder = ""
		}
		k := key{folder, path.Ext(f.Path)}
		if groups[k] == nil {
			groups[k], labels[k] = &export.Group{Folder: folder, Ext: k.ext}, make(map[string]bool)
		}
		groups[k].Files++
		groups[k].Bytes += f.Size
		labels[k][path.Base(path.Dir(f.Path))] = true
	}
	for k, g := range groups {
		if len(labels[k]) > 1 {
			g.Labels = slices.Sorted(maps.Keys(labels[k]))
		}
		d.Groups = append(d.Groups, *g)
	}
	slices.SortFunc(d.Groups, func(a, b export.Group) int { return strings.Compare(a.Folder+"/"+a.Ext, b.Folder+"/"+b.Ext) })
	return nil
}

// exportTable reads a table once: its hash, its columns and their types.
func (r *Repo) exportTable(ctx context.Context, f dataset.File, media string) (export.Table, error) {
	t := export.Table{Path: f.Path, Size: f.Size, Format: media}
	hash := sha256.New()
	from, to := io.Pipe()
	go func() {
		to.CloseWithError(content.Read(ctx, r.store, f.Entry, io.MultiWriter(hash, to), 1))
	}()
	fields, err := columns(csv.NewReader(from), media)
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		// What is no table is a file all the same.
		r.env.Events.Warn(Warning{Code: "unreadable_table", Path: f.Path, Message: err.Error()})
		fields, err = nil, nil
	}
	if _, rest := io.Copy(io.Discard, from); err == nil {
		err = rest
	}
	t.Fields, t.SHA256 = fields, hex.EncodeToString(hash.Sum(nil))
	return t, err
}

// columns reads a table to its end and finds the narrowest type of each column.
func columns(rows *csv.Reader, media string) ([]export.Field, error) {
	if media != "text/csv" {
		rows.Comma = '\t'
	}
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fields := make([]export.Field, len(header))
	for i, name := range header {
		fields[i].Name = strings.Clone(strings.TrimPrefix(name, "\uFEFF"))
	}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		for i, value := range row {
			fields[i].Type = wider(fields[i].Type, value)
		}
	}
	for i := range fields {
		if fields[i].Type == "" {
			fields[i].Type = export.Text
		}
	}
	return fields, nil
}

// wider is the narrowest type that holds what a column had before, and a
// value.
func wider(typ, value string) string {
	if value == "" || typ == export.Text {
		return typ
	}
	if _, err := strconv.ParseInt(value, 10, 64); err == nil && typ != export.Boolean {
		if typ == export.Float {
			return typ
		}
		return export.Integer
	}
	if _, err := strconv.ParseFloat(value, 64); err == nil && typ != export.Boolean {
		return export.Float
	}
	if v := strings.ToLower(value); (v == "true" || v == "false") && (typ == "" || typ == export.Boolean) {
		return export.Boolean
	}
	return export.Text
}

// exportSplits counts the files of each split, and finds whether a folder
// tells it.
func (r *Repo) exportSplits(ctx context.Context, _ objects.ID, c objects.Commit, d *export.Dataset) error {
	for _, scheme := range c.Splits {
		first := len(d.Splits)
		at := make(map[string]int)
		for _, name := range slices.Sorted(maps.Keys(scheme.Fingerprints)) {
			at[name] = len(d.Splits)
			d.Splits = append(d.Splits, export.Split{Scheme: scheme.Scheme, Name: name, Fingerprint: scheme.Fingerprints[name].String()})
		}
		for item, err := range treeMap(scheme.Table).All(ctx, r.store) {
			if err != nil {
				return err
			}
			folder, _, inFolder := strings.Cut(string(item.Key), "/")
			for _, name := range strings.Split(string(item.Value), ",") {
				i, ok := at[name]
				if !ok {
					continue // a table whose rows are the samples
				}
				s := &d.Splits[i]
				if s.Files++; s.Files == 1 && inFolder && folder == name {
					s.Folder = folder
				} else if folder != s.Folder {
					s.Folder = ""
				}
				if len(s.Paths) < maxSplitListed {
					s.Paths = append(s.Paths, string(item.Key))
				}
			}
		}
		folders := !slices.ContainsFunc(d.Splits[first:], func(s export.Split) bool { return s.Folder == "" })
		for i := range d.Splits[first:] {
			if s := &d.Splits[first+i]; folders || s.Files > maxSplitListed {
				s.Paths = nil
			}
		}
	}
	return nil
}

// exportNames finds the tag that is the version, and the models.
func (r *Repo) exportNames(ctx context.Context, id objects.ID, _ objects.Commit, d *export.Dataset) error {
	_, view, _, err := r.current(ctx)
	if err != nil {
		return err
	}
	for ref, err := range view.List(ctx, refs.Tags) {
		if err != nil {
			return err
		}
		if ref.Value.Commit == id {
			d.Version = ref.Name.Short()
		}
	}
	for m, err := range r.Models(ctx) {
		if err != nil {
			return err
		}
		if m.Commit != id {
			continue
		}
		saw, metrics := "all", []string{}
		if len(m.Splits) > 0 {
			words := []string{}
			for _, s := range m.Splits {
				words = append(words, s.String())
			}
			saw = strings.Join(words, ", ")
		}
		for _, key := range slices.Sorted(maps.Keys(m.Metrics)) {
			metrics = append(metrics, key+"="+m.Metrics[key])
		}
		d.Models = append(d.Models, export.Model{ID: m.Model, Splits: saw, Metrics: strings.Join(metrics, ", ")})
	}
	return nil
}

// maxChanges is how much of the history is told.
const maxChanges = 20

func (r *Repo) exportHistory(ctx context.Context, id objects.ID, _ objects.Commit, d *export.Dataset) error {
	for c, err := range history.Walk(ctx, r.store, []objects.ID{id}, history.Options{}) {
		if err != nil {
			return err
		}
		subject, _, _ := strings.Cut(c.Message, "\n")
		d.History = append(d.History, export.Change{Commit: c.ID.Short(), Date: c.Time.Format("2006-01-02"), Message: subject})
		if len(d.History) == maxChanges {
			break
		}
	}
	return nil
}
