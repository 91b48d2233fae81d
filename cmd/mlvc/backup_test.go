package main

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// backupKilling is a repository with backups at a place, and the verbs that are
// killed there.
type backupKilling struct {
	*killing
	place, out string
	had        map[string]looks // by label of a set that was listed: what its commit holds
	gone       map[string]bool  // labels that expire marked or removed
}

// TestBackupKill kills the verbs of backups at random moments, MLVC_KILLS of
// them. Whatever the moment, all sets that are listed are whole, none is gone that
// was not marked to go, and the same command then ends what was begun. Each set
// comes back as its commit was.
func TestBackupKill(t *testing.T) {
	t.Parallel()
	kills, seed := number("MLVC_KILLS", 200)/20, uint64(number("MLVC_SEED", int(time.Now().UnixNano()%1e9)))
	if testing.Short() {
		kills = min(kills, 5)
	}
	k := newBackupKilling(t, seed)
	verbs := []func(){k.create, k.restore, k.repair, k.expire}
	tries := 0
	for ; k.killed < kills && !t.Failed(); tries++ {
		verbs[tries%len(verbs)]()
	}
	k.sound()
	for label, commit := range k.sets() {
		k.comesBack(label, commit)
	}
	k.must("backup", "restore", k.place, "--repo", k.out)
	k.must("-C", k.out, "verify", "--full")
	t.Logf("%d runs killed of %d, seed %d; %d sets made", k.killed, tries, seed, len(k.had))
	if t.Failed() {
		t.Logf("again: MLVC_SEED=%d", seed)
	}
}

func newBackupKilling(t *testing.T, seed uint64) *backupKilling {
	k := &backupKilling{
		killing: newKilling(t, seed), place: filepath.Join(memoryDir(t), "place"), out: filepath.Join(memoryDir(t), "out"),
		had: make(map[string]looks), gone: make(map[string]bool),
	}
	k.must("backup", "create", k.place, "--type", "full")
	k.sound()
	return k
}

// word runs a verb of backups that is killed, if it lives so long, and says
// whether it was.
func (k *backupKilling) word(verb string, args ...string) bool {
	k.t.Helper()
	args = append([]string{"backup", verb, k.place}, args...)
	usual := max(k.took[verb], 20*time.Millisecond)
	_, killed, err := k.run(1+time.Duration(k.rnd.Int64N(int64(usual))), args...)
	if err != nil && !killed {
		k.t.Error(err)
	}
	return killed
}

// again runs a verb to its end.
func (k *backupKilling) again(verb string, args ...string) string {
	k.t.Helper()
	began := time.Now()
	out := k.must(append([]string{"backup", verb, k.place}, args...)...)
	k.took[verb] = time.Since(began)
	return out
}

// sets lists the sets and their commits, and notes what these hold.
func (k *backupKilling) sets() map[string]string {
	k.t.Helper()
	all := make(map[string]string)
	for line := range strings.Lines(k.must("backup", "list", k.place, "--json")) {
		var s struct{ Label, Commit string }
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			k.t.Fatal(err)
		}
		all[s.Label] = s.Commit
		if k.had[s.Label] == nil {
			k.had[s.Label] = k.list(s.Commit)
		}
	}
	return all
}

// sound checks that every set that is listed is whole, and that none is lost.
func (k *backupKilling) sound() {
	k.t.Helper()
	now := k.sets()
	for label := range k.had {
		if _, ok := now[label]; !ok && !k.gone[label] {
			k.t.Errorf("set %s is lost", label)
		}
	}
	k.must("backup", "verify", k.place)
}

// create makes a set of a new commit, or of the same one.
func (k *backupKilling) create() {
	k.edit()
	k.must("commit", "-m", "more")
	kind := []string{"full", "incremental", "differential"}[k.rnd.IntN(3)]
	k.word("create", "--type", kind)
	k.sound()
	k.again("create", "--type", kind)
	k.sound()
}

// restore brings a set back, which goes on in the same folder.
func (k *backupKilling) restore() {
	now := k.sets()
	label := slices.Sorted(maps.Keys(now))[k.rnd.IntN(len(now))]
	k.word("restore", label, "--to", k.out)
	k.comesBack(label, now[label])
}

func (k *backupKilling) comesBack(label, commit string) {
	k.t.Helper()
	k.again("restore", label, "--to", k.out)
	from := *k.killing
	from.root = k.out
	if diff := cmp.Diff(k.had[label], from.disk()); diff != "" {
		k.t.Errorf("set %s of %s: %s", label, commit, diff)
	}
	if err := os.RemoveAll(k.out); err != nil {
		k.t.Fatal(err)
	}
}

// repair heals a pack that a run of bad bytes has hit.
func (k *backupKilling) repair() {
	k.damage()
	k.word("repair")
	k.again("repair")
	k.sound()
}

// damage spoils a few bytes of a pack.
func (k *backupKilling) damage() {
	k.t.Helper()
	var packs []string
	err := filepath.WalkDir(k.place, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".pack") {
			packs = append(packs, name)
		}
		return err
	})
	if err != nil || len(packs) == 0 {
		k.t.Fatal(len(packs), err)
	}
	name := packs[k.rnd.IntN(len(packs))]
	data, err := os.ReadFile(name)
	if err != nil {
		k.t.Fatal(err)
	}
	at := k.rnd.IntN(len(data))
	for i := at; i < min(at+16, len(data)); i++ {
		data[i] ^= 0x5a
	}
	os.Remove(name) //nolint:errcheck // the next one says it; packs are read-only
	if err := os.WriteFile(name, data, 0o666); err != nil {
		k.t.Fatal(err)
	}
}

// expire takes away what is not of the newest two fulls.
func (k *backupKilling) expire() {
	for line := range strings.Lines(k.again("expire", "--keep-full", "2", "--dry-run", "--json")) {
		var d struct{ Label, Action string }
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			k.t.Fatal(err)
		}
		if d.Action != "kept" {
			k.gone[d.Label] = true
		}
	}
	for range 2 { // marks, and removes
		k.word("expire", "--keep-full", "2", "--grace", "0s")
		k.sound()
	}
	k.again("expire", "--keep-full", "2", "--grace", "0s")
	k.again("expire", "--keep-full", "2", "--grace", "0s")
	k.sound()
	for label := range k.sets() {
		if k.gone[label] {
			k.t.Errorf("set %s is still listed", label)
		}
	}
}
