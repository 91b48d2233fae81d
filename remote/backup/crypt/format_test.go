package crypt

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

var cryptUpdate = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const cryptVectorFile = "../../../testdata/vectors/crypt.json"

// cryptVectors are frozen objects of one destination, and the key file that
// opens them.
type cryptVectors struct {
	Destination string              `json:"destination"`
	Identity    string              `json:"identity"` // of age; made for this file
	KeyFile     string              `json:"key_file"`
	KeyHex      string              `json:"key_hex"`    // the file's bytes
	RecordHex   string              `json:"record_hex"` // what age encrypted
	Objects     []cryptVectorObject `json:"objects"`
}

// cryptVectorObject is the first Size bytes that BLAKE3 makes of the text "crypt".
type cryptVectorObject struct {
	Key    string `json:"key"`
	Salt   string `json:"salt"`
	Size   int    `json:"size"`
	Start  string `json:"start"`  // the first 200 bytes at most
	BLAKE3 string `json:"blake3"` // of the whole object
}

func cryptVectorData(t testing.TB, size int) []byte {
	h := blake3.New()
	h.Write([]byte("crypt")) //nolint:errcheck // a hash never fails
	data := make([]byte, size)
	if _, err := h.Digest().Read(data); err != nil {
		t.Fatal(err)
	}
	return data
}

func cryptVectorEpoch(destination string) *epoch {
	key := make([]byte, keySize)
	for i := range key {
		key[i] = byte(i)
	}
	return &epoch{Version: epochVersion, Destination: destination, Key: key}
}

// cryptVectorSeal makes an object with a salt that is known.
func cryptVectorSeal(t testing.TB, e *epoch, v *cryptVectorObject) []byte {
	t.Helper()
	h := header{epoch: e.id(), size: int64(v.Size)}
	if _, err := hex.Decode(h.salt[:], []byte(v.Salt)); err != nil {
		t.Fatal(err)
	}
	o, err := newObject(h, v.Key, e.objectKey(h, v.Key))
	if err != nil {
		t.Fatal(err)
	}
	body := newSealedBody(o, bytes.NewReader(cryptVectorData(t, v.Size)))
	data, err := io.ReadAll(io.NewSectionReader(body, 0, sealedSize(h.size)))
	if err != nil {
		t.Fatal(err)
	}
	sum := blake3.Sum256(data)
	v.BLAKE3, v.Start = hex.EncodeToString(sum[:]), hex.EncodeToString(data[:min(len(data), 200)])
	return data
}

