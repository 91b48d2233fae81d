package similar

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"
)

// Kind says how a file is compared.
type Kind uint8

// The kinds of file.
const (
	KindUnknown Kind = iota // its name does not tell
	KindOther               // not at all
	KindImage
	KindText
)

// extensions are the names that tell. Tables, settings and annotations are
// text whose likeness says nothing.
var extensions = func() map[string]Kind {
	kinds := make(map[string]Kind)
	for kind, names := range map[Kind]string{
		KindImage: "jpg jpeg jpe jfif png gif webp bmp dib tif tiff heic heif avif jxl jp2 j2k", // those that cannot be decoded are named
		KindText:  "txt text md markdown rst tex html htm eml srt vtt",
		KindOther: "csv tsv json jsonl ndjson geojson xml yaml yml toml ini cfg conf parquet arrow feather orc avro npy npz " +
			"h5 hdf5 pkl pt pth onnx safetensors gguf tfrecord zip gz tgz bz2 xz zst tar 7z pdf mp3 wav flac ogg mp4 avi mov mkv webm svg " +
			"names sha256 md5 log",
	} {
		for _, name := range strings.Fields(names) {
			kinds["."+name] = kind
		}
	}
	return kinds
}()

// HeadSize is how much of a file KindOf looks at.
const HeadSize = 4096

// KindOf returns the kind of a file by its name or, where that does not tell,
// by its first bytes; KindUnknown without them (nil).
func KindOf(name string, head []byte) Kind {
	if kind, ok := extensions[strings.ToLower(path.Ext(name))]; ok {
		return kind
	}
	switch {
	case head == nil:
		return KindUnknown
	case formatOf(head) != nil:
		return KindImage
	case isText(head[:min(len(head), HeadSize)]):
		return KindText
	}
	return KindOther
}

// isText reports whether bytes begin a text in UTF-8: no control characters but
// those of texts. The last character may be cut.
func isText(head []byte) bool {
	if len(head) == 0 || bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r\f\v\x1b", r) }) {
		return false
	}
	for cut := 0; cut < utf8.UTFMax && cut < len(head); cut++ {
		if utf8.Valid(head[:len(head)-cut]) {
			return cut == 0 || !utf8.FullRune(head[len(head)-cut:])
		}
	}
	return false
}
