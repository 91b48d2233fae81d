package crypt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// cryptPassphrase is Passphrase, at a cost that a test can pay.
func cryptPassphrase(t testing.TB, text string) (Recipient, Identity) {
	t.Helper()
	r, id, err := Passphrase(text)
	if err != nil {
		t.Fatal(err)
	}
	r.age.(*age.ScryptRecipient).SetWorkFactor(8)
	return r, id
}

// cryptSSH makes a key as ssh-keygen does; locked, if there is a passphrase.
func cryptSSH(t testing.TB, secret any, passphrase string) (public string, file []byte) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(secret, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(secret, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(signer.PublicKey())), pem.EncodeToMemory(block)
}

func cryptFiles(t testing.TB, inner bucket.Bucket) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for info, err := range inner.List(t.Context(), keysPrefix) {
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := inner.Get(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		files[info.Key] = data
	}
	for key, data := range files { // each is there twice
		if name, ok := strings.CutSuffix(key, copySuffix); ok {
			if !bytes.Equal(files[name+".age"], data) {
				t.Fatalf("%s has no like", key)
			}
			delete(files, key)
		}
	}
	return files
}

func cryptHas(t testing.TB, b *Bucket, key, want string) {
	t.Helper()
	if got, _, err := b.Get(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", key, got, err, want)
	}
}

func cryptRefuses(t testing.TB, b *Bucket, key string, tried int) {
	t.Helper()
	_, _, gerr := b.Get(t.Context(), key)
	_, rerr := b.GetRange(t.Context(), key, 1, 1)
	for _, err := range []error{gerr, rerr} {
		var none *NoKeyError
		if !errors.As(err, &none) || none.Key != key || none.Tried != tried || !strings.HasPrefix(err.Error(), key+": ") || errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("read with a wrong key: %v", err)
		}
	}
}

func TestEveryKindOfKey(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() (Recipient, Identity){
		"age":         func() (Recipient, Identity) { return cryptKey(t) },
		"passphrase":  func() (Recipient, Identity) { return cryptPassphrase(t, "a horse and a battery") },
		"ssh-ed25519": func() (Recipient, Identity) { return cryptFromSSH(t, ed, "") },
		"ssh-rsa":     func() (Recipient, Identity) { return cryptFromSSH(t, rs, "") },
		"locked ssh":  func() (Recipient, Identity) { return cryptFromSSH(t, ed, "pass") },
	} {
		inner := buckettest.Memory()
		to, id := make()
		cryptPut(t, cryptNew(t, inner, Options{Recipients: []Recipient{to}}), "a", []byte(name))
		cryptHas(t, cryptNew(t, inner, Options{Identities: []Identity{id}}), "a", name)
		_, wrong := cryptKey(t)
		cryptRefuses(t, cryptNew(t, inner, Options{Identities: []Identity{wrong}}), "a", 1)
		_, wrong = cryptPassphrase(t, "another horse")
		cryptRefuses(t, cryptNew(t, inner, Options{Identities: []Identity{wrong}}), "a", 1)
		cryptRefuses(t, cryptNew(t, inner, Options{}), "a", 0)
	}
}

func cryptFromSSH(t testing.TB, secret any, passphrase string) (Recipient, Identity) {
	public, file := cryptSSH(t, secret, passphrase)
	r, err := ParseRecipients(strings.TrimSpace(public) + " me@here\n")
	if err != nil || r[0].String() != strings.TrimSpace(public) {
		t.Fatalf("%q, %v", r, err)
	}
	id, err := ParseIdentities(file, func() (string, error) { return passphrase, nil })
	if err != nil {
		t.Fatal(err)
	}
	return r[0], id[0]
}

