package table

// Declared is what a table says of the values of a column, or of a part of a
// nested one.
type Declared struct {
	Name     string
	Kind     Kind
	Repeated bool       // it is a list of such
	Fields   []Declared // of a Group
}

// Kind is what a value is.
type Kind string

// The kinds.
const (
	Text     Kind = "text" // bytes, too
	Boolean  Kind = "boolean"
	Integer  Kind = "integer"
	Float    Kind = "float"
	Date     Kind = "date"
	Time     Kind = "time"
	DateTime Kind = "datetime"
	Group    Kind = "group"
	Map      Kind = "map" // keys that differ from row to row, or lists of lists
)

// Declared returns what the table says of its columns, in their order; none: it
// says nothing, as only Parquet does.
func (t *Table) Declared() []Declared {
	if t.parquet == nil {
		return nil
	}
	list := make([]Declared, len(t.parquet.columns))
	for i, c := range t.parquet.columns {
		list[i] = c.declared()
	}
	return list
}

func (c *column) declared() Declared {
	d := Declared{Name: c.name, Repeated: c.repeated}
	switch c.shape {
	case shapeLeaf:
		d.Kind = c.leaf.declared()
	case shapeMap:
		d.Kind = Map
	case shapeList:
		element := c.element().declared()
		if d.Kind, d.Fields = element.Kind, element.Fields; element.Repeated || c.repeated {
			d.Kind, d.Fields = Map, nil
		}
		d.Repeated = true
	case shapeGroup:
		d.Kind = Group
		for _, f := range c.fields {
			d.Fields = append(d.Fields, f.declared())
		}
	}
	return d
}

// element is what a list is of, without the group that is around each.
func (c *column) element() *column {
	inner := c.fields[0]
	if inner.shape == shapeGroup && len(inner.fields) == 1 {
		return inner.fields[0]
	}
	one := *inner
	one.repeated = false // the list says that
	return &one
}

var declaredKinds = map[as]Kind{
	asText: Text, asUUID: Text, asBool: Boolean, asInt32: Integer, asInt64: Integer, asUint32: Integer, asUint64: Integer,
	asFloat16: Float, asFloat: Float, asDouble: Float, asDecimal32: Float, asDecimal64: Float, asDecimal: Float,
	asDate: Date, asTime: Time, asTimestamp: DateTime, asInt96: DateTime,
}

func (l leaf) declared() Kind { return declaredKinds[l.as] }
