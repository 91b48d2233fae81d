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
	if _, ok := errors.AsType[*core.WrongSplitsError](err); ok {
		return failure{Code: "wrong_splits", Hint: `"mlvc model verify ID" looks at every part of the model`, Exit: ExitDamaged}, true
	}
	if _, ok := errors.AsType[*core.NothingToCheckError](err); ok {
		return failure{Code: "nothing_to_check", Hint: `check the folder or the split ("mlvc split REV" lists what splits hold)`, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.CodeGoneError](err); ok {
		return failure{
			Code: "no_code", Exit: ExitNotFound,
			Hint: `bring it with "git fetch"; the data alone come with: mlvc checkout model:` + shellWord(e.Model) + " --into DIR",
		}, true
	}
	return failure{}, false
}
