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
	if _, ok := errors.AsType[*backup.BegunError](err); ok {
		return failure{Code: "begun_meanwhile", Hint: "run it again: it then uses the keys that the other one began with", Exit: ExitBusy}, true
	}
	return explainBackupBytes(err)
}

// explainBackupBytes is for what cannot be read.
func explainBackupBytes(err error) (failure, bool) {
	if f, ok := explainBackupKeys(err); ok {
		return f, true
	}
	if e, ok := errors.AsType[*crypt.DamagedError](err); ok && e.KeyFile != "" {
		return failure{
			Code: "damaged_key", Exit: ExitDamaged, Message: e.Error(),
			Hint: `"mlvc backup repair DEST --from COPY" brings ` + e.KeyFile + ` back from a copy of the destination; without it nothing can be read that it is the key of`,
		}, true
	}
	if e, ok := errors.AsType[*core.BackupDamageError](err); ok {
		return failure{
			Code: "damaged_backup", Exit: ExitDamaged,
			Hint: `"mlvc backup verify ` + shellWord(e.URL) + `" names everything damaged, "mlvc backup repair" heals from parity or another destination, and "restore --to DIR --skip-damaged" brings the rest back`,
		}, true
	}
	return failure{}, false
}

// explainBackupKeys is for the keys of encrypted destinations.
func explainBackupKeys(err error) (failure, bool) {
	if _, ok := errors.AsType[*crypt.HalfRotatedError](err); ok {
		return failure{Code: "half_rotated", Hint: "run the same command again, with the old and the new secret keys (--identity for each); every backup can be read meanwhile", Exit: ExitError}, true
	}
	if e, ok := errors.AsType[*core.RecipientsError](err); ok {
		return failure{Code: "other_recipients", Hint: recipientsHint(e), Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*crypt.NoKeyError](err); ok {
		hint := "give the secret key with --identity FILE (or MLVC_BACKUP_IDENTITY)"
		if e.Passphrase {
			hint = "try again: the passphrase is asked for on a terminal, unless MLVC_BACKUP_PASSPHRASE says it"
		}
		// What wanted to read it, for whom, does not matter here.
		return failure{Code: "no_key", Message: e.Error(), Hint: hint, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.KeysError](err); ok {
		return failure{Code: "bad_key", Hint: "a recipient is age1… or an SSH public key; an identity is a file of AGE-SECRET-KEY-1… lines or an SSH private key", Exit: ExitUsage}, true
	}
	if errors.Is(err, crypt.ErrNoRecipient) {
		return failure{Code: "no_recipient", Hint: "name who can read it with --encrypt", Exit: ExitUsage}, true
	}
	return failure{}, false
}

// recipientsHint says how to go on with other recipients, or with those there are.
func recipientsHint(e *core.RecipientsError) string {
	switch {
	case e.Change:
		return "somebody may have put another list there; name all who shall read with --encrypt, instead of those to add and to remove"
	case e.Empty:
		return "name them with --encrypt; to begin again without encryption remove " + shellWord(e.Path)
	case len(e.Have) == 0 && e.Named == "":
		return "somebody may have put another list there, so that the next backup can be read by all; if it was you, remove " + shellWord(e.Path)
	case len(e.Have) == 0:
		return "encryption begins with the first set: choose a new folder for encrypted backups, or leave the recipients out"
	case e.Named == "":
		return "if it was changed on purpose, say so once with --encrypt " + shellWord(strings.Join(e.Have, ",")) + "; else somebody wants to read the next backup"
	}
	return `"mlvc backup rotate DEST --encrypt …" changes who can read everything there; to go on as it is, let ` + e.Named + " say " + shellWord(strings.Join(e.Have, ","))
}
