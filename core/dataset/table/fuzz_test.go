package table

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
)

// fuzz reads any bytes as a table. What ends it must be a *PlaceError, as
// reading memory cannot fail, and each row has all the values asked for.
func fuzz(t *testing.T, name string, data []byte) (rows int) {
	tab, err := Open(t.Context(), dataset.File{Path: name}, contentOf(string(data)))
	if err != nil {
		return 0
	}
	var columns []string
	if all := tab.Columns(); len(all) > 0 {
		columns = all[:1]
	}
	number := int64(0)
	for row, err := range tab.Rows(t.Context(), columns...) {
		if err != nil {
			if _, isPlace := IsPlace(err); !isPlace {
				t.Fatal(err)
			}
			continue
		}
		rows++
		if row.Number <= number || len(row.Values) != len(columns) || row.Hash.IsZero() {
			t.Fatalf("row %v behind row %d", row, number)
		}
		number = row.Number
	}
	return rows
}

func FuzzCSV(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "a;b\r\n\"x\"\"\";\"\n\"", "\ufeff\"a\n", "a\n\"b\"c\n\n", ","} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows := fuzz(t, "a.csv", data)
		// What is written reads as the same rows.
		tab, err := Open(t.Context(), dataset.File{Path: "a.csv"}, contentOf(string(data)))
		if err != nil {
			return
		}
		var out bytes.Buffer
		tab.Filter(t.Context(), &out, func(Row) bool { return true }) //nolint:errcheck // rows that cannot be read are left out
		if again := fuzz(t, "a.csv", out.Bytes()); again != rows {
			t.Fatalf("%d rows became %d: %q", rows, again, out.Bytes())
		}
	})
}

func FuzzJSONLines(f *testing.F) {
	for _, text := range []string{`{"a":1}`, `{"a":"\ud83d\ude00\ud83d","b":[1,{"c":null}]}`, "{}\n{\"\":-0.5e+3}", "[[[[", "\v", `{"a":"b\`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzz(t, "a.jsonl", data)
		n, err := scanValue(data[space(data):], 0)
		n += space(data)
		if ok := err == nil && n+space(data[n:]) == len(data); ok != json.Valid(data) {
			t.Fatalf("%q: %v, n %d", data, err, n)
		} else if !ok {
			return
		}
		canonical := appendNested(nil, trim(data))
		if again := appendNested(nil, canonical); !json.Valid(canonical) || !bytes.Equal(again, canonical) {
			t.Fatalf("%q: canonical %q, then %q", data, canonical, again)
		}
	})
}

func FuzzJSONArray(f *testing.F) {
	for _, text := range []string{`[{"a":1},{"a":"]"}]`, `[]`, `[{"a":1}`, "[{\"a\":1}\n,\n3]x", "{\"a\":1}\n{\"a\":2}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows := fuzz(t, "a.json", data)
		var all []map[string]any
		if json.Unmarshal(data, &all) == nil && rows > len(all) {
			t.Fatalf("%d rows of %d", rows, len(all))
		}
	})
}

func FuzzParquet(f *testing.F) {
	f.Add([]byte(parquetText(f, []plainRow{{Name: "a"}, {Name: "b", N: 3}})))
	f.Add([]byte(parquetText(f, []nestedRow{{Tags: []string{"x"}, Parts: []part{{X: 1}}}})))
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, "a.parquet", data) })
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"1.50", "-0", "1e400", "0.000", "12300", "1E-5", "-10.010e+2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return
		}
		once := appendScalar(nil, []byte(text))
		if twice := appendScalar(nil, once); !bytes.Equal(once, twice) {
			t.Fatalf("%q: %q, then %q", text, once, twice)
		}
	})
}
