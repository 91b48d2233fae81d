package report

import (
	"encoding/json"
	"io"
	"net/url"

	"github.com/mlvc/mlvc/core/dataset"
)

// SARIF writes the report as SARIF 2.1.0. Paths are relative to the root of
// the dataset; version is mlvc's own.
func SARIF(w io.Writer, r *dataset.Report, version string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{sarifOf(r, version)},
	})
}

// The part of SARIF 2.1.0 that reports need; names are the standard's.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifText    `json:"shortDescription"`
		Full    sarifText    `json:"fullDescription"`
		Help    sarifText    `json:"help"`
		Default sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level   string `json:"level"`
		Enabled bool   `json:"enabled"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties,omitempty"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
	sarifLocation struct {
		ID       *int           `json:"id,omitempty"`
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
)

func sarifOf(r *dataset.Report, version string) sarifRun {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "mlvc", Version: version, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{Successful: true}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	index := map[dataset.Rule]int{}
	for _, s := range sections(r) {
		if _, ok := index[s.Rule]; !ok {
			index[s.Rule] = len(run.Tool.Driver.Rules)
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(s))
		}
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, sarifResultOf(f, index[f.Rule]))
	}
	for _, u := range r.Unread {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifUnread(u))
	}
	return run
}

func sarifRuleOf(s section) sarifRule {
	return sarifRule{
		ID:    string(s.Rule),
		Short: sarifText{s.About.Holds}, Full: sarifText{s.About.Means}, Help: sarifText{s.About.Do},
		Default: sarifDefault{sarifLevel(s.Level), s.Level != dataset.Off},
	}
}

func sarifLevel(l dataset.Level) string {
	switch l {
	case dataset.Error:
		return "error"
	case dataset.Warn:
		return "warning"
	}
	return "none"
}

func sarifResultOf(f dataset.Finding, index int) sarifResult {
	res := sarifResult{
		RuleID: string(f.Rule), RuleIndex: index, Level: sarifLevel(f.Level),
		Message:      sarifText{f.Message},
		Locations:    []sarifLocation{},
		Fingerprints: map[string]string{"mlvcFinding/v1": f.ID},
		Properties:   map[string]any{},
	}
	for i, s := range f.Samples {
		at := sarifPlace(s)
		if i == 0 {
			res.Locations = append(res.Locations, at)
			continue
		}
		at.ID = &i
		res.Related = append(res.Related, at)
	}
	if f.Scheme != "" {
		res.Properties["scheme"] = f.Scheme
	}
	if f.Measure != "" {
		res.Properties["distance"], res.Properties["measure"] = f.Distance, f.Measure
	}
	if f.Waived != "" {
		res.Suppressions = []sarifSuppression{{"external", "accepted", f.Waived}}
	}
	return res
}

func sarifPlace(s dataset.Sample) sarifLocation {
	at := sarifAt(s.Path)
	if s.Row > 0 {
		at.Logical = []sarifLogical{{"row " + number(s.Row), "element"}}
	}
	if s.Split != "" {
		at.Message = &sarifText{"in split " + s.Split}
	}
	return at
}

// sarifAt is a location of a path as a relative URI.
func sarifAt(path string) sarifLocation {
	return sarifLocation{Physical: &sarifPhysical{sarifArtifact{(&url.URL{Path: path}).String()}}}
}

func sarifUnread(u dataset.Unread) sarifNotification {
	text := u.Why
	if u.Place != "" {
		text = u.Place + ": " + u.Why
	}
	return sarifNotification{"warning", sarifText{u.Path + ": " + text}, []sarifLocation{sarifAt(u.Path)}}
}
