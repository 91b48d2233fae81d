package export

import (
	"encoding/json"
	"strings"
)

const producer = "https://github.com/mlvc/mlvc"

// OpenLineage is a DatasetEvent of OpenLineage 2 that says which version of
// the dataset there is, what is in it, and where it is.
func OpenLineage(d Dataset) ([]byte, error) {
	facet := func(schema string, with object) object {
		with["_producer"], with["_schemaURL"] = producer, "https://openlineage.io/spec/facets/"+schema
		return with
	}
	var fields []object
	for _, t := range d.Tables {
		for _, f := range t.Fields {
			fields = append(fields, object{"name": t.Path + "." + f.Name, "type": strings.ToLower(f.Type)})
		}
	}
	facets := object{
		"version": facet("1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet", object{"datasetVersion": d.Commit}),
	}
	if len(fields) > 0 {
		facets["schema"] = facet("1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet", object{"fields": fields})
	}
	if d.URL != "" {
		facets["dataSource"] = facet("1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet", object{"name": d.name(), "uri": d.URL})
	}
	if d.Description != "" {
		facets["documentation"] = facet("1-0-1/DocumentationDatasetFacet.json#/$defs/DocumentationDatasetFacet", object{"description": d.Description})
	}
	event := object{
		"eventTime": d.Date.Format("2006-01-02T15:04:05Z07:00"), "producer": producer,
		"schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
		"dataset":   object{"namespace": "mlvc", "name": d.name(), "facets": facets},
	}
	text, err := json.MarshalIndent(event, "", "  ")
	return append(text, '\n'), err
}