func TestLockedKeyNeedsItsPassphrase(t *testing.T) {
	_, secret, _ := ed25519.GenerateKey(rand.Reader)
	public, file := cryptSSH(t, secret, "right")
	if _, err := ParseIdentities(file, nil); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("nobody to ask: %v", err)
	}
	to, err := ParseRecipients(public)
	if err != nil {
		t.Fatal(err)
	}
	inner := buckettest.Memory()
	cryptPut(t, cryptNew(t, inner, Options{Recipients: to}), "a", []byte("a"))
	gone := errors.New("nobody is there")
	for _, ask := range []func() (string, error){
		func() (string, error) { return "wrong", nil },
		func() (string, error) { return "", gone },
	} {
		ids, err := ParseIdentities(file, ask)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := cryptNew(t, inner, Options{Identities: ids}).Get(t.Context(), "a"); err == nil || errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	secret, public, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "# nobody\n", "x", public + "x", secret, "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAA", public + "\nx"} {
		if r, err := ParseRecipients(text); err == nil {
			t.Errorf("%q is taken: %v", text, r)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the secret key: %v", err)
		}
	}
	for _, text := range []string{"", public, secret[:30], "x" + secret, "-----BEGIN X-----\n", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"} {
		if _, err := ParseIdentities([]byte(text), nil); err == nil {
			t.Errorf("%q is taken", text)
		} else if strings.Contains(err.Error(), secret[20:30]) {
			t.Errorf("the error shows the secret key: %v", err)
		}
	}
	if _, _, err := Passphrase(""); err == nil {
		t.Error("an empty passphrase is taken")
	}
}

func TestRecipientsAreNeeded(t *testing.T) {
	to, id := cryptKey(t)
	word, _ := cryptPassphrase(t, "word")
	for _, all := range [][]Recipient{{to, word}, {word, word}, {{}}} {
		if _, err := New(buckettest.Memory(), Options{Destination: "d", Recipients: all}); err == nil {
			t.Errorf("%v are taken together", all)
		}
	}
	for _, destination := range []string{"", strings.Repeat("d", 201)} {
		if _, err := New(buckettest.Memory(), Options{Destination: destination, Recipients: []Recipient{to}}); err == nil {
			t.Errorf("destination %q is taken", destination)
		}
	}
	inner := buckettest.Memory()
	for _, ids := range [][]Identity{nil, {id}} {
		err := cryptNew(t, inner, Options{Identities: ids}).PutIfAbsent(t.Context(), "a", strings.NewReader("a"), 1)
		if !errors.Is(err, ErrNoRecipient) || !strings.Contains(err.Error(), "a") {
			t.Errorf("for nobody: %v", err)
		}
	}
	for range inner.List(t.Context(), "") {
		t.Error("something was written")
	}
	b := cryptNew(t, inner, Options{Recipients: []Recipient{to}})
	cryptPut(t, b, "a", nil)
	for key := range cryptFiles(t, inner) {
		for name, err := range map[string]error{
			"put": b.PutIfAbsent(t.Context(), key, strings.NewReader("a"), 1), "delete": b.Delete(t.Context(), key),
			"folder": b.PutIfAbsent(t.Context(), "keys", strings.NewReader("a"), 1),
		} {
			var as *bucket.KeyError
			if !errors.As(err, &as) {
				t.Errorf("%s of a key file: %v", name, err)
			}
		}
	}
}

// One who can read goes on with a key that is there; one who cannot has a new one
// each time, and reads nothing of what another wrote.
func TestWhoOnlyWrites(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.Memory()
	writer := Options{Recipients: []Recipient{to}}
	one, two := cryptNew(t, inner, writer), cryptNew(t, inner, writer)
	cryptPut(t, one, "a", []byte("one"))
	cryptPut(t, two, "b", []byte("two"))
	cryptHas(t, one, "a", "one")
	cryptRefuses(t, one, "b", 0)
	cryptRefuses(t, two, "a", 0)
	if n := len(cryptFiles(t, inner)); n != 2 {
		t.Errorf("%d keys", n)
	}
	reader := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	for _, key := range []string{"c", "d"} {
		cryptPut(t, cryptNew(t, inner, reader), key, []byte(key))
	}
	cryptPut(t, cryptNew(t, inner, Options{Identities: []Identity{id}}), "e", []byte("e"))
	if n := len(cryptFiles(t, inner)); n != 2 {
		t.Errorf("one who reads made another key: %d", n)
	}
	to2, _ := cryptKey(t)
	reader.Recipients = []Recipient{to2, to}
	cryptPut(t, cryptNew(t, inner, reader), "f", []byte("f"))
	if n := len(cryptFiles(t, inner)); n != 3 {
		t.Errorf("for others there is no other key: %d", n)
	}
	cryptHas(t, cryptNew(t, inner, reader), "f", "f")
}

