package local

import "testing"

func TestURLsRoundTrip(t *testing.T) {
	paths := map[string]bool{ // path: of Windows
		"/data": false, "/my data/100%/?#/é": false, "/": false,
		`C:\data`: true, `D:\`: true, `\\host\share\my data`: true,
	}
	for path, windows := range paths {
		text := toURL(path, windows)
		if got, err := fromURL(text, windows); err != nil || got != path {
			t.Errorf("%q becomes %q and then %q, %v", path, text, got, err)
		}
	}
	for text, want := range map[string]string{
		"file:///C:/my%20data": `C:\my data`, "file://localhost/C:/data": `C:\data`, "file://host/share/data": `\\host\share\data`,
	} {
		if got, err := fromURL(text, true); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
