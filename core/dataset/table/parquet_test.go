package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

type plainRow struct {
	Name string  `parquet:"name,dict"`
	N    int64   `parquet:"n"`
	F    float64 `parquet:"f"`
	B    bool    `parquet:"b"`
}

func parquetText[T any](t interface{ Fatal(...any) }, rows []T) string {
	var b bytes.Buffer
	w := pq.NewGenericWriter[T](&b, pq.MaxRowsPerRowGroup(1000))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// One table in every format: as many rows, and the same hashes.
func TestFormatsAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) plainRow {
			return plainRow{
				Name: rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "1.50", "true", "0012", "a,\"b\"\n", "null", "-0"})).Draw(rt, "name"),
				N:    rapid.Int64().Draw(rt, "n"),
				F:    rapid.Float64().Draw(rt, "f"),
				B:    rapid.Bool().Draw(rt, "b"),
			}
		}), 1, 20).Draw(rt, "rows")
		var csv, lines, array strings.Builder
		csv.WriteString("f,name,b,n\n")
		for i, r := range rows {
			text, err := json.Marshal(map[string]any{"name": r.Name, "n": r.N, "f": r.F, "b": r.B})
			if err != nil {
				rt.Fatal(err)
			}
			fmt.Fprintf(&csv, "%s,\"%s\",%v,%d\n", strconv.FormatFloat(r.F, 'f', -1, 64), strings.ReplaceAll(r.Name, `"`, `""`), r.B, r.N)
			fmt.Fprintf(&lines, "%s\n", text)
			array.WriteString(strings.Repeat(",", min(i, 1)) + string(text))
		}
		texts := map[string]string{"a.csv": csv.String(), "a.jsonl": lines.String(), "a.json": "[" + array.String() + "]", "a.parquet": parquetText(rt, rows)}
		var want []objects.ID
		for _, name := range []string{"a.parquet", "a.csv", "a.jsonl", "a.json"} {
			tab, err := Open(t.Context(), dataset.File{Path: name}, contentOf(texts[name]))
			if err != nil {
				rt.Fatal(err)
			}
			got, hashes := told(t.Context(), tab, "name")
			if want == nil {
				want = hashes
			}
			if len(hashes) != len(rows) || !slices.Equal(hashes, want) {
				rt.Fatalf("%s: other rows: %q of %q", name, got, texts[name])
			}
		}
	})
}

type part struct {
	X int32    `parquet:"x"`
	Y *float32 `parquet:"y,optional"`
}

type nestedRow struct {
	Tags  []string          `parquet:"tags,list"`
	Plain []int32           `parquet:"plain"`
	Parts []part            `parquet:"parts,list"`
	One   *part             `parquet:"one,optional"`
	Map   map[string]string `parquet:"map"`
}

func TestParquetNested(t *testing.T) {
	y := float32(0.1)
	rows := []nestedRow{
		{
			Tags: []string{"a", "b\"", ""}, Plain: []int32{3, 1}, Parts: []part{{X: 1, Y: &y}, {X: 2}}, One: &part{X: 7},
			Map: map[string]string{"k": "v"},
		},
		{Plain: []int32{}},
		{Tags: []string{"z"}, Parts: []part{{X: 9}}, Map: map[string]string{"p": "q", "r": "s"}},
	}
	names := []string{"tags", "plain", "parts", "one", "map"}
	tab := open(t, "a.parquet", parquetText(t, rows))
	want := []string{
		`1 ["a","b\"",""]|[3,1]|[{"x":1,"y":0.1},{"x":2,"y":null}]|{"x":7,"y":null}|{"k":"v"}`,
		`2 []|[]|[]||{}`,
		`3 ["z"]|[]|[{"x":9,"y":null}]||{"p":"q","r":"s"}`,
	}
	got, hashes := told(t.Context(), tab, names...)
	got[2] = strings.Replace(got[2], `{"r":"s","p":"q"}`, `{"p":"q","r":"s"}`, 1) // the writer ranges over a map
	if !slices.Equal(got, want) {
		t.Fatalf("%q", got)
	}
	lines := `{"map":{"k":"v"},"one":{"x":7},"parts":[{"y":0.10,"x":1},{"x":2}],"plain":[3,1],"tags":["a","b\u0022",""]}
{"tags":[],"plain":[],"parts":[],"map":{}}
{"tags":["z"],"plain":[],"parts":[{"x":9}],"map":{"r":"s","p":"q"}}
`
	if _, other := told(t.Context(), open(t, "a.jsonl", lines)); !slices.Equal(other, hashes) {
		t.Error("the hashes are not those of the same rows in JSON")
	}
}

