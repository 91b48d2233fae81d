package cli

import (
	"errors"
	"strings"

	"github.com/mlvc/mlvc/core"
)

// explainModel is for models and what they are tied to.
func explainModel(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.NoModelError](err); ok {
		hint := `"mlvc model list" lists those that are linked, "mlvc model link" links one`
		if len(e.Near) > 0 {
			hint = "did you mean " + strings.Join(e.Near, ", ") + "?"
		}
		return failure{Code: "no_model", Hint: hint, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.ModelExistsError](err); ok {
		return failure{
			Code: "model_exists", Exit: ExitRefused,
			Hint: "choose another ID, or replace the link: mlvc model link --force " + shellWord(e.Model.Model) + ` ("mlvc undo" takes that back)`,
		}, true
	}
	if e, ok := errors.AsType[*core.NoSplitError](err); ok {
		hint := "it has none; declare them under [splits] in mlvc.toml and commit"
		if len(e.Known) > 0 {
			hint = "it has: " + strings.Join(e.Known, ", ")
		}
		return failure{Code: "no_split", Hint: hint, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.NoSchemeError](err); ok {
		hint := `"mlvc help splits" says how they are declared`
		if len(e.Known) > 0 {
			hint = "there are: " + strings.Join(e.Known, ", ")
		}
		return failure{Code: "no_scheme", Hint: hint, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.WrongSplitsError](err); ok {
		return failure{Code: "wrong_splits", Hint: `"mlvc model verify ID" looks at every part of the model`, Exit: ExitDamaged}, true
	}
	return failure{}, false
}
