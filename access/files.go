package access

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hone-ml/hone/internal/fsutil"
)

// The files in the data directory, each with one line, for their owner alone.
const (
	secretFile   = "secret"
	previousFile = "secret.previous" // the one that is being replaced
	adminFile    = "admin-token"
	identityFile = "identity"
)

// newSecret is 192 bits of chance, in characters that need no escaping in an
// address or a header.
func newSecret() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// readLine reads the one line of a file; "" when there is no such file, or
// nothing in it.
func readLine(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	b, err := fsutil.ReadPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(b))
	if strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s is not one line of letters, digits and punctuation: remove it, and hone makes a new one when it starts", path)
	}
	return line, nil
}

func writeLine(dir, name, line string) error {
	return fsutil.WriteFile(filepath.Join(dir, name), []byte(line+"\n"))
}

// ensureLine reads a file's line, and makes one when there is none. A file that
// others may read, because it was copied there by hand, is closed to them.
func ensureLine(dir, name string) (line string, made bool, err error) {
	if line, err = readLine(dir, name); err != nil {
		return "", false, err
	}
	if line == "" {
		line = newSecret()
		return line, true, writeLine(dir, name, line)
	}
	path := filepath.Join(dir, name)
	if fi, err := os.Stat(path); err == nil && fi.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return "", false, fmt.Errorf("others may read %s: %w; run chmod 600 on it", path, err)
		}
	}
	return line, false, nil
}

// AdminToken reads the token of a data directory for a command on the same
// machine; "" when there is none, or none that may be read.
func AdminToken(dir string) (string, error) {
	line, err := readLine(dir, adminFile)
	if errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	return line, err
}