func TestRecordOfWhoOnlyWrites(t *testing.T) {
	to, id := cryptKey(t)
	inner, record := buckettest.Memory(), buckettest.Memory()
	opt := Options{Recipients: []Recipient{to}, Record: record, Keep: func(key string) bool { return strings.HasSuffix(key, "/index") }}
	b := cryptNew(t, inner, opt)
	cryptPut(t, b, "sets/a/index", []byte("the index"))
	cryptPut(t, b, "sets/a/1.pack", []byte("the pack"))
	if err := b.PutIfAbsent(t.Context(), "sets/a/index", strings.NewReader("again"), 5); !errors.Is(err, bucket.ErrExist) {
		t.Fatal(err)
	}
	later := cryptNew(t, inner, opt)
	cryptHas(t, later, "sets/a/index", "the index")
	if got, err := cryptRead(t.Context(), later, "sets/a/index", 4, 3); err != nil || string(got) != "ind" {
		t.Errorf("a range is %q, %v", got, err)
	}
	cryptRefuses(t, later, "sets/a/1.pack", 0)

	// What another wrote there has no note, and one who reads needs none.
	reader := cryptNew(t, inner, Options{Recipients: []Recipient{to}, Identities: []Identity{id}})
	cryptHas(t, reader, "sets/a/1.pack", "the pack")
	cryptHas(t, reader, "sets/a/index", "the index")
	if err := reader.Delete(t.Context(), "sets/a/index"); err != nil {
		t.Fatal(err)
	}
	cryptPut(t, reader, "sets/a/index", []byte("of another"))
	cryptRefuses(t, cryptNew(t, inner, opt), "sets/a/index", 0)

	if err := later.Delete(t.Context(), "sets/a/index"); err != nil {
		t.Fatal(err)
	}
	for info := range record.List(t.Context(), "") {
		t.Errorf("%s is left in the record", info.Key)
	}
}

func TestRotate(t *testing.T) {
	old, oldID := cryptKey(t)
	next, nextID := cryptKey(t)
	inner := buckettest.NewCounting(buckettest.Memory())
	for _, key := range []string{"a", "b"} {
		cryptPut(t, cryptNew(t, inner, Options{Recipients: []Recipient{old}}), key, []byte(key))
	}
	_, wrong := cryptKey(t)
	before := cryptFiles(t, inner)
	var none *NoKeyError
	if _, err := cryptNew(t, inner, Options{Identities: []Identity{wrong}}).Rotate(t.Context(), []Recipient{next}, noTurn); !errors.As(err, &none) {
		t.Errorf("by one who cannot read: %v", err)
	}
	if _, err := cryptNew(t, inner, Options{Identities: []Identity{oldID}}).Rotate(t.Context(), nil, noTurn); !errors.Is(err, ErrNoRecipient) {
		t.Errorf("for nobody: %v", err)
	}
	for key, file := range cryptFiles(t, inner) {
		if !bytes.Equal(before[key], file) {
			t.Errorf("%s was changed", key)
		}
	}
	b := cryptNew(t, inner, Options{Recipients: []Recipient{old}, Identities: []Identity{oldID, nextID}})
	cryptHas(t, b, "a", "a")
	inner.Reset()
	if n, err := b.Rotate(t.Context(), []Recipient{next}, noTurn); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if c := inner.Counts(); c.GetRange+c.PutIfAbsent+c.Delete != 0 || c.Swap != 4 {
		t.Errorf("rotation cost %+v", c)
	}
	cryptPut(t, b, "c", []byte("c"))
	after := cryptNew(t, inner, Options{Identities: []Identity{nextID}})
	for _, key := range []string{"a", "b", "c"} {
		cryptHas(t, after, key, key)
		cryptRefuses(t, cryptNew(t, inner, Options{Identities: []Identity{oldID}}), key, 1)
	}
	// Who knows the old keys learns nothing of what is written now.
	e := map[epochID]bool{}
	for _, key := range []string{"a", "b", "c"} {
		data, _, err := inner.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		e[epochID(data[16:32])] = true
	}
	if len(e) != 3 {
		t.Errorf("a key was used on: %d", len(e))
	}
}

