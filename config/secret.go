package config

import (
	"fmt"
	"io"
)

const hiddenSecret = "***"

// Secret is a value that must not be seen: it prints as *** whatever the verb,
// and so does it in JSON, YAML and logs. Its length does not show either.
// The zero value is "not set" and prints as nothing.
type Secret struct{ value string }

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{value: s} }

// Reveal returns the value. Call it only where it is used.
func (s Secret) Reveal() string { return s.value }

// IsSet reports whether there is a value.
func (s Secret) IsSet() bool { return s.value != "" }

// Equal compares two secrets. It is not constant in time: it is for tests and
// for noticing changes, not for checking what a stranger sent.
func (s Secret) Equal(o Secret) bool { return s.value == o.value }

// String returns *** or, when nothing is set, "".
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return hiddenSecret
}

// Format prints String for every verb, %#v and %x too.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String; JSON and YAML encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
