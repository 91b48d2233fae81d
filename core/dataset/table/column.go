package table

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	pqformat "github.com/parquet-go/parquet-go/format"
)

// column is a column of a Parquet file, or a part of a nested one.
type column struct {
	name               string
	optional, repeated bool
	shape              shape
	fields             []*column
	first, leaves      int // the leaf columns that it consists of
	leaf               leaf
}

type shape int

const (
	shapeLeaf shape = iota
	shapeGroup
	shapeList // a group around a repeated group around the element
	shapeMap  // a group around a repeated group of key and value
)

func newColumn(field pq.Field, leaves *int) *column {
	c := &column{name: field.Name(), optional: field.Optional(), repeated: field.Repeated(), first: *leaves}
	if field.Leaf() {
		*leaves++
		c.leaves = 1
		c.leaf = newLeaf(field.Type())
		return c
	}
	c.shape = shapeGroup
	for _, f := range field.Fields() {
		c.fields = append(c.fields, newColumn(f, leaves))
	}
	c.leaves = *leaves - c.first
	if len(c.fields) == 1 && c.fields[0].repeated {
		switch inner := c.fields[0]; {
		case isLogical[*pqformat.ListType](field):
			c.shape = shapeList
		case isLogical[*pqformat.MapType](field) && len(inner.fields) == 2:
			c.shape = shapeMap
		}
	}
	return c
}

func isLogical[T pqformat.LogicalTypeValue](field pq.Field) bool {
	logical := field.Type().LogicalType()
	if logical == nil {
		return false
	}
	_, ok := logical.Value.(T)
	return ok
}

// append writes the value that a column has in a row: a leaf as text, what is
// nested as JSON.
func (c *column) append(dst []byte, values []pq.Value) ([]byte, kind) {
	if c.shape != shapeLeaf || c.repeated {
		if len(values) == 0 || c.optional && values[0].DefinitionLevel() == 0 {
			return dst, kindAbsent
		}
		return c.json(dst, values, 0, 0), kindNested
	}
	if len(values) == 0 || values[0].IsNull() {
		return dst, kindAbsent
	}
	return c.leaf.append(dst, values[0])
}

// json writes JSON. values are those of the column's leaves, in order; rep and
// def are the levels of what the column is in. A leaf has one value that says
// how deep the nesting goes where there is nothing, so values are never empty.
func (c *column) json(dst []byte, values []pq.Value, rep, def int) []byte {
	switch {
	case c.repeated:
		def++
		if values[0].DefinitionLevel() < def {
			return append(dst, "[]"...)
		}
		return c.elements(dst, values, rep+1, func(dst []byte, one []pq.Value) []byte { return c.one(dst, one, rep+1, def) })
	case c.optional:
		def++
		if values[0].DefinitionLevel() < def {
			return append(dst, "null"...)
		}
	}
	return c.one(dst, values, rep, def)
}

// elements writes an array. A value at the level rep begins a new element in
// its leaf.
func (c *column) elements(dst []byte, values []pq.Value, rep int, write func([]byte, []pq.Value) []byte) []byte {
	dst = append(dst, '[')
	for i, one := range c.split(values, rep) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = write(dst, one)
	}
	return append(dst, ']')
}

// split sorts the values of a repeated column by element.
func (c *column) split(values []pq.Value, rep int) [][]pq.Value {
	var elements [][]pq.Value
	at, leaf := -1, -1
	for _, v := range values {
		switch {
		case v.Column() != leaf:
			at, leaf = 0, v.Column()
		case v.RepetitionLevel() <= rep:
			at++
		}
		if at == len(elements) {
			elements = append(elements, nil)
		}
		elements[at] = append(elements[at], v)
	}
	return elements
}

// one writes a value that is there.
func (c *column) one(dst []byte, values []pq.Value, rep, def int) []byte {
	switch c.shape {
	case shapeLeaf:
		return c.leaf.json(dst, values[0])
	case shapeList:
		return c.list(dst, values, rep, def)
	case shapeMap:
		return c.mapping(dst, values, rep, def)
	}
	dst = append(dst, '{')
	for i, f := range c.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, []byte(f.name)), ':')
		dst = f.json(dst, f.of(values), rep, def)
	}
	return append(dst, '}')
}