type typedRow struct {
	Day     int32     `parquet:"day,date"`
	At      time.Time `parquet:"at,timestamp(microsecond)"`
	Clock   int64     `parquet:"clock,time(microsecond)"`
	Price   int64     `parquet:"price,decimal(2:18)"`
	Wide    [16]byte  `parquet:"wide,decimal(3:38)"`
	ID      [16]byte  `parquet:"id,uuid"`
	Small   uint8     `parquet:"small"`
	Big     uint64    `parquet:"big"`
	Float   float32   `parquet:"float"`
	NotAny  float64   `parquet:"notany"`
	Bytes   []byte    `parquet:"bytes"`
	Missing *int32    `parquet:"missing,optional"`
}

func TestParquetTypes(t *testing.T) {
	row := typedRow{
		Day: 20_000, At: time.Date(2025, 1, 2, 3, 4, 5, 600_000_000, time.UTC), Clock: 3_723_000_001, Price: -5, Small: 200, Big: math.MaxUint64,
		Float: 0.1, NotAny: math.NaN(), Bytes: []byte{0xff, 'x'},
	}
	for i := range row.Wide {
		row.Wide[i] = 0xff // -1
	}
	row.ID[0], row.ID[15] = 0xab, 1
	got, _ := told(t.Context(), open(t, "a.parquet", parquetText(t, []typedRow{row})),
		"day", "at", "clock", "price", "wide", "id", "small", "big", "float", "notany", "bytes", "missing")
	want := "1 2024-10-04|2025-01-02T03:04:05.6Z|01:02:03.000001|-0.05|-0.001|ab000000-0000-0000-0000-000000000001|200|18446744073709551615|0.1||\xffx|"
	if len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
}

// What a Parquet file declares is told, lists without the groups around them.
func TestParquetDeclared(t *testing.T) {
	nested := open(t, "a.parquet", parquetText(t, []nestedRow{{}})).Declared()
	got := make(map[string]string)
	for _, d := range nested {
		got[d.Name] = fmt.Sprint(d.Kind, d.Repeated, d.Fields)
	}
	want := map[string]string{
		"tags": "texttrue []", "plain": "integertrue []", "parts": "grouptrue [{x integer false []} {y float false []}]",
		"one": "groupfalse [{x integer false []} {y float false []}]", "map": "mapfalse []",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	var kinds []string
	for _, d := range open(t, "a.parquet", parquetText(t, []typedRow{{}})).Declared() {
		kinds = append(kinds, d.Name+" "+string(d.Kind))
	}
	if text := strings.Join(kinds, ", "); text != "day date, at datetime, clock time, price float, wide float, id text, small integer, big integer, "+
		"float float, notany float, bytes text, missing integer" {
		t.Error(text)
	}
	if open(t, "a.csv", "a\n1\n").Declared() != nil {
		t.Error("CSV declares nothing")
	}
}

func TestParquetManyGroups(t *testing.T) {
	rows := make([]plainRow, 12_345)
	for i := range rows {
		rows[i] = plainRow{Name: fmt.Sprint("n", i%7), N: int64(i)}
	}
	text := parquetText(t, rows)
	got, _ := told(t.Context(), open(t, "a.parquet", text), "n", "name")
	if len(got) != len(rows) || got[12_344] != "12345 12344|n3" {
		t.Fatalf("%d rows, the last %s", len(got), got[len(got)-1])
	}
	// Damage in the middle: the rows before it, then its place.
	damaged := []byte(text)
	for i := len(text) / 2; i < len(text)/2+2000; i++ {
		damaged[i] = 0xee
	}
	got, _ = told(t.Context(), open(t, "a.parquet", string(damaged)), "n")
	if last := got[len(got)-1]; len(got) >= len(rows) || !strings.HasPrefix(last, "a.parquet: ") {
		t.Errorf("%d rows, then %s", len(got), last)
	}
}
