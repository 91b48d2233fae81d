package similar

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// folder is a dataset.Files in memory that counts what is opened.
type folder struct {
	data   map[objects.ID]string
	opened atomic.Int64
	fail   error
}

func (f *folder) All(context.Context) iter.Seq2[dataset.File, error] { panic("not used") }

func (f *folder) Lookup(context.Context, string) (*dataset.File, error) { panic("not used") }

func (f *folder) Open(_ context.Context, file dataset.File) (dataset.Content, error) {
	f.opened.Add(1)
	if f.fail != nil {
		return nil, f.fail
	}
	return content([]byte(f.data[file.Content])), nil
}

// remembered is a dataset.Facts in memory.
type remembered struct {
	mu    sync.Mutex
	facts map[string][]byte
}

func (r *remembered) Get(kind string, id objects.ID) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	data, ok := r.facts[kind+id.String()]
	return data, ok
}

func (r *remembered) Put(kind string, id objects.ID, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts[kind+id.String()] = data
}

// inputs are files by path and content, in pairs.
func (f *folder) inputs(files ...string) iter.Seq2[Input, error] {
	var all []Input
	for i := 0; i < len(files); i += 2 {
		in := Input{Split: "train"}
		in.Path = files[i]
		in.Content, in.Size = objects.Sum(objects.KindChunk, []byte(files[i+1])), int64(len(files[i+1]))
		f.data[in.Content] = files[i+1] // before a worker reads it
		all = append(all, in)
	}
	return func(yield func(Input, error) bool) {
		for _, in := range all {
			if !yield(in, nil) {
				return
			}
		}
	}
}

// What is of no kind that is compared is let go, and nothing else is.
func TestHasherOfMany(t *testing.T) {
	f := &folder{data: map[objects.ID]string{}}
	var files, want []string
	for i := range 2*slotsAtOnce + 10 {
		path, data := fmt.Sprintf("%06d", i), "\x00"
		switch i % 5000 {
		case 0:
			data = "a text of more than five words"
			want = append(want, path)
		case 1:
			path += ".png"
			data = "no image"
			want = append(want, path+" png")
		}
		files = append(files, path, data)
	}
	var saw []string
	h := Hasher{Files: f, Facts: &remembered{facts: map[string][]byte{}}, Workers: 2, Saw: func(in Input, why string) {
		if why != "" {
			in.Path += " png"
		}
		saw = append(saw, in.Path)
	}}
	hashed, err := h.Hash(t.Context(), f.inputs(files...))
	if err != nil || !slices.Equal(saw, want) || len(hashed.Items)+len(hashed.Unread) != len(want) {
		t.Errorf("%d and %d, %q, want %q, %v", len(hashed.Items), len(hashed.Unread), saw, want, err)
	}
}

// Files are hashed once, whatever became of them, and are told in order.
func TestHasher(t *testing.T) {
	f, facts := &folder{data: map[objects.ID]string{}}, &remembered{facts: map[string][]byte{}}
	files := f.inputs(
		"a.png", string(pngOf(t, scene(30, 20))),
		"b.txt", "a text of a few words",
		"c.png", "not a PNG",
		"data.csv", "1,2,3",
		"empty.png", "",
		"mail.0001", "From: someone who writes a few words",
		"noname", string(jpegOf(t, scene(30, 20), 80)),
		"noise", "\x00\x01\x02",
		"z.txt", "b\xffd",
	)
	for round := range 3 {
		f.opened.Store(0)
		h := &Hasher{Files: f, Facts: facts, Workers: 3}
		out, err := h.Hash(context.Background(), files)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range out.Items {
			kind := "text"
			if i.Image != nil {
				kind = "image"
			}
			got = append(got, i.Path+" "+kind)
		}
		for _, u := range out.Unread {
			got = append(got, u.Path+": "+u.Why)
		}
		want := "a.png image|b.txt text|mail.0001 text|noname image|c.png: " + ErrNotImage.Error() + "|z.txt: " + ErrNotText.Error()
		if strings.Join(got, "|") != want {
			t.Errorf("round %d: %s\nwant %s", round, strings.Join(got, "|"), want)
		}
		if n := f.opened.Load(); round == 0 && n != 7 || round > 0 && n != 0 || int(n) != out.Read {
			t.Errorf("round %d: %d files were opened, %d are said to be", round, n, out.Read)
		}
	}
	for k := range facts.facts { // damage
		facts.facts[k] = []byte{7, 7}
	}
	h := &Hasher{Files: f, Facts: facts, Workers: 1, Turns: true}
	out, err := h.Hash(context.Background(), files)
	if err != nil || len(out.Items) != 4 || out.Read != 7 || len(out.Items[0].Image.Turned) != turns-1 {
		t.Errorf("after damage: %d items, %d read, %v", len(out.Items), out.Read, err)
	}
}

// What cannot be opened today may be tomorrow; the caller's errors end it.
func TestHasherFails(t *testing.T) {
	f, facts := &folder{data: map[objects.ID]string{}, fail: errContent}, &remembered{facts: map[string][]byte{}}
	h := &Hasher{Files: f, Facts: facts, Workers: 2}
	files := f.inputs("a.png", string(pngOf(t, scene(30, 20))))
	out, err := h.Hash(context.Background(), files)
	if err != nil || len(out.Unread) != 1 || out.Unread[0].Why != errContent.Error() {
		t.Fatalf("%v, %v", out, err)
	}
	f.fail = nil
	if out, err = h.Hash(context.Background(), files); err != nil || len(out.Items) != 1 {
		t.Fatalf("%v, %v", out, err)
	}
	broken := func(yield func(Input, error) bool) { yield(Input{}, errContent) }
	if _, err := h.Hash(context.Background(), broken); !errors.Is(err, errContent) {
		t.Errorf("an error of the input became %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	facts.facts = map[string][]byte{}
	if _, err := h.Hash(ctx, files); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]Kind{"a.JPG": KindImage, "IMG_0001.HEIC": KindImage, "b.md": KindText, "c.jsonl": KindOther, "d": KindUnknown, "e.0001": KindUnknown} {
		if got := KindOf(name, nil); got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	for head, want := range map[string]Kind{
		"plain":                     KindText,
		"":                          KindOther,
		"caf\xc3":                   KindText, // cut within a character
		"caf\xe9 au":                KindOther,
		"GIF89a\x01\x00":            KindImage,
		"\x89PNG\r\n\x1a\n":         KindImage,
		"RIFF\x00\x00\x00\x00WAVEf": KindOther,
	} {
		if got := KindOf("noname", []byte(head)); got != want {
			t.Errorf("%q is %v", head, got)
		}
	}
}
