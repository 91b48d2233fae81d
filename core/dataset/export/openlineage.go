package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	producer  = "https://github.com/mlvc/mlvc"
	namespace = "mlvc"
	eventSpec = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
)

// OpenLineage describes a dataset in events of OpenLineage 2, one a line: which
// version of the dataset there is, what is in it, and where it is; then of each
// model the run that made it out of this version.
func OpenLineage(d Dataset) ([]byte, error) {
	events := []object{{
		"eventTime": d.Date.Format(time.RFC3339), "producer": producer, "schemaURL": eventSpec + "DatasetEvent",
		"dataset": d.lineage(),
	}}
	for _, m := range d.Models {
		events = append(events, d.run(m))
	}
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	for _, e := range events {
		if err := lines.Encode(e); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func facet(schema string, with object) object {
	_, name, _ := strings.Cut(schema, "/")
	with["_producer"] = producer
	with["_schemaURL"] = "https://openlineage.io/spec/facets/" + schema + ".json#/$defs/" + name
	return with
}

// lineage is the dataset with its facets.
func (d Dataset) lineage() object {
	var fields []object
	for _, t := range d.Tables {
		for _, f := range t.Fields {
			fields = append(fields, f.lineage(t.Path+"."+f.Name))
		}
	}
	facets := object{"version": d.versionFacet()}
	if len(fields) > 0 {
		facets["schema"] = facet("1-1-1/SchemaDatasetFacet", object{"fields": fields})
	}
	if d.URL != "" {
		facets["dataSource"] = facet("1-0-1/DatasourceDatasetFacet", object{"name": d.name(), "uri": d.URL})
	}
	if d.Description != "" {
		facets["documentation"] = facet("1-0-1/DocumentationDatasetFacet", object{"description": d.Description})
	}
	return object{"namespace": namespace, "name": d.name(), "facets": facets}
}

// lineage is a field of the schema. A list is one field, of its elements.
func (f Field) lineage(name string) object {
	if f.Repeated {
		f.Repeated = false
		return object{"name": name, "type": "array", "fields": []object{f.lineage("_element")}}
	}
	if f.Fields == nil {
		return object{"name": name, "type": strings.ToLower(f.Type)}
	}
	var inner []object
	for _, part := range f.Fields {
		inner = append(inner, part.lineage(part.Name))
	}
	return object{"name": name, "type": "struct", "fields": inner}
}

func (d Dataset) versionFacet() object {
	return facet("1-0-1/DatasetVersionDatasetFacet", object{"datasetVersion": d.Commit})
}

// run is the run that made a model. Its ID is the same whenever it is told.
func (d Dataset) run(m Model) object {
	sum := sha256.Sum256([]byte(d.Commit + "\x00" + m.ID))
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8
	saw := "Saw the splits " + m.Splits + "."
	if m.Splits == "all" {
		saw = "Saw all of the data."
	}
	if m.Metrics != "" {
		saw += " Measured: " + m.Metrics + "."
	}
	return object{
		"eventTime": m.Linked.Format(time.RFC3339), "eventType": "COMPLETE", "producer": producer, "schemaURL": eventSpec + "RunEvent",
		"run": object{"runId": fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])},
		"job": object{"namespace": namespace, "name": "training of " + m.ID, "facets": object{
			"documentation": facet("1-0-1/DocumentationJobFacet", object{"description": saw}),
		}},
		"inputs":  []object{{"namespace": namespace, "name": d.name(), "facets": object{"version": d.versionFacet()}}},
		"outputs": []object{{"namespace": namespace, "name": "model/" + m.ID}},
	}
}
