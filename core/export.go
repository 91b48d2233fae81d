package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/export"
	"github.com/mlvc/mlvc/core/dataset/label"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/dataset/table"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/refs"
)

// maxSplitListed is how many files of a split are listed one by one.
const maxSplitListed = 10_000

// DescribeOptions say what is described, and how far.
type DescribeOptions struct {
	Rev string // empty: HEAD
	// Checks: what became of the rules is told too, so that the data are held
	// to them once more.
	Checks bool
}

// Describe gathers what is said of the data of a commit to others. Tables are
// read once, whole.
func (r *Repo) Describe(ctx context.Context, opt DescribeOptions) (export.Dataset, error) {
	t, err := r.Resolve(ctx, orHead(opt.Rev))
	if err != nil {
		return export.Dataset{}, err
	}
	c, err := r.commit(ctx, t.ID)
	if err != nil {
		return export.Dataset{}, err
	}
	d := export.Dataset{Version: t.ID.Short(), Commit: t.ID.String(), Date: c.Time}
	looking, err := r.examineCommit(ctx, c)
	if d.About = looking.rules.Dataset; err != nil {
		return d, err
	}
	looking.files, looking.facts, looking.waivers = r.samplesOf(c.Tree), r.openFacts(), c.Waivers
	defer looking.facts.Close() //nolint:errcheck // facts may be lost
	e := &exporting{looking}
	steps := []func(context.Context, objects.ID, objects.Commit, *export.Dataset) error{e.describeFiles, e.describeSplits}
	if opt.Checks {
		steps = append(steps, e.describeChecks)
	}
	for _, describe := range append(steps, r.exportNames, r.exportHistory) {
		if err := describe(ctx, t.ID, c, &d); err != nil {
			return d, err
		}
	}
	return d, nil
}

// exporting is one description being made: of a commit that is held to its own
// rules.
type exporting struct{ *examining }

// The kinds of facts that descriptions keep.
const (
	factSHA256  = "sha256-v1"
	factColumns = "columns-v2"
)

