package crypt

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// maxWorkFactor bounds what a hostile key file may cost: a second or two.
const maxWorkFactor = 20

// passphraseText stands for a passphrase where recipients are listed.
const passphraseText = "passphrase"

// Recipient is who can read what is written from now on: a public key, or a
// passphrase. Only public keys can stand together.
type Recipient struct {
	text string
	age  age.Recipient
}

// String returns a public key as ParseRecipients reads it, or "passphrase".
func (r Recipient) String() string { return r.text }

// Identity opens what was encrypted for its recipient. It holds a secret.
type Identity struct{ age age.Identity }

// ParseRecipients reads public keys, one a line: those of age (age1…) and of
// SSH (ssh-ed25519 …, ssh-rsa …). Empty lines and those that begin with # are
// passed over. No key at all is an error.
func ParseRecipients(text string) ([]Recipient, error) {
	var all []Recipient
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		r, err := parseRecipient(line)
		if err != nil {
			return nil, fmt.Errorf("recipient in line %d: %w", i+1, err)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, errors.New("no recipient: want age1…, ssh-ed25519 … or ssh-rsa …")
	}
	return all, nil
}

func parseRecipient(line string) (Recipient, error) {
	switch {
	case strings.HasPrefix(line, "AGE-SECRET-KEY-"):
		return Recipient{}, errors.New("this is a secret key; a recipient is the public one, age1…")
	case strings.HasPrefix(line, "ssh-"):
		fields := strings.Fields(line)
		r, err := agessh.ParseRecipient(line)
		if err != nil {
			return Recipient{}, err
		}
		return Recipient{text: fields[0] + " " + fields[1], age: r}, nil
	}
	parsed, err := age.ParseRecipients(strings.NewReader(line))
	if err != nil {
		return Recipient{}, fmt.Errorf("%.40q is not like age1…, ssh-ed25519 … or ssh-rsa …", line)
	}
	return Recipient{text: line, age: parsed[0]}, nil
}

// ParseIdentities reads the secret keys of a file: of age, one a line, or one
// SSH key. If that is locked by a passphrase, ask is called for it when it is
// first needed; a nil ask makes that an error.
func ParseIdentities(file []byte, ask func() (string, error)) ([]Identity, error) {
	if bytes.HasPrefix(bytes.TrimSpace(file), []byte("-----BEGIN")) {
		id, err := parseSSH(file, ask)
		if err != nil {
			return nil, fmt.Errorf("SSH key: %w", err)
		}
		return []Identity{{id}}, nil
	}
	parsed, err := age.ParseIdentities(bytes.NewReader(file))
	if err != nil {
		// The error of age may quote the line, which may be a secret.
		return nil, errors.New("not a file of identities: want lines AGE-SECRET-KEY-1…, or one SSH key")
	}
	all := make([]Identity, len(parsed))
	for i, id := range parsed {
		all[i] = Identity{id}
	}
	return all, nil
}

func parseSSH(file []byte, ask func() (string, error)) (age.Identity, error) {
	id, err := agessh.ParseIdentity(file)
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		return id, err
	}
	if ask == nil || locked.PublicKey == nil {
		return nil, errors.New("is locked by a passphrase")
	}
	id, err = agessh.NewEncryptedSSHIdentity(locked.PublicKey, file, func() ([]byte, error) {
		passphrase, err := ask()
		return []byte(passphrase), err
	})
	return lockedIdentity{id}, err
}

// lockedIdentity tells a key that stays locked from a damaged key file.
type lockedIdentity struct{ age.Identity }

func (l lockedIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	key, err := l.Identity.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, fmt.Errorf("%w: %w", errLocked, err)
	}
	return key, err
}

var errLocked = errors.New("the SSH key cannot be unlocked")

// Passphrase returns what encrypts for a passphrase, and what decrypts with it.
// Deriving a key takes about a second.
func Passphrase(passphrase string) (Recipient, Identity, error) {
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return Recipient{}, Identity{}, err
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return Recipient{}, Identity{}, err
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	return Recipient{text: passphraseText, age: r}, Identity{id}, nil
}

// GenerateKey returns a new secret key of age, as ParseIdentities reads it, and
// its public key, as ParseRecipients does.
func GenerateKey() (secret, public string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", err
	}
	return id.String(), id.Recipient().String(), nil
}
