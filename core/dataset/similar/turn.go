package similar

import "encoding/binary"

// Turn is one of the eight ways to lay a picture: it is mirrored left to
// right, then top to bottom, then along its diagonal, as the bits say.
type Turn uint8

// What a turn is made of.
const (
	mirror   Turn = 1 << iota // left to right
	flip                      // top to bottom
	diagonal                  // rows become columns

	turns = 8 // all of them; 0 is as it lies
)

// at returns where in a square of n × n cells the cell at row r and column c
// of the turned square comes from.
func (t Turn) at(r, c, n int) (int, int) {
	if t&mirror != 0 {
		c = n - 1 - c
	}
	if t&flip != 0 {
		r = n - 1 - r
	}
	if t&diagonal != 0 {
		r, c = c, r
	}
	return r, c
}

// exifTurns are the turns that EXIF's orientations 1 to 8 ask for.
var exifTurns = [9]Turn{1: 0, 2: mirror, 3: mirror | flip, 4: flip, 5: diagonal, 6: diagonal | mirror, 7: diagonal | mirror | flip, 8: diagonal | flip}

// orientation returns the turn that the EXIF data in a JPEG file's first bytes
// ask for; 0 where there are none.
func orientation(head []byte) Turn {
	if !hasMagic(head, "\xff\xd8") {
		return 0
	}
	for at := head[2:]; len(at) >= 4 && at[0] == 0xff && at[1] != 0xda; {
		size := 2 + int(binary.BigEndian.Uint16(at[2:]))
		if size < 4 || size > len(at) {
			return 0
		}
		if body := at[4:size]; at[1] == 0xe1 && hasMagic(body, "Exif\x00\x00") {
			return exifOrientation(body[6:])
		}
		at = at[size:]
	}
	return 0
}

// exifOrientation finds tag 0x112 in the first directory of EXIF data.
func exifOrientation(exif []byte) Turn {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case hasMagic(exif, "MM\x00\x2a"):
		order = binary.BigEndian
	case !hasMagic(exif, "II\x2a\x00"):
		return 0
	}
	if len(exif) < 8 {
		return 0
	}
	at := uint64(order.Uint32(exif[4:]))
	if at+2 > uint64(len(exif)) {
		return 0
	}
	entries := exif[at+2:]
	for range order.Uint16(exif[at:]) {
		if len(entries) < 12 {
			return 0
		}
		if order.Uint16(entries) == 0x112 && order.Uint16(entries[2:]) == 3 { // a SHORT
			if o := int(order.Uint16(entries[8:])); o < len(exifTurns) {
				return exifTurns[o]
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}