// describeFiles finds tables, and groups all other files by folder and ending.
func (e *exporting) describeFiles(ctx context.Context, _ objects.ID, _ objects.Commit, d *export.Dataset) error {
	if err := e.bringTables(ctx); err != nil {
		return err
	}
	type key struct{ folder, ext string }
	groups, labels := make(map[key]*export.Group), make(map[key]map[string]bool)
	for f, err := range e.files.All(ctx) {
		if err != nil {
			return err
		}
		d.Files++
		d.Bytes += f.Size
		if isTable(f.Path) {
			t, err := e.table(ctx, f, export.MediaType(strings.TrimSuffix(f.Path, ".gz")))
			if err != nil {
				return err
			}
			d.Tables = append(d.Tables, t)
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
		if g := groups[k]; (g.Folder == "" || g.Ext == "") && len(g.Paths) <= maxSplitListed {
			g.Paths = append(g.Paths, f.Path)
		}
		groups[k].Files++
		groups[k].Bytes += f.Size
		labels[k][path.Base(path.Dir(f.Path))] = true
	}
	for k, g := range groups {
		if len(labels[k]) > 1 {
			g.Labels = slices.Sorted(maps.Keys(labels[k]))
		}
		if len(g.Paths) > maxSplitListed {
			g.Paths = nil
		}
		d.Groups = append(d.Groups, *g)
	}
	slices.SortFunc(d.Groups, func(a, b export.Group) int { return strings.Compare(a.Folder+"/"+a.Ext, b.Folder+"/"+b.Ext) })
	return nil
}

// bringTables makes the tables be here; of all other files the names do.
func (e *exporting) bringTables(ctx context.Context) error {
	return e.bring(ctx, func(yield func(objects.Entry, error) bool) {
		for f, err := range e.files.All(ctx) {
			if (err != nil || isTable(f.Path)) && !yield(f.Entry, err) || err != nil {
				return
			}
		}
	})
}

// table reads a table: its hash, its columns and their types. What is no
// table after all, or is broken, is a file all the same: one without fields.
func (e *exporting) table(ctx context.Context, f dataset.File, media string) (t export.Table, err error) {
	t = export.Table{Path: f.Path, Size: f.Size, Format: media}
	if t.SHA256, err = e.sha256(ctx, f); err != nil {
		return t, err
	}
	var all columns
	if known, ok := e.facts.Get(factColumns, f.Content); ok && json.Unmarshal(known, &all) == nil {
		t.Fields, t.Rows = all.Fields, all.Rows
		return t, nil
	}
	all, err = columnsOf(ctx, e.files, f)
	t.Fields, t.Rows = all.Fields, all.Rows
	if place, ok := table.IsPlace(err); ok {
		e.env.Events.Warn(Warning{Code: "unreadable_table", Path: f.Path, Message: place.Error()})
		return t, nil
	}
	if errors.Is(err, table.ErrNoTable) {
		err = nil
	}
	if known, merr := json.Marshal(all); err == nil && merr == nil {
		e.facts.Put(factColumns, f.Content, known)
	}
	return t, err
}

// sha256 is the hash that others know files by.
func (e *exporting) sha256(ctx context.Context, f dataset.File) (string, error) {
	if sum, ok := e.facts.Get(factSHA256, f.Content); ok && len(sum) == sha256.Size {
		return hex.EncodeToString(sum), nil
	}
	hash := sha256.New()
	if err := content.Read(ctx, e.store, f.Entry, hash, 1); err != nil {
		return "", err
	}
	sum := hash.Sum(nil)
	e.facts.Put(factSHA256, f.Content, sum)
	return hex.EncodeToString(sum), nil
}

// columns is what a table consists of.
type columns struct {
	Fields []export.Field `json:"fields"`
	Rows   int64          `json:"rows"`
}

// maxNested is how many nested values of a column are looked into.
const maxNested = 1000

// columnsOf reads a table to its end, and finds the narrowest type of each
// column that does not declare one. Rows that cannot be read do not count.
func columnsOf(ctx context.Context, files dataset.Files, f dataset.File) (columns, error) {
	t, done, err := openTable(ctx, files, f)
	if err != nil {
		return columns{}, err
	}
	defer done() //nolint:errcheck // it was only read
	names := distinct(t.Columns())
	all := columns{Fields: declaredFields(t.Declared(), names)}
	declared := all.Fields != nil
	for _, name := range names {
		if !declared {
			all.Fields = append(all.Fields, export.Field{Name: name})
		}
	}
	nested := make([]int, len(names))
	isJSON := export.MediaType(strings.TrimSuffix(f.Path, ".gz")) == export.MediaType(".jsonl")
	for row, err := range t.Rows(ctx, names...) {
		if _, ok := table.IsPlace(err); ok {
			continue
		}
		if err != nil {
			return columns{}, err
		}
		all.Rows++
		for i, value := range row.Values {
			switch field := &all.Fields[i]; {
			case declared:
			case !isJSON:
				field.See(value)
			case nested[i] < maxNested && field.SeeJSON(value):
				nested[i]++
			}
		}
	}
	for i := range all.Fields {
		all.Fields[i] = all.Fields[i].Known()
	}
	return all, nil
}

// declaredFields are the columns of these names as a table declares them; nil:
// it declares none.
func declaredFields(declared []table.Declared, names []string) (fields []export.Field) {
	for _, d := range declared {
		if len(fields) < len(names) && d.Name == names[len(fields)] {
			fields = append(fields, fieldOf(d))
		}
	}
	return fields
}

var fieldTypes = map[table.Kind]string{
	table.Text: export.Text, table.Boolean: export.Boolean, table.Integer: export.Integer, table.Float: export.Float,
	table.Date: export.Date, table.Time: export.Time, table.DateTime: export.DateTime, table.Map: export.Object,
}

func fieldOf(d table.Declared) export.Field {
	f := export.Field{Name: d.Name, Type: fieldTypes[d.Kind], Repeated: d.Repeated}
	for _, inner := range d.Fields {
		f.Fields = append(f.Fields, fieldOf(inner))
	}
	return f
}

// distinct leaves out names that were there before, and those of no column:
// nobody can ask for these by name.
func distinct(names []string) []string {
	seen := map[string]bool{"": true}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		was := seen[name]
		seen[name] = true
		return was
	})
}

// describeSplits counts what is in each split, and finds what tells it: a
// folder, a column, or a list.
func (e *exporting) describeSplits(ctx context.Context, _ objects.ID, c objects.Commit, d *export.Dataset) error {
	for _, scheme := range c.Splits {
		counts, err := e.countsOf(ctx, c, scheme)
		if err != nil {
			return err
		}
		first := len(d.Splits)
		for _, name := range slices.Sorted(maps.Keys(scheme.Fingerprints)) {
			n := counts[name]
			d.Splits = append(d.Splits, export.Split{
				Scheme: scheme.Scheme, Name: name, Fingerprint: scheme.Fingerprints[name].String(),
				Files: n.Files, Rows: n.Rows, Bytes: n.Bytes,
			})
		}
		if err := e.listSplits(ctx, scheme, d.Splits[first:], d); err != nil {
			return err
		}
	}
	return e.describeLabels(ctx, d)
}

// describeLabels takes the classes from groups whose folders name none: where
// labels lie beside the images, or the folders are those of splits.
func (e *exporting) describeLabels(ctx context.Context, d *export.Dataset) (err error) {
	if e.config, err = e.rules.checks(); err != nil {
		return nil // the rules are told by who checks
	}
	format, err := e.labelFormat(ctx)
	if _, absent := errors.AsType[*dataset.AbsentError](err); err != nil && !absent {
		return err
	}
	beside := err == nil && format != label.None && format != label.Folder
	of := make(map[string]bool)
	for _, s := range d.Splits {
		of[s.Name], of[path.Base(s.Folder)] = true, true
	}
	for i := range d.Groups {
		if g := &d.Groups[i]; beside || slices.ContainsFunc(g.Labels, func(name string) bool { return of[name] }) {
			g.Labels = nil
		}
	}
	return nil
}