// of returns the values of a field's leaves.
func (c *column) of(values []pq.Value) []pq.Value {
	from := 0
	for from < len(values) && values[from].Column() < c.first {
		from++
	}
	to := from
	for to < len(values) && values[to].Column() < c.first+c.leaves {
		to++
	}
	return values[from:to]
}

// list writes the elements without the group that is around each.
func (c *column) list(dst []byte, values []pq.Value, rep, def int) []byte {
	inner := c.fields[0]
	if inner.shape != shapeGroup || len(inner.fields) != 1 {
		return inner.json(dst, values, rep, def)
	}
	if def++; values[0].DefinitionLevel() < def {
		return append(dst, "[]"...)
	}
	return c.elements(dst, values, rep+1, func(dst []byte, one []pq.Value) []byte {
		return inner.fields[0].json(dst, one, rep+1, def)
	})
}

// mapping writes a map as an object if its keys are text.
func (c *column) mapping(dst []byte, values []pq.Value, rep, def int) []byte {
	inner := c.fields[0]
	key, item := inner.fields[0], inner.fields[1]
	if key.shape != shapeLeaf || key.leaf.as != asText {
		return inner.json(dst, values, rep, def)
	}
	if def++; values[0].DefinitionLevel() < def {
		return append(dst, "{}"...)
	}
	dst = append(dst, '{')
	for i, one := range c.split(values, rep+1) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(key.leaf.json(dst, key.of(one)[0]), ':')
		dst = item.json(dst, item.of(one), rep+1, def)
	}
	return append(dst, '}')
}

// leaf says how the values of a leaf are written.
type leaf struct {
	as    as
	unit  time.Duration
	utc   bool
	scale int
}

type as int

const (
	asText as = iota
	asBool
	asInt32
	asInt64
	asUint32
	asUint64
	asFloat16
	asFloat
	asDouble
	asInt96
	asDate
	asTime
	asTimestamp
	asDecimal32
	asDecimal64
	asDecimal
	asUUID
)

var physical = map[pq.Kind]as{
	pq.Boolean: asBool, pq.Int32: asInt32, pq.Int64: asInt64, pq.Int96: asInt96, pq.Float: asFloat, pq.Double: asDouble,
	pq.ByteArray: asText, pq.FixedLenByteArray: asText,
}

func newLeaf(t pq.Type) leaf {
	l := leaf{as: physical[t.Kind()]}
	logical := t.LogicalType()
	if logical == nil {
		return l
	}
	switch v := logical.Value.(type) {
	case *pqformat.IntType:
		if !v.IsSigned {
			l.as += asUint32 - asInt32
		}
	case *pqformat.DateType:
		l.as = asDate
	case *pqformat.TimeType:
		l.as, l.unit, l.utc = asTime, unitOf(v.Unit), v.IsAdjustedToUTC
	case *pqformat.TimestampType:
		l.as, l.unit, l.utc = asTimestamp, unitOf(v.Unit), v.IsAdjustedToUTC
	case *pqformat.DecimalType:
		l.as, l.scale = decimalOf(t.Kind()), int(v.Scale)
	case *pqformat.UUIDType:
		l.as = asUUID
	case *pqformat.Float16Type:
		l.as = asFloat16
	}
	return l
}

func decimalOf(kind pq.Kind) as {
	switch kind {
	case pq.Int32:
		return asDecimal32
	case pq.Int64:
		return asDecimal64
	}
	return asDecimal
}

func unitOf(u pqformat.TimeUnit) time.Duration {
	if u.Value == nil {
		return time.Millisecond
	}
	return u.Value.Duration()
}

