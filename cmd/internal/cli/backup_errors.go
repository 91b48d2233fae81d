package cli

import (
	"errors"
	"strings"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/crypt"
)

// explainBackup is for backups.
func explainBackup(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.NoBackupError](err); ok {
		hint := `note one with "mlvc config backup.NAME.url PATH"`
		switch {
		case len(e.Known) > 0:
			hint = "there is: " + strings.Join(e.Known, ", ") + "; for a new folder write ./" + e.Name
		case e.Name != "":
			hint = "for a folder that is not there yet write ./" + e.Name + "; " + hint
		}
		return failure{Code: "no_destination", Hint: hint, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoSetsError](err); ok {
		return failure{Code: "no_backups", Hint: `check the place, and whether it is mounted; "mlvc backup create DEST" makes the first one; where sets are and only the list of them is lost, "mlvc backup repair DEST" makes it again`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*backup.NoSetError](err); ok {
		return failure{Code: "no_set", Hint: `"mlvc backup list DEST" shows the labels`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.PromisedError](err); ok {
		return failure{Code: "not_here", Hint: `bring them first with "mlvc fetch --contents"`, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.LostBackupsError](err); ok {
		return failure{Code: "lost_backups", Hint: "check that the disk or the share is mounted there; if they are meant to be gone, --anew begins again", Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*backup.ForeignError](err); ok {
		return failure{Code: "foreign_backups", Hint: "give each repository a destination of its own", Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*backup.LastFullError](err); ok {
		return failure{Code: "last_full", Hint: `make and verify a newer full first: "mlvc backup create DEST --type full", "mlvc backup verify DEST"`, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*backup.BaseGoneError](err); ok {
		return failure{Code: "base_gone", Hint: "run it again: it is made on another base, or becomes full", Exit: ExitBusy}, true
	}
	return explainBackupBytes(err)
}

// explainBackupBytes is for what cannot be read.
func explainBackupBytes(err error) (failure, bool) {
	if _, ok := errors.AsType[*crypt.NoKeyError](err); ok {
		return failure{Code: "no_key", Hint: "give the secret key with --identity FILE (or MLVC_BACKUP_IDENTITY), or the passphrase with MLVC_BACKUP_PASSPHRASE", Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.KeysError](err); ok {
		return failure{Code: "bad_key", Hint: "a recipient is age1… or an SSH public key; an identity is a file of AGE-SECRET-KEY-1… lines or an SSH private key", Exit: ExitUsage}, true
	}
	if errors.Is(err, crypt.ErrNoRecipient) {
		return failure{Code: "no_recipient", Hint: "name who can read it with --encrypt", Exit: ExitUsage}, true
	}
	if e, ok := errors.AsType[*core.BackupDamageError](err); ok {
		return failure{
			Code: "damaged_backup", Exit: ExitDamaged,
			Hint: `"mlvc backup verify ` + shellWord(e.URL) + `" names everything damaged, "mlvc backup repair" heals from parity or another destination, and "restore --to DIR --skip-damaged" brings the rest back`,
		}, true
	}
	return failure{}, false
}