// listSplits finds which files are in the splits of one scheme, and whether
// folders tell it.
func (e *exporting) listSplits(ctx context.Context, scheme objects.Split, splits []export.Split, d *export.Dataset) error {
	at := make(map[string]*export.Split)
	for i := range splits {
		at[splits[i].Name] = &splits[i]
	}
	listed := make(map[*export.Split]int64)
	for item, err := range treeMap(scheme.Table).All(ctx, e.store) {
		if err != nil {
			return err
		}
		if string(item.Value) == split.AllRows {
			e.splitColumn(scheme, string(item.Key), d)
			continue
		}
		for _, name := range strings.Split(string(item.Value), ",") {
			s := at[name]
			if s == nil {
				continue
			}
			folder := path.Dir(string(item.Key))
			if listed[s]++; listed[s] == 1 {
				s.Folder = folder
			}
			s.Folder = commonFolder(s.Folder, folder)
			if len(s.Paths) < maxSplitListed {
				s.Paths = append(s.Paths, string(item.Key))
			}
		}
	}
	if err := e.whole(ctx, splits, listed); err != nil {
		return err
	}
	tellFiles(splits, listed)
	return nil
}

// tellFiles leaves splits the lists of files that are needed to tell them, and
// notes where a list would be too long; listed is how many files they have.
func tellFiles(splits []export.Split, listed map[*export.Split]int64) {
	folders := !slices.ContainsFunc(splits, func(s export.Split) bool { return len(s.Paths) > 0 && path.Base(s.Folder) != s.Name })
	for i := range splits {
		s := &splits[i]
		if s.Unlisted = !folders && listed[s] > maxSplitListed; folders || s.Unlisted {
			s.Paths = nil
		}
	}
}

// commonFolder is the nearest folder that both are in or are; ".": the root.
func commonFolder(a, b string) string {
	for a != "." && a != b && !strings.HasPrefix(b, a+"/") {
		a = path.Dir(a)
	}
	return a
}

// whole leaves splits the folders that have none but their files: rather the one
// that is named as the split is, of which those of classes may be parts.
func (e *exporting) whole(ctx context.Context, splits []export.Split, listed map[*export.Split]int64) error {
	below := make(map[string]int64)
	for _, s := range splits {
		below[s.Folder], below[folderNamed(s.Folder, s.Name)] = 0, 0
	}
	for f, err := range e.files.All(ctx) {
		if err != nil {
			return err
		}
		for folder := range below {
			if strings.HasPrefix(f.Path, folder+"/") {
				below[folder]++
			}
		}
	}
	for i := range splits {
		s := &splits[i]
		common := s.Folder
		s.Folder = ""
		for _, folder := range []string{folderNamed(common, s.Name), common} {
			if listed[s] > 0 && folder != "." && below[folder] == listed[s] {
				s.Folder = folder
				break
			}
		}
	}
	return nil
}

// folderNamed is the nearest folder of that name that a folder is or is in;
// ".": there is none.
func folderNamed(folder, name string) string {
	for folder != "." && path.Base(folder) != name {
		folder = path.Dir(folder)
	}
	return folder
}

// splitColumn notes which column of a table tells the split of a row.
func (e *exporting) splitColumn(scheme objects.Split, path string, d *export.Dataset) {
	rule, err := split.ParseRule(scheme.Scheme, scheme.Rule)
	if err != nil || rule.Column == "" {
		return
	}
	for i := range d.Tables {
		if t := &d.Tables[i]; t.Path == path {
			t.SplitColumns = append(t.SplitColumns, export.SplitColumn{Scheme: scheme.Scheme, Column: rule.Column})
		}
	}
}

// describeChecks says which rules the commit was held to, and what became of
// them.
func (e *exporting) describeChecks(ctx context.Context, _ objects.ID, _ objects.Commit, d *export.Dataset) error {
	if e.rules.Splits == nil && e.rules.Checks == nil {
		return nil
	}
	res, err := e.run(ctx)
	if err != nil {
		return err
	}
	for _, c := range res.Report.Rules {
		d.Checks = append(d.Checks, export.Check{
			Rule: string(c.Rule), Scheme: c.Scheme, Level: string(c.Level), Samples: c.Samples,
			Findings: c.Findings, Waived: c.Waived, Skipped: c.Skipped,
		})
	}
	for _, w := range waiverInfos(res.waivers) {
		d.Waivers = append(d.Waivers, export.Waiver{Rule: string(w.Rule), Reason: w.Reason, Findings: len(w.Findings)})
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
		if tag := ref.Name.Short(); ref.Value.Commit == id && (export.IsVersion(tag) || !export.IsVersion(d.Version)) {
			d.Version = tag
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
		d.Models = append(d.Models, export.Model{ID: m.Model, Splits: saw, Metrics: strings.Join(metrics, ", "), Linked: m.Time})
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