// append writes a value that is not null. A float that is not a number is
// absent, as tools that have no null write it.
func (l leaf) append(dst []byte, v pq.Value) ([]byte, kind) {
	switch l.as {
	case asBool:
		return strconv.AppendBool(dst, v.Boolean()), kindBare
	case asInt32:
		return strconv.AppendInt(dst, int64(v.Int32()), 10), kindBare
	case asInt64:
		return strconv.AppendInt(dst, v.Int64(), 10), kindBare
	case asUint32:
		return strconv.AppendUint(dst, uint64(v.Uint32()), 10), kindBare
	case asUint64:
		return strconv.AppendUint(dst, v.Uint64(), 10), kindBare
	case asFloat16:
		return appendFloat(dst, float16(v.ByteArray()), 32)
	case asFloat:
		return appendFloat(dst, float64(v.Float()), 32)
	case asDouble:
		return appendFloat(dst, v.Double(), 64)
	case asDecimal32:
		return appendDecimal(dst, big.NewInt(int64(v.Int32())), l.scale), kindBare
	case asDecimal64:
		return appendDecimal(dst, big.NewInt(v.Int64()), l.scale), kindBare
	case asDecimal:
		return appendDecimal(dst, twosComplement(v.ByteArray()), l.scale), kindBare
	}
	return l.appendText(dst, v), kindText
}

func (l leaf) appendText(dst []byte, v pq.Value) []byte {
	switch l.as {
	case asDate:
		return time.Unix(int64(v.Int32())*24*60*60, 0).UTC().AppendFormat(dst, time.DateOnly)
	case asTime:
		n := v.Int64()
		if v.Kind() == pq.Int32 {
			n = int64(v.Int32())
		}
		return time.Unix(0, 0).UTC().Add(time.Duration(n)*l.unit).AppendFormat(dst, "15:04:05.999999999")
	case asTimestamp:
		return appendTime(dst, v.Int64(), l.unit, l.utc)
	case asInt96:
		return appendInt96(dst, v.Int96())
	case asUUID:
		if b := v.ByteArray(); len(b) == 16 {
			h := hex.EncodeToString(b)
			return append(dst, strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")...)
		}
	}
	return append(dst, v.ByteArray()...)
}

func appendTime(dst []byte, n int64, unit time.Duration, utc bool) []byte {
	perSecond := int64(time.Second / unit)
	seconds, part := n/perSecond, n%perSecond
	layout := "2006-01-02T15:04:05.999999999"
	if utc {
		layout += "Z"
	}
	return time.Unix(seconds, part*int64(unit)).UTC().AppendFormat(dst, layout)
}

// appendInt96 writes a time of the old kind: nanoseconds of a Julian day.
func appendInt96(dst []byte, v deprecated.Int96) []byte {
	const julianEpoch = 2_440_588
	nanoseconds := int64(v[1])<<32 | int64(v[0])
	day := int64(v[2]) - julianEpoch
	return time.Unix(day*24*60*60, nanoseconds).UTC().AppendFormat(dst, "2006-01-02T15:04:05.999999999")
}

// json writes a value within JSON.
func (l leaf) json(dst []byte, v pq.Value) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	from := len(dst)
	dst, kind := l.append(dst, v)
	switch {
	case kind == kindAbsent:
		return append(dst, "null"...)
	case kind == kindText:
		text := string(dst[from:])
		return appendQuoted(dst[:from], []byte(text))
	}
	return dst
}

func appendFloat(dst []byte, f float64, bits int) ([]byte, kind) {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return dst, kindAbsent
	case math.IsInf(f, 1):
		return append(dst, "inf"...), kindText
	case math.IsInf(f, -1):
		return append(dst, "-inf"...), kindText
	case abs == 0 || abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, bits), kindBare
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits), kindBare
}

func float16(b []byte) float64 {
	if len(b) != 2 {
		return math.NaN()
	}
	bits := binary.LittleEndian.Uint16(b)
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(fraction, -24)
	case 31:
		if f = math.Inf(1); fraction != 0 {
			return math.NaN()
		}
	default:
		f = math.Ldexp(1024+fraction, exponent-25)
	}
	if bits>>15 == 1 {
		return -f
	}
	return f
}

func twosComplement(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// appendDecimal writes n with the point before the last scale digits.
func appendDecimal(dst []byte, n *big.Int, scale int) []byte {
	digits := n.String()
	if n.Sign() < 0 {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if scale <= 0 || scale > 1000 {
		dst = append(dst, digits...)
		if scale != 0 {
			dst = strconv.AppendInt(append(dst, 'e'), int64(-scale), 10)
		}
		return dst
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	return append(append(dst, '.'), digits[len(digits)-scale:]...)
}
