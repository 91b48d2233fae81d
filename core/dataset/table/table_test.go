package table

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"go.uber.org/goleak"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func contentOf(text string) dataset.Content { return memory{bytes.NewReader([]byte(text))} }

func open(t *testing.T, name, text string) *Table {
	t.Helper()
	tab, err := Open(t.Context(), dataset.File{Path: name}, contentOf(text))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// told is what Rows yields, as text: values joined by "|", or the error.
func told(ctx context.Context, tab *Table, columns ...string) (lines []string, hashes []objects.ID) {
	for row, err := range tab.Rows(ctx, columns...) {
		if err != nil {
			lines = append(lines, err.Error())
			continue
		}
		lines = append(lines, fmt.Sprint(row.Number, " ", strings.Join(row.Values, "|")))
		hashes = append(hashes, row.Hash)
	}
	return lines, hashes
}

func TestRows(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, test := range []struct {
		name, text string
		columns    []string
		want       []string
	}{
		{"plain.csv", "a,b\n1,x\n2,y\n", []string{"b", "a"}, []string{"1 x|1", "2 y|2"}},
		{"crlf.csv", "\ufeffa,b\r\n1,x\r\n\r\n2,", []string{"a", "b"}, []string{"1 1|x", "2 2|"}},
		{"quoted.csv", "a,b\n\"1,\n2\",\"say \"\"hi\"\"\"\n3,4\n", []string{"a", "b"}, []string{"1 1,\n2|say \"hi\"", "2 3|4"}},
		{"bare.csv", "a,b\n5\" pipe,6\"\n7,8\n", []string{"a", "b"}, []string{"1 5\" pipe|6\"", "2 7|8"}},
		{"width.csv", "a,b\n1\n1,2,3\n1,2\n", []string{"a"}, []string{
			"width.csv: line 2: 1 field where the header has 2", "width.csv: line 3: 3 fields where the header has 2", "3 1",
		}},
		{"after.csv", "a,b\n\"1\"2,3\n4,5\n", []string{"a"}, []string{"after.csv: line 2: text follows a quote that is closed", "2 4"}},
		{"open.csv", "a,b\n1,2\n\"3,4\n5,6\n", []string{"a"}, []string{"1 1", "open.csv: line 3: a quote is not closed"}},
		{"semicolon.csv", "a;b\n1;2,5\n", []string{"b"}, []string{"1 2,5"}},
		{"tabs.tsv", "a\tb\n1,2\t3\n", []string{"a", "b"}, []string{"1 1,2|3"}},
		{"twice.csv", "a,b,a\n1,2,3\n", []string{"a"}, []string{`twice.csv: 2 of its columns are called "a", so that the name says none`}},
		{"none.csv", "a,b\n1,2\n", []string{"c"}, []string{`none.csv: it has no column "c"; its columns are a, b`}},
		{"header.csv", "a,b\n", []string{"a"}, nil},
		{"empty.csv", "", nil, nil},
		{
			"lines.jsonl", "{\"a\":1,\"b\":\"x\\u00e9\\n\"}\n\n{\"b\":null,\"a\":[1, {\"c\": 2}]}\n{\"a\":1.50}",
			[]string{"a", "b"},
			[]string{"1 1|xé\n", `2 [1, {"c": 2}]|`, "3 1.50|"},
		},
		{"broken.ndjson", "{\"a\":1}\n{\"a\":}\n[1]\n{\"a\":2,\"a\":3}\n{\"a\":4} 5\n{\"a\":6}\n", []string{"a"}, []string{
			"1 1", "broken.ndjson: line 2: not JSON", "broken.ndjson: line 3: a row must be a JSON object",
			`broken.ndjson: line 4: the key "a" is there twice`, "broken.ndjson: line 5: text follows the object", "6 6",
		}},
		{"missing.jsonl", "{\"a\":1}\n", []string{"z"}, []string{"1 ", `missing.jsonl: it has no column "z"; its columns are a`}},
		{"array.json", " [ {\"a\":1},\n\n{\"a\":\"]}\"} , 7,\n{\"a\":3}\n]\n", []string{"a"}, []string{
			"1 1", "2 ]}", "array.json: line 3: a row must be a JSON object", "4 3",
		}},
		{"cut.json", "[{\"a\":1},\n{\"a\":2", []string{"a"}, []string{"1 1", "cut.json: line 2: the array is not closed"}},
		{"after.json", "[{\"a\":1}]\n{}", []string{"a"}, []string{"1 1", "after.json: line 2: text follows the array"}},
		{"comma.json", "[{\"a\":1} {\"a\":2}]", []string{"a"}, []string{"comma.json: line 1: the array is broken: a comma should be there"}},
		{"nothing.json", "[]", nil, nil},
		{"lines.json", "{\"a\":1}\n{\"a\":2}\n", []string{"a"}, []string{"1 1", "2 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := told(t.Context(), open(t, test.name, test.text), test.columns...)
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		none             bool
	}{
		{"a.png", "", "a.png: not a table", true},
		{"settings.json", "{\"a\": [1]}\n", "settings.json: not a table: it is no array of objects", true},
		{"numbers.json", "[1, 2]", "numbers.json: not a table: its array has no objects", true},
		{"wide.csv", "\xff\xfea\x00", "wide.csv: line 1: it is UTF-16, and only UTF-8 can be read", false},
		{"x.csv.gz", "no", "x.csv.gz: cannot be unzipped: unexpected EOF", false},
		{"x.parquet", "PAR1", "x.parquet: ", false},
	} {
		_, err := Open(t.Context(), dataset.File{Path: test.name}, contentOf(test.text))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || errors.Is(err, ErrNoTable) != test.none {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
		if _, isPlace := IsPlace(err); isPlace == test.none {
			t.Errorf("%s: a place: %v", test.name, isPlace)
		}
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text)) //nolint:errcheck // into memory
	w.Close()             //nolint:errcheck // into memory
	return b.String()
}

func TestZipped(t *testing.T) {
	text := "a,b\n" + strings.Repeat("1,2\n", 100_000)
	whole := zipped(text)
	got, _ := told(t.Context(), open(t, "t.csv.gz", whole), "b")
	if len(got) != 100_000 || got[99_999] != "100000 2" {
		t.Errorf("%d rows", len(got))
	}
	got, _ = told(t.Context(), open(t, "t.csv.gz", whole[:len(whole)-10]), "b")
	if last := got[len(got)-1]; !strings.HasSuffix(last, "cannot be unzipped: unexpected EOF") {
		t.Errorf("%d rows, then %s", len(got), last)
	}
}

// Records that lie across the borders of batches, and one as large as is
// allowed.
func TestBorders(t *testing.T) {
	for _, length := range []int{1000, batchBytes - 1, batchBytes, 3*batchBytes + 1} {
		var csv, lines, array strings.Builder
		csv.WriteString("n,s\n")
		array.WriteString("[")
		rows := 2*batchBytes/length + 3
		for i := range rows {
			s := strings.Repeat("é\n", length/3)
			quoted, _ := json.Marshal(s)
			fmt.Fprintf(&csv, "%d,%q\n", i, s)
			fmt.Fprintf(&lines, "{\"n\":%d,\"s\":%s}\n", i, quoted)
			fmt.Fprintf(&array, "{\"n\":%d,\"s\":%s},\n", i, quoted)
		}
		text := strings.ReplaceAll(csv.String(), `\n`, "\n")
		want, hashes := told(t.Context(), open(t, "a.csv", text), "n")
		if len(want) != rows || want[rows-1] != fmt.Sprint(rows, " ", rows-1) {
			t.Fatalf("length %d: %d rows of %d", length, len(want), rows)
		}
		for name, text := range map[string]string{"a.jsonl": lines.String(), "a.json": array.String()[:array.Len()-2] + "]"} {
			got, other := told(t.Context(), open(t, name, text), "n")
			if !slices.Equal(got, want) || !slices.Equal(other, hashes) {
				t.Errorf("%s, length %d: other rows", name, length)
			}
		}
	}
}

func TestTooLong(t *testing.T) {
	long := strings.Repeat("x", maxRecord+100)
	got, _ := told(t.Context(), open(t, "a.jsonl", "{\"a\":1}\n{\"a\":\""+long+"\"}\n{\"a\":3}\n"), "a")
	if d := cmp.Diff([]string{"1 1", "a.jsonl: line 2: longer than 16 MiB", "3 3"}, got); d != "" {
		t.Error(d)
	}
	got, _ = told(t.Context(), open(t, "a.csv", "a\n1\n\""+strings.Repeat(long, 3)), "a")
	if d := cmp.Diff([]string{"1 1", "a.csv: line 3: longer than 16 MiB: is a quote not closed?"}, got); d != "" {
		t.Error(d)
	}
}

// A caller that stops early leaves no goroutine behind, whatever the format.
func TestStopEarly(t *testing.T) {
	defer goleak.VerifyNone(t)
	tab := open(t, "a.csv", "a\n"+strings.Repeat("1\n", batchBytes))
	for row, err := range tab.Rows(t.Context(), "a") {
		if err != nil {
			t.Fatal(err)
		}
		if row.Number == 100 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for row, err := range tab.Rows(ctx, "a") {
		if row.Number == 100 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("canceled: %v", last)
	}
}

type failing struct {
	dataset.Content
	from int64
}

var errDisk = errors.New("the disk is gone")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return f.Content.ReadAt(p, off)
}

// What reading itself says is not taken for a broken table.
func TestReadFails(t *testing.T) {
	text := "a\n" + strings.Repeat("1\n", 2*batchBytes)
	for name, text := range map[string]string{"a.csv": text, "a.csv.gz": zipped(text)} {
		tab := open(t, name, text)
		tab.content = failing{contentOf(text), int64(len(text)) / 2}
		var last error
		for _, err := range tab.Rows(t.Context()) {
			last = err
		}
		if _, isPlace := IsPlace(last); isPlace || !errors.Is(last, errDisk) {
			t.Errorf("%s: %v", name, last)
		}
	}
	_, err := Open(t.Context(), dataset.File{Path: "a.parquet"}, failing{contentOf(text), 0})
	if _, isPlace := IsPlace(err); isPlace || !errors.Is(err, errDisk) {
		t.Errorf("a.parquet: %v", err)
	}
}

func TestWithout(t *testing.T) {
	tab := open(t, "a.csv", "id,x\n1,same\n2,same\n")
	_, all := told(t.Context(), tab)
	_, some := told(t.Context(), tab.Without("id", "no such"))
	if all[0] == all[1] || some[0] != some[1] {
		t.Error("the column counts, or others do not")
	}
	_, plain := told(t.Context(), open(t, "b.jsonl", `{"x":"same"}`))
	if plain[0] != some[0] {
		t.Error("a column left out is not as one that is not there")
	}
}

func TestFilter(t *testing.T) {
	odd := func(r Row) bool { return r.Number%2 == 1 }
	for _, test := range []struct{ name, text, want string }{
		{"a.csv", "\ufeffa,b\r\n1, x \r\n2,y\r\n\"3\",\"z\nz\"", "a,b\r\n1, x \r\n\"3\",\"z\nz\""},
		{"a.jsonl", "{ \"a\":1 }\n{\"a\":2}\n{\"a\": 3}", "{ \"a\":1 }\n{\"a\": 3}\n"},
		{"a.json", "[{ \"a\":1 },{\"a\":2},\n  {\"a\": 3}]", "[\n{ \"a\":1 },\n{\"a\": 3}\n]\n"},
		{"b.json", "[]", "[\n]\n"},
		{"a.parquet", parquetText(t, []plainRow{{Name: "x", N: 1}, {Name: "y"}, {Name: "z\"", F: 0.5, B: true}}), "" +
			`{"name":"x","n":1,"f":0,"b":false}` + "\n" + `{"name":"z\"","n":0,"f":0.5,"b":true}` + "\n"},
	} {
		var got bytes.Buffer
		if err := open(t, test.name, test.text).Filter(t.Context(), &got, odd); err != nil {
			t.Error(err)
		}
		if got.String() != test.want {
			t.Errorf("%s: %q, want %q", test.name, got.String(), test.want)
		}
	}
	var got bytes.Buffer
	err := open(t, "a.csv", "a,b\n1\n2,3\n4,5\n").Filter(t.Context(), &got, odd)
	if place, ok := IsPlace(err); !ok || place.Place != "line 2" || got.String() != "a,b\n4,5\n" {
		t.Errorf("%v: %q", err, got.String())
	}
}

const vectorFile = "../../../testdata/vectors/rows.json"

// vectors is testdata/vectors/rows.json, which FORMAT.md explains.
type vectors struct {
	About   string `json:"about"`
	Scalars []struct {
		Text, Canonical string
	} `json:"scalars"`
	Rows []struct {
		JSON  string     `json:"json"`
		CSV   string     `json:"csv,omitempty"`
		Bytes string     `json:"bytes"`
		Hash  objects.ID `json:"hash"`
	} `json:"rows"`
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	for _, s := range v.Scalars {
		if got := string(appendScalar(nil, []byte(s.Text))); got != s.Canonical {
			t.Errorf("%s: %s, want %s", s.Text, got, s.Canonical)
		}
	}
	for _, row := range v.Rows {
		d := &jsonDecoder{t: &Table{}}
		names, values, err := d.decode(&record{data: []byte(row.JSON)})
		if err != nil {
			t.Fatal(err)
		}
		h := newRowHasher(nil)
		id := h.sum(names, values)
		if got := fmt.Sprintf("%x", h.buf); got != row.Bytes || id != row.Hash {
			t.Errorf("%s: %s, %s", row.JSON, got, id)
		}
		if objects.Derive(rowContext, h.buf) != id {
			t.Errorf("%s: not the hash of its bytes", row.JSON)
		}
		if row.CSV != "" {
			if _, hashes := told(t.Context(), open(t, "a.csv", row.CSV)); hashes[0] != row.Hash {
				t.Errorf("%q: %s", row.CSV, hashes[0])
			}
		}
	}
}

func BenchmarkCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString("id,name,text,price,split\n")
	for i := range 200_000 {
		fmt.Fprintf(&text, "%d,name %d,\"a text with, a comma and some more words in it so that it is as long as texts are\",%d.50,train\n", i, i%977, i%1000)
	}
	tab, err := Open(b.Context(), dataset.File{Path: "a.csv"}, contentOf(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	for _, procs := range []int{1, 2} {
		b.Run(fmt.Sprint("procs=", procs), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			b.SetBytes(int64(text.Len()))
			for b.Loop() {
				for _, err := range tab.Rows(b.Context(), "split") {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
