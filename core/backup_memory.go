package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/local"
)

// placeMemory is what a repository remembers of a destination since it wrote there
// last. The destination's list can be read without a key, and so be forged: who
// changes whom it names must not get to read the next set.
type placeMemory struct {
	Newest     string   `toml:"newest"` // set that was listed
	Recipients []string `toml:"recipients,omitempty"`
}

// RecipientsError refuses to write for others than were asked for, or than the
// last time.
type RecipientsError struct {
	URL   string
	Have  []string // whom the destination names; none: it is not encrypted
	Want  []string // likewise, who was asked for or is remembered
	Named string   // where they were named; empty: they are remembered
	Empty bool     // the destination has no sets
	// Change: it would be whom the destination names, and some more or less.
	Change bool
	Path   string // where they are remembered
}

func (e *RecipientsError) Error() string {
	have := "is not encrypted"
	switch {
	case e.Empty:
		have = "has no sets any more, and nobody is named who shall read what is written"
	case len(e.Have) > 0:
		have = "is encrypted for " + recipientsText(e.Have)
	}
	want := "for " + recipientsText(e.Want)
	if len(e.Want) == 0 {
		want = "not encrypted"
	}
	if e.Named == "" {
		return fmt.Sprintf("%s %s; the last backup from here was %s", e.URL, have, want)
	}
	return fmt.Sprintf("%s %s; %s says %s", e.URL, have, e.Named, want)
}

// recipientsText lists recipients, so much of each as tells them apart.
func recipientsText(list []string) string {
	short := make([]string, len(list))
	for i, r := range list {
		if short[i] = r; len(r) > 30 {
			short[i] = r[:20] + "…" + r[len(r)-8:]
		}
	}
	return strings.Join(short, ", ")
}

func (b *Backups) memoryPath() string { return filepath.Join(b.place.Memory, b.place.hash()) }

// recall reads what is remembered of the place. A list without the newest
// set that it had is an older one, as far as can be seen from here.
func (b *Backups) recall() {
	if b.place.Memory == "" {
		return
	}
	text, err := vfs.ReadFile(b.env.FS, b.memoryPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = toml.Unmarshal(text, &b.memory)
	}
	if err != nil {
		b.memoryErr = &UsageError{
			What: fmt.Sprintf("%s, which says for whom the backups at %s are encrypted, cannot be read: %v", b.memoryPath(), b.url, err),
			Hint: "remove it, if the destination can be trusted to say that itself",
		}
		return
	}
	list := b.dest.List()
	if _, listed := list.Find(backup.Label(b.memory.Newest)); !listed && len(list.Sets) > 0 {
		b.env.Events.Warn(Warning{Code: "older_list", Message: fmt.Sprintf(
			"%s, the newest backup when this repository last wrote to %s, is not in its list: it was removed from elsewhere, or the place was put back to an older state", b.memory.Newest, b.url)})
	}
}

// named are those for whom the destination says that it is encrypted.
func (b *Backups) named() ([]string, error) {
	record := b.dest.List().Crypt
	if len(record) == 0 {
		return nil, nil
	}
	c, err := decodeCryptRecord(record)
	if err != nil {
		return nil, err
	}
	texts, _, err := readRecipients(c.Recipients)
	return texts, err
}

// checkRecipients returns for whom is written, and refuses others than were asked
// for, or than the last time.
func (b *Backups) checkRecipients() ([]string, error) {
	if b.memoryErr != nil {
		return nil, b.memoryErr
	}
	have, err := b.named()
	if err != nil {
		return nil, err
	}
	e := &RecipientsError{
		URL: b.url, Have: have, Want: b.keys.texts, Named: b.place.Keys.Named,
		Empty: len(b.dest.List().Sets) == 0, Path: b.memoryPath(),
	}
	if e.Empty && len(have) == 0 {
		have = b.keys.texts // of the first set
	}
	if len(e.Want) == 0 {
		if e.Want, e.Named = b.memory.Recipients, ""; b.memory.Newest == "" {
			return have, nil // it is trusted the first time
		}
	}
	if slices.Equal(have, e.Want) {
		return have, nil
	}
	return nil, e
}

// remember notes what was found at the place and for whom was written, and forgets
// what is not there any more. recipients are not who the list names now, but who
// was approved of: it may have been forged. Nothing is noted over what cannot be
// read. That it fails is a warning: the set is made.
func (b *Backups) remember(ctx context.Context, recipients []string) {
	if b.place.Memory == "" || b.memoryErr != nil {
		return
	}
	err := b.writeMemory(recipients)
	if err == nil {
		err = b.pruneNotes(ctx)
	}
	if err != nil && ctx.Err() == nil {
		b.env.Events.Warn(Warning{Code: "not_remembered", Message: "what was written to " + b.url + " could not be noted here: " + err.Error()})
	}
}

func (b *Backups) writeMemory(recipients []string) error {
	sets := b.dest.List().Sets
	if len(sets) == 0 {
		return nil
	}
	text, err := toml.Marshal(placeMemory{Newest: string(sets[len(sets)-1].Label), Recipients: recipients})
	if err != nil {
		return err
	}
	if err := vfs.MkdirAll(b.env.FS, b.place.Memory, 0o777); err != nil {
		return err
	}
	return vfs.WriteFile(b.env.FS, b.memoryPath(), text, 0o666)
}

// openNotes opens the notes of one who has no secret key: of each object that
// backup.IsRecord names what opens that and no other.
func openNotes(ctx context.Context, fsys vfs.FS, memory, destination string) (bucket.Bucket, error) {
	return local.Open(ctx, fsys, filepath.Join(memory, destination))
}

// noteAge is how old a note is before it may go: its set may be under way.
const noteAge = 24 * time.Hour

// pruneNotes removes the notes of sets that are not listed any more.
func (b *Backups) pruneNotes(ctx context.Context) error {
	list := b.dest.List()
	if len(list.Crypt) == 0 {
		return nil
	}
	c, err := decodeCryptRecord(list.Crypt)
	if err != nil {
		return err
	}
	notes, err := openNotes(ctx, b.env.FS, b.place.Memory, c.Destination)
	if err != nil {
		return err
	}
	var gone []string
	for info, err := range notes.List(ctx, "sets/") {
		if err != nil {
			return err
		}
		label, ok := backup.LabelOf(info.Key) // a note is sets/LABEL/OBJECT/SALT
		if _, listed := list.Find(label); ok && !listed && b.env.Now().Sub(info.Modified) > noteAge {
			gone = append(gone, info.Key)
		}
	}
	for _, key := range gone {
		if err := notes.Delete(ctx, key); err != nil {
			return err
		}
	}
	return notes.Close()
}
