package export

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Card describes a dataset in Markdown, with the front matter that dataset
// hubs read.
func Card(d Dataset) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	d.frontMatter(line)
	line("# %s\n", d.name())
	if d.Description != "" {
		line("%s\n", d.Description)
	}
	line("Version %s, commit `%s`, %s.\n", d.Version, d.Commit, d.Date.Format("2006-01-02"))
	line("## Contents\n\n%d files, %d bytes.\n", d.Files, d.Bytes)
	if len(d.Tables)+len(d.Groups) > 0 {
		line("| what | files | bytes |\n|---|--:|--:|")
		for _, t := range d.Tables {
			line("| `%s` (%d columns) | 1 | %d |", cellText(t.Path), len(t.Fields), t.Size)
		}
		for _, g := range d.Groups {
			line("| %s | %d | %d |", cellText(g.id()), g.Files, g.Bytes)
		}
		line("")
	}
	if len(d.Splits) > 0 {
		line("## Splits\n\n| scheme | split | files | rows | fingerprint |\n|---|---|--:|--:|---|")
		for _, s := range d.Splits {
			line("| %s | %s | %d | %s | `%s` |", cellText(s.Scheme), cellText(s.Name), s.Files, orNone(s.Rows), s.Fingerprint)
		}
		line("")
	}
	d.checks(line)
	if len(d.Models) > 0 {
		line("## Models\n\n| model | saw | metrics |\n|---|---|---|")
		for _, m := range d.Models {
			line("| %s | %s | %s |", cellText(m.ID), cellText(m.Splits), cellText(m.Metrics))
		}
		line("")
	}
	line("## History\n\n| commit | date | what changed |\n|---|---|---|")
	for _, c := range d.History {
		line("| `%s` | %s | %s |", c.Commit, c.Date, cellText(c.Message))
	}
	if d.Citation != "" {
		line("\n## Citation\n\n```\n%s\n```", d.Citation)
	}
	return []byte(b.String())
}

// checks tells which rules the data were held to.
func (d Dataset) checks(line func(format string, args ...any)) {
	if len(d.Checks) == 0 {
		return
	}
	line("## Checks\n\n| rule | scheme | samples | outcome |\n|---|---|--:|---|")
	for _, c := range d.Checks {
		line("| %s | %s | %d | %s |", c.Rule, cellText(c.Scheme), c.Samples, cellText(c.outcome()))
	}
	line("")
	for _, w := range d.Waivers {
		line("- Waived: %d of %s, for: %s", w.Findings, w.Rule, cellText(w.Reason))
	}
	if len(d.Waivers) > 0 {
		line("")
	}
}

// readable is the rule that counts what could not be read: none is good.
const readable = "readable"

// outcome is what became of a rule. One that looked at nothing proves nothing.
func (c Check) outcome() string {
	open := c.Findings - c.Waived
	switch {
	case c.Level == "off":
		return "not checked: off"
	case c.Findings == 0 && c.Samples == 0 && c.Skipped == "" && c.Rule != readable:
		return "nothing to check"
	case c.Skipped != "":
		return "not checked: " + c.Skipped
	case c.Findings == 0:
		return "passed"
	case open == 0:
		return fmt.Sprintf("passed, %d waived", c.Waived)
	case c.Level == "error":
		return fmt.Sprintf("failed: %d findings", open)
	}
	return fmt.Sprintf("%d warnings", open)
}

func orNone(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// cellText is text that does not end a cell.
func cellText(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "`", "'").Replace(s)
}

// frontMatter is what hubs read. Its words are theirs.
func (d Dataset) frontMatter(line func(format string, args ...any)) {
	line("---\npretty_name: %s", strconv.Quote(d.name()))
	switch id := licenseID(d.License); {
	case id != "" && hubNames[id] != "":
		line("license: %s", hubNames[id])
	case id != "":
		line("license: %s", id)
	case isURL.MatchString(d.License):
		line("license: other\nlicense_name: other\nlicense_link: %s", strconv.Quote(d.License))
	case d.License != "":
		line("license: other\nlicense_name: %s", strconv.Quote(d.License))
	}
	line("size_categories:\n- %s", sizeCategory(d.samples()))
	d.configs(line)
	line("---\n")
}

// samples is how many samples there are: what the splits of one scheme hold,
// else rows, or files.
func (d Dataset) samples() int64 {
	var most, rows int64
	for _, scheme := range d.schemes() {
		var n int64
		for _, s := range d.splitsOf(scheme) {
			if n += s.Rows; s.Rows == 0 {
				n += s.Files
			}
		}
		most = max(most, n)
	}
	for _, t := range d.Tables {
		rows += t.Rows
	}
	if most == 0 {
		return max(rows, d.Files)
	}
	return most
}

// maxConfigPaths is how many files of a split the front matter lists.
const maxConfigPaths = 20

// isHubSplit is what hubs take for the name of a split or a configuration.
var isHubSplit = regexp.MustCompile(`^\w+([.]\w+)*$`)

// configs tell hubs which files are in which split, a scheme each, where
// folders or a few names do. Row by row they cannot be told.
func (d Dataset) configs(line func(format string, args ...any)) {
	head := "configs:\n"
	for _, scheme := range d.schemes() {
		splits := d.splitsOf(scheme)
		if slices.ContainsFunc(splits, func(s Split) bool { return !s.isConfig() }) {
			continue
		}
		line("%s- config_name: %s\n  data_files:", head, strconv.Quote(scheme))
		head = ""
		for _, s := range splits {
			line("  - split: %s\n    path:", s.Name)
			if s.Folder != "" {
				line("    - %s", strconv.Quote(globbed(s.Folder)+"/**"))
				continue
			}
			for _, p := range s.Paths {
				line("    - %s", strconv.Quote(globbed(p)))
			}
		}
	}
}

// isConfig reports whether hubs can be told the files of a split.
func (s Split) isConfig() bool {
	return isHubSplit.MatchString(s.Name) && s.Rows == 0 && s.Files > 0 && (s.Folder != "" || len(s.Paths) > 0 && len(s.Paths) <= maxConfigPaths)
}

// sizeCategory is how hubs group datasets by size.
func sizeCategory(n int64) string {
	low, name := int64(1000), "n<1K"
	for _, next := range []string{"1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B", "10B<n<100B", "100B<n<1T", "n>1T"} {
		if n < low {
			break
		}
		low, name = low*10, next
	}
	return name
}