func TestCryptVectors(t *testing.T) {
	if *cryptUpdate {
		cryptWriteVectors(t)
	}
	raw, err := os.ReadFile(cryptVectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v cryptVectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	ids, err := ParseIdentities([]byte(v.Identity), nil)
	if err != nil {
		t.Fatal(err)
	}
	keyFile, err := hex.DecodeString(v.KeyHex)
	if err != nil {
		t.Fatal(err)
	}
	inner := buckettest.Memory()
	cryptPut(t, inner, v.KeyFile, keyFile)
	b := cryptNew(t, inner, Options{Destination: v.Destination, Identities: ids})
	for _, want := range v.Objects {
		got := want
		data := cryptVectorSeal(t, cryptVectorEpoch(v.Destination), &got)
		if got != want {
			t.Errorf("%s is made differently", want.Key)
		}
		cryptPut(t, inner, want.Key, data)
		plain, err := cryptRead(t.Context(), b, want.Key, 0, -1)
		if err != nil || !bytes.Equal(plain, cryptVectorData(t, want.Size)) {
			t.Errorf("%s: %v", want.Key, err)
		}
	}
	e, err := unwrap(keyFile, ids)
	if err != nil || len(v.Objects) == 0 {
		t.Fatal(err, len(v.Objects))
	}
	if record, err := e.encode(); err != nil || hex.EncodeToString(record) != v.RecordHex || e.id().keyFile() != v.KeyFile {
		t.Errorf("the record is %x, %v", record, err)
	}
}

// An object is what FORMAT.md says, opened here with nothing of the package.
func TestObjectByHand(t *testing.T) {
	v := cryptVectorObject{Key: "sets/a/1.pack", Size: 70_000, Salt: strings.Repeat("5a", 32)}
	e := cryptVectorEpoch("the destination")
	sealed := cryptVectorSeal(t, e, &v)
	material := slices.Concat(e.Key, sealed[:72], []byte{15, 0}, []byte("the destination"), []byte("sets/a/1.pack"))
	out := make([]byte, 48)
	blake3.DeriveKey("mlvc 2026-11-26 sealed object v1", material, out)
	if !bytes.Equal(out[32:], sealed[72:88]) {
		t.Error("another tag")
	}
	block, err := aes.NewCipher(out[:32])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	first, err := gcm.Open(nil, make([]byte, 12), sealed[88:88+65552], nil)
	if err != nil {
		t.Fatal(err)
	}
	last, err := gcm.Open(nil, []byte{10: 1, 11: 1}, sealed[88+65552:], nil)
	if err != nil || !bytes.Equal(slices.Concat(first, last), cryptVectorData(t, 70_000)) {
		t.Errorf("other bytes, %v", err)
	}
}

func cryptWriteVectors(t *testing.T) {
	secret, public, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	to, err := ParseRecipients(public)
	if err != nil {
		t.Fatal(err)
	}
	v := cryptVectors{Destination: "00112233445566778899aabbccddeeff", Identity: secret}
	e := cryptVectorEpoch(v.Destination)
	e.Recipients = texts(to)
	file, err := e.wrap(to)
	if err != nil {
		t.Fatal(err)
	}
	record, err := e.encode()
	if err != nil {
		t.Fatal(err)
	}
	v.KeyFile, v.KeyHex, v.RecordHex = e.id().keyFile(), hex.EncodeToString(file), hex.EncodeToString(record)
	for i, size := range []int{0, 12, pieceSize, pieceSize + 1, 200_000} {
		o := cryptVectorObject{Key: "sets/a/" + string(rune('0'+i)) + ".pack", Size: size, Salt: hex.EncodeToString(bytes.Repeat([]byte{byte(i + 1)}, 32))}
		cryptVectorSeal(t, e, &o)
		v.Objects = append(v.Objects, o)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cryptVectorFile, append(out, '\n'), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestEpochRefuses(t *testing.T) {
	good := epoch{Version: 1, Destination: "d", Key: make([]byte, keySize), Recipients: []string{"a", "b"}}
	for name, change := range map[string]func(e *epoch){
		"version":  func(e *epoch) { e.Version = 0 },
		"key":      func(e *epoch) { e.Key = e.Key[1:] },
		"nobody":   func(e *epoch) { e.Recipients = nil },
		"unsorted": func(e *epoch) { e.Recipients = []string{"b", "a"} },
		"twice":    func(e *epoch) { e.Recipients = []string{"a", "a"} },
		"empty":    func(e *epoch) { e.Recipients = []string{"", "a"} },
	} {
		e := good
		change(&e)
		data, err := objects.MarshalRecord(e, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeEpoch(data); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	newer, err := objects.MarshalRecord(map[string]any{"version": 2, "other": "fields"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeEpoch(newer); !errors.Is(err, objects.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// FuzzEpoch decodes any bytes as what age encrypted.
func FuzzEpoch(f *testing.F) {
	e := cryptVectorEpoch("d")
	e.Recipients = []string{"a"}
	data, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeEpoch(data)
		if err != nil {
			return
		}
		if again, err := e.encode(); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted bytes are encoded differently: %v", err)
		}
	})
}

// FuzzObject reads any bytes as an object: what is handed out is what was
// sealed, or it is an error.
func FuzzObject(f *testing.F) {
	e := cryptVectorEpoch("d1")
	v := cryptVectorObject{Key: "a", Size: 40, Salt: hex.EncodeToString(bytes.Repeat([]byte{8}, 32))}
	sealed, plain := cryptVectorSeal(f, e, &v), cryptVectorData(f, 256)
	f.Add(sealed, byte(0), int8(-1))
	f.Add(sealed[:100], byte(3), int8(4))
	f.Add(sealed, byte(40), int8(1))
	f.Fuzz(func(t *testing.T, data []byte, offset byte, length int8) {
		inner := buckettest.Memory()
		b := cryptNew(t, inner, Options{})
		b.keys.known[e.id()] = e
		cryptPut(t, inner, "a", data)
		got, _ := cryptRead(t.Context(), b, "a", int64(offset), int64(length))
		if !bytes.HasPrefix(plain[offset:], got) {
			t.Fatalf("handed out what nobody sealed: %d bytes at %d", len(got), offset)
		}
		if whole, _, err := b.Get(t.Context(), "a"); err == nil && !bytes.HasPrefix(plain, whole) {
			t.Fatal("handed out what nobody sealed")
		} else if err != nil && !errors.Is(err, objects.ErrCorrupt) && !errors.Is(err, objects.ErrNewer) && !errors.Is(err, bucket.ErrTooLarge) {
			var none *NoKeyError
			if !errors.As(err, &none) {
				t.Fatal(err)
			}
		}
	})
}
