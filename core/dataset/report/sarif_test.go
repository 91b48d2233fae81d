package report_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/report"
)

type object = map[string]any

// sarif holds a log to what SARIF 2.1.0 requires.
type sarif struct{ *testing.T }

func (s sarif) object(v any, what string, required ...string) object {
	s.Helper()
	o, ok := v.(object)
	if !ok {
		s.Fatalf("%s is no object: %v", what, v)
	}
	for _, key := range required {
		if _, ok := o[key]; !ok {
			s.Errorf("%s has no %s", what, key)
		}
	}
	return o
}

func (s sarif) array(v any, what string) []any {
	s.Helper()
	list, ok := v.([]any)
	if !ok {
		s.Fatalf("%s is no array: %v", what, v)
	}
	return list
}

// message: 3.11, it has text (or an id).
func (s sarif) message(v any, what string) {
	s.Helper()
	if text, _ := s.object(v, what, "text")["text"].(string); text == "" {
		s.Errorf("%s says nothing", what)
	}
}

// location: 3.28 and 3.4, the URI is a valid relative reference.
func (s sarif) location(v any) string {
	s.Helper()
	physical := s.object(s.object(v, "location", "physicalLocation")["physicalLocation"], "physicalLocation", "artifactLocation")
	uri, _ := s.object(physical["artifactLocation"], "artifactLocation", "uri")["uri"].(string)
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "" || u.Host != "" {
		s.Errorf("%q is no relative reference", uri)
		return ""
	}
	return u.Path
}

func TestSARIF(t *testing.T) {
	s := sarif{t}
	var b bytes.Buffer
	in := sample()
	in.Findings = append(in.Findings, dataset.Finding{ID: "d1", Rule: "drift", Level: "warn", Message: "without samples"},
		dataset.Finding{ID: "o1", Rule: "overlap", Level: "error", Scheme: "default", Message: "m", Samples: []dataset.Sample{file("a:b/100%?#", "x")}})
	if err := report.SARIF(&b, in, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	log := s.object(v, "log", "$schema", "version", "runs")
	if log["version"] != "2.1.0" {
		t.Error("version", log["version"])
	}
	run := s.object(s.array(log["runs"], "runs")[0], "run", "tool", "results")
	driver := s.object(s.object(run["tool"], "tool", "driver")["driver"], "driver", "name", "version")
	var ids []string
	for _, v := range s.array(driver["rules"], "rules") {
		rule := s.object(v, "rule", "id")
		for _, key := range []string{"shortDescription", "fullDescription", "help"} {
			s.message(rule[key], key)
		}
		ids = append(ids, rule["id"].(string))
	}
	if sorted := slices.Compact(slices.Sorted(slices.Values(ids))); len(sorted) != len(ids) {
		t.Error("rules are not told apart", ids)
	}
	results := s.array(run["results"], "results")
	if len(results) != len(in.Findings) {
		t.Fatal(len(results), "results")
	}
	for i, v := range results {
		f := in.Findings[i]
		res := s.object(v, "result", "ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints")
		if ids[int(res["ruleIndex"].(float64))] != res["ruleId"] || res["ruleId"] != string(f.Rule) {
			t.Error("rule", res["ruleId"], res["ruleIndex"])
		}
		if want := map[dataset.Level]string{"error": "error", "warn": "warning"}[f.Level]; res["level"] != want {
			t.Error("level", res["level"])
		}
		s.message(res["message"], "message")
		if s.object(res["partialFingerprints"], "partialFingerprints")["mlvcFinding/v1"] != f.ID {
			t.Error("fingerprint", res["partialFingerprints"])
		}
		places := s.array(res["locations"], "locations")
		if related, ok := res["relatedLocations"]; ok {
			for _, at := range s.array(related, "relatedLocations") {
				s.object(at, "relatedLocation", "id")
				places = append(places, at)
			}
		}
		if len(places) != len(f.Samples) {
			t.Fatal(len(places), "locations of", len(f.Samples))
		}
		for i, at := range places {
			if got, want := s.location(at), f.Samples[i].Path; got != want && got != "./"+want {
				t.Errorf("location %q, want %q", got, want)
			}
		}
		_, suppressed := res["suppressions"]
		if suppressed != (f.Waived != "") {
			t.Error("suppressions of", f.ID)
		}
		if suppressed {
			one := s.object(s.array(res["suppressions"], "suppressions")[0], "suppression", "kind", "status", "justification")
			if one["kind"] != "external" || one["status"] != "accepted" || one["justification"] != f.Waived {
				t.Error("suppression", one)
			}
		}
	}
	invocation := s.object(s.array(run["invocations"], "invocations")[0], "invocation", "executionSuccessful")
	for _, v := range s.array(invocation["toolExecutionNotifications"], "notifications") {
		s.message(s.object(v, "notification", "message")["message"], "notification")
	}
}