func noTurn() error { return nil }

// Rotation dies at any operation: before the turn the old key reads everything,
// after it the new one does, and either of them, or both, end it.
func TestRotateInterrupted(t *testing.T) {
	old, oldID := cryptKey(t)
	next, nextID := cryptKey(t)
	both := []Identity{oldID, nextID}
	for _, kind := range []buckettest.Kind{buckettest.Before, buckettest.After} {
		for at := 1; ; at++ {
			inner := buckettest.Memory()
			for _, key := range []string{"a", "b", "c"} {
				cryptPut(t, cryptNew(t, inner, Options{Recipients: []Recipient{old}}), key, []byte(key))
			}
			faulty := buckettest.NewFaulty(inner, buckettest.Plan{At: at, Kind: kind, Sticky: true})
			reads, turned := oldID, errors.New("before the turn")
			_, err := cryptNew(t, faulty, Options{Identities: both}).Rotate(t.Context(), []Recipient{next}, func() error {
				reads, turned = nextID, nil
				return nil
			})
			for _, ids := range [][]Identity{{reads}, both} {
				for _, key := range []string{"a", "b", "c"} {
					cryptHas(t, cryptNew(t, inner, Options{Identities: ids}), key, key)
				}
			}
			if err == nil {
				break
			}
			ids := both
			if at%2 == 0 {
				ids = []Identity{reads}
			}
			if n, err := cryptNew(t, inner, Options{Identities: ids}).Rotate(t.Context(), []Recipient{next}, noTurn); n != 3 || err != nil {
				t.Fatalf("%s (%v), again: %d, %v", faulty.Failed(), turned, n, err)
			}
			for _, key := range []string{"a", "b", "c"} {
				cryptHas(t, cryptNew(t, inner, Options{Identities: []Identity{nextID}}), key, key)
				cryptRefuses(t, cryptNew(t, inner, Options{Identities: []Identity{oldID}}), key, 1)
			}
			if broken, err := cryptNew(t, inner, Options{Identities: []Identity{nextID}}).CheckKeys(t.Context()); len(broken) > 0 || err != nil {
				t.Errorf("%s: %v, %v", faulty.Failed(), broken, err)
			}
		}
	}
}

// A turn that fails leaves everything to the old key, and what another writes
// meanwhile has its turn.
func TestRotateTurn(t *testing.T) {
	old, oldID := cryptKey(t)
	next, nextID := cryptKey(t)
	inner := buckettest.Memory()
	writer := Options{Recipients: []Recipient{old}}
	cryptPut(t, cryptNew(t, inner, writer), "a", []byte("a"))
	b := cryptNew(t, inner, Options{Identities: []Identity{oldID}})
	var half *HalfRotatedError
	if _, err := b.Rotate(t.Context(), []Recipient{next}, func() error { return io.ErrClosedPipe }); !errors.As(err, &half) || !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	cryptHas(t, cryptNew(t, inner, Options{Identities: []Identity{oldID}}), "a", "a")
	n, err := b.Rotate(t.Context(), []Recipient{next}, func() error {
		cryptPut(t, cryptNew(t, inner, writer), "b", []byte("b"))
		return nil
	})
	if n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for _, key := range []string{"a", "b"} {
		cryptHas(t, cryptNew(t, inner, Options{Identities: []Identity{nextID}}), key, key)
	}
}

// From one passphrase to another, and of a file of which only the second copy is
// left.
func TestRotatePassphrase(t *testing.T) {
	old, oldID := cryptPassphrase(t, "old")
	next, nextID := cryptPassphrase(t, "next")
	inner := buckettest.Memory()
	cryptPut(t, cryptNew(t, inner, Options{Recipients: []Recipient{old}, Identities: []Identity{oldID}}), "a", []byte("a"))
	for name := range cryptFiles(t, inner) {
		cryptReplace(t, inner, name, []byte("damaged"))
	}
	b := cryptNew(t, inner, Options{Identities: []Identity{oldID, nextID}})
	if n, err := b.Rotate(t.Context(), []Recipient{next}, noTurn); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	cryptHas(t, cryptNew(t, inner, Options{Identities: []Identity{nextID}}), "a", "a")
	_, err := cryptRead(t.Context(), cryptNew(t, inner, Options{Identities: []Identity{oldID}}), "a", 0, -1)
	var none *NoKeyError
	if !errors.As(err, &none) || !none.Passphrase {
		t.Error(err)
	}
}

// A key file that is damaged, swapped or missing is read from its copy, and healed
// by it. If both are, the error names them and the object; writing goes on.
func TestKeyFilesAreChecked(t *testing.T) {
	to, id := cryptKey(t)
	inner := buckettest.Memory()
	writer := Options{Recipients: []Recipient{to}}
	cryptPut(t, cryptNew(t, inner, writer), "a", []byte("a"))
	var file string
	var good []byte
	for file, good = range cryptFiles(t, inner) {
	}
	cryptPut(t, cryptNew(t, inner, writer), "b", []byte("b"))
	var other []byte
	for key, data := range cryptFiles(t, inner) {
		if key != file {
			other = data
		}
	}
	copied := strings.TrimSuffix(file, ".age") + copySuffix
	reader := Options{Recipients: []Recipient{to}, Identities: []Identity{id}}
	broken := map[string][]byte{"swapped": other, "empty": nil, "text": []byte("hello")}
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1
		broken["flipped "+string(rune('a'+i%26))+string(rune('a'+i/26))] = flipped
		broken["cut "+string(rune('a'+i%26))+string(rune('a'+i/26))] = good[:i]
	}
	for what, data := range broken {
		cryptReplace(t, inner, file, data)
		cryptHas(t, cryptNew(t, inner, reader), "a", "a")
		cryptReplace(t, inner, copied, data)
		_, _, err := cryptNew(t, inner, reader).Get(t.Context(), "a")
		var none *NoKeyError
		if err == nil || (!errors.Is(err, objects.ErrCorrupt) && !errors.As(err, &none)) || !strings.HasPrefix(err.Error(), "a: ") || !strings.Contains(err.Error(), file) {
			t.Fatalf("%s: %v", what, err)
		}
		if healed, err := cryptNew(t, inner, reader).HealKeys(t.Context(), nil, cryptSealed); err == nil || len(healed) > 0 {
			t.Fatalf("%s: healed %q, %v", what, healed, err)
		}
		cryptReplace(t, inner, copied, good)
		healed, err := cryptNew(t, inner, reader).HealKeys(t.Context(), nil, cryptSealed)
		if err != nil || len(healed) != 1 || healed[0] != file || !bytes.Equal(cryptFiles(t, inner)[file], good) {
			t.Fatalf("%s: healed %q, %v", what, healed, err)
		}
	}
	cryptHas(t, cryptNew(t, inner, reader), "b", "b")
	cryptPut(t, cryptNew(t, inner, reader), "c", []byte("c"))
	for _, name := range []string{file, copied} {
		if err := inner.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := cryptNew(t, inner, reader).Get(t.Context(), "a"); !errors.Is(err, objects.ErrCorrupt) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("missing: %v", err)
	}
	cryptPut(t, inner, copied, good)
	cryptHas(t, cryptNew(t, inner, reader), "a", "a")
	if healed, err := cryptNew(t, inner, reader).HealKeys(t.Context(), nil, cryptSealed); err != nil || len(healed) != 1 {
		t.Errorf("missing: healed %q, %v", healed, err)
	}
}
